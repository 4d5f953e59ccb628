"""``/rest/servicedeskapi/organization``: organisations, who is in them, and which service desks serve them."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import entity_properties
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.desk.lookups import DESK, desk_named, one_property, page, people, people_sent, person_sent
from connectors.sandbox.jira.desk.service import Organization

MAX_NAME = 200


def organizations(call: Call) -> Answer:
    """``GET`` and ``POST /organization``; a name that is taken answers with the organisation that has it."""
    if call.method == "POST":
        return _create(call)
    call.signed_in()
    return page(call, [_shown(call, one) for one in _of_asked(call, call.site.service.organizations)])


def _create(call: Call) -> Answer:
    call.writer()
    name = str(call.document().get("name") or "").strip()
    if not 0 < len(name) <= MAX_NAME:
        raise ApiError(400, f"The name of an organization must have between 1 and {MAX_NAME} characters.")
    known = call.site.service.organizations
    found = next((one for one in known.values() if one.name == name), None)
    if found is None:
        id = str(len(known) + 1 if not known else max(map(int, known)) + 1)
        found = known[id] = Organization(id, name)
    return json_answer(_shown(call, found), 201)


def one(call: Call, id: str) -> Answer:
    """``GET`` and ``DELETE /organization/{id}``: only an administrator deletes one."""
    found = _named(call, id)
    if call.method == "GET":
        return json_answer(_shown(call, found))
    if not call.signed_in().is_admin:
        raise ApiError(403, "Only a Jira administrator may delete an organization.")
    del call.site.service.organizations[id]
    for ids in call.site.service.organizations_of.values():
        if id in ids:
            ids.remove(id)
    return no_content()


def members(call: Call, id: str) -> Answer:
    """``GET|POST|DELETE /organization/{id}/user``."""
    found = _named(call, id)
    if call.method == "GET":
        return page(call, people(call, found.members))
    call.writer()
    named = [account.name for account in people_sent(call, call.document())]
    if call.method == "POST":
        found.members = [*found.members, *(name for name in dict.fromkeys(named) if name not in found.members)]
    else:
        found.members = [name for name in found.members if name not in named]
    return no_content()


def of_desk(call: Call, id: str) -> Answer:
    """``GET|POST|DELETE /servicedesk/{id}/organization``; what is so already changes nothing (204)."""
    ids = call.site.service.organizations_of[desk_named(call, id)]
    if call.method == "GET":
        known = call.site.service.organizations
        return page(call, [_shown(call, one) for one in _of_asked(call, {one: known[one] for one in ids})])
    call.writer()
    wanted = _named(call, str(call.document().get("organizationId") or "")).id
    if call.method == "POST" and wanted not in ids:
        ids.append(wanted)
    elif call.method == "DELETE" and wanted in ids:
        ids.remove(wanted)
    return no_content()


def property_keys(call: Call, id: str) -> Answer:
    """``GET /organization/{id}/property``."""
    known = _named(call, id).properties
    address = f"{call.desk.base}{DESK}/organization/{id}/property"
    return json_answer({"entityPropertyKeyBeans": entity_properties.keys(known, address)})


def property_of(call: Call, id: str, name: str) -> Answer:
    """``GET|PUT|DELETE /organization/{id}/property/{name}``."""
    return one_property(call, _named(call, id).properties, name)


def _of_asked(call: Call, known: dict[str, Organization]) -> list[Organization]:
    asked = call.param("accountId")
    name = person_sent(call, asked).name if asked else ""
    return [one for one in known.values() if not asked or name in one.members]


def _named(call: Call, id: str) -> Organization:
    call.signed_in()
    found = call.site.service.organizations.get(id)
    if found is None:
        raise ApiError(404, "The organization doesn't exist.")
    return found


def _shown(call: Call, one: Organization) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": one.id, "name": one.name}
    if call.site.flavour is Flavour.CLOUD:
        shown["scimManaged"] = False
    return {**shown, "_links": {"self": f"{call.desk.base}{DESK}/organization/{one.id}"}}
