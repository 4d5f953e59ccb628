"""The open warehouse: what the steps of a cycle call."""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import ibis
import pyarrow as pa

from improvement import metrics
from improvement.errors import Place, RegelkreisError
from improvement.evidence.rows import rows_sha256
from improvement.metrics import CellQuery, Metric, Tables
from improvement.metrics.coded import Coded
from improvement.metrics.options import DEFAULTS, MetricOptions
from improvement.records import RecordKind
from workflows.warehouse import belonging, business_hours, loading, numbering
from workflows.warehouse.asking import number_of, rows_of, set_up, table_of
from workflows.warehouse.burying import IS_PULLED, Tombstones
from workflows.warehouse.business_hours import Calendars
from workflows.warehouse.kept import KeptCells, let_go
from workflows.warehouse.lease import lease
from workflows.warehouse.loading import NOTHING, LoadReport, Zones
from workflows.warehouse.local_days import derive_all
from workflows.warehouse.passes import (
    ANY_CONNECTION,
    Answers,
    CellsAsked,
    Counted,
    Member,
    Pass,
    by_themselves,
    on_connection,
    on_live_rows,
    together,
)
from workflows.warehouse.schema import TABLE_OF, create, is_current
from workflows.warehouse.threads import Threads
from workflows.warehouse.transactions import transaction

MEMORY_LIMIT = "96MB"
THREADS = 2
MENDS = {  # what DuckDB says of a file it cannot open → what to do; the first that fits
    "Permission denied": "Give our user the right to read and write it.",
    "Is a directory": "Name a file in the setting `warehouse`.",
    "WAL": "The .wal beside it is of another file: move it away. What it held is read again.",
    "not a valid DuckDB": "Correct the setting `warehouse`; if the file is damaged, move it away and pull again.",
    "": "Close other programs that have it open; if the file is damaged, move it away and pull again.",
}
_HELD: ContextVar[tuple[Path, Warehouse] | None] = ContextVar("open_warehouse", default=None)
SHARED_FROM = 200_000  # tickets in the file; below, compiling what shares a pass costs more than it saves
KEPT_FROM = 1_000_000  # tickets in the file; below, counting everything takes as long as noting what moves
_COMPILED: dict[tuple[CellQuery, str], str] = {}  # the same for every file: they all have the same tables


@ibis.udf.scalar.builtin(name="getvariable", signature=((str,), "timestamp('UTC')"))  # type: ignore[untyped-decorator]
def _moment(key: str) -> None:
    """A session variable of DuckDB: a constant to its planner, so that scans skip what lies outside."""


@ibis.udf.scalar.builtin(name="getvariable", signature=((str,), "int64"))  # type: ignore[untyped-decorator]
def _number(key: str) -> None:
    """As above, a whole number."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """Rows as they were counted, their digest, and the SQL that gave those of all scopes."""

    rows: pa.Table
    sha256: str
    sql: str


class Warehouse:
    """An open warehouse. Use :meth:`open`."""

    def __init__(self, backend: Any, raw: Any, threads: Threads) -> None:
        self._backend = backend
        self._raw = raw
        self._session = _Session(raw)
        self._zones: Zones | None = None  # as they are known to be in place
        self._threads = threads  # of the file, so shared by all siblings
        self._claimed_by = ""

    @classmethod
    @contextmanager
    def open(
        cls,
        path: Path,
        *,
        wait_s: float = 60,
        memory_limit: str = MEMORY_LIMIT,
        threads: int = THREADS,
        installation: str = "",
    ) -> Iterator[Warehouse]:
        """Open the file under its lease; wait up to ``wait_s`` seconds for whoever holds it.

        ``installation`` is ours: a file of another one is refused (belonging.py), and one that names nobody stays so
        until :meth:`claim`. Without it nobody asks whose it is.

        ``memory_limit`` is that of DuckDB's buffers; what does not fit spills beside the file. ``threads`` count one
        query. Whoever has it open already gets what is open.
        """
        held = _HELD.get()
        if held is not None and held[0] == path:
            yield held[1]
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with lease(path, wait_s):
            backend = _connected(path, memory_limit, threads)
            try:
                warehouse = cls(backend, backend.con, Threads(threads))
                if installation:
                    belonging.refuse_anothers(backend.con, path, installation)
                if not is_current(backend.con):
                    with transaction(backend.con):
                        create(backend.con)
                    derive_all(backend.con)
                token = _HELD.set((path, warehouse))
                try:
                    yield warehouse
                finally:
                    _HELD.reset(token)
            finally:
                backend.disconnect()

    @contextmanager
    def sibling(self) -> Iterator[Warehouse]:
        """The same file for a thread that loads, with a connection of its own."""
        raw = self._raw.cursor()
        other = Warehouse(self._backend, raw, self._threads)
        other._zones = self._zones
        try:
            yield other
        finally:
            raw.close()

    # --- writing ----------------------------------------------------------------------------------------------

    def claim(self, installation: str) -> None:
        """Make a file that names nobody this installation's. Whoever only looks at a file leaves it as it is."""
        if self._claimed_by != installation:
            belonging.claim(self._raw, installation)
            self._claimed_by = installation

    def load(self, kind: RecordKind, batch: pa.Table, *, seen_at: datetime, zones: Zones) -> LoadReport:
        """Upsert a batch of one connection's records by their natural key; see :meth:`load_together`."""
        reports = self.load_together(kind, batch, seen_at=seen_at, zones=zones)
        if not reports:
            return NOTHING
        (report,) = reports.values()
        return report

    def load_together(
        self, kind: RecordKind, batch: pa.Table, *, seen_at: datetime, zones: Zones
    ) -> dict[str, LoadReport]:
        """Upsert canonical records of any connections by their natural key, in one transaction; a report for each.

        Changes of fields that a metric reads are appended to the change log. A record that was a tombstone is alive
        again.
        """
        if zones != self._zones:
            self.use_zones(zones)
        with self._threads.one(self._raw):
            return loading.load(self._raw, kind, batch, seen_at=seen_at)

    def use_calendars(self, calendars: Calendars) -> None:
        """Put the business calendars in place; queries that count business time look them up from now on."""
        business_hours.use_calendars(self._raw, calendars)

    def use_zones(self, zones: Zones) -> None:
        """Put the zones in place; where a country's changed, local days are computed again."""
        loading.use_zones(self._raw, zones)
        self._zones = zones

    @property
    def tombstones(self) -> Tombstones:
        """Buries what is gone from its platform, and revives what came back."""
        return Tombstones(self._raw)

    # --- reading ----------------------------------------------------------------------------------------------

    def tables(self) -> Tables:
        """The canonical tables without tombstones, as lazy Ibis tables."""
        table = self._backend.table
        return Tables(
            tickets=table("live_tickets"),
            slas=table("live_slas"),
            surveys=table("live_surveys"),
            contacts=table("live_contacts"),
            outages=table("live_outages"),
            as_of=_moment("as_of"),
            first_day=_number("first_day"),
            last_day=_number("last_day"),
            calendar_steps=lambda: table(business_hours.STEPS),
        )

    def cells(self, query: CellQuery, *, as_of: datetime, first_week: int, last_week: int) -> pa.Table:
        """Weekly cells of a metric: ``by…, week, numerator, denominator, n[, stratum]``, sorted and complete.

        Compiled once per query; the moment and the weeks are variables.
        """
        one = Pass(self.sql(query), (Member(0, CellsAsked(query, first_week, last_week)),))
        found = self._session.found(one, as_of, first_week, last_week)
        return metrics.complete(metrics.metric_of(query), query, found, first_week=first_week, last_week=last_week)

    def cells_ahead(
        self,
        asked: Sequence[CellsAsked],
        *,
        as_of: datetime,
        shared_from: float = SHARED_FROM,
        kept_from: float = math.inf,
    ) -> Counted:
        """The same for many queries in numbers, computed in one other thread while this one loads other connections.

        Each sees what is committed when its turn comes. Close it before the warehouse closes. In a file of at least
        ``kept_from`` tickets what was counted the last time is brought up to date by what moved since (kept.py).
        """
        if kept_from < math.inf:
            let_go(self._raw, as_of)
        is_kept = self._tickets() >= kept_from
        # Compiled here: Ibis asks the connection of this thread.
        passes = self.passes(asked, shared_from=shared_from, is_kept=is_kept)
        return Counted(self._counted(passes, as_of), len(passes))

    def passes(
        self, asked: Sequence[CellsAsked], *, shared_from: float = SHARED_FROM, is_kept: bool = False
    ) -> list[Pass]:
        """How these are counted: each by itself, or together in a file of at least so many tickets."""
        if not is_kept and self._tickets() < shared_from:
            return by_themselves(asked, self.sql)
        return together(asked, self.sql, self.tables, is_kept=is_kept)

    def contributing(
        self, query: CellQuery, *, scope: Mapping[str, str], as_of: datetime, first_week: int, last_week: int
    ) -> pa.Table:
        """The rows behind one scope's value: ``by…, id, week, numerator, denominator``, sorted by week and id.

        Accounts never spoken to have no id: those of a contact gap are sorted by account, too.
        """
        self._session.set(as_of, first_week, last_week)
        conditions = " AND ".join(f'"{name}" = ?' for name in scope) or "true"
        rows = self._compiled(query, "rows")
        order = "week, id, numerator"
        if metrics.metric_of(query).fill is metrics.Fill.SINCE_LAST:
            order += ", account"
        sql = f"SELECT * FROM ({rows}) WHERE {conditions} ORDER BY {order}"
        return self.arrow(sql, list(scope.values()))

    def sql(self, query: CellQuery) -> str:
        """The SQL text of a cell query."""
        return self._compiled(query, "cells")

    def pinned(
        self, query: CellQuery, *, scope: Mapping[str, str], as_of: datetime, first_week: int, last_week: int
    ) -> Pinned:
        """The rows one scope's value rests on."""
        rows = self.contributing(query, scope=scope, as_of=as_of, first_week=first_week, last_week=last_week)
        return Pinned(rows, rows_sha256(rows), self._compiled(query, "rows"))

    def arrow(self, sql: str, parameters: list[Any] | dict[str, Any] | None = None) -> pa.Table:
        """The result of a SQL text as Arrow. Give an instant as ISO text and cast it: a datetime would load pytz."""
        return table_of(self._raw, sql, parameters)

    def count(self, kind: RecordKind, connection: str) -> int:
        """How many live records of a kind a connection has that its platform knows."""
        sql = f"SELECT count(*) AS n FROM {TABLE_OF[kind]} WHERE connection = ? AND vanished_at IS NULL AND {IS_PULLED}"
        return number_of(self._raw, sql, [connection])

    def holds(self, kind: RecordKind, connection: str) -> bool:
        """Whether there is any record of a kind that was pulled from a connection, gone from there or not."""
        sql = f"SELECT 1 FROM {TABLE_OF[kind]} WHERE connection = ? AND {IS_PULLED} LIMIT 1"
        return bool(rows_of(self._raw, sql, [connection]))

    def last_write(self, connection: str) -> int:
        """The number of the last write of a connection's records; 0 where there was none."""
        return numbering.last(self._raw, connection)

    def go_on_from(self, connection: str, number: int) -> None:
        """Let the next write of a connection's records have a number greater than this."""
        numbering.go_on_from(self._raw, connection, number)

    def oldest_update(self, connection: str) -> datetime:
        """When the ticket was updated that was not for the longest time; there must be one."""
        found: datetime = self.arrow("SELECT min(updated_at) AS at FROM tickets WHERE connection = ?", [connection])[
            "at"
        ][0].as_py()
        return found

    def changes(self, connection: str, *, since: datetime) -> pa.Table:
        """What changed in fields that metrics read: ``kind, key, field, old, new, seen_at``, oldest first."""
        return self.arrow(
            "SELECT kind, key, field, old, new, seen_at FROM change_log WHERE connection = ? "
            "AND seen_at >= ?::TIMESTAMPTZ ORDER BY seen_at, kind, key, field",
            [connection, since.isoformat()],
        )

    # --- inside -----------------------------------------------------------------------------------------------

    def _tickets(self) -> int:
        return number_of(self._raw, "SELECT count(*) FROM tickets")

    def _counted(self, passes: Sequence[Pass], as_of: datetime) -> Iterator[list[Coded]]:
        """The cells of all that is asked, in its order, as passes complete them."""
        answers = Answers(passes)
        with self.sibling() as other:
            kept: dict[str, KeptCells] = {}

            def count(one: Pass, first: int) -> pa.Table:
                return other._session.found(one, as_of, first, one.last_week)

            for name in dict.fromkeys(one.connection for one in passes if one.signed):
                of_name = [one for one in passes if one.signed and one.connection == name]
                kept[name] = KeptCells(other._raw, name, of_name, as_of=as_of)
            for one in passes:
                if one.signed:
                    answers.add(one, kept[one.connection].found(one, one.signed, count))
                else:
                    answers.add(one, count(one, one.first_week))
                if complete := answers.take():
                    yield complete
            for store in kept.values():
                store.save()

    def _compiled(self, query: CellQuery, what: str) -> str:
        """A query as DuckDB's SQL; kept for the life of the process, because compiling costs more than running.

        All connections share what is compiled for one: only the name differs.
        """
        of_any = replace(query, connection=ANY_CONNECTION)
        if (of_any, what) not in _COMPILED:
            build = metrics.expression if what == "cells" else metrics.contributing
            _COMPILED[of_any, what] = str(ibis.to_sql(build(of_any, self.tables()), dialect="duckdb", pretty=False))
        return on_connection(_COMPILED[of_any, what], query.connection)


class _Session:
    """A DuckDB connection with the variables of the queries that run on it."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._variables: dict[str, str] = {}  # as they are set now
        set_up(raw)

    def found(self, one: Pass, as_of: datetime, first_week: int, last_week: int) -> pa.Table:
        self.set(as_of, first_week, last_week)
        return table_of(self._raw, on_live_rows(one.sql))

    def set(self, as_of: datetime, first_week: int, last_week: int) -> None:
        wanted = {
            "as_of": f"TIMESTAMPTZ '{as_of.astimezone(UTC).isoformat()}'",
            "first_day": f"{int(first_week) * 7 - 3}::BIGINT",
            "last_day": f"{int(last_week) * 7 + 3}::BIGINT",
        }
        for name, value in wanted.items():
            if self._variables.get(name) != value:
                self._raw.execute(f"SET VARIABLE {name} = {value}")
                self._variables[name] = value


def sql_of(metric: Metric, *, options: MetricOptions = DEFAULTS, calendars: Calendars | None = None) -> str:
    """A metric's SQL, grouped by customer, country and service, as it runs on an empty warehouse."""
    backend = ibis.duckdb.connect()
    try:
        create(backend.con)
        business_hours.use_calendars(backend.con, calendars or Calendars())
        by = ("customer", "country", "service")
        query = CellQuery(metric.id, "CONNECTION", by=by, tau_h=metric.tau_h, options=options)
        tables = Warehouse(backend, backend.con, Threads(1)).tables()
        return str(ibis.to_sql(metrics.expression(query, tables), dialect="duckdb", pretty=True))
    finally:
        backend.disconnect()


def _megabytes(memory: str) -> int:
    """As written in the settings: ``96MB`` or ``1GB``."""
    return int(memory[:-2]) * (1024 if memory.endswith("GB") else 1)


def _connected(path: Path, memory_limit: str, threads: int) -> Any:
    try:
        backend = ibis.duckdb.connect(path)
    except duckdb.Error as error:
        why = str(error).splitlines()[0].rstrip(".!")
        mend = next(text for sign, text in MENDS.items() if sign in why)
        raise RegelkreisError(
            f"The warehouse cannot be opened: {why}.", where=Place(file=str(path)), mend=mend
        ) from error
    settings = {
        "memory_limit": f"'{memory_limit}'",
        "threads": threads,
        # Some batches: a checkpoint after each would write every row group twice.
        "checkpoint_threshold": f"'{_megabytes(memory_limit) // 3}MB'",
        "preserve_insertion_order": "false",
    }
    for name, value in settings.items():
        backend.con.execute(f"SET {name} = {value}")
    return backend
