"""The guards of the loop: each answers with every reason why an event is not allowed, or with none."""

from __future__ import annotations

from datetime import date, timedelta

from improvement.action import ActionFacts, Actor, Call, State
from improvement.vocabulary import GOOD_VERDICTS, NOTHING_DETECTABLE, SUSTAINED_VERDICTS, Verdict


def plan_is_complete(facts: ActionFacts, call: Call) -> list[str]:
    """Owner, hypothesis, metric, goal, minimum effect, go-live, windows, controls and a detectable effect are there."""
    is_set = bool(facts.goal_text)
    is_unmeasured = is_set and facts.goal is None and not facts.goal_inexpressible
    missing = {
        "an owner is missing": facts.owner is None,
        "the hypothesis is missing": not facts.hypothesis.strip(),
        "the metric is missing": not facts.metric,
        "the goal is missing": facts.goal is None and not is_set,
        "the goal cannot be judged: the scope has no data in the reference window": is_unmeasured,
        "the minimum effect is missing": facts.min_effect is None and not is_set,
        "the planned go-live is missing": facts.golive_planned is None,
        "the windows are not fixed": not facts.has_windows,
        "the controls are not chosen": not facts.has_controls,
        "the detectable effect is not computed": facts.detectable_effect is None,
    }
    return [reason for reason, is_missing in missing.items() if is_missing]


def goal_is_sound(facts: ActionFacts, call: Call) -> list[str]:
    """The goal lies on the good side, and the minimum effect between nothing and the goal."""
    reasons = []
    if facts.goal is not None and facts.goal <= 0:
        reasons.append("the goal goes against the metric's direction")
    if facts.min_effect is not None and facts.min_effect <= 0:
        reasons.append("the minimum effect goes against the metric's direction")
    if facts.goal is not None and facts.min_effect is not None and 0 < facts.goal < facts.min_effect:
        reasons.append("the minimum effect is larger than the goal")
    return reasons


def goal_is_detectable(facts: ActionFacts, call: Call) -> list[str]:
    """A goal smaller than the detectable effect, or one that cannot be expressed, needs a logged reason."""
    if facts.goal_inexpressible and not facts.detectable_accepted_reason.strip():
        return [f"{facts.goal_inexpressible}: set another goal, or give a reason to go on nevertheless"]
    if facts.goal is None or facts.detectable_effect is None or facts.detectable_accepted_reason.strip():
        return []
    if facts.detectable_text == NOTHING_DETECTABLE:
        return [
            "no effect of this kind is detectable with these numbers, so neither is the goal "
            f"({_sized(facts.goal_text, facts.goal)}): give a reason to go on nevertheless"
        ]
    if facts.goal < facts.detectable_effect:
        return [
            f"the goal ({_sized(facts.goal_text, facts.goal)}) is smaller than the smallest detectable effect "
            f"({_sized(facts.detectable_text, facts.detectable_effect)}): give a reason to go on nevertheless"
        ]
    return []


def _sized(text: str, size: float) -> str:
    return f"{text}, {size:.2f} on the link scale" if text else f"{size:.2f} on the link scale"


def is_not_frozen(facts: ActionFacts, call: Call) -> list[str]:
    """A frozen plan is not approved twice."""
    return ["this plan version is approved already"] if facts.is_approved else []


def approver_is_not_owner(facts: ActionFacts, call: Call) -> list[str]:
    """Somebody else approves, unless a small team waived it (logged)."""
    if not call.actor.is_person:
        return ["a person has to approve"]
    if call.actor.id == facts.owner and not facts.may_approve_own:
        return ["the owner cannot approve their own plan"]
    return []


def golive_is_still_possible(facts: ActionFacts, call: Call) -> list[str]:
    """A plan whose go-live and slip are over would slip again the moment it is approved."""
    latest = latest_golive(facts)
    if facts.implemented_on is not None or latest is None or call.today <= latest:
        return []
    return [f"the planned go-live was over on {latest}: plan a new date first"]


def is_approved(facts: ActionFacts, call: Call) -> list[str]:
    """The plan is frozen."""
    return [] if facts.is_approved else ["the plan is not approved"]


def golive_is_dated(facts: ActionFacts, call: Call) -> list[str]:
    """Go-live has a local date, after the trigger window, after an earlier cycle's, and not in the future."""
    day = call.implemented_on
    if day is None:
        return ["the day it went live is missing"]
    reasons = []
    if facts.trigger_last is not None and day <= facts.trigger_last:
        reasons.append(f"{day} lies in or before the trigger window, which ends on {facts.trigger_last}")
    if facts.first_implemented_on is not None and day <= facts.first_implemented_on:
        reasons.append(f"{day} is not after the go-live of the cycle before, {facts.first_implemented_on}")
    if day > call.today:
        reasons.append(f"{day} is in the future")
    return reasons


def is_not_live(facts: ActionFacts, call: Call) -> list[str]:
    """The first go-live date of a cycle stays; a correction is an event of its own."""
    return [f"it is live since {facts.implemented_on}"] if facts.implemented_on is not None else []


def is_another_day(facts: ActionFacts, call: Call) -> list[str]:
    """Only a go-live that was reported can be corrected, and to another day."""
    if facts.implemented_on is None:
        return ["no go-live was reported yet: there is nothing to correct"]
    return [f"it is live since {facts.implemented_on}"] if call.implemented_on == facts.implemented_on else []


def has_verdict(facts: ActionFacts, call: Call) -> list[str]:
    """The look has given a verdict."""
    return [] if call.verdict else ["the verdict of the look is missing"]


def late_is_not_improved(facts: ActionFacts, call: Call) -> list[str]:
    """Work done before its yardstick was fixed is never credited to the action."""
    if facts.is_late and call.verdict == Verdict.IMPROVED:
        return ["a late action cannot be improved, only improved, not attributable"]
    return []


def verdict_is_good(facts: ActionFacts, call: Call) -> list[str]:
    """Only what improved or recovered becomes the standard, unless two people overruled the verdict."""
    if facts.verdict in GOOD_VERDICTS or facts.is_overridden:
        return []
    return [f"the verdict is {facts.verdict or 'missing'}: only improved or recovered can be standardised"]


def verdict_is_bad(facts: ActionFacts, call: Call) -> list[str]:
    """A sustaining look brings the action back only when the effect is gone."""
    return ["the effect is still there"] if call.verdict in SUSTAINED_VERDICTS else []


def is_acknowledged(facts: ActionFacts, call: Call) -> list[str]:
    """A person with the owner's rights has seen the last look."""
    if call.acknowledged_by and Actor(call.acknowledged_by).is_person:
        return []
    return ["the owner has not acknowledged the last sustaining look"]


def has_reason(facts: ActionFacts, call: Call) -> list[str]:
    """A reason is given."""
    return [] if call.reason.strip() else ["a reason is missing"]


def has_slipped(facts: ActionFacts, call: Call) -> list[str]:
    """The planned go-live and the allowed slip are over without a go-live."""
    latest = latest_golive(facts)
    if latest is None:
        return ["no go-live is planned"]
    return [] if call.today > latest else [f"it may still go live until {latest}"]


def stands_before_acting(facts: ActionFacts, call: Call) -> list[str]:
    """Once there is a verdict, a decision answers it; giving up would hide it."""
    return (
        ["it has a verdict: decide instead of cancelling"] if facts.standing in (State.ACTING, State.SUSTAINING) else []
    )


def latest_golive(facts: ActionFacts) -> date | None:
    if facts.golive_planned is None:
        return None
    return facts.golive_planned + timedelta(weeks=facts.max_slip_weeks)
