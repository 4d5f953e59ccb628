"""Deliver: send what waits in the outbox, exactly once in effect, and record the receipts.

The connector searches for the trace of an earlier attempt before it sends, so a process killed between sending and
committing only makes the next cycle find what is already there. What is not found may still take effect: so the moment
an attempt begins is committed before anything is sent, and stays until its outcome is known. As long as it stands, the
connector is told how long ago that was, and does not send again what may be there (:mod:`connectors.doubt`). A change
of fields waits until it is settled, whatever is there by then: it would undo what is written meanwhile. What is unknown
for a day is a dead letter, and a person decides.

Within one action, order is kept: nothing is sent before the record exists, and a refused write does not overtake an
earlier one that still waits.

Several workers: on PostgreSQL a delivery is locked from before its attempt begins until its outcome is committed, and
whoever finds it locked leaves its action alone. The lock is the session's (an advisory one), because the beginning has
to be committed while it is held; a killed worker's lock goes with its connection. On SQLite the lease of the warehouse
lets only one cycle run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
import structlog
from django.db import connection, transaction

from connectors.base import Connector
from connectors.doubt import SETTLED_S, telling, wait_until_settled
from improvement.errors import (
    ConnectionFailed,
    OutcomeUnknown,
    Place,
    RegelkreisError,
    ShutOut,
    StillUnknown,
    Unforeseen,
    WriteRefused,
)
from improvement.records import Outbound, PreviewRequest, Receipt, Verb
from workflows.actions.holding import keep
from workflows.deliveries import outbox
from workflows.deliveries.dead_letters import GIVEN_UP
from workflows.evidence import ledger
from workflows.models import Action, Connection, Delivery, DeliveryState, ReviewEntry
from workflows.unforeseen import held

log = structlog.get_logger()
MAX_FAILURES = 10
LONGEST_DOUBT = timedelta(hours=24)
LONG_LOOK = timedelta(minutes=1)  # a tenth of what a doubt lasts
NOTHING = "nothing is left to be sent: it is there already, or has no place there"
LOCKED_FOR = 0x524B  # advisory locks are numbers that a whole database shares: these are deliveries'
Clock = Callable[[], datetime]


@dataclass(slots=True)
class DeliverResult:
    """What one delivery run did on one connection."""

    connection: str
    sent: int = 0
    found: int = 0
    refused: int = 0
    waiting: int = 0
    is_write_off: bool = False
    is_shut_out: bool = False  # nobody answered us, or our credentials were refused: nothing more was tried
    errors: list[str] = field(default_factory=list)


def waiting(connection: str) -> list[Delivery]:
    """Deliveries that may be sent, oldest first; those of a proposal nobody accepted yet stay back."""
    return list(
        Delivery.objects.filter(connection=connection, state=DeliveryState.WAITING, action__is_accepted=True)
        .select_related("action")
        .order_by("id")
    )


@dataclass(frozen=True, slots=True)
class Preview:
    """What ``deliver`` would do with one delivery now: the requests it would send; where there are none, ``why``.

    ``is_wrong``: what it would do cannot be known, or is refused. Where only writing is off, the requests are shown.
    """

    delivery: Delivery
    requests: list[PreviewRequest]
    why: str = ""
    is_wrong: bool = False


def preview(connector: Connector, *, clock: Clock = lambda: datetime.now(UTC)) -> list[Preview]:
    """What ``deliver`` would do now with each delivery, without sending any."""
    is_off = not _may_write(connector.name)
    shown: list[Preview] = []
    blocked: dict[int, str] = {}  # by action: what its other deliveries have to wait for
    for delivery in waiting(connector.name):
        before = blocked.get(delivery.action_id)
        lacking = _lacks_record(delivery)
        if lacking or before:
            shown.append(Preview(delivery, [], lacking or f"it waits for {before}"))
            continue
        attempt = Attempt(clock(), delivery.begun_at)
        try:
            with held(f"previewing {delivery.key}", connection=connector.name):
                outbound = _to_send(delivery, attempt)
                requests = connector.preview(outbound, outbox.reference(delivery.action))
        except RegelkreisError as error:
            shown.append(Preview(delivery, [], str(error), is_wrong=not isinstance(error, StillUnknown)))
            if not isinstance(error, WriteRefused) or delivery.verb == Verb.CREATE:
                blocked[delivery.action_id] = delivery.key
        else:
            why = "" if requests else NOTHING
            off = f"writing is off: it is not sent before `regelkreis connect {connector.name} --write on`"
            shown.append(Preview(delivery, requests, off if requests and is_off else why))
    return shown


def deliver(connector: Connector, *, as_of: datetime, clock: Clock = lambda: datetime.now(UTC)) -> DeliverResult:
    """Send the outbox of one connection, until its ``write`` is off.

    ``clock`` is the wall clock, whatever moment the cycle is for: platforms forget and answer by it.
    """
    result = DeliverResult(connection=connector.name)
    blocked: set[int] = set()
    for delivery in waiting(connector.name):
        result.is_write_off = result.is_write_off or not _may_write(connector.name)
        if result.is_write_off or result.is_shut_out or delivery.action_id in blocked or _has_no_record(delivery):
            result.waiting += 1
        elif not _try(connector, delivery, clock, as_of, result):
            blocked.add(delivery.action_id)
    return result


def _may_write(name: str) -> bool:
    return Connection.objects.values_list("may_write", flat=True).get(name=name)


def _try(connector: Connector, delivery: Delivery, clock: Clock, as_of: datetime, result: DeliverResult) -> bool:
    """Send one delivery, unless another worker does. False: what its action wants besides has to wait."""
    with _locked(delivery) as is_ours:
        if not is_ours:
            result.waiting += 1
            return False
        attempt = _begun(delivery, clock())
        return attempt is None or _attempted(connector, delivery, attempt, clock, as_of, result)


def _attempted(
    connector: Connector, delivery: Delivery, attempt: Attempt, clock: Clock, as_of: datetime, result: DeliverResult
) -> bool:
    """Send it, and note how that ended. False: what its action wants besides has to wait."""
    try:
        leaves = partial(attempt.leaves, delivery, clock)
        with held(f"delivering {delivery.key}", connection=connector.name), telling(leaves):
            _send(connector, delivery, attempt, as_of, result)
        return True
    except RegelkreisError as error:
        result.errors.append(f"{delivery.key}: {error}")
        if not isinstance(error, OutcomeUnknown | Unforeseen) or isinstance(error, StillUnknown):
            attempt.take_back(delivery)
        else:
            attempt.ended_in_doubt(delivery, clock())
        is_outage = isinstance(error, ConnectionFailed)
        if isinstance(error, WriteRefused) or (isinstance(error, StillUnknown) and attempt.is_doubted_too_long):
            became = _bury(delivery, str(error), as_of)
        else:
            became = _postpone(delivery, str(error), as_of, is_outage=is_outage)
            if is_outage:
                log.warning("deliver.failed", connection=connector.name, key=delivery.key, error=str(error))
        result.refused += became == DeliveryState.DEAD
        result.waiting += became == DeliveryState.WAITING
        result.is_shut_out = isinstance(error, ShutOut)
        return became != DeliveryState.WAITING and delivery.verb != Verb.CREATE


@dataclass(slots=True)
class Attempt:
    """One try, by the wall clock, ``at`` which it began, or sent something after it had looked for long. ``before``:
    since when the outcome of an earlier one is not known.
    """

    at: datetime
    before: datetime | None = None

    @property
    def unanswered_s(self) -> float | None:
        """How long the earlier one has been in doubt, in seconds."""
        return None if self.before is None else max(0.0, (self.at - self.before).total_seconds())

    @property
    def is_doubted_too_long(self) -> bool:
        """Whether nobody will find out any more without a person."""
        return self.before is not None and self.at - self.before >= LONGEST_DOUBT

    def leaves(self, delivery: Delivery, clock: Clock) -> None:
        """A request leaves: whoever is killed from now on leaves behind when, not when looking for it began."""
        if (moment := clock()) - self.at > LONG_LOOK:
            self._set(delivery, moment)
            self.at = moment

    def take_back(self, delivery: Delivery) -> None:
        """Nothing was sent this time, or what was sent had no effect: what is in doubt is what was before."""
        self._set(delivery, self.before)

    def ended_in_doubt(self, delivery: Delivery, moment: datetime) -> None:
        """It may have been sent at its very end: looking alone may take longer than a doubt lasts."""
        self._set(delivery, max(moment, self.at))

    def _set(self, delivery: Delivery, doubted_since: datetime | None) -> None:
        Delivery.objects.filter(pk=delivery.pk, begun_at=self.at).update(begun_at=doubted_since)
        delivery.begun_at = doubted_since


@contextmanager
def _locked(delivery: Delivery) -> Iterator[bool]:
    """Whether the delivery is this worker's alone while the block runs; several work on PostgreSQL only."""
    if connection.vendor != "postgresql":
        yield True
        return
    number = [(LOCKED_FOR << 48) + delivery.pk]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", number)
        (is_ours,) = cursor.fetchone()
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", number)


def _begun(delivery: Delivery, moment: datetime) -> Attempt | None:
    """Commit that an attempt begins: whoever is killed from now on leaves that behind. None: it waits no more."""
    with transaction.atomic():
        row = Delivery.objects.select_for_update().only("state", "begun_at").get(pk=delivery.pk)
        if row.state != DeliveryState.WAITING:
            return None
        Delivery.objects.filter(pk=delivery.pk).update(begun_at=moment)
    before = row.begun_at and min(row.begun_at, moment)  # a clock that was ahead keeps nothing in doubt for longer
    return Attempt(moment, before)


def _has_no_record(delivery: Delivery) -> bool:
    """Whether a write belongs to a record whose creation was refused for good: it waits, and says for what."""
    lacking = _lacks_record(delivery)
    if not lacking:
        return False
    delivery.last_error = lacking
    delivery.save(update_fields=["last_error"])
    return True


def _lacks_record(delivery: Delivery) -> str:
    """Why there will be no record to write to; "" where there is one, or may be."""
    action = delivery.action
    if delivery.verb == Verb.CREATE or action.platform_id:
        return ""
    create = action.deliveries.filter(verb=Verb.CREATE.value).exclude(state=DeliveryState.SENT).first()
    if create is None or create.state == DeliveryState.WAITING:
        return ""
    became = "was discarded"
    if create.state == DeliveryState.DEAD:
        became = "was refused" if create.begun_at is None else "may have been lost on its way"
    return f"{create.key} {became}, so there is no record to write to: {create.last_error}"


def _send(connector: Connector, delivery: Delivery, attempt: Attempt, as_of: datetime, result: DeliverResult) -> None:
    present = Delivery.objects.select_related("action", "review").defer("review__document").get(pk=delivery.pk)
    delivery.outbound = present.outbound
    action, ref = present.action, outbox.reference(present.action)
    if ref is None and present.verb != Verb.CREATE:
        raise ConnectionFailed(f"{action.code} has no record on {connector.name} yet.", mend="It is created first.")
    outbound = _to_send(present, attempt)
    receipt = connector.write(outbound, ref)
    with transaction.atomic():
        keep(action)
        now = Delivery.objects.select_for_update().get(pk=delivery.pk)
        if outbound.verb is Verb.CREATE:
            _remember_record(action.pk, receipt)
        now.attempts += 1
        now.last_error = ""
        now.begun_at = None
        now.receipt = msgspec.to_builtins(receipt)
        if bytes(now.outbound) == bytes(present.outbound):  # else newer content came meanwhile: it is sent next time
            now.state = DeliveryState.SENT
            now.sent_at = as_of
        now.save(update_fields=["attempts", "last_error", "begun_at", "receipt", "state", "sent_at"])
        _record(present, receipt, as_of)
    if receipt.was_found:
        result.found += 1
    else:
        result.sent += 1


def _to_send(delivery: Delivery, attempt: Attempt) -> Outbound:
    """What is to be written. Raises :class:`StillUnknown` where it is a change of fields that is in doubt, or that
    another one, given up meanwhile, may still undo.
    """
    outbound = msgspec.structs.replace(outbox.content(delivery), unanswered_s=attempt.unanswered_s)
    if outbound.verb is Verb.UPDATE:
        wait_until_settled(outbound, delivery.connection)
        _wait_for_given_up(delivery, attempt.at)
    return outbound


def _wait_for_given_up(delivery: Delivery, moment: datetime) -> None:
    of_action = Delivery.objects.filter(action=delivery.action_id, verb=Verb.UPDATE.value, state__in=GIVEN_UP)
    lately = of_action.filter(begun_at__gt=moment - timedelta(seconds=SETTLED_S), begun_at__lte=moment)
    found = lately.order_by("-begun_at").only("key", "begun_at").first()
    if found is None or found.begun_at is None:
        return
    ago_s = (moment - found.begun_at).total_seconds()
    raise StillUnknown(
        f"{found.key}, which was given up, was sent {ago_s:.0f} s ago without an answer, and may still take effect: it "
        f"would undo {delivery.key}.",
        where=Place(connection=delivery.connection),
        mend=f"This one is sent {SETTLED_S / 60:.0f} minutes after that.",
    )


def _remember_record(action_id: int, receipt: Receipt) -> None:
    """Where the record lives; only these columns, because people may change others while we send."""
    found = {
        "platform_mode": receipt.ref.mode,
        "platform_id": receipt.ref.id,
        "platform_number": receipt.ref.number,
        "platform_url": receipt.ref.url,
    }
    of_action = Action.objects.filter(pk=action_id)
    of_action.update(**found)
    of_action.filter(platform_state="").update(platform_state="new")


def _record(delivery: Delivery, receipt: Receipt, as_of: datetime) -> None:
    payload = {
        "key": delivery.key,
        "record": receipt.ref.id,
        "number": receipt.ref.number,
        "mode": receipt.ref.mode,
        "status": receipt.status,
        "was_found": receipt.was_found,
        "request_sha256": receipt.request_sha256,
        "differences": sorted(receipt.differences),
        "unwritten": sorted(receipt.unwritten),
        **({"replaced": receipt.replaced} if receipt.replaced else {}),
    }
    ledger.append("delivery.receipt", subject=delivery.action.code, actor=ledger.ENGINE, at=as_of, payload=payload)
    if delivery.review is not None:
        ReviewEntry.objects.create(
            review=delivery.review,
            kind="receipt",
            at=as_of,
            actor=ledger.ENGINE,
            payload={**payload, "verdict_sha256": delivery.review.verdict_sha256},
        )


def _postpone(delivery: Delivery, error: str, as_of: datetime, *, is_outage: bool) -> str:
    """Try again next time. An outage may last as long as it likes; any other error ends it after some failures.

    Returns its state then: people may have discarded it meanwhile.
    """
    delivery.attempts += 1
    delivery.failures += not is_outage
    delivery.last_error = error
    if delivery.failures >= MAX_FAILURES:
        return _bury(delivery, error, as_of)
    delivery.save(update_fields=["attempts", "failures", "last_error"])
    delivery.refresh_from_db(fields=["state"])
    return delivery.state


def _bury(delivery: Delivery, error: str, as_of: datetime) -> str:
    """Make it a dead letter, unless it was discarded meanwhile, or got newer content, which nobody refused.

    Returns its state then.
    """
    with transaction.atomic():
        keep(delivery.action)
        present = Delivery.objects.select_for_update().get(pk=delivery.pk)
        is_dead = present.state == DeliveryState.WAITING and bytes(present.outbound) == bytes(delivery.outbound)
        delivery.state = DeliveryState.DEAD.value if is_dead else present.state
        delivery.failures = delivery.failures if is_dead else 0  # newer content has not failed yet
        delivery.last_error = error
        delivery.save(update_fields=["state", "attempts", "failures", "last_error"])
        if is_dead:
            payload = {"key": delivery.key, "attempts": delivery.attempts, "error_sha256": ledger.sealed(error)}
            ledger.append(
                "delivery.refused", subject=delivery.action.code, actor=ledger.ENGINE, at=as_of, payload=payload
            )
    return delivery.state
