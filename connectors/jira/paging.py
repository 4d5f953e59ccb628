"""Reading a search to its end: by token on Cloud, by slices of update time on Data Center.

Both deliver every issue at least once, oldest update first, whatever changes meanwhile; an issue that changes while
we read may come twice. A page is decoded once, by the decoder of its search, which tells paging what it needs too.

One search is read in its caller's own thread: making rows of a page takes a hundredth of the time in which a Jira
answers, and a thread for it would do little more than hand Python's lock to and fro (a tenth of a pull's time, where
Jira is as near as a sandbox).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec
import requests
import structlog

from connectors.ahead import Ahead
from connectors.answers import Declined, TooHeavy
from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira.instants import floor, not_after
from connectors.jira.page import HEADS, Delivered, Seen, updated_at
from connectors.jira.site import API, Site, ask, readable
from improvement.errors import ConnectionFailed, Place

log = structlog.get_logger("connectors.jira")

#: Cloud cuts to 100 issues a page when fields are asked for; Data Center's default ceiling is 1 000.
MAX_CLOUD_PAGE = 100
DATA_CENTER_PAGE = 500
OVERLAP = 10  # issues of the page before that an offset page shows again, at most half of it
MAX_RESTARTS = 5
MOST_BARREN = 200  # pages in a row that bring nothing new; issues hidden from us can make some of them
SMALLEST_PAGE = 10
ATTEMPTS_AT_SMALLEST = 3
GOOD_PAGES_TO_GROW = 4  # twice as many after each time that Jira did not finish
SEARCH = "Jira's search"
LOWER = "Lower page_size, or run again later; the pull goes on from its cursor."
PAGES_AHEAD = 16  # of all slices together
SLICE = timedelta(days=2)  # no slice is shorter
COUNTED = "/search"  # of Data Center: each page tells how many issues there are


class _Id(msgspec.Struct, frozen=True, gc=False):
    id: str


class LightPage(msgspec.Struct, frozen=True, rename="camel"):
    """A page of ids alone."""

    issues: list[_Id]
    next_page_token: str | None = None
    is_last: bool | None = None
    error: Any = None


class _Count(msgspec.Struct, frozen=True):
    count: int | None = None
    total: int | None = None


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
    is_slice: bool = False  # others are read beside it: a page from before its begin or after its end is not its own
    until: datetime | None = None  # where a slice ends, if another follows
    bound: datetime | None = None  # what was updated from here on may stand in an old place: the index lags
    decoder: msgspec.json.Decoder[Any] = HEADS  # of its pages

    def jql(self, since: datetime | None, site: Site) -> str:
        """The whole query from an instant on."""
        parts = [self.where]
        if since is not None:
            parts.append(f'updated >= "{not_after(since, site.zone)}"')
        if self.until_text is not None:
            parts.append(f'updated < "{self.until_text}"')
        return " AND ".join(parts) + " ORDER BY updated ASC, key ASC"


def page_size(config: ConnectionConfig, site: Site) -> int:
    """How many issues a pull asks for at once: Cloud cuts longer pages, Data Center takes more than the usual one."""
    if site.is_cloud:
        return min(config.rows_per_page, MAX_CLOUD_PAGE)
    return config.page_size or DATA_CENTER_PAGE


def pages(reader: Reader, site: Site, search: Search) -> Iterator[Delivered]:
    """The pages of a search that hold issues. ``search.fields`` must name ``updated``."""
    walk = _by_token if site.is_cloud else _by_slice
    return walk(reader, site, search)


def slices(search: Search, *, until: datetime, site: Site, most: int) -> list[Search]:
    """The same search, divided by update time into at most ``most`` that can be read side by side.

    Tokens and offsets follow one after the other, so a month of a back-fill would otherwise wait for each answer. One
    ends at the very minute where the next begins. Without a beginning there is nothing to divide.
    """
    ways = 1 if search.since is None else min(most, (until - search.since) // SLICE)
    if search.since is None or ways < 2:
        return [search]
    step = (until - search.since) / ways
    edges = [search.since + step * number for number in range(1, ways)]
    ends = [*(not_after(edge, site.zone) for edge in edges), search.until_text]
    begins = [search.since, *edges]
    return [
        replace(search, since=at, until_text=end, until=until, is_slice=True)
        for at, end, until in zip(begins, ends, [*edges, None], strict=True)
    ]


def side_by_side(reader: Reader, site: Site, searches: Sequence[Search]) -> Iterator[Delivered]:
    """The pages of several searches in their order, all of them on their way at once; the reader caps how many are.

    An error comes where its page would have come: what was read before it is kept.
    """
    if len(searches) == 1:
        yield from pages(reader, site, searches[0])
        return
    depth = max(1, PAGES_AHEAD // len(searches))
    with ExitStack() as stack:
        begun = [stack.enter_context(closing(Ahead(pages(reader, site, one), depth=depth))) for one in searches]
        for one in begun:
            yield from one


def count(reader: Reader, site: Site, jql: str) -> int | None:
    """The platform's own count: approximate on Cloud, exact on Data Center."""
    if site.is_cloud:
        counted = ask(reader, "/search/approximate-count", _Count, what="count", json={"jql": jql})
    else:
        counted = ask(reader, "/search", _Count, what="count", params={"jql": jql, "maxResults": 0, "fields": "id"})
    found: int | None = counted.count if counted.count is not None else counted.total
    return found


def light_page(reader: Reader, path: str, *, json: Any) -> LightPage:
    """One page of ids; one that is cut or carries an error is asked for again."""

    def accept(page: LightPage) -> None:
        if page.error is not None:
            raise _unusable(reader, f"an error beside the issues: {page.error}")

    page: LightPage = ask(reader, path, LightPage, what="search for ids", json=json, accept=accept)
    return page


def is_refused_token(error: ConnectionFailed) -> bool:
    """Whether Jira refused a page's token, and nothing else."""
    return isinstance(error, Declined) and error.status == 400 and "token" in error.what.lower()


class _Size:
    """How many issues a page of one search may hold: half as many where Jira does not finish in time.

    ``grows``: and more again later.
    """

    def __init__(self, reader: Reader, largest: int, *, grows: bool) -> None:
        self.now = self._largest = largest
        self._reader = reader
        self._attempts = 0
        self._good, self._to_grow = 0, GOOD_PAGES_TO_GROW if grows else math.inf

    def halve(self, error: TooHeavy) -> None:
        """Ask for less from now on; the error itself where the smallest page was too much again and again."""
        with self._reader.counting:
            self._reader.retries += 1
        self._good, self._to_grow = 0, self._to_grow * 2
        if self.now > SMALLEST_PAGE:
            self.now = max(SMALLEST_PAGE, self.now // 2)
            return
        self._attempts += 1
        if self._attempts >= ATTEMPTS_AT_SMALLEST:
            raise error

    def fits(self) -> None:
        """A page came."""
        self._attempts = 0
        self._good += 1
        if self._good >= self._to_grow:
            self._good, self.now = 0, min(self._largest, self.now * 2)


class Barren:
    """Counts the pages in a row that bring nothing new: each may name a next one by a new token, without an end."""

    def __init__(self, reader: Reader, what: str) -> None:
        self._reader = reader
        self._what = what
        self._known: set[str] = set()
        self._pages = 0

    def add(self, ids: Iterable[str], *, is_further: bool = True) -> None:
        """Note a page; ``is_further``: those before it need not be known any more. Raises :class:`ConnectionFailed`."""
        shown = set(ids)
        self._pages = self._pages + 1 if shown <= self._known else 0
        self._known = shown if is_further else self._known | shown
        if self._pages >= MOST_BARREN:
            raise ConnectionFailed(
                f"{self._what} does not come to an end: {self._pages} pages in a row brought nothing new.",
                where=Place(connection=self._reader.config.name),
                mend="Run again later; the pull goes on from its cursor. If it stays so, ask Atlassian's support.",
            )


def _by_token(reader: Reader, site: Site, search: Search) -> Iterator[Delivered]:
    """A token belongs to one query; a repeated or expired one starts a new query where the last page ended."""
    reached = search.since
    earliest = floor(reached, site.zone) if reached and search.is_slice else None
    query = search.jql(reached, site)
    token: str | None = None
    used: set[str] = set()
    restarts = 0
    size = _Size(reader, min(search.page_size, MAX_CLOUD_PAGE), grows=False)  # a token belongs to its size
    barren = Barren(reader, SEARCH)
    while True:
        body: dict[str, Any] = {
            "jql": query,
            "fields": list(search.fields),
            "maxResults": size.now,
        }
        if search.expand:
            body["expand"] = ",".join(search.expand)
        if token is not None:
            body["nextPageToken"] = token
        try:
            seen = _page(reader, "/search/jql", search, json=body, earliest=earliest)
        except TooHeavy as error:
            size.halve(error)  # a token that belongs to the size it was given for is refused, and then begun anew
            continue
        except ConnectionFailed as error:
            if token is None or not is_refused_token(error):
                raise
            reason = "the page token expired"
        else:
            size.fits()
            before = reached
            if seen.issues:
                delivered = seen.delivered(search.bound)
                if delivered.reached is not None:
                    reached = delivered.reached if reached is None else max(reached, delivered.reached)
                yield delivered
            following = seen.page.next_page_token
            if seen.page.is_last or not following:
                return
            barren.add((issue.id for issue in seen.issues), is_further=reached != before)
            if following not in used:
                token = following
                used.add(following)
                continue
            reason = "a page token was repeated"
        restarts += 1
        give_up(restarts, reason, reader)
        query = search.jql(reached, site)
        token, used = None, set()
        barren = Barren(reader, SEARCH)  # what comes now was there before: it is the same minute again


def _by_slice(reader: Reader, site: Site, search: Search) -> Iterator[Delivered]:
    """Pages that each begin at the last minute read; offsets only within a minute that fills whole pages, and where
    update times do not tell the place.

    Slices only ever move on: in the hour that occurs twice they begin before it, so it is read as one slice.

    An offset page repeats the last issues of the page before (:data:`OVERLAP`): if none of them is there, issues have
    moved on meanwhile and the minute is read again.
    """
    since = search.since
    query = search.jql(since, site)
    start = 0
    seen: set[str] = set()  # ids delivered from the minute that the slice begins with
    restarts = 0
    size = _Size(reader, search.page_size, grows=True)
    while True:
        params: dict[str, Any] = {
            "jql": query,
            "fields": ",".join(search.fields),
            "maxResults": max(2, size.now),  # one alone could not repeat an issue
            "startAt": start,
        }
        if search.expand:
            params["expand"] = ",".join(search.expand)
        earliest = floor(since, site.zone) if since else None
        try:
            found = _page(reader, COUNTED, search, params=params, earliest=earliest)
        except TooHeavy as error:
            size.halve(error)
            continue
        size.fits()
        issues = found.issues
        ids = [issue.id for issue in issues]
        if start and seen.isdisjoint(ids[:OVERLAP]):
            start, restarts = 0, restarts + 1
            give_up(restarts, "issues change faster than they can be read", reader)
            continue
        delivered = found.delivered(search.bound)
        if not seen.issuperset(ids):
            yield delivered
        if not issues or start + len(issues) >= found.page.total:
            return
        following = floor(delivered.reached, site.zone) if delivered.reached is not None else None
        if following is None or (since is not None and following <= floor(since, site.zone)):
            seen.update(ids)  # still the same slice; it is an hour where clocks are put back
            start += max(1, len(issues) - min(OVERLAP, len(issues) // 2))
        else:
            since, query, start = following, search.jql(following, site), 0
            seen = {issue.id for issue in issues if updated_at(issue) >= following}


def _page(
    reader: Reader,
    path: str,
    search: Search,
    *,
    params: Any = None,
    json: Any = None,
    earliest: datetime | None = None,
) -> Seen:
    """Read one page; a damaged one, or one that answers another question, is asked for again."""
    kept: list[Seen] = []
    cuts: list[TooHeavy] = []

    def check(response: requests.Response) -> None:
        try:
            seen = readable(response.content, lambda body: Seen.of(body, search.decoder), reader.config, "search")
        except ConnectionFailed as error:
            if response.content[:1] == b"{":  # cut short; twice: longer than something lets through
                cuts.append(TooHeavy(error.what, where=error.where, mend=LOWER))
                if len(cuts) > 1:
                    raise cuts[-1] from None
            raise
        if seen.page.error is not None:
            unusable = _unusable(reader, f"an error beside the issues: {seen.page.error}")
            raise TooHeavy(unusable.what, where=unusable.where, mend=LOWER)
        wrong = seen.lack or (_miscounted(seen, params["startAt"]) if path == COUNTED else "")
        if earliest is not None and seen.issues and updated_at(seen.issues[0]) < earliest:
            wrong = "the page of another query"
        elif search.until is not None and seen.is_all_after(search.until, search.bound):
            wrong = "the page of another query, or its index lags behind"
        if wrong:
            raise _unusable(reader, wrong)
        kept[:] = [seen]

    reader.read_page(API + path, what="search", params=params, json=json, check=check)
    return kept[0]


def _miscounted(seen: Seen, start: int) -> str:
    """What is wrong with a page of Data Center whose total does not go with its issues; else ""."""
    shown, total = len(seen.issues), seen.page.total
    if total is None or total < shown or (total > start and not shown):
        return f"{shown} issues from {start} on, of a total of {total}"
    return ""


def _unusable(reader: Reader, what: str) -> ConnectionFailed:
    return ConnectionFailed(
        f"{reader.config.url} sent {what} (search).",
        where=Place(connection=reader.config.name),
        mend="Run again later; the pull goes on from its cursor.",
    )


def give_up(restarts: int, reason: str, reader: Reader) -> None:
    """Note a restart of the search, or raise when there were too many."""
    log.warning("search.restarted", connection=reader.config.name, reason=reason)
    if restarts > MAX_RESTARTS:
        raise ConnectionFailed(
            f"{SEARCH} does not come to an end: {reason}, {restarts} times.",
            where=Place(connection=reader.config.name),
            mend="Run again later; the pull goes on from its cursor.",
        )
