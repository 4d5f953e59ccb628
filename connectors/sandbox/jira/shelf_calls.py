"""What people keep beside issues: versions and components of projects, filters. Kept as plain documents by id."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.meta_calls import project_named

Document = dict[str, Any]
NOUN = {"version": "version", "component": "component", "filter": "filter"}
WRITABLE: dict[str, tuple[str, ...]] = {
    "version": ("name", "description", "archived", "released", "startDate", "releaseDate"),
    "component": ("name", "description", "assigneeType", "leadAccountId", "leadUserName"),
    "filter": ("name", "description", "jql", "favourite", "sharePermissions"),
}


def add(call: Call, kind: str) -> Answer:
    """``POST /version``, ``/component``, ``/filter``: 201, a filter 200."""
    author = call.writer()
    sent = call.document()
    if not sent.get("name"):
        raise ApiError(400, errors={"name": f"The {NOUN[kind]} name must not be blank."})
    id = str(next(call.site.ids))
    kept: Document = {"id": id, "self": f"{call.parts.api}/{kind}/{id}", **_accepted(kind, sent)}
    if kind == "filter":
        kept |= {"owner": call.parts.person(author), "searchUrl": f"{call.parts.api}/search", "viewUrl": ""}
        kept = {"jql": "", "favourite": False, "sharePermissions": [], "description": "", **kept}
    else:
        project = project_named(str(sent.get("project") or sent.get("projectId") or ""))
        kept |= {"project": project.key, "projectId": int(project.id)}
        if kind == "version":
            kept = {"archived": False, "released": False, **kept}
    call.site.shelf[kind][id] = kept
    return json_answer(kept, 200 if kind == "filter" else 201)


def one(call: Call, kind: str, id: str) -> Answer:
    """``GET|PUT|DELETE`` of one of them."""
    call.signed_in()
    kept = _kept(call, kind, id)
    if call.method == "GET":
        return json_answer(kept)
    call.writer()
    if id not in call.site.shelf[kind]:
        raise ApiError(403, f"You do not have permission to change this {NOUN[kind]}.")
    if call.method == "DELETE":
        del call.site.shelf[kind][id]
        return no_content()
    kept.update(_accepted(kind, call.document()))
    return json_answer(kept)


def of_project(call: Call, key: str, kind: str) -> Answer:
    """``GET /project/{key}/versions`` and ``/components``."""
    return json_answer(_of_project(call, key, kind))


def page_of_project(call: Call, key: str, kind: str) -> Answer:
    """``GET /project/{key}/version`` and ``/component``, paged."""
    found = _of_project(call, key, kind)
    start, size = call.number("startAt", 0), call.number("maxResults", 50)
    page = {"startAt": start, "maxResults": size, "total": len(found), "isLast": start + size >= len(found)}
    return json_answer(page | {"values": found[start : start + size]})


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
    """``POST /version/{id}/move``."""
    call.writer()
    return json_answer(_kept(call, "version", id))


def favourites(call: Call) -> Answer:
    """``GET /filter/favourite``."""
    call.signed_in()
    return json_answer([kept for kept in call.site.shelf["filter"].values() if kept["favourite"]])


def filter_search(call: Call) -> Answer:
    """``GET /filter/search`` (Cloud), one page."""
    call.signed_in()
    found = [*catalogue_filters(call).values(), *call.site.shelf["filter"].values()]
    return json_answer({"startAt": 0, "maxResults": 50, "total": len(found), "isLast": True, "values": found})


def shares(call: Call, id: str) -> Answer:
    """``GET /filter/{id}/permission``."""
    return json_answer(_kept(call, "filter", id)["sharePermissions"])


def catalogue_filters(call: Call) -> dict[str, Document]:
    """The filters an administrator made."""
    return {
        id: {
            "self": f"{call.parts.api}/filter/{id}",
            "id": id,
            "name": name,
            "jql": text,
            "favourite": False,
            "sharePermissions": [],
        }
        for id, (name, text) in catalogue.FILTERS.items()
    }


def _accepted(kind: str, sent: Document) -> Document:
    return {name: sent[name] for name in WRITABLE[kind] if name in sent}


def _kept(call: Call, kind: str, id: str) -> Document:
    kept: Document | None = call.site.shelf[kind].get(id)
    if kept is None and kind == "filter":
        kept = catalogue_filters(call).get(id)
    if kept is None:
        raise ApiError(400 if kind == "filter" else 404, f"The {NOUN[kind]} with id '{id}' does not exist.")
    return kept


def _of_project(call: Call, key: str, kind: str) -> list[Document]:
    project = project_named(key)
    return [kept for kept in call.site.shelf[kind].values() if kept["project"] == project.key]
