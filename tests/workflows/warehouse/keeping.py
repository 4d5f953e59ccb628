"""Cycles over counts that are kept, held against counting everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from improvement import weeks
from improvement.metrics import metric_named
from improvement.records import STRUCTS
from tests.improvement.metrics.build import CONNECTION, ZONES, a_query, arrow
from workflows.warehouse import CellsAsked, Warehouse, Zones
from workflows.warehouse.passes import Pass

METRICS = (
    *("incident_count", "major_incident_count", "sla_breach_rate", "time_to_respond", "time_to_resolve"),
    *("reopen_rate", "reassignment_rate", "first_contact_resolution_rate", "change_failure_rate", "csat_mean"),
    *("csat_low_share", "nps", "survey_response_rate", "backlog_open", "complaint_count"),
)
WAYS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("customer", "country"), {}),
    (("supplier",), {"customer": ["Acme", "(none)"]}),
)
PRIORITY = {"incident_count": {"priority": [1, 2]}, "sla_breach_rate": {"sla_target": "resolution"}}
OTHER_ZONES = Zones({**ZONES.by_country, "CH": "Asia/Tokyo", "DE": "America/New_York"})
WIDE = 11  # weeks
OTHER = "elsewhere"  # another platform


def asked(as_of: datetime, connection: str = CONNECTION) -> list[CellsAsked]:
    """What a cycle asks of a connection."""
    last = weeks.week_of(as_of.date()) - 1
    found = []
    for by, where in WAYS:
        for number, name in enumerate(METRICS):
            tau_h = metric_named(name).tau_h
            for conditions in (where, *([PRIORITY[name]] if name in PRIORITY else [])):
                query = replace(a_query(name, by, tau_h=tau_h, **conditions), connection=connection)
                found.append(CellsAsked(query, last - WIDE + number % 2, last))
    return found


def cycled(warehouse: Warehouse, as_of: datetime, connection: str = CONNECTION) -> int:
    """Evaluate as a cycle does, and hold it against counting everything; how many cells that were."""
    return answered(warehouse, as_of, asked(as_of, connection))


def answered(warehouse: Warehouse, as_of: datetime, questions: list[CellsAsked]) -> int:
    """Ask these, and hold the answers against counting everything; how many cells that were."""
    ahead = warehouse.cells_ahead(questions, as_of=as_of, kept_from=0)
    try:
        found = list(ahead)
    finally:
        ahead.close()
    rows = 0
    for one, cells in zip(questions, found, strict=True):
        fresh = warehouse.cells(one.query, as_of=as_of, first_week=one.first_week, last_week=one.last_week)
        told = cells.table()
        assert told.equals(fresh), (one, told.to_pylist(), fresh.to_pylist())
        rows += cells.num_rows
    return rows


def load(warehouse: Warehouse, records: list[Any], seen_at: datetime, zones: Zones) -> None:
    """Load records of any kind."""
    for kind, struct in STRUCTS.items():
        mine = [one for one in records if isinstance(one, struct)]
        if mine:
            warehouse.load(kind, arrow(kind, mine), seen_at=seen_at, zones=zones)


def counted_in_full(warehouse: Warehouse, as_of: datetime, one: Pass, first: int) -> pa.Table:
    """What a pass finds in all that stands."""
    return warehouse._session.found(one, as_of, first, one.last_week)
