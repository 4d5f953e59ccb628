"""Which actions and published reviews tell of values that were restated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from improvement import weeks
from improvement.pdca import OPEN_STATES
from improvement.rules import Rule
from improvement.rules.canonical import series_of
from workflows.models import Action, LookKind, ReviewRecord, RuleVersion

READINGS = (LookKind.LOOK, LookKind.FINAL, LookKind.SUSTAIN)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    """A restated value: where it was published, the last week of its window, and what is said of it."""

    connection: str
    scope_key: str
    week: int
    said: T


class Touching(Generic[T]):
    """The actions of a rule on the series that it counts, and their reviews, whose scope has restated values."""

    def __init__(self, rule: Rule, values: Iterable[Value[T]]) -> None:
        self._by_scope: dict[tuple[str, str], list[Value[T]]] = defaultdict(list)
        for value in values:
            self._by_scope[value.connection, value.scope_key].append(value)
        # Under the same id the rule may have counted otherwise before: another metric, filter or window.
        versions = dict(RuleVersion.objects.filter(rule_id=rule.id).values_list("sha256", "document"))
        others = {sha256 for sha256, document in versions.items() if series_of(document) != rule.series_sha256}
        ours = Action.objects.filter(rule_id=rule.id, metric=rule.metric).exclude(rule_sha256__in=others)
        self._actions = [action for action in ours.prefetch_related("findings").order_by("id") if self._of(action)]

    @property
    def open_actions(self) -> list[str]:
        """The ids of those that are open."""
        return [action.code for action in self._actions if action.state in OPEN_STATES]

    def reviews(self, at: datetime) -> list[ReviewRecord]:
        """Those published by a moment that tell of restated values, oldest first; addenda and missed ones are none."""
        published = ReviewRecord.objects.filter(action__in=self._actions, kind__in=READINGS, recorded_at__lte=at)
        return [one for one in published.select_related("action").order_by("id") if self.told_by(one)]

    def told_by(self, review: ReviewRecord) -> list[T]:
        """What is said of the weeks a review tells of: from the trigger window to the end of *after*."""
        windows = review.document["results"]["windows"]
        first = weeks.parse_label(windows["trigger"]["first_week"])
        last = weeks.parse_label(windows["after"]["last_week"])
        return [value.said for value in self._of(review.action) if first <= value.week <= last]

    def _of(self, action: Action) -> list[Value[T]]:
        """Those of an action's own scope, or of the scopes it was opened on together."""
        scopes = {action.scope_key, *(finding.scope_key for finding in action.findings.all())}
        return [value for key in sorted(scopes) for value in self._by_scope.get((action.connection, key), ())]
