"""Check: compute the looks that are due, always on their own window, however late; and notice what was missed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from improvement.errors import GuardRefused, RegelkreisError
from improvement.evidence.canonical import digest
from improvement.pdca import SUSTAINED_VERDICTS, Event, State
from improvement.records import RecordKind
from improvement.schedule import GRACE_DAYS
from workflows.actions import loop, planning
from workflows.actions.consequences import schedule_next_half_year
from workflows.actions.holding import keep
from workflows.deliveries import notes, outbox
from workflows.evidence import ledger
from workflows.models import Action, Look, LookKind
from workflows.steps.looking import CellsAhead, read_look
from workflows.steps.restate import Restating
from workflows.steps.review import ANNOUNCED, record_look, record_missed
from workflows.warehouse import Warehouse

log = structlog.get_logger()
GRACE = timedelta(days=GRACE_DAYS)


@dataclass(slots=True)
class CheckRunResult:
    """What one run of the check did on one connection."""

    connection: str
    computed: list[str] = field(default_factory=list)
    verdicts: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    addenda: list[str] = field(default_factory=list)
    slipped: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Checking:
    """The check of one connection: what it reads of the warehouse is read in other threads from now on.

    Begin it when the connection's records are loaded; close it. A look that is counted from ``missing`` kinds of
    records waits: it reads what was known when it fell due.
    """

    def __init__(
        self,
        warehouse: Warehouse,
        connection: str,
        *,
        as_of: datetime,
        missing: frozenset[RecordKind] = frozenset(),
    ) -> None:
        self._warehouse, self._connection, self._as_of, self._missing = warehouse, connection, as_of, missing
        self._cells = CellsAhead(warehouse, self._due())
        self._restating = Restating(warehouse, connection, as_of=as_of)
        self._computed: set[int] = set()  # looks, by their keys

    def finish(self) -> CheckRunResult:
        """Compute what is due by now; one look's failure does not stop the others."""
        result = CheckRunResult(connection=self._connection)
        result.slipped = slip(self._connection, self._as_of)
        _notice_missed(self._connection, self._as_of, result)  # before: an interim look is held by being computed
        for look in self._due():
            look.refresh_from_db(fields=["due_at", "is_dropped"])  # one before it, or a person, may have dropped it
            if look.is_dropped or look.due_at > self._as_of:
                continue
            look.action.refresh_from_db()
            try:
                with transaction.atomic():
                    self._compute(look, result)
            except RegelkreisError as error:
                result.errors.append(f"{look.action.code} week {look.week_no}: {error}")
                log.warning("check.failed", action=look.action.code, week=look.week_no, error=str(error))
        result.addenda, failed = self._restating.finish(but=self._computed)
        result.errors += failed
        return result

    def close(self) -> None:
        """Let go of what was not taken."""
        self._cells.close()
        self._restating.close()

    def _due(self) -> list[Look]:
        due = Look.objects.filter(
            action__connection=self._connection, computed_at__isnull=True, is_dropped=False, due_at__lte=self._as_of
        )
        looks = due.select_related("action", "plan").order_by("due_at", "id")
        return [look for look in looks if not self._missing.intersection(planning.metric_of(look.action).reads)]

    def _compute(self, look: Look, result: CheckRunResult) -> None:
        action, as_of = look.action, self._as_of
        # What was known when it fell due: however late the cycle comes, the look is what a punctual cycle had seen.
        reading = read_look(self._warehouse, look, known_at=look.due_at, ahead=self._cells)
        outcome = reading.outcome
        keep(action)
        if not _is_as_read(look):
            return  # somebody moved the action meanwhile: the next cycle sees what is due by then
        look.computed_at = as_of
        look.data_as_of = look.due_at
        look.inputs_sha256 = reading.inputs_sha256
        look.result = outcome.as_dict()
        look.verdict = outcome.verdict.value
        if look.kind == LookKind.LOOK:
            look.held_at = as_of
        look.save()
        log_look(look, at=as_of)
        self._computed.add(look.pk)
        result.computed.append(f"{action.code} {look.kind} {look.week_no}: {look.verdict}")
        record_look(look, at=as_of, picture=_picture(look, self._warehouse, reading.last_week))
        follow_verdict(look, as_of=as_of)
        if look.kind == LookKind.FINAL:
            result.verdicts.append(f"{action.code}: {look.verdict}")


def _is_as_read(look: Look) -> bool:
    """Whether neither a look nor its action was moved since they were read."""
    now = Look.objects.filter(pk=look.pk, due_at=look.due_at, is_dropped=False)
    return now.filter(action__last_moved_at=look.action.last_moved_at).exists()


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


def log_look(look: Look, *, at: datetime) -> None:
    """Tell the ledger what a look found: whoever edits its row later is found out by the digest."""
    ledger.append(
        "check.looked",
        subject=look.action.code,
        actor=ledger.ENGINE,
        at=at,
        payload={
            "kind": look.kind,
            "week": look.week_no,
            "cycle_no": look.cycle_no,
            "round_no": look.round_no,
            "plan_sha256": look.plan.sha256,
            "inputs_sha256": look.inputs_sha256,
            "verdict": look.verdict,
            "reason": (look.result or {}).get("reason", ""),
            "result_sha256": digest(look.result),
        },
    )


def _picture(look: Look, warehouse: Warehouse, last: int) -> str | None:
    """The chart that goes with a verdict. It explains and decides nothing: without it the verdict stands."""
    if look.kind not in ANNOUNCED:
        return None
    from workflows.checks import charting  # loads the chart library, which most cycles do without

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
    text = notes.note("effect gone", action=action.code, weeks=look.week_no, verdict=notes.verdict(look.verdict))
    if action.owner is not None:
        text = notes.note("to owner", owner=action.owner, note=text)
    outbox.note(action, f"gone-{look.cycle_no}-{look.round_no}-{look.week_no}", text, at=as_of)
    payload = {"week": look.week_no, "verdict": look.verdict, "owner": action.owner.uid if action.owner else ""}
    ledger.append("owner.told", subject=action.code, actor=ledger.ENGINE, at=as_of, payload=payload)


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
            keep(look.action)
            look.is_missed = True
            look.save(update_fields=["is_missed"])
            record_missed(look, at=as_of)
        result.missed.append(f"{look.action.code} {look.kind} {look.week_no}")
