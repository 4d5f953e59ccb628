"""What people can do to an action: one short function per command, used by the command line and the web alike."""

from __future__ import annotations

import re
from datetime import date, datetime

from django.db import transaction

from improvement.check import Goal
from improvement.errors import GuardRefused, InputError, PermissionMissing
from improvement.pdca import Event, State
from improvement.records import Outbound, Verb
from workflows import access, ledger, loop, outbox, planning
from workflows.models import Action, Connection, LookKind, Person, ReviewEntry, Role

DECISIONS = {"standardise": Event.STANDARDISE, "adjust": Event.ADJUST, "stop": Event.STOP}


def find(code: str) -> Action:
    """The action of this id, written ``ACT-7`` or ``7``."""
    match = re.fullmatch(r"(?:ACT-)?(\d+)", code.strip(), re.IGNORECASE)
    action = Action.objects.filter(pk=int(match[1])).first() if match else None
    if action is None:
        raise InputError(f"There is no action “{code}”.", mend="`regelkreis actions list` shows them.")
    return action


def accept(actor: Person, code: str, *, at: datetime) -> Action:
    """Accept a proposal of a rule in mode *propose*: only then is anything written to the platform."""
    action = find(code)
    _must_own(actor, action)
    with transaction.atomic():
        action.is_accepted = True
        action.save(update_fields=["is_accepted"])
        ledger.append("action.accepted", subject=action.code, actor=actor.uid, at=at, payload={})
    return action


def plan(
    actor: Person,
    code: str,
    *,
    at: datetime,
    hypothesis: str | None = None,
    goal: str | None = None,
    min_effect: str | None = None,
    golive: date | None = None,
    due: date | None = None,
    accept_detectable: str | None = None,
) -> Action:
    """Fill in the plan of a proposed action. Only what is given changes."""
    action = find(code)
    _must_own(actor, action)
    plan_now = loop.current_plan(action)
    is_open = State(action.state) is State.PLANNED and plan_now is not None and not plan_now.sha256
    if State(action.state) is not State.PROPOSED and not is_open:
        raise GuardRefused(f"{action.code} cannot be planned", [f"it is {action.state} and its plan is frozen"])
    with transaction.atomic():
        if hypothesis is not None:
            action.hypothesis = hypothesis
        if goal is not None:
            action.goal = Goal.parse(goal).text
        if min_effect is not None:
            action.min_effect = Goal.parse(min_effect).text
        planning.check_goal(action)
        if golive is not None:
            action.golive_planned = golive
        if due is not None:
            action.due = due
        if accept_detectable is not None:
            action.detectable_accepted_reason = accept_detectable
        action.save()
        if is_open and plan_now is not None:  # handed in, not yet approved: the draft follows
            plan_now.document = planning.document(action)
            plan_now.save(update_fields=["document"])
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
    """Hand the plan in for approval."""
    return _owner_event(actor, code, Event.SUBMIT, at=at)


def approve(actor: Person, code: str, *, at: datetime) -> Action:
    """Approve the plan: it is frozen and hashed. Never by its owner."""
    action = find(code)
    _must_hold(actor, Role.APPROVER, action)
    return loop.move(action, Event.APPROVE, actor=actor.uid, person=actor, at=at, source="regelkreis")


def reject(actor: Person, code: str, *, at: datetime, reason: str) -> Action:
    """Send the plan back to its owner."""
    action = find(code)
    _must_hold(actor, Role.APPROVER, action)
    return loop.move(action, Event.REJECT, actor=actor.uid, person=actor, at=at, reason=reason)


def start(actor: Person, code: str, *, at: datetime) -> Action:
    """Say that work has begun."""
    return _owner_event(actor, code, Event.START, at=at)


def golive(actor: Person, code: str, *, at: datetime, on: date, ref: str = "") -> Action:
    """Say on which local day the change went live, and with which change or task."""
    return _owner_event(actor, code, Event.GO_LIVE, at=at, on=on, ref=ref)


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


def decide(actor: Person, code: str, decision: str, *, at: datetime, reason: str = "") -> Action:
    """Decide in *act*: standardise, adjust or stop. The verdict stands before it and stays beside it."""
    if decision not in DECISIONS:
        raise InputError(f"“{decision}” is no decision.", mend="Use standardise, adjust or stop.")
    action = find(code)
    _must_own(actor, action)
    final = action.looks.filter(kind=LookKind.FINAL, computed_at__isnull=False).order_by("-computed_at").first()
    with transaction.atomic():
        moved = loop.move(action, DECISIONS[decision], actor=actor.uid, person=actor, at=at, reason=reason)
        look = action.looks.filter(held_at__isnull=True, computed_at__isnull=False).exclude(kind=LookKind.LOOK)
        if final is not None:
            look.filter(cycle_no=final.cycle_no).update(held_at=at)
            for review in final.reviews.exclude(kind="missed"):
                ReviewEntry.objects.create(
                    review=review,
                    kind="decision",
                    at=at,
                    actor=actor.uid,
                    payload={
                        "decision": decision,
                        "reason_sha256": ledger.sealed(reason),
                        "verdict_sha256": review.verdict_sha256,
                    },
                )
        text = f"Decision: {decision}, by {actor}. {reason}".strip()
        outbox.note(action, f"decision-{moved.cycle_no}-{decision}", text, at=at)
    return moved


def acknowledge(actor: Person, code: str, *, at: datetime) -> Action:
    """The owner has seen the sustaining looks; after the last one this closes the action."""
    action = find(code)
    _must_own(actor, action)
    with transaction.atomic():
        seen = list(action.looks.filter(kind=LookKind.SUSTAIN, computed_at__isnull=False, held_at__isnull=True))
        pending = action.looks.filter(kind=LookKind.SUSTAIN, computed_at__isnull=True, is_dropped=False)
        may_close = State(action.state) is State.SUSTAINING and not pending.exists()
        if not seen and not may_close:
            raise GuardRefused(f"{action.code} has nothing to acknowledge", ["no sustaining look waits"])
        for look in seen:
            look.held_at = at
            look.save(update_fields=["held_at"])
            for review in look.reviews.exclude(kind="missed"):
                payload = {"verdict_sha256": review.verdict_sha256}
                ReviewEntry.objects.create(
                    review=review, kind="acknowledgement", at=at, actor=actor.uid, payload=payload
                )
            ledger.append(
                "look.acknowledged", subject=action.code, actor=actor.uid, at=at, payload={"week": look.week_no}
            )
        if may_close:
            loop.move(action, Event.LAST_SUSTAINING_LOOK, actor=ledger.ENGINE, at=at, acknowledged_by=actor.uid)
    return action


def add_task(actor: Person, code: str, title: str, *, at: datetime, due: date | None = None) -> Action:
    """Queue a task below the platform's record."""
    action = find(code)
    _must_own(actor, action)
    number = action.deliveries.filter(verb=Verb.TASK.value).count() + 1
    outbound = Outbound(
        verb=Verb.TASK,
        key=f"{action.code}/task/{number}",
        action_id=action.code,
        fields={"title": title, "due": due.isoformat() if due else None},
    )
    outbox.queue(action, outbound, at=at)
    return action


def set_write(actor: Person, connection: str, is_on: bool, *, at: datetime) -> Connection:
    """Switch writing to a platform on or off; a ledger entry either way."""
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend="Ask one to switch writing on.")
    row = Connection.objects.filter(name=connection).first()
    if row is None:
        known = ", ".join(Connection.objects.values_list("name", flat=True))
        raise InputError(f"There is no connection “{connection}”.", mend=f"Known: {known or 'none'}.")
    with transaction.atomic():
        row.may_write = is_on
        row.save(update_fields=["may_write"])
        ledger.append(
            "connection.write", subject=connection, actor=actor.uid, at=at, payload={"write": "on" if is_on else "off"}
        )
    return row


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
    _must_own(actor, action)
    return loop.move(action, event, actor=actor.uid, person=actor, at=at, reason=reason, on=on, ref=ref)


def _must_own(actor: Person, action: Action) -> None:
    is_owner = action.owner_id == actor.pk or (
        action.owner_id is None and access.may(actor, Role.SERVICE_OWNER, action)
    )
    if not is_owner and not actor.has_role(Role.ADMIN):
        owner = action.owner.username if action.owner else "nobody yet"
        raise PermissionMissing(
            f"{actor.username} does not own {action.code} (its owner is {owner}).",
            mend="Act with the owner's token in REGELKREIS_TOKEN, or let an administrator change the owner.",
        )


def _must_hold(actor: Person, role: Role, action: Action) -> None:
    if actor.is_local_admin or not access.may(actor, role, action):
        raise PermissionMissing(
            f"{actor.username} is no {role.label} for {action.code}.",
            mend=f"An administrator grants it: `regelkreis users grant {actor.username} --role {role.value}`.",
        )
