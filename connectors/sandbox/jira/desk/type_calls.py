"""Request types: what the portal of a service desk offers, and what it asks for."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import entity_properties
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.desk.lookups import DESK, desk_named, desk_project, one_property, page
from connectors.sandbox.jira.desk.service import DESKS, RequestType

PORTAL_GROUP = {"id": "1", "name": "General"}


def everywhere(call: Call) -> Answer:
    """``GET /requesttype``: of all service desks, or of those named."""
    call.signed_in()
    desks = [desk_named(call, id) for id in call.names("serviceDeskId")] or list(DESKS)
    return page(call, [shown(call, one) for desk in desks for one in _matching(call, desk)])


def of_desk(call: Call, id: str) -> Answer:
    """``GET`` and ``POST /servicedesk/{id}/requesttype``."""
    desk = desk_named(call, id)
    if call.method == "GET":
        return page(call, [shown(call, one) for one in _matching(call, desk)])
    call.writer()
    sent = call.document()
    name, kind = str(sent.get("name") or "").strip(), str(sent.get("issueTypeId") or "")
    if not name:
        raise ApiError(400, "The name of a request type must be given.")
    if all(kind != one.id or one.is_subtask for one in desk_project(call, desk).types):
        raise ApiError(400, f"The project of this service desk has no issue type '{kind}'.")
    texts = (str(sent.get("description") or ""), str(sent.get("helpText") or ""))
    made = RequestType(str(next(call.site.ids)), desk, kind, name, *texts)
    call.site.service.request_types[desk][made.id] = made
    return json_answer(shown(call, made))


def one(call: Call, id: str, type_id: str) -> Answer:
    """``GET`` and ``DELETE /servicedesk/{id}/requesttype/{typeId}``."""
    desk = desk_named(call, id)
    found = type_named(call, desk, type_id)
    if call.method == "GET":
        return json_answer(shown(call, found))
    call.writer()
    del call.site.service.request_types[desk][found.id]
    return no_content()


def fields(call: Call, id: str, type_id: str) -> Answer:
    """``GET /servicedesk/{id}/requesttype/{typeId}/field``: what the portal asks for."""
    type_named(call, desk_named(call, id), type_id)
    asked: list[dict[str, Any]] = [
        {
            "fieldId": field_id,
            "name": field_id.capitalize(),
            "description": "",
            "required": field_id == "summary",
            "defaultValues": [],
            "validValues": [],
            "jiraSchema": {"type": "string", "system": field_id},
            "visible": True,
        }
        for field_id in ("summary", "description")
    ]
    return json_answer({"requestTypeFields": asked, "canRaiseOnBehalfOf": True, "canAddRequestParticipants": True})


def groups(call: Call, id: str) -> Answer:
    """``GET /servicedesk/{id}/requesttypegroup``: one, with all of them."""
    desk_named(call, id)
    return page(call, [PORTAL_GROUP])


def property_keys(call: Call, id: str, type_id: str) -> Answer:
    """``GET …/requesttype/{typeId}/property``."""
    known = type_named(call, desk_named(call, id), type_id).properties
    address = f"{call.desk.base}{DESK}/servicedesk/{id}/requesttype/{type_id}/property"
    return json_answer({"entityPropertyKeyBeans": entity_properties.keys(known, address)})


def property_of(call: Call, id: str, type_id: str, name: str) -> Answer:
    """``GET|PUT|DELETE …/requesttype/{typeId}/property/{name}``."""
    return one_property(call, type_named(call, desk_named(call, id), type_id).properties, name)


def type_named(call: Call, desk: str, type_id: str) -> RequestType:
    """The request type of an id; 404 where the service desk has none."""
    found = call.site.service.request_types[desk].get(type_id)
    if found is None:
        raise ApiError(404, "The request type doesn't exist.")
    return found


def shown(call: Call, one: RequestType) -> dict[str, Any]:
    """A request type."""
    return {
        "id": one.id,
        "name": one.name,
        "description": one.description,
        "helpText": one.help,
        "issueTypeId": one.issue_type,
        "serviceDeskId": one.desk,
        "portalId": one.desk,
        "groupIds": [PORTAL_GROUP["id"]],
        "_links": {"self": f"{call.desk.base}{DESK}/servicedesk/{one.desk}/requesttype/{one.id}"},
    }


def _matching(call: Call, desk: str) -> list[RequestType]:
    wanted = call.param("searchQuery").lower()
    is_other_group = call.param("groupId") not in ("", PORTAL_GROUP["id"])
    known = call.site.service.request_types[desk].values()
    return [] if is_other_group else [one for one in known if wanted in f"{one.name} {one.description}".lower()]
