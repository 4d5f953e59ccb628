"""Why a rule says what it says about one scope: which target won, what was counted, how long it has held."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from improvement import weeks
from improvement.metrics import Metric, metric_named
from improvement.plurals import how_many
from improvement.rules.cells import Cells
from improvement.rules.evaluation import points
from improvement.rules.findings import FindingMemory, advance
from improvement.rules.judging import Point
from improvement.rules.rule import Condition, Rule, SeriesKey, TargetKind
from improvement.rules.scope import Scope
from improvement.rules.targets import OWN
from improvement.rules.testing import CourseStep, course_step, value_text
from improvement.rules.units import number_text

LOWEST = "the lowest level that matches"  # why an override wins
GENERAL = "applies where nothing else does"  # why the rule's own target does


@dataclass(frozen=True, slots=True)
class TargetStep:
    """One target of the cascade: whether it applied, whether it won, and why."""

    label: str
    target: str
    has_won: bool
    because: str


@dataclass(frozen=True, slots=True)
class ConditionStep:
    """A *while* of the rule and the other metric's value over the same window; ``holds`` is None where it has none."""

    metric: str
    limit: str
    value: str
    holds: bool | None

    @property
    def sentence(self) -> str:
        """The condition in words."""
        said = {True: "it holds", False: "it does not hold", None: "nobody can tell"}[self.holds]
        return f"Only while {self.metric} keeps {self.limit}: {self.value}, {said}."

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"metric": self.metric, "limit": self.limit, "value": self.value, "holds": self.holds}


@dataclass(frozen=True, slots=True)
class Explanation:
    """The chain from cells to state.

    ``weekly`` is what the window holds: (week, numerator, denominator, n); ``course`` the values that were folded.
    """

    rule_id: str
    rule_sha256: str
    scope: Scope
    point: Point
    memory: FindingMemory
    cascade: tuple[TargetStep, ...]
    weekly: tuple[tuple[int, float, float, int], ...]
    sentences: tuple[str, ...]
    course: tuple[CourseStep, ...] = ()
    conditions: tuple[ConditionStep, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON; weeks as ISO labels."""
        return {
            "rule": self.rule_id,
            "rule_sha256": self.rule_sha256,
            "scope": self.scope.as_dict(),
            "window": [weeks.label(self.point.first_week), weeks.label(self.point.week)],
            "value": self.point.value,
            "numerator": self.point.numerator,
            "denominator": self.point.denominator,
            "n": self.point.n,
            "target": {
                "kind": self.point.target.kind,
                "value": self.point.target.value,
                "source": self.point.target.source,
            },
            "is_breaching": self.point.is_breaching,
            "reason": self.point.reason or None,
            "state": self.memory.state.value,
            "run": self.memory.run,
            "cascade": [
                {"label": step.label, "target": step.target, "has_won": step.has_won, "because": step.because}
                for step in self.cascade
            ],
            "weekly": [
                {"week": weeks.label(week), "numerator": numerator, "denominator": denominator, "n": n}
                for week, numerator, denominator, n in self.weekly
            ],
            "while": [step.as_dict() for step in self.conditions],
            "course": [step.as_dict() for step in self.course],
            "sentences": list(self.sentences),
        }


def explain(
    rule: Rule,
    cells: pa.Table | Cells,
    scope: Scope,
    *,
    connection: str,
    week: int,
    memory: FindingMemory | None = None,
    companions: Mapping[SeriesKey, pa.Table | Cells] | None = None,
    first_week: int | None = None,
    judged_by: Mapping[int, Rule] | None = None,
) -> Explanation:
    """Explain one scope when ``week`` is the last complete one.

    ``memory`` is what was known before that week; without it all weeks from ``first_week`` on are folded (default: from
    the first that has cells). ``judged_by``: other versions of the rule, of the same series, by the last week of the
    window that they judged.
    """
    versions = judged_by or {}
    block = Cells.of(cells, rule.by)
    companions = {key: Cells.of(table, key.by) for key, table in (companions or {}).items()}
    week -= week % rule.every_weeks
    start = week
    if memory is None and first_week is not None:
        start = min(first_week, week)
    elif memory is None and block.scopes:
        start = min(block.first_week + rule.lag_weeks, week)
    point: Point | None = None
    course: list[CourseStep] = []
    for at in range(start, week + 1):
        own = versions.get(at - rule.lag_weeks, rule)
        for found in points(own, block, connection=connection, week=at, companions=companions, also=[scope]):
            if found.scope == scope:
                point, memory = found, advance(memory, found, own)
                course.append(course_step(memory, found, own))
    rule = versions.get(week - rule.lag_weeks, rule)
    if point is None or memory is None:  # `also` and the rounded week above make a point certain
        raise ValueError(f"{rule.id} has no value in {weeks.label(week)}")
    conditions = tuple(_condition(rule, condition, scope, week, companions) for condition in rule.conditions)
    return Explanation(
        rule.id,
        rule.sha256,
        scope,
        point,
        memory,
        target_steps(rule, scope, weeks.sunday(point.week), point.target.source),
        _weekly(block, scope, point),
        _sentences(rule, point, memory, conditions),
        tuple(course),
        conditions,
    )


def target_steps(rule: Rule, scope: Scope, day: date, won: str) -> tuple[TargetStep, ...]:
    """Every target of the rule, and why it is or is not ``won``, the one in force for the scope on this day."""
    steps = [TargetStep(OWN, target_text(rule, rule.target), won == OWN, GENERAL)]
    for override in rule.overrides:
        if not override.is_valid_on(day):
            because = f"not in force on {day}"
        elif not override.matches(scope):
            because = "the scope does not match"
        elif override.label == won:
            because = LOWEST
        else:
            because = "another one is on a lower level or more exact"
        steps.append(TargetStep(override.label, target_text(rule, override.target), override.label == won, because))
    return tuple(steps)


def target_text(rule: Rule, target: Any) -> str:
    """A target in words: ``max 5%``."""
    if target.kind is TargetKind.WORSE_THAN_OWN:
        by = f"{target.value:.0%} of it" if target.is_relative else value_text(target.value, rule)
        return f"its own {target.reference_weeks} weeks before, {by} tolerated"
    return f"{target.kind.value} {value_text(target.value, rule)}"


def _weekly(block: Cells, scope: Scope, point: Point) -> tuple[tuple[int, float, float, int], ...]:
    row = block.row_of(scope)
    if row is None:
        return ()
    found = []
    for week in range(point.first_week, point.week + 1):
        position = week - block.first_week
        if 0 <= position < block.rows.shape[1] and block.rows[row, position]:
            values = (float(block.numerator[row, position]), float(block.denominator[row, position]))
            found.append((week, *values, int(block.n[row, position])))
    return tuple(found)


def _condition(
    rule: Rule, condition: Condition, scope: Scope, week: int, companions: Mapping[SeriesKey, Cells]
) -> ConditionStep:
    metric = metric_named(condition.key.metric)
    limit = f"{condition.target.kind.value} {_shown(metric, condition.target.value)}"
    cells = companions.get(condition.key)
    row = cells.row_of(scope) if cells is not None else None
    if cells is None or row is None:
        return ConditionStep(metric.id, limit, "no value", None)
    last = week - condition.lag_weeks
    found = cells.window(
        last - rule.window_weeks + 1, last, is_snapshot=condition.is_snapshot, is_count=condition.is_count
    )
    value = float(found.value[row])
    if value != value:
        return ConditionStep(metric.id, limit, "no value", None)
    if found.n[row] < condition.min_samples:
        few = f"{found.n[row]:g} of the {how_many(condition.min_samples, 'sample')} that it takes"
        return ConditionStep(metric.id, limit, few, None)
    is_max = condition.target.kind is TargetKind.MAX
    holds = value <= condition.target.value if is_max else value >= condition.target.value
    return ConditionStep(metric.id, limit, _shown(metric, value), holds)


def _shown(metric: Metric, value: float) -> str:
    return f"{number_text(round(value * 100, 4))}%" if metric.is_share else number_text(round(value, 6))


def _sentences(
    rule: Rule, point: Point, memory: FindingMemory, conditions: tuple[ConditionStep, ...]
) -> tuple[str, ...]:
    window = f"{weeks.label(point.first_week)} to {weeks.label(point.week)}"
    counted = f"{rule.metric} from {window}: {value_text(point.value, rule)}"
    if point.value is not None:
        counted += f" ({point.numerator:g} of {point.denominator:g}, {how_many(point.n, 'sample')})."
    else:
        counted += "."
    lines = [counted, _target_sentence(rule, point), *(condition.sentence for condition in conditions)]
    if point.reason:
        lines.append(f"It does not count against the target: {point.reason}.")
    elif point.is_breaching:
        lines.append(f"It is beyond the target, {memory.run} of {how_many(rule.for_values, 'value')} in a row.")
    else:
        lines.append("It keeps the target.")
    if memory.state.value == "firing":
        since = weeks.label(memory.fired_week or point.week)
        side = "at most" if point.target.is_upper else "at least"
        limit = f" (clear is {side} {value_text(point.target.clear, rule)})" if point.target.clear is not None else ""
        lines.append(
            f"Firing since {since}; clear for {memory.clear_run} of {how_many(rule.clear.values, 'value')}{limit}."
        )
    else:
        lines.append(f"The finding is {memory.state.value.replace('_', ' ')}.")
    return tuple(lines)


def _target_sentence(rule: Rule, point: Point) -> str:
    target = point.target
    if target.value is None:
        return "Its own past is too short to compare with."
    side = "at most" if target.is_upper else "at least"
    own = f", against its own {value_text(target.own, rule)}" if target.own is not None else ""
    return f"Target: {side} {value_text(target.value, rule)}{own} (from {target.source})."
