"""Reading and loading: what a connector has to deliver, in pieces that are worth a load, into the warehouse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import pyarrow as pa
from django.conf import settings

from connectors.ahead import Ahead
from connectors.base import Connector, Cursor, Page
from improvement.errors import RegelkreisError, Unreachable
from improvement.records import RecordKind
from workflows.models import Connection, PullCursor
from workflows.steps.departures import LoadedPage, load_page
from workflows.steps.lost_warehouse import begin_again_where_lost
from workflows.warehouse import Warehouse, Zones

T = TypeVar("T")

PAGES_AHEAD = 2
LOADS_AHEAD = 32  # they are small, and nobody should wait for whoever is noted down first
LOAD_ROWS = 50_000  # a load costs much the same for ten rows and for ten thousand


KEPT = ("id", "updated_at")  # of a page that is loaded
Load = tuple[Page, LoadedPage]  # pages that came together, with no more of their records than that, and what they did


def zones() -> Zones:
    """Which time zone each country's weeks are counted in."""
    return Zones(by_country=dict(settings.REGELKREIS.zones), default=settings.REGELKREIS.default_zone)


class Loading:
    """All that a connector has to deliver up to ``as_of``, from now on read in one other thread and loaded in another.

    So platforms answer and are loaded side by side. Close it. The threads know no state: the cursors are fetched
    here, and whoever takes the loads writes down how far they came.
    """

    def __init__(self, connector: Connector, warehouse: Warehouse, *, as_of: datetime) -> None:
        self.begun = datetime.now(UTC)
        row = Connection.objects.get(name=connector.name)
        begin_again_where_lost(row, warehouse, connector.kinds())
        cursors = cursors_of(row, connector.kinds())
        where = zones()
        warehouse.use_zones(where)  # here: two that load at once would both put them in place
        self._read = Ahead(_delivered(connector, cursors, as_of), depth=PAGES_AHEAD)
        self._loaded = Ahead(self._load(warehouse, connector.name, tuple(cursors), as_of, where), depth=LOADS_AHEAD)

    def loads(self, kind: RecordKind) -> Iterator[Load]:
        """What was loaded of one kind, or its error; to be asked for in the order of the connector's kinds."""
        yield from _of_kind(self._loaded, kind)

    def _load(
        self, warehouse: Warehouse, name: str, kinds: tuple[RecordKind, ...], as_of: datetime, where: Zones
    ) -> Iterator[tuple[RecordKind, Load | RegelkreisError | None]]:
        with warehouse.sibling() as own:
            for kind in kinds:
                loads = load_all(own, _of_kind(self._read, kind), name, seen_at=as_of, where=where)
                yield from _ended(kind, loads)

    def close(self) -> None:
        """Stop reading and loading."""
        self._read.close()
        self._loaded.close()


def load_all(
    warehouse: Warehouse, pages: Iterator[Page], connection: str, *, seen_at: datetime, where: Zones
) -> Iterator[Load]:
    """Load pages, small ones together; what was read before a failure is still loaded."""
    for page in _gathered(pages):
        loaded = load_page(warehouse, page, connection, seen_at=seen_at, zones=where)
        yield msgspec.structs.replace(page, batch=page.batch.select(KEPT)), loaded


def cursors_of(row: Connection, kinds: Iterable[RecordKind]) -> dict[RecordKind, Cursor | None]:
    """How far each kind was read; None where it never was."""
    saved = {one.kind: one for one in PullCursor.objects.filter(connection=row)}
    return {
        kind: Cursor(updated_at=found.updated_at, tiebreak=found.tiebreak) if (found := saved.get(kind.value)) else None
        for kind in kinds
    }


def _gathered(pages: Iterator[Page]) -> Iterator[Page]:
    """Small pages as one, so that few loads do; what was read before a failure is still handed on."""
    held: list[Page] = []
    try:
        for page in pages:
            if held and sum(one.batch.num_rows for one in (*held, page)) > LOAD_ROWS:
                yield _as_one(held)
                held = []
            held.append(page)
    except RegelkreisError:
        if held:
            yield _as_one(held)
        raise
    if held:
        yield _as_one(held)


def _delivered(
    connector: Connector, cursors: Mapping[RecordKind, Cursor | None], as_of: datetime
) -> Iterator[tuple[RecordKind, Page | RegelkreisError | None]]:
    unreachable: Unreachable | None = None
    for kind, cursor in cursors.items():
        if unreachable is not None:  # it was tried long enough: the others would only wait as long again
            yield kind, unreachable
            continue
        for of_kind, item in _ended(kind, _asked(connector, kind, cursor, as_of)):
            unreachable = item if isinstance(item, Unreachable) else None
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
