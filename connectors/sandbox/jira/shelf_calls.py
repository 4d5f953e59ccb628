"""Versions and components of projects. Kept as plain documents by id."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import ordering
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.meta_calls import project_named

Document = dict[str, Any]
WRITABLE: dict[str, tuple[str, ...]] = {
    "version": ("name", "description", "archived", "released", "startDate", "releaseDate"),
    "component": ("name", "description", "assigneeType", "leadAccountId", "leadUserName"),
}


def add(call: Call, kind: str) -> Answer:
    """``POST /version`` and ``/component``: 201."""
    call.signed_in()
    sent = call.document()
    project = project_named(call, str(sent.get("project") or sent.get("projectId") or ""))
    call.project_administrator(project)
    _check_name(call, kind, sent.get("name"), project.key, None)
    id = str(next(call.site.ids))
    kept: Document = {"id": id, "self": f"{call.parts.api}/{kind}/{id}", **_accepted(kind, sent)}
    kept |= {"project": project.key, "projectId": int(project.id)}
    if kind == "version":
        kept = {"archived": False, "released": False, **kept}
    call.site.shelf[kind][id] = kept
    return json_answer(kept, 201)


def one(call: Call, kind: str, id: str) -> Answer:
    """``GET|PUT|DELETE`` of one of them."""
    call.signed_in()
    kept = _kept(call, kind, id)
    if call.method == "GET":
        return json_answer(kept)
    call.project_administrator(project_named(call, kept["project"]))
    if call.method == "DELETE":
        for name in ("moveFixIssuesTo", "moveAffectedIssuesTo", "moveIssuesTo"):
            if call.param(name):
                _kept(call, kind, call.param(name))
        del call.site.shelf[kind][id]
        return no_content()
    sent = _accepted(kind, call.document())
    _check_name(call, kind, {**kept, **sent}["name"], kept["project"], id)
    kept.update(sent)
    return json_answer(kept)


def _check_name(call: Call, kind: str, name: object, project: str, own: str | None) -> None:
    if not name:
        raise ApiError(400, errors={"name": f"The {kind} name must not be blank."})
    others = (one for id, one in call.site.shelf[kind].items() if id != own and one["project"] == project)
    if any(str(one["name"]).lower() == str(name).lower() for one in others):
        raise ApiError(400, errors={"name": f"A {kind} with this name already exists in this project."})


def of_project(call: Call, key: str, kind: str) -> Answer:
    """``GET /project/{key}/versions`` and ``/components``."""
    return json_answer(_of_project(call, key, kind))


def page_of_project(call: Call, key: str, kind: str) -> Answer:
    """``GET /project/{key}/version`` and ``/component``, paged."""
    return json_answer(call.page(_of_project(call, key, kind)))


def counted(call: Call, kind: str, id: str, count: str) -> Answer:
    """How many issues a version or component has: none, as no issue type here shows the field."""
    kept = _kept(call, kind, id)
    shown: Document = {"self": kept["self"]}
    names = {
        "relatedIssueCounts": ("issueCount",) if kind == "component" else ("issuesFixedCount", "issuesAffectedCount"),
        "unresolvedIssueCount": ("issuesUnresolvedCount", "issuesCount"),
    }
    return json_answer(shown | dict.fromkeys(names[count], 0))


def moved(call: Call, id: str) -> Answer:
    """``POST /version/{id}/move``: to a ``position``, or ``after`` another; lists show versions in this order."""
    kept = _kept(call, "version", id)
    call.project_administrator(project_named(call, kept["project"]))
    shelf = call.site.shelf
    own = [other for other, one in shelf["version"].items() if one["project"] == kept["project"]]
    order = ordering.moved(own, id, call.document())
    others = {other: one for other, one in shelf["version"].items() if other not in order}
    shelf["version"] = others | {other: shelf["version"][other] for other in order}
    return json_answer(kept)


def merged(call: Call, id: str, other: str) -> Answer:
    """``PUT /version/{id}/mergeto/{other}``: the version goes, the other stays."""
    kept = _kept(call, "version", id)
    _kept(call, "version", other)
    call.project_administrator(project_named(call, kept["project"]))
    del call.site.shelf["version"][id]
    return no_content()


def _accepted(kind: str, sent: Document) -> Document:
    return {name: sent[name] for name in WRITABLE[kind] if name in sent}


def _kept(call: Call, kind: str, id: str) -> Document:
    kept: Document | None = call.site.shelf[kind].get(id)
    if kept is None:
        raise ApiError(404, f"The {kind} with id '{id}' does not exist.")
    return kept


def _of_project(call: Call, key: str, kind: str) -> list[Document]:
    project = project_named(call, key)
    return [kept for kept in call.site.shelf[kind].values() if kept["project"] == project.key]
