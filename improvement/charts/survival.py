"""How long tickets stay open: the Kaplan–Meier estimate; one that is still open counts as long as it was seen."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Step:
    """What is known from one time on: the share still open, its standard error, and a 95 % interval."""

    hours: float
    share: float
    error: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curve:
    """The share of tickets still open by the hours since they were opened. Shares lie between 0 and 1."""

    steps: tuple[Step, ...]  # one for each time at which tickets were done
    seen_for: tuple[float, ...]  # hours for which each ticket was seen, sorted
    done: int

    @property
    def n(self) -> int:
        """How many tickets it rests on."""
        return len(self.seen_for)

    @property
    def median(self) -> float | None:
        """The first time at which half of them or fewer were still open; None where more stayed open."""
        return next((step.hours for step in self.steps if step.share <= 0.5), None)

    def at(self, hours: float) -> Step:
        """What holds this long after opening."""
        place = bisect_right(self.steps, hours, key=lambda step: step.hours)
        return self.steps[place - 1] if place else Step(0.0, 1.0, 0.0, 1.0, 1.0)

    def at_risk(self, hours: float) -> int:
        """How many were still open, and still seen, right before this time."""
        return self.n - bisect_left(self.seen_for, hours)


def kaplan_meier(hours: Sequence[float], is_done: Sequence[bool]) -> Curve:
    """The estimate from the time each ticket was seen for, and whether it was done then or still open (censored).

    S(t) = Π (1 − d/r) over the times at which d of r tickets were done. The variance is Greenwood's,
    S² · Σ d/(r(r − d)); the 95 % interval is taken on the scale of log(−log S), so that it stays within 0 and 1.
    As usual a ticket that was last seen at a time at which others were done is still at risk then.

    Sources: E. L. Kaplan and P. Meier (1958), JASA 53:457–481; J. D. Kalbfleisch and R. L. Prentice, The Statistical
    Analysis of Failure Time Data (interval).
    """
    rows = sorted(zip(hours, is_done, strict=True))
    steps: list[Step] = []
    at_risk, share, greenwood = len(rows), 1.0, 0.0
    for time, group in groupby(rows, key=lambda row: row[0]):
        outcomes = [done for _, done in group]
        done = sum(outcomes)
        if done:
            share *= 1.0 - done / at_risk
            greenwood += done / (at_risk * (at_risk - done)) if at_risk > done else math.inf
            steps.append(_step(time, share, greenwood))
        at_risk -= len(outcomes)
    return Curve(tuple(steps), tuple(time for time, _ in rows), sum(is_done))


def _step(time: float, share: float, greenwood: float) -> Step:
    if share <= 0.0:  # all are done: Greenwood's sum has no value there
        return Step(time, 0.0, 0.0, 0.0, 0.0)
    reach = NORMAL_95 * math.sqrt(greenwood) / abs(math.log(share))
    return Step(time, share, share * math.sqrt(greenwood), share ** math.exp(reach), share ** math.exp(-reach))
