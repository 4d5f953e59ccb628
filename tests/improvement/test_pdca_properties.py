"""No sequence of events, however odd, reaches an illegal state or skips a guard.

The machine under test is driven with random events, actors, dates and payloads. What must hold is written here
again from the text of the loop, on its own, so that a slip in the table cannot hide in its own mirror.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from improvement.pdca import ENGINE, PLATFORM, ActionFacts, Actor, Event, Moved, Refused, State, allowed, transition

START = date(2025, 8, 1)
OWNER, APPROVER, STRANGER = "p-owner", "p-approver", "p-stranger"
ACTORS = (OWNER, APPROVER, STRANGER, ENGINE, PLATFORM)
VERDICTS = (
    None,
    "improved",
    "improved, not attributable",
    "recovered",
    "no change",
    "worse",
    "faded",
    "not enough data",
    "not computed",
)

PROPOSED, PLANNED, DOING, CHECKING, ACTING, SUSTAINING, CLOSED, HELD, CANCELLED = State

#: Which states an event may leave and where it may lead, copied by hand from the description of the loop.
LEGAL_MOVES: dict[Event, set[tuple[State, State]]] = {
    Event.SUBMIT: {(PROPOSED, PLANNED)},
    Event.APPROVE: {(PLANNED, PLANNED), (PLANNED, CHECKING)},
    Event.REJECT: {(PLANNED, PROPOSED)},
    Event.LAPSE: {(PLANNED, PLANNED)},
    Event.START: {(PLANNED, DOING)},
    Event.GO_LIVE: {
        (DOING, CHECKING),
        (PLANNED, CHECKING),
        (PLANNED, PLANNED),
        (PROPOSED, PROPOSED),
        (HELD, HELD),
    },
    Event.CORRECT_GOLIVE: {(state, state) for state in (PROPOSED, PLANNED, CHECKING, HELD)},
    Event.FINAL_LOOK: {(CHECKING, ACTING), (HELD, HELD)},
    Event.STANDARDISE: {(ACTING, SUSTAINING)},
    Event.STOP: {(ACTING, CLOSED)},
    Event.ADJUST: {(ACTING, PROPOSED)},
    Event.LAST_SUSTAINING_LOOK: {(SUSTAINING, CLOSED), (HELD, CLOSED)},
    Event.BAD_SUSTAINING_LOOK: {(SUSTAINING, ACTING), (HELD, HELD)},
    Event.REAPPROVE: {(DOING, PLANNED), (CHECKING, PLANNED)},
    Event.SLIP: {(PLANNED, PLANNED), (DOING, PLANNED)},
    Event.HOLD: {(state, HELD) for state in (PROPOSED, PLANNED, DOING, CHECKING, ACTING, SUSTAINING)},
    Event.RESUME: {(HELD, state) for state in (PROPOSED, PLANNED, DOING, CHECKING, ACTING, SUSTAINING)},
    Event.CANCEL: {(state, CANCELLED) for state in (PROPOSED, PLANNED, DOING, CHECKING, HELD)},
}
BY_PEOPLE_ALONE = {
    Event.SUBMIT,
    Event.APPROVE,
    Event.REJECT,
    Event.STANDARDISE,
    Event.STOP,
    Event.ADJUST,
    Event.REAPPROVE,
    Event.CORRECT_GOLIVE,
}
BY_ENGINE_ALONE = {Event.FINAL_LOOK, Event.LAST_SUSTAINING_LOOK, Event.BAD_SUSTAINING_LOOK, Event.SLIP}

#: Walks towards the far states, so that random steps start from everywhere and not only from the first corner.
PATH = (
    (Event.SUBMIT, OWNER),
    (Event.APPROVE, APPROVER),
    (Event.START, OWNER),
    (Event.GO_LIVE, OWNER),
    (Event.FINAL_LOOK, ENGINE),
    (Event.STANDARDISE, OWNER),
)


class TheLoop(RuleBasedStateMachine):
    """One action under random people, a random platform and a passing calendar."""

    def __init__(self) -> None:
        super().__init__()
        self.today = START
        self.ever_late = False
        self.trigger_last = START - timedelta(days=5)
        self.facts = ActionFacts(State.PROPOSED, metric="csat_mean", trigger_last=self.trigger_last)

    @rule(days=st.integers(1, 40))
    def time_passes(self, days: int) -> None:
        self.today += timedelta(days=days)

    @precondition(lambda self: self.facts.state is State.PROPOSED)
    @rule(
        owner=st.sampled_from([None, OWNER]),
        hypothesis=st.sampled_from(["", "why"]),
        goal=st.sampled_from([None, -0.1, 0.2, 0.4]),
        min_effect=st.sampled_from([None, 0.1, 0.6]),
        detectable=st.sampled_from([None, 0.3]),
        accepted=st.sampled_from(["", "few tickets"]),
        golive_in=st.sampled_from([None, 3, 30]),
        is_measured=st.booleans(),
    )
    def somebody_edits_the_plan(
        self,
        owner: str | None,
        hypothesis: str,
        goal: float | None,
        min_effect: float | None,
        detectable: float | None,
        accepted: str,
        golive_in: int | None,
        is_measured: bool,
    ) -> None:
        self.facts = replace(
            self.facts,
            owner=owner,
            hypothesis=hypothesis,
            goal=goal,
            min_effect=min_effect,
            detectable_effect=detectable,
            detectable_accepted_reason=accepted,
            golive_planned=None if golive_in is None else self.today + timedelta(days=golive_in),
            has_windows=is_measured,
            has_controls=is_measured,
        )

    @rule(steps=st.integers(1, len(PATH)), verdict=st.sampled_from(VERDICTS[1:4]), days=st.integers(0, 3))
    def things_go_well(self, steps: int, verdict: str, days: int) -> None:
        if self.facts.state is State.PROPOSED:
            self.facts = replace(
                self.facts,
                owner=OWNER,
                hypothesis="why",
                goal=0.4,
                min_effect=0.2,
                detectable_effect=0.3,
                golive_planned=self.today + timedelta(days=14),
                has_windows=True,
                has_controls=True,
            )
        for event, actor in PATH[:steps]:
            self._try(event, actor, "", 0, verdict, None)
            self.today += timedelta(days=days)  # 0: everything on one day, hence late

    @precondition(lambda self: self.facts.standing is CHECKING)
    @rule()
    def a_look_is_computed(self) -> None:
        self.facts = replace(self.facts, has_looked=True)

    @precondition(lambda self: self.facts.state not in (CLOSED, CANCELLED))
    @rule(
        pick=st.integers(0, len(Event)),
        is_plausible=st.booleans(),
        reason=st.sampled_from(["", "because"]),
        live_in=st.sampled_from([None, -60, -1, 0]),
        verdict=st.sampled_from(VERDICTS),
        acknowledged_by=st.sampled_from([None, OWNER]),
    )
    def something_possible_happens(
        self,
        pick: int,
        is_plausible: bool,
        reason: str,
        live_in: int | None,
        verdict: str | None,
        acknowledged_by: str | None,
    ) -> None:
        events = allowed(self.facts)
        event = events[pick % len(events)]
        actor = APPROVER if event in (Event.APPROVE, Event.REJECT) else OWNER
        actor = ENGINE if event in BY_ENGINE_ALONE else actor
        if is_plausible:
            reason, live_in, acknowledged_by = "because", 0, OWNER
        self._try(event, actor, reason, live_in, verdict, acknowledged_by)

    @rule(
        event=st.sampled_from(list(Event)),
        actor=st.sampled_from(ACTORS),
        reason=st.sampled_from(["", " ", "because"]),
        live_in=st.sampled_from([None, -60, -1, 0, 1]),
        verdict=st.sampled_from(VERDICTS),
        acknowledged_by=st.sampled_from([None, OWNER, ENGINE]),
    )
    def something_happens(
        self,
        event: Event,
        actor: str,
        reason: str,
        live_in: int | None,
        verdict: str | None,
        acknowledged_by: str | None,
    ) -> None:
        self._try(event, actor, reason, live_in, verdict, acknowledged_by)

    def _try(
        self,
        event: Event,
        actor: str,
        reason: str,
        live_in: int | None,
        verdict: str | None,
        acknowledged_by: str | None,
    ) -> None:
        before = self.facts
        live = None if live_in is None else self.today + timedelta(days=live_in)
        outcome = transition(
            before,
            event,
            actor=Actor(actor),
            today=self.today,
            reason=reason,
            implemented_on=live,
            verdict=verdict,
            acknowledged_by=acknowledged_by,
        )
        if isinstance(outcome, Refused):
            assert outcome.reasons
            assert all(outcome.reasons)
            return
        assert isinstance(outcome, Moved)
        self.facts = outcome.facts
        self._move_was_legal(before, event, actor)
        self._no_guard_was_skipped(before, event, actor, reason, live, verdict, acknowledged_by)
        if event is Event.CORRECT_GOLIVE and not before.has_looked and before.cycle_no == 1:
            self.ever_late = self.facts.is_late  # the day was another one all the time
        self.ever_late = self.ever_late or self.facts.is_late

    def _move_was_legal(self, before: ActionFacts, event: Event, actor: str) -> None:
        assert event in allowed(before)
        assert (before.state, self.facts.state) in LEGAL_MOVES[event]
        if event in BY_PEOPLE_ALONE:
            assert actor not in (ENGINE, PLATFORM)
        if event in BY_ENGINE_ALONE:
            assert actor == ENGINE

    def _no_guard_was_skipped(
        self,
        before: ActionFacts,
        event: Event,
        actor: str,
        reason: str,
        live: date | None,
        verdict: str | None,
        acknowledged_by: str | None,
    ) -> None:
        now = self.facts
        assert event is not Event.OPEN
        if event in (Event.STOP, Event.HOLD, Event.RESUME, Event.CANCEL):
            assert reason.strip()
        if event is Event.SUBMIT:
            assert before.owner
            assert before.hypothesis
            assert before.golive_planned
            assert before.has_windows
            assert before.goal
            assert before.min_effect
            assert before.detectable_effect
            assert before.min_effect <= before.goal
            assert before.goal >= before.detectable_effect or before.detectable_accepted_reason
            assert now.plan_version == before.plan_version + 1
        if event is Event.APPROVE:
            assert actor != before.owner
            assert now.frozen_on == self.today
        if event is Event.START:
            assert before.approved_by
        if event is Event.GO_LIVE:
            assert live is not None
            assert self.trigger_last < live <= self.today
            assert before.implemented_on is None
        if event is Event.CORRECT_GOLIVE:
            assert reason.strip()
            assert before.implemented_on not in (None, live)
            assert live is not None
            assert self.trigger_last < live <= self.today
            assert now == replace(before, implemented_on=live, is_late=now.is_late)
            assert now.is_late or not before.has_looked
            assert now.is_late or not (before.is_late and before.cycle_no > 1)
        if event in (Event.FINAL_LOOK, Event.BAD_SUSTAINING_LOOK):
            assert now.verdict == verdict
            assert verdict
            assert not (before.is_late and verdict == "improved")
        if event is Event.STANDARDISE:
            assert before.verdict in ("improved", "improved, not attributable", "recovered")
        if event is Event.BAD_SUSTAINING_LOOK:
            assert verdict not in ("improved", "improved, not attributable")
        if event is Event.LAST_SUSTAINING_LOOK:
            assert acknowledged_by == OWNER
        if event is Event.SLIP:
            assert before.golive_planned
            assert self.today > before.golive_planned + timedelta(weeks=before.max_slip_weeks)
            assert before.implemented_on is None
        if event in (Event.SLIP, Event.REAPPROVE):
            assert not now.is_approved
            assert now.plan_version == before.plan_version + 1
        if event is Event.ADJUST:
            assert now.cycle_no == before.cycle_no + 1
            assert not now.is_approved
        if event is Event.CANCEL:
            assert before.standing not in (ACTING, SUSTAINING)

    @invariant()
    def a_hold_remembers_where_it_came_from(self) -> None:
        assert (self.facts.state is HELD) == (self.facts.held_from is not None)
        assert self.facts.held_from not in (HELD, CLOSED, CANCELLED)

    @invariant()
    def nothing_is_done_without_an_approved_plan(self) -> None:
        if self.facts.standing in (DOING, CHECKING, ACTING, SUSTAINING):
            assert self.facts.approved_by
            assert self.facts.approved_by != self.facts.owner

    @invariant()
    def nothing_is_checked_before_it_is_live(self) -> None:
        if self.facts.standing in (CHECKING, ACTING, SUSTAINING):
            assert self.facts.implemented_on

    @invariant()
    def a_verdict_comes_before_a_decision(self) -> None:
        if self.facts.standing in (ACTING, SUSTAINING):
            assert self.facts.verdict

    @invariant()
    def lateness_is_told_and_never_forgotten(self) -> None:
        facts = self.facts
        if facts.standing is CHECKING and facts.frozen_on and facts.implemented_on:
            assert facts.is_late or facts.frozen_on < facts.implemented_on
        assert facts.is_late or not self.ever_late
        if facts.is_late and facts.standing in (ACTING, SUSTAINING):
            assert facts.verdict != "improved"

    @invariant()
    def an_ended_action_stays_ended(self) -> None:
        if self.facts.state in (CLOSED, CANCELLED):
            assert allowed(self.facts) == []


TheLoop.TestCase.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestTheLoop = TheLoop.TestCase
