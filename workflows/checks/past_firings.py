"""The untreated line that an action's looks cite: what came of past firings of its rule that nobody acted on."""

from __future__ import annotations

from datetime import datetime

from improvement import weeks
from improvement.check import PastFirings
from improvement.rules.canonical import series_of
from workflows.models import Action, RuleVersion, UntreatedLine


def standing(action: Action, *, at: datetime) -> PastFirings | None:
    """The newest line of an action's rule on its connection at a moment: of its version, else of another one that
    counts the same.
    """
    if not action.rule_id:
        return None
    counted = UntreatedLine.objects.filter(rule_id=action.rule_id, connection=action.connection, counted_at__lte=at)
    row = counted.filter(rule_sha256=action.rule_sha256).last()
    row = row or counted.filter(rule_sha256__in=_counting_the_same(action)).last()
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


def _counting_the_same(action: Action) -> list[str]:
    """The versions of the action's rule with the same metric, filter, grouping and window: their digests."""
    versions = dict(RuleVersion.objects.filter(rule_id=action.rule_id).values_list("sha256", "document"))
    own = versions.get(action.rule_sha256)
    if own is None:
        return []
    return [sha256 for sha256, document in versions.items() if series_of(document) == series_of(own)]
