"""Follow: what people changed on the platform's record comes home and moves the action.

The platform wins for what people enter there (owner, due date, tasks, comments, approvals, state). A change that a
guard forbids is recorded as *diverged*, shown, and answered once by a work note that names what is missing; neither
side is forced. Our own integration user never counts as a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from connectors.base import Connector
from improvement.errors import GuardRefused
from improvement.pdca import Event, State
from improvement.records import PlatformApproval, PlatformState
from workflows import access, ledger, loop, outbox
from workflows.models import Action, ActionComment, ActionTask


@dataclass(slots=True)
class FollowResult:
    """What one follow run brought home from one connection."""

    connection: str
    read: int = 0
    moved: list[str] = field(default_factory=list)
    diverged: list[str] = field(default_factory=list)


def follow(connector: Connector, *, as_of: datetime) -> FollowResult:
    """Read every open action's record on this connection and apply what people changed."""
    result = FollowResult(connection=connector.name)
    actions = [
        action
        for action in Action.objects.filter(connection=connector.name).exclude(platform_id="").order_by("id")
        if action.state not in (State.CANCELLED, State.CLOSED) or action.platform_state not in ("closed", "cancelled")
    ]
    refs = [ref for action in actions if (ref := outbox.reference(action)) is not None]
    for action, found in zip(actions, connector.states(refs), strict=True):
        result.read += 1
        with transaction.atomic():
            _follow_one(action, found, as_of, result)
    return result


def _follow_one(action: Action, found: PlatformState, as_of: datetime, result: FollowResult) -> None:
    if found.is_missing:
        _diverge(action, "gone", "its record is no longer on the platform, or hidden from us", as_of, result)
        return
    _take_owner_and_due(action, found, as_of)
    _take_tasks(action, found)
    _take_comments(action, found)
    _take_approvals(action, found, as_of, result)
    _take_state(action, found, as_of, result)


def _take_owner_and_due(action: Action, found: PlatformState, as_of: datetime) -> None:
    owner = access.person_of_account(action.connection, found.owner)
    if owner is not None and owner.pk != action.owner_id:
        action.owner = owner
        action.save(update_fields=["owner"])
        ledger.append(
            "action.owner", subject=action.code, actor=ledger.PLATFORM, at=as_of, payload={"owner": owner.uid}
        )
    if found.due is not None and found.due != action.due:
        action.due = found.due
        action.save(update_fields=["due"])
        ledger.append(
            "action.due", subject=action.code, actor=ledger.PLATFORM, at=as_of, payload={"due": found.due.isoformat()}
        )


def _take_tasks(action: Action, found: PlatformState) -> None:
    for task in found.tasks:
        ActionTask.objects.update_or_create(
            action=action,
            platform_id=task.id,
            defaults={
                "number": task.number,
                "title": task.title,
                "is_done": task.is_done,
                "assignee": task.assignee or "",
                "due": task.due,
            },
        )


def _take_comments(action: Action, found: PlatformState) -> None:
    for comment in found.comments:
        if access.is_integration_account(action.connection, comment.author):
            continue
        ActionComment.objects.get_or_create(
            action=action,
            platform_id=comment.id,
            defaults={"author": comment.author, "at": comment.at, "text": comment.text},
        )


def _take_approvals(action: Action, found: PlatformState, as_of: datetime, result: FollowResult) -> None:
    if action.state != State.PLANNED:
        return
    plan = loop.current_plan(action)
    if plan is None or plan.sha256:
        return
    for approval in found.approvals:
        if approval.at is not None and approval.at < plan.drafted_at:
            continue  # an answer to an earlier version
        _take_approval(action, approval, as_of, result)
        if action.state != State.PLANNED or (current := loop.current_plan(action)) is None or current.sha256:
            return


def _take_approval(action: Action, approval: PlatformApproval, as_of: datetime, result: FollowResult) -> None:
    event = {"approved": Event.APPROVE, "rejected": Event.REJECT, "cancelled": Event.LAPSE}.get(approval.state)
    if event is None:
        return
    person = access.person_of_account(action.connection, approval.approver)
    if person is None and event is not Event.LAPSE:
        _diverge(action, f"approver-{approval.id}", "the approver's account belongs to nobody we know", as_of, result)
        return
    actor = person.uid if person is not None else ledger.PLATFORM
    _try(
        action,
        event,
        lambda: loop.move(
            action, event, actor=actor, person=person, at=as_of, source=f"{action.connection}:{approval.id}"
        ),
        as_of,
        result,
    )


#: What a platform state asks of an action that stands elsewhere: the events to try, by our state.
WANTED: dict[str, dict[State, Event]] = {
    "in_progress": {State.PLANNED: Event.START, State.ON_HOLD: Event.RESUME},
    "on_hold": {state: Event.HOLD for state in State if state not in (State.ON_HOLD, State.CLOSED, State.CANCELLED)},
    "cancelled": dict.fromkeys(
        (State.PROPOSED, State.PLANNED, State.DOING, State.CHECKING, State.ON_HOLD), Event.CANCEL
    ),
    "accepted": {State.ON_HOLD: Event.RESUME},
    "new": {State.ON_HOLD: Event.RESUME},
    "assess": {State.ON_HOLD: Event.RESUME},
    "approved": {State.ON_HOLD: Event.RESUME},
}


def _take_state(action: Action, found: PlatformState, as_of: datetime, result: FollowResult) -> None:
    is_new = found.state != action.platform_state
    if is_new:
        action.platform_state = found.state
        action.save(update_fields=["platform_state"])
    _settle(action, found)
    event = WANTED.get(found.state, {}).get(State(action.state))
    if event is not None and is_new:
        person = access.person_of_account(action.connection, found.state_changed_by)
        actor = person.uid if person is not None else ledger.PLATFORM
        reason = f"set to {found.state} on {action.connection}"
        _try(
            action,
            event,
            lambda: loop.move(action, event, actor=actor, person=person, at=as_of, reason=reason),
            as_of,
            result,
        )
    elif found.state == "closed" and action.state not in (State.CLOSED, State.CANCELLED):
        _diverge(action, f"closed-{action.cycle_no}", loop.what_closing_needs(action), as_of, result)
    elif found.state == "review" and action.state == State.DOING and action.implemented_on is None and is_new:
        text = "The tasks are done. Please tell us the day the change went live, so that its effect can be measured."
        outbox.note(action, f"ask-golive-{action.cycle_no}", text, at=as_of)


def _settle(action: Action, found: PlatformState) -> None:
    """Clear the flag once both sides agree again."""
    agrees = found.state != "closed" or action.state == State.CLOSED
    if action.diverged and agrees:
        action.diverged = ""
        action.save(update_fields=["diverged"])


def _try(action: Action, event: Event, apply: Callable[[], object], as_of: datetime, result: FollowResult) -> None:
    try:
        apply()
    except GuardRefused as refusal:
        reasons = "; ".join(refusal.reasons)
        digest = hashlib.sha256(reasons.encode()).hexdigest()[:8]
        _diverge(action, f"{event.value}-{action.cycle_no}-{digest}", reasons, as_of, result)
    else:
        result.moved.append(f"{action.code}: {event.value}")


def _diverge(action: Action, name: str, missing: str, as_of: datetime, result: FollowResult) -> None:
    """Flag the action, and answer once per cause."""
    action.diverged = missing
    action.save(update_fields=["diverged"])
    result.diverged.append(f"{action.code}: {missing}")
    if action.deliveries.filter(key=f"{action.code}/note/diverged-{name}").exists():
        return
    text = f"Regelkreis could not follow this change of state. What is missing: {missing}."
    if name != "gone":
        outbox.note(action, f"diverged-{name}", text, at=as_of)
    ledger.append(
        "action.diverged",
        subject=action.code,
        actor=ledger.PLATFORM,
        at=as_of,
        payload={"cause": name, "missing_sha256": ledger.sealed(missing)},
    )
