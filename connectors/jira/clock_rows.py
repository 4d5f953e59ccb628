"""SLA rows of issues: one for each cycle of each clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from connectors.base import Rejected
from connectors.jira.columns import Columns
from connectors.jira.history import UNTOLD
from connectors.jira.plan import ClockPlan, Plan
from connectors.jira.wire import Cycle, SlaValue
from improvement.records import RecordKind

_Clock = tuple[Any, SlaValue, Cycle, str]  # issue, SLA field, cycle, stage


def add_clock_rows(columns: Columns, plan: Plan, issues: Sequence[Any]) -> list[Rejected]:
    """Add the rows of all clocks of these issues; returns the clocks that cannot be read."""
    columns.begin([issue.id for issue in issues])
    cancelled = frozenset(id for id, state in plan.states.items() if state == "cancelled")
    rejected: list[Rejected] = []
    for clock in plan.clocks:
        found: list[_Clock] = []
        value: SlaValue | None
        for issue, value in zip(issues, map(attrgetter(f"fields.{clock.field_id}"), issues), strict=True):
            if value is None:
                continue
            if value.completed_cycles:
                try:
                    cancelled_ms = _cancelled_ms(issue.fields, cancelled)
                except (ValueError, OverflowError) as error:
                    columns.lacks_row_of([issue.id])
                    id = f"{issue.id}:{value.id or clock.field_id}"
                    rejected.append(Rejected(kind=RecordKind.SLA, id=id, field="resolutiondate", reason=str(error)))
                    continue
                for cycle in value.completed_cycles:
                    stop = cycle.stop_time
                    is_cancelled = stop is not None and abs(stop.epoch_millis - cancelled_ms) < 60_000
                    found.append((issue, value, cycle, "cancelled" if is_cancelled else "completed"))
            if value.ongoing_cycle is not None:
                stage = "paused" if value.ongoing_cycle.paused else "in_progress"
                found.append((issue, value, value.ongoing_cycle, stage))
        if found:
            _extend(columns, clock, found)
    return rejected


def _cancelled_ms(fields: Any, cancelled: frozenset[str]) -> int:
    """When a cancelled issue was cancelled (its clocks stopped then without having been met), else −1.

    Raises ValueError or OverflowError where that time cannot be read.
    """
    status = fields.status
    if status is None or status.id not in cancelled or not fields.resolutiondate:
        return -1
    return int(datetime.fromisoformat(fields.resolutiondate).timestamp() * 1000)


def _extend(columns: Columns, clock: ClockPlan, found: Sequence[_Clock]) -> None:
    ids = [issue.id for issue, _, _, _ in found]
    fields, untold = [issue.fields for issue, _, _, _ in found], [UNTOLD] * len(found)
    cycles = [cycle for _, _, cycle, _ in found]
    starts = [at.epoch_millis if (at := cycle.start_time) is not None else None for cycle in cycles]
    sla_ids = [value.id or clock.field_id for _, value, _, _ in found]
    columns.extend(
        ids,
        {
            "id": [f"{id}:{sla}:{start}" for id, sla, start in zip(ids, sla_ids, starts, strict=True)],
            "ticket_id": ids,
            "sla_id": sla_ids,
            "sla_name": [value.name for _, value, _, _ in found],
            "target": clock.target(fields, untold),
            "agreement": clock.agreement(fields, untold),
            "supplier": clock.supplier(fields, untold),
            "stage": [stage for _, _, _, stage in found],
            "is_breached": [cycle.breached for cycle in cycles],
            "start_at": starts,
            "end_at": [at.epoch_millis if (at := cycle.stop_time) is not None else None for cycle in cycles],
            "breach_at": [at.epoch_millis if (at := cycle.breach_time) is not None else None for cycle in cycles],
            "goal_s": [it.millis // 1000 if (it := cycle.goal_duration) is not None else None for cycle in cycles],
            "elapsed_s": [it.millis // 1000 if (it := cycle.elapsed_time) is not None else None for cycle in cycles],
            "updated_at": [issue.fields.updated for issue, _, _, _ in found],
        },
    )
