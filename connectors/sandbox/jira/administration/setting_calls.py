"""What administrators set for the whole site, and the log of what they did."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.sandbox.jira import bodies
from connectors.sandbox.jira.administration.settings import APPLICATIONS, PROPERTIES, PROVIDER, TIME_FORMATS, UNITS
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.model import AuditRecord
from connectors.sandbox.jira.times import iso

Document = dict[str, Any]


# --- application properties -----------------------------------------------------------------------------------


def properties(call: Call) -> Answer:
    """``GET /application-properties``: all, those that ``keyFilter`` fits, or the one of ``key`` by itself."""
    call.administrator()
    key = call.param("key")
    if key:
        return json_answer(_property(call, key))
    start = call.param("keyFilter").rstrip("*").removesuffix(".")
    return json_answer([_property(call, name) for name in PROPERTIES if name.startswith(start)])


def property_of(call: Call, name: str) -> Answer:
    """``PUT /application-properties/{id}``."""
    caller = call.administrator()
    _property(call, name)
    value = call.document().get("value")
    if not isinstance(value, str):
        raise ApiError(400, "The value of an application property has to be text.")
    kind = PROPERTIES[name][1]
    if (kind == "number" and not value.isdecimal()) or (kind == "boolean" and value not in ("true", "false")):
        raise ApiError(400, f"'{value}' is not a {kind}.")
    call.site.settings.properties[name] = value
    call.site.note(caller, "Application property changed", "general configuration", name)
    return json_answer(_property(call, name))


def _property(call: Call, name: str) -> Document:
    if name not in PROPERTIES:
        raise ApiError(404, f"The application property with key '{name}' does not exist.")
    said, kind, default = PROPERTIES[name]
    value = call.site.settings.properties.get(name, default)
    return {"id": name, "key": name, "value": value, "name": said, "desc": "", "type": kind, "defaultValue": default}


# --- time tracking --------------------------------------------------------------------------------------------


def tracking_options(call: Call) -> Answer:
    """``GET|PUT /configuration/timetracking/options``."""
    call.signed_in()
    if call.method == "PUT":
        call.administrator()
        call.site.settings.tracking = _options_sent(call.site.settings.tracking | call.document())
    return json_answer(call.site.settings.tracking)


def _options_sent(sent: Document) -> Document:
    for name, most in (("workingHoursPerDay", 24), ("workingDaysPerWeek", 7)):
        if not isinstance(sent[name], int | float) or not 0 < sent[name] <= most:
            raise ApiError(400, f"{name} has to be a number of at most {most}.")
    for name, known in (("timeFormat", TIME_FORMATS), ("defaultUnit", UNITS)):
        if sent[name] not in known:
            raise ApiError(400, f"{name} has to be one of {', '.join(known)}.")
    return {name: sent[name] for name in ("workingHoursPerDay", "workingDaysPerWeek", "timeFormat", "defaultUnit")}


def tracking_provider(call: Call) -> Answer:
    """``GET|PUT /configuration/timetracking`` (Cloud): the provider; this site knows the product's own."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    if call.method == "GET":
        return json_answer(_provider(call))
    if call.document().get("key") != PROVIDER["key"]:
        raise ApiError(400, "There is no time tracking provider with this key.")
    return no_content()


def tracking_providers(call: Call) -> Answer:
    """``GET /configuration/timetracking/list`` (Cloud)."""
    call.signed_in()
    return json_answer([_provider(call)])


def _provider(call: Call) -> Document:
    return {**PROVIDER, "url": f"{call.desk.base}/secure/admin/TimeTrackingAdmin.jspa"}


# --- applications and who may use them ------------------------------------------------------------------------


def roles(call: Call) -> Answer:
    """``GET /applicationrole``; ``PUT`` (Data Center): groups and default groups of several."""
    call.administrator()
    if call.method == "GET":
        return _tagged(call, [_role(call, key) for key in APPLICATIONS])
    call.only_on(Flavour.DATA_CENTER)
    _refuse_stale(call)
    sent = call.json()
    if not isinstance(sent, list) or not all(isinstance(one, dict) for one in sent):
        raise ApiError(400, "A list of application roles has to be sent.")
    changes = [(_known(str(one.get("key"))), _groups_sent(call, one)) for one in sent]
    call.site.settings.applications.update(changes)
    return _tagged(call, [_role(call, key) for key, _ in changes])


def role(call: Call, name: str) -> Answer:
    """``GET /applicationrole/{key}``; ``PUT`` (Data Center)."""
    call.administrator()
    key = _known(name)
    if call.method == "PUT":
        call.only_on(Flavour.DATA_CENTER)
        _refuse_stale(call)
        call.site.settings.applications[key] = _groups_sent(call, call.document())
    return _tagged(call, _role(call, key))


def user_application(call: Call) -> Answer:
    """``POST|DELETE /user/application`` (Data Center): into or out of an application's default groups."""
    call.only_on(Flavour.DATA_CENTER)
    call.administrator()
    account = call.site.directory.known_as(call.param("username"))
    if account is None:
        raise ApiError(404, f"The user '{call.param('username')}' does not exist.")
    groups = call.site.settings.applications[_known(call.param("applicationKey"))]
    for name in groups["defaultGroups"]:
        if call.method == "POST":
            call.site.groups.join(name, account)
        else:
            call.site.groups.leave(name, account)
    return Answer(200) if call.method == "POST" else no_content()


def _known(key: str) -> str:
    if key not in APPLICATIONS:
        raise ApiError(404, f"The application role '{key}' does not exist.")
    return key


def _groups_sent(call: Call, sent: Document) -> dict[str, list[str]]:
    taken = {}
    for name in ("groups", "defaultGroups"):
        taken[name] = bodies.texts(sent, name)
        unknown = [one for one in taken[name] if call.site.groups.named(one) is None]
        if unknown:
            raise ApiError(400, f"There is no group {', '.join(unknown)}.")
    if not set(taken["defaultGroups"]) <= set(taken["groups"]):
        raise ApiError(400, "Default groups have to be among the groups.")
    return taken


def _role(call: Call, key: str) -> Document:
    kept = call.site.settings.applications[key]
    count = len(set().union(*(call.site.groups.members(name) for name in kept["groups"])))
    return {
        "key": key,
        "name": APPLICATIONS[key],
        **kept,
        "selectedByDefault": False,
        "defined": True,
        "numberOfSeats": -1,
        "remainingSeats": -1,
        "userCount": count,
        "userCountDescription": f"{count} users",
        "hasUnlimitedSeats": True,
        "platform": False,
    }


def _tagged(call: Call, shown: Any) -> Answer:
    """With the version that a change may name in ``If-Match``."""
    answer = json_answer(shown)
    answer.headers["ETag"] = call.site.settings.tag()
    return answer


def _refuse_stale(call: Call) -> None:
    wanted = call.headers.get("if-match")
    if wanted is not None and wanted != call.site.settings.tag():
        raise ApiError(412, "The application roles have changed since they were read.")


# --- audit log ------------------------------------------------------------------------------------------------


def audit(call: Call) -> Answer:
    """``GET /auditing/record``, newest first, by text and time; ``POST`` (Data Center) stores a record."""
    caller = call.administrator()
    if call.method == "POST":
        call.only_on(Flavour.DATA_CENTER)
        return _store(call, caller.name)
    text = call.param("filter").lower()
    first, last = _instant(call, "from"), _instant(call, "to")
    found = [
        one
        for one in reversed(call.site.audit)
        if text in f"{one.summary} {one.category} {one.about}".lower()
        and (first is None or one.at >= first)
        and (last is None or one.at <= last)
    ]
    start, size = call.number("offset", 0), min(call.number("limit", 1_000), 1_000)
    shown = [_record(call, one) for one in found[start : start + size]]
    return json_answer({"offset": start, "limit": size, "total": len(found), "records": shown})


def _store(call: Call, author: str) -> Answer:
    sent = call.document()
    if not sent.get("summary"):
        raise ApiError(400, errors={"summary": "The summary of an audit record is required."})
    about = str(bodies.part(sent, "objectItem").get("name") or "")
    site = call.site
    site.note(call.signed_in(), str(sent["summary"]), str(sent.get("category") or ""), about)
    site.audit[-1] = replace(site.audit[-1], details=sent)
    return Answer(201)


def _instant(call: Call, name: str) -> int | None:
    text = call.param(name)
    if not text:
        return None
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        raise ApiError(400, f"'{text}' is not a time such as 2026-03-01T09:00:00.000+0000.") from None


def _record(call: Call, kept: AuditRecord) -> Document:
    author, is_cloud = call.site.directory.named(kept.author), call.site.flavour is Flavour.CLOUD
    shown_author = "" if author is None else author.account_id if is_cloud else author.key
    return {
        "objectItem": {"name": kept.about, "typeName": kept.category.upper()},
        "changedValues": [],
        "associatedItems": [],
        **{part: value for part, value in kept.details.items() if part in ("objectItem", "changedValues")},
        "id": kept.id,
        "summary": kept.summary,
        "remoteAddress": "127.0.0.1",
        "authorAccountId" if is_cloud else "authorKey": shown_author,
        "created": iso(kept.at, call.zone),
        "category": kept.category,
        "eventSource": "",
    }
