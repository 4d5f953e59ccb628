"""The state machine of an improvement action: states, events, guards, as a table one can read.

Pure: a transition takes facts and returns facts, or every reason why not. The engine, people and the platform all
come through the same door (see docs/explanation/the-loop.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum


class State(StrEnum):
    """Where an action stands. ``ON_HOLD`` remembers the state it left."""

    PROPOSED = "proposed"
    PLANNED = "planned"
    DOING = "doing"
    CHECKING = "checking"
    ACTING = "acting"
    SUSTAINING = "sustaining"
    CLOSED = "closed"
    ON_HOLD = "on hold"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset(State) - {State.CLOSED, State.CANCELLED}


class Event(StrEnum):
    """What can happen to an action."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REJECT = "reject"
    LAPSE = "lapse"
    START = "start"
    GO_LIVE = "go_live"
    FINAL_LOOK = "final_look"
    STANDARDISE = "standardise"
    STOP = "stop"
    ADJUST = "adjust"
    LAST_SUSTAINING_LOOK = "last_sustaining_look"
    BAD_SUSTAINING_LOOK = "bad_sustaining_look"
    REAPPROVE = "reapprove"
    SLIP = "slip"
    HOLD = "hold"
    RESUME = "resume"
    CANCEL = "cancel"


ENGINE = "engine"
PLATFORM = "platform"


class Who(StrEnum):
    """Who may cause an event."""

    OWNER = "owner"
    APPROVER = "approver"
    PLATFORM = "platform"
    ENGINE = "engine"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person by pseudonymous id, or ``engine`` or ``platform``."""

    id: str

    @property
    def is_person(self) -> bool:
        """Whether a human being acts."""
        return self.id not in (ENGINE, PLATFORM)


@dataclass(frozen=True, slots=True)
class ActionFacts:
    """Everything the guards need to know of an action.

    ``goal``, ``min_effect`` and ``detectable_effect`` are sizes on the link scale (positive = the good side), or None
    while unknown. Dates are local to the scope.
    """

    state: State
    owner: str | None = None
    held_from: State | None = None
    hypothesis: str = ""
    metric: str = ""
    goal: float | None = None
    min_effect: float | None = None
    detectable_effect: float | None = None
    detectable_accepted_reason: str = ""
    golive_planned: date | None = None
    max_slip_weeks: int = 4
    has_windows: bool = False
    has_controls: bool = False
    approved_by: str | None = None
    approved_at: datetime | None = None
    frozen_on: date | None = None
    implemented_on: date | None = None
    trigger_last: date | None = None  # the Sunday that ends the trigger window
    cycle_no: int = 1
    plan_version: int = 0
    verdict: str | None = None
    is_late: bool = False
    may_approve_own: bool = False  # a small team's waiver, logged

    @property
    def is_approved(self) -> bool:
        """Whether the present plan version is frozen."""
        return self.approved_by is not None


@dataclass(frozen=True, slots=True)
class Call:
    """One event as asked for: by whom, on which local day, with what."""

    event: Event
    actor: Actor
    today: date
    reason: str = ""
    implemented_on: date | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """The event was allowed; ``facts`` is the action afterwards."""

    facts: ActionFacts


@dataclass(frozen=True, slots=True)
class Refused:
    """The event was not allowed, with every reason at once."""

    reasons: tuple[str, ...]


Guard = Callable[[ActionFacts, Call], list[str]]
Effect = Callable[[ActionFacts, Call], ActionFacts]

GOOD_VERDICTS = frozenset({"improved", "improved, not attributable", "recovered"})
SUSTAINED_VERDICTS = frozenset({"improved", "improved, not attributable"})


# --- guards ---------------------------------------------------------------------------------------------------


def plan_is_complete(facts: ActionFacts, call: Call) -> list[str]:
    """Owner, hypothesis, goal, minimum effect, go-live, windows, controls and a detectable effect are there."""
    missing = {
        "an owner is missing": facts.owner is None,
        "the hypothesis is missing": not facts.hypothesis.strip(),
        "the metric is missing": not facts.metric,
        "the goal is missing": facts.goal is None,
        "the minimum effect is missing": facts.min_effect is None,
        "the planned go-live is missing": facts.golive_planned is None,
        "the windows are not fixed": not facts.has_windows,
        "the controls are not chosen": not facts.has_controls,
        "the detectable effect is not computed": facts.detectable_effect is None,
    }
    return [reason for reason, is_missing in missing.items() if is_missing]


def goal_is_detectable(facts: ActionFacts, call: Call) -> list[str]:
    """A goal smaller than the detectable effect needs a logged reason."""
    if facts.goal is None or facts.detectable_effect is None or facts.detectable_accepted_reason.strip():
        return []
    if facts.goal < facts.detectable_effect:
        return [
            f"the goal ({facts.goal:.2f}) is smaller than the smallest detectable effect "
            f"({facts.detectable_effect:.2f}, link scale): give a reason to go on nevertheless"
        ]
    return []


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


def is_approved(facts: ActionFacts, call: Call) -> list[str]:
    """The plan is frozen."""
    return [] if facts.is_approved else ["the plan is not approved"]


def golive_is_dated(facts: ActionFacts, call: Call) -> list[str]:
    """Go-live has a local date, after the trigger window and not in the future."""
    day = call.implemented_on
    if day is None:
        return ["the day it went live is missing"]
    reasons = []
    if facts.trigger_last is not None and day <= facts.trigger_last:
        reasons.append(f"{day} lies in or before the trigger window, which ends on {facts.trigger_last}")
    if day > call.today:
        reasons.append(f"{day} is in the future")
    return reasons


def has_verdict(facts: ActionFacts, call: Call) -> list[str]:
    """The last planned look has given a verdict."""
    return [] if call.verdict else ["the verdict of the last planned look is missing"]


def verdict_is_good(facts: ActionFacts, call: Call) -> list[str]:
    """Only what improved or recovered can become the standard."""
    if facts.verdict in GOOD_VERDICTS:
        return []
    return [f"the verdict is {facts.verdict or 'missing'}: only improved or recovered can be standardised"]


def verdict_is_bad(facts: ActionFacts, call: Call) -> list[str]:
    """A sustaining look brings the action back only when the effect is gone."""
    return ["the effect is still there"] if call.verdict in SUSTAINED_VERDICTS else []


def has_reason(facts: ActionFacts, call: Call) -> list[str]:
    """A reason is given."""
    return [] if call.reason.strip() else ["a reason is missing"]


def has_slipped(facts: ActionFacts, call: Call) -> list[str]:
    """The planned go-live and the allowed slip are over without a go-live."""
    if facts.golive_planned is None:
        return ["no go-live is planned"]
    if facts.implemented_on is not None:
        return ["it is live"]
    latest = facts.golive_planned + timedelta(weeks=facts.max_slip_weeks)
    return [] if call.today > latest else [f"it may still go live until {latest}"]


def is_unfrozen_golive(facts: ActionFacts, call: Call) -> list[str]:
    """The first go-live date stays; a correction is an entry of its own."""
    return [f"it is live since {facts.implemented_on}"] if facts.implemented_on is not None else []


# --- effects --------------------------------------------------------------------------------------------------


def _is_late(frozen_on: date, implemented_on: date) -> bool:
    """Late: the yardstick was frozen on or after the day the change went live."""
    return frozen_on >= implemented_on


def _approve(facts: ActionFacts, call: Call) -> ActionFacts:
    frozen = replace(facts, approved_by=call.actor.id, frozen_on=call.today)
    if facts.implemented_on is None:
        return frozen
    return replace(frozen, state=State.CHECKING, is_late=facts.is_late or _is_late(call.today, facts.implemented_on))


def _go_live(facts: ActionFacts, call: Call) -> ActionFacts:
    live = replace(facts, implemented_on=call.implemented_on)
    if facts.frozen_on is None or not facts.is_approved or call.implemented_on is None:
        return live  # reported before approval: a fact, kept; approval moves it on, late
    is_late = facts.is_late or _is_late(facts.frozen_on, call.implemented_on)
    return replace(live, state=State.CHECKING, is_late=is_late)


def _adjust(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(
        _unfrozen(facts),
        cycle_no=facts.cycle_no + 1,
        implemented_on=None,
        golive_planned=None,
        verdict=None,
        is_late=False,
        detectable_accepted_reason="",
    )


def _unfrozen(facts: ActionFacts) -> ActionFacts:
    return replace(facts, approved_by=None, approved_at=None, frozen_on=None)


def _take_verdict(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(facts, verdict=call.verdict)


def _hold(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(facts, held_from=facts.state)


def _resume(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(facts, state=facts.held_from or State.PROPOSED, held_from=None)


def _new_version(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(_unfrozen(facts), plan_version=facts.plan_version + 1)


def _clear_hold(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(facts, held_from=None)


# --- the table ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the machine: an event, where it leads from and to, who may cause it, what guards it.

    ``to`` None: the effect decides, or the state stays.
    """

    event: Event
    source: frozenset[State]
    to: State | None
    who: tuple[Who, ...]
    guards: tuple[Guard, ...] = ()
    effect: Effect | None = None


def _from(*states: State) -> frozenset[State]:
    return frozenset(states)


P, PL, D, C, A, S = (
    State.PROPOSED,
    State.PLANNED,
    State.DOING,
    State.CHECKING,
    State.ACTING,
    State.SUSTAINING,
)
OWNER_OR_PLATFORM = (Who.OWNER, Who.PLATFORM)

TABLE: tuple[Row, ...] = (
    Row(Event.SUBMIT, _from(P), PL, (Who.OWNER,), (plan_is_complete, goal_is_detectable), _new_version),
    Row(Event.APPROVE, _from(PL), None, (Who.APPROVER,), (is_not_frozen, approver_is_not_owner), _approve),
    Row(Event.REJECT, _from(PL), P, (Who.APPROVER,), (is_not_frozen, has_reason)),
    Row(Event.LAPSE, _from(PL), None, (Who.PLATFORM,), (is_not_frozen,)),
    Row(Event.START, _from(PL), D, OWNER_OR_PLATFORM, (is_approved,)),
    Row(Event.GO_LIVE, _from(P, PL, D), None, OWNER_OR_PLATFORM, (golive_is_dated, is_unfrozen_golive), _go_live),
    Row(Event.FINAL_LOOK, _from(C), A, (Who.ENGINE,), (has_verdict,), _take_verdict),
    Row(Event.STANDARDISE, _from(A), S, (Who.OWNER,), (verdict_is_good,)),
    Row(Event.STOP, _from(A), State.CLOSED, (Who.OWNER,), (has_reason,)),
    Row(Event.ADJUST, _from(A), P, (Who.OWNER,), (), _adjust),
    Row(Event.LAST_SUSTAINING_LOOK, _from(S), State.CLOSED, (Who.ENGINE,)),
    Row(Event.BAD_SUSTAINING_LOOK, _from(S), A, (Who.ENGINE,), (has_verdict, verdict_is_bad), _take_verdict),
    Row(Event.REAPPROVE, _from(D, C), PL, (Who.OWNER,), (has_reason,), _new_version),
    Row(Event.SLIP, _from(PL, D), PL, (Who.ENGINE,), (is_approved, has_slipped), _new_version),
    Row(Event.HOLD, _from(P, PL, D, C, A, S), State.ON_HOLD, OWNER_OR_PLATFORM, (has_reason,), _hold),
    Row(Event.RESUME, _from(State.ON_HOLD), None, OWNER_OR_PLATFORM, (), _resume),
    Row(
        Event.CANCEL,
        _from(P, PL, D, C, State.ON_HOLD),
        State.CANCELLED,
        OWNER_OR_PLATFORM,
        (has_reason,),
        _clear_hold,
    ),
)
BY_EVENT = {row.event: row for row in TABLE}


def transition(
    facts: ActionFacts,
    event: Event,
    *,
    actor: Actor,
    today: date,
    reason: str = "",
    implemented_on: date | None = None,
    verdict: str | None = None,
) -> Moved | Refused:
    """Apply one event, or say every reason why not. ``today`` is the scope's local date."""
    call = Call(event, actor, today, reason, implemented_on, verdict)
    row = BY_EVENT[event]
    if facts.state not in row.source:
        allowed = ", ".join(sorted(state.value for state in row.source))
        return Refused((f"it is {facts.state.value}; this is possible from: {allowed}",))
    reasons = [*_actor_reasons(facts, row, actor), *(text for guard in row.guards for text in guard(facts, call))]
    if event is Event.CANCEL and facts.state is State.ON_HOLD and facts.held_from in (A, S):
        reasons.append("it has a verdict already: decide instead of cancelling")
    if reasons:
        return Refused(tuple(reasons))
    moved = row.effect(facts, call) if row.effect is not None else facts
    return Moved(replace(moved, state=row.to) if row.to is not None else moved)


def allowed(facts: ActionFacts) -> list[Event]:
    """The events an action's state permits (guards are asked when one is tried)."""
    return [row.event for row in TABLE if facts.state in row.source]


def _actor_reasons(facts: ActionFacts, row: Row, actor: Actor) -> list[str]:
    if actor.is_person:
        return [] if Who.OWNER in row.who or Who.APPROVER in row.who else [f"only the {row.who[0].value} can do this"]
    if actor.id == ENGINE:
        return [] if Who.ENGINE in row.who else ["a person has to do this"]
    return [] if Who.PLATFORM in row.who else ["a person or the engine has to do this"]
