"""The smallest effect a plan can show: told before anybody starts.

An effect changes its own error: half the breaches leave half the events to tell it by. So the error is that which the
look will have *if* the effect is there, and the smallest effect is where both meet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from improvement.check.bounds import bounds
from improvement.check.fit import FitFailed, control_offset, fit, spread, with_half_event
from improvement.check.model import CheckPlan, Series
from improvement.plurals import how_many
from improvement.vocabulary import NOTHING_DETECTABLE

POWER_Z = 0.84  # 80 %
LEAST_EVENTS = 0.5  # what a window without any event counts as, here as in the fit
LARGEST = 50.0  # on the link scale: beyond every effect there is
MOST_TOLD = -math.log(0.015)  # beyond it two digits would tell the ratio as 0.01 or 0.00


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest detectable effect on the link scale (None: cannot be told), and in words."""

    link: float | None
    text: str
    phi: float | None = None
    rho: float | None = None

    def as_dict(self) -> dict[str, float | str | None]:
        """As plain JSON values."""
        return asdict(self)


def detectable(plan: CheckPlan, scope: Series, controls: Mapping[str, Series]) -> Detectable:
    """(c of the last look + 0.84)·SE, with SE from the reference's φ, ρ and volume over the planned weeks.

    The weeks of *after* are taken as the effect would leave them: found in 80 % of cases, at the last look's bound.
    """
    if plan.family is None:
        return Detectable(None, "this metric is shown against its target and gets no statistical verdict")
    reference = scope.weekly().between(*plan.windows.reference)
    weeks = len(reference.week)
    if weeks < 10:
        return Detectable(None, f"the reference has only {how_many(weeks, 'week')} with volume")
    pooled = [control.weekly().between(*plan.windows.reference) for control in controls.values()]
    cells, _ = with_half_event(plan.family, reference, [np.ones(weeks, dtype=bool)])
    try:
        found = fit(plan.family, cells, np.ones((weeks, 1)), control_offset(plan.family, pooled, reference.week))
    except FitFailed as error:
        return Detectable(None, f"cannot be told: {error.what}")
    volumes = _Volumes.of(plan, cells)
    size = _smallest(plan, found.phi, found.rho, volumes)
    text = _text(plan, size) if _is_possible(plan, volumes, size) else NOTHING_DETECTABLE
    return Detectable(size, text, found.phi, found.rho)


@dataclass(frozen=True, slots=True)
class _Volumes:
    """What the effect is told by: the rate before, the volume before and after, and over how many weeks."""

    rate: float
    before: float
    after: float
    weeks: int

    @classmethod
    def of(cls, plan: CheckPlan, reference: Series) -> _Volumes:
        weeks, volume = len(reference.week), float(reference.denominator.sum())
        return cls(float(reference.numerator.sum()) / volume, volume, volume / weeks * plan.looks[-1], weeks)


def _smallest(plan: CheckPlan, phi: float, rho: float, volumes: _Volumes) -> float:
    """Where an effect is as large as its own error times (c + 0.84)."""
    from scipy.optimize import brentq

    look = plan.looks[-1]
    needed = bounds(plan.looks)[look] + POWER_Z

    def lacking(size: float) -> float:
        reached = _reached(plan, volumes.rate, size)
        variance = _variance(plan.family, volumes.rate, volumes.before) * spread(rho, volumes.weeks)
        variance += _variance(plan.family, reached, volumes.after) * spread(rho, look)
        return needed * math.sqrt(phi * variance) - size

    return float(brentq(lacking, 0.0, _beyond(lacking)))


def _is_possible(plan: CheckPlan, volumes: _Volumes, size: float) -> bool:
    """Whether *after* can show so much at all: where not one event is left it still counts as half an event."""
    if plan.family not in ("proportion", "count"):
        return True
    reached = _reached(plan, volumes.rate, size)
    left = reached if plan.direction.sign < 0 or plan.family == "count" else 1 - reached
    return left * volumes.after >= LEAST_EVENTS and size <= MOST_TOLD


def _beyond(lacking: Callable[[float], float]) -> float:
    """An effect that is certainly large enough; the error is bounded, so there is one."""
    size = 1.0
    while lacking(size) > 0:
        size *= 2
    return size


def _reached(plan: CheckPlan, rate: float, size: float) -> float:
    """The rate of *after* with this effect; where the error does not hang on it, the rate as it was."""
    if plan.family not in ("proportion", "count"):
        return rate
    moved = plan.direction.sign * min(size, LARGEST)
    if plan.family == "count":
        return rate * math.exp(moved)
    odds = rate / (1 - rate) * math.exp(moved)
    return odds / (1 + odds)


def _variance(family: str | None, rate: float, volume: float) -> float:
    """Variance of the link-scale rate of a window with this volume, φ = 1 and independent weeks."""
    if family == "proportion":
        events, others = max(rate * volume, LEAST_EVENTS), max((1 - rate) * volume, LEAST_EVENTS)
        return 1 / events + 1 / others
    return 1 / max(rate * volume, LEAST_EVENTS) if family == "count" else 1 / volume


def _text(plan: CheckPlan, size: float) -> str:
    signed = plan.direction.sign * size
    if plan.family == "score":
        return f"{signed:+.2f} {plan.unit}"
    name = "odds ratio" if plan.family == "proportion" else "ratio"
    return f"{name} {math.exp(signed):.2f}"
