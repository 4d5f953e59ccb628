"""What people can do to an action: one short function per command, used by the command line and the web alike."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from django.conf import settings
from django.db import transaction

from improvement import pdca
from improvement.check import Goal
from improvement.errors import GuardRefused, InputError, PermissionMissing
from improvement.pdca import Event, State
from improvement.records import Outbound, Verb
from workflows.actions import loop, planning
from workflows.actions.consequences import log_draft, shown_sha256
from workflows.actions.holding import keep_connection
from workflows.actions.judging import acknowledge, decide, follow_up, override, second_override
from workflows.actions.marking import mark_change, take_back_change
from workflows.actions.rights import find, find_kept, must_be_able_to_own, must_hold, must_own
from workflows.deliveries import outbox
from workflows.evidence import ledger
from workflows.models import Action, Connection, Person, Role
from workflows.rules import writers
from workflows.steps.edited_there import comes_from_there, is_same_text

__all__ = [
    "accept",
    "acknowledge",
    "add_task",
    "approve",
    "assign",
    "cancel",
    "correct_golive",
    "decide",
    "find",
    "follow_up",
    "golive",
    "hold",
    "mark_change",
    "override",
    "plan",
    "reapprove",
    "reject",
    "resume",
    "second_override",
    "set_write",
    "start",
    "submit",
    "take_back_change",
]


@transaction.atomic
def accept(actor: Person, code: str, *, at: datetime) -> Action:
    """Accept a proposal of a rule in mode *propose*: only then is anything written to the platform."""
    action = find_kept(code)
    must_own(actor, action)
    if State(action.state) is State.CANCELLED:
        raise GuardRefused(f"{action.code} cannot be accepted", [f"it is {action.state}"])
    if action.is_accepted:
        return action
    action.is_accepted = True
    action.save(update_fields=["is_accepted"])
    ledger.append("action.accepted", subject=action.code, actor=actor.uid, at=at, payload={})
    return action


@transaction.atomic
def plan(
    actor: Person,
    code: str,
    *,
    at: datetime,
    hypothesis: str | None = None,
    goal: str | None = None,
    min_effect: str | None = None,
    golive: date | Literal[""] | None = None,
    due: date | Literal[""] | None = None,
    accept_detectable: str | None = None,
) -> Action:
    """Fill in the plan of a proposed action, or of one that waits for its approval.

    Only what is given changes; an empty text takes away what was there.

    Raises :class:`GuardRefused` where the plan waits for its approval and what is given would keep it from being
    handed in.
    """
    action = find_kept(code)
    must_own(actor, action)
    draft = loop.current_plan(action) if State(action.state) is State.PLANNED else None
    if State(action.state) is not State.PROPOSED and (draft is None or draft.sha256):
        raise GuardRefused(f"{action.code} cannot be planned", [f"it is {action.state} and its plan is frozen"])
    lacked = pdca.unfit_to_submit(loop.facts_of(action))
    before = shown_sha256(action, draft) if draft is not None else ""
    if hypothesis is not None and comes_from_there(action, "hypothesis"):
        if not is_same_text(hypothesis, action.hypothesis):
            reasons = [f"people edited it on {action.connection}, so it is changed there"]
            raise GuardRefused(f"The hypothesis of {action.code} is not changed here", reasons)
        hypothesis = None  # as a form shows and sends it, which has other line ends
    if hypothesis is not None:
        action.hypothesis = hypothesis
    if goal is not None:
        action.goal = Goal.parse(goal).text if goal else ""
    if min_effect is not None:
        action.min_effect = Goal.parse(min_effect).text if min_effect else ""
    if goal is not None or min_effect is not None:
        planning.check_goal(action)
    if golive is not None:
        action.golive_planned = golive or None
    if due is not None:
        action.due = due or None
    if accept_detectable is not None:
        action.detectable_accepted_reason = accept_detectable
    lacks = [reason for reason in pdca.unfit_to_submit(loop.facts_of(action)) if reason not in lacked]
    if draft is not None and lacks:
        raise GuardRefused(f"{action.code} cannot be planned", lacks)
    action.save()
    if draft is not None:  # handed in, not yet approved: it follows
        draft.document = planning.document(action)
        if shown_sha256(action, draft) != before:  # else approvals of it hold
            draft.drafted_at = at
            draft.save(update_fields=["document", "drafted_at"])
            log_draft(draft, actor=actor.uid, at=at)
    ledger.append(
        "action.planned",
        subject=action.code,
        actor=actor.uid,
        at=at,
        payload={
            "goal": action.goal,
            "min_effect": action.min_effect,
            "golive_planned": action.golive_planned.isoformat() if action.golive_planned else "",
            "hypothesis_sha256": ledger.sealed(action.hypothesis) if hypothesis else "",
            "detectable_accepted_sha256": ledger.sealed(accept_detectable or ""),
        },
    )
    loop.queue_update(action, at)
    return action


def submit(actor: Person, code: str, *, at: datetime) -> Action:
    """Hand the plan in for approval; whoever hands in the plan of a proposal has accepted it."""
    with transaction.atomic():
        action = _owner_event(actor, code, Event.SUBMIT, at=at)
        return action if action.is_accepted else accept(actor, code, at=at)


@transaction.atomic
def approve(actor: Person, code: str, *, at: datetime, draft: str = "") -> Action:
    """Approve the plan: it is frozen and hashed. Never by its owner, and where ``draft`` is the digest of the one that
    the approver was shown, no other.
    """
    action = find_kept(code)
    must_hold(actor, Role.APPROVER, action)
    plan = loop.current_plan(action)
    if draft and plan is not None and not plan.sha256 and shown_sha256(action, plan) != draft:
        reasons = ["the plan was changed after it was shown: read it again"]
        raise GuardRefused(f"{action.code} cannot be approved", reasons)
    return loop.move(action, Event.APPROVE, actor=actor.uid, person=actor, at=at, source="regelkreis")


def reject(actor: Person, code: str, *, at: datetime, reason: str) -> Action:
    """Send the plan back to its owner."""
    action = find(code)
    must_hold(actor, Role.APPROVER, action)
    return loop.move(action, Event.REJECT, actor=actor.uid, person=actor, at=at, reason=reason)


def start(actor: Person, code: str, *, at: datetime) -> Action:
    """Say that work has begun."""
    return _owner_event(actor, code, Event.START, at=at)


def golive(actor: Person, code: str, *, at: datetime, on: date, ref: str = "") -> Action:
    """Say on which local day the change went live, and with which change or task."""
    return _owner_event(actor, code, Event.GO_LIVE, at=at, on=on, ref=ref)


def correct_golive(actor: Person, code: str, *, at: datetime, on: date, reason: str, ref: str = "") -> Action:
    """Correct the day on which the change went live; both days and the reason stay on record."""
    return _owner_event(actor, code, Event.CORRECT_GOLIVE, at=at, on=on, reason=reason, ref=ref)


def hold(actor: Person, code: str, *, at: datetime, reason: str) -> Action:
    """Put the action on hold; looks go on once it is live."""
    return _owner_event(actor, code, Event.HOLD, at=at, reason=reason)


def resume(actor: Person, code: str, *, at: datetime, reason: str) -> Action:
    """Take the action off hold."""
    return _owner_event(actor, code, Event.RESUME, at=at, reason=reason)


def cancel(actor: Person, code: str, *, at: datetime, reason: str) -> Action:
    """Give the action up before it has a verdict."""
    return _owner_event(actor, code, Event.CANCEL, at=at, reason=reason)


def reapprove(actor: Person, code: str, *, at: datetime, reason: str) -> Action:
    """Change an approved plan: a new version has to be approved."""
    return _owner_event(actor, code, Event.REAPPROVE, at=at, reason=reason)


@transaction.atomic
def add_task(actor: Person, code: str, title: str, *, at: datetime, due: date | None = None) -> Action:
    """Queue a task below the platform's record."""
    action = find_kept(code)
    must_own(actor, action)
    if not title.strip():
        raise InputError("A task needs a title.", mend="Say what is to be done.")
    number = action.deliveries.filter(verb=Verb.TASK.value).count() + 1
    outbound = Outbound(
        verb=Verb.TASK,
        key=f"{action.code}/task/{number}",
        action_id=action.code,
        fields={"title": title, "due": due.isoformat() if due else None},
    )
    outbox.queue(action, outbound, at=at)
    payload = {"no": number, "title_sha256": ledger.sealed(title)}
    ledger.append("action.task", subject=action.code, actor=actor.uid, at=at, payload=payload)
    return action


@transaction.atomic
def assign(actor: Person, code: str, owner: Person, *, at: datetime) -> Action:
    """Make somebody the owner: an administrator, the present owner, or whoever may take an ownerless action."""
    action = find_kept(code)
    must_own(actor, action)
    must_be_able_to_own(owner, action)
    action.owner = owner
    action.save(update_fields=["owner"])
    ledger.append("action.owner", subject=action.code, actor=actor.uid, at=at, payload={"owner": owner.uid})
    loop.queue_update(action, at)
    return action


def set_write(actor: Person, connection: str, is_on: bool, *, at: datetime) -> Connection:
    """Switch writing to a platform on or off; a ledger entry either way.

    On by an administrator who wrote none of the rules that write through it, unless a small team waives that.
    """
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend="Ask one to switch writing on.")
    row = Connection.objects.filter(name=connection).first()
    if row is None:
        known = ", ".join(sorted(settings.REGELKREIS.connections)) or "none"
        raise InputError(f"There is no connection “{connection}”.", mend=f"Connections in regelkreis.toml: {known}.")
    with transaction.atomic():
        keep_connection(connection)
        ledger.hold()  # nobody applies rules meanwhile
        payload = {"write": "on", **_second_person(actor, connection)} if is_on else {"write": "off"}
        row.may_write = is_on
        row.save(update_fields=["may_write"])
        ledger.append("connection.write", subject=connection, actor=actor.uid, at=at, payload=payload)
    return row


def _second_person(actor: Person, connection: str) -> dict[str, str]:
    """What the entry says where no other person wrote the rules; refuses where nobody waived that."""
    own = writers.written_by(actor)
    if not own:
        return {"second_person": "unknown"} if writers.of_nobody_known() else {}
    if settings.REGELKREIS.allow_own_approval:
        return {"second_person": "waived"}
    reason = f"{actor.username} wrote rules that write through it ({writers.named(own)})"
    mend = (
        "let an administrator who did not write them switch it on with a token of their own (`regelkreis users add "
        "NAME`, `users grant NAME --role admin`, `users token NAME`), or let a small team set allow_own_approval: "
        "each use is in the ledger"
    )
    raise GuardRefused(f"Writing to {connection} was not switched on", [reason, mend])


def _owner_event(
    actor: Person,
    code: str,
    event: Event,
    *,
    at: datetime,
    reason: str = "",
    on: date | None = None,
    ref: str = "",
) -> Action:
    action = find(code)
    must_own(actor, action)
    return loop.move(action, event, actor=actor.uid, person=actor, at=at, reason=reason, on=on, ref=ref)
