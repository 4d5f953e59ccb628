"""How long a scope's data take to settle, read from its own reference: recording delay, and τ of restricted times.

Both are fixed in the measurement plan. A look waits for them, because a week that is read too early looks better
than it was.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from improvement.metrics import CellQuery, Metric
from workflows.warehouse import Warehouse

HOURS_A_WEEK = 168
TAU_CHOICES_WEEKS = (1, 2, 4)
QUANTILE = 0.9
LEAST_DAYS, MOST_DAYS = 1, 28  # a repair rewrites old rows: what comes later than four weeks is no recording
DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class _Recorded:
    """Where a platform says when it recorded an event: table, the recording and the event, which rows tell it."""

    table: str
    recorded_at: str
    event_at: str
    only: str = "true"


#: By the metric's date basis. A closing update hides when a resolution was recorded, so closed tickets do not tell it.
RECORDED = {
    "opened": _Recorded("live_tickets", "created_at", "opened_at"),
    "resolved": _Recorded("live_tickets", "updated_at", "resolved_at", "coalesce(closed_at > updated_at, true)"),
    "closed": _Recorded("live_tickets", "updated_at", "closed_at"),
    "decided": _Recorded("live_slas", "updated_at", "end_at"),
    "response clock stopped": _Recorded("live_slas", "updated_at", "end_at"),
    "answered": _Recorded("live_surveys", "updated_at", "answered_at"),
    "made": _Recorded("live_contacts", "updated_at", '"at"'),
}


def recording_delay_days(warehouse: Warehouse, metric: Metric, connection: str, ids: list[str]) -> int:
    """Whole days after which nine in ten of these records were recorded; one day where the platform does not tell."""
    recorded = RECORDED.get(metric.date_basis)
    if recorded is None or not ids:
        return LEAST_DAYS
    found = warehouse.arrow(
        f"SELECT epoch_us({recorded.recorded_at}) - epoch_us({recorded.event_at}) AS delay_us FROM {recorded.table} "
        f"WHERE connection = ? AND {recorded.only} AND {recorded.recorded_at} >= {recorded.event_at} "
        "AND id IN (SELECT unnest(?))",
        [connection, ids],
    )["delay_us"].to_numpy()
    if not len(found):
        return LEAST_DAYS
    return min(max(math.ceil(float(np.quantile(found, QUANTILE)) / DAY_US), LEAST_DAYS), MOST_DAYS)


def tau_weeks(hours: np.ndarray) -> int:
    """The smallest τ that is at least the 90th percentile of times restricted to the longest one."""
    if not len(hours):
        return TAU_CHOICES_WEEKS[-1]
    limit = float(np.quantile(hours, QUANTILE)) / HOURS_A_WEEK
    fitting = [choice for choice in TAU_CHOICES_WEEKS if choice >= limit]
    return fitting[0] if fitting else TAU_CHOICES_WEEKS[-1]


def longest(query: CellQuery) -> CellQuery:
    """The same query with times restricted as late as possible: what τ is chosen from."""
    return CellQuery(
        query.metric,
        query.connection,
        where=query.where,
        by=query.by,
        tau_h=float(TAU_CHOICES_WEEKS[-1] * HOURS_A_WEEK),
    )  # by the wall clock, whatever the metric is counted by: so are τ and the weeks it is chosen in
