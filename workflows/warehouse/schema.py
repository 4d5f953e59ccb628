"""What the file holds: one table a record kind, the change log, the zones, and views without tombstones."""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

import hashlib
from typing import Any

import duckdb
import pyarrow as pa

from improvement.records import SCHEMAS, RecordKind
from workflows.warehouse.asking import rows_of
from workflows.warehouse.numbering import NUMBERS

TABLE_OF = {kind: f"{kind.value}s" for kind in RecordKind}
DAYS: dict[RecordKind, dict[str, str]] = {  # local day column → the instant it is taken from
    RecordKind.TICKET: {
        "opened_day": "opened_at",
        "resolved_day": "resolved_at",
        "closed_day": "closed_at",
        "done_day": "done_at",
    },
    RecordKind.SLA: {"decided_day": "decided_at", "end_day": "end_at"},
    RecordKind.SURVEY: {"answered_day": "answered_at", "sent_day": "sent_at"},
    RecordKind.CONTACT: {"at_day": "at"},
    RecordKind.OUTAGE: {"begin_day": "begin_at"},
}
WALL_CLOCKS: dict[RecordKind, dict[str, str]] = {  # what the local clock showed, in seconds → at which instant
    RecordKind.OUTAGE: {"begin_wall_s": "begin_at"},
}
_DONE_AT = "CASE WHEN {0}state NOT IN ('new', 'in_progress', 'on_hold') THEN coalesce({0}resolved_at, {0}closed_at) END"
# Not greatest(…, 0), which takes an instant that is missing for no time at all.
_SECONDS = "CASE WHEN {0} > {1} THEN (epoch_us({0}) - epoch_us({1})) // 1000000 WHEN {0} <= {1} THEN 0 END"
_KEY_HASH = {"key_hash": ("UBIGINT", "hash({0}connection, {0}id)")}  # keys as numbers: a tenth of the time to find one
_TICKET_HASH = {"ticket_hash": ("UBIGINT", "hash({0}connection, {0}ticket_id)")}
DERIVED: dict[RecordKind, dict[str, tuple[str, str]]] = {  # column → SQL type, SQL over columns prefixed {0}
    RecordKind.TICKET: {
        **_KEY_HASH,
        "done_at": ("TIMESTAMPTZ", _DONE_AT),
        "open_s": ("BIGINT", _SECONDS.format(f"({_DONE_AT})", "{0}opened_at")),
    },
    RecordKind.SLA: {
        **_KEY_HASH,
        **_TICKET_HASH,
        "decided_at": (
            "TIMESTAMPTZ",
            "CASE WHEN {0}is_breached THEN coalesce({0}breach_at, {0}end_at) ELSE {0}end_at END",
        ),
        "clock_s": ("BIGINT", f"coalesce({{0}}elapsed_s, {_SECONDS.format('{0}end_at', '{0}start_at')})"),
    },
    RecordKind.SURVEY: {**_KEY_HASH, **_TICKET_HASH},
    RecordKind.CONTACT: _KEY_HASH,
    RecordKind.OUTAGE: _KEY_HASH,
}
READ_BY_METRICS: dict[RecordKind, tuple[str, ...]] = {  # the fields whose changes the change log keeps
    RecordKind.TICKET: (
        *("kind", "state", "priority", "is_major", "customer", "country", "service", "supplier", "category"),
        *("assignment_group", "opened_at", "resolved_at", "closed_at", "reopen_count", "reassignment_count"),
        *("risk", "is_successful"),
    ),
    RecordKind.SLA: (
        *("target", "agreement", "supplier", "stage", "is_breached", "start_at", "end_at", "breach_at", "goal_s"),
        "elapsed_s",
    ),
    RecordKind.SURVEY: ("kind", "ticket_id", "customer", "country", "service", "sent_at", "answered_at", "score"),
    RecordKind.CONTACT: ("kind", "customer", "country", "service", "at"),
    RecordKind.OUTAGE: ("kind", "service", "customer", "country", "begin_at", "end_at"),
}
SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}
BOOKKEEPING = {
    "row_hash": "VARCHAR",  # of the canonical fields: tells whether a record changed
    "first_seen_at": "TIMESTAMPTZ",
    "last_seen_at": "TIMESTAMPTZ",  # when the values that stand were first seen
    "vanished_at": "TIMESTAMPTZ",  # a tombstone: gone from the platform, its last values kept
}
# What a ticket lends to its SLA rows and surveys: kept beside them, because a join costs more than everything else.
BORROWERS = (RecordKind.SLA, RecordKind.SURVEY)
LENDING = ("kind", "customer", "country", "service", "supplier", "category", "assignment_group", "priority")
LENT: dict[str, tuple[str, str]] = {  # column → SQL type, SQL over the ticket t
    **{f"ticket_{name}": (SQL_TYPES[SCHEMAS[RecordKind.TICKET].field(name).type], f"t.{name}") for name in LENDING},
    "is_ticket_gone": ("BOOLEAN", "t.vanished_at IS NOT NULL"),
}
_GROUPED = {"category": "ticket_category", "assignment_group": "ticket_assignment_group", "priority": "ticket_priority"}
SHOWN: dict[RecordKind, dict[str, str]] = {  # what passes read that a table calls otherwise, or has in several columns
    RecordKind.SLA: {
        "supplier": "coalesce(supplier, ticket_supplier)",
        **{name: f"ticket_{name}" for name in ("kind", "customer", "country", "service")},
        **_GROUPED,
    },
    RecordKind.SURVEY: {
        "survey_kind": "kind",
        **{name: f"coalesce({name}, ticket_{name})" for name in ("customer", "country", "service")},
        "kind": "ticket_kind",
        "supplier": "ticket_supplier",
        **_GROUPED,
    },
}
IS_LIVE = dict.fromkeys(RecordKind, "vanished_at IS NULL") | {
    RecordKind.SLA: "vanished_at IS NULL AND NOT is_ticket_gone"
}


def _shown(kind: RecordKind, hidden: str) -> str:
    """SQL: the columns of a view, without those that are hidden."""
    return f"* EXCLUDE ({hidden}, {', '.join(LENT)}), " + ", ".join(
        f"{sql} AS {name}" for name, sql in SHOWN[kind].items()
    )


VIEWS = {
    "live_tickets": f"SELECT * FROM tickets WHERE {IS_LIVE[RecordKind.TICKET]}",
    "live_slas": f"SELECT {_shown(RecordKind.SLA, 'supplier')} FROM slas WHERE {IS_LIVE[RecordKind.SLA]}",
    "live_surveys": (
        f"SELECT {_shown(RecordKind.SURVEY, 'kind, customer, country, service')} FROM surveys "
        f"WHERE {IS_LIVE[RecordKind.SURVEY]}"
    ),
    "live_contacts": (
        "SELECT *, CAST(NULL AS VARCHAR) AS supplier, CAST(NULL AS VARCHAR) AS category, "
        "CAST(NULL AS VARCHAR) AS assignment_group, CAST(NULL AS BIGINT) AS priority FROM contacts "
        "WHERE vanished_at IS NULL"
    ),
    "live_outages": (
        "SELECT *, CAST(NULL AS VARCHAR) AS supplier, CAST(NULL AS VARCHAR) AS category, "
        "CAST(NULL AS VARCHAR) AS assignment_group, CAST(NULL AS BIGINT) AS priority FROM outages "
        "WHERE vanished_at IS NULL"
    ),
}

KEPT_COUNTS = (  # what cycles keep of their counts (kept.py)
    "connection VARCHAR, digest VARCHAR, as_of TIMESTAMPTZ, first_week BIGINT, last_week BIGINT, upto BIGINT, "
    "cells BLOB"
)


def derived(kind: RecordKind, prefix: str = "") -> dict[str, str]:
    """A table's derived columns and the SQL they are computed by."""
    return {name: sql.format(prefix) for name, (_, sql) in DERIVED[kind].items()}


def columns_of(kind: RecordKind) -> dict[str, str]:
    """A table's columns and their SQL types: canonical ones, derived ones, bookkeeping."""
    columns = {item.name: SQL_TYPES[item.type] for item in SCHEMAS[kind]}
    if kind is RecordKind.SLA:
        columns["n"] = "BIGINT"
    columns |= {name: sql_type for name, (sql_type, _) in DERIVED[kind].items()}
    if kind in BORROWERS:
        columns |= {name: sql_type for name, (sql_type, _) in LENT.items()}
    return columns | dict.fromkeys((*DAYS[kind], *WALL_CLOCKS.get(kind, {})), "BIGINT") | BOOKKEEPING


def is_current(raw: Any) -> bool:
    """Whether everything is of this version: created, and its derived columns computed."""
    raw.execute("CREATE TABLE IF NOT EXISTS meta (fingerprint VARCHAR)")
    raw.execute(f"CREATE TABLE IF NOT EXISTS kept_counts ({KEPT_COUNTS})")
    raw.execute(f"CREATE TABLE IF NOT EXISTS {NUMBERS}")
    return rows_of(raw, "SELECT fingerprint FROM meta") == [(fingerprint(),)]


def create(raw: Any) -> None:
    """Create the tables, columns and views that are missing. Derived columns of what stands come after it.

    What was noted for counts that are kept goes: its columns are those of the version before.
    """
    raw.execute("DROP TABLE IF EXISTS kept_cells")
    raw.execute(f"CREATE OR REPLACE TABLE kept_counts ({KEPT_COUNTS})")
    for kind, table in TABLE_OF.items():
        columns = [f'"{name}" {sql_type}' for name, sql_type in columns_of(kind).items()]
        raw.execute(f"DROP TABLE IF EXISTS noted_{table}")
        raw.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns)})")
        for column in columns:
            raw.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column}")
    raw.execute(
        "CREATE TABLE IF NOT EXISTS change_log (kind VARCHAR, connection VARCHAR, key VARCHAR, field VARCHAR, "
        "old VARCHAR, new VARCHAR, seen_at TIMESTAMPTZ)"
    )
    raw.execute("CREATE TABLE IF NOT EXISTS zones (country VARCHAR, zone VARCHAR)")
    for name, sql in VIEWS.items():
        raw.execute(f"CREATE OR REPLACE VIEW {name} AS {sql}")


def forget_mark(raw: Any) -> None:
    """What stands is no longer derived as this version does: whoever opens the file next derives it."""
    raw.execute("DELETE FROM meta")


def set_mark(raw: Any) -> None:
    """Everything is of this version now."""
    raw.execute("DELETE FROM meta")
    raw.execute("INSERT INTO meta VALUES (?)", [fingerprint()])


def fingerprint() -> str:
    """What the tables and their derived columns are made by."""
    made = [(columns_of(kind), derived(kind)) for kind in RecordKind]
    text = repr((made, LENT, VIEWS, duckdb.__version__))  # its hash() may differ between versions
    return hashlib.sha256(text.encode()).hexdigest()
