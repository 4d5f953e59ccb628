"""What ordinary clients look up beside issues: single types and options, people who may be chosen, groups, settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from connectors.sandbox.jira import catalogue, jql, searching
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import FIELDS, Flavour
from connectors.sandbox.jira.meta_calls import project_named, screen_field

GROUPS = ("jira-administrators", "jira-users")
_RANGE = re.compile(r"users\[(\d+):(\d+)\]")
ROLES = {"10002": "Administrators", "10101": "Service Desk Team"}


def _one(found: Any, what: str, id: str) -> Answer:
    if found is None:
        raise ApiError(404, f"The {what} with id '{id}' does not exist")
    return json_answer(found)


def priority(call: Call, id: str) -> Answer:
    """``GET /priority/{id}``."""
    return _one(call.parts.priority(id) if id in catalogue.PRIORITIES else None, "priority", id)


def resolution(call: Call, id: str) -> Answer:
    """``GET /resolution/{id}``."""
    return _one(call.parts.resolution(id) if id in catalogue.RESOLUTIONS else None, "resolution", id)


def issue_type(call: Call, id: str) -> Answer:
    """``GET /issuetype/{id}``."""
    kind = next((kind for kind in catalogue.ISSUE_TYPES if kind.id == id), None)
    return _one(call.parts.issue_type(kind) if kind is not None else None, "issue type", id)


def status_category(call: Call, id: str) -> Answer:
    """``GET /statuscategory/{idOrKey}``."""
    shown = (call.parts.status(status)["statusCategory"] for status in catalogue.STATUSES)
    return _one(next((one for one in shown if id in (str(one["id"]), one["key"])), None), "status category", id)


def link_type(call: Call, id: str) -> Answer:
    """``GET /issueLinkType/{id}``."""
    if id not in catalogue.LINK_TYPES:
        raise ApiError(404, f"No issue link type with id '{id}' found.")
    name, inward, outward = catalogue.LINK_TYPES[id]
    link = f"{call.parts.api}/issueLinkType/{id}"
    return json_answer({"id": id, "name": name, "inward": inward, "outward": outward, "self": link})


def custom_option(call: Call, id: str) -> Answer:
    """``GET /customFieldOption/{id}``."""
    text = call.site.options.text_of(id)
    return _one({"self": f"{call.parts.api}/customFieldOption/{id}", "value": text} if text else None, "option", id)


def field_search(call: Call) -> Answer:
    """``GET /field/search`` (Cloud): custom fields, paged."""
    custom = [call.parts.field(field) for field in FIELDS if field.is_custom]
    return json_answer(_paged(call, custom))


def createmeta(call: Call) -> Answer:
    """``GET /issue/createmeta``: still there on Cloud (deprecated), gone from Data Center since version 9."""
    if call.site.flavour is not Flavour.CLOUD:
        raise ApiError(404, "Issue Does Not Exist")
    call.signed_in()
    wanted = {*call.names("projectKeys"), *call.names("projectIds")}
    shown = []
    for project in catalogue.PROJECTS:
        if wanted and wanted.isdisjoint({project.key, project.id}):
            continue
        screen = call.site.quirks.create_screen(project)
        fields = {field_id: screen_field(call, field_id, project) for field_id in screen}
        with_fields = any("fields" in part for part in call.names("expand"))
        kinds = [call.parts.issue_type(kind) | ({"fields": fields} if with_fields else {}) for kind in project.types]
        shown.append(call.parts.project(project) | {"issuetypes": kinds})
    return json_answer({"expand": "projects", "projects": shown})


# --- people and groups ----------------------------------------------------------------------------------------


def assignable(call: Call) -> Answer:
    """``GET /user/assignable/search`` and its like: people who may be chosen; the sandbox leaves nobody out."""
    call.signed_in()
    text = call.param("query") or call.param("username")
    found = call.site.directory.search("" if text == "." else text)
    start = call.number("startAt", 0)
    return json_answer(_people(call, found[start : start + call.number("maxResults", 50)]))


def user_groups(call: Call) -> Answer:
    """``GET /user/groups``."""
    call.signed_in()
    return json_answer([_group(call, name) for name in GROUPS])


def groups(call: Call) -> Answer:
    """``GET /groups/picker``."""
    text = call.param("query").lower()
    found = [_group(call, name) | {"html": name, "labels": []} for name in GROUPS if text in name]
    return json_answer({"header": f"Showing {len(found)} of {len(found)} matching groups", "groups": found})


def group(call: Call) -> Answer:
    """``GET /group``, with a page of its members: ``expand=users[50:99]``."""
    name = _group_name(call)
    people = _people(call, call.site.directory.search(""))
    asked = _RANGE.search(call.param("expand"))
    first, last = (int(asked[1]), int(asked[2])) if asked is not None else (0, 49)
    last = min(last, len(people) - 1)
    page = {
        "size": len(people),
        "items": people[first : last + 1],
        "max-results": 50,
        "start-index": first,
        "end-index": last,
    }
    return json_answer(_group(call, name) | {"users": page, "expand": "users"})


def group_members(call: Call) -> Answer:
    """``GET /group/member``, paged."""
    _group_name(call)
    return json_answer(_paged(call, _people(call, call.site.directory.search(""))))


def _group_name(call: Call) -> str:
    call.signed_in()
    name = call.param("groupname") or call.param("groupName") or call.param("groupId")
    if name not in GROUPS:
        raise ApiError(404, f"The group named '{name}' does not exist.")
    return name


def _group(call: Call, name: str) -> dict[str, Any]:
    shown = {"name": name, "self": f"{call.parts.api}/group?groupname={name}"}
    return shown | ({"groupId": name} if call.site.flavour is Flavour.CLOUD else {})


def _people(call: Call, accounts: Iterable[Account]) -> list[dict[str, Any]]:
    return [call.parts.person(account) for account in accounts]


def roles(call: Call) -> Answer:
    """``GET /role``."""
    return json_answer([_role(call, id) for id in ROLES])


def project_roles(call: Call, key: str) -> Answer:
    """``GET /project/{key}/role``: names and addresses."""
    found = project_named(key)
    return json_answer({name: f"{call.parts.api}/project/{found.id}/role/{id}" for id, name in ROLES.items()})


def project_role(call: Call, key: str, id: str) -> Answer:
    """``GET /project/{key}/role/{id}``."""
    project_named(key)
    return _one(_role(call, id) if id in ROLES else None, "role", id)


def _role(call: Call, id: str) -> dict[str, Any]:
    return {"self": f"{call.parts.api}/role/{id}", "id": int(id), "name": ROLES[id], "description": "", "actors": []}


# --- settings -------------------------------------------------------------------------------------------------


def session(call: Call) -> Answer:
    """``GET /rest/auth/1/session``."""
    account = call.signed_in()
    link = f"{call.desk.base}/rest/api/latest/user?username={account.name}"
    return json_answer({"self": link, "name": account.name, "loginInfo": {"loginCount": 1, "failedLoginCount": 0}})


def configuration(call: Call) -> Answer:
    """``GET /configuration``."""
    names = ("voting", "watching", "unassignedIssues", "subTasks", "issueLinking", "timeTracking", "attachments")
    return json_answer({f"{name}Enabled": True for name in names} | {"timeTrackingConfiguration": _TRACKING})


def time_tracking(call: Call) -> Answer:
    """``GET /configuration/timetracking/options``."""
    return json_answer(_TRACKING)


_TRACKING = {"workingHoursPerDay": 8.0, "workingDaysPerWeek": 5.0, "timeFormat": "pretty", "defaultUnit": "minute"}


def attachment_settings(call: Call) -> Answer:
    """``GET /attachment/meta``."""
    return json_answer({"enabled": True, "uploadLimit": 10_485_760})


def all_permissions(call: Call) -> Answer:
    """``GET /permissions``."""
    names = ("BROWSE_PROJECTS", "CREATE_ISSUES", "EDIT_ISSUES", "TRANSITION_ISSUES", "ADD_COMMENTS", "LINK_ISSUES")
    return json_answer({"permissions": {name: {"key": name, "name": name, "type": "PROJECT"} for name in names}})


def permission_schemes(call: Call) -> Answer:
    """``GET /permissionscheme``."""
    return json_answer({"permissionSchemes": [_scheme(call)]})


def permission_scheme_of(call: Call, key: str) -> Answer:
    """``GET /project/{key}/permissionscheme``."""
    project_named(key)
    return json_answer(_scheme(call))


def _scheme(call: Call) -> dict[str, Any]:
    link = f"{call.parts.api}/permissionscheme/0"
    return {"id": 0, "self": link, "name": "Default Permission Scheme", "permissions": []}


def nothing_listed(call: Call) -> Answer:
    """Lists that are empty here: project categories, project types of their own."""
    call.signed_in()
    return json_answer([])


def dashboards(call: Call) -> Answer:
    """``GET /dashboard``."""
    return json_answer({"startAt": 0, "maxResults": 20, "total": 0, "dashboards": []})


def audit_records(call: Call) -> Answer:
    """``GET /auditing/record``."""
    call.signed_in()
    return json_answer({"offset": 0, "limit": 1_000, "total": 0, "records": []})


def application_links(call: Call) -> Answer:
    """``GET /rest/applinks/latest/listApplicationlinks``."""
    return json_answer({"list": []})


def valid_key(call: Call) -> Answer:
    """``GET /projectvalidate/key``."""
    key = call.param("key")
    is_taken = any(project.key == key for project in catalogue.PROJECTS)
    errors = {"projectKey": f"A project with that key ('{key}') already exists."} if is_taken else {}
    return json_answer({"errorMessages": [], "errors": errors})


def autocomplete(call: Call) -> Answer:
    """``GET /jql/autocompletedata``."""
    names = [
        {"value": field.clauses[0] if field.clauses else field.name, "displayName": field.name, "orderable": "true"}
        for field in FIELDS
    ]
    functions = [{"value": f"{name}()", "displayName": f"{name}()"} for name in ("currentUser", "now", "startOfDay")]
    return json_answer(
        {"visibleFieldNames": names, "visibleFunctionNames": functions, "jqlReservedWords": ["and", "or"]}
    )


def match(call: Call) -> Answer:
    """``POST /jql/match`` (Cloud): which of these issues match which of these queries."""
    sent = call.document()
    wanted = {int(id) for id in sent.get("issueIds") or ()}
    matches: list[dict[str, Any]] = []
    for text in sent.get("jqls") or ():
        try:
            found = {issue.id for issue in searching.find(jql.parse(text), call.asker)}
            matches.append({"matchedIssues": sorted(wanted & found), "errors": []})
        except jql.JqlError as error:
            matches.append({"matchedIssues": [], "errors": [str(error)]})
    return json_answer({"matches": matches})


def _paged(call: Call, everything: list[dict[str, Any]]) -> dict[str, Any]:
    start, size = call.number("startAt", 0), call.number("maxResults", 50)
    shown = everything[start : start + size]
    is_last = start + size >= len(everything)
    return {"maxResults": size, "startAt": start, "total": len(everything), "isLast": is_last, "values": shown}
