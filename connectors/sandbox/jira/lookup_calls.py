"""What ordinary clients look up beside issues: single types and options, people who may be chosen, groups, settings."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import bodies, catalogue, jql, searching
from connectors.sandbox.jira.addresses import whole
from connectors.sandbox.jira.administration.schemes import PERMISSIONS
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.meta_calls import screen_field


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


def status_category(call: Call, id: str) -> Answer:
    """``GET /statuscategory/{idOrKey}``."""
    shown = (call.parts.status(status)["statusCategory"] for status in catalogue.STATUSES)
    return _one(next((one for one in shown if id in (str(one["id"]), one["key"])), None), "status category", id)


def custom_option(call: Call, id: str) -> Answer:
    """``GET /customFieldOption/{id}``."""
    text = call.site.options.text_of(id)
    return _one({"self": f"{call.parts.api}/customFieldOption/{id}", "value": text} if text else None, "option", id)


def createmeta(call: Call) -> Answer:
    """``GET /issue/createmeta``: still there on Cloud (deprecated), gone from Data Center since version 9."""
    if call.site.flavour is not Flavour.CLOUD:
        raise ApiError(404, "Issue Does Not Exist")
    call.signed_in()
    wanted = {*call.names("projectKeys"), *call.names("projectIds")}
    shown = []
    for project in call.site.projects:
        if wanted and wanted.isdisjoint({project.key, project.id}):
            continue
        fields = {field_id: screen_field(call, field_id, project) for field_id in call.site.create_screen(project)}
        with_fields = any("fields" in part for part in call.names("expand"))
        kinds = [call.parts.issue_type(kind) | ({"fields": fields} if with_fields else {}) for kind in project.types]
        shown.append(call.parts.project(project) | {"issuetypes": kinds})
    return json_answer({"expand": "projects", "projects": shown})


# --- people and groups ----------------------------------------------------------------------------------------


def people(call: Call) -> Answer:
    """``GET /user/search`` and its like, of those who may be assigned too: the sandbox leaves nobody out."""
    call.signed_in()
    text = call.param("query") or call.param("username") or call.param("accountId")
    found = call.site.directory.search("" if text == "." else text)
    start = call.number("startAt", 0)
    shown = found[start : start + call.number("maxResults", 50)]
    return json_answer([call.parts.person(account) for account in shown])


# --- settings -------------------------------------------------------------------------------------------------


def configuration(call: Call) -> Answer:
    """``GET /configuration``."""
    names = ("voting", "watching", "unassignedIssues", "subTasks", "issueLinking", "timeTracking", "attachments")
    return json_answer(
        {f"{name}Enabled": True for name in names} | {"timeTrackingConfiguration": call.site.settings.tracking}
    )


def attachment_settings(call: Call) -> Answer:
    """``GET /attachment/meta``."""
    return json_answer({"enabled": True, "uploadLimit": 10_485_760})


def all_permissions(call: Call) -> Answer:
    """``GET /permissions``."""
    shown = {name: {"key": name, "name": name, "type": "PROJECT"} for name in PERMISSIONS}
    return json_answer(
        {"permissions": {"ADMINISTER": {"key": "ADMINISTER", "name": "ADMINISTER", "type": "GLOBAL"}, **shown}}
    )


def application_links(call: Call) -> Answer:
    """``GET /rest/applinks/latest/listApplicationlinks``."""
    return json_answer({"list": []})


def valid_key(call: Call) -> Answer:
    """``GET /projectvalidate/key``."""
    key = call.param("key")
    is_taken = call.site.projects.named(key) is not None
    errors = {"projectKey": f"A project with that key ('{key}') already exists."} if is_taken else {}
    return json_answer({"errorMessages": [], "errors": errors})


def autocomplete(call: Call) -> Answer:
    """``GET /jql/autocompletedata``."""
    names = [
        {"value": field.clauses[0] if field.clauses else field.name, "displayName": field.name, "orderable": "true"}
        for field in call.site.fields.values()
    ]
    functions = [{"value": f"{name}()", "displayName": f"{name}()"} for name in ("currentUser", "now", "startOfDay")]
    return json_answer(
        {"visibleFieldNames": names, "visibleFunctionNames": functions, "jqlReservedWords": ["and", "or"]}
    )


def suggestions(call: Call) -> Answer:
    """``GET /jql/autocompletedata/suggestions``: values of ``fieldName`` that begin with ``fieldValue``."""
    call.signed_in()
    name, begin = call.param("fieldName").lower(), call.param("fieldValue").lower()
    site = call.site
    values = {
        "project": [(one.name, one.key) for one in site.projects],
        "issuetype": [(one.name, one.name) for one in site.types.values()],
        "status": [(one.name, one.name) for one in catalogue.STATUSES],
        "priority": [(one, one) for one in catalogue.PRIORITIES.values()],
        "resolution": [(one, one) for one in catalogue.RESOLUTIONS.values()],
        "labels": [(one, one) for one in sorted(site.by_label) if any(map(call.sight.by_id, site.by_label[one]))],
    }.get(name, [])
    found = [(shown, value) for shown, value in values if shown.lower().startswith(begin)]
    return json_answer({"results": [{"value": value, "displayName": shown} for shown, value in found[:15]]})


def match(call: Call) -> Answer:
    """``POST /jql/match`` (Cloud): which of these issues match which of these queries."""
    sent = call.document()
    wanted = {id for id in map(whole, bodies.texts(sent, "issueIds")) if id is not None}
    matches: list[dict[str, Any]] = []
    for text in bodies.texts(sent, "jqls"):
        try:
            found = {issue.id for issue in searching.find(jql.parse(text), call.asker)}
            matches.append({"matchedIssues": sorted(wanted & found), "errors": []})
        except jql.JqlError as error:
            matches.append({"matchedIssues": [], "errors": [str(error)]})
    return json_answer({"matches": matches})
