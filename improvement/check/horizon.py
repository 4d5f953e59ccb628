"""When a look that could not tell will be able to: the earliest date at which the interval may be narrow enough."""

from __future__ import annotations

import math
from datetime import date, timedelta

from improvement.check.bounds import bounds, quantile
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
    now, limits, effect = request.planned_weeks, bounds(request.plan.looks), request.sign * found.delta
    last = request.plan.looks[-1]
    later = [look for look in request.plan.looks if look > now] + list(range(max(now, last) + 1, FURTHEST_WEEKS))
    for weeks in later:
        critical = quantile(limits.get(weeks, limits[last]), found.df + weeks - now)
        if critical * se * _shrinkage(found, weeks) < max(effect, goal - effect):
            return look_date(request.plan, request.after_from, weeks)
    return None


def _shrinkage(found: Estimate, weeks: int) -> float:
    """The standard error with so many weeks in A, over the one now."""

    def variance(after: int) -> float:
        before = found.reference_weeks
        return spread(found.rho, before) / before + spread(found.rho, after) / after

    return math.sqrt(variance(weeks) / variance(found.after_weeks))
