"""What a site is and has: server, caller, fields, projects, types, statuses, create screens, people, filters."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.administration.schemes import PERMISSIONS
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import CREATE_REQUIRED, Flavour, Project
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
            "serverTitle": call.site.settings.title,
        }
    )


def myself(call: Call) -> Answer:
    """``GET /myself``: 401 for the anonymous, which is how an expired token shows itself."""
    account = call.signed_in()
    shown = call.parts.person(account) | {"emailAddress": account.email, "locale": "en_US"}
    return json_answer(shown)


def fields(call: Call) -> Answer:
    """``GET /field``."""
    return json_answer(
        [call.parts.field(field) for field in (*call.site.fields.values(), *call.site.quirks.further_fields())]
    )


def project_statuses(call: Call, key: str) -> Answer:
    """``GET /project/{key}/statuses``: the statuses of every issue type's workflow."""
    found = project_named(call, key)
    shown = [call.parts.status(status) for status in found.statuses]
    return json_answer([call.parts.issue_type(kind) | {"statuses": shown} for kind in found.types])


def issue_types_of_project(call: Call) -> Answer:
    """``GET /issuetype/project?projectId=`` (Cloud)."""
    return json_answer([call.parts.issue_type(kind) for kind in project_named(call, call.param("projectId")).types])


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


def createmeta_types(call: Call, key: str) -> Answer:
    """``GET /issue/createmeta/{project}/issuetypes``, paged."""
    call.signed_in()
    shown = [call.parts.issue_type(kind) for kind in project_named(call, key).types]
    return _page(call, shown, cloud_key="issueTypes")


def createmeta_fields(call: Call, key: str, type_id: str) -> Answer:
    """``GET /issue/createmeta/{project}/issuetypes/{id}``: the fields of the create screen, paged."""
    call.signed_in()
    found = project_named(call, key)
    if all(kind.id != type_id for kind in found.types):
        raise ApiError(400, f"The issue type with id '{type_id}' does not exist in project '{key}'.")
    shown = [screen_field(call, field_id, found) for field_id in call.site.create_screen(found)]
    return _page(call, shown, cloud_key="fields")


def screen_field(call: Call, field_id: str, project: Project) -> dict[str, Any]:
    """A field of the create screen as the platform describes it."""
    field = call.site.fields[field_id]
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
    elif "option" in (field.type, field.items):
        options = call.site.options.of(field.attribute)
        shown["allowedValues"] = [
            {"self": f"{call.parts.api}/customFieldOption/{id}", "value": text, "id": id}
            for text, id in options.items()
            if not call.site.options.is_disabled(field.attribute, text)
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


def project_named(call: Call, key: str) -> Project:
    """The project of a key or id; 404 where there is none."""
    found = call.site.projects.named(key)
    if found is not None:
        return found
    raise ApiError(404, f"No project could be found with key '{key}'.")


def permissions(call: Call) -> Answer:
    """``GET /mypermissions``: what the caller may do, in ``projectKey`` where one is named."""
    may_write = call.account is not None and call.account.may_write
    is_admin = call.account is not None and call.account.is_admin
    key = call.param("projectKey") or call.param("projectId")
    administers = call.administers(project_named(call, key)) if key else is_admin
    rights = dict.fromkeys(PERMISSIONS, may_write) | {
        "BROWSE_PROJECTS": call.account is not None,
        "ADMINISTER_PROJECTS": administers,
        "ADMINISTER": is_admin,
    }
    asked = call.names("permissions") or tuple(rights)
    shown = {
        name: {
            "id": str(number),
            "key": name,
            "name": name,
            "type": "GLOBAL" if name == "ADMINISTER" else "PROJECT",
            "havePermission": rights.get(name, False),
        }
        for number, name in enumerate(asked)
    }
    return json_answer({"permissions": shown})
