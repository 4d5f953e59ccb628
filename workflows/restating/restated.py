"""What later data make of the values an action was opened on: told beside, with the day it was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from improvement import weeks
from workflows.models import Action, Point


@dataclass(frozen=True, slots=True)
class LaterValue:
    """A published value and what its window shows since; ``later`` None: nothing is counted there any more."""

    scope: str
    window_ends: date
    published: float | None
    later: float | None
    since: datetime

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "scope": self.scope,
            "window_ends": self.window_ends.isoformat(),
            "published": self.published,
            "later": self.later,
            "since": self.since.isoformat(),
        }


def later_values(action: Action) -> list[LaterValue]:
    """The restated points of the action's findings in its trigger window, oldest first."""
    first, last = action.trigger.get("from_week"), action.trigger.get("to_week")
    if first is None or last is None:
        return []
    points = Point.objects.filter(finding__opened_actions=action, later_at__isnull=False, week__range=(first, last))
    return [
        LaterValue(point.finding.scope_key, weeks.sunday(point.week), point.value, point.later_value, point.later_at)
        for point in points.select_related("finding").order_by("week", "finding_id")
        if point.later_at is not None
    ]
