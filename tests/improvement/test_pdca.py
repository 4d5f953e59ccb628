"""The loop of one action, told as stories."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from improvement.pdca import (
    BY_EVENT,
    ENGINE,
    PLATFORM,
    TABLE,
    ActionFacts,
    Actor,
    Event,
    Moved,
    Refused,
    State,
    allowed,
    open_action,
    transition,
)

OLGA = Actor("p-olga")  # owns the action
ADAM = Actor("p-adam")  # approves it
THE_ENGINE = Actor(ENGINE)
THE_PLATFORM = Actor(PLATFORM)
TODAY = date(2025, 9, 1)
TRIGGER_ENDS = date(2025, 8, 17)


def an_action(state: State = State.PROPOSED, **changes: Any) -> ActionFacts:
    """A proposed action with everything a plan needs."""
    facts = ActionFacts(
        state=state,
        owner=OLGA.id,
        hypothesis="The mail gateway drops large attachments.",
        metric="sla_breach_rate",
        goal=0.40,
        min_effect=0.18,
        detectable_effect=0.35,
        golive_planned=date(2025, 9, 15),
        has_windows=True,
        has_controls=True,
        trigger_last=TRIGGER_ENDS,
        plan_version=1,
    )
    return replace(facts, **changes)


def an_approved(state: State = State.PLANNED, **changes: Any) -> ActionFacts:
    return an_action(state, **{"approved_by": ADAM.id, "frozen_on": TODAY, **changes})


def after(facts: ActionFacts, event: Event, actor: Actor = OLGA, today: date = TODAY, **payload: Any) -> ActionFacts:
    """The action after an event that must be allowed."""
    outcome = transition(facts, event, actor=actor, today=today, **payload)
    assert isinstance(outcome, Moved), outcome
    return outcome.facts


def why_not(
    facts: ActionFacts, event: Event, actor: Actor = OLGA, today: date = TODAY, **payload: Any
) -> tuple[str, ...]:
    """The reasons why an event is refused."""
    outcome = transition(facts, event, actor=actor, today=today, **payload)
    assert isinstance(outcome, Refused), outcome
    return outcome.reasons


def test_the_whole_loop_from_proposed_to_closed() -> None:
    live = TODAY + timedelta(days=14)
    action = after(an_action(), Event.SUBMIT)
    assert (action.state, action.plan_version) == (State.PLANNED, 2)
    action = after(action, Event.APPROVE, ADAM)
    assert (action.state, action.approved_by, action.frozen_on) == (State.PLANNED, ADAM.id, TODAY)
    action = after(action, Event.START)
    action = after(action, Event.GO_LIVE, today=live, implemented_on=live)
    assert (action.state, action.is_late) == (State.CHECKING, False)
    action = after(action, Event.FINAL_LOOK, THE_ENGINE, verdict="improved")
    action = after(action, Event.STANDARDISE)
    action = after(action, Event.LAST_SUSTAINING_LOOK, THE_ENGINE, acknowledged_by=OLGA.id)
    assert action.state is State.CLOSED
    assert allowed(action) == []


def test_the_table_names_every_event_once() -> None:
    assert [row.event for row in TABLE] == list(Event)
    assert set(BY_EVENT) == set(Event)


def test_what_is_open_is_not_opened_again() -> None:
    for state in State:
        assert Event.OPEN not in allowed(an_action(state))
        assert why_not(an_action(state), Event.OPEN) == ("it is open already",)


def test_an_empty_plan_is_refused_with_every_reason_at_once() -> None:
    reasons = why_not(ActionFacts(State.PROPOSED), Event.SUBMIT)
    assert len(reasons) == 9
    assert "the hypothesis is missing" in reasons
    assert "the detectable effect is not computed" in reasons


def test_a_wrong_state_and_a_wrong_actor_are_both_named() -> None:
    reasons = why_not(an_action(State.DOING), Event.FINAL_LOOK, OLGA, verdict="improved")
    assert reasons == ("it is doing; this is possible from: checking", "only the engine can do this")


def test_a_goal_below_the_detectable_effect_needs_a_logged_reason() -> None:
    timid = an_action(goal=0.2, min_effect=0.1)
    (reason,) = why_not(timid, Event.SUBMIT)
    assert "0.20" in reason
    assert "0.35" in reason
    assert after(replace(timid, detectable_accepted_reason="few tickets"), Event.SUBMIT).state is State.PLANNED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"goal": -0.4}, "the goal goes against the metric's direction"),
        ({"min_effect": 0.5}, "the minimum effect is larger than the goal"),
        ({"min_effect": 0.0}, "the minimum effect goes against the metric's direction"),
    ],
)
def test_an_unsound_goal_is_refused(changes: dict[str, float], reason: str) -> None:
    assert reason in why_not(an_action(**changes), Event.SUBMIT)


def test_nobody_approves_their_own_plan() -> None:
    planned = an_action(State.PLANNED)
    assert why_not(planned, Event.APPROVE, OLGA) == ("the owner cannot approve their own plan",)
    assert why_not(planned, Event.APPROVE, THE_ENGINE)
    assert why_not(planned, Event.APPROVE, THE_PLATFORM)


def test_a_small_team_may_waive_the_second_person_and_it_is_logged() -> None:
    outcome = transition(an_action(State.PLANNED, may_approve_own=True), Event.APPROVE, actor=OLGA, today=TODAY)
    assert isinstance(outcome, Moved)
    assert [entry.type for entry in outcome.entries] == ["approval.waived"]


def test_a_frozen_plan_is_neither_approved_rejected_nor_lapsed_again() -> None:
    for event, actor in ((Event.APPROVE, ADAM), (Event.REJECT, ADAM), (Event.LAPSE, THE_PLATFORM)):
        assert "this plan version is approved already" in why_not(an_approved(), event, actor)


def test_rejection_returns_to_the_owner_and_a_lapse_only_asks_again() -> None:
    assert after(an_action(State.PLANNED), Event.REJECT, ADAM).state is State.PROPOSED
    assert after(an_action(State.PLANNED), Event.LAPSE, THE_PLATFORM) == an_action(State.PLANNED)
    assert why_not(an_action(State.PLANNED), Event.LAPSE, OLGA) == ("only the platform can do this",)


def test_work_starts_only_on_an_approved_plan() -> None:
    assert why_not(an_action(State.PLANNED), Event.START) == ("the plan is not approved",)
    assert after(an_approved(), Event.START, THE_PLATFORM).state is State.DOING


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (None, "the day it went live is missing"),
        (TRIGGER_ENDS, "trigger window"),
        (TODAY + timedelta(days=1), "future"),
    ],
)
def test_go_live_needs_a_day_after_the_trigger_and_not_in_the_future(day: date | None, reason: str) -> None:
    assert reason in " ".join(why_not(an_approved(State.DOING), Event.GO_LIVE, implemented_on=day))


def test_the_first_go_live_date_stays() -> None:
    action = an_action(State.PLANNED, implemented_on=TODAY)
    assert why_not(action, Event.GO_LIVE, implemented_on=TODAY) == ("it is live since 2025-09-01",)


def test_work_done_without_asking_is_kept_and_makes_the_action_late() -> None:
    live = TODAY - timedelta(days=3)
    outcome = transition(an_action(), Event.GO_LIVE, actor=OLGA, today=TODAY, implemented_on=live)
    assert isinstance(outcome, Moved)
    assert (outcome.facts.state, outcome.facts.implemented_on) == (State.PROPOSED, live)
    assert [entry.type for entry in outcome.entries] == ["golive.unapproved"]
    submitted = after(outcome.facts, Event.SUBMIT)
    approved = after(submitted, Event.APPROVE, ADAM)
    assert (approved.state, approved.is_late, approved.implemented_on) == (State.CHECKING, True, live)


def test_the_same_day_is_late_and_the_day_after_is_not() -> None:
    same = after(an_approved(State.DOING), Event.GO_LIVE, implemented_on=TODAY)
    tomorrow = TODAY + timedelta(days=1)
    next_day = after(an_approved(State.DOING), Event.GO_LIVE, today=tomorrow, implemented_on=tomorrow)
    assert (same.is_late, next_day.is_late) == (True, False)


def test_a_late_action_is_never_improved() -> None:
    late = an_approved(State.CHECKING, implemented_on=TODAY, is_late=True)
    assert why_not(late, Event.FINAL_LOOK, THE_ENGINE, verdict="improved")
    assert after(late, Event.FINAL_LOOK, THE_ENGINE, verdict="improved, not attributable").state is State.ACTING


def test_adjusting_does_not_launder_a_late_go_live() -> None:
    acting = an_approved(State.ACTING, implemented_on=TODAY, is_late=True, verdict="no change")
    adjusted = after(acting, Event.ADJUST)
    assert (adjusted.state, adjusted.cycle_no, adjusted.is_late) == (State.PROPOSED, 2, True)
    assert (adjusted.approved_by, adjusted.implemented_on, adjusted.verdict) == (None, None, None)
    assert adjusted.first_implemented_on == TODAY
    reasons = why_not(replace(adjusted, golive_planned=TODAY), Event.GO_LIVE, implemented_on=TODAY)
    assert "cycle before" in reasons[0]


@pytest.mark.parametrize("verdict", ["improved", "improved, not attributable", "recovered"])
def test_good_verdicts_can_become_the_standard(verdict: str) -> None:
    assert after(an_approved(State.ACTING, verdict=verdict), Event.STANDARDISE).state is State.SUSTAINING


@pytest.mark.parametrize("verdict", ["no change", "worse", "faded", "not enough data", "not computed", None])
def test_other_verdicts_cannot(verdict: str | None) -> None:
    action = an_approved(State.ACTING, verdict=verdict)
    assert why_not(action, Event.STANDARDISE)
    assert after(replace(action, is_overridden=True), Event.STANDARDISE).state is State.SUSTAINING


def test_stopping_needs_a_reason() -> None:
    assert why_not(an_approved(State.ACTING, verdict="worse"), Event.STOP) == ("a reason is missing",)
    assert after(an_approved(State.ACTING, verdict="worse"), Event.STOP, reason="too costly").state is State.CLOSED


def test_a_bad_sustaining_look_brings_the_action_back() -> None:
    action = an_approved(State.SUSTAINING, verdict="improved")
    assert why_not(action, Event.BAD_SUSTAINING_LOOK, THE_ENGINE, verdict="improved") == ("the effect is still there",)
    back = after(action, Event.BAD_SUSTAINING_LOOK, THE_ENGINE, verdict="faded")
    assert (back.state, back.verdict) == (State.ACTING, "faded")


def test_the_last_sustaining_look_closes_only_when_acknowledged() -> None:
    action = an_approved(State.SUSTAINING, verdict="improved")
    (reason,) = why_not(action, Event.LAST_SUSTAINING_LOOK, THE_ENGINE)
    assert "acknowledged" in reason
    assert why_not(action, Event.LAST_SUSTAINING_LOOK, THE_ENGINE, acknowledged_by=ENGINE)


def test_a_plan_slips_after_its_go_live_and_allowed_weeks() -> None:
    doing = an_approved(State.DOING)
    last_day = date(2025, 10, 13)
    assert why_not(doing, Event.SLIP, THE_ENGINE, last_day) == ("it may still go live until 2025-10-13",)
    slipped = after(doing, Event.SLIP, THE_ENGINE, last_day + timedelta(days=1))
    assert (slipped.state, slipped.is_approved, slipped.plan_version) == (State.PLANNED, False, 2)


def test_a_slipped_plan_needs_a_new_date_before_it_is_approved_again() -> None:
    much_later = date(2025, 12, 1)
    slipped = after(an_approved(State.DOING), Event.SLIP, THE_ENGINE, much_later)
    assert "plan a new date" in why_not(slipped, Event.APPROVE, ADAM, much_later)[0]
    replanned = replace(slipped, golive_planned=date(2025, 12, 15))
    assert after(replanned, Event.APPROVE, ADAM, much_later).is_approved


def test_what_is_live_never_slips() -> None:
    live = an_approved(State.DOING, implemented_on=TODAY)
    assert "it is live since 2025-09-01" in why_not(live, Event.SLIP, THE_ENGINE, date(2026, 1, 1))


def test_a_plan_changed_after_go_live_is_late() -> None:
    checking = an_approved(State.CHECKING, implemented_on=TODAY + timedelta(days=7))
    today = TODAY + timedelta(days=21)
    reopened = after(checking, Event.REAPPROVE, today=today)
    assert (reopened.state, reopened.is_approved, reopened.plan_version) == (State.PLANNED, False, 2)
    again = after(reopened, Event.APPROVE, ADAM, today)
    assert (again.state, again.is_late) == (State.CHECKING, True)


@pytest.mark.parametrize(
    "state", [State.PROPOSED, State.PLANNED, State.DOING, State.CHECKING, State.ACTING, State.SUSTAINING]
)
def test_a_hold_returns_to_the_state_it_left(state: State) -> None:
    held = after(an_approved(state), Event.HOLD, THE_PLATFORM, reason="waiting for the supplier")
    assert (held.state, held.held_from) == (State.ON_HOLD, state)
    assert why_not(held, Event.RESUME) == ("a reason is missing",)
    resumed = after(held, Event.RESUME, reason="delivered")
    assert resumed == an_approved(state)


def test_looks_go_on_during_a_hold() -> None:
    held = after(an_approved(State.CHECKING, implemented_on=TODAY), Event.HOLD, reason="freeze")
    looked = after(held, Event.FINAL_LOOK, THE_ENGINE, verdict="no change")
    assert (looked.state, looked.held_from, looked.verdict) == (State.ON_HOLD, State.ACTING, "no change")
    assert after(looked, Event.RESUME, reason="over").state is State.ACTING


def test_a_go_live_during_a_hold_is_kept() -> None:
    held = after(an_approved(State.DOING), Event.HOLD, reason="freeze")
    tomorrow = TODAY + timedelta(days=1)
    live = after(held, Event.GO_LIVE, today=tomorrow, implemented_on=tomorrow)
    assert (live.state, live.held_from) == (State.ON_HOLD, State.CHECKING)


def test_cancelling_is_over_once_there_is_a_verdict() -> None:
    checking = an_approved(State.CHECKING, implemented_on=TODAY)
    assert after(checking, Event.CANCEL, reason="service retired").state is State.CANCELLED
    held_in_acting = an_approved(State.ON_HOLD, held_from=State.ACTING, verdict="worse")
    assert why_not(held_in_acting, Event.CANCEL) == (
        "it has a verdict: decide instead of cancelling",
        "a reason is missing",
    )
    assert why_not(an_approved(State.ACTING), Event.CANCEL, reason="no")


def test_a_rule_opens_one_action_for_a_scope_and_keeps_its_budget() -> None:
    opened = open_action(an_action(), actor=THE_ENGINE)
    assert isinstance(opened, Moved)
    assert opened.facts.state is State.PROPOSED
    refused = open_action(an_action(), actor=THE_ENGINE, has_open_twin=True, over_budget=["Olga has 5 open actions"])
    assert isinstance(refused, Refused)
    assert len(refused.reasons) == 2
    assert isinstance(open_action(an_action(), actor=THE_PLATFORM), Refused)
