"""Reading improvement issues as people left them: texts, state and who moved it, owner, tasks, approvals, comments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from connectors.answers import Declined, is_absent
from connectors.jira import plain
from connectors.jira.changelogs import whole_histories
from connectors.jira.history import oldest_first
from connectors.jira.issues import CommentValue, ProjectValue, comments_of, is_read_by_customers
from connectors.jira.moving import is_success, platform_state
from connectors.jira.opened import Jira
from connectors.jira.shaping import hypothesis_in
from connectors.jira.site import ask, ask_if_there
from connectors.jira.tracing import unmarked
from connectors.jira.wire import Changelog, HistoryEntry, Named, StatusValue, UserValue
from improvement.errors import ConnectionFailed, Place
from improvement.records import PlatformApproval, PlatformComment, PlatformField, PlatformState, PlatformTask, RecordRef

BATCH = 50  # Cloud reconciles at most fifty issues with its index


class _Comments(msgspec.Struct, frozen=True):
    comments: list[CommentValue] = []
    total: int = 0


class _Parent(msgspec.Struct, frozen=True):
    id: str = ""


class _Fields(msgspec.Struct, frozen=True):
    status: StatusValue
    summary: str = ""
    description: str | None = None
    assignee: UserValue | None = None
    duedate: str | None = None
    resolution: Named | None = None
    comment: _Comments | None = None
    subtasks: list[_Parent] = []
    parent: _Parent | None = None
    project: ProjectValue = ProjectValue()


class _Issue(msgspec.Struct, frozen=True):
    id: str
    key: str
    fields: _Fields
    changelog: Changelog[HistoryEntry] | None = None


class _Page(msgspec.Struct, frozen=True):
    issues: list[_Issue]


_FIELDS = ["project", "status", "summary", "description", "assignee", "duedate", "resolution", "comment", "subtasks"]
_TASK_FIELDS = ["status", "summary", "assignee", "duedate", "parent"]


def states(jira: Jira, refs: Sequence[RecordRef]) -> list[PlatformState]:
    """See :meth:`connectors.base.Connector.states`: one search per fifty issues, one more for their sub-tasks."""
    issues: dict[str, _Issue] = {}
    tasks: dict[str, list[PlatformTask]] = {}
    for batch in _batches([ref.id for ref in refs]):
        found = _read(jira, batch)
        issues |= {issue.id: issue for issue in found}
        for issue in found:
            if issue.fields.subtasks:
                tasks[issue.id] = _tasks(jira, issue)
    return [
        _state(jira, ref, issues[ref.id], tuple(tasks.get(ref.id, ())))
        if ref.id in issues
        else PlatformState(
            ref=ref,
            state="cancelled",
            state_changed_by=None,
            state_changed_at=None,
            close_code=None,
            owner=None,
            due=None,
            is_missing=True,
        )
        for ref in refs
    ]


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), BATCH):
        yield list(ids[start : start + BATCH])


def _read(jira: Jira, ids: list[str]) -> list[_Issue]:
    """The issues of these ids that still exist.

    JQL refuses a list in which one does not, and an index that lags behind leaves a new one out: what a search does
    not bring is read by itself before it counts as gone.
    """
    try:
        jql = f"id in ({', '.join(ids)})"
        found = _search(jira, jql, ids, _FIELDS, lambda issue: issue.id in ids, expand="changelog")
    except ConnectionFailed as error:
        if not isinstance(error, Declined) or error.status != 400:
            raise
        found = []
    shown = {issue.id for issue in found}
    for id in (id for id in ids if id not in shown):
        params = {"fields": ",".join(_FIELDS), "expand": "changelog"}
        issue = ask_if_there(jira.reader, jira.caller, f"/issue/{id}", _Issue, what="issue", params=params)
        if issue is not None:
            found.append(issue)
    return _with_whole_histories(jira, found)


def _with_whole_histories(jira: Jira, issues: Sequence[_Issue]) -> list[_Issue]:
    """The same issues; who changed a field last may stand before the changes that Cloud shows."""
    shown = {issue.id: issue.changelog for issue in issues if issue.changelog is not None}
    cut = [id for id, changelog in shown.items() if changelog.total > len(changelog.histories)]
    whole = whole_histories(jira.reader, jira.caller, jira.site, cut, HistoryEntry) if cut else {}
    return [
        msgspec.structs.replace(issue, changelog=Changelog(histories=whole[issue.id])) if whole.get(issue.id) else issue
        for issue in issues
    ]


def _search(
    jira: Jira,
    jql: str,
    reconciled: list[str],
    fields: list[str],
    is_asked_for: Callable[[_Issue], bool],
    *,
    expand: str = "",
    size: int = 100,
) -> list[_Issue]:
    def accept(page: _Page) -> None:
        if not all(map(is_asked_for, page.issues)):
            raise ConnectionFailed(
                f"{jira.config.url} answered with other issues than were asked for.",
                where=Place(connection=jira.name),
                mend="A proxy before it may answer with an earlier page: try again.",
            )

    page: _Page
    if jira.site.is_cloud:
        body: dict[str, Any] = {"jql": jql, "fields": fields, "maxResults": size}
        if expand:
            body["expand"] = expand
        if reconciled:
            body["reconcileIssues"] = [int(id) for id in reconciled]
        page = ask(jira.reader, "/search/jql", _Page, what="follow", json=body, accept=accept)
    else:
        params = {"jql": jql, "fields": ",".join(fields), "maxResults": size, "expand": expand}
        page = ask(jira.reader, "/search", _Page, what="follow", params=params, accept=accept)
    return page.issues


def _tasks(jira: Jira, parent: _Issue) -> list[PlatformTask]:
    """The sub-tasks of an issue; those the parent lists are read even where the index lags behind."""
    listed = [task.id for task in parent.fields.subtasks][:BATCH]
    jql = f"parent = {parent.id} ORDER BY key ASC"
    found = _search(jira, jql, listed, _TASK_FIELDS, lambda task: task.fields.parent == _Parent(parent.id))
    return [
        PlatformTask(
            id=task.id,
            number=task.key,
            title=task.fields.summary,
            is_done=platform_state(task.fields.status, jira.config) in ("closed", "cancelled"),
            assignee=task.fields.assignee.account if task.fields.assignee is not None else None,
            due=_day(task.fields.duedate),
        )
        for task in found
    ]


def _state(jira: Jira, ref: RecordRef, issue: _Issue, tasks: tuple[PlatformTask, ...]) -> PlatformState:
    fields = issue.fields
    resolution = fields.resolution.name if fields.resolution is not None else None
    moved = _last_change(issue.changelog, "status")
    return PlatformState(
        ref=RecordRef(connection=ref.connection, mode=ref.mode, id=ref.id, number=issue.key, url=ref.url),
        state=platform_state(fields.status, jira.config, resolution),
        state_changed_by=_author(moved),
        state_changed_at=datetime.fromisoformat(moved.created) if moved is not None else None,
        close_code=resolution,
        is_closed_as_success=resolution is not None and is_success(resolution, jira.config),
        owner=fields.assignee.account if fields.assignee is not None else None,
        owner_changed_by=_author(_last_change(issue.changelog, "assignee")),
        due=_day(fields.duedate),
        due_changed_by=_author(_last_change(issue.changelog, "duedate")),
        fields=_texts(issue),
        tasks=tasks,
        approvals=_approvals(jira, issue) if is_read_by_customers(jira, fields.project) else (),
        comments=tuple(_comment(comment) for comment in _all_comments(jira, issue)),
    )


def _texts(issue: _Issue) -> dict[str, PlatformField]:
    """Title and hypothesis; one that is no longer told apart from the rest of the description is not told at all."""
    found = {"title": _field(issue, "summary", issue.fields.summary)}
    hypothesis = hypothesis_in(issue.fields.description or "")
    if hypothesis is not None:
        found["hypothesis"] = _field(issue, "description", hypothesis)
    return found


def _field(issue: _Issue, field: str, value: str) -> PlatformField:
    return PlatformField(value=value, changed_by=_author(_last_change(issue.changelog, field)))


def _last_change(changelog: Changelog[HistoryEntry] | None, field: str) -> HistoryEntry | None:
    entries = oldest_first(changelog.histories) if changelog is not None else ()
    changes = [entry for entry in entries if any((item.field_id or item.field) == field for item in entry.items)]
    return changes[-1] if changes else None


def _author(entry: HistoryEntry | None) -> str | None:
    return entry.author.account if entry is not None and entry.author is not None else None


def _all_comments(jira: Jira, issue: _Issue) -> list[CommentValue]:
    shown = issue.fields.comment
    if shown is None or shown.total > len(shown.comments):
        return comments_of(jira, issue.id)
    return shown.comments


def _comment(comment: CommentValue) -> PlatformComment:
    author = comment.author.account if comment.author is not None else None
    return PlatformComment(
        id=comment.id,
        author=author or "",
        at=datetime.fromisoformat(comment.created),
        text=plain.wiki(unmarked(comment.body)),
    )


def _approvals(jira: Jira, issue: _Issue) -> tuple[PlatformApproval, ...]:
    """Native approvals of a service-management request; a type without any answers with an empty list."""
    found: list[PlatformApproval] = []
    for approval in _approval_rows(jira, issue):
        decided = (approval.get("completedDate") or {}).get("iso8601")
        for approver in approval.get("approvers") or ():
            person = msgspec.convert(approver.get("approver") or {}, UserValue)
            state = {"approved": "approved", "declined": "rejected"}.get(approver.get("approverDecision"), "requested")
            found.append(
                PlatformApproval(
                    id=f"{approval['id']}:{person.account}",
                    approver=person.account or "",
                    state=state,
                    at=datetime.fromisoformat(decided) if decided else None,
                )
            )
    return tuple(found)


def _approval_rows(jira: Jira, issue: _Issue) -> list[dict[str, Any]]:
    path = f"/rest/servicedeskapi/request/{issue.id}/approval"
    rows: list[dict[str, Any]] = []
    try:
        while True:
            params = {"start": len(rows), "limit": BATCH}
            page: dict[str, Any] = ask(jira.reader, path, dict[str, Any], what="approvals", params=params)
            rows += page.get("values", ())
            if page.get("isLastPage", True) or not page.get("values"):
                return rows
    except ConnectionFailed as error:
        if is_absent(error):
            return []  # an issue of the project that is no request: its approval is asked for on our own pages
        raise


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text[:10]) if text else None
