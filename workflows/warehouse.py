"""The warehouse: canonical records in one DuckDB file, read through Ibis.

Everything that only DuckDB can do lives here. One process at a time: the file is opened under a lease and a second
opener waits with a message. A load is one transaction, so a killed process leaves nothing half-written.
"""

from __future__ import annotations

import fcntl
import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import structlog

from improvement import metrics
from improvement.errors import Place, RegelkreisError
from improvement.metrics import CellQuery, Metric, Tables
from improvement.records import NATURAL_KEYS, SCHEMAS, RecordKind

log = structlog.get_logger()

TABLE_OF = {kind: f"{kind.value}s" for kind in RecordKind}
DAYS: dict[RecordKind, dict[str, str]] = {  # local day column → the instant it is taken from
    RecordKind.TICKET: {"opened_day": "opened_at", "resolved_day": "resolved_at", "closed_day": "closed_at"},
    RecordKind.SLA: {"decided_day": "decided_at", "end_day": "end_at"},
    RecordKind.SURVEY: {"answered_day": "answered_at"},
    RecordKind.CONTACT: {"at_day": "at"},
    RecordKind.OUTAGE: {"begin_day": "begin_at"},
}
READ_BY_METRICS: dict[RecordKind, tuple[str, ...]] = {
    RecordKind.TICKET: (
        "kind state priority is_major customer country service supplier category assignment_group opened_at "
        "resolved_at closed_at reopen_count reassignment_count risk is_successful"
    ).split(),  # type: ignore[dict-item]
    RecordKind.SLA: "target agreement supplier stage is_breached start_at end_at breach_at goal_s elapsed_s".split(),  # type: ignore[dict-item]
    RecordKind.SURVEY: "kind ticket_id customer country service answered_at score".split(),  # type: ignore[dict-item]
    RecordKind.CONTACT: "kind customer country service at".split(),  # type: ignore[dict-item]
    RecordKind.OUTAGE: "kind service customer country begin_at end_at".split(),  # type: ignore[dict-item]
}
SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


@dataclass(frozen=True, slots=True)
class Zones:
    """In which IANA zone each country's days and weeks are counted."""

    by_country: Mapping[str, str] = field(default_factory=dict)
    default: str = "UTC"


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What one load did; ``digest_sha256`` is that of the batch's rows in canonical order."""

    read: int
    new: int
    changed: int
    unchanged: int
    digest_sha256: str


class Warehouse:
    """An open warehouse. Use :meth:`open`."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._raw = backend.con
        self._sql: dict[CellQuery, str] = {}
        self._zones: Zones | None = None

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, wait_s: float = 60, memory_limit: str = "400MB") -> Iterator[Warehouse]:
        """Open the file under its lease; wait up to ``wait_s`` seconds for whoever holds it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with _lease(path, wait_s):
            backend = ibis.duckdb.connect(path)
            try:
                raw = backend.con
                raw.execute("SET TimeZone = 'UTC'")
                raw.execute(f"SET memory_limit = '{memory_limit}'")
                raw.execute("SET preserve_insertion_order = false")
                raw.execute("SET threads = 2")
                warehouse = cls(backend)
                warehouse._create()
                yield warehouse
            finally:
                backend.disconnect()

    # --- writing ----------------------------------------------------------------------------------------------

    def load(self, kind: RecordKind, batch: pa.Table, *, seen_at: datetime, zones: Zones) -> LoadReport:
        """Upsert a batch of canonical records by their natural key, in one transaction.

        Changes of fields that a metric reads are appended to the change log. A record whose key was a tombstone is
        alive again.
        """
        if batch.num_rows == 0:
            return LoadReport(0, 0, 0, 0, hashlib.sha256(b"").hexdigest())
        self._use(zones)
        table = TABLE_OF[kind]
        self._raw.register("arrived", batch.select(SCHEMAS[kind].names))
        try:
            self._raw.execute("BEGIN")
            self._raw.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS {_incoming_sql(kind)}")
            self._raw.execute(f"CREATE OR REPLACE TEMP TABLE standing AS {_standing_sql(kind)}")
            counts = self._one("SELECT count(*) AS seen, count(*) FILTER (was_hash IS NULL) AS new, "
                               "count(*) FILTER (was_hash <> row_hash OR was_gone) AS changed FROM standing")  # fmt: skip
            digest = self._one("SELECT sha256(coalesce(string_agg(row_hash, '' ORDER BY row_hash), '')) AS digest FROM standing")
            if counts["new"] or counts["changed"]:
                self._log_changes(kind, seen_at)
                self._replace(kind, table, seen_at)
            self._raw.execute("COMMIT")
        except Exception:
            self._raw.execute("ROLLBACK")
            raise
        finally:
            self._raw.unregister("arrived")
        seen, new, changed = int(counts["seen"]), int(counts["new"]), int(counts["changed"])
        return LoadReport(batch.num_rows, new, changed, seen - new - changed, str(digest["digest"]))

    def delete_missing(self, kind: RecordKind, connection: str, present_ids: pa.Array, *, seen_at: datetime) -> int:
        """Turn every record of the connection whose platform id is not among these into a tombstone."""
        table = TABLE_OF[kind]
        self._raw.register("present", pa.table({"id": present_ids}))
        try:
            gone = "connection = ? AND vanished_at IS NULL AND id NOT IN (SELECT id FROM present)"
            count = self._one(f"SELECT count(*) AS n FROM {table} WHERE {gone}", [connection])["n"]
            self._raw.execute(f"UPDATE {table} SET vanished_at = ? WHERE {gone}", [seen_at, connection])
        finally:
            self._raw.unregister("present")
        return int(count)

    # --- reading ----------------------------------------------------------------------------------------------

    def tables(self) -> Tables:
        """The canonical tables without tombstones, as lazy Ibis tables."""
        backend = self._backend
        return Tables(
            tickets=backend.table("live_tickets"),
            slas=backend.table("live_slas"),
            surveys=backend.table("live_surveys"),
            contacts=backend.table("live_contacts"),
            outages=backend.table("live_outages"),
            parameters=backend.table("parameters"),
        )

    def cells(self, query: CellQuery, *, as_of: datetime, first_week: int, last_week: int) -> pa.Table:
        """Weekly cells of a metric: ``by…, week, numerator, denominator, n[, stratum]``, sorted and complete.

        Compiled once per query; the moment and the weeks are data.
        """
        metric = metrics.metric_named(query.metric)
        self._set(as_of, first_week, last_week)
        found = self._raw.sql(self.sql(query)).to_arrow_table()
        return metrics.complete(metric, query, found, first_week=first_week, last_week=last_week)

    def sql(self, query: CellQuery) -> str:
        """The SQL text of a cell query."""
        if query not in self._sql:
            self._sql[query] = str(ibis.to_sql(metrics.expression(query, self.tables()), dialect="duckdb"))
        return self._sql[query]

    def pinned(
        self, query: CellQuery, *, scope: Mapping[str, str], as_of: datetime, first_week: int, last_week: int
    ) -> tuple[str, str]:
        """Digest of the cells one scope's value rests on, and the SQL that gave them."""
        cells = self.cells(query, as_of=as_of, first_week=first_week, last_week=last_week)
        return digest_of(metrics.scope_rows(cells, scope)), self.sql(query)

    def arrow(self, sql: str, parameters: list[Any] | None = None) -> pa.Table:
        """The result of a SQL text as Arrow."""
        relation = self._raw.sql(sql, params=parameters) if parameters else self._raw.sql(sql)
        return relation.to_arrow_table()

    def count(self, kind: RecordKind, connection: str) -> int:
        """How many live records of a kind a connection has."""
        sql = f"SELECT count(*) AS n FROM {TABLE_OF[kind]} WHERE connection = ? AND vanished_at IS NULL"
        return int(self._one(sql, [connection])["n"])

    # --- inside -----------------------------------------------------------------------------------------------

    def _one(self, sql: str, parameters: list[Any] | None = None) -> dict[str, Any]:
        rows: list[dict[str, Any]] = self.arrow(sql, parameters).to_pylist()
        return rows[0]

    def _create(self) -> None:
        for kind in RecordKind:
            columns = [f'"{item.name}" {SQL_TYPES[item.type]}' for item in SCHEMAS[kind]]
            if kind is RecordKind.SLA:
                columns += ["n BIGINT", "decided_at TIMESTAMPTZ"]
            columns += [f"{day} BIGINT" for day in DAYS[kind]]
            columns += ["row_hash VARCHAR", "first_seen_at TIMESTAMPTZ", "last_seen_at TIMESTAMPTZ", "vanished_at TIMESTAMPTZ"]
            self._raw.execute(f"CREATE TABLE IF NOT EXISTS {TABLE_OF[kind]} ({', '.join(columns)})")
        self._raw.execute(
            "CREATE TABLE IF NOT EXISTS change_log (kind VARCHAR, connection VARCHAR, id VARCHAR, field VARCHAR, "
            "old VARCHAR, new VARCHAR, seen_at TIMESTAMPTZ)"
        )
        self._raw.execute(
            "CREATE TABLE IF NOT EXISTS parameters (as_of TIMESTAMPTZ, first_week BIGINT, last_week BIGINT)"
        )
        self._raw.execute("CREATE TABLE IF NOT EXISTS zones (country VARCHAR, zone VARCHAR)")
        for name, sql in VIEWS.items():
            self._raw.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")

    def _use(self, zones: Zones) -> None:
        if zones == self._zones:
            return
        rows = [*zones.by_country.items(), ("", zones.default)]
        self._raw.execute("DELETE FROM zones")
        self._raw.executemany("INSERT INTO zones VALUES (?, ?)", rows)
        self._zones = zones

    def _set(self, as_of: datetime, first_week: int, last_week: int) -> None:
        self._raw.execute("DELETE FROM parameters")
        self._raw.execute("INSERT INTO parameters VALUES (?, ?, ?)", [as_of, first_week, last_week])

    def _log_changes(self, kind: RecordKind, seen_at: datetime) -> None:
        fields = READ_BY_METRICS[kind]
        parts = [
            f"SELECT '{kind.value}', s.connection, s.id, '{name}', CAST(t.\"{name}\" AS VARCHAR), "
            f'CAST(i."{name}" AS VARCHAR), $seen FROM standing s JOIN incoming i USING (position) '
            f"JOIN {TABLE_OF[kind]} t ON t.rowid = s.was_row "
            f'WHERE s.was_hash <> s.row_hash AND t."{name}" IS DISTINCT FROM i."{name}"'
            for name in fields
        ]
        self._raw.execute(f"INSERT INTO change_log {' UNION ALL '.join(parts)}", {"seen": seen_at})

    def _replace(self, kind: RecordKind, table: str, seen_at: datetime) -> None:
        differs = "(s.was_hash IS NULL OR s.was_hash <> s.row_hash OR s.was_gone)"
        self._raw.execute(
            f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT i.* EXCLUDE (position), "
            f"coalesce(s.was_first_seen, $seen) AS first_seen_at, $seen AS last_seen_at, "
            f"CAST(NULL AS TIMESTAMPTZ) AS vanished_at FROM incoming i JOIN standing s USING (position) WHERE {differs}",
            {"seen": seen_at},
        )
        self._raw.execute(f"DELETE FROM {table} WHERE rowid IN (SELECT s.was_row FROM standing s WHERE s.was_row IS NOT NULL AND {differs})")
        if kind is RecordKind.SLA:  # a clock that was cancelled since changes its place in the order
            self._raw.execute(f"DELETE FROM {table} t USING fresh f WHERE t.connection = f.connection AND t.id = f.id")
        self._raw.execute(f"INSERT INTO {table} BY NAME SELECT * FROM fresh")


def digest_of(cells: pa.Table) -> str:
    """SHA-256 of a table's rows as text, independent of the engine's memory layout."""
    rows = zip(*(cells[name].to_pylist() for name in cells.column_names), strict=True)
    return hashlib.sha256("\n".join("\x1f".join(repr(value) for value in row) for row in rows).encode()).hexdigest()


def sql_of(metric: Metric) -> str:
    """A metric's SQL, grouped by customer, country and service, as it runs on an empty warehouse."""
    backend = ibis.duckdb.connect()
    try:
        warehouse = Warehouse(backend)
        warehouse._create()
        query = CellQuery(metric.id, "CONNECTION", by=("customer", "country", "service"), tau_h=metric.tau_h)
        return str(ibis.to_sql(metrics.expression(query, warehouse.tables()), dialect="duckdb", pretty=True))
    finally:
        backend.disconnect()


VIEWS = {
    "live_tickets": "SELECT * FROM tickets WHERE vanished_at IS NULL",
    "live_slas": (
        "SELECT s.* EXCLUDE (supplier), coalesce(s.supplier, t.supplier) AS supplier, t.kind, t.customer, t.country, "
        "t.service, t.category, t.assignment_group, t.priority FROM slas s LEFT JOIN tickets t "
        "ON t.connection = s.connection AND t.id = s.ticket_id WHERE s.vanished_at IS NULL AND t.vanished_at IS NULL"
    ),
    "live_surveys": (
        "SELECT s.* EXCLUDE (kind, customer, country, service), s.kind AS survey_kind, "
        "coalesce(s.customer, t.customer) AS customer, coalesce(s.country, t.country) AS country, "
        "coalesce(s.service, t.service) AS service, t.kind, t.supplier, t.category, t.assignment_group, t.priority "
        "FROM surveys s LEFT JOIN tickets t ON t.connection = s.connection AND t.id = s.ticket_id "
        "WHERE s.vanished_at IS NULL"
    ),
    "live_contacts": (
        "SELECT *, CAST(NULL AS VARCHAR) AS supplier, CAST(NULL AS VARCHAR) AS category, "
        "CAST(NULL AS VARCHAR) AS assignment_group, CAST(NULL AS BIGINT) AS priority FROM contacts "
        "WHERE vanished_at IS NULL"
    ),
    "live_outages": "SELECT * FROM outages WHERE vanished_at IS NULL",
}


def _incoming_sql(kind: RecordKind) -> str:
    """The batch with its derived columns: order among clocks, local days, row hash; one row per natural key."""
    names = SCHEMAS[kind].names
    source = "(SELECT *, row_number() OVER () AS position FROM arrived) a"
    country = "a.country" if "country" in names else "CAST(NULL AS VARCHAR)"
    extra = ""
    if kind is RecordKind.SLA:
        source += " LEFT JOIN (SELECT connection AS tc, id AS ti, country AS t_country FROM tickets) t ON t.tc = a.connection AND t.ti = a.ticket_id"
        country = "t.t_country"
        order = "partition BY a.connection, ticket_id, sla_id, start_at, stage = 'cancelled' ORDER BY end_at NULLS LAST, a.id"
        extra = (
            f", (CASE WHEN stage = 'cancelled' THEN -1 ELSE 1 END) * row_number() OVER ({order}) AS n"
            ", CASE WHEN is_breached THEN coalesce(breach_at, end_at) ELSE end_at END AS decided_at"
        )
    plain = ", ".join(f'a."{name}"' for name in names)
    zoned = (
        f"SELECT {plain}, a.position{extra}, coalesce(z.zone, (SELECT zone FROM zones WHERE country = '')) AS zone "
        f"FROM {source} LEFT JOIN zones z ON z.country = {country}"
    )
    if kind is RecordKind.SLA:  # the same clock twice in one batch would otherwise get two places in the order
        zoned = zoned.replace("FROM (SELECT *, row_number() OVER () AS position FROM arrived) a", f"FROM ({_latest_by_id()}) a")
    days = ", ".join(
        f"CAST(date_diff('day', DATE '1970-01-01', CAST(timezone(zone, \"{instant}\") AS DATE)) AS BIGINT) AS {day}"
        for day, instant in DAYS[kind].items()
    )
    content = " || '\x1f' || ".join(f"coalesce(CAST(\"{name}\" AS VARCHAR), '\x00')" for name in _hashed(kind))
    keys = ", ".join(NATURAL_KEYS[kind])
    return (
        f"SELECT * EXCLUDE (zone), {days}, md5({content}) AS row_hash FROM ({zoned}) "
        f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY updated_at DESC NULLS LAST, position DESC) = 1"
    )


def _latest_by_id() -> str:
    return (
        "SELECT *, row_number() OVER () AS position FROM arrived "
        "QUALIFY row_number() OVER (PARTITION BY connection, id ORDER BY updated_at DESC NULLS LAST) = 1"
    )


def _hashed(kind: RecordKind) -> list[str]:
    """The columns whose change makes a record changed: all but the platform's own bookkeeping time."""
    extra = ["n", "decided_at"] if kind is RecordKind.SLA else []
    return [*(name for name in SCHEMAS[kind].names if name != "updated_at"), *extra]


def _standing_sql(kind: RecordKind) -> str:
    """Each incoming row beside the record that stands under its key."""
    matches = " AND ".join(f'i."{key}" IS NOT DISTINCT FROM t."{key}"' if key == "start_at" else f'i."{key}" = t."{key}"' for key in NATURAL_KEYS[kind])
    return (
        "SELECT i.position, i.connection, i.id, i.row_hash, t.rowid AS was_row, t.row_hash AS was_hash, "
        "t.first_seen_at AS was_first_seen, t.vanished_at IS NOT NULL AS was_gone "
        f"FROM incoming i LEFT JOIN {TABLE_OF[kind]} t ON {matches}"
    )


@contextmanager
def _lease(path: Path, wait_s: float) -> Iterator[None]:
    """One process at a time: DuckDB locks a file against every other opener, even readers."""
    lock = path.with_suffix(path.suffix + ".lock")
    with lock.open("w") as file:
        deadline = time.monotonic() + wait_s
        is_told = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise RegelkreisError(
                        "The warehouse is in use by another process.",
                        where=Place(file=str(path)),
                        mend="Wait for the running cycle to end, then try again.",
                    ) from None
                if not is_told:
                    log.info("warehouse.waiting", file=str(path))
                    is_told = True
                time.sleep(0.1)
        yield
