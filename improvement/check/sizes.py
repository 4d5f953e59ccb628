"""How large a plan's goal and minimum effect are on the link scale, given its reference."""

from __future__ import annotations

from improvement.check.model import CheckPlan, Series


def sizes(plan: CheckPlan, reference: Series) -> tuple[float, float]:
    """Goal and minimum effect of a plan on the link scale, given the weeks of its reference.

    A share without any event (or with only events) counts as half an event off the edge, as in the fit.
    :class:`InputError` where a goal cannot be reached from there.
    """
    events, volume = float(reference.numerator.sum()), float(reference.denominator.sum())
    if plan.family == "proportion":
        events = min(max(events, 0.5), volume - 0.5)
    rate, sign, family = events / volume, plan.direction.sign, plan.family or ""
    goal = plan.goal.link_size(family=family, sign=sign, rate=rate)
    return goal, (plan.min_effect or plan.goal.half).link_size(family=family, sign=sign, rate=rate)
