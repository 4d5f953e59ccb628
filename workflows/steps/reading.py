"""Reading and loading: what connectors have to deliver, side by side with whoever notes it down."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from django.conf import settings

from connectors.ahead import Ahead
from connectors.along import BringsAlong
from connectors.base import Connector, Cursor, Page, Resumes
from improvement.errors import RegelkreisError, ShutOut
from improvement.records import RecordKind
from workflows.models import Connection, PullCursor
from workflows.restating.how_far import step_back
from workflows.steps.loads import Load, Loads, Told
from workflows.steps.lost_warehouse import begin_again_where_lost
from workflows.unforeseen import held
from workflows.warehouse import Warehouse, Zones

T = TypeVar("T")

PAGES_AHEAD = 2
FEW_AHEAD = 16  # of who has little to tell, mostly all: then no load waits for what comes after it
LOADS_AHEAD = 32  # they are small, and nobody should wait for whoever is noted down first
USUAL = tuple(RecordKind)  # the order in which a pull reads them


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
        step_back(row.name, as_of)
        cursors = cursors_of(row, connector)
        warehouse.use_zones(zones())  # here: two that load at once would both put them in place
        self.kinds = tuple(cursors)
        is_any_anew = bool(anew_of(row, cursors))
        self.is_catching_up = not is_any_anew and any(one is not None for one in cursors.values())
        depth = FEW_AHEAD if self.is_catching_up else PAGES_AHEAD
        self._read = Ahead(_delivered(connector, cursors, as_of), depth=depth)
        self._left: defaultdict[RecordKind, list[Page]] = defaultdict(list)  # came along with what nobody asked for

    def pages(self, kind: RecordKind) -> Iterator[Page]:
        """The pages of one kind, or its error; to be asked for in the order of :attr:`kinds`."""
        yield from self._left.pop(kind, ())
        for of_kind, item in self._read:
            if of_kind is not kind:  # left over from a kind whose loading failed
                for one in item.along if isinstance(item, Page) else ():
                    self._left[one.kind].append(one)
                yield from self._left.pop(kind, ())
            elif isinstance(item, RegelkreisError):
                raise item
            elif item is None:
                return
            else:
                yield item

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
        """What was loaded of one kind of a connector, or its error; to be asked for in the order of its kinds.

        Among it may be loads of what came along, each with a page of its own kind.
        """
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
            loads = Loads(own, seen_at=as_of, where=where)
            for kind in dict.fromkeys(kind for one in self._readings for kind in one.kinds):
                readings = {one.name: one for one in self._readings if kind in one.kinds}
                pages = {name: one.pages(kind) for name, one in readings.items()}
                is_busy = {name: one.is_busy for name, one in readings.items()}
                for name, told in loads.of(kind, pages, is_busy=is_busy):
                    yield name, kind, told


def grouped(readings: Sequence[Reading]) -> list[list[Reading]]:
    """Which are best loaded together: those that have little to tell. Who begins goes alone, side by side with others.

    Who tells its kinds in an order of its own goes alone too: the others would have to wait for each other crosswise.
    """
    alike = [one for one in readings if one.is_catching_up and list(one.kinds) == sorted(one.kinds, key=USUAL.index)]
    return [group for group in (alike, *([one] for one in readings if one not in alike)) if group]


def cursors_of(row: Connection, connector: Connector) -> dict[RecordKind, Cursor | None]:
    """How far each kind was read; None where it never was, or must be read from its beginning again."""
    saved = {one.kind: one for one in PullCursor.objects.filter(connection=row)}
    cursors: dict[RecordKind, Cursor | None] = {}
    for kind in connector.kinds():
        found = saved.get(kind.value)
        cursor = Cursor(updated_at=found.updated_at, tiebreak=found.tiebreak) if found is not None else None
        is_over = cursor is not None and isinstance(connector, Resumes) and not connector.resumes(kind, cursor)
        cursors[kind] = None if is_over else cursor
    return cursors


def anew_of(row: Connection, cursors: Mapping[RecordKind, Cursor | None]) -> frozenset[RecordKind]:
    """The kinds among those that begin that were read before."""
    known = set(PullCursor.objects.filter(connection=row).values_list("kind", flat=True))
    return frozenset(kind for kind, cursor in cursors.items() if cursor is None and kind.value in known)


def counted(connector: Connector, pages: Callable[[], Iterator[Page]]) -> Iterator[Page]:
    """The pages; an error of theirs tells the requests that none of them tells (:attr:`RegelkreisError.asked`)."""
    requests, retries = connector.traffic()
    try:
        with held("reading", connection=connector.name):
            for page in pages():
                requests += page.requests
                retries += page.retries
                yield page
    except RegelkreisError as error:
        now = connector.traffic()
        error.asked = max(0, now[0] - requests), max(0, now[1] - retries)
        raise


def _delivered(
    connector: Connector, cursors: Mapping[RecordKind, Cursor | None], as_of: datetime
) -> Iterator[tuple[RecordKind, Page | RegelkreisError | None]]:
    shut_out: ShutOut | None = None
    for kind in cursors:
        if shut_out is not None:  # it was tried long enough: the others would only end alike
            yield kind, shut_out
            continue
        for of_kind, item in _ended(kind, _asked(connector, kind, cursors, as_of)):
            shut_out = item if isinstance(item, ShutOut) else None
            yield of_kind, item


def _asked(
    connector: Connector, kind: RecordKind, cursors: Mapping[RecordKind, Cursor | None], as_of: datetime
) -> Iterator[Page]:
    """The pages of a kind, with what comes along of those whose turn is yet to come.

    Also a connector that fails before it has any to give fails at the first one only.
    """
    if isinstance(connector, BringsAlong):
        order = list(cursors)
        still = {one: cursors[one] for one in order[order.index(kind) :]}
        yield from counted(connector, lambda: connector.pull_with_others(kind, still, until=as_of))
    else:
        yield from counted(connector, lambda: connector.pull(kind, cursors[kind], until=as_of))


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
