"""Restated records: their fields that metrics read changed after they were counted as done, decided or answered."""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from typing import Any

from improvement.records import RecordKind
from workflows.warehouse.asking import rows_of
from workflows.warehouse.schema import READ_BY_METRICS

# kind → was it counted before (``e``: as it stood, ``i``: as it came), and which changes of a field are part of its
# ordinary course, not a restatement.
_COUNTED: dict[RecordKind, tuple[str, dict[str, str]]] = {
    RecordKind.TICKET: (
        "e.state NOT IN ('new', 'in_progress', 'on_hold')",
        {"state": "e.state = 'resolved' AND i.state = 'closed'", "closed_at": "e.closed_at IS NULL"},
    ),
    RecordKind.SLA: (
        "e.end_at IS NOT NULL OR e.is_breached",
        {"end_at": "e.end_at IS NULL", "elapsed_s": "i.is_breached", "stage": "i.is_breached"},
    ),
    RecordKind.SURVEY: ("e.answered_at IS NOT NULL", {}),
    RecordKind.CONTACT: ("true", {}),
    RecordKind.OUTAGE: ("e.end_at IS NOT NULL", {}),
}


def restated(raw: Any, kind: RecordKind) -> dict[str, int]:
    """How many records of a batch were restated by it, by connection (see :mod:`~.loading` for its tables)."""
    was_counted, ordinary = _COUNTED[kind]
    changes = [
        f'(e."{name}" IS DISTINCT FROM i."{name}" AND NOT coalesce({ordinary.get(name, "false")}, false))'
        for name in READ_BY_METRICS[kind]
    ]
    return dict(
        rows_of(
            raw,
            "SELECT i.connection, count(*) FROM earlier e JOIN incoming i USING (position) "
            f"WHERE ({was_counted}) AND ({' OR '.join(changes)}) GROUP BY i.connection",
        )
    )
