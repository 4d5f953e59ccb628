"""The smallest effect a plan can show: told before anybody starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from improvement.check.bounds import bounds
from improvement.check.fit import FitFailed, control_offset, fit, spread, with_half_event
from improvement.check.model import CheckPlan, Series

POWER_Z = 0.84  # 80 %


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
    """(c of the last look + 0.84)·SE, with SE from the reference's φ, ρ and volume over the planned weeks."""
    if plan.family is None:
        return Detectable(None, "this metric is shown against its target and gets no statistical verdict")
    reference = scope.weekly().between(*plan.windows.reference)
    weeks = len(reference.week)
    if weeks < 10:
        return Detectable(None, f"the reference has only {weeks} weeks with volume")
    pooled = [control.weekly().between(*plan.windows.reference) for control in controls.values()]
    cells, _ = with_half_event(plan.family, reference, [np.ones(weeks, dtype=bool)])
    try:
        found = fit(plan.family, cells, np.ones((weeks, 1)), control_offset(plan.family, pooled, reference.week))
    except FitFailed as error:
        return Detectable(None, f"cannot be told: {error}")
    look = plan.looks[-1]
    rho = found.rho
    volume = float(cells.denominator.sum())
    unit_variance = _unit_variance(plan.family, float(cells.numerator.sum()) / volume)
    weekly = volume / weeks
    variance = found.phi * unit_variance * (spread(rho, weeks) / (weekly * weeks) + spread(rho, look) / (weekly * look))
    size = (bounds(plan.looks)[look] + POWER_Z) * math.sqrt(variance)
    return Detectable(size, _text(plan, size), found.phi, rho)


def _unit_variance(family: str, rate: float) -> float:
    """Variance of the link-scale rate for one unit of volume and φ = 1."""
    if family == "proportion":
        return 1 / (rate * (1 - rate))
    return 1 / rate if family == "count" else 1.0


def _text(plan: CheckPlan, size: float) -> str:
    signed = plan.direction.sign * size
    if plan.family == "score":
        return f"{signed:+.2f} {plan.unit}"
    name = "odds ratio" if plan.family == "proportion" else "ratio"
    return f"{name} {math.exp(signed):.2f}"
