"""Reading a search to its end: by token on Cloud, by slices of update time on Data Center.

Both deliver every issue at least once, oldest update first, whatever changes meanwhile; an issue that changes while
we read may come twice. The next page is fetched while the caller works on the present one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog

from connectors.http import Reader
from connectors.jira.instants import minute_of, not_after
from connectors.jira.site import API, Site
from improvement.errors import ConnectionFailed, Place

log = structlog.get_logger("connectors.jira")

#: Cloud cuts to 100 issues a page when fields are asked for; Data Center's default ceiling is 1 000.
MAX_CLOUD_PAGE = 100
DATA_CENTER_PAGE = 500
OVERLAP = 10  # issues of the page before that an offset page must show again
MAX_RESTARTS = 5

Page = Any  # a struct of connectors.jira.wire.page_type, or RawPage
Decode = Callable[[bytes], Page]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Search:
    """One search: its condition without the bounds of update time, what to read, and from when.

    ``since`` None reads from the beginning; ``until_text`` is the JQL minute before which updates count.
    """

    where: str
    fields: tuple[str, ...]
    expand: tuple[str, ...] = ()
    since: datetime | None = None
    until_text: str | None = None
    page_size: int = 100

    def jql(self, since: datetime | None, site: Site) -> str:
        """The whole query from an instant on."""
        parts = [self.where]
        if since is not None:
            parts.append(f'updated >= "{not_after(since, site.zone)}"')
        if self.until_text is not None:
            parts.append(f'updated < "{self.until_text}"')
        return " AND ".join(parts) + " ORDER BY updated ASC, key ASC"


@dataclass(frozen=True, slots=True)
class Read:
    """How a page's issues are looked at while paging: their ids and update times."""

    decode: Decode
    id_of: Callable[[Any], str]
    updated_of: Callable[[Any], datetime]


def pages(reader: Reader, site: Site, search: Search, read: Read) -> Iterator[Sequence[Any]]:
    """The issues of a search, page by page."""
    walk = _by_token if site.is_cloud else _by_slice
    return _ahead(walk(reader, site, search, read))


def count(reader: Reader, site: Site, jql: str) -> int | None:
    """The platform's own count: approximate on Cloud, exact on Data Center."""
    if site.is_cloud:
        response = reader.read(f"{API}/search/approximate-count", what="count", method="POST", json={"jql": jql})
        found = response.json().get("count")
    else:
        params = {"jql": jql, "maxResults": 0, "fields": "id"}
        found = reader.read(f"{API}/search", what="count", params=params).json().get("total")
    return int(found) if found is not None else None


def _by_token(reader: Reader, site: Site, search: Search, read: Read) -> Iterator[Sequence[Any]]:
    """A token belongs to one query; a repeated or expired one starts a new query where the last page ended."""
    reached = search.since
    query = search.jql(reached, site)
    token: str | None = None
    used: set[str] = set()
    restarts = 0
    while True:
        body: dict[str, Any] = {
            "jql": query,
            "fields": list(search.fields),
            "maxResults": min(search.page_size, MAX_CLOUD_PAGE),
        }
        if search.expand:
            body["expand"] = ",".join(search.expand)
        if token is not None:
            body["nextPageToken"] = token
        try:
            page = read.decode(reader.read(f"{API}/search/jql", what="search", method="POST", json=body).content)
        except ConnectionFailed as error:
            if token is None or "token" not in str(error).lower():
                raise
            reason = "the page token expired"
        else:
            if page.issues:
                latest = read.updated_of(page.issues[-1])
                reached = latest if reached is None else max(reached, latest)
                yield page.issues
            if page.is_last or not page.next_page_token:
                return
            if page.next_page_token not in used:
                token = page.next_page_token
                used.add(token)
                continue
            reason = "a page token was repeated"
        restarts += 1
        if restarts > MAX_RESTARTS:
            raise ConnectionFailed(
                f"Jira's search does not come to an end: {reason}, {restarts} times.",
                where=Place(connection=reader.config.name),
                mend="Run again later; the pull goes on from its cursor.",
            )
        log.warning("search.restarted", connection=reader.config.name, reason=reason)
        query = search.jql(reached, site)
        token, used = None, set()


def _by_slice(reader: Reader, site: Site, search: Search, read: Read) -> Iterator[Sequence[Any]]:
    """Pages that each begin at the last minute read; offsets only within a minute that fills whole pages.

    An offset page repeats the last :data:`OVERLAP` issues of the page before: if none of them is there, issues have
    moved on meanwhile and the minute is read again.
    """
    query = search.jql(search.since, site)
    start = 0
    seen: set[str] = set()  # ids delivered from the minute that the slice begins with
    restarts = 0
    while True:
        params: dict[str, Any] = {
            "jql": query,
            "fields": ",".join(search.fields),
            "maxResults": search.page_size,
            "startAt": start,
        }
        if search.expand:
            params["expand"] = ",".join(search.expand)
        page = read.decode(reader.read(f"{API}/search", what="search", params=params).content)
        issues = page.issues
        ids = [read.id_of(issue) for issue in issues]
        if start and issues and restarts < MAX_RESTARTS and seen.isdisjoint(ids[:OVERLAP]):
            start, restarts = 0, restarts + 1
            continue
        fresh = [issue for issue, id in zip(issues, ids, strict=True) if id not in seen]
        if fresh:
            yield fresh
        if not issues or start + len(issues) >= (page.total or 0):
            return
        last_minute = minute_of(read.updated_of(issues[-1]))
        following = search.jql(last_minute, site)
        if following == query:
            seen.update(ids)
            start += max(1, len(issues) - OVERLAP)
        else:
            query, start = following, 0
            seen = {id for issue, id in zip(issues, ids, strict=True) if read.updated_of(issue) >= last_minute}


def _ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each computed in a second thread while the caller works on the one before."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="jira-search") as pool:
        following: Future[T | None] = pool.submit(next, items, None)
        while True:
            item = following.result()
            if item is None:
                return
            following = pool.submit(next, items, None)
            yield item
