"""Whole histories, of issues of which an answer showed only the newest changes.

Cloud's search shows forty changes of an issue, and the issue itself a hundred; it tells all of many issues in one list,
oldest first (developer.atlassian.com, *Bulk fetch changelogs*). Data Center shows all of an issue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic

import msgspec
import structlog

from connectors.answers import TooHeavy, is_absent
from connectors.budget import BudgetSpent
from connectors.http import Reader
from connectors.jira.caller import Caller
from connectors.jira.paging import Barren
from connectors.jira.site import Site, ask, ask_if_there, ask_page, readable
from connectors.jira.wire import Changelog, ChangelogPage, E
from improvement.errors import ConnectionFailed, Place, ShutOut

log = structlog.get_logger("connectors.jira")

ISSUES = 1_000  # of which one request may ask
CHANGES = 1_000  # a page of that; it may hold ten times as many, but some quote long texts
PAGE = 100
MILLISECONDS = 10**11  # from here on a time is in milliseconds; the vendor's example shows some in seconds


class _There(msgspec.Struct, frozen=True):
    id: str


class _Shown(msgspec.Struct, Generic[E]):
    changelog: Changelog[E]


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """A change in the list of many issues, where its time is in milliseconds of the epoch, or in seconds."""

    id: str = "0"
    created: int | str = ""
    items: msgspec.Raw = msgspec.Raw(b"[]")
    author: msgspec.Raw = msgspec.Raw(b"null")


class _OfIssue(msgspec.Struct, frozen=True, rename="camel"):
    issue_id: str
    change_histories: list[_Entry]


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    issue_change_logs: list[_OfIssue]
    next_page_token: str | None = None


def whole_histories(
    reader: Reader, caller: Caller, site: Site, ids: Sequence[str], entry: type[E], *, fields: Sequence[str] = ()
) -> dict[str, list[E]]:
    """All changes of these issues, by their ids; none of one that is gone.

    ``fields``, at most ten: changes of others may be left out. What cannot be told of many together (it is not offered,
    not granted, one of them is gone or breaks it) is asked for issue by issue.
    """
    if not site.is_cloud:
        return {id: _as_shown(reader, caller, id, entry) for id in ids}
    found: dict[str, list[E]] = {}
    for start in range(0, len(ids), ISSUES):
        some = ids[start : start + ISSUES]
        try:
            # Of an issue whose fields of these never changed Jira may tell nothing: then it is asked for all of them.
            for watched in dict.fromkeys((tuple(fields), ())):
                found |= _told(reader, [id for id in some if id not in found], watched, entry)
        except (ShutOut, BudgetSpent):
            raise
        except ConnectionFailed as error:
            log.info("histories.one_by_one", connection=reader.config.name, reason=error.what)
    return found | {id: _page_by_page(reader, caller, id, entry) for id in ids if id not in found}


def _told(reader: Reader, ids: Sequence[str], fields: Sequence[str], entry: type[E]) -> dict[str, list[E]]:
    found: dict[str, list[E]] = {}
    for of_issue in _together(reader, ids, fields) if ids else ():
        if of_issue.issue_id in ids:
            found.setdefault(of_issue.issue_id, []).extend(_read(reader, of_issue.change_histories, entry))
    return found


def _together(reader: Reader, ids: Sequence[str], fields: Sequence[str]) -> list[_OfIssue]:
    """Page by page; from the beginning, with smaller ones, where Jira does not finish one."""
    changes = CHANGES
    while True:
        try:
            return list(_pages(reader, ids, fields, changes))
        except TooHeavy:
            if changes <= PAGE:
                raise
            changes = max(PAGE, changes // 2)
            with reader.counting:
                reader.retries += 1


def _pages(reader: Reader, ids: Sequence[str], fields: Sequence[str], changes: int) -> Iterator[_OfIssue]:
    asked: dict[str, Any] = {"issueIdsOrKeys": list(ids), "maxResults": changes}
    asked |= {"fieldIds": list(fields)} if fields else {}
    question = ask_page if changes > PAGE else ask
    used = set[str]()
    barren = Barren(reader, "Jira's list of histories")
    while True:
        page: _Page = question(reader, "/changelog/bulkfetch", _Page, what="histories", json=asked)
        yield from page.issue_change_logs
        token = page.next_page_token
        if not token:
            return
        shown = (entry.id for of_issue in page.issue_change_logs for entry in of_issue.change_histories)
        barren.add(shown, is_further=False)
        if token in used:
            raise ConnectionFailed(
                f"{reader.config.url} tells histories without an end: a page token was repeated.",
                where=Place(connection=reader.config.name),
                mend="Run again later; the pull goes on from its cursor.",
            )
        used.add(token)
        asked |= {"nextPageToken": token}


def _read(reader: Reader, told: Sequence[_Entry], entry: type[E]) -> list[E]:
    plain = [msgspec.structs.replace(one, created=_text(one.created)) for one in told]
    decode = partial(msgspec.json.decode, type=list[entry])  # type: ignore[valid-type]
    found: list[E] = readable(msgspec.json.encode(plain), decode, reader.config, "histories")
    return found


def _text(created: int | str) -> str:
    if isinstance(created, str):
        return created
    seconds = created / 1_000 if created >= MILLISECONDS else created
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _page_by_page(reader: Reader, caller: Caller, id: str, entry: type[E]) -> list[E]:
    """None of an issue that is gone: the index that named it lags behind."""
    try:
        return list(_listed(reader, id, entry))
    except ConnectionFailed as error:
        asked = {"fields": "updated"}
        path = f"/issue/{id}"
        if not is_absent(error) or ask_if_there(reader, caller, path, _There, what="history", params=asked) is not None:
            raise
        return []


def _listed(reader: Reader, id: str, entry: type[E]) -> Iterator[E]:
    shape: Any = ChangelogPage[entry]  # type: ignore[valid-type]
    start = 0

    def goes_on(page: ChangelogPage[E]) -> None:
        if not page.values and not page.is_last:
            raise ConnectionFailed(
                f"{reader.config.url} sent a page of a history without any change, and says that more follow.",
                where=Place(connection=reader.config.name),
                mend="Run again later; the pull goes on from its cursor.",
            )

    while True:
        asked = {"startAt": start, "maxResults": PAGE}
        path = f"/issue/{id}/changelog"
        page: ChangelogPage[E] = ask(reader, path, shape, what="history", params=asked, accept=goes_on)
        yield from page.values
        start += len(page.values)
        if page.is_last:
            return


def _as_shown(reader: Reader, caller: Caller, id: str, entry: type[E]) -> list[E]:
    shape: Any = _Shown[entry]  # type: ignore[valid-type]
    asked = {"fields": "updated", "expand": "changelog"}
    shown: _Shown[E] | None = ask_if_there(reader, caller, f"/issue/{id}", shape, what="history", params=asked)
    return shown.changelog.histories if shown is not None else []
