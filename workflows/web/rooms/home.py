"""Home: what is due, what is new on my services, and how my customers fare, hard and soft factors side by side."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from improvement.pdca import State
from workflows.models import Finding, Look, Point, ReviewRecord, RuleVersion
from workflows.web.visibility import actions_for, findings_for, signed_in

RECENT_POINTS = 26
DECIDING = (State.ACTING.value,)
OPEN_STATES = [state.value for state in State if state not in (State.CLOSED, State.CANCELLED)]


@dataclass(slots=True)
class Series:
    """One rule on one scope, as a line of recent values with its target."""

    title: str
    metric: str
    scope: dict[str, str]
    values: list[float | None]
    last: float | None
    target: float | None
    state: str
    factor: str


@dataclass(slots=True)
class CustomerMood:
    """A customer's worst hard and soft series."""

    name: str
    hard: list[Series] = field(default_factory=list)
    soft: list[Series] = field(default_factory=list)

    @property
    def worries(self) -> int:
        """How many of its series breach their target now."""
        return sum(1 for series in (*self.hard, *self.soft) if series.state in ("firing", "pending"))


@login_required
def show(request: HttpRequest) -> HttpResponse:
    """The first page after signing in."""
    person = signed_in(request)
    actions = actions_for(person)
    mine = actions.filter(owner=person) if actions.filter(owner=person).exists() else actions
    context = {
        "counts": _counts(actions),
        "to_decide": mine.filter(state__in=DECIDING),
        "to_plan": mine.filter(state=State.PROPOSED.value),
        "looks": Look.objects.filter(action__in=mine, computed_at__isnull=True, is_dropped=False)
        .select_related("action")
        .order_by("due_at")[:8],
        "findings": findings_for(person).filter(state="firing").order_by("-fired_week", "rule_id")[:8],
        "reviews": ReviewRecord.objects.filter(action__in=actions, kind="final")
        .select_related("action")
        .order_by("-recorded_at", "-id")[:8],
        "customers": _moods(person),
    }
    return render(request, "web/home.html", context)


def _counts(actions) -> dict[str, int]:  # type: ignore[no-untyped-def]
    by_phase: dict[str, int] = {"P": 0, "D": 0, "C": 0, "A": 0, "closed": 0}
    phases = {
        State.PROPOSED.value: "P",
        State.PLANNED.value: "P",
        State.DOING.value: "D",
        State.CHECKING.value: "C",
        State.ACTING.value: "A",
        State.SUSTAINING.value: "A",
        State.CLOSED.value: "closed",
    }
    for state in actions.values_list("state", flat=True):
        if state in phases:
            by_phase[phases[state]] += 1
    return by_phase


def _moods(person) -> list[CustomerMood]:  # type: ignore[no-untyped-def]
    rules = {row.rule_id: row.document for row in RuleVersion.objects.filter(is_live=True)}
    findings = list(findings_for(person).filter(Q(scope__has_key="customer")))
    newest = Point.objects.filter(finding__in=findings).order_by("-week").values_list("week", flat=True).first()
    if newest is None:
        return []
    points: dict[int, list[Point]] = defaultdict(list)
    recent = Point.objects.filter(finding__in=findings, week__gt=newest - RECENT_POINTS).order_by("week")
    for point in recent:
        points[point.finding_id].append(point)
    customers: dict[str, CustomerMood] = {}
    for finding in findings:
        if not points[finding.pk]:
            continue
        series = _series(finding, rules.get(finding.rule_id, {}), points[finding.pk])
        mood = customers.setdefault(finding.scope["customer"], CustomerMood(finding.scope["customer"]))
        (mood.soft if series.factor == "soft" else mood.hard).append(series)
    for mood in customers.values():
        for part in (mood.hard, mood.soft):
            part.sort(key=lambda series: (series.state not in ("firing", "pending"), series.title))
    return sorted(customers.values(), key=lambda mood: (-mood.worries, mood.name))


def _series(finding: Finding, rule: dict, points: list[Point]) -> Series:  # type: ignore[type-arg]
    metadata = rule.get("metadata", {})
    return Series(
        title=metadata.get("title", finding.rule_id),
        metric=rule.get("spec", {}).get("metric", ""),
        scope={key: value for key, value in finding.scope.items() if key != "customer"},
        values=[point.value for point in points],
        last=points[-1].value,
        target=points[-1].target_value,
        state=finding.state,
        factor=metadata.get("tags", {}).get("factor", "hard"),
    )
