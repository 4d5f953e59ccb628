"""Pull: stream pages of canonical records from a connection into the warehouse, and remember how far we came.

The warehouse commits first, then cursor and ledger entry in one transaction of the state: a crash in between only
reads the overlap again, and the upsert makes that free.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import structlog
from django.conf import settings
from django.db import transaction

from connectors.ahead import Ahead
from connectors.base import Connector, Cursor, Page
from improvement.errors import RegelkreisError
from improvement.records import RecordKind
from workflows import ledger
from workflows.models import Connection, PullCursor, PullReport, RejectedRecord
from workflows.warehouse import Warehouse, Zones

log = structlog.get_logger()
Progress = Callable[[str, RecordKind, int], None]
PAGES_AHEAD = 2
LOAD_ROWS = 50_000  # a load costs much the same for ten rows and for ten thousand


@dataclass(slots=True)
class PullResult:
    """What one pull of one connection did, by record kind."""

    connection: str
    reports: list[PullReport] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Records read, all kinds."""
        return sum(report.read for report in self.reports)

    @property
    def errors(self) -> list[str]:
        """The message of every kind that could not be pulled."""
        return [report.error for report in self.reports if report.error]

    @property
    def missing(self) -> frozenset[RecordKind]:
        """The kinds that could not be pulled to their end: what is counted from them would be too few."""
        return frozenset(RecordKind(report.kind) for report in self.reports if report.error)

    def of(self, kind: RecordKind) -> PullReport | None:
        """The report of one kind."""
        return next((report for report in self.reports if report.kind == kind.value), None)


def zones() -> Zones:
    """Which time zone each country's weeks are counted in."""
    return Zones(by_country=dict(settings.REGELKREIS.zones), default=settings.REGELKREIS.default_zone)


class Reading:
    """All that a connector has to deliver up to ``as_of``, read in one other thread from now on, kind after kind.

    So one platform answers while the pages of another are loaded. Close it. The thread knows no database: the cursors
    are fetched here.
    """

    def __init__(self, connector: Connector, *, as_of: datetime) -> None:
        row = Connection.objects.get(name=connector.name)
        cursors = {kind: _cursor(row, kind) for kind in connector.kinds()}
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


def pull(
    connector: Connector,
    warehouse: Warehouse,
    *,
    as_of: datetime,
    on_progress: Progress | None = None,
    reading: Reading | None = None,
) -> PullResult:
    """Pull every mapped record kind up to ``as_of`` (aware). One kind's failure does not stop the others.

    ``reading`` is one that began earlier, for the same moment; without it each kind is read when its turn comes.
    """
    row = Connection.objects.get(name=connector.name)
    result = PullResult(connection=connector.name)
    for kind in connector.kinds():
        report = PullReport(connection=row, kind=kind.value, as_of=as_of)
        try:
            cursor = _cursor(row, kind)
            pages = reading.pages(kind) if reading else connector.pull(kind, cursor, until=as_of)
            _pull_kind(pages, warehouse, row, kind, report, cursor, on_progress)
        except RegelkreisError as error:
            report.error = str(error)
            log.warning("pull.failed", connection=connector.name, kind=kind.value, error=str(error))
        report.save()
        result.reports.append(report)
    row.last_pull_as_of = as_of
    row.last_error = "\n".join(result.errors)
    row.save(update_fields=["last_pull_as_of", "last_error"])
    return result


def _pull_kind(
    pages: Iterator[Page],
    warehouse: Warehouse,
    row: Connection,
    kind: RecordKind,
    report: PullReport,
    cursor: Cursor | None,
    on_progress: Progress | None,
) -> None:
    started = time.monotonic()
    for page in _gathered(pages):
        loaded = warehouse.load(kind, page.batch, seen_at=report.as_of, zones=zones())
        report.read += loaded.read
        report.new += loaded.new
        report.changed += loaded.changed
        report.unchanged += loaded.unchanged
        report.requests += page.requests
        report.retries += page.retries
        report.rejected += len(page.rejected)
        report.seconds = time.monotonic() - started
        with transaction.atomic():
            _remember(row, page, report.as_of)
            if loaded.new or loaded.changed or page.rejected:
                ledger.append(
                    "pull.loaded",
                    subject=f"{row.name}/{kind.value}",
                    actor=ledger.ENGINE,
                    at=report.as_of,
                    payload={
                        "cursor_from": cursor.updated_at.isoformat() if cursor else "",
                        "cursor_to": page.cursor.updated_at.isoformat(),
                        "read": loaded.read,
                        "new": loaded.new,
                        "changed": loaded.changed,
                        "rejected": len(page.rejected),
                        "digest": loaded.digest_sha256,
                    },
                )
        cursor = page.cursor
        if on_progress is not None:
            on_progress(row.name, kind, report.read)
    report.seconds = time.monotonic() - started


def _cursor(row: Connection, kind: RecordKind) -> Cursor | None:
    saved = PullCursor.objects.filter(connection=row, kind=kind.value).first()
    return Cursor(updated_at=saved.updated_at, tiebreak=saved.tiebreak) if saved else None


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


def _as_one(pages: list[Page]) -> Page:
    return Page(
        kind=pages[0].kind,
        batch=pa.concat_tables([page.batch for page in pages]),
        cursor=pages[-1].cursor,
        rejected=tuple(rejected for page in pages for rejected in page.rejected),
        requests=sum(page.requests for page in pages),
        retries=sum(page.retries for page in pages),
    )


def _remember(row: Connection, page: Page, seen_at: datetime) -> None:
    PullCursor.objects.update_or_create(
        connection=row,
        kind=page.kind.value,
        defaults={"updated_at": page.cursor.updated_at, "tiebreak": page.cursor.tiebreak},
    )
    for rejected in page.rejected:
        RejectedRecord.objects.update_or_create(
            connection=row,
            kind=rejected.kind.value,
            record_id=rejected.id,
            defaults={"field": rejected.field, "reason": rejected.reason, "seen_at": seen_at},
        )
