"""Targets in the metric's unit: percentages only where the metric is a share, hours only where it counts hours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from improvement.rules.documents import TargetPart
from improvement.rules.problems import Path, Problems
from improvement.rules.reach import out_of_range, out_of_reach, range_of
from improvement.rules.rule import Target, TargetKind
from improvement.rules.units import Amount, number_text

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

UNITS: dict[str, dict[str, float]] = {  # a metric's unit → what may be written behind a number
    "h": {"h": 1.0, "min": 1 / 60, "d": 24.0},
    "days": {"d": 1.0, "days": 1.0, "w": 7.0},
}


def target_of(part: TargetPart, path: Path, problems: Problems, metric: Metric) -> Target | None:
    """A target in the metric's unit, or None after reporting."""
    if part.worse_than_own is not None:
        return _own(part, path, problems, metric)
    if part.max is not None:
        return limit_of(TargetKind.MAX, part.max, path, problems, metric)
    return limit_of(TargetKind.MIN, part.min, path, problems, metric) if part.min is not None else None


def limit_of(kind: TargetKind, amount: Amount, path: Path, problems: Problems, metric: Metric) -> Target | None:
    """A limit on the side where the metric is bad, or None after reporting."""
    at = (*path, kind.value)
    if (metric.direction == "lower") != (kind is TargetKind.MAX):
        other = TargetKind.MIN if kind is TargetKind.MAX else TargetKind.MAX
        what = f"Of {metric.id} {metric.direction} values are better: {kind.value} would fire on good ones."
        problems.add(at, what, f"Did you mean {other.value}: {amount.text}?", of_key=True)
        return None
    number = in_range(amount, at, problems, metric)
    return None if number is None else Target(kind, number)


def in_range(amount: Amount, path: Path, problems: Problems, metric: Metric) -> float | None:
    """A limit in the metric's unit that its values can be near, or None after reporting."""
    number = in_unit(amount, path, problems, metric)
    wrong = out_of_range(metric, number, amount.text) if number is not None else None
    if wrong is not None:
        problems.add_futile(path, *wrong)
    return number


def in_unit(amount: Amount, path: Path, problems: Problems, metric: Metric) -> float | None:
    """A limit in the metric's unit, or None after reporting."""
    if metric.is_share:
        if amount.unit:
            problems.add(path, f"{metric.id} is a share and has no unit “{amount.unit}”.", "Write it like 5%.")
        elif not 0 <= amount.number <= 1:
            what = f"{amount.text} lies outside 0% and 100%."
            problems.add(
                path,
                what,
                f"Did you mean {number_text(amount.number)}%?" if 1 < amount.number <= 100 else "Write it like 5%.",
            )
        else:
            return amount.number
        return None
    if amount.is_percent:
        problems.add(
            path,
            f"{metric.id} is measured in {metric.unit}, not as a percentage.",
            _meant_by_percent(amount.number, metric),
        )
        return None
    if not amount.unit:
        return amount.number
    known = UNITS.get(metric.unit, {metric.unit: 1.0})
    if amount.unit not in known:
        mend = f"Write the number alone, or one of: {', '.join(known)}."
        problems.add(path, f"{metric.id} is measured in {metric.unit}; “{amount.unit}” is not understood.", mend)
        return None
    return amount.number * known[amount.unit]


def _meant_by_percent(number: float, metric: Metric) -> str:
    """The number that was probably meant, of those the metric can have."""
    low, high = range_of(metric)
    meant = next((one for one in (number * 100, number) if low <= one <= high), None)
    if meant is not None:
        return f"Did you mean {number_text(meant)}?"
    return f"Write a number from {number_text(low)} to {number_text(high)}."


def _own(part: TargetPart, path: Path, problems: Problems, metric: Metric) -> Target | None:
    own = part.worse_than_own
    at = (*path, "worse_than_own", "by")
    if own is None:
        return None
    if own.by.number <= 0:
        problems.add(at, "The tolerated distance must be above zero.", "Write it like 30% or 0.3.")
        return None
    number: float | None = own.by.number
    if not own.by.is_percent and own.by.unit:
        number = in_unit(own.by, at, problems, metric)
    if number is None:
        return None
    wrong = out_of_reach(metric, number, own.by.text, is_relative=own.by.is_percent)
    if wrong is not None:
        problems.add_futile(at, *wrong)
    return Target(TargetKind.WORSE_THAN_OWN, number, own.by.is_percent, own.reference)
