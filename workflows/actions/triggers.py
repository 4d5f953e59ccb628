"""The tickets that made an action necessary: the rows behind its trigger, worst first, to be linked on the platform."""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics import Fill, Metric
from improvement.records import RecordKind
from workflows.actions import planning
from workflows.checks import measuring
from workflows.models import Action
from workflows.warehouse import Warehouse

MOST = 10

#: A metric's rows carry the id of what it counts; this is the ticket each of them belongs to.
TICKET_OF: dict[RecordKind, str] = {
    RecordKind.TICKET: "SELECT connection, id, id AS ticket_id FROM live_tickets",
    RecordKind.SLA: "SELECT connection, id, ticket_id FROM live_slas",
    RecordKind.SURVEY: "SELECT connection, id, ticket_id FROM live_surveys",
}


def tickets_behind(action: Action, warehouse: Warehouse, *, as_of: datetime) -> list[str]:
    """Platform ids of up to ten tickets whose rows lie in the trigger window and are bad; none for talks with people.

    The same rows, filter and scope as the value that fired. Of equally bad ones the newest come first.
    """
    metric = planning.metric_of(action)
    ticket_of = TICKET_OF.get(metric.reads[-1])
    if ticket_of is None:
        return []
    rows = warehouse.contributing(
        measuring.query_of(action),
        scope=action.scope,
        as_of=as_of,
        first_week=int(action.trigger["from_week"]),
        last_week=int(action.trigger["to_week"]),
    )
    bad = _bad_ones(action, metric, rows)
    found = warehouse.arrow(
        "SELECT t.id, max(b.badness) AS badness FROM (SELECT unnest(?) AS id, unnest(?) AS badness) AS b "
        f"JOIN ({ticket_of}) AS o ON o.id = b.id "
        "JOIN live_tickets AS t ON t.id = o.ticket_id AND t.connection = o.connection WHERE t.connection = ? "
        "GROUP BY t.id, t.opened_at ORDER BY badness DESC, t.opened_at DESC, t.id LIMIT ?",
        [bad["id"].to_pylist(), bad["badness"].to_pylist(), action.connection, MOST],
    )
    return [str(value) for value in found["id"].to_pylist()]


def _bad_ones(action: Action, metric: Metric, rows: pa.Table) -> pa.Table:
    """``id, badness`` of the rows on the bad side: events of a share, counted tickets, values beyond the target."""
    value = pc.divide(rows["numerator"], rows["denominator"])
    if metric.is_share:
        event = 1.0 if metric.direction == "lower" else 0.0
        is_bad, badness = pc.equal(value, event), pa.array([1.0] * len(rows))
    elif metric.fill not in (Fill.ABSENT, Fill.AT_END):  # counts and levels: each ticket is as bad as the other
        is_bad, badness = pc.greater(rows["numerator"], 0.0), pa.array([1.0] * len(rows))
    else:
        limit = action.trigger.get("target") or action.measurement.get("baseline") or 0.0
        badness = pc.multiply(value, float(-metric.sign))
        is_bad = pc.greater(badness, -metric.sign * float(limit))
    return pa.table({"id": rows["id"], "badness": badness}).filter(is_bad)
