"""Running clocks whose goal ran out while their row stood still.

The platform refreshes the row of a running clock only now and then (every minute to five days), so ``has_breached`` may
say no after the breach time has passed; nothing marks the row as changed until then. Such a clock is breached: its
breach time is moved by pauses while they last, a paused one is none of these, and a stopped one has its outcome. So
each pull also reads the rows whose breach time passed since the last one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from connectors.mapping import SourceMap
from connectors.servicenow.filters import repeated
from connectors.servicenow.tables import stored
from improvement.records import RecordKind

USUAL = {"is_breached": "has_breached", "stage": "stage", "breach_at": "planned_end_time", "end_at": "end_time"}
RUNNING = "active=true^stageINstarting,in_progress^has_breached=false"
LONGEST_STANDING = timedelta(days=31)  # running rows are refreshed within five days; older ones were read as they are


def is_told(source: SourceMap) -> bool:
    """Whether a source reads clocks from the platform's own columns, so that its rows can be asked for by them."""
    mapped = {name: source.fields.get(name) for name in USUAL}
    return source.kind is RecordKind.SLA and all(
        found is not None and found.fields == (USUAL[name],) for name, found in mapped.items()
    )


def narrowing(source: SourceMap, *, after: datetime, until: datetime) -> str:
    """The filter of a source, for rows of running clocks whose breach time lies in (``after``, ``until``]."""
    span = f"planned_end_time>{stored(after)}^planned_end_time<={stored(until)}"
    return repeated([f"{RUNNING}^{span}"], source.filter)


def begin(until: datetime) -> str:
    """From when on rows were written that may be of running clocks: the index of update times spares the rest."""
    return stored(until - LONGEST_STANDING)


def breached(columns: dict[str, pa.Array], until: datetime) -> pa.Array:
    """``is_breached`` of clocks as of ``until``, whatever their rows say so far."""
    flags = pc.fill_null(columns["is_breached"], False)
    running = pc.and_(pc.equal(columns["stage"], "in_progress"), pc.is_null(columns["end_at"]))
    if not pc.any(running).as_py():
        return columns["is_breached"]
    is_over = pc.less_equal(columns["breach_at"], pa.scalar(until, columns["breach_at"].type))
    return pc.or_(flags, pc.fill_null(pc.and_(running, is_over), False))
