"""Schemes that projects share: permissions with their grants, priorities, notifications, issue security.

They are kept and shown as an administrator leaves them. What people may do on this site follows from its users, not
from grants.
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import bodies, catalogue
from connectors.sandbox.jira.administration.schemes import DEFAULT, PERMISSIONS
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour, Project
from connectors.sandbox.jira.meta_calls import project_named

HOLDERS = {
    "anyone": False,
    "applicationRole": False,
    "assignee": False,
    "group": True,
    "groupCustomField": True,
    "projectLead": False,
    "projectRole": True,
    "reporter": False,
    "sd.customer.portal.only": False,
    "user": True,
    "userCustomField": True,
}  # type → whether it needs a parameter


def _document(call: Call, kind: str, id: str) -> dict[str, Any]:
    found: dict[str, Any] | None = call.site.shelf[kind].get(id)
    if found is None:
        raise ApiError(404, f"There is no {kind.removesuffix('scheme')} scheme with id '{id}'.")
    return found


def _name(call: Call, kind: str, sent: dict[str, Any], own: str | None) -> str:
    name = str(sent.get("name") or "").strip()
    if not name:
        raise ApiError(400, errors={"name": "The name of a scheme must not be blank."})
    if any(one["name"] == name and id != own for id, one in call.site.shelf[kind].items()):
        raise ApiError(400, errors={"name": f"A scheme with the name '{name}' already exists."})
    return name


def _of_project(call: Call, project: Project, kind: str) -> str:
    return str(call.site.projects.details(project).schemes.get(kind, DEFAULT[kind]))


def _users_of(call: Call, kind: str, id: str) -> list[Project]:
    return [project for project in call.site.projects.everything() if _of_project(call, project, kind) == id]


def _refuse_used(call: Call, kind: str, id: str) -> None:
    used = [project.key for project in _users_of(call, kind, id)]
    if used or id == str(DEFAULT[kind]):
        raise ApiError(400, f"The scheme is the default one or used by projects: {', '.join(used) or 'none'}.")


# --- permissions ----------------------------------------------------------------------------------------------


def permission_schemes(call: Call) -> Answer:
    """``GET|POST /permissionscheme``."""
    call.signed_in()
    kept = call.site.shelf["permissionscheme"]
    if call.method == "GET":
        return json_answer({"permissionSchemes": [_permission_scheme(call, id) for id in kept]})
    caller, sent = call.administrator(), call.document()
    name = _name(call, "permissionscheme", sent, None)
    grants = _grants_sent(call, sent.get("permissions"))
    id = str(next(call.site.ids))
    kept[id] = {"name": name, "description": str(sent.get("description") or ""), "grants": grants}
    call.site.note(caller, "Permission scheme created", "permissions", name)
    return json_answer(_permission_scheme(call, id, with_grants=True), 201)


def permission_scheme(call: Call, id: str) -> Answer:
    """``GET|PUT|DELETE /permissionscheme/{id}``."""
    call.signed_in()
    found = _document(call, "permissionscheme", id)
    if call.method == "GET":
        return json_answer(_permission_scheme(call, id))
    call.administrator()
    if call.method == "DELETE":
        _refuse_used(call, "permissionscheme", id)
        del call.site.shelf["permissionscheme"][id]
        return no_content()
    sent = call.document()
    name = _name(call, "permissionscheme", {"name": found["name"], **sent}, id)
    grants = _grants_sent(call, sent["permissions"]) if "permissions" in sent else found["grants"]
    found.update(name=name, description=str(sent.get("description", found["description"])), grants=grants)
    return json_answer(_permission_scheme(call, id, with_grants=True))


def grants(call: Call, id: str) -> Answer:
    """``GET|POST /permissionscheme/{id}/permission``."""
    call.signed_in()
    kept = _document(call, "permissionscheme", id)["grants"]
    if call.method == "GET":
        return json_answer({"permissions": [_grant(call, id, one) for one in kept], "expand": "user,group,all"})
    call.administrator()
    made = _grant_sent(call, call.document())
    if made in kept.values():
        raise ApiError(400, "This permission is granted to this holder already.")
    number = str(next(call.site.ids))
    kept[number] = made
    return json_answer(_grant(call, id, number), 201)


def grant(call: Call, id: str, number: str) -> Answer:
    """``GET|DELETE /permissionscheme/{id}/permission/{permissionId}``."""
    call.signed_in()
    kept = _document(call, "permissionscheme", id)["grants"]
    if number not in kept:
        raise ApiError(404, f"There is no permission grant with id '{number}' in the scheme.")
    if call.method == "GET":
        return json_answer(_grant(call, id, number))
    call.administrator()
    del kept[number]
    return no_content()


def permission_scheme_of(call: Call, key: str) -> Answer:
    """``GET|PUT /project/{key}/permissionscheme``."""
    project = project_named(call, key)
    call.project_administrator(project)
    if call.method == "PUT":
        caller = call.administrator()
        id = str(call.document().get("id", ""))
        _document(call, "permissionscheme", id)
        call.site.projects.details(project).schemes["permissionscheme"] = int(id)
        call.site.note(caller, "Permission scheme assigned", "permissions", project.key)
    return json_answer(_permission_scheme(call, _of_project(call, project, "permissionscheme")))


def _grants_sent(call: Call, sent: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(sent, list | None):
        raise ApiError(400, errors={"permissions": "The permissions have to be a list of grants."})
    return {str(next(call.site.ids)): _grant_sent(call, one) for one in sent or ()}


def _grant_sent(call: Call, sent: Any) -> dict[str, Any]:
    holder = sent.get("holder") if isinstance(sent, dict) else None
    if not isinstance(holder, dict) or holder.get("type") not in HOLDERS:
        raise ApiError(400, errors={"holder": f"The holder's type has to be one of {', '.join(HOLDERS)}."})
    if sent.get("permission") not in PERMISSIONS:
        raise ApiError(400, errors={"permission": f"'{sent.get('permission')}' is not the key of a permission."})
    parameter = holder.get("parameter") or holder.get("value")
    if HOLDERS[holder["type"]] and not parameter:
        raise ApiError(400, errors={"holder": f"A holder of type '{holder['type']}' needs a parameter."})
    shown = {"type": holder["type"]} | ({"parameter": str(parameter)} if parameter else {})
    return {"holder": shown, "permission": sent["permission"]}


def _grant(call: Call, scheme: str, id: str) -> dict[str, Any]:
    kept = call.site.shelf["permissionscheme"][scheme]["grants"][id]
    return {"id": int(id), "self": f"{call.parts.api}/permissionscheme/{scheme}/permission/{id}", **kept}


def _permission_scheme(call: Call, id: str, *, with_grants: bool = False) -> dict[str, Any]:
    found = call.site.shelf["permissionscheme"][id]
    link = f"{call.parts.api}/permissionscheme/{id}"
    shown = {"id": int(id), "self": link, "name": found["name"], "description": found["description"]}
    if with_grants or call.names("expand"):
        shown["permissions"] = [_grant(call, id, one) for one in found["grants"]]
    return shown


# --- priorities -----------------------------------------------------------------------------------------------


def priority_schemes(call: Call) -> Answer:
    """``GET|POST /priorityschemes`` (Data Center)."""
    call.administrator()
    kept = call.site.shelf["priorityscheme"]
    if call.method == "GET":
        shown = call.page([_priority_scheme(call, id) for id in kept], size=100)
        return json_answer({"schemes": shown.pop("values"), **shown})
    call.only_on(Flavour.DATA_CENTER)
    id = str(next(call.site.ids))
    kept[id] = _priorities_sent(call, call.document(), None)
    return json_answer(_priority_scheme(call, id), 201)


def priority_scheme(call: Call, id: str) -> Answer:
    """``GET|PUT|DELETE /priorityschemes/{id}`` (Data Center)."""
    call.only_on(Flavour.DATA_CENTER)
    call.administrator()
    found = _document(call, "priorityscheme", id)
    if call.method == "DELETE":
        _refuse_used(call, "priorityscheme", id)
        del call.site.shelf["priorityscheme"][id]
        return no_content()
    if call.method == "PUT":
        found.update(_priorities_sent(call, {**found, **call.document()}, id))
    return json_answer(_priority_scheme(call, id))


def priority_scheme_of(call: Call, key: str) -> Answer:
    """``GET|PUT /project/{key}/priorityscheme`` (Data Center)."""
    project = project_named(call, key)
    call.project_administrator(project)
    if call.method == "PUT":
        call.only_on(Flavour.DATA_CENTER)
        id = str(call.document().get("id", ""))
        _document(call, "priorityscheme", id)
        call.site.projects.details(project).schemes["priorityscheme"] = int(id)
    return json_answer(_priority_scheme(call, _of_project(call, project, "priorityscheme")))


def _priorities_sent(call: Call, sent: dict[str, Any], own: str | None) -> dict[str, Any]:
    name = _name(call, "priorityscheme", sent, own)
    options = bodies.texts(sent, "optionIds") or list(catalogue.PRIORITIES)
    unknown = [one for one in options if one not in catalogue.PRIORITIES]
    if unknown:
        raise ApiError(400, errors={"optionIds": f"There is no priority with id {', '.join(unknown)}."})
    first = str(sent.get("defaultOptionId") or options[0])
    if first not in options:
        raise ApiError(400, errors={"defaultOptionId": "The default priority has to be one of the scheme."})
    return {
        "name": name,
        "description": str(sent.get("description") or ""),
        "optionIds": options,
        "defaultOptionId": first,
    }


def _priority_scheme(call: Call, id: str) -> dict[str, Any]:
    keys = [project.key for project in _users_of(call, "priorityscheme", id)]
    kept = call.site.shelf["priorityscheme"][id]
    is_default = id == str(DEFAULT["priorityscheme"])
    link = f"{call.parts.api}/priorityschemes/{id}"
    return {"id": int(id), "self": link, **kept, "defaultScheme": is_default, "projectKeys": keys}


# --- notifications and issue security -------------------------------------------------------------------------


def notification_schemes(call: Call) -> Answer:
    """``GET /notificationscheme``, paged."""
    call.signed_in()
    return json_answer(call.page([_plain(call, "notificationscheme", id) for id in _ids(call, "notificationscheme")]))


def security_schemes(call: Call) -> Answer:
    """``GET /issuesecurityschemes``."""
    call.signed_in()
    ids = _ids(call, "issuesecurityscheme")
    return json_answer({"issueSecuritySchemes": [_plain(call, "issuesecurityscheme", id) for id in ids]})


def plain_scheme(call: Call, id: str, kind: str) -> Answer:
    """``GET`` of a notification or issue security scheme."""
    call.signed_in()
    _document(call, kind, id)
    return json_answer(_plain(call, kind, id))


def plain_scheme_of(call: Call, key: str, kind: str) -> Answer:
    """``GET`` of the one a project has."""
    project = project_named(call, key)
    call.project_administrator(project)
    return json_answer(_plain(call, kind, _of_project(call, project, kind)))


def _ids(call: Call, kind: str) -> list[str]:
    return list(call.site.shelf[kind])


def _plain(call: Call, kind: str, id: str) -> dict[str, Any]:
    found = call.site.shelf[kind][id]
    if kind == "notificationscheme":
        more: dict[str, Any] = {"notificationSchemeEvents": []}
        return {"id": int(id), "self": f"{call.parts.api}/notificationscheme/{id}", **found, **more}
    more = {"levels": []}
    return {"id": int(id), "self": f"{call.parts.api}/issuesecurityschemes/{id}", **found, **more}
