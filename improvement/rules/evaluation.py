"""From cells to points: what a rule sees in each scope at the end of a week. Pure, columnar, no clock.

Cells are ``by…, week, numerator, denominator, n[, stratum]`` (improvement/metrics). A value is Σ numerator /
Σ denominator over the window's weeks; of snapshots (backlog, contact gap) that of the window's last week.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from improvement import weeks
from improvement.rules.cells import Cells, Floats
from improvement.rules.rule import Condition, Rule, SeriesKey, TargetKind
from improvement.rules.scope import Scope
from improvement.rules.targets import ResolvedTarget, Targets

MIN_OWN_SHARE = 0.5  # of the reference weeks must hold data before a scope can be worse than its own past


class Reason:
    """Why a point says nothing, or less than its value suggests."""

    FEW = "too few samples"
    NO_ROWS = "no rows in the window"
    SHORT_PAST = "own past too short"
    WHILE_UNKNOWN = "while: the other metric has too few samples"
    WHILE_BROKEN = "while: the other metric does not hold"


@dataclass(frozen=True, slots=True)
class Point:
    """One value of one rule and scope, for the window ``first_week … week`` (inclusive).

    ``week`` is the window's last week: the evaluated week, less the weeks a restricted time needs to be known.
    ``is_breaching`` is None where the value does not count; ``reason`` says why. ``size`` is how far the value lies
    beyond its target, as a share of the target (negative: inside).
    """

    rule_id: str
    connection: str
    scope: Scope
    week: int
    first_week: int
    value: float | None
    numerator: float
    denominator: float
    n: int
    target: ResolvedTarget
    is_breaching: bool | None
    is_clear: bool | None
    reason: str = ""
    size: float | None = None


def points(
    rule: Rule,
    cells: pa.Table | Cells,
    *,
    connection: str,
    week: int,
    companions: Mapping[SeriesKey, pa.Table | Cells] | None = None,
    also: Iterable[Scope] = (),
) -> list[Point]:
    """The rule's points when ``week`` is the last complete one, sorted by scope; none in weeks it does not look.

    Parameters
    ----------
    cells
        Cells of ``rule.key``; more weeks than needed do no harm. Pass :class:`Cells` to judge many weeks or rules.
    companions
        Cells of the metrics its ``while`` names, by key. One that is missing counts as *no samples*.
    also
        Scopes to report even without any cell, so that a finding whose scope fell silent becomes *no data*.
    """
    if week % rule.every_weeks:
        return []
    block = Cells.of(cells, rule.by)
    last = week - rule.lag_weeks
    first = last - rule.window_weeks + 1
    found = block.window(first, last, is_snapshot=rule.is_snapshot, is_count=rule.is_count)
    rows = np.flatnonzero(block.weeks_active(first - rule.reference_weeks, last, is_count=rule.is_count))
    own = _OwnPast(block, rule, first)
    holds = _conditions(rule, block, week, companions or {})
    on = weeks.sunday(last)
    value, numerator, denominator, n = (
        column.tolist() for column in (found.value, found.numerator, found.denominator, found.n)
    )
    judge = _Judge(rule, connection, first, last)
    targets = Targets(rule, on, own.of)
    result = []
    for row in rows.tolist():
        scope = block.scopes[row]
        target = targets.of(scope, row)
        result.append(judge.point(scope, target, holds[row], value[row], numerator[row], denominator[row], int(n[row])))
    silent = set(also).difference(point.scope for point in result)
    targets = Targets(rule, on, lambda reference, row: None)
    for scope in silent:
        result.append(judge.point(scope, targets.of(scope, -1), True, float("nan"), 0.0, 0.0, 0))
    if silent:
        result.sort(key=lambda point: point.scope.key)
    return result


@dataclass(frozen=True, slots=True)
class _Judge:
    """Compares the values of one window with their targets."""

    rule: Rule
    connection: str
    first: int
    last: int

    def point(
        self,
        scope: Scope,
        target: ResolvedTarget,
        holds: bool | None,
        value: float,
        numerator: float,
        denominator: float,
        n: int,
    ) -> Point:
        """One point; a value of NaN means that nothing was counted."""
        is_known = value == value
        is_breaching, is_clear, reason = self._verdict(target, holds, value, n)
        return Point(
            self.rule.id,
            self.connection,
            scope,
            self.last,
            self.first,
            value if is_known else None,
            numerator,
            denominator,
            n,
            target,
            is_breaching,
            is_clear,
            reason,
            target.distance(value) if is_known else None,
        )

    def _verdict(
        self, target: ResolvedTarget, holds: bool | None, value: float, n: int
    ) -> tuple[bool | None, bool | None, str]:
        """(is breaching, is clear, why not), both None where the value does not count."""
        if value != value:
            return None, None, Reason.NO_ROWS
        if n < self.rule.min_samples:
            return None, None, Reason.FEW
        if target.value is None:
            return None, None, Reason.SHORT_PAST
        if holds is None:
            return None, None, Reason.WHILE_UNKNOWN
        if not holds:
            return False, True, Reason.WHILE_BROKEN
        return target.is_broken_by(value), target.is_cleared_by(value), ""


class _OwnPast:
    """Each scope's own value over the weeks before the window, counted once per length of reference."""

    def __init__(self, block: Cells, rule: Rule, first: int) -> None:
        self._block, self._rule, self._first = block, rule, first
        self._known: dict[int, list[float | None]] = {}

    def of(self, reference_weeks: int, row: int) -> float | None:
        """The scope's own value, or None where fewer than half of the weeks hold data."""
        if reference_weeks not in self._known:
            self._known[reference_weeks] = self._values(reference_weeks)
        return self._known[reference_weeks][row]

    def _values(self, reference_weeks: int) -> list[float | None]:
        first, last = self._first - reference_weeks, self._first - 1
        is_count = self._rule.is_count
        found = self._block.past(first, last, is_count=is_count)
        enough = self._block.weeks_active(first, last, is_count=is_count) >= MIN_OWN_SHARE * reference_weeks
        known: Floats = np.where(enough, found.value, np.nan)
        return [value if value == value else None for value in known.tolist()]


def _conditions(
    rule: Rule, block: Cells, week: int, companions: Mapping[SeriesKey, pa.Table | Cells]
) -> list[bool | None]:
    """Per scope whether every *while* holds; None where one cannot be told."""
    if not rule.conditions:
        return [True] * len(block.scopes)
    state = np.ones(len(block.scopes))  # 1 holds, 0 does not, NaN unknown
    for condition in rule.conditions:
        state = state * _condition(rule, condition, block, week, companions.get(condition.key))
    return [None if held != held else bool(held) for held in state.tolist()]


def _condition(rule: Rule, condition: Condition, block: Cells, week: int, cells: pa.Table | Cells | None) -> Floats:
    held = np.full(len(block.scopes), np.nan)
    if cells is None:
        return held
    other = Cells.of(cells, condition.key.by)
    last = week - condition.lag_weeks
    found = other.window(
        last - rule.window_weeks + 1, last, is_snapshot=condition.is_snapshot, is_count=condition.is_count
    )
    limit = condition.target.value
    is_max = condition.target.kind is TargetKind.MAX
    holds = np.where(np.isnan(found.value), np.nan, found.value <= limit if is_max else found.value >= limit)
    for row, scope in enumerate(block.scopes):
        position = other.row_of(scope)
        if position is not None:
            held[row] = holds[position]
    return held
