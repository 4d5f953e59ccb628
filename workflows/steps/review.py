"""Review: a computed look becomes a review record, frozen, and is queued for the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from improvement.evidence.canonical import canonical, sha256_hex
from improvement.records import Outbound, OutboundFile, Verb
from improvement.review import SCHEMA_VERSION, ReviewKind
from improvement.schedule import GRACE_DAYS, SUSTAIN_EVERY_WEEKS
from improvement.vocabulary import SUSTAINED_VERDICTS, State
from workflows.actions import planning
from workflows.checks import reviewing
from workflows.deliveries import outbox
from workflows.evidence import ledger
from workflows.models import Action, Look, LookKind, ReviewRecord
from workflows.steps.looking import Reading

ANNOUNCED = (LookKind.FINAL, LookKind.SUSTAIN)


def record_look(look: Look, *, at: datetime, picture: str | None = None) -> ReviewRecord:
    """Freeze what a look found as a review record; final and sustaining ones are told to the platform.

    ``picture``: the chart as SVG that goes with it.
    """
    document = _engine_part(look, kind=look.kind)
    record = _freeze(look, look.kind, document, at)
    if look.kind in ANNOUNCED:
        _announce(record, look, at)
        if picture is not None:
            _attach(record, look, "chart", picture.encode(), "svg", "image/svg+xml", at)
    return record


def record_missed(look: Look, *, at: datetime) -> ReviewRecord:
    """Record that a due review was not held in its grace period, and say so on the platform."""
    record = _freeze(look, "missed", _engine_part(look, kind="missed"), at)
    outbox.note(look.action, f"missed-{_name(look)}", reviewing.note_text(record), at=at, review=record)
    return record


def record_addendum(
    published: ReviewRecord, reading: Reading, *, causes: Mapping[str, int], known_at: datetime, at: datetime
) -> ReviewRecord:
    """Say that later data change a published review; the review itself never changes.

    ``causes``: what happened to how many records, like ``sla is_breached``.
    """
    results = reading.outcome.as_dict()
    part = {
        "restated_by": dict(causes),
        "data_as_of": known_at.isoformat(),
        "inputs_sha256": reading.inputs_sha256,
        "results": results,
        "verdict": results["verdict"],
        "reason": results.get("reason", ""),
        "sentence": results.get("sentence", ""),
    }
    return _addendum(published, {**published.document, **part}, at)


def record_restated_targets(
    published: ReviewRecord, restated: Sequence[Mapping[str, Any]], *, at: datetime
) -> ReviewRecord:
    """Say that a target dated into the past holds values of a published review against another target.

    The verdict, which compares before with after, is the one that was said last; the review itself never changes.
    """
    addenda = ReviewRecord.objects.filter(action=published.action, document__addendum_to=published.code)
    last = addenda.order_by("-id").first() or published
    part = {"restated_by": {}, "restated_targets": [dict(one) for one in restated]}
    return _addendum(published, {**last.document, **part}, at)


def _addendum(published: ReviewRecord, found: Mapping[str, Any], at: datetime) -> ReviewRecord:
    """Freeze what is found now as an addendum to a review, and tell the platform."""
    earlier = ReviewRecord.objects.filter(action=published.action, document__addendum_to=published.code).count()
    document = {
        **found,
        "kind": ReviewKind.ADDENDUM.value,
        "addendum_to": published.code,
        "restatement_seq": earlier + 1,
        "computed_at": at.isoformat(),
        "next_look_at": _planned_after(published.action, at),
    }
    record = _frozen(published.action, None, published.cycle_no, ReviewKind.ADDENDUM.value, document, at)
    name = f"addendum-{published.code.lower()}-{earlier + 1}"
    outbox.note(published.action, name, reviewing.note_text(record), at=at, review=record)
    return record


def _engine_part(look: Look, *, kind: str) -> dict[str, Any]:
    action, plan = look.action, look.plan
    is_missed = kind == "missed"
    return {
        "schema": SCHEMA_VERSION,
        "action": action.code,
        "cycle_no": look.cycle_no,
        "kind": kind,
        "look_no": look.week_no,
        "due_at": look.due_at.isoformat(),
        "rule": action.rule_id,
        "rule_sha256": action.rule_sha256,
        "trigger": planning.published_trigger(action),
        "scope": action.scope,
        "connection": action.connection,
        "plan_sha256": plan.sha256,
        "plan_version": plan.version,
        "plan_frozen_at": plan.frozen_at.isoformat() if plan.frozen_at else "",
        "owner": action.owner.uid if action.owner else "",
        "approved_by": [plan.approved_by.uid] if plan.approved_by else [],
        "rolls_up_to": action.rolls_up_to.code if action.rolls_up_to else "",
        "approval_source": plan.approval_source,
        "implemented_on": action.implemented_on.isoformat() if action.implemented_on else "",
        "implemented_ref": action.implemented_ref,
        "is_late": action.is_late,
        "computed_at": look.computed_at.isoformat() if look.computed_at and not is_missed else "",
        "data_as_of": look.data_as_of.isoformat() if look.data_as_of and not is_missed else "",
        "inputs_sha256": look.inputs_sha256 if not is_missed else "",
        "restatement_seq": 0,
        "next_look_at": _next_look_at(action, look),
        "results": look.result if not is_missed else None,
        "verdict": look.verdict if not is_missed else "",
        "reason": (look.result or {}).get("reason", "")
        if not is_missed
        else f"not held within {GRACE_DAYS} days after it was due",
        "sentence": (look.result or {}).get("sentence", "") if not is_missed else "This review was not held in time.",
    }


def _next_look_at(action: Action, look: Look) -> str:
    """When the look after this one falls due, '' where none is planned: a verdict in *act* waits for its decision."""
    is_closed = action.state == State.CLOSED.value
    if look.kind == LookKind.SUSTAIN and is_closed:
        week_no = look.week_no + SUSTAIN_EVERY_WEEKS
        return planning.sustain_due_at(action, look.plan, planning.standardised_at(action), week_no).isoformat()
    is_back_in_act = look.kind == LookKind.SUSTAIN and bool(look.verdict) and look.verdict not in SUSTAINED_VERDICTS
    return "" if is_back_in_act else _planned_after(action, look.due_at)


def _planned_after(action: Action, moment: datetime) -> str:
    """When the first look falls due that is planned for later than this moment; '' for none."""
    planned = action.looks.filter(computed_at__isnull=True, is_dropped=False, due_at__gt=moment)
    first = planned.order_by("due_at").first()
    return first.due_at.isoformat() if first is not None else ""


def _freeze(look: Look, kind: str, document: dict[str, Any], at: datetime) -> ReviewRecord:
    return _frozen(look.action, look, look.cycle_no, kind, document, at)


def _frozen(
    action: Action, look: Look | None, cycle_no: int, kind: str, document: dict[str, Any], at: datetime
) -> ReviewRecord:
    record = ReviewRecord.objects.create(
        action=action,
        look=look,
        cycle_no=cycle_no,
        kind=kind,
        document=document,
        verdict_sha256=sha256_hex(canonical(document)),
        recorded_at=at,
    )
    payload = {"review": record.code, "kind": kind, "verdict_sha256": record.verdict_sha256}
    ledger.append("review.recorded", subject=action.code, actor=ledger.ENGINE, at=at, payload=payload)
    return record


def _announce(record: ReviewRecord, look: Look, at: datetime) -> None:
    outbox.note(look.action, _name(look), reviewing.note_text(record), at=at, review=record)
    _attach(record, look, "json", reviewing.json_bytes(record), "json", "application/json", at)


def _attach(
    record: ReviewRecord, look: Look, what: str, content: bytes, suffix: str, media_type: str, at: datetime
) -> None:
    """Queue a file whose name carries its digest, so that the same file is found again."""
    name = f"{record.code.lower()}-{sha256_hex(content)[:12]}.{suffix}"
    key = f"{look.action.code}/attach/{_name(look)}-{what}"
    file = OutboundFile(name=name, media_type=media_type, content=content)
    attach = Outbound(verb=Verb.ATTACH, key=key, action_id=look.action.code, file=file)
    outbox.queue(look.action, attach, at=at, review=record)


def _name(look: Look) -> str:
    """One name a look, whatever the round."""
    return f"{look.kind}-{look.cycle_no}-{look.week_no}" + (f"-{look.round_no}" if look.round_no > 1 else "")
