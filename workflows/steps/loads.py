"""Loading pages into the warehouse in pieces that are worth it: small ones together, whosever they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from time import monotonic
from types import MappingProxyType

import msgspec
import pyarrow as pa

from connectors.base import Page
from improvement.errors import RegelkreisError
from improvement.records import RecordKind
from workflows.steps.departures import LoadedPage, load_pages
from workflows.warehouse import Warehouse, Zones

LOAD_ROWS = 50_000  # a load costs much the same for ten rows and for ten thousand
WORTH_A_LOAD = 15_000  # rows that need not wait for more where nobody has more to give yet
LOAD_S = 30.0  # … nor any that come so long after the last load: a kill loses little of a slow platform

KEPT = ("id", "updated_at")  # of a page that is loaded
Load = tuple[Page, LoadedPage]  # pages that came together, with no more of their records than that, and what they did
Told = Load | RegelkreisError | None  # one load of a kind, or how it ended: by an error, or well
IsBusy = Mapping[str, Callable[[], bool]]  # whether a connection's next page is still being read


class Loads:
    """Loads kind by kind, and with the pages of one what came along with them, where that is worth a load.

    What came along is loaded after the records it came with, so that a clock finds its ticket; if it is little, with
    the first pages of its own kind. Of a kind that could not be loaded once nothing more is loaded.
    """

    def __init__(self, warehouse: Warehouse, *, seen_at: datetime, where: Zones) -> None:
        self._warehouse = warehouse
        self._seen_at = seen_at
        self._where = where
        self._waiting: dict[RecordKind, defaultdict[str, list[Page]]] = {}  # what came along, by kind and connection
        self._failed: dict[RecordKind, RegelkreisError] = {}

    def of(
        self, kind: RecordKind, pages: Mapping[str, Iterator[Page]], *, is_busy: IsBusy = MappingProxyType({})
    ) -> Iterator[tuple[str, Told]]:
        """Load the pages of one kind; then how it ended, for each connection.

        What was read before a failure is still loaded. While the next page is still being read, what is there and
        worth it is loaded; after a while whatever is there. A load of what came along says so by the kind of its page.
        """
        ends: dict[str, RegelkreisError | None] = dict.fromkeys(pages, self._failed.get(kind))
        if kind not in self._failed:
            waiting = self._waiting.pop(kind, defaultdict(list))
            found = {name: chain(waiting[name], own) for name, own in pages.items()}
            try:
                for held in _gathered(found, ends, is_busy):
                    self._put_aside(held)
                    yield from self._load(held)
                    yield from self._load_early()
            except RegelkreisError as error:  # nothing more can be loaded, whoever delivers it
                ends = dict.fromkeys(pages, error)
        yield from ends.items()

    def _load(self, held: Mapping[str, Page]) -> Iterator[tuple[str, Load]]:
        loaded = load_pages(self._warehouse, held, seen_at=self._seen_at, zones=self._where)
        for name, one in loaded.items():
            page = held[name]
            yield name, (msgspec.structs.replace(page, batch=page.batch.select(KEPT), along=()), one)

    def _put_aside(self, held: Mapping[str, Page]) -> None:
        for name, page in held.items():
            for one in page.along:
                if one.kind not in self._failed:
                    self._waiting.setdefault(one.kind, defaultdict(list))[name].append(one)

    def _load_early(self) -> Iterator[tuple[str, Load]]:
        """What came along and is worth a load by now; what goes wrong is told when the turn of its kind comes."""
        for kind, waiting in list(self._waiting.items()):
            if sum(page.batch.num_rows for pages in waiting.values() for page in pages) < WORTH_A_LOAD:
                continue
            del self._waiting[kind]
            try:
                for held in _gathered({name: iter(pages) for name, pages in waiting.items()}, {}, {}):
                    yield from self._load(held)
            except RegelkreisError as error:
                self._failed[kind] = error


def _gathered(
    pages: Mapping[str, Iterator[Page]], ends: dict[str, RegelkreisError | None], is_busy: IsBusy
) -> Iterator[dict[str, Page]]:
    """Small pages as one a connection, so that few loads do. Whoever fails on the way is noted in ``ends``."""
    held: defaultdict[str, list[Page]] = defaultdict(list)
    rows, begun = 0, monotonic()
    for name, own in pages.items():
        waits = is_busy.get(name, _never)
        try:
            for page in own:
                if held and rows + page.batch.num_rows > LOAD_ROWS:
                    yield _each_as_one(held)
                    held, rows, begun = defaultdict(list), 0, monotonic()
                held[name].append(page)
                rows += page.batch.num_rows
                if (rows >= WORTH_A_LOAD and waits()) or monotonic() - begun >= LOAD_S:
                    yield _each_as_one(held)
                    held, rows, begun = defaultdict(list), 0, monotonic()
        except RegelkreisError as error:
            ends[name] = error
    if held:
        yield _each_as_one(held)


def _never() -> bool:
    return False


def _each_as_one(held: Mapping[str, list[Page]]) -> dict[str, Page]:
    return {name: _as_one(pages) for name, pages in held.items()}


def _as_one(pages: list[Page]) -> Page:
    whole = [page.whole_of for page in pages if page.whole_of is not None]
    return Page(
        kind=pages[0].kind,
        batch=pa.concat_tables([page.batch for page in pages]),
        cursor=pages[-1].cursor,
        rejected=tuple(rejected for page in pages for rejected in page.rejected),
        requests=sum(page.requests for page in pages),
        retries=sum(page.retries for page in pages),
        whole_of=pa.concat_arrays(whole) if whole else None,
        along=tuple(one for page in pages for one in page.along),
        notes=tuple(dict.fromkeys(note for page in pages for note in page.notes)),
    )
