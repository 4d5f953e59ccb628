"""Values judged all at once are judged as one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improvement.rules import Point, Reason, ResolvedTarget, Scope
from improvement.rules.judging import Seen, judged
from tests.improvement.rules.build import a_rule

numbers = st.sampled_from([0.0, 0.05, 0.1, 0.2, 1.0, -1.0]) | st.floats(-10, 10)


@st.composite
def targets(draw: Any) -> ResolvedTarget:
    is_upper, value = draw(st.booleans()), draw(st.none() | numbers)
    clear = None if value is None else draw(numbers)
    return ResolvedTarget("max" if is_upper else "min", value, "target", clear, is_upper)


places = st.lists(
    st.tuples(targets(), st.sampled_from([True, True, False, None]), st.none() | numbers, st.integers(0, 20)),
    max_size=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places, st.booleans(), st.booleans())
def test_a_rule_judges_all_its_values_as_each_alone(
    tmp_path: Path, found: list[Any], has_conditions: bool, is_one_target: bool
) -> None:
    rule = a_rule(tmp_path)
    if is_one_target:
        found = [(found[0][0], *more) for _, *more in found]
    holds = [one[1] for one in found] if has_conditions else None
    scopes = [Scope.of({"customer": str(number)}) for number in range(len(found))]
    value = np.array([np.nan if one[2] is None else one[2] for one in found], dtype=np.float64)
    n = np.array([one[3] for one in found], dtype=np.float64)
    of_all = found[0][0] if found and is_one_target else [one[0] for one in found]
    points = judged(rule, "c", (1, 4), scopes, Seen(of_all, holds, value, value * 2, value * 3, n))
    assert [point.scope for point in points] == scopes
    for point, (target, held, known, samples) in zip(points, found, strict=True):
        alone = told(known, samples, target, held if has_conditions else True, rule.min_samples)
        assert (point.is_breaching, point.is_clear, point.reason, point.size) == alone, point
        assert (point.value, point.n, point.target, point.first_week, point.week) == (known, samples, target, 1, 4)


def told(
    value: float | None, n: int, target: ResolvedTarget, holds: bool | None, least: int
) -> tuple[bool | None, bool | None, str, float | None]:
    """Slow and obvious: whether it breaches, whether it is clear, why not, and how far beyond the target it is."""
    size = distance(value, target) if value is not None and target.value is not None else None
    if value is None:
        return None, None, Reason.NO_ROWS, size
    if n < least:
        return None, None, Reason.FEW, size
    if target.value is None or target.clear is None:
        return None, None, Reason.SHORT_PAST, size
    if holds is None:
        return None, None, Reason.WHILE_UNKNOWN, size
    if not holds:
        return False, True, Reason.WHILE_BROKEN, size
    if target.is_upper:
        return value > target.value, value <= target.clear, "", size
    return value < target.value, value >= target.clear, "", size


def distance(value: float, target: ResolvedTarget) -> float:
    assert target.value is not None
    beyond = value - target.value if target.is_upper else target.value - value
    scale = abs(target.value) or abs(value)
    return beyond / scale if scale else 0.0


def test_points_hold_python_values(tmp_path: Path) -> None:
    """They go into databases and JSON, which know no numbers of an array library."""
    target = ResolvedTarget("max", 0.1, "target", 0.08, True)
    ones = np.ones(1)
    (point,) = judged(a_rule(tmp_path), "c", (1, 4), [Scope()], Seen(target, None, ones, ones, ones, ones * 12))
    kinds = {name: type(getattr(point, name)) for name in Point.__struct_fields__}
    assert kinds["value"] is kinds["size"] is kinds["numerator"] is float
    assert kinds["n"] is int
    assert kinds["is_breaching"] is kinds["is_clear"] is bool
