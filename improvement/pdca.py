"""The state machine of an improvement action: events, states and guards, as a table one can read.

Pure: a transition takes facts and returns facts, or every reason why not. The engine, people and the platform all
come through the same door. Whether a person holds the owner's or the approver's rights on the scope is checked
where people come in (grants); the machine itself keeps the kinds of actor and the separation of duties.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from improvement.action import (
    ENGINE,
    OPEN_STATES,
    PLATFORM,
    ActionFacts,
    Actor,
    Call,
    Entry,
    Event,
    Moved,
    Refused,
    State,
    Who,
)
from improvement.guards import (
    approver_is_not_owner,
    goal_is_detectable,
    goal_is_sound,
    golive_is_dated,
    golive_is_still_possible,
    has_reason,
    has_slipped,
    has_verdict,
    is_acknowledged,
    is_another_day,
    is_approved,
    is_not_frozen,
    is_not_live,
    late_is_not_improved,
    plan_is_complete,
    stands_before_acting,
    verdict_is_bad,
    verdict_is_good,
)
from improvement.vocabulary import GOOD_VERDICTS, HAS_OPEN_TWIN, SUSTAINED_VERDICTS

__all__ = [
    "BY_EVENT",
    "ENGINE",
    "GOOD_VERDICTS",
    "OPEN_STATES",
    "PLATFORM",
    "SUSTAINED_VERDICTS",
    "TABLE",
    "ActionFacts",
    "Actor",
    "Call",
    "Entry",
    "Event",
    "Moved",
    "Refused",
    "Row",
    "State",
    "Who",
    "allowed",
    "open_action",
    "transition",
]

Guard = Callable[[ActionFacts, Call], list[str]]
Effect = Callable[[ActionFacts, Call], ActionFacts]


def _is_late(frozen_on: date, implemented_on: date) -> bool:
    """Late: the yardstick was frozen on or after the day the change went live."""
    return frozen_on >= implemented_on


def _approve(facts: ActionFacts, call: Call) -> ActionFacts:
    return _to_checking_once_live(replace(facts, approved_by=call.actor.id, frozen_on=call.today))


def _go_live(facts: ActionFacts, call: Call) -> ActionFacts:
    # Reported before approval or during a hold it is a fact and kept; approval or resuming moves it on.
    return _to_checking_once_live(replace(facts, implemented_on=call.implemented_on))


def _correct_golive(facts: ActionFacts, call: Call) -> ActionFacts:
    """The day as it really was; before any look lateness is asked anew.

    After a look it is late: whoever has seen a result could choose the day by it. An earlier cycle's lateness stays.
    """
    moved = replace(facts, implemented_on=call.implemented_on)
    if facts.has_looked:
        return replace(moved, is_late=True)
    if facts.frozen_on is None or call.implemented_on is None or not facts.is_approved:
        return moved
    is_from_before = facts.is_late and facts.cycle_no > 1
    return replace(moved, is_late=is_from_before or _is_late(facts.frozen_on, call.implemented_on))


def _to_checking_once_live(facts: ActionFacts) -> ActionFacts:
    if facts.implemented_on is None or facts.frozen_on is None or not facts.is_approved:
        return facts
    is_late = facts.is_late or _is_late(facts.frozen_on, facts.implemented_on)
    return _stand(replace(facts, is_late=is_late), State.CHECKING)


def _stand(facts: ActionFacts, state: State) -> ActionFacts:
    """Move within the loop; an action on hold stays on hold and moves behind it."""
    return replace(facts, held_from=state) if facts.state is State.ON_HOLD else replace(facts, state=state)


def _adjust(facts: ActionFacts, call: Call) -> ActionFacts:
    # Lateness stays: the effect is that of all cycles together, so a new plan cannot launder an old go-live.
    return replace(
        _unfrozen(facts),
        cycle_no=facts.cycle_no + 1,
        first_implemented_on=facts.first_implemented_on or facts.implemented_on,
        implemented_on=None,
        has_looked=False,
        golive_planned=None,
        verdict=None,
        is_overridden=False,
        detectable_accepted_reason="",
    )


def _unfrozen(facts: ActionFacts) -> ActionFacts:
    return replace(facts, approved_by=None, approved_at=None, frozen_on=None)


def _take_verdict(facts: ActionFacts, call: Call) -> ActionFacts:
    return _stand(replace(facts, verdict=call.verdict, is_overridden=False), State.ACTING)


def _hold(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(facts, held_from=facts.state)


def _resume(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(facts, state=facts.held_from or State.PROPOSED, held_from=None)


def _new_version(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(_unfrozen(facts), plan_version=facts.plan_version + 1)


def _end(facts: ActionFacts, call: Call) -> ActionFacts:
    return replace(facts, held_from=None)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the machine: an event, where it leads from and to, who may cause it, what guards it.

    ``to`` None: the effect decides, or the state stays. ``through_hold``: also possible while the action is on hold
    and left one of these states (work and looks go on during a hold).
    """

    event: Event
    source: frozenset[State]
    to: State | None
    who: tuple[Who, ...]
    guards: tuple[Guard, ...] = ()
    effect: Effect | None = None
    through_hold: bool = False

    def is_open_to(self, facts: ActionFacts) -> bool:
        """Whether the event is possible from where the action stands."""
        return facts.state in self.source or (self.through_hold and facts.standing in self.source)


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
OWNER, APPROVER, ENGINE_ONLY, PLATFORM_ONLY = (Who.OWNER,), (Who.APPROVER,), (Who.ENGINE,), (Who.PLATFORM,)
OWNER_OR_PLATFORM = (Who.OWNER, Who.PLATFORM)

TO_SUBMIT = (plan_is_complete, goal_is_sound, goal_is_detectable)
TO_APPROVE = (is_not_frozen, approver_is_not_owner, golive_is_still_possible)
TO_GO_LIVE = (golive_is_dated, is_not_live)
TO_CORRECT = (is_another_day, golive_is_dated, has_reason)
TO_ACT = (has_verdict, late_is_not_improved)
TO_ACT_AGAIN = (has_verdict, verdict_is_bad)
TO_SLIP = (is_approved, is_not_live, has_slipped)

TABLE: tuple[Row, ...] = (
    Row(Event.OPEN, _from(), P, (Who.ENGINE, Who.OWNER)),  # from nothing: `open_action` asks its guards
    Row(Event.SUBMIT, _from(P), PL, OWNER, TO_SUBMIT, _new_version),
    Row(Event.APPROVE, _from(PL), None, APPROVER, TO_APPROVE, _approve),
    Row(Event.REJECT, _from(PL), P, APPROVER, (is_not_frozen,)),
    Row(Event.LAPSE, _from(PL), None, PLATFORM_ONLY, (is_not_frozen,)),
    Row(Event.START, _from(PL), D, OWNER_OR_PLATFORM, (is_approved,)),
    Row(Event.GO_LIVE, _from(P, PL, D), None, OWNER_OR_PLATFORM, TO_GO_LIVE, _go_live, through_hold=True),
    Row(Event.CORRECT_GOLIVE, _from(P, PL, C), None, OWNER, TO_CORRECT, _correct_golive, through_hold=True),
    Row(Event.FINAL_LOOK, _from(C), None, ENGINE_ONLY, TO_ACT, _take_verdict, through_hold=True),
    Row(Event.STANDARDISE, _from(A), S, OWNER, (verdict_is_good,)),
    Row(Event.STOP, _from(A), State.CLOSED, OWNER, (has_reason,)),
    Row(Event.ADJUST, _from(A), P, OWNER, (), _adjust),
    Row(Event.LAST_SUSTAINING_LOOK, _from(S), State.CLOSED, ENGINE_ONLY, (is_acknowledged,), _end, through_hold=True),
    Row(Event.BAD_SUSTAINING_LOOK, _from(S), None, ENGINE_ONLY, TO_ACT_AGAIN, _take_verdict, through_hold=True),
    Row(Event.REAPPROVE, _from(D, C), PL, OWNER, (), _new_version),
    Row(Event.SLIP, _from(PL, D), PL, ENGINE_ONLY, TO_SLIP, _new_version),
    Row(Event.HOLD, _from(P, PL, D, C, A, S), State.ON_HOLD, OWNER_OR_PLATFORM, (has_reason,), _hold),
    Row(Event.RESUME, _from(State.ON_HOLD), None, OWNER_OR_PLATFORM, (has_reason,), _resume),
    Row(
        Event.CANCEL,
        _from(P, PL, D, C, State.ON_HOLD),
        State.CANCELLED,
        OWNER_OR_PLATFORM,
        (stands_before_acting, has_reason),
        _end,
    ),
)
BY_EVENT = {row.event: row for row in TABLE}


def open_action(
    facts: ActionFacts, *, actor: Actor, has_open_twin: bool = False, over_budget: Sequence[str] = ()
) -> Moved | Refused:
    """Open an action in *proposed*, by the engine for a rule or by a person.

    Refused when the same rule and scope has an open action already (its evidence grows instead), or when a budget
    of the rules is used up (each reason is passed in words).
    """
    row = BY_EVENT[Event.OPEN]
    reasons = [*over_budget, *_actor_reasons(row, actor)]
    if has_open_twin:
        reasons.append(HAS_OPEN_TWIN)
    if reasons:
        return Refused(tuple(reasons))
    return Moved(replace(facts, state=row.to or facts.state, held_from=None, cycle_no=1), (Entry("action.opened"),))


def transition(
    facts: ActionFacts,
    event: Event,
    *,
    actor: Actor,
    today: date,
    reason: str = "",
    implemented_on: date | None = None,
    verdict: str | None = None,
    acknowledged_by: str | None = None,
) -> Moved | Refused:
    """Apply one event, or say every reason why not.

    Parameters
    ----------
    today
        The scope's local date, which decides what is late.
    implemented_on
        The local day of the go-live (``GO_LIVE``, ``CORRECT_GOLIVE``).
    verdict
        What the look found (``FINAL_LOOK``, ``BAD_SUSTAINING_LOOK``), as text of ``improvement.check.Verdict``.
    acknowledged_by
        The person who has seen the last sustaining look (``LAST_SUSTAINING_LOOK``).
    """
    call = Call(event, actor, today, reason, implemented_on, verdict, acknowledged_by)
    row = BY_EVENT[event]
    if not row.source:
        return Refused(("it is open already",))
    if not row.is_open_to(facts):
        possible = ", ".join(state.value for state in State if state in row.source)
        return Refused((f"it is {facts.state.value}; this is possible from: {possible}", *_actor_reasons(row, actor)))
    reasons = [*_actor_reasons(row, actor), *(text for guard in row.guards for text in guard(facts, call))]
    if reasons:
        return Refused(tuple(reasons))
    moved = row.effect(facts, call) if row.effect is not None else facts
    if row.to is not None:
        moved = replace(moved, state=row.to)
    return Moved(moved, _entries(facts, moved, call))


def unfit_to_submit(facts: ActionFacts) -> list[str]:
    """Every reason why the plan could not be handed in as it stands."""
    call = Call(Event.SUBMIT, Actor(facts.owner or ENGINE), date.min)  # these guards ask for nobody, and for no day
    return [text for guard in TO_SUBMIT for text in guard(facts, call)]


def allowed(facts: ActionFacts) -> list[Event]:
    """The events that are possible from where the action stands (their guards are asked when one is tried)."""
    return [row.event for row in TABLE if row.is_open_to(facts)]


def _actor_reasons(row: Row, actor: Actor) -> list[str]:
    if actor.is_person:
        is_for_people = Who.OWNER in row.who or Who.APPROVER in row.who
        return [] if is_for_people else [f"only the {row.who[0].value} can do this"]
    if actor.id == ENGINE:
        return [] if Who.ENGINE in row.who else ["a person has to do this"]
    return [] if Who.PLATFORM in row.who else ["a person or the engine has to do this"]


def _entries(before: ActionFacts, after: ActionFacts, call: Call) -> tuple[Entry, ...]:
    """What the log has to say beside the transition itself."""
    entries = []
    if call.event is Event.APPROVE and call.actor.id == before.owner:
        entries.append(Entry("approval.waived", {"approved_by": call.actor.id}))
    if call.event is Event.LAPSE:
        entries.append(Entry("approval.lapsed", {"plan_version": before.plan_version}))
    if call.event is Event.GO_LIVE and not before.is_approved:
        entries.append(Entry("golive.unapproved", {"implemented_on": str(call.implemented_on)}))
    if call.event is Event.CORRECT_GOLIVE:
        days = {"from": str(before.implemented_on), "to": str(after.implemented_on)}
        entries.append(Entry("golive.corrected", {**days, "is_late": after.is_late}))
    if after.is_late and not before.is_late:
        entries.append(Entry("action.late", {"frozen_on": str(after.frozen_on), "live": str(after.implemented_on)}))
    if call.event in (Event.SLIP, Event.REAPPROVE):
        entries.append(Entry("plan.reopened", {"event": call.event.value, "plan_version": after.plan_version}))
    if call.event is Event.ADJUST:
        entries.append(Entry("cycle.opened", {"cycle_no": after.cycle_no}))
    return tuple(entries)
