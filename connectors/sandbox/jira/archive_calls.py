"""Issues in the archive, and pinned comments.

An archived issue is read by its key, found by no search, and not changed before it is restored. Data Center archives
one by one, Cloud lists.
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira import values
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, no_content
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.model import Issue

MAX_ISSUES = 1_000
MAX_PINS = 5


def archive(call: Call, key: str) -> Answer:
    """``PUT /issue/{key}/archive`` (Data Center)."""
    call.only_on(Flavour.DATA_CENTER)
    issue = call.readable(key)
    call.project_administrator(issue.project)
    if issue.id in call.site.unlisted:
        raise ApiError(409, f"The issue {issue.key} is archived already.")
    _set(call, issue, is_archived=True)
    return no_content()


def restore(call: Call, key: str) -> Answer:
    """``PUT /issue/{key}/restore`` (Data Center)."""
    call.only_on(Flavour.DATA_CENTER)
    issue = call.readable(key)
    call.project_administrator(issue.project)
    if issue.id not in call.site.archived or issue.project.id in call.site.projects.archived:
        raise ApiError(409, f"The issue {issue.key} is not archived by itself.")
    _set(call, issue, is_archived=False)
    return no_content()


def several(call: Call, verb: str) -> Answer:
    """``PUT /issue/archive`` and ``/issue/unarchive`` (Cloud): how many, and which not by what was wrong."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    named = call.document().get("issueIdsOrKeys")
    if not isinstance(named, list) or not 0 < len(named) <= MAX_ISSUES:
        raise ApiError(400, f"issueIdsOrKeys has to name between 1 and {MAX_ISSUES} issues.")
    wants_archived = verb == "archive"
    changed, failed = 0, _Failures()
    for name in map(str, named):
        issue = call.sight.issue(name)
        if issue is None:
            failed.add("issuesNotFound", "Issue not found.", name)
        elif issue.type.is_subtask:
            failed.add("issueIsSubtask", "Issue is subtask.", name)
        elif issue.project.id in call.site.projects.archived:
            failed.add("issuesInArchivedProjects", "Issue exists in archived project.", name)
        elif (issue.id in call.site.archived) is not wants_archived:
            for one in (issue, *call.site.subtasks(issue)):
                _set(call, one, is_archived=wants_archived)
            changed += 1
    return json_answer({"numberOfIssuesUpdated": changed, "errors": failed.told})


class _Failures:
    """Issues that could not be changed, by what was wrong."""

    def __init__(self) -> None:
        self.told: dict[str, dict[str, Any]] = {}

    def add(self, kind: str, message: str, name: str) -> None:
        """One more of this kind."""
        one = self.told.setdefault(kind, {"count": 0, "issueIdsOrKeys": [], "message": message})
        one["count"] += 1
        one["issueIdsOrKeys"].append(name)


def _set(call: Call, issue: Issue, *, is_archived: bool) -> None:
    (call.site.archived.add if is_archived else call.site.archived.discard)(issue.id)
    call.site.list_issues((issue,), is_listed=not is_archived)


# --- pins -----------------------------------------------------------------------------------------------------


def pin(call: Call, key: str, id: str) -> Answer:
    """``PUT /issue/{key}/comment/{id}/pin`` (Data Center): the body is ``true`` or ``false``."""
    call.only_on(Flavour.DATA_CENTER)
    issue, author = call.issue(key), call.writer()
    if values.comment_named(call, issue, id) is None:
        raise ApiError(404, f"Can not find a comment for the id: {id}.")
    wanted = call.json()
    if not isinstance(wanted, bool):
        raise ApiError(400, "The body has to be true or false.")
    pins = issue.more().pins
    if wanted and id not in pins and len(pins) >= MAX_PINS:
        raise ApiError(400, f"At most {MAX_PINS} comments of an issue can be pinned.")
    if wanted:
        pins.setdefault(id, (author.name, call.site.now))
    else:
        pins.pop(id, None)
    return no_content()


def pinned(call: Call, key: str) -> Answer:
    """``GET /issue/{key}/pinned-comments`` (Data Center)."""
    issue = call.issue(key)
    shown = []
    for comment in call.sight.comments(issue):
        if comment.id in issue.more().pins:
            name, at = issue.more().pins[comment.id]
            account = call.site.directory.named(name)
            shown.append(
                {
                    "comment": call.renderer.comment_document(issue, comment),
                    "pinnedBy": call.parts.person(account) if account is not None else None,
                    "pinnedDate": call.renderer.times.iso(at),
                }
            )
    return json_answer(shown)
