"""The untreated line that an action's looks cite: what came of past firings of its rule that nobody acted on."""

from __future__ import annotations

from datetime import datetime

from improvement import weeks
from improvement.check import PastFirings
from workflows.models import Action, UntreatedLine


def standing(action: Action, *, at: datetime) -> PastFirings | None:
    """The newest line of an action's rule on its connection at a moment: of its version, else of another one."""
    if not action.rule_id:
        return None
    counted = UntreatedLine.objects.filter(rule_id=action.rule_id, connection=action.connection, counted_at__lte=at)
    row = counted.filter(rule_sha256=action.rule_sha256).last() or counted.last()
    if row is None:
        return None
    return PastFirings(
        firings=row.firings,
        effect=row.effect,
        unit=row.unit,
        delay_weeks=row.delay_weeks,
        weeks=row.weeks,
        first_week=weeks.label(row.first_week),
        last_week=weeks.label(row.last_week),
        counted_at=row.counted_at.isoformat(),
        is_same_version=row.rule_sha256 == action.rule_sha256,
        low=row.low,
        high=row.high,
    )
