"""What follows from each event of an action: plans, looks and dates, in the transaction of the move itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from improvement.errors import GuardRefused
from improvement.evidence.canonical import canonical, sha256_hex
from improvement.pdca import Event, State
from improvement.schedule import SUSTAIN_EVERY_WEEKS
from improvement.vocabulary import ENDED_STATES
from workflows.actions import planning
from workflows.deliveries import notes, outbox
from workflows.evidence import ledger
from workflows.models import Action, Look, LookKind, Person, Plan


@dataclass(slots=True)
class Move:
    """One event on its way through: who, when, and what came with it."""

    action: Action
    event: Event
    actor: str
    person: Person | None
    at: datetime
    reason: str
    on: date | None
    ref: str
    source: str
    given_at: datetime  # when it really happened: an approval on the platform is older than the cycle that reads it
    before: State

    @property
    def today(self) -> date:
        """The local date of the scope, which decides what is late."""
        return planning.local_day(self.action, self.given_at)


def current_plan(action: Action) -> Plan | None:
    """The newest plan version of the action's present cycle."""
    plans = action.plans.filter(cycle_no=action.cycle_no).select_related("approved_by")
    return plans.order_by("-version").first()


Consequence = Callable[[Move], None]


def _draft_plan(moving: Move) -> None:
    action = moving.action
    newest = action.plans.order_by("-version").first()
    plan = Plan.objects.create(
        action=action,
        version=newest.version + 1 if newest else 1,
        cycle_no=action.cycle_no,
        document=planning.document(action),
        drafted_at=moving.at,
    )
    log_draft(plan, actor=moving.actor, at=moving.at)


def shown_sha256(action: Action, plan: Plan) -> str:
    """The digest of what an approver reads: the plan as it stands, and the words that stand beside it."""
    shown = {
        "plan": plan.document,
        "hypothesis": action.hypothesis,
        "goal": action.goal,
        "min_effect": action.min_effect,
        "golive_planned": action.golive_planned.isoformat() if action.golive_planned else "",
        "detectable_accepted_reason": action.detectable_accepted_reason,
    }
    return sha256_hex(canonical(shown))


def log_draft(plan: Plan, *, actor: str, at: datetime) -> None:
    """Say what is up for approval: an approver cannot be shown one plan and freeze another."""
    payload = {"version": plan.version, "draft_sha256": sha256_hex(canonical(plan.document))}
    ledger.append("plan.drafted", subject=plan.action.code, actor=actor, at=at, payload=payload)


def _freeze_plan(moving: Move) -> None:
    action = moving.action
    plan = current_plan(action)
    if plan is None or moving.person is None:
        raise GuardRefused(f"{action.code} cannot be approved", ["there is no submitted plan"])
    document = dict(plan.document)
    document["frozen_at"] = moving.given_at.isoformat()
    document["frozen_by"] = moving.person.uid
    plan.document = document
    plan.sha256 = sha256_hex(canonical(document))
    plan.frozen_at = moving.given_at
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
            "frozen_at": moving.given_at.isoformat(),
            "owner": action.owner.uid if action.owner else "",
            "approval_source": plan.approval_source,
        },
    )
    text = notes.note("plan approved", version=plan.version, sha256=plan.sha256)
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


def _correct_golive(moving: Move) -> None:
    """Looks still to come move with the day; what was computed stays on record as it was read."""
    _go_live(moving)
    action = moving.action
    for look in action.looks.filter(cycle_no=action.cycle_no, computed_at__isnull=True, is_dropped=False):
        look.due_at = planning.due_at(action, look.plan, look.week_no)
        look.save(update_fields=["due_at"])


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
    """Every decision *standardise* begins a round of its own, so a second one is looked at like the first."""
    action = moving.action
    plan = current_plan(action)
    if plan is None:
        return
    earlier = action.looks.filter(kind=LookKind.SUSTAIN, cycle_no=action.cycle_no).order_by("-round_no").first()
    for week_no in plan.document["sustain"]:
        Look.objects.create(
            action=action,
            plan=plan,
            cycle_no=action.cycle_no,
            kind=LookKind.SUSTAIN,
            round_no=earlier.round_no + 1 if earlier is not None else 1,
            week_no=week_no,
            due_at=planning.sustain_due_at(action, plan, moving.at, week_no),
        )


def _schedule_half_yearly(moving: Move) -> None:
    last = moving.action.looks.filter(kind=LookKind.SUSTAIN, is_dropped=False).order_by("-round_no", "-week_no").first()
    if last is not None:
        schedule_next_half_year(last)


def schedule_next_half_year(look: Look) -> Look:
    """The look half a year after this one: what became the standard is read for as long as the action is kept."""
    week_no = look.week_no + SUSTAIN_EVERY_WEEKS
    decided_at = planning.standardised_at(look.action)
    following, _ = Look.objects.get_or_create(
        action=look.action,
        plan=look.plan,
        cycle_no=look.cycle_no,
        kind=LookKind.SUSTAIN,
        round_no=look.round_no,
        week_no=week_no,
        defaults={"due_at": planning.sustain_due_at(look.action, look.plan, decided_at, week_no)},
    )
    return following


def _drop_looks(moving: Move) -> None:
    moving.action.looks.filter(computed_at__isnull=True).update(is_dropped=True)


def _forget_change(moving: Move) -> None:
    moving.action.implemented_ref = ""  # the next cycle goes live with a change of its own


def _ask_again(moving: Move) -> None:
    text = notes.note("approval lapsed")
    outbox.note(moving.action, f"lapsed-{moving.source}-{moving.given_at:%Y%m%d}", text, at=moving.at)


def _close(moving: Move) -> None:
    moving.action.closed_at = moving.at


def _propose_closure(moving: Move) -> None:
    """Say how the record may be closed, unless people closed it already, or we close it ourselves."""
    action = moving.action
    if not action.is_accepted or action.platform_state in ENDED_STATES or not outbox.is_closed_by_people(action):
        return
    closure, state = planning.closure_of(action), notes.state(action.state)
    verdict = notes.verdict(action.verdict) if action.verdict else notes.note("no verdict")
    if closure is not None:
        named = outbox.closure_name(action, closure)
        text = notes.note("closure", action=action.code, state=state, closure=named, verdict=verdict)
    else:
        why = notes.note("overruled" if action.is_overridden else "not brought about", verdict=verdict)
        text = notes.note("closure of people", action=action.code, state=state, why=why)
    outbox.note(action, f"closure-{action.cycle_no}", text, at=moving.at)


def _withdraw_unaccepted(moving: Move) -> None:
    if not moving.action.is_accepted:  # nothing of it is on the platform, and nothing shall be
        outbox.withdraw(moving.action, actor=moving.actor, at=moving.at)


def _tell_slip(moving: Move) -> None:
    action = moving.action
    text = notes.note("go-live slipped", day=action.golive_planned, weeks=action.max_slip_weeks)
    outbox.note(action, f"slip-{action.cycle_no}-{action.golive_planned}", text, at=moving.at)


CONSEQUENCES: dict[Event, tuple[Consequence, ...]] = {
    Event.SUBMIT: (_draft_plan,),
    Event.APPROVE: (_freeze_plan,),
    Event.LAPSE: (_ask_again,),
    Event.GO_LIVE: (_go_live,),
    Event.CORRECT_GOLIVE: (_correct_golive,),
    Event.STANDARDISE: (_schedule_sustaining,),
    Event.STOP: (_close, _propose_closure),
    Event.ADJUST: (_drop_looks, _forget_change),
    Event.BAD_SUSTAINING_LOOK: (_drop_looks,),
    Event.LAST_SUSTAINING_LOOK: (_close, _propose_closure, _schedule_half_yearly),
    Event.REAPPROVE: (_drop_looks, _draft_plan),
    Event.SLIP: (_draft_plan, _tell_slip),
    Event.CANCEL: (_drop_looks, _close, _propose_closure, _withdraw_unaccepted),
}
