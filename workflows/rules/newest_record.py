"""When the newest record of a connection was there, for whoever asks about weeks without any."""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from datetime import UTC, datetime

from improvement import weeks
from improvement.metrics import metric_named
from improvement.records import RecordKind
from improvement.rules import Rule
from workflows.warehouse import Warehouse
from workflows.warehouse.schema import TABLE_OF

TIMES: dict[RecordKind, tuple[str, ...]] = {  # of what happened to a record
    RecordKind.TICKET: ("opened_at", "resolved_at", "closed_at"),
    RecordKind.SLA: ("start_at", "end_at"),
    RecordKind.SURVEY: ("sent_at", "answered_at"),
    RecordKind.CONTACT: ("at",),
    RecordKind.OUTAGE: ("begin_at", "end_at"),
}


def newest(warehouse: Warehouse, rule: Rule, connection: str, as_of: datetime) -> datetime | None:
    """The last time, up to a moment, at which anything happened to a record that a rule's metric reads; None: never."""
    found: list[int] = []
    for kind in metric_named(rule.metric).reads:
        latest = ", ".join(f'max("{one}") FILTER ("{one}" <= $until::TIMESTAMPTZ)' for one in TIMES[kind])
        sql = f"SELECT epoch_us(greatest({latest})) AS moment FROM live_{TABLE_OF[kind]} WHERE connection = $connection"
        rows = warehouse.arrow(sql, {"connection": connection, "until": as_of.isoformat()})
        found += [at for at in rows["moment"].to_pylist() if at is not None]
    return datetime.fromtimestamp(max(found) // 1_000_000, UTC) if found else None


def advice(at: datetime) -> str:
    """What to tell, and to ask instead, of weeks that lie after this time."""
    following = weeks.monday(weeks.week_of(at.date()) + 1)
    return f"The newest record is of {at:%Y-%m-%d %H:%M}Z; ask for when that week was over: --as-of {following}."
