"""How far a metric's values can lie apart: a tolerance beyond that is a rule that never fires."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from improvement.rules.units import number_text

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

RANGES = {"csat_mean": (1.0, 5.0), "mood_index": (0.0, 100.0), "nps": (-1.0, 1.0)}  # where neither a share nor open


def range_of(metric: Metric) -> tuple[float, float]:
    """The lowest and the highest value there can be."""
    return (0.0, 1.0) if metric.is_share else RANGES.get(metric.id, (0.0, math.inf))


def out_of_reach(metric: Metric, tolerance: float, text: str, *, is_relative: bool) -> tuple[str, str] | None:
    """What is wrong and how to mend it where no value can be that much worse than the scope's own past; else None.

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
