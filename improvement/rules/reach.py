"""Which values a metric can have at all: what a rule says beyond that never does what it was written for.

Each function answers what is wrong and how to mend it, or None.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from improvement.plurals import how_many
from improvement.rules.rule import Clear, Condition, Target, TargetKind, Where
from improvement.rules.units import number_text

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

RANGES = {"csat_mean": (1.0, 5.0), "mood_index": (0.0, 100.0), "nps": (-1.0, 1.0)}  # where neither a share nor open
ALONE = {  # metric → the one value of a filter key that it counts, whatever the filter says
    "change_failure_rate": ("kind", "change"),
    "problem_age_p90": ("kind", "problem"),
    "time_to_respond": ("sla.target", "response"),
    "csat_mean": ("survey.kind", "csat"),
    "csat_low_share": ("survey.kind", "csat"),
    "nps": ("survey.kind", "nps"),
}
MOOD_PARTS = 7


def range_of(metric: Metric) -> tuple[float, float]:
    """The lowest and the highest value there can be; restricted times end at τ."""
    if metric.is_share:
        return 0.0, 1.0
    if metric.tau_h is not None:
        return 0.0, metric.tau_h
    return RANGES.get(metric.id, (0.0, math.inf))


def out_of_range(metric: Metric, number: float, text: str) -> tuple[str, str] | None:
    """Of a limit (in the metric's unit, ``text`` as it was written) that no value can be near."""
    low, high = range_of(metric)
    if low <= number <= high:
        return None
    if math.isinf(high):
        return (
            f"{text} lies below {number_text(low)}, and no value of {metric.id} does.",
            f"Use {number_text(low)} or more.",
        )
    bounds = f"{number_text(low)} and {number_text(high)}"
    what = f"{text} lies outside {bounds}, between which all values of {metric.id} lie."
    if high == 1 and 1 < abs(number) <= 100:
        return what, f"Did you mean {number_text(number / 100)}?"
    unit = metric.unit if metric.unit == "h" else ""
    return what, f"Use a number from {number_text(low)} to {number_text(high)}{unit}."


def out_of_reach(metric: Metric, tolerance: float, text: str, *, is_relative: bool) -> tuple[str, str] | None:
    """Where no value can be that much worse than the scope's own past.

    ``tolerance`` is in the metric's unit, or a share of the past value; ``text`` is how it was written.
    """
    low, high = range_of(metric)
    if not is_relative:
        most = high - low
    else:  # a share of its own past: that may be tiny, so only a fall from the best value there is has an end
        most = 1 - low / high if metric.direction == "higher" and low >= 0 else math.inf
    if tolerance < most:
        return None
    shown = f"{number_text(most * 100)}%" if is_relative or metric.is_share else number_text(most)
    what = f"No value of {metric.id} can be {text.strip()} worse than its own past: such a rule never fires."
    return what, f"Stay below {shown}."


def never_broken(metric: Metric, targets: Sequence[Target]) -> tuple[str, str] | None:
    """Where no value can break any of the targets; an override alone may well ask for nothing."""
    low, high = range_of(metric)
    best, side, mend = (high, "above", "below") if metric.direction == "lower" else (low, "below", "above")
    if any(target.kind is TargetKind.WORSE_THAN_OWN or target.value != best for target in targets):
        return None
    text = limit_text(best, metric)
    hint = " (1% is 0.01)" if metric.is_share and best == 1 else ""
    return f"No value of {metric.id} lies {side} {text}: such a rule never fires.", f"Use a limit {mend} {text}{hint}."


def never_cleared(metric: Metric, clear: Clear, targets: Sequence[Target]) -> tuple[str, str] | None:
    """Where a ``min`` target divided by the ratio is more than there is, or, being negative, looser than the target.

    A share is cleared at 100 % at the latest (targets.py).
    """
    if clear.target is not None or clear.ratio == 1 or metric.is_share:
        return None
    limits = [target.value for target in targets if target.kind is TargetKind.MIN]
    if any(limit < 0 for limit in limits):
        return (
            "Divided by the ratio, a target below zero is looser: what still breaks it would be resolved.",
            "Use an absolute min, stricter than the target.",
        )
    _, high = range_of(metric)
    highest = max(limits, default=-math.inf)
    if highest / clear.ratio <= high:
        return None
    needed = f"{number_text(highest)} divided by {number_text(clear.ratio)}"
    what = f"No value of {metric.id} reaches {needed}: a finding would never be resolved."
    least = math.ceil(round(highest / high * 100, 6)) / 100
    return what, f"Use a ratio of {number_text(least)} or more, or an absolute min."


def never_holds(
    metric: Metric, condition: Condition, targets: Sequence[Target], others: Sequence[Condition]
) -> tuple[str, str] | None:
    """Where a *while* on the very values the rule judges (``targets``) or other conditions do (``others``) excludes
    them."""
    mend = "Name another metric or where, or remove it."
    limit = condition.target
    said = f"{_side(limit)} {limit_text(limit.value, metric)}"
    if targets and all(_exclude(target, limit) for target in targets):
        kept = limit_text(targets[0].value, metric)
        broken = "above" if targets[0].kind is TargetKind.MAX else "below"
        what = f"No value of {metric.id} is {broken} {kept} and {said} at once: such a rule never fires."
        return what, mend
    for other in others:
        ends = {other.target.kind: other.target.value, limit.kind: limit.value}
        if len(ends) == 2 and ends[TargetKind.MIN] > ends[TargetKind.MAX]:
            also = f"{_side(other.target)} {limit_text(other.target.value, metric)}"
            return f"No value of {metric.id} is {also} and {said} at once: such a rule never fires.", mend
    return None


def too_few_samples(metric: Metric, condition: Condition, window_weeks: int) -> tuple[str, str] | None:
    """Where a *while* holds at most so many records that, by its own samples, nobody can tell."""
    limit, samples = condition.target, condition.min_samples
    is_of_records = condition.is_count or metric.id == "backlog_open"
    most = limit.value * (window_weeks if condition.is_count else 1)
    if not is_of_records or limit.kind is not TargetKind.MAX or most >= samples:
        return None
    what = f"Where it holds there are fewer than the {how_many(samples, 'sample')} it takes: such a rule never fires."
    return what, "Use min instead, or name another metric or where."


def counts_nothing(metric: Metric, where: Where) -> tuple[str, str, str] | None:
    """Of a filter that leaves out all that the metric counts; the first of the answers is its key."""
    key, value = ALONE.get(metric.id, ("", ""))
    values = dict(where).get(key)
    if values is None or value in values:
        return None
    what = f"{metric.id} counts nothing where {key} is {' or '.join(map(str, values))}: it is of {value} alone."
    return key, what, f"Write {key}: {value}, or leave it out."


def too_many_samples(metric: Metric, by: tuple[str, ...], samples: int) -> tuple[str, str] | None:
    """Of a number of samples that no value can rest on."""
    if metric.id == "mood_index" and samples > MOOD_PARTS:
        what = f"The samples of mood_index are its parts, {MOOD_PARTS} at most: such a rule never has a value."
        return what, f"Use {MOOD_PARTS} or fewer, like 4."
    if metric.id == "contact_gap" and "customer" in by and samples > 1:
        what = "The samples of contact_gap are customers, here one in each scope: such a rule never has a value."
        return what, "Use 0 or 1."
    return None


def limit_text(number: float, metric: Metric) -> str:
    """A limit as people write it."""
    return f"{number_text(number * 100)}%" if metric.is_share else number_text(number)


def _side(limit: Target) -> str:
    return "at most" if limit.kind is TargetKind.MAX else "at least"


def _exclude(target: Target, limit: Target) -> bool:
    """Whether no value breaks the target and keeps the limit."""
    if target.kind is not limit.kind:
        return False
    return limit.value <= target.value if limit.kind is TargetKind.MAX else limit.value >= target.value
