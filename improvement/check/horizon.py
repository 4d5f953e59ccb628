"""When a look that could not tell will be able to: the earliest date at which the interval may be narrow enough."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from improvement.check.bounds import bounds
from improvement.check.estimate import Estimate
from improvement.check.fit import spread
from improvement.check.model import CheckPlan
from improvement.check.request import Request
from improvement.weeks import monday

FURTHEST_WEEKS = 156


def look_date(plan: CheckPlan, after_from: int, weeks: int) -> date:
    """When a look at so many weeks falls due: they are over, recorded, and their tickets old enough."""
    return monday(after_from + weeks) + timedelta(weeks=plan.tau_weeks, days=plan.recording_delay_days)


def conclusive_by(request: Request, found: Estimate, se: float, goal: float) -> date | None:
    """The first date at which the interval can leave out zero or the goal; None: not within three years.

    Estimate, φ, ρ and weekly volume are taken to stay as they are; until the last planned look only those count.
    """
    from scipy.stats import norm
    from scipy.stats import t as student

    now, limits, effect = request.planned_weeks, bounds(request.plan.looks), request.sign * found.delta
    last = request.plan.looks[-1]
    planned = [look for look in request.plan.looks if look > now]
    later = np.array(planned + list(range(max(now, last) + 1, FURTHEST_WEEKS)))
    bound = np.array([limits.get(int(weeks), limits[last]) for weeks in later])
    reach = student.ppf(norm.cdf(bound), found.df + later - now) * se * _shrinkage(found, later)
    is_narrow = reach < max(effect, goal - effect)
    if not is_narrow.any():
        return None
    return look_date(request.plan, request.after_from, int(later[is_narrow.argmax()]))


def _shrinkage(found: Estimate, weeks: np.ndarray) -> np.ndarray:
    """The standard error with so many weeks in A, over the one now."""
    before = spread(found.rho, found.reference_weeks) / found.reference_weeks
    after = np.array([spread(found.rho, int(size)) / size for size in (found.after_weeks, *weeks)])
    return np.asarray(np.sqrt((before + after[1:]) / (before + after[0])))
