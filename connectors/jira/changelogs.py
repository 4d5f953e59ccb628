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

from connectors.answers import Declined
from connectors.http import Reader
from connectors.jira.site import Site, ask, readable
from connectors.jira.wire import Changelog, ChangelogPage, E
from improvement.errors import ConnectionFailed, PermissionMissing, Place

ISSUES = 1_000  # of which one request may ask
CHANGES = 1_000  # a page of that; it may hold ten times as many, but some quote long texts
PAGE = 100
NOT_OFFERED = frozenset({400, 404, 405, 410})  # … or not of one of these issues: then each is asked for


class _Shown(msgspec.Struct, Generic[E]):
    changelog: Changelog[E]


class _Entry(msgspec.Struct, frozen=True, gc=False):
    """A change in the list of many issues, where its time is in milliseconds of the epoch."""

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
    reader: Reader, site: Site, ids: Sequence[str], entry: type[E], *, fields: Sequence[str] = ()
) -> dict[str, list[E]]:
    """All changes of these issues, by their ids. ``fields``, at most ten: those of other fields may be left out."""
    if not site.is_cloud:
        return {id: _as_shown(reader, id, entry) for id in ids}
    found: dict[str, list[E]] = {id: [] for id in ids}
    for start in range(0, len(ids), ISSUES):
        some = ids[start : start + ISSUES]
        try:
            together = list(_together(reader, some, fields))
        except (Declined, PermissionMissing) as error:
            if isinstance(error, Declined) and error.status not in NOT_OFFERED:
                raise
            found |= {id: _page_by_page(reader, id, entry) for id in some}
        else:
            for of_issue in together:
                found.setdefault(of_issue.issue_id, []).extend(_read(reader, of_issue.change_histories, entry))
            told = {of_issue.issue_id for of_issue in together}
            found |= {id: _page_by_page(reader, id, entry) for id in some if id not in told}
    return found


def _together(reader: Reader, ids: Sequence[str], fields: Sequence[str]) -> Iterator[_OfIssue]:
    asked: dict[str, Any] = {"issueIdsOrKeys": list(ids), "maxResults": CHANGES}
    asked |= {"fieldIds": list(fields)} if fields else {}
    used = set[str]()
    while True:
        page: _Page = ask(reader, "/changelog/bulkfetch", _Page, what="histories", json=asked)
        yield from page.issue_change_logs
        token = page.next_page_token
        if not token:
            return
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
    return datetime.fromtimestamp(created / 1_000, UTC).isoformat(timespec="milliseconds")


def _page_by_page(reader: Reader, id: str, entry: type[E]) -> list[E]:
    shape: Any = ChangelogPage[entry]  # type: ignore[valid-type]
    entries: list[E] = []

    def goes_on(page: ChangelogPage[E]) -> None:
        if not page.values and not page.is_last:
            raise ConnectionFailed(
                f"{reader.config.url} sent a page of a history without any change, and says that more follow.",
                where=Place(connection=reader.config.name),
                mend="Run again later; the pull goes on from its cursor.",
            )

    while True:
        asked = {"startAt": len(entries), "maxResults": PAGE}
        path = f"/issue/{id}/changelog"
        page: ChangelogPage[E] = ask(reader, path, shape, what="history", params=asked, accept=goes_on)
        entries.extend(page.values)
        if page.is_last:
            return entries


def _as_shown(reader: Reader, id: str, entry: type[E]) -> list[E]:
    shape: Any = _Shown[entry]  # type: ignore[valid-type]
    asked = {"fields": "updated", "expand": "changelog"}
    shown: _Shown[E] = ask(reader, f"/issue/{id}", shape, what="history", params=asked)
    return shown.changelog.histories
