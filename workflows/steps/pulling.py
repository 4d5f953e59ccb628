"""One pull of one connection under way: what was loaded is counted and written down, then what is gone is looked for.

The warehouse commits first, then cursor and ledger entry in one transaction of the state: a crash in between only
reads the overlap again, and the upsert makes that free.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import msgspec
import pyarrow.compute as pc
import structlog
from django.conf import settings
from django.db import connection as state
from django.db import transaction

from connectors.base import Connector, Cursor, Page, ReadsByIds
from improvement.errors import RegelkreisError, ShutOut
from improvement.records import RecordKind
from workflows.evidence import ledger
from workflows.hooks import hints
from workflows.models import Connection, LedgerEntry, PullCursor, PullReport, RejectedRecord
from workflows.restating.how_far import step_back
from workflows.steps.backfill import Reached, spans
from workflows.steps.departures import Departed, Departures, LoadedPage, Looked, Schedule
from workflows.steps.loads import Load, Loads
from workflows.steps.lost_warehouse import begin_again_where_lost
from workflows.steps.reading import Loading, anew_of, counted, cursors_of, zones
from workflows.unforeseen import held
from workflows.warehouse import Warehouse

log = structlog.get_logger()
Progress = Callable[[Reached], None]
# In SQL of our own, because every load says these: Django would compose them anew each time.
WROTE = f"UPDATE {Connection._meta.db_table} SET last_write = %s WHERE name = %s AND last_write < %s"  # noqa: S608
MOVED = (
    f"INSERT INTO {PullCursor._meta.db_table} (connection_id, kind, updated_at, tiebreak) VALUES (%s, %s, %s, %s) "  # noqa: S608
    "ON CONFLICT (connection_id, kind) DO UPDATE SET updated_at = excluded.updated_at, tiebreak = excluded.tiebreak"
)


@dataclass(slots=True)
class PullResult:
    """What one pull of one connection did, by record kind."""

    connection: str
    reports: list[PullReport] = field(default_factory=list)
    problem: str = ""  # why the connection could not be opened at all
    is_shut_out: bool = False  # nobody answered us, or our credentials were refused
    lost: str = ""  # what the warehouse had lost, and is read again

    @property
    def read(self) -> int:
        """Records read, all kinds."""
        return sum(report.read for report in self.reports)

    @property
    def deleted(self) -> int:
        """Records found gone from the platform, all kinds."""
        return sum(report.deleted for report in self.reports)

    @property
    def errors(self) -> list[str]:
        """Why kinds could not be pulled; what several met alike is said once."""
        return list(dict.fromkeys(text for text in (self.problem, *(one.error for one in self.reports)) if text))

    @property
    def notes(self) -> list[str]:
        """What the warehouse had lost, what the platform does not show or tell of deletions, and what to do about it.

        What several kinds met alike is said once, with all of them.
        """
        kinds: dict[str, list[str]] = {}
        for report in self.reports:
            for line in report.notes.splitlines():
                kinds.setdefault(line, []).append(report.kind)
        lost = [self.lost] if self.lost else []
        return lost + [f"{', '.join(met)}: {line}" for line, met in kinds.items()]

    @property
    def missing(self) -> frozenset[RecordKind]:
        """The kinds that could not be pulled to their end: what is counted from them would be too few."""
        return frozenset(RecordKind(report.kind) for report in self.reports if report.error)

    def of(self, kind: RecordKind) -> PullReport | None:
        """The report of one kind."""
        return next((report for report in self.reports if report.kind == kind.value), None)


@contextmanager
def _reported(report: PullReport, *, is_told: bool = False) -> Iterator[None]:
    """One kind's failure stands in its report and does not stop the others. ``is_told``: an earlier kind met it."""
    try:
        yield
    except RegelkreisError as error:
        report.error = str(error)
        if not is_told:
            report.requests += error.asked[0]
            report.retries += error.asked[1]
            log.warning("pull.failed", connection=report.connection_id, kind=report.kind, error=str(error))


@dataclass(slots=True)
class Pulling:
    """One pull of one connection under way: begin it, note what was loaded kind by kind, finish it.

    Several may be noted down in turns, so that nobody's loads wait for another connection's end.
    """

    connector: Connector
    warehouse: Warehouse
    row: Connection
    as_of: datetime
    on_progress: Progress | None
    cursors: Mapping[RecordKind, Cursor | None]  # as they stood when it began
    begun: datetime  # by our clock, whatever the moment it is for
    reports: Mapping[RecordKind, PullReport]
    loading: Loading | None = None
    lost: str = ""
    anew: frozenset[RecordKind] = frozenset()  # read before, but from the beginning now: the mapping is another
    since: datetime | None = None  # what was updated before is not read by whoever begins
    totals: dict[RecordKind, int | None] = field(default_factory=dict)  # of kinds never read before
    shut_out: str = ""  # why nobody lets us in: then nothing else is asked
    _rejected: defaultdict[RecordKind, set[str]] | None = None
    _noted: dict[RecordKind, Cursor | None] = field(default_factory=dict)  # how far, of what came along

    @classmethod
    def begin(
        cls,
        connector: Connector,
        warehouse: Warehouse,
        *,
        as_of: datetime,
        on_progress: Progress | None = None,
        loading: Loading | None = None,
    ) -> Pulling:
        """Fetch how far everything was read. See :func:`pull` for the parameters."""
        row = Connection.objects.get(name=connector.name)
        if loading is None:
            lost = begin_again_where_lost(row, warehouse, connector.kinds(), as_of)
            step_back(row.name, as_of)
        else:
            lost = loading.lost[row.name]
        cursors = cursors_of(row, connector)
        return cls(
            connector,
            warehouse,
            row,
            as_of,
            on_progress,
            cursors,
            loading.begun[row.name] if loading is not None else datetime.now(UTC),
            {kind: PullReport(connection=row, kind=kind.value, as_of=as_of) for kind in connector.kinds()},
            loading,
            lost,
            anew_of(row, cursors),
        )

    @property
    def kinds(self) -> Sequence[RecordKind]:
        """In pull order."""
        return tuple(self.reports)

    def note_loaded(self, kind: RecordKind) -> None:
        """Write down what the loading under way loads of a kind, up to its end; to be asked for in their order."""
        report = self.reports[kind]
        if not report.error:  # else something of it that came along could not be noted: nothing after it counts
            with _reported(report, is_told=bool(self.shut_out)), self._noticing():
                self.note(kind, report, self._loaded(kind), self._noted.get(kind, self.cursors[kind]))

    def finish(self, *, is_counted: bool = False, is_reconciled: bool = False) -> PullResult:
        """Look for what is gone, keep the reports, and tell."""
        result = PullResult(self.row.name, list(self.reports.values()), lost=self.lost, is_shut_out=bool(self.shut_out))
        PullReport.objects.bulk_create(result.reports)
        self._look_for_departures(
            Departures(
                self.connector,
                self.warehouse,
                self.as_of,
                _schedule(self.row.name),
                is_counted=is_counted,
                is_forced=is_reconciled,
                around=partial(held, "looking for what is gone", connection=self.row.name),
            )
        )
        self.row.last_pull_as_of = self.as_of
        self.row.last_error = "\n".join(result.errors)
        with transaction.atomic():
            self.row.save(update_fields=["reconciled", "last_pull_as_of", "last_error"])
            for report in result.reports:
                report.save()
        if not result.errors:
            hints.answer(self.row.name, as_of=self.as_of)
        return result

    def read_all(self, since: datetime | None) -> None:
        """Read every kind from its cursor, or again from an earlier instant; long spans month by month."""
        self.since = since
        requests, retries = self.connector.traffic()
        saved = self.cursors
        starts = dict(saved)
        for kind, cursor in saved.items():
            if since is not None and (cursor is None or since < cursor.updated_at):
                starts[kind] = Cursor(updated_at=since)
        is_begun = {kind: saved[kind] is not None or kind in self.anew for kind in saved}
        is_again = {kind: is_begun[kind] and starts[kind] is not saved[kind] for kind in saved}
        if self.on_progress is not None:
            for kind in (kind for kind in saved if saved[kind] is None):
                try:
                    with held("counting", connection=self.row.name):
                        self.totals[kind] = self.connector.count(kind, until=self.as_of)
                except ShutOut:
                    break
                except RegelkreisError:
                    continue  # reading meets it too, and then it is reported
        begins = [start.updated_at if start is not None else None for start in starts.values()]
        ends = spans(self.connector, begins, as_of=self.as_of)
        now = self.connector.traffic()
        for report in list(self.reports.values())[:1]:  # what was asked before is told with the first kind
            report.requests += now[0] - requests
            report.retries += now[1] - retries
        for until in ends:
            for kind, report in self.reports.items():
                start = starts[kind]
                report.error = report.error or self.shut_out
                if report.error or (start is not None and start.updated_at >= until and until < self.as_of):
                    continue
                with _reported(report), self._noticing():
                    loads = self._loads(kind, start, until)
                    starts[kind] = self.note(kind, report, loads, start, keeps_cursor=is_again[kind], until=until)

    def note(
        self,
        kind: RecordKind,
        report: PullReport,
        loads: Iterator[Load],
        start: Cursor | None,
        *,
        keeps_cursor: bool = False,
        until: datetime | None = None,
    ) -> Cursor | None:
        """Count what is loaded; the cursor moves on load by load, or not at all. Returns where it would stand."""
        started = time.monotonic()
        cursor = start
        for page, loaded in loads:
            self._note_load(kind, report, page, loaded, cursor, keeps_cursor=keeps_cursor)
            cursor = page.cursor
            if self.on_progress is not None:
                reached = Reached(self.row.name, kind, report.read, self.totals.get(kind), until or self.as_of)
                self.on_progress(reached)
        report.seconds += time.monotonic() - started
        return cursor

    # --- inside -----------------------------------------------------------------------------------------------

    def _look_for_departures(self, departures: Departures) -> None:
        """What is gone from the platform, kind by kind; only of kinds that were read to their end."""
        for kind, report in self.reports.items():
            if report.error:
                continue
            started = time.monotonic()
            requests, retries = self.connector.traffic()
            looked = msgspec.convert(self.row.reconciled.get(kind.value, {}), Looked)
            is_anew = kind in self.anew
            is_new = self.cursors[kind] is None and not is_anew
            if is_anew and self.since is None:
                looked.is_whole = True  # whatever a person left out when it began, all of it was read now
            if looked.is_whole is None:
                looked.is_whole = self.since is None if is_new else _began_at_the_beginning(self.row.name, kind)
            departed = departures.look(
                kind,
                looked,
                is_new=is_new,
                read_by_ids=lambda ids, kind=kind: self._read_by_ids(kind, ids),  # type: ignore[misc]
                unreadable=sorted(self._unreadable(kind)),
                read_again=lambda since, kind=kind, report=report: self._read_again(kind, report, since),  # type: ignore[misc]
            )
            self._count(report, kind, departed)
            now = self.connector.traffic()
            report.requests += now[0] - requests
            report.retries += now[1] - retries
            report.seconds += time.monotonic() - started
            self.row.reconciled[kind.value] = msgspec.to_builtins(looked)
            if departed.deleted or departed.revived or departed.lacked:  # at once: nobody could find them a second time
                self.row.last_write = self.warehouse.last_write(self.row.name)
                with transaction.atomic():
                    report.save()
                    self.row.save(update_fields=["reconciled", "last_write"])
                    self._note_departures(kind, departed)

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except ShutOut as error:
            self.shut_out = str(error)
            raise

    def _loaded(self, kind: RecordKind) -> Iterator[Load]:
        """What is loaded of a kind; what came along with it is noted at once, as its own kind's."""
        assert self.loading is not None
        for page, loaded in self.loading.loads(self.row.name, kind):
            if page.kind is kind:
                yield page, loaded
            elif not (report := self.reports[page.kind]).error:
                with _reported(report):
                    start = self._noted.get(page.kind, self.cursors[page.kind])
                    self._noted[page.kind] = self.note(page.kind, report, iter([(page, loaded)]), start)

    def _loads(self, kind: RecordKind, cursor: Cursor | None, until: datetime) -> Iterator[Load]:
        return self._loads_of(kind, counted(self.connector, lambda: self.connector.pull(kind, cursor, until=until)))

    def _loads_of(self, kind: RecordKind, pages: Iterator[Page]) -> Iterator[Load]:
        for _, told in Loads(self.warehouse, seen_at=self.as_of, where=zones()).of(kind, {self.row.name: pages}):
            if isinstance(told, RegelkreisError):
                raise told
            if told is not None:
                yield told

    def _note_load(
        self,
        kind: RecordKind,
        report: PullReport,
        page: Page,
        loaded: LoadedPage,
        cursor: Cursor | None,
        *,
        keeps_cursor: bool,
    ) -> None:
        report.add(loaded.report, page, deleted=loaded.left_out)
        report.restated += loaded.report.restated
        newest = pc.max(page.batch["updated_at"]).as_py()
        if newest is not None:
            lag_s = (self.as_of - newest).total_seconds()
            report.lag_s = lag_s if report.lag_s is None else min(report.lag_s, lag_s)
        write = self.warehouse.last_write(self.row.name) if loaded.left_out else loaded.report.write
        with transaction.atomic():
            with state.cursor() as sql:
                if write:
                    sql.execute(WROTE, (write, self.row.pk, write))
                if not keeps_cursor:
                    until = min(page.cursor.updated_at, self.begun)  # what is to come was not read yet
                    moved = state.ops.adapt_datetimefield_value(until)
                    sql.execute(MOVED, (self.row.pk, kind.value, moved, page.cursor.tiebreak))
            self._keep_rejected(kind, page)
            if loaded.report.new or loaded.report.changed or loaded.left_out or page.rejected:
                ledger.append(
                    "pull.loaded",
                    subject=f"{self.row.name}/{kind.value}",
                    actor=ledger.ENGINE,
                    at=self.as_of,
                    payload={
                        "cursor_from": cursor.updated_at.isoformat() if cursor else "",
                        "cursor_to": page.cursor.updated_at.isoformat(),
                        "tiebreak": page.cursor.tiebreak,
                        "moves_cursor": not keeps_cursor,
                        "read": loaded.report.read,
                        "new": loaded.report.new,
                        "changed": loaded.report.changed,
                        "deleted": loaded.left_out,
                        "rejected": len(page.rejected_ids),
                        "digest": loaded.report.digest_sha256,
                        "write": write,
                    },
                )

    def _keep_rejected(self, kind: RecordKind, page: Page) -> None:
        """Remember what could not be read, and forget what now could."""
        known = self._unreadable(kind)
        if page.batch.num_rows and known and (read := known & set(page.batch["id"].to_pylist())):
            RejectedRecord.objects.filter(connection=self.row, kind=kind.value, record_id__in=read).delete()
            known -= read
        for rejected in page.rejected:
            RejectedRecord.objects.update_or_create(
                connection=self.row,
                kind=rejected.kind.value,
                record_id=rejected.id,
                defaults={"field": rejected.field, "reason": rejected.reason, "seen_at": self.as_of},
            )
            self._unreadable(rejected.kind).add(rejected.id)

    def _unreadable(self, kind: RecordKind) -> set[str]:
        """Ids of the records of a kind that could not be read; asked for once a pull, then kept up to date."""
        if self._rejected is None:
            self._rejected = defaultdict(set)
            for name, record_id in RejectedRecord.objects.filter(connection=self.row).values_list("kind", "record_id"):
                self._rejected[RecordKind(name)].add(record_id)
        return self._rejected[kind]

    def _read_again(self, kind: RecordKind, report: PullReport, since: datetime) -> None:
        start = Cursor(updated_at=since)
        pages = _untold(self.connector.pull(kind, start, until=self.as_of))
        self.note(kind, report, self._loads_of(kind, pages), start, keeps_cursor=True)

    def _read_by_ids(self, kind: RecordKind, ids: Sequence[str]) -> int:
        """Read these records and what is inside them; no cursor moves. Returns how many could not be read.

        A ticket comes last: whoever is killed in between still lacks it, and reads it with its parts once more.
        """
        assert isinstance(self.connector, ReadsByIds)
        before = len(self._unreadable(kind))
        inside = self.connector.inside_tickets() if kind is RecordKind.TICKET else ()
        start = Cursor(updated_at=self.as_of)
        for one in (each for each in (*inside, kind) if each in self.reports):
            pages = _untold(self.connector.read_by_ids(one, ids, until=self.as_of))
            self.note(one, self.reports[one], self._loads_of(one, pages), start, keeps_cursor=True)
        return len(self._unreadable(kind)) - before

    def _count(self, report: PullReport, kind: RecordKind, departed: Departed) -> None:
        report.deleted += departed.deleted
        report.note(departed.notes)
        if departed.counted is not None:
            report.platform_count = departed.counted
            report.warehouse_count = self.warehouse.tombstones.standing(kind, self.row.name)

    def _note_departures(self, kind: RecordKind, departed: Departed) -> None:
        ledger.append(
            "pull.departed",
            subject=f"{self.row.name}/{kind.value}",
            actor=ledger.ENGINE,
            at=self.as_of,
            payload={
                "deleted": departed.deleted,
                "found": departed.by,
                "revived": departed.revived,
                "ids_sha256": departed.ids_sha256,
                "lacked": len(departed.lacked),
                "lacked_sha256": departed.lacked_sha256,
            },
        )


def _untold(pages: Iterator[Page]) -> Iterator[Page]:
    """Pages without their requests: whoever looks for what is gone counts those by the connector's traffic."""
    return (msgspec.structs.replace(page, requests=0, retries=0) for page in pages)


def _began_at_the_beginning(name: str, kind: RecordKind) -> bool | None:
    """Whether a kind was once read from the beginning; None where the ledger does not tell."""
    entry = LedgerEntry.objects.filter(subject=f"{name}/{kind.value}", type="pull.loaded").order_by("index").first()
    if entry is None:
        return None
    return True if json.loads(bytes(entry.data))["payload"]["cursor_from"] == "" else None


def _schedule(name: str) -> Schedule:
    """How often a connection is asked for what is gone."""
    config = settings.REGELKREIS.connections.get(name)
    if config is None:
        return Schedule()
    return Schedule(config.reconcile_days, config.list_days, config.review_weeks)
