"""Check: compute the looks that are due, always on their own window, however late; and notice what was missed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from improvement.check import compute_look
from improvement.errors import GuardRefused, Place, RegelkreisError
from improvement.evidence.canonical import digest, sha256_hex
from improvement.pdca import SUSTAINED_VERDICTS, Event, State
from workflows import ledger, loop, measuring, outbox, planning
from workflows.consequences import schedule_next_half_year
from workflows.models import Action, Look, LookKind
from workflows.steps.review import record_look, record_missed
from workflows.warehouse import Warehouse

log = structlog.get_logger()
GRACE = timedelta(days=14)
SUSTAIN_WINDOW_WEEKS = 13


@dataclass(slots=True)
class CheckRunResult:
    """What one run of the check did on one connection."""

    connection: str
    computed: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    slipped: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def check(warehouse: Warehouse, connection: str, *, as_of: datetime) -> CheckRunResult:
    """Compute what is due on one connection; one look's failure does not stop the others."""
    result = CheckRunResult(connection=connection)
    result.slipped = slip(connection, as_of)
    due = Look.objects.filter(
        action__connection=connection, computed_at__isnull=True, is_dropped=False, due_at__lte=as_of
    ).select_related("action", "plan")
    for look in due.order_by("due_at", "id"):
        look.action.refresh_from_db()
        try:
            with transaction.atomic():
                _compute(warehouse, look, as_of, result)
        except RegelkreisError as error:
            result.errors.append(f"{look.action.code} week {look.week_no}: {error}")
            log.warning("check.failed", action=look.action.code, week=look.week_no, error=str(error))
    _notice_missed(connection, as_of, result)
    return result


def slip(connection: str, as_of: datetime) -> list[str]:
    """Approved plans whose go-live did not come in time need a new version; returns which."""
    slipped = []
    for action in Action.objects.filter(
        connection=connection, state__in=(State.PLANNED.value, State.DOING.value), implemented_on__isnull=True
    ):
        try:
            loop.move(action, Event.SLIP, actor=ledger.ENGINE, at=as_of)
        except GuardRefused:
            continue  # not slipped: the guard says until when it may still go live
        slipped.append(action.code)
    return slipped


def _compute(warehouse: Warehouse, look: Look, as_of: datetime, result: CheckRunResult) -> None:
    action, plan = look.action, look.plan
    if digest(plan.document) != plan.sha256:
        raise RegelkreisError(
            f"Plan version {plan.version} is not the one that was approved: its digest differs.",
            where=Place(record=action.code),
            mend="Somebody edited the database. `regelkreis evidence verify` says what else was touched.",
        )
    check_plan = measuring.check_plan(action, plan)
    windows = check_plan.windows
    if look.kind == LookKind.SUSTAIN:
        last = planning.sustain_from(action, planning.standardised_at(action)) + look.week_no - 1
        first_after = last - SUSTAIN_WINDOW_WEEKS + 1
    else:
        last = windows.after_from + look.week_no - 1
        first_after = windows.after_from
    query = measuring.query_of(action, stratum=measuring.STRATUM)
    first = windows.trigger[0] - measuring.LONG_REFERENCE_WEEKS
    # What was known when it fell due: however late the cycle comes, the look is the one a punctual cycle had seen.
    found = measuring.read(warehouse, query, as_of=look.due_at, first_week=first, last_week=last)
    planned = {name: found.scopes[name] for name in check_plan.controls if name in found.scopes}
    busy = measuring.acting_controls(action, planned, first_week=windows.reference[0], at=look.due_at)
    controls = {name: found.by_scope[name] for name in planned if name not in busy}
    concurrent = measuring.concurrent_changes(warehouse, action, first_after, last)
    outcome = compute_look(
        check_plan,
        found.by_scope.get(action.scope_key),
        controls,
        look=look.week_no,
        kind=look.kind,
        last_week=last,
        dropped_controls=tuple((name, "got an action of its own") for name in sorted(busy)),
        final=_final_result(action) if look.kind == LookKind.SUSTAIN else None,
        concurrent_changes=tuple(concurrent["numbers"]),
        high_risk_changes=tuple(concurrent["high_risk"]),
        has_other_action=measuring.other_action(action, first_week=windows.reference[0], last_week=last),
    )
    look.computed_at = as_of
    look.data_as_of = look.due_at
    look.inputs_sha256 = sha256_hex(found.sha256.encode() + digest(plan.sha256).encode())
    look.result = outcome.as_dict()
    look.verdict = outcome.verdict.value
    if look.kind == LookKind.LOOK:
        look.held_at = as_of
    look.save()
    ledger.append(
        "check.looked",
        subject=action.code,
        actor=ledger.ENGINE,
        at=as_of,
        payload={
            "kind": look.kind,
            "week": look.week_no,
            "cycle_no": look.cycle_no,
            "round_no": look.round_no,
            "plan_sha256": plan.sha256,
            "inputs_sha256": look.inputs_sha256,
            "verdict": look.verdict,
            "reason": outcome.reason,
            "result_sha256": digest(look.result),
        },
    )
    result.computed.append(f"{action.code} {look.kind} {look.week_no}: {look.verdict}")
    record_look(look, at=as_of, picture=_picture(look, warehouse, last))
    follow_verdict(look, as_of=as_of)
    if look.kind == LookKind.FINAL:
        result.verdicts.append(f"{action.code}: {look.verdict}")


def _picture(look: Look, warehouse: Warehouse, last: int) -> str | None:
    """The chart that goes with a final verdict. It explains and decides nothing: without it the verdict stands."""
    if look.kind != LookKind.FINAL:
        return None
    from workflows import charting  # loads the chart library: once an action, not once a cycle

    try:
        return charting.picture(look.action, warehouse, last=last, as_of=look.due_at)
    except RegelkreisError as error:
        log.warning("check.no_picture", action=look.action.code, error=str(error))
        return None


def follow_verdict(look: Look, *, as_of: datetime) -> None:
    """What a computed look does to its action: the final one brings it to *act*, a bad sustaining one back to it."""
    action = look.action
    if look.kind == LookKind.FINAL:
        loop.move(action, Event.FINAL_LOOK, actor=ledger.ENGINE, at=as_of, verdict=look.verdict)
    elif look.kind == LookKind.SUSTAIN and State(action.state) is State.CLOSED:
        schedule_next_half_year(look)
        if look.verdict not in SUSTAINED_VERDICTS:
            _tell_owner(action, look, as_of)
    elif look.kind == LookKind.SUSTAIN and look.verdict not in SUSTAINED_VERDICTS:
        loop.move(action, Event.BAD_SUSTAINING_LOOK, actor=ledger.ENGINE, at=as_of, verdict=look.verdict)


def _tell_owner(action: Action, look: Look, as_of: datetime) -> None:
    """A closed action whose effect is gone opens nothing; its owner hears of it."""
    owner = f"{action.owner}, the" if action.owner else "The"
    text = (
        f"{owner} effect of {action.code} is not there any more {look.week_no} weeks after it became the standard: "
        f"{look.verdict}. The action stays closed; open a new one if it is worth another try."
    )
    outbox.note(action, f"gone-{look.cycle_no}-{look.round_no}-{look.week_no}", text, at=as_of)
    payload = {"week": look.week_no, "verdict": look.verdict, "owner": action.owner.uid if action.owner else ""}
    ledger.append("owner.told", subject=action.code, actor=ledger.ENGINE, at=as_of, payload=payload)


def _final_result(action: Action) -> dict[str, object] | None:
    final = action.looks.filter(kind=LookKind.FINAL, result__isnull=False).order_by("-computed_at").first()
    return final.result if final is not None else None


def _notice_missed(connection: str, as_of: datetime, result: CheckRunResult) -> None:
    """A look not held within its grace becomes a record of its own; a later hold does not erase it."""
    overdue = Look.objects.filter(
        action__connection=connection,
        held_at__isnull=True,
        is_dropped=False,
        is_missed=False,
        due_at__lt=as_of - GRACE,
    ).select_related("action", "plan")
    for look in overdue.order_by("due_at", "id"):
        with transaction.atomic():
            look.is_missed = True
            look.save(update_fields=["is_missed"])
            record_missed(look, at=as_of)
        result.missed.append(f"{look.action.code} {look.kind} {look.week_no}")
