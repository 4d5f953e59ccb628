"""When issues were in a status that means *on hold*: read from their histories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from connectors.answers import Declined
from connectors.jira.changelogs import whole_histories
from connectors.jira.history import oldest_first
from connectors.jira.opened import Jira
from connectors.jira.site import ask, ask_if_there, who_am_i
from connectors.jira.wire import Changelog, HistoryEntry, StatusValue
from connectors.waiting import Wait

BATCH = 50
ON_HOLD = "on_hold"
FIELDS = ("created", "status")


class _Fields(msgspec.Struct, frozen=True):
    created: str
    status: StatusValue


class _Issue(msgspec.Struct, frozen=True):
    id: str
    fields: _Fields
    changelog: Changelog[HistoryEntry] | None = None


class _Page(msgspec.Struct, frozen=True):
    issues: list[_Issue]


def waits(jira: Jira, states: Mapping[str, str], ids: Sequence[str]) -> dict[str, tuple[Wait, ...]]:
    """See :meth:`connectors.waiting.TellsWaiting.waits`; ``states`` maps status ids to canonical states."""
    who_am_i(jira.reader, jira.config)  # an expired token would silently show fewer issues
    found: dict[str, tuple[Wait, ...]] = {}
    for start in range(0, len(ids), BATCH):
        issues = _issues(jira, ids[start : start + BATCH])
        shown = {issue.id: issue.changelog.histories for issue in issues if issue.changelog is not None}
        cut = [one.id for one in issues if one.changelog is not None and one.changelog.total > len(shown[one.id])]
        whole = whole_histories(jira.reader, jira.caller, jira.site, cut, HistoryEntry, fields=("status",))
        for issue in (one for one in issues if one.id in shown):
            entries = whole.get(issue.id) or shown[issue.id]
            found[issue.id] = tuple(_spans(issue, oldest_first(entries), states))
    return found


def _spans(issue: _Issue, entries: Sequence[HistoryEntry], states: Mapping[str, str]) -> Iterator[Wait]:
    """The stays in a status that means on hold; the first status is the one that the first change left."""
    changes = [(entry.created, item) for entry in entries for item in entry.items if item.field == "status"]
    status = issue.fields.status
    first = (changes[0][1].from_, changes[0][1].from_string) if changes else (status.id, status.name)
    stays = [(issue.fields.created, *first), *((at, item.to, item.to_string) for at, item in changes)]
    ends: list[str | None] = [at for at, _ in changes]
    for (begin, id, name), end in zip(stays, [*ends, None], strict=True):
        if states.get(id or "") == ON_HOLD:
            yield Wait(begin=_instant(begin), end=_instant(end) if end else None, why=name or "")


def _issues(jira: Jira, ids: Sequence[str]) -> list[_Issue]:
    """The issues that still exist; JQL refuses a list in which one does not, so then they are read one by one."""
    page: _Page
    jql, reader = f"id in ({', '.join(ids)})", jira.reader
    try:
        if jira.site.is_cloud:
            body = {"jql": jql, "fields": list(FIELDS), "maxResults": BATCH, "expand": "changelog"}
            page = ask(reader, "/search/jql", _Page, what="histories", json=body)
        else:
            params: dict[str, Any] = {
                "jql": jql,
                "fields": ",".join(FIELDS),
                "maxResults": BATCH,
                "expand": "changelog",
            }
            page = ask(reader, "/search", _Page, what="histories", params=params)
    except Declined as error:
        if error.status != 400:
            raise
        return list(_one_by_one(jira, ids))
    return page.issues


def _one_by_one(jira: Jira, ids: Sequence[str]) -> Iterator[_Issue]:
    for id in ids:
        asked = {"fields": ",".join(FIELDS), "expand": "changelog"}
        issue = ask_if_there(jira.reader, jira.caller, f"/issue/{id}", _Issue, what="history", params=asked)
        if issue is not None:
            yield issue


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
