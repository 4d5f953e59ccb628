"""From cells to points: what a rule sees in each scope at the end of a week. Pure, columnar, no clock.

Cells are ``by…, week, numerator, denominator, n[, stratum]`` (improvement/metrics). A value is Σ numerator /
Σ denominator over the window's weeks; of snapshots (backlog, contact gap) that of the window's last week.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from improvement import weeks
from improvement.metrics.coded import Coded, Floats
from improvement.rules.cells import Cells
from improvement.rules.judging import Point, Seen, judged
from improvement.rules.rule import Condition, Rule, SeriesKey, TargetKind
from improvement.rules.scope import Scope
from improvement.rules.targets import Targets

AnyCells: TypeAlias = pa.Table | Coded | Cells
MIN_OWN_SHARE = 0.5  # of the reference weeks must hold data before a scope can be worse than its own past


def points(
    rule: Rule,
    cells: AnyCells,
    *,
    connection: str,
    week: int,
    companions: Mapping[SeriesKey, AnyCells] | None = None,
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
        Distinct scopes to report even without any cell, so that a finding whose scope fell silent becomes *no data*.
    """
    if week % rule.every_weeks:
        return []
    block = Cells.of(cells, rule.by)
    last = week - rule.lag_weeks
    first = last - rule.window_weeks + 1
    found = block.window(first, last, is_snapshot=rule.is_snapshot, is_count=rule.is_count)
    is_active = block.weeks_active(first - rule.reference_weeks, last, is_count=rule.is_count) > 0
    rows = np.flatnonzero(is_active)
    own = _OwnPast(block, rule, first)
    holds = _conditions(rule, block, week, companions or {})
    on = weeks.sunday(last)
    targets = Targets(rule, on, own.of)
    places = rows.tolist()
    result = judged(
        rule,
        connection,
        (first, last),
        [block.scopes[row] for row in places],
        Seen(
            targets.of_all(block.scopes, places),
            None if holds is None else [holds[row] for row in places],
            *(column[rows] for column in (found.value, found.numerator, found.denominator, found.n)),
        ),
    )
    silent = [scope for scope in also if (row := block.row_of(scope)) is None or not is_active[row]]
    if silent:
        targets = Targets(rule, on, lambda reference, row: None)
        nothing = np.zeros(len(silent))
        seen = Seen(targets.of_all(silent, range(len(silent))), None, nothing * np.nan, nothing, nothing, nothing)
        result += judged(rule, connection, (first, last), silent, seen)
        result.sort(key=lambda point: point.scope.key)
    return result


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
    rule: Rule, block: Cells, week: int, companions: Mapping[SeriesKey, AnyCells]
) -> list[bool | None] | None:
    """Per scope whether every *while* holds, None where one cannot be told; None of a rule without any."""
    if not rule.conditions:
        return None
    state = np.ones(len(block.scopes))  # 1 holds, 0 does not, NaN unknown
    for condition in rule.conditions:
        state = state * _condition(rule, condition, block, week, companions.get(condition.key))
    return [None if held != held else bool(held) for held in state.tolist()]


def _condition(rule: Rule, condition: Condition, block: Cells, week: int, cells: AnyCells | None) -> Floats:
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
    is_unknown = np.isnan(found.value) | (found.n < condition.min_samples)
    holds = np.where(is_unknown, np.nan, found.value <= limit if is_max else found.value >= limit)
    for row, scope in enumerate(block.scopes):
        position = other.row_of(scope)
        if position is not None:
            held[row] = holds[position]
    return held
