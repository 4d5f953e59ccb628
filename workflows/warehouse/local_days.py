"""Local days: in which day of its scope's zone an instant falls, computed at load and kept as a column.

An engine that truncates in UTC, or drops a timestamp's zone, can then still count weeks where people live.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from typing import Any

from improvement.records import SCHEMAS, RecordKind
from workflows.warehouse.schema import DAYS, TABLE_OF, derived

LENT_BY_TICKET = (RecordKind.SLA, RecordKind.SURVEY)


def day_of(instant: str, zone: str) -> str:
    """SQL: days since 1970-01-01 of a UTC column's local date."""
    return f"CAST(date_diff('day', DATE '1970-01-01', CAST(timezone({zone}, \"{instant}\") AS DATE)) AS BIGINT)"


def derive_all(raw: Any) -> None:
    """Compute every derived column again, the local days from the zones that hold now."""
    for kind in RecordKind:
        sets = ", ".join(f"{name} = {sql}" for name, sql in derived(kind).items())
        if sets:
            raw.execute(f"UPDATE {TABLE_OF[kind]} SET {sets}")
        _recompute(raw, kind, "")


def refresh_lent(raw: Any) -> None:
    """Compute again the days of SLA rows and surveys whose ticket is in the table ``moved``."""
    for kind in LENT_BY_TICKET:
        _recompute(raw, kind, "JOIN moved m ON m.connection = a.connection AND m.id = a.ticket_id")


def _recompute(raw: Any, kind: RecordKind, only: str) -> None:
    table = TABLE_OF[kind]
    lent = kind in LENT_BY_TICKET
    ticket = "LEFT JOIN tickets t ON t.connection = a.connection AND t.id = a.ticket_id" if lent else ""
    own = "a.country" if "country" in SCHEMAS[kind].names else "NULL"
    country = f"coalesce({own}, t.country)" if lent else own
    zoned = (
        f"SELECT a.rowid AS was_row, coalesce(z.zone, d.zone) AS zone FROM {table} a {only} {ticket} "
        f"LEFT JOIN zones z ON z.country = {country} CROSS JOIN (SELECT zone FROM zones WHERE country = '') d"
    )
    days = ", ".join(f"{day} = {day_of(instant, 'zoned.zone')}" for day, instant in DAYS[kind].items())
    raw.execute(f"UPDATE {table} SET {days} FROM ({zoned}) zoned WHERE {table}.rowid = zoned.was_row")
