"""Natural process limits of an XmR chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

MOVING_RANGE_FACTOR = 2.66  # 3 / d2 with d2 = 1.128 for ranges of two (Wheeler, Understanding Variation)
FIRM_FROM = 12  # with fewer points the limits are trial limits


@dataclass(frozen=True, slots=True)
class Limits:
    """Mean and natural process limits, frozen on the reference."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def is_trial(self) -> bool:
        """Whether they rest on too few points to be more than a first guess."""
        return self.n < FIRM_FROM


def natural_limits(values: Sequence[float], *, has_floor: bool = False) -> Limits | None:
    """Mean ± 2.66 · mean moving range of consecutive values; None under two values.

    ``has_floor`` keeps the lower limit from falling below zero, where no value can lie.
    """
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    moving = [abs(later - earlier) for earlier, later in pairwise(values)]
    reach = MOVING_RANGE_FACTOR * sum(moving) / len(moving)
    low = mean - reach
    return Limits(mean=mean, low=max(0.0, low) if has_floor else low, high=mean + reach, n=len(values))
