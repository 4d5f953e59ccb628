"""The one door through which an action moves: guards, history, ledger, and what follows from each event.

Everything happens in one transaction: the action's new state, its history, the ledger entry, the plan, the looks and
the writes queued for the platform.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from improvement import pdca
from improvement.errors import GuardRefused
from improvement.evidence.canonical import canonical, sha256_hex
from improvement.pdca import ActionFacts, Event, State
from improvement.records import Outbound, Verb
from workflows import access, ledger, outbox, planning
from workflows.models import Action, Look, LookKind, Person, Plan, Transition

Consequence = Callable[["Move"], None]


@dataclass(slots=True)
class Move:
    """One event on its way through: who, when, and what came with it."""

    action: Action
    event: Event
    actor: str
    person: Person | None
    at: datetime
    reason: str = ""
    on: date | None = None
    ref: str = ""
    source: str = ""
    before: State = State.PROPOSED

    @property
    def today(self) -> date:
        """The local date of the scope, which decides what is late."""
        return planning.local_day(self.action, self.at)


def current_plan(action: Action) -> Plan | None:
    """The newest plan version of the action's present cycle."""
    return action.plans.filter(cycle_no=action.cycle_no).order_by("-version").first()


def facts_of(action: Action) -> ActionFacts:
    """What the guards need to know of an action."""
    plan = current_plan(action)
    frozen = plan is not None and bool(plan.sha256)
    return ActionFacts(
        state=State(action.state),
        held_from=State(action.held_from) if action.held_from else None,
        owner=action.owner.uid if action.owner else None,
        hypothesis=action.hypothesis,
        metric=action.metric,
        goal=planning.goal_of(action),
        min_effect=planning.min_effect_of(action),
        detectable_effect=planning.detectable_of(action),
        detectable_accepted_reason=action.detectable_accepted_reason,
        golive_planned=action.golive_planned,
        max_slip_weeks=action.max_slip_weeks,
        has_windows=bool(action.measurement.get("windows")),
        has_controls="controls" in action.measurement,
        approved_by=plan.approved_by.uid if frozen and plan is not None and plan.approved_by else None,
        approved_at=plan.frozen_at if frozen and plan is not None else None,
        frozen_on=planning.local_day(action, plan.frozen_at)
        if frozen and plan is not None and plan.frozen_at
        else None,
        implemented_on=action.implemented_on,
        trigger_last=planning.trigger_last_day(action),
        cycle_no=action.cycle_no,
        plan_version=plan.version if plan is not None else 0,
        verdict=action.verdict or None,
        is_late=action.is_late,
        first_implemented_on=action.first_implemented_on if action.cycle_no > 1 else None,
        is_overridden=action.is_overridden,
        may_approve_own=settings.REGELKREIS.allow_own_approval,
    )


def move(
    action: Action,
    event: Event,
    *,
    actor: str,
    at: datetime,
    person: Person | None = None,
    reason: str = "",
    on: date | None = None,
    ref: str = "",
    source: str = "",
    verdict: str = "",
    acknowledged_by: str | None = None,
) -> Action:
    """Apply one event or raise :class:`GuardRefused` with every reason.

    ``actor`` is a person's uid, ``engine`` or ``platform``; ``on`` the go-live date; ``ref`` the change it went live
    with; ``source`` where an approval was given.
    """
    with transaction.atomic():
        moving = Move(action, event, actor, person, at, reason, on, ref, source, State(action.state))
        outcome = pdca.transition(
            facts_of(action),
            event,
            actor=pdca.Actor(actor),
            today=moving.today,
            reason=reason,
            implemented_on=on,
            verdict=verdict or None,
            acknowledged_by=acknowledged_by,
        )
        if isinstance(outcome, pdca.Refused):
            raise GuardRefused(f"{action.code} cannot {event.value.replace('_', ' ')}", list(outcome.reasons))
        _take_over(action, outcome.facts)
        for consequence in CONSEQUENCES.get(event, ()):
            consequence(moving)
        action.last_moved_at = at
        action.save()
        Transition.objects.create(
            action=action,
            at=at,
            event=event.value,
            from_state=moving.before.value,
            to_state=action.state,
            actor=actor,
            note=reason,
        )
        ledger.append(
            "action.transitioned",
            subject=action.code,
            actor=actor,
            at=at,
            payload={
                "event": event.value,
                "from": moving.before.value,
                "to": action.state,
                "cycle_no": action.cycle_no,
                "implemented_on": action.implemented_on.isoformat() if action.implemented_on else "",
                "reason_sha256": ledger.sealed(reason),
                "source": source,
            },
        )
        for entry in outcome.entries:
            ledger.append(entry.type, subject=action.code, actor=actor, at=at, payload=entry.payload)
        queue_update(action, at)
    return action


def _take_over(action: Action, facts: ActionFacts) -> None:
    action.state = facts.state.value
    action.held_from = facts.held_from.value if facts.held_from else ""
    action.cycle_no = facts.cycle_no
    action.is_late = facts.is_late
    action.implemented_on = facts.implemented_on
    action.first_implemented_on = facts.first_implemented_on
    action.golive_planned = facts.golive_planned
    action.detectable_accepted_reason = facts.detectable_accepted_reason
    action.is_overridden = facts.is_overridden
    action.verdict = facts.verdict or ""


def queue_update(action: Action, at: datetime) -> None:
    """Queue the fields we keep current on the platform; identical content is one delivery."""
    fields = planning.outbound_fields(action)
    digest = sha256_hex(canonical(fields))[:16]
    outbound = Outbound(verb=Verb.UPDATE, key=f"{action.code}/update/{digest}", action_id=action.code, fields=fields)
    outbox.queue(action, outbound, at=at)


# --- what follows from each event -----------------------------------------------------------------------------


def _draft_plan(moving: Move) -> None:
    action = moving.action
    newest = action.plans.order_by("-version").first()
    Plan.objects.create(
        action=action,
        version=newest.version + 1 if newest else 1,
        cycle_no=action.cycle_no,
        document=planning.document(action),
        drafted_at=moving.at,
    )


def _freeze_plan(moving: Move) -> None:
    action = moving.action
    plan = current_plan(action)
    if plan is None or moving.person is None:
        raise GuardRefused(f"{action.code} cannot be approved", ["there is no submitted plan"])
    document = dict(plan.document)
    document["frozen_at"] = moving.at.isoformat()
    document["frozen_by"] = moving.person.uid
    plan.document = document
    plan.sha256 = sha256_hex(canonical(document))
    plan.frozen_at = moving.at
    plan.approved_by = moving.person
    plan.approval_source = moving.source or "regelkreis"
    plan.save()
    ledger.append(
        "plan.frozen",
        subject=action.code,
        actor=moving.person.uid,
        at=moving.at,
        payload={
            "version": plan.version,
            "plan_sha256": plan.sha256,
            "owner": action.owner.uid if action.owner else "",
            "approval_source": plan.approval_source,
        },
    )
    text = f"Plan version {plan.version} approved. Its yardstick is frozen: sha256 {plan.sha256}."
    outbox.note(action, f"plan-{plan.version}", text, at=moving.at)
    if action.implemented_on is not None:
        _schedule_looks(moving)


def _go_live(moving: Move) -> None:
    action = moving.action
    if moving.ref:
        action.implemented_ref = moving.ref
    plan = current_plan(action)
    if plan is not None and plan.sha256:
        _schedule_looks(moving)


def _schedule_looks(moving: Move) -> None:
    action = moving.action
    plan = current_plan(action)
    if plan is None or action.implemented_on is None:
        return
    windows = planning.windows(action)
    ledger.append(
        "plan.windows_shifted",
        subject=action.code,
        actor=moving.actor,
        at=moving.at,
        payload={"plan_sha256": plan.sha256, "windows": windows, "implemented_on": action.implemented_on.isoformat()},
    )
    weeks = plan.document["looks"]
    for week_no in weeks:
        Look.objects.get_or_create(
            action=action,
            plan=plan,
            cycle_no=action.cycle_no,
            kind=LookKind.FINAL if week_no == weeks[-1] else LookKind.LOOK,
            week_no=week_no,
            defaults={"due_at": planning.due_at(action, plan, week_no)},
        )


def _schedule_sustaining(moving: Move) -> None:
    action = moving.action
    plan = current_plan(action)
    if plan is None:
        return
    for week_no in plan.document["sustain"]:
        Look.objects.get_or_create(
            action=action,
            plan=plan,
            cycle_no=action.cycle_no,
            kind=LookKind.SUSTAIN,
            week_no=week_no,
            defaults={"due_at": planning.sustain_due_at(action, plan, moving.at, week_no)},
        )


def _drop_looks(moving: Move) -> None:
    moving.action.looks.filter(computed_at__isnull=True).update(is_dropped=True)


def _close(moving: Move) -> None:
    moving.action.closed_at = moving.at


CONSEQUENCES: dict[Event, tuple[Consequence, ...]] = {
    Event.SUBMIT: (_draft_plan,),
    Event.APPROVE: (_freeze_plan,),
    Event.GO_LIVE: (_go_live,),
    Event.STANDARDISE: (_schedule_sustaining,),
    Event.STOP: (_close,),
    Event.ADJUST: (_drop_looks,),
    Event.LAST_SUSTAINING_LOOK: (_close,),
    Event.REAPPROVE: (_drop_looks, _draft_plan),
    Event.SLIP: (_draft_plan,),
    Event.CANCEL: (_drop_looks, _close),
}


def what_closing_needs(action: Action) -> str:
    """Why an action is not closed yet, in words for a work note."""
    state = State(action.state)
    needs = {
        State.PROPOSED: "a submitted and approved plan, a go-live and a verdict",
        State.PLANNED: "approval, a go-live and a verdict",
        State.DOING: "the day the change went live, and a verdict on its effect",
        State.CHECKING: "the last look at its effect, which is still to come",
        State.ACTING: "the owner's decision: standardise, adjust or stop",
        State.SUSTAINING: "the looks that show whether the effect lasts",
        State.ON_HOLD: "the action to be resumed, and a verdict",
    }
    return needs.get(state, "a verdict")


def account(action: Action) -> str | None:
    """The owner's account on the action's platform."""
    return access.account_of(action.owner, action.connection)


def detail(action: Action) -> dict[str, Any]:
    """The action as one JSON-ready object for the command line."""
    return {
        "id": action.code,
        "title": action.title,
        "state": action.state,
        "cycle_no": action.cycle_no,
        "connection": action.connection,
        "scope": action.scope,
        "metric": action.metric,
        "rule": action.rule_id,
        "owner": action.owner.username if action.owner else None,
        "hypothesis": action.hypothesis,
        "goal": action.goal,
        "min_effect": action.min_effect,
        "golive_planned": action.golive_planned.isoformat() if action.golive_planned else None,
        "implemented_on": action.implemented_on.isoformat() if action.implemented_on else None,
        "is_late": action.is_late,
        "trigger": action.trigger,
        "measurement": action.measurement,
        "verdict": action.verdict or None,
        "diverged": action.diverged or None,
        "record": action.platform_number or None,
        "record_url": action.platform_url or None,
        "may": [event.value for event in pdca.allowed(facts_of(action))],
    }
