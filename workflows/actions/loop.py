"""The one door through which an action moves: guards, history, ledger, and what follows from each event.

Everything happens in one transaction: the action's new state, its history, the ledger entry, the plan, the looks and
the writes queued for the platform.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from improvement import pdca
from improvement.errors import GuardRefused
from improvement.pdca import ActionFacts, Event, State
from improvement.records import SET_THERE, Outbound, Verb
from workflows.actions import customer_facing, marking, planning
from workflows.actions.consequences import CONSEQUENCES, Move, current_plan
from workflows.actions.holding import kept
from workflows.deliveries import outbox
from workflows.evidence import ledger
from workflows.models import Action, DeliveryState, Origin, Person, Transition
from workflows.restating.restated import later_values

BOTH_WAYS = ("owner", "due")  # of these the later change counts, here or there

__all__ = ["current_plan", "detail", "facts_of", "move", "queue_update", "update_of"]


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
        goal_text=action.goal,
        goal_inexpressible=planning.why_inexpressible(action),
        detectable_text=planning.detectable_text(action),
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
        has_looked=action.implemented_on is not None and _has_looked(action),
        trigger_last=planning.trigger_last_day(action),
        cycle_no=action.cycle_no,
        plan_version=plan.version if plan is not None else 0,
        verdict=action.verdict or None,
        is_late=action.is_late,
        first_implemented_on=action.first_implemented_on if action.cycle_no > 1 else None,
        is_overridden=action.is_overridden,
        may_approve_own=settings.REGELKREIS.allow_own_approval,
    )


def _has_looked(action: Action) -> bool:
    return action.looks.filter(cycle_no=action.cycle_no, computed_at__isnull=False).exists()


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
    given_at: datetime | None = None,
    verdict: str = "",
    acknowledged_by: str | None = None,
) -> Action:
    """Apply one event or raise :class:`GuardRefused` with every reason.

    ``actor`` is a person's uid, ``engine`` or ``platform``; ``on`` the go-live date; ``ref`` the change it went live
    with; ``source`` and ``given_at`` where and when an approval was given, if not here and at ``at``.
    """
    with transaction.atomic():
        # Two people at once: the second meets the new state.
        action.refresh_from_db(from_queryset=kept())
        if at < action.last_moved_at:
            moved = f"{action.last_moved_at:%Y-%m-%d %H:%M} UTC"
            raise GuardRefused(f"{action.code} cannot {_words(event)}", [f"it moved on {moved}; that is later"])
        moving = Move(action, event, actor, person, at, reason, on, ref, source, given_at or at, State(action.state))
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
            raise GuardRefused(f"{action.code} cannot {_words(event)}", list(outcome.reasons))
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
            source=source,
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
                "implemented_ref_sha256": ledger.sealed(ref),
                "held_from": action.held_from,
                "verdict": action.verdict,
                "is_late": action.is_late,
                "is_overridden": action.is_overridden,
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
    """Queue the fields we keep current on the platform, unless they are what was queued last and not given up.

    While the last update still waits it carries the new content itself, so an older one never follows a newer. After
    one that was given up in doubt what was before is written again. Of a proposal that was cancelled unaccepted nothing
    is ever written.
    """
    if not action.is_accepted and State(action.state) is State.CANCELLED:
        return
    queued = action.deliveries.filter(verb__in=(Verb.CREATE.value, Verb.UPDATE.value))
    last = queued.exclude(state=DeliveryState.DISCARDED).order_by("-id").first()
    key = f"{action.code}/update/{queued.count()}"
    if last is not None and last.verb == Verb.UPDATE and last.state == DeliveryState.WAITING:
        key = last.key
    update = update_of(action, key)
    given_up = queued.filter(state=DeliveryState.DISCARDED, verb=Verb.UPDATE.value, begun_at__isnull=False)
    is_in_doubt = last is not None and given_up.filter(pk__gt=last.pk).exists()
    if last is None or is_in_doubt or outbox.content(last).fields != update.fields:
        outbox.queue(action, update, at=at)


def update_of(action: Action, key: str) -> Outbound:
    """What an update says now, whenever it was queued."""
    return Outbound(
        verb=Verb.UPDATE,
        key=key,
        action_id=action.code,
        fields=planning.outbound_fields(action),
        known={name: str(action.platform_seen[name]) for name in BOTH_WAYS if name in action.platform_seen},
        is_adopted=action.origin == Origin.ADOPTED,
    )


def _words(event: Event) -> str:
    return event.value.replace("_", " ")


def detail(action: Action) -> dict[str, Any]:
    """The action as one JSON-ready object for the command line."""
    flown_down = customer_facing.flown_down(action)
    return {
        "id": action.code,
        "title": action.title,
        "state": action.state,
        "cycle_no": action.cycle_no,
        "connection": action.connection,
        "scope": action.scope,
        "metric": action.metric,
        "unmeasured": action.measurement.get("unmeasured"),
        "origin": action.origin,
        "rule": action.rule_id,
        "rule_sha256": action.rule_sha256 or None,
        "owner": action.owner.username if action.owner else None,
        "hypothesis": action.hypothesis,
        "goal": action.goal,
        "min_effect": action.min_effect,
        "golive_planned": action.golive_planned.isoformat() if action.golive_planned else None,
        "implemented_on": action.implemented_on.isoformat() if action.implemented_on else None,
        "is_late": action.is_late,
        "is_accepted": action.is_accepted,
        "is_overridden": action.is_overridden,
        "trigger": planning.published_trigger(action),
        "flow_down": flown_down.as_dict() if flown_down is not None else None,
        "rolls_up_to": action.rolls_up_to.code if action.rolls_up_to else None,
        "serves": [one.as_dict() for one in customer_facing.served(action)],
        "trigger_restated": [value.as_dict() for value in later_values(action)],
        "measurement": {key: value for key, value in action.measurement.items() if key != "earliest_week"},
        "verdict": action.verdict or None,
        "diverged": action.diverged or None,
        "unknown_owner": action.unknown_owner or None,
        "marked_changes": [
            {
                "number": mark.number,
                "live_on": mark.live_on.isoformat(),
                "is_for_scope": mark.is_for_scope,
                "marked_by": mark.marked_by.username,
                "reason": mark.reason,
            }
            for mark in marking.marks_of(action)
        ],
        "set_there": {name: action.platform_seen[name] for name in SET_THERE if action.platform_seen.get(name)},
        "edited_there": action.platform_seen.get("edited", []),
        "record": action.platform_number or None,
        "record_url": action.platform_url or None,
        "may": [event.value for event in pdca.allowed(facts_of(action))],
    }
