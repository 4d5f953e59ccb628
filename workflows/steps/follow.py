"""Follow: what people changed on the platform's record comes home and moves the action.

The platform wins for what people enter there (approvals, state, and what taking.py reads). A change that a
guard forbids is recorded as *diverged*, shown, and answered once by a work note that names what is missing; neither
side is forced. Our own integration user never counts as a person.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Prefetch, QuerySet

from connectors.base import Connector
from improvement.errors import GuardRefused
from improvement.pdca import BY_EVENT, Event
from improvement.records import UNKNOWN_STATE, PlatformState, Verb
from improvement.vocabulary import ENDED_STATES, OPEN_STATES, State
from workflows import access
from workflows.actions import loop
from workflows.actions.holding import kept
from workflows.actions.rights import owns
from workflows.deliveries import notes, outbox
from workflows.evidence import ledger
from workflows.models import Action, ActionComment, Delivery, DeliveryState, Person
from workflows.steps.edited_there import take_fields
from workflows.steps.taking import Gap, carry, take_code, take_comments, take_due, take_owner, take_tasks


@dataclass(slots=True)
class FollowResult:
    """What one follow run brought home from one connection."""

    connection: str
    read: int = 0
    moved: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)
    unknown_owners: list[str] = field(default_factory=list)  # with how to mend it


#: What a row of the platform's own approval asks for.
ANSWERS = {"approved": Event.APPROVE, "rejected": Event.REJECT, "cancelled": Event.LAPSE}

_OFF_HOLD = {State.ON_HOLD: Event.RESUME}
#: What a platform state asks of an action that stands elsewhere: the event to try, by our state. Where we ran ahead,
#: nothing is asked.
WANTED: dict[str, dict[State, Event]] = {
    "new": _OFF_HOLD,
    "accepted": _OFF_HOLD,
    "assess": {
        **_OFF_HOLD,
        State.PROPOSED: Event.SUBMIT,
        State.DOING: Event.REAPPROVE,
        State.CHECKING: Event.REAPPROVE,
    },
    "approved": _OFF_HOLD,
    "in_progress": {**_OFF_HOLD, State.PROPOSED: Event.START, State.PLANNED: Event.START},
    "review": _OFF_HOLD,
    "on_hold": dict.fromkeys(OPEN_STATES - {State.ON_HOLD}, Event.HOLD),
    "cancelled": dict.fromkeys(OPEN_STATES, Event.CANCEL),
}
UNKNOWN_THERE = "the meaning of its state there: an administrator says it in the connection's statuses"
REOPENED = "a new action: what is closed here stays closed"
FOLLOWED_AFTER_CLOSING = timedelta(weeks=26)
OWNERS_ONLY = frozenset({Event.SUBMIT, Event.REAPPROVE})  # the platform's word alone does not do

#: What is missing where an event is not possible from where the action stands.
TOO_EARLY_OR_LATE = {
    Event.START: "a plan that is submitted and approved, before work begins",
    Event.CANCEL: "the owner's decision: what has a verdict is decided, not cancelled",
}
#: Why an action is not closed yet, in words for a work note.
CLOSING_NEEDS = {
    State.PROPOSED: "a submitted and approved plan, a go-live and a verdict",
    State.PLANNED: "approval, a go-live and a verdict",
    State.DOING: "the day the change went live, and a verdict on its effect",
    State.CHECKING: "the last look at its effect, which is still to come",
    State.ACTING: "the owner's decision: standardise, adjust or stop",
    State.SUSTAINING: "the looks that show whether the effect lasts",
    State.ON_HOLD: "the action to be resumed, and a verdict",
}


def follow(connector: Connector, *, as_of: datetime) -> FollowResult:
    """Read every action's record on this connection and apply what people changed."""
    result = FollowResult(connection=connector.name)
    actions = [action for action in _with_records(connector.name) if _is_followed(action, as_of)]
    refs = {action.pk: ref for action in actions if (ref := outbox.reference(action)) is not None}
    states = dict(zip(refs, connector.states(list(refs.values())), strict=True))
    run = _Run(as_of, access.Accounts.of(connector.name), _with_waiting_update(connector.name), result)
    for action in _as_they_are(connector.name):  # reading a platform takes minutes, and people go on here meanwhile
        found = states.get(action.pk)
        if found is None:
            continue
        result.read += 1
        with transaction.atomic():
            _follow_one(_as_it_is(action), found, run)
    return result


def take(action: Action, found: PlatformState, *, as_of: datetime) -> FollowResult:
    """Apply what stands on one record that was read just now, when it is adopted."""
    result = FollowResult(connection=action.connection, read=1)
    _follow_one(action, found, _Run(as_of, access.Accounts.of(action.connection), frozenset(), result))
    return result


@dataclass(frozen=True, slots=True)
class _Run:
    """What one run reads once for all its records, and what it tells."""

    as_of: datetime
    accounts: access.Accounts
    waiting: frozenset[int]  # actions with an update that was not delivered yet
    result: FollowResult


def _with_records(connection: str) -> QuerySet[Action]:
    """The actions that have a record on a connection."""
    return Action.objects.filter(connection=connection).exclude(platform_id="").order_by("id")


def _as_they_are(connection: str) -> QuerySet[Action]:
    """The same as they are by now, with what is compared with their records."""
    ids_only = Prefetch("comments", queryset=ActionComment.objects.only("action_id", "platform_id"))
    return _with_records(connection).select_related("owner").prefetch_related("tasks", ids_only)


def _as_it_is(action: Action) -> Action:
    """The action, kept until the transaction ends; read anew where it was changed since it was read with others."""
    names = [field.attname for field in Action._meta.concrete_fields]
    now = kept().values_list(*names).get(pk=action.pk)
    if now == tuple(getattr(action, name) for name in names):
        return action
    return _as_they_are(action.connection).get(pk=action.pk)


def _with_waiting_update(connection: str) -> frozenset[int]:
    updates = Delivery.objects.filter(connection=connection, verb=Verb.UPDATE.value, state=DeliveryState.WAITING)
    return frozenset(updates.values_list("action_id", flat=True))


def _is_followed(action: Action, as_of: datetime) -> bool:
    """Until it ended on both sides and they agree, and half a year longer: people change their minds about it."""
    has_ended = action.state in ENDED_STATES and action.platform_state in ENDED_STATES and not action.diverged_causes
    return not has_ended or (action.closed_at is not None and as_of < action.closed_at + FOLLOWED_AFTER_CLOSING)


def _follow_one(action: Action, found: PlatformState, run: _Run) -> None:
    if found.is_missing:
        gap = Gap("gone", "its record is no longer on the platform, or hidden from us", is_answered=False)
        _settle(action, [gap], run)
        return
    accounts, as_of = run.accounts, run.as_of
    before = _carried(action)
    take_due(action, found, accounts, as_of)
    take_fields(action, found, accounts, as_of)
    take_tasks(action, found, as_of)
    take_comments(action, found, accounts, as_of)
    _notice_unknown_owner(action, found, run)
    gaps = take_owner(action, found, accounts, as_of)
    is_overtaken = _is_overtaken(action, as_of)
    if not is_overtaken:
        gaps += _take_approvals(action, found, run)
        gaps += _take_state(action, found, run)
        gaps += take_code(action, found, accounts, as_of)
    if action.pk in run.waiting or _carried(action) != before:
        carry(action, as_of)
    if not is_overtaken:
        _settle(action, gaps, run)


def _is_overtaken(action: Action, as_of: datetime) -> bool:
    """Whether somebody moved it here since the moment of this cycle: then what it was asked to do there, and what that
    lacks, is for the next one to say. A move that is still to come, of a clock that was ahead, does not count.
    """
    return as_of < action.last_moved_at <= datetime.now(UTC)


def _carried(action: Action) -> tuple[object, ...]:
    """What an update that still waits would undo if it was not brought up to it."""
    return action.owner_id, action.due, action.title, action.hypothesis


def _notice_unknown_owner(action: Action, found: PlatformState, run: _Run) -> None:
    """An owner whose account is nobody we know cannot become ours: flagged until it is linked, or another is named."""
    account = found.owner or ""
    if run.accounts.is_ours(account) or run.accounts.person(account) is not None:
        account = ""
    if account:
        run.result.unknown_owners.append(f"{action.code}: {access.how_to_link(action.connection, account)}")
    if account == action.unknown_owner:
        return
    action.unknown_owner = account
    action.save(update_fields=["unknown_owner"])
    payload = {"account_sha256": ledger.sealed(account), "is_known": not account}
    ledger.append("action.unknown_owner", subject=action.code, actor=ledger.PLATFORM, at=run.as_of, payload=payload)


def _take_approvals(action: Action, found: PlatformState, run: _Run) -> list[Gap]:
    """Answers to the plan that is up for approval; one given before its last change is an answer to another plan."""
    gaps: list[Gap] = []
    for approval in found.approvals:
        plan = loop.current_plan(action) if action.state == State.PLANNED else None
        if plan is None or plan.sha256:
            return []  # answered: what stood in the way before is settled
        event = ANSWERS.get(approval.state)
        if event is None or (approval.at is not None and approval.at < plan.drafted_at):
            continue
        source = f"{action.connection}:{approval.id}"
        person = run.accounts.person(approval.approver)
        if event is Event.LAPSE:
            if not action.transitions.filter(event=event.value, source=source, at__gte=plan.drafted_at).exists():
                _try(action, event, None, run, source=source)
        elif person is None:
            gaps.append(Gap(f"approver-{approval.id}", "the approver's account belongs to nobody we know"))
        else:
            given_at = min(approval.at or run.as_of, run.as_of)
            reasons = _try(action, event, person, run, source=source, given_at=given_at)
            if reasons:
                gaps.append(Gap(f"{event.value}-{approval.id}", reasons))
    return gaps


def _take_state(action: Action, found: PlatformState, run: _Run) -> list[Gap]:
    """Apply a change of the record's state; one that a guard forbade is tried again until it fits or is taken back."""
    cause, before = f"state-{found.state}", action.platform_state
    if found.state == UNKNOWN_STATE:
        return [Gap(cause, UNKNOWN_THERE, is_answered=False)]
    is_new = found.state != before
    if is_new:
        action.platform_state = found.state
        action.save(update_fields=["platform_state"])
    if found.state == "closed":
        return [] if action.state in ENDED_STATES else [Gap(cause, CLOSING_NEEDS[State(action.state)])]
    by = found.state_changed_by
    if run.accounts.is_ours(by):
        return []  # our own echo
    if not is_new and cause not in action.diverged_causes:
        return []
    if action.state in ENDED_STATES and (before in ENDED_STATES or cause in action.diverged_causes):
        return [] if found.state in ENDED_STATES else [Gap(cause, REOPENED)]
    person = run.accounts.person(by)
    for _ in range(2):  # off hold first, then on
        event = WANTED.get(found.state, {}).get(State(action.state))
        if event is None:
            break
        reasons = _try(action, event, person, run, reason=f"set to {found.state} on {action.connection}")
        if reasons:
            return [Gap(cause, reasons)]
    _ask(action, found, run.as_of)
    return []


def _ask(action: Action, found: PlatformState, as_of: datetime) -> None:
    """Ask for what the platform cannot carry, once."""
    plan = loop.current_plan(action)
    if found.state == "review" and action.state in (State.DOING, State.PLANNED) and action.implemented_on is None:
        outbox.note(action, f"ask-golive-{action.cycle_no}", notes.note("ask go-live"), at=as_of)
    if found.state == "approved" and action.state == State.PLANNED and plan is not None and not plan.sha256:
        text = notes.note("ask approval", version=plan.version, url=outbox.page_url(action))
        outbox.note(action, f"ask-approval-{plan.version}", text, at=as_of)


def _try(
    action: Action,
    event: Event,
    person: Person | None,
    run: _Run,
    *,
    reason: str = "",
    source: str = "",
    given_at: datetime | None = None,
) -> str:
    """Apply an event that came from the platform; returns what is missing, '' when it was applied."""
    if event in OWNERS_ONLY and (person is None or not owns(person, action)):
        return "only the owner can do this, and the platform names somebody else"
    row = BY_EVENT[event]
    if not row.is_open_to(loop.facts_of(action)):
        return TOO_EARLY_OR_LATE.get(event, f"it is {action.state} with us")
    actor = person.uid if person is not None else ledger.PLATFORM
    try:
        loop.move(
            action, event, actor=actor, person=person, at=run.as_of, reason=reason, source=source, given_at=given_at
        )
    except GuardRefused as refusal:
        action.refresh_from_db()
        return "; ".join(refusal.reasons)
    run.result.moved.append(f"{action.code}: {event.value}")
    return ""


def _settle(action: Action, gaps: list[Gap], run: _Run) -> None:
    """Flag what both sides do not agree on, answer each cause once, and clear the flag once they agree."""
    before = set(action.diverged_causes)
    for gap in gaps:
        if gap.cause not in before:
            _answer(action, gap, run.as_of)
            run.result.diverged.append(f"{action.code}: {gap.missing}")
    causes, missing = [gap.cause for gap in gaps], "; ".join(gap.missing for gap in gaps)
    if (causes, missing) == (action.diverged_causes, action.diverged):
        return
    action.diverged_causes, action.diverged = causes, missing
    action.save(update_fields=["diverged_causes", "diverged"])
    if before and not causes:
        ledger.append("action.agrees", subject=action.code, actor=ledger.PLATFORM, at=run.as_of, payload={})


def _answer(action: Action, gap: Gap, as_of: datetime) -> None:
    if gap.is_answered:
        text = notes.note("diverged", missing=notes.reasons_of(gap.missing))
        outbox.note(action, f"diverged-{action.cycle_no}-{gap.cause}", text, at=as_of)
    ledger.append(
        "action.diverged",
        subject=action.code,
        actor=ledger.PLATFORM,
        at=as_of,
        payload={"cause": gap.cause, "missing_sha256": ledger.sealed(gap.missing)},
    )
