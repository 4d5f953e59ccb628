"""Issue types, the schemes that give them to projects, and types of issue links, as administrators keep them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from connectors.sandbox.jira import bodies
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour, IssueType, Project
from connectors.sandbox.jira.meta_calls import project_named

DEFAULT_SCHEME = "10000"
MAX_NAME = 60


# --- issue types ----------------------------------------------------------------------------------------------


def issue_types(call: Call) -> Answer:
    """``GET|POST /issuetype``: a new type is in the default scheme, and in no project before a scheme gives it one."""
    if call.method == "GET":
        return json_answer([call.parts.issue_type(kind) for kind in call.site.types.values()])
    caller, sent = call.administrator(), call.document()
    name = _type_name(call, sent, None)
    level = sent.get("hierarchyLevel")
    is_subtask = sent.get("type") in ("subtask", "sub-task") or level == -1
    kind = IssueType(str(next(call.site.type_ids)), name, is_subtask, description=str(sent.get("description") or ""))
    call.site.put_type(kind)
    default = _schemes(call)[DEFAULT_SCHEME]
    _change(call, DEFAULT_SCHEME, {**default, "issueTypeIds": [*default["issueTypeIds"], kind.id]})
    call.site.note(caller, "Issue type created", "issue types", name)
    return json_answer(call.parts.issue_type(kind), 201)


def issue_type(call: Call, id: str) -> Answer:
    """``GET|PUT|DELETE /issuetype/{id}``; issues of a deleted type take on ``alternativeIssueTypeId``."""
    found = call.site.types.get(id)
    if found is None:
        raise ApiError(404, f"The issue type with id '{id}' does not exist")
    if call.method == "GET":
        return json_answer(call.parts.issue_type(found))
    call.administrator()
    if call.method == "DELETE":
        return _delete_type(call, found)
    sent = call.document()
    name = _type_name(call, {"name": found.name, **sent}, id)
    call.site.put_type(replace(found, name=name, description=str(sent.get("description", found.description))))
    return json_answer(call.parts.issue_type(call.site.types[id]))


def alternatives(call: Call, id: str) -> Answer:
    """``GET /issuetype/{id}/alternatives``: what issues of this type may become."""
    found = call.site.types.get(id)
    if found is None:
        raise ApiError(404, f"The issue type with id '{id}' does not exist")
    others = [one for one in call.site.types.values() if one is not found and one.is_subtask is found.is_subtask]
    return json_answer([call.parts.issue_type(kind) for kind in others])


def _type_name(call: Call, sent: dict[str, Any], own: str | None) -> str:
    name = str(sent.get("name") or "").strip()
    if not name or len(name) > MAX_NAME:
        raise ApiError(400, errors={"name": f"You must specify a name of at most {MAX_NAME} characters."})
    if any(kind.name.lower() == name.lower() and kind.id != own for kind in call.site.types.values()):
        raise ApiError(409, errors={"name": "An issue type with this name already exists."})
    return name


def _delete_type(call: Call, found: IssueType) -> Answer:
    site = call.site
    issues = site.known(sorted(site.by_type.get(found.id, ())))
    instead = site.types.get(call.param("alternativeIssueTypeId"))
    if instead is not None and instead.is_subtask is not found.is_subtask:
        raise ApiError(400, "The alternative issue type has to be of the same kind.")
    if (issues or found.kind) and instead is None:
        raise ApiError(409, "The issue type is used by issues; an alternative issue type has to be specified.")
    if found.kind:
        raise ApiError(400, "The issue type belongs to Service Management and cannot be deleted.")
    for issue in issues:
        assert instead is not None
        site.retype(issue, instead)
    for scheme in _schemes(call).values():
        scheme["issueTypeIds"] = [id for id in scheme["issueTypeIds"] if id != found.id]
    for project in site.projects.everything():
        if found in project.types:
            kept = tuple(kind for kind in project.types if kind is not found)
            site.put_project(replace(project, types=kept))
    del site.types[found.id]
    site.renamed()
    return no_content()


# --- issue type schemes ---------------------------------------------------------------------------------------


def _schemes(call: Call) -> dict[str, dict[str, Any]]:
    return call.site.shelf["issuetypescheme"]


def schemes(call: Call) -> Answer:
    """``GET|POST /issuetypescheme``."""
    call.administrator()
    is_cloud = call.site.flavour is Flavour.CLOUD
    if call.method == "GET":
        shown = [_scheme(call, id) for id in _schemes(call)]
        return json_answer(call.page(shown) if is_cloud else {"schemes": shown})
    document = _scheme_sent(call, call.document(), None)
    id = str(next(call.site.ids))
    _schemes(call)[id] = document
    return json_answer({"issueTypeSchemeId": id} if is_cloud else _scheme(call, id), 201)


def scheme(call: Call, id: str) -> Answer:
    """``GET|PUT|DELETE /issuetypescheme/{id}``; Cloud's PUT answers nothing."""
    call.administrator()
    found = _scheme_of(call, id)
    if call.method == "GET":
        return json_answer(_scheme(call, id))
    if call.method == "DELETE":
        used = [project.key for project in _projects_of(call, id)]
        if used or id == DEFAULT_SCHEME:
            raise ApiError(400, f"The scheme is the default one or used by projects: {', '.join(used) or 'none'}.")
        del _schemes(call)[id]
        return no_content()
    _change(call, id, {**found, **call.document()})
    return no_content() if call.site.flavour is Flavour.CLOUD else json_answer(_scheme(call, id))


def associations(call: Call, id: str) -> Answer:
    """``GET|POST|PUT|DELETE /issuetypescheme/{id}/associations`` (Data Center): the projects of a scheme."""
    call.administrator()
    _scheme_of(call, id)
    if call.method == "GET":
        return json_answer([call.parts.project(project) for project in _projects_of(call, id)])
    call.only_on(Flavour.DATA_CENTER)
    named = [] if call.method == "DELETE" else call.document().get("idsOrKeys")
    if not isinstance(named, list):
        raise ApiError(400, "idsOrKeys has to list projects.")
    wanted = [project_named(call, str(one)) for one in named]
    if call.method != "POST":
        _give(call, DEFAULT_SCHEME, [one for one in _projects_of(call, id) if one not in wanted])
    _give(call, id, wanted)
    return no_content()


def of_projects(call: Call) -> Answer:
    """``GET|PUT /issuetypescheme/project`` (Cloud): which scheme a project has, or shall have."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    if call.method == "PUT":
        sent = call.document()
        id = str(sent.get("issueTypeSchemeId") or "")
        _scheme_of(call, id)
        _give(call, id, [project_named(call, str(sent.get("projectId") or ""))])
        return no_content()
    wanted = [project_named(call, id) for id in call.params.get("projectId", ())]
    ids = {_scheme_id(call, project) for project in wanted}
    shown = [
        {
            "issueTypeScheme": _scheme(call, id),
            "projectIds": [project.id for project in wanted if _scheme_id(call, project) == id],
        }
        for id in sorted(ids)
    ]
    return json_answer(call.page(shown))


def types_of_scheme(call: Call, id: str) -> Answer:
    """``PUT /issuetypescheme/{id}/issuetype`` (Cloud): add issue types."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    found = _scheme_of(call, id)
    added = bodies.texts(call.document(), "issueTypeIds")
    _change(call, id, {**found, "issueTypeIds": list(dict.fromkeys([*found["issueTypeIds"], *added]))})
    return no_content()


def type_of_scheme(call: Call, id: str, type_id: str) -> Answer:
    """``DELETE /issuetypescheme/{id}/issuetype/{typeId}`` (Cloud)."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    found = _scheme_of(call, id)
    if type_id not in found["issueTypeIds"]:
        raise ApiError(404, "The issue type is not in the scheme.")
    left = [one for one in found["issueTypeIds"] if one != type_id]
    if found["defaultIssueTypeId"] == type_id:
        raise ApiError(400, "The default issue type of a scheme cannot be taken away.")
    _change(call, id, {**found, "issueTypeIds": left})
    return no_content()


def _scheme_of(call: Call, id: str) -> dict[str, Any]:
    found = _schemes(call).get(id)
    if found is None:
        raise ApiError(404, f"The issue type scheme with id '{id}' does not exist.")
    return found


def _scheme_sent(call: Call, sent: dict[str, Any], own: str | None) -> dict[str, Any]:
    name = str(sent.get("name") or "").strip()
    ids = sent.get("issueTypeIds")
    if not name or any(one["name"] == name and id != own for id, one in _schemes(call).items()):
        raise ApiError(400 if not name else 409, errors={"name": "A scheme needs a name that no other scheme has."})
    if not isinstance(ids, list) or not ids or any(str(id) not in call.site.types for id in ids):
        raise ApiError(400, errors={"issueTypeIds": "A scheme needs a list of issue types that there are."})
    first = str(sent.get("defaultIssueTypeId") or "")
    if first and first not in map(str, ids):
        raise ApiError(400, errors={"defaultIssueTypeId": "The default issue type has to be one of the scheme."})
    return {
        "name": name,
        "description": str(sent.get("description") or ""),
        "issueTypeIds": [str(id) for id in ids],
        "defaultIssueTypeId": first,
    }


def _scheme(call: Call, id: str) -> dict[str, Any]:
    kept = _schemes(call)[id]
    shown = {"id": id, "name": kept["name"], "description": kept["description"]}
    if call.site.flavour is Flavour.CLOUD:
        return shown | {"defaultIssueTypeId": kept["defaultIssueTypeId"], "isDefault": id == DEFAULT_SCHEME}
    kinds = [call.parts.issue_type(call.site.types[one]) for one in kept["issueTypeIds"]]
    first = call.site.types.get(kept["defaultIssueTypeId"])
    return {
        **shown,
        "self": f"{call.parts.api}/issuetypescheme/{id}",
        "issueTypes": kinds,
        "defaultIssueType": call.parts.issue_type(first) if first is not None else None,
    }


def _scheme_id(call: Call, project: Project) -> str:
    """The scheme of a project: the one it was given, or the one of the types it began with."""
    given = call.site.projects.details(project).schemes.get("issuetypescheme")
    if given is not None:
        return str(given)
    ids = [kind.id for kind in project.types]
    return next((id for id, kept in _schemes(call).items() if kept["issueTypeIds"] == ids), DEFAULT_SCHEME)


def _projects_of(call: Call, id: str) -> list[Project]:
    return [project for project in call.site.projects.everything() if _scheme_id(call, project) == id]


def _change(call: Call, id: str, sent: dict[str, Any]) -> None:
    """Change a scheme, and with it what its projects have."""
    document, projects = _scheme_sent(call, sent, id), _projects_of(call, id)
    _refuse_to_lose(call, document["issueTypeIds"], projects)
    _schemes(call)[id] = document
    _give(call, id, projects)


def _give(call: Call, id: str, projects: list[Project]) -> None:
    """Give projects a scheme; refused where issues of a project have a type that the scheme has not."""
    type_ids = _schemes(call)[id]["issueTypeIds"]
    _refuse_to_lose(call, type_ids, projects)
    for project in projects:
        call.site.projects.details(project).schemes["issuetypescheme"] = int(id)
        call.site.put_project(replace(project, types=tuple(call.site.types[one] for one in type_ids)))


def _refuse_to_lose(call: Call, type_ids: list[str], projects: list[Project]) -> None:
    site = call.site
    for project in projects:
        for kind in project.types:
            issues = map(site.by_id, () if kind.id in type_ids else site.by_type.get(kind.id, ()))
            if any(issue is not None and issue.project is project for issue in issues):
                raise ApiError(409, f"The project '{project.key}' has issues of the type '{kind.name}'.")


# --- types of links -------------------------------------------------------------------------------------------


def link_types(call: Call) -> Answer:
    """``GET|POST /issueLinkType``."""
    if call.method == "GET":
        return json_answer({"issueLinkTypes": [_link_type(call, id) for id in call.site.link_types]})
    caller = call.administrator()
    names = _link_names(call, call.document(), None)
    id = str(next(call.site.type_ids))
    call.site.link_types[id] = names
    call.site.note(caller, "Issue link type created", "issue links", names[0])
    return json_answer(_link_type(call, id), 201)


def link_type(call: Call, id: str) -> Answer:
    """``GET|PUT|DELETE /issueLinkType/{id}``; deleting one deletes its links."""
    if id not in call.site.link_types:
        raise ApiError(404, f"No issue link type with id '{id}' found.")
    if call.method == "GET":
        return json_answer(_link_type(call, id))
    call.administrator()
    if call.method == "PUT":
        known = dict(zip(("name", "inward", "outward"), call.site.link_types[id], strict=True))
        call.site.link_types[id] = _link_names(call, {**known, **call.document()}, id)
        return json_answer(_link_type(call, id))
    for issue in call.site.ordered():
        if issue.extras is not None and any(link.type_id == id for link in issue.extras.links):
            issue.extras.links = [link for link in issue.extras.links if link.type_id != id]
            call.site.touch(issue)
    del call.site.link_types[id]
    return no_content()


def _link_names(call: Call, sent: dict[str, Any], own: str | None) -> tuple[str, str, str]:
    name, inward, outward = (str(sent.get(part) or "").strip() for part in ("name", "inward", "outward"))
    blank = {part: f"The {part} of a link type must not be blank." for part in ("name", "inward", "outward")}
    errors = {part: said for part, said in blank.items() if not str(sent.get(part) or "").strip()}
    if errors:
        raise ApiError(400, errors=errors)
    if any(known[0].lower() == name.lower() and id != own for id, known in call.site.link_types.items()):
        raise ApiError(409, f"An issue link type with name '{name}' already exists.")
    return name, inward, outward


def _link_type(call: Call, id: str) -> dict[str, Any]:
    name, inward, outward = call.site.link_types[id]
    link = f"{call.parts.api}/issueLinkType/{id}"
    return {"id": id, "name": name, "inward": inward, "outward": outward, "self": link}
