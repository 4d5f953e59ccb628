"""What a site is and has: server, caller, fields, projects, types, statuses, create screens, people, filters."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import CREATE_REQUIRED, FIELD_BY_ID, FIELDS, Flavour, Project
from connectors.sandbox.jira.times import iso


def server_info(call: Call) -> Answer:
    """``GET /serverInfo``: may be asked by anyone, and tells Cloud from Data Center."""
    is_cloud = call.site.flavour is Flavour.CLOUD
    version = "1001.0.0-SNAPSHOT" if is_cloud else "10.3.6"
    return json_answer(
        {
            "baseUrl": call.desk.base,
            "version": version,
            "versionNumbers": [1001, 0, 0] if is_cloud else [10, 3, 6],
            "deploymentType": call.site.flavour.value,
            "buildNumber": 100_278 if is_cloud else 10_030_006,
            "buildDate": iso(call.site.world.start, UTC),
            "serverTime": iso(call.site.now, call.zone),
            "scmInfo": "regelkreis-sandbox",
            "serverTitle": "Jira of the sandbox",
        }
    )


def myself(call: Call) -> Answer:
    """``GET /myself``: 401 for the anonymous, which is how an expired token shows itself."""
    account = call.signed_in()
    shown = call.parts.person(account) | {"emailAddress": account.email, "locale": "en_US"}
    return json_answer(shown)


def fields(call: Call) -> Answer:
    """``GET /field``."""
    return json_answer([call.parts.field(field) for field in (*FIELDS, *call.site.quirks.further_fields())])


def projects(call: Call) -> Answer:
    """``GET /project``."""
    return json_answer([call.parts.project(project) for project in catalogue.PROJECTS])


def project_search(call: Call) -> Answer:
    """``GET /project/search`` (Cloud), one page."""
    values = [call.parts.project(project) for project in catalogue.PROJECTS]
    return json_answer({"maxResults": 50, "startAt": 0, "total": len(values), "isLast": True, "values": values})


def project(call: Call, key: str) -> Answer:
    """``GET /project/{key}`` with its issue types."""
    found = project_named(key)
    of_project = {kind: list(call.site.shelf[kind].values()) for kind in ("version", "component")}
    kept = {
        f"{kind}s": [one for one in everything if one["project"] == found.key]
        for kind, everything in of_project.items()
    }
    kinds = [call.parts.issue_type(kind) for kind in found.types]
    return json_answer(call.parts.project(found) | kept | {"issueTypes": kinds, "roles": {}})


def project_statuses(call: Call, key: str) -> Answer:
    """``GET /project/{key}/statuses``: the statuses of every issue type's workflow."""
    found = project_named(key)
    steps = {found.start.id: found.start} | {transition.to.id: transition.to for transition in found.workflow}
    shown = [call.parts.status(status) for status in steps.values()]
    return json_answer([call.parts.issue_type(kind) | {"statuses": shown} for kind in found.types])


def issue_types(call: Call) -> Answer:
    """``GET /issuetype``."""
    return json_answer([call.parts.issue_type(kind) for kind in catalogue.ISSUE_TYPES])


def issue_types_of_project(call: Call) -> Answer:
    """``GET /issuetype/project?projectId=`` (Cloud)."""
    return json_answer([call.parts.issue_type(kind) for kind in project_named(call.param("projectId")).types])


def priorities(call: Call) -> Answer:
    """``GET /priority``."""
    return json_answer([call.parts.priority(id) for id in catalogue.PRIORITIES])


def statuses(call: Call) -> Answer:
    """``GET /status``."""
    return json_answer([call.parts.status(status) for status in catalogue.STATUSES])


def status(call: Call, name: str) -> Answer:
    """``GET /status/{idOrName}``."""
    for found in catalogue.STATUSES:
        if name in (found.id, found.name):
            return json_answer(call.parts.status(found))
    raise ApiError(404, f"The status with id '{name}' does not exist.")


def status_categories(call: Call) -> Answer:
    """``GET /statuscategory``."""
    return json_answer([call.parts.status(status)["statusCategory"] for status in catalogue.STATUSES[:3]])


def resolutions(call: Call) -> Answer:
    """``GET /resolution``."""
    return json_answer([call.parts.resolution(id) for id in catalogue.RESOLUTIONS])


def link_types(call: Call) -> Answer:
    """``GET /issueLinkType``."""
    return json_answer(
        {
            "issueLinkTypes": [
                {
                    "id": id,
                    "name": name,
                    "inward": inward,
                    "outward": outward,
                    "self": f"{call.parts.api}/issueLinkType/{id}",
                }
                for id, (name, inward, outward) in catalogue.LINK_TYPES.items()
            ]
        }
    )


def createmeta_types(call: Call, key: str) -> Answer:
    """``GET /issue/createmeta/{project}/issuetypes``, paged."""
    call.signed_in()
    shown = [call.parts.issue_type(kind) for kind in project_named(key).types]
    return _page(call, shown, cloud_key="issueTypes")


def createmeta_fields(call: Call, key: str, type_id: str) -> Answer:
    """``GET /issue/createmeta/{project}/issuetypes/{id}``: the fields of the create screen, paged."""
    call.signed_in()
    found = project_named(key)
    if all(kind.id != type_id for kind in found.types):
        raise ApiError(400, f"The issue type with id '{type_id}' does not exist in project '{key}'.")
    shown = [screen_field(call, field_id, found) for field_id in call.site.quirks.create_screen(found)]
    return _page(call, shown, cloud_key="fields")


def screen_field(call: Call, field_id: str, project: Project) -> dict[str, Any]:
    """A field of the create screen as the platform describes it."""
    field = FIELD_BY_ID[field_id]
    described = call.parts.field(field)
    shown: dict[str, Any] = {
        "required": field_id in CREATE_REQUIRED,
        "schema": described["schema"],
        "name": field.name,
        "key": field_id,
        "fieldId": field_id,
        "hasDefaultValue": field_id == "priority",
        "operations": ["add", "set", "remove"] if field.type == "array" else ["set"],
    }
    if field_id == "project":
        shown["allowedValues"] = [call.parts.project(project)]
    elif field_id == "issuetype":
        shown["allowedValues"] = [call.parts.issue_type(kind) for kind in project.types]
    elif field_id == "priority":
        shown["allowedValues"] = [call.parts.priority(id) for id in catalogue.PRIORITIES]
    elif field.type == "option":
        options = call.site.options.of(field.attribute)
        shown["allowedValues"] = [
            {"self": f"{call.parts.api}/customFieldOption/{id}", "value": text, "id": id}
            for text, id in options.items()
        ]
    return shown


def _page(call: Call, everything: list[dict[str, Any]], *, cloud_key: str) -> Answer:
    start = call.number("startAt", 0)
    size = min(call.number("maxResults", 50), 200)
    shown = everything[start : start + size]
    page: dict[str, Any] = {"maxResults": size, "startAt": start, "total": len(everything)}
    if call.site.flavour is Flavour.CLOUD:
        return json_answer(page | {cloud_key: shown})
    return json_answer(page | {"isLast": start + size >= len(everything), "values": shown})


def project_named(key: str) -> Project:
    """The project of a key or id; 404 where there is none."""
    for found in catalogue.PROJECTS:
        if key.upper() in (found.key, found.id):
            return found
    raise ApiError(404, f"No project could be found with key '{key}'.")


def users(call: Call) -> Answer:
    """``GET /user/search``: ``query`` on Cloud, ``username`` on Data Center."""
    call.signed_in()
    text = call.param("query") or call.param("username") or call.param("accountId")
    start = call.number("startAt", 0)
    size = call.number("maxResults", 50)
    found = call.site.directory.search(text) if text and text != "." else call.site.directory.search("")
    return json_answer([call.parts.person(account) for account in found[start : start + size]])


def user(call: Call) -> Answer:
    """``GET /user``: one person by accountId (Cloud) or username or key (Data Center)."""
    call.signed_in()
    if call.site.flavour is Flavour.CLOUD:
        found = call.site.directory.sent({"accountId": call.param("accountId")})
    else:
        found = call.site.directory.sent({"name": call.param("username") or call.param("key")})
    if found is None:
        raise ApiError(404, "Specified user does not exist or you do not have required permissions")
    return json_answer(call.parts.person(found))


def permissions(call: Call) -> Answer:
    """``GET /mypermissions``: what the caller may do."""
    may_write = call.account is not None and call.account.may_write
    rights = {
        "BROWSE_PROJECTS": call.account is not None,
        "CREATE_ISSUES": may_write,
        "EDIT_ISSUES": may_write,
        "TRANSITION_ISSUES": may_write,
        "ADD_COMMENTS": may_write,
        "CREATE_ATTACHMENTS": may_write,
        "LINK_ISSUES": may_write,
        "ASSIGN_ISSUES": may_write,
    }
    asked = call.names("permissions") or tuple(rights)
    shown = {
        name: {
            "id": str(number),
            "key": name,
            "name": name,
            "type": "PROJECT",
            "havePermission": rights.get(name, False),
        }
        for number, name in enumerate(asked)
    }
    return json_answer({"permissions": shown})
