"""The mood barometer: how each customer fares, hard factors beside soft ones, and where both are heading."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q

from improvement.errors import InputError
from improvement.metrics import metric_named
from workflows.models import Finding, Person, Point, RuleVersion
from workflows.rules.published import versions_of_other_series
from workflows.web.visibility import findings_for

SHOWN_WEEKS = 26
TREND_WEEKS = 13  # a quarter: trends compare with the value then
MOOD = "csat_mean"
WORRYING = ("firing", "pending")


@dataclass(slots=True)
class Series:
    """One rule on one scope, as a line of recent values with its target."""

    title: str
    metric: str
    scope: dict[str, str]
    values: list[float | None]
    last: float | None
    n: int
    earlier: float | None
    target: float | None
    state: str
    factor: str
    sign: int
    action: str = ""

    @property
    def is_worrying(self) -> bool:
        """Whether the rule fires on it, or is about to."""
        return self.state in WORRYING


@dataclass(slots=True)
class CustomerMood:
    """One customer: its hard and soft series, and the satisfaction of its users over all of them."""

    name: str
    hard: list[Series] = field(default_factory=list)
    soft: list[Series] = field(default_factory=list)

    @property
    def worries(self) -> int:
        """How many of its series breach their target now."""
        return sum(series.is_worrying for series in (*self.hard, *self.soft))

    @property
    def hard_kept(self) -> int:
        """How many hard series are within their target."""
        return sum(not series.is_worrying for series in self.hard)

    @property
    def mood(self) -> float | None:
        """Mean satisfaction now, weighted by answers; 1 to 5."""
        return _weighted([(series.last, series.n) for series in self._scores])

    @property
    def mood_before(self) -> float | None:
        """The same a quarter ago."""
        return _weighted([(series.earlier, series.n) for series in self._scores])

    @property
    def mood_target(self) -> float | None:
        """The lowest target in force for satisfaction."""
        return min((series.target for series in self._scores if series.target is not None), default=None)

    @property
    def answers(self) -> int:
        """How many answers the newest value rests on."""
        return sum(series.n for series in self._scores)

    @property
    def hard_before(self) -> float | None:
        """Share of hard series that met today's target a quarter ago."""
        return _share([_meets(series, series.earlier) for series in self.hard])

    @property
    def hard_now(self) -> float | None:
        """Share of hard series that meet their target now."""
        return _share([_meets(series, series.last) for series in self.hard])

    @property
    def _scores(self) -> list[Series]:
        return [series for series in self.soft if series.metric == MOOD]


def moods(person: Person) -> tuple[list[CustomerMood], int | None]:
    """The customers this person may see, most worries first, and the newest week of their values."""
    rules = {row.rule_id: row.document for row in RuleVersion.objects.filter(is_live=True)}
    findings = list(findings_for(person).filter(Q(scope__has_key="customer")))
    published = Point.objects.filter(finding__in=findings).exclude(version__in=versions_of_other_series(rules))
    newest = published.order_by("-week").values_list("week", flat=True).first()
    if newest is None:
        return [], None
    points: dict[int, list[Point]] = defaultdict(list)
    for point in published.filter(week__gt=newest - SHOWN_WEEKS).order_by("week"):
        points[point.finding_id].append(point)
    customers: dict[str, CustomerMood] = {}
    for finding in findings:
        if not points[finding.pk] or finding.rule_id not in rules:
            continue
        series = _series(finding, rules[finding.rule_id], points[finding.pk])
        mood = customers.setdefault(finding.scope["customer"], CustomerMood(finding.scope["customer"]))
        (mood.soft if series.factor == "soft" else mood.hard).append(series)
    for mood in customers.values():
        for part in (mood.hard, mood.soft):
            part.sort(key=lambda series: (not series.is_worrying, series.title, sorted(series.scope.items())))
    return sorted(customers.values(), key=lambda mood: (-mood.worries, mood.name)), newest


def _series(finding: Finding, rule: dict[str, Any], points: list[Point]) -> Series:
    metadata, metric = rule.get("metadata", {}), str(rule.get("spec", {}).get("metric", ""))
    last = points[-1]
    earlier = next((point for point in reversed(points) if point.week <= last.week - TREND_WEEKS), None)
    return Series(
        title=metadata.get("title", finding.rule_id),
        metric=metric,
        scope={key: value for key, value in finding.scope.items() if key != "customer"},
        values=[point.value for point in points],
        last=last.value,
        n=last.n,
        earlier=earlier.value if earlier is not None else None,
        target=last.target_value,
        state=finding.state,
        factor=metadata.get("tags", {}).get("factor", "hard"),
        sign=_sign(metric),
    )


def _sign(metric: str) -> int:
    try:
        return metric_named(metric).sign
    except InputError:
        return -1


def _meets(series: Series, value: float | None) -> bool | None:
    if value is None or series.target is None:
        return None
    return series.sign * (value - series.target) >= 0


def _share(answers: list[bool | None]) -> float | None:
    known = [answer for answer in answers if answer is not None]
    return sum(known) / len(known) if known else None


def _weighted(values: list[tuple[float | None, int]]) -> float | None:
    known = [(value, n) for value, n in values if value is not None and n > 0]
    total = sum(n for _, n in known)
    return sum(value * n for value, n in known) / total if total else None
