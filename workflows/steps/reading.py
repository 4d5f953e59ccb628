"""Reading: what a connector has to deliver, ahead of the loading, and in pieces that are worth a load."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import pyarrow as pa

from connectors.ahead import Ahead
from connectors.base import Connector, Cursor, Page
from improvement.errors import RegelkreisError
from improvement.records import RecordKind
from workflows.models import Connection, PullCursor

PAGES_AHEAD = 2
LOAD_ROWS = 50_000  # a load costs much the same for ten rows and for ten thousand


class Reading:
    """All that a connector has to deliver up to ``as_of``, read in one other thread from now on, kind after kind.

    So one platform answers while the pages of another are loaded. Close it. The thread knows no database: the cursors
    are fetched here.
    """

    def __init__(self, connector: Connector, *, as_of: datetime) -> None:
        row = Connection.objects.get(name=connector.name)
        cursors = {kind: cursor_of(row, kind) for kind in connector.kinds()}
        self._delivered = Ahead(_delivered(connector, cursors, as_of), depth=PAGES_AHEAD)

    def pages(self, kind: RecordKind) -> Iterator[Page]:
        """The pages of one kind, or its error; to be asked for in the order of the connector's kinds."""
        for of_kind, item in self._delivered:
            if of_kind is not kind:
                continue  # left over from a kind whose loading failed
            if isinstance(item, RegelkreisError):
                raise item
            if item is None:
                return
            yield item

    def close(self) -> None:
        """Stop reading."""
        self._delivered.close()


def cursor_of(row: Connection, kind: RecordKind) -> Cursor | None:
    """How far a kind was read; None where it never was."""
    saved = PullCursor.objects.filter(connection=row, kind=kind.value).first()
    return Cursor(updated_at=saved.updated_at, tiebreak=saved.tiebreak) if saved else None


def gathered(pages: Iterator[Page]) -> Iterator[Page]:
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
    """Each kind's pages, then its error, or None where it ended well."""
    for kind, cursor in cursors.items():
        try:
            for page in connector.pull(kind, cursor, until=as_of):
                yield kind, page
        except RegelkreisError as error:
            yield kind, error
        else:
            yield kind, None


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
