"""Restated records: their fields that metrics read changed after they were counted as done, decided or answered."""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from typing import Any

from improvement.records import RecordKind
from workflows.warehouse.loading import key_text
from workflows.warehouse.schema import TABLE_OF

_OPEN = "('new', 'in_progress', 'on_hold')"


def _before(field: str, now: str) -> str:
    """SQL: a field as text before the load: its oldest logged value, or what stands where it did not change."""
    return f"CASE WHEN bool_or(field = '{field}') THEN min_by(old, mark) FILTER (field = '{field}') ELSE {now} END"


# kind → was it counted before (over the changes of one record and the record ``r`` itself), and which changes are part
# of its ordinary course, not a restatement.
_COUNTED: dict[RecordKind, tuple[str, str]] = {
    RecordKind.TICKET: (
        f"{_before('state', 'any_value(r.state)')} NOT IN {_OPEN}",
        "(field = 'state' AND old = 'resolved' AND new = 'closed') OR (field = 'closed_at' AND old IS NULL)",
    ),
    RecordKind.SLA: (
        f"{_before('end_at', 'any_value(CAST(r.end_at AS VARCHAR))')} IS NOT NULL "
        f"OR {_before('is_breached', 'any_value(CAST(r.is_breached AS VARCHAR))')} = 'true'",
        "(field = 'end_at' AND old IS NULL) OR (field IN ('elapsed_s', 'stage') AND r.is_breached)",
    ),
    RecordKind.SURVEY: (f"{_before('answered_at', 'any_value(CAST(r.answered_at AS VARCHAR))')} IS NOT NULL", "false"),
    RecordKind.CONTACT: ("true", "false"),
    RecordKind.OUTAGE: (f"{_before('end_at', 'any_value(CAST(r.end_at AS VARCHAR))')} IS NOT NULL", "false"),
}


def change_mark(raw: Any) -> int:
    """Where the change log ends now."""
    return int(raw.sql("SELECT coalesce(max(rowid), -1) AS mark FROM change_log").to_arrow_table()["mark"][0].as_py())


def restated(raw: Any, kind: RecordKind, connection: str, *, after: int) -> int:
    """How many records of a kind were restated by what the change log says beyond a mark."""
    was_counted, is_ordinary = _COUNTED[kind]
    sql = (
        "SELECT count(*) AS n FROM (SELECT c.key FROM (SELECT *, rowid AS mark FROM change_log "
        f"WHERE rowid > $after AND kind = '{kind.value}' AND connection = $connection AND field <> 'vanished_at') c "
        f"JOIN {TABLE_OF[kind]} r ON r.connection = c.connection AND {key_text(kind, 'r')} = c.key "
        f"GROUP BY c.key HAVING ({was_counted}) AND bool_or(NOT ({is_ordinary})))"
    )
    found = raw.sql(sql, params={"after": after, "connection": connection}).to_arrow_table()
    return int(found["n"][0].as_py())
