"""Control limits over time: natural process limits (XmR), and for shares those that follow each week's n (p′)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

RANGE_TO_SIGMA = 1.128  # d2: the mean range of two values, in standard deviations
MOVING_RANGE_FACTOR = 2.66  # 3 / d2 (Wheeler, Understanding Variation)
SIGMAS = 3.0
FIRM_FROM = 12  # with fewer points the limits are trial limits


@dataclass(frozen=True, slots=True)
class Limits:
    """Mean and natural process limits, frozen on the reference; the same in every week."""

    mean: float
    low: float
    high: float
    n: int  # weeks they rest on

    @property
    def is_trial(self) -> bool:
        """Whether they rest on too few points to be more than a first guess."""
        return self.n < FIRM_FROM

    def at(self, records: int) -> tuple[float, float]:
        """Lower and upper limit of a week; its number of records does not matter."""
        return self.low, self.high


@dataclass(frozen=True, slots=True)
class ShareLimits:
    """Limits of a share, frozen on the reference: the fewer records a week rests on, the wider.

    ``mean`` is in display units (``scale`` 100: percent); ``sigma_z`` says how much more than their counts allow the
    weeks of the reference vary: 1 is the classic p chart.
    """

    mean: float
    sigma_z: float
    n: int  # weeks they rest on
    scale: float = 100.0

    @property
    def is_trial(self) -> bool:
        """Whether they rest on too few points to be more than a first guess."""
        return self.n < FIRM_FROM

    def at(self, records: int) -> tuple[float, float]:
        """Lower and upper limit of a week with this many records, kept within 0 and 100 %."""
        reach = SIGMAS * self.sigma_z * _sigma(self.mean / self.scale, records) * self.scale
        return max(0.0, self.mean - reach), min(self.scale, self.mean + reach)


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


def share_limits(values: Sequence[float], records: Sequence[int], *, scale: float = 100.0) -> ShareLimits | None:
    """Laney's p′ limits: p̄ ± 3 · σ_z · √(p̄(1 − p̄)/n) for a week with n records; None where all or none are events.

    p̄ is all events over all records; z = (p − p̄)/√(p̄(1 − p̄)/n) of each week; σ_z = mean |z − z of the week
    before| / 1.128. Ordinary p limits (σ_z = 1) are far too narrow once weeks vary by more than their counts, an XmR
    chart forgets that a week of 20 varies more than one of 200; where all n are the same, p′ and XmR agree.

    Source: D. B. Laney (2002), "Improved control charts for attributes", Quality Engineering 14(4):531–537.
    """
    if len(values) < 2:
        return None
    shares = [value / scale for value in values]
    mean = sum(share * n for share, n in zip(shares, records, strict=True)) / sum(records)
    if not 0.0 < mean < 1.0:
        return None
    z = [(share - mean) / _sigma(mean, n) for share, n in zip(shares, records, strict=True)]
    ranges = [abs(later - earlier) for earlier, later in pairwise(z)]
    sigma_z = sum(ranges) / len(ranges) / RANGE_TO_SIGMA
    return ShareLimits(mean=mean * scale, sigma_z=sigma_z, n=len(values), scale=scale)


def _sigma(share: float, records: int) -> float:
    """The standard deviation of a share of so many independent records."""
    return math.sqrt(share * (1.0 - share) / max(records, 1))
