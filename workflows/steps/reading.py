"""Reading and loading: what connectors have to deliver, in pieces that are worth a load, into the warehouse."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TypeVar

import msgspec
import pyarrow as pa
from django.conf import settings

from connectors.ahead import Ahead
from connectors.base import Connector, Cursor, Page
from improvement.errors import RegelkreisError, ShutOut
from improvement.records import RecordKind
from workflows.models import Connection, PullCursor
from workflows.steps.departures import LoadedPage, load_pages
from workflows.steps.lost_warehouse import begin_again_where_lost
from workflows.warehouse import Warehouse, Zones

T = TypeVar("T")

PAGES_AHEAD = 2
FEW_AHEAD = 16  # of who has little to tell, mostly all: then no load waits for what comes after it
LOADS_AHEAD = 32  # they are small, and nobody should wait for whoever is noted down first
LOAD_ROWS = 50_000  # a load costs much the same for ten rows and for ten thousand
WORTH_A_LOAD = 15_000  # rows that need not wait for more where nobody has more to give yet
USUAL = tuple(RecordKind)  # the order in which a pull reads them

KEPT = ("id", "updated_at")  # of a page that is loaded
Load = tuple[Page, LoadedPage]  # pages that came together, with no more of their records than that, and what they did
Told = Load | RegelkreisError | None  # one load of a kind, or how it ended: by an error, or well


def zones() -> Zones:
    """Which time zone each country's weeks are counted in."""
    return Zones(by_country=dict(settings.REGELKREIS.zones), default=settings.REGELKREIS.default_zone)


class Reading:
    """All that a connector has to deliver up to ``as_of``, from now on read in one other thread. Close it.

    The thread knows no state: the cursors are fetched here, and whoever takes the loads writes down how far they came.
    """

    def __init__(self, connector: Connector, warehouse: Warehouse, *, as_of: datetime) -> None:
        self.name = connector.name
        self.begun = datetime.now(UTC)
        row = Connection.objects.get(name=connector.name)
        self.lost = begin_again_where_lost(row, warehouse, connector.kinds(), as_of)
        cursors = cursors_of(row, connector.kinds())
        warehouse.use_zones(zones())  # here: two that load at once would both put them in place
        self.kinds = tuple(cursors)
        self.is_catching_up = any(one is not None for one in cursors.values())
        depth = FEW_AHEAD if self.is_catching_up else PAGES_AHEAD
        self._read = Ahead(_delivered(connector, cursors, as_of), depth=depth)

    def pages(self, kind: RecordKind) -> Iterator[Page]:
        """The pages of one kind, or its error; to be asked for in the order of :attr:`kinds`."""
        return _of_kind(self._read, kind)

    def is_busy(self) -> bool:
        """Whether the next page is still being read."""
        return self._read.is_busy()

    def close(self) -> None:
        """Stop reading."""
        self._read.close()


class Loading:
    """What some connectors have to deliver, from now on loaded in one other thread, kind by kind. Close it.

    A load costs much the same for ten rows and for ten thousand, so what several deliver of one kind is one load.
    """

    def __init__(self, readings: Sequence[Reading], warehouse: Warehouse, *, as_of: datetime) -> None:
        self.begun = {one.name: one.begun for one in readings}
        self.lost = {one.name: one.lost for one in readings}  # what the warehouse had lost, '' nothing
        self._readings = readings
        self._told: defaultdict[str, deque[tuple[RecordKind, Told]]] = defaultdict(deque)  # not asked for yet
        self._loaded = Ahead(self._load(warehouse, as_of, zones()), depth=LOADS_AHEAD)

    def loads(self, name: str, kind: RecordKind) -> Iterator[Load]:
        """What was loaded of one kind of a connector, or its error; to be asked for in the order of its kinds."""
        return _of_kind(self._of(name), kind)

    def close(self) -> None:
        """Stop reading and loading."""
        for one in self._readings:
            one.close()
        self._loaded.close()

    def _of(self, name: str) -> Iterator[tuple[RecordKind, Told]]:
        mine = self._told[name]
        while True:
            while mine:
                yield mine.popleft()
            found = next(self._loaded, None)
            if found is None:
                return
            whose, kind, told = found
            self._told[whose].append((kind, told))

    def _load(self, warehouse: Warehouse, as_of: datetime, where: Zones) -> Iterator[tuple[str, RecordKind, Told]]:
        with warehouse.sibling() as own:
            for kind in dict.fromkeys(kind for one in self._readings for kind in one.kinds):
                readings = {one.name: one for one in self._readings if kind in one.kinds}
                pages = {name: one.pages(kind) for name, one in readings.items()}
                is_busy = {name: one.is_busy for name, one in readings.items()}
                for name, told in load_all(own, pages, seen_at=as_of, where=where, is_busy=is_busy):
                    yield name, kind, told


def grouped(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Which are best loaded together: those that have little to tell. Who begins goes alone, side by side with others.

    Who tells its kinds in an order of its own goes alone too: the others would have to wait for each other crosswise.
    """
    alike = [one for one in readings if one.is_catching_up and list(one.kinds) == sorted(one.kinds, key=USUAL.index)]
    return [group for group in (alike, *([one] for one in readings if one not in alike)) if group]


def load_all(
    warehouse: Warehouse,
    pages: Mapping[str, Iterator[Page]],
    *,
    seen_at: datetime,
    where: Zones,
    is_busy: Mapping[str, Callable[[], bool]] = MappingProxyType({}),
) -> Iterator[tuple[str, Told]]:
    """Load the pages of one kind, small ones together, whosever they are; then how it ended, for each connection.

    What was read before a failure is still loaded. ``is_busy``: whether a connection's next page is still being read;
    meanwhile what is there and worth it is loaded.
    """
    ends: dict[str, RegelkreisError | None] = dict.fromkeys(pages)
    try:
        for held in _gathered(pages, ends, is_busy):
            for name, loaded in load_pages(warehouse, held, seen_at=seen_at, zones=where).items():
                page = held[name]
                yield name, (msgspec.structs.replace(page, batch=page.batch.select(KEPT)), loaded)
    except RegelkreisError as error:  # nothing more can be loaded, whoever delivers it
        ends = dict.fromkeys(pages, error)
    yield from ends.items()


def cursors_of(row: Connection, kinds: Iterable[RecordKind]) -> dict[RecordKind, Cursor | None]:
    """How far each kind was read; None where it never was."""
    saved = {one.kind: one for one in PullCursor.objects.filter(connection=row)}
    return {
        kind: Cursor(updated_at=found.updated_at, tiebreak=found.tiebreak) if (found := saved.get(kind.value)) else None
        for kind in kinds
    }


def _gathered(
    pages: Mapping[str, Iterator[Page]],
    ends: dict[str, RegelkreisError | None],
    is_busy: Mapping[str, Callable[[], bool]],
) -> Iterator[dict[str, Page]]:
    """Small pages as one a connection, so that few loads do. Whoever fails on the way is noted in ``ends``."""
    held: defaultdict[str, list[Page]] = defaultdict(list)
    rows = 0
    for name, own in pages.items():
        waits = is_busy.get(name, _never)
        try:
            for page in own:
                if held and rows + page.batch.num_rows > LOAD_ROWS:
                    yield _each_as_one(held)
                    held, rows = defaultdict(list), 0
                held[name].append(page)
                rows += page.batch.num_rows
                if rows >= WORTH_A_LOAD and waits():
                    yield _each_as_one(held)
                    held, rows = defaultdict(list), 0
        except RegelkreisError as error:
            ends[name] = error
    if held:
        yield _each_as_one(held)


def _never() -> bool:
    return False


def _each_as_one(held: Mapping[str, list[Page]]) -> dict[str, Page]:
    return {name: _as_one(pages) for name, pages in held.items()}


def _delivered(
    connector: Connector, cursors: Mapping[RecordKind, Cursor | None], as_of: datetime
) -> Iterator[tuple[RecordKind, Page | RegelkreisError | None]]:
    shut_out: ShutOut | None = None
    for kind, cursor in cursors.items():
        if shut_out is not None:  # it was tried long enough: the others would only end alike
            yield kind, shut_out
            continue
        for of_kind, item in _ended(kind, _asked(connector, kind, cursor, as_of)):
            shut_out = item if isinstance(item, ShutOut) else None
            yield of_kind, item


def _asked(connector: Connector, kind: RecordKind, cursor: Cursor | None, as_of: datetime) -> Iterator[Page]:
    """The pages of a kind; also a connector that fails before it has any to give fails at the first one only."""
    yield from connector.pull(kind, cursor, until=as_of)


def _ended(kind: RecordKind, items: Iterable[T]) -> Iterator[tuple[RecordKind, T | RegelkreisError | None]]:
    """A kind's items, then its error, or None where it ended well."""
    try:
        for item in items:
            yield kind, item
    except RegelkreisError as error:
        yield kind, error
    else:
        yield kind, None


def _of_kind(found: Iterator[tuple[RecordKind, T | RegelkreisError | None]], kind: RecordKind) -> Iterator[T]:
    """The items of one kind, or its error, out of what :func:`_ended` made of all kinds in their order."""
    for of_kind, item in found:
        if of_kind is not kind:
            continue  # left over from a kind whose loading failed
        if isinstance(item, RegelkreisError):
            raise item
        if item is None:
            return
        yield item


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
    )
