"""What was not delivered: waiting writes and dead letters, each with its reason; sending one again, or giving it up.

A letter is dead when a platform refused it for good, when nothing helped for ten times, or when a day did not show
whether it took effect. Whoever mended the cause, or looked on the platform, sends it again: it waits like a new one,
and its trace is searched for before anything is written, so a write that did take effect is only found. An update says
then what the action says now: a newer one may have been delivered since, and must not be undone. Whoever knows that a
letter will never be taken discards it; that can be taken back by sending it. So can be discarded what was tried in vain
and would be for ever: a text that a firewall never lets through passes for an outage, and holds back what follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
from django.db import transaction
from django.db.models import QuerySet

from connectors.doubt import SETTLED_S
from improvement.errors import GuardRefused, InputError, PermissionMissing
from improvement.records import Verb
from workflows.actions import loop
from workflows.actions.holding import kept
from workflows.deliveries.why_waiting import Waits
from workflows.evidence import ledger
from workflows.models import Delivery, DeliveryState, Person, Role

MOST_SHOWN_KEYS = 5
DEAD = (DeliveryState.DEAD,)
UNDELIVERED = (DeliveryState.DEAD, DeliveryState.WAITING)
OVER = (DeliveryState.DISCARDED, DeliveryState.WITHDRAWN)
GIVEN_UP = (DeliveryState.DEAD, DeliveryState.DISCARDED)


@dataclass(frozen=True, slots=True)
class Letter:
    """One write that is not on its platform yet."""

    key: str
    action: str
    connection: str
    verb: str
    state: str
    attempts: int
    queued_at: datetime
    reason: str

    def as_dict(self) -> dict[str, object]:
        """As one JSON-ready object."""
        return {
            "key": self.key, "action": self.action, "connection": self.connection, "verb": self.verb,
            "state": self.state, "attempts": self.attempts, "queued_at": self.queued_at.isoformat(),
            "reason": self.reason,
        }  # fmt: skip


def undelivered(*states: DeliveryState, connection: str = "") -> list[Letter]:
    """Every write in one of these states (default: what waits and what is dead), oldest first, each with its reason."""
    rows = Delivery.objects.filter(state__in=states or UNDELIVERED).select_related("action").defer("outbound")
    of_connection = rows.filter(connection=connection) if connection else rows
    waits = Waits.now()
    return [_letter(row, waits) for row in of_connection.order_by("id")]


def count_over(connection: str = "") -> int:
    """How many will never be sent: discarded, or withdrawn."""
    rows = Delivery.objects.filter(state__in=OVER)
    return (rows.filter(connection=connection) if connection else rows).count()


def replay(actor: Person, key: str, *, reason: str, at: datetime) -> Letter:
    """Let a dead letter, or a discarded one, wait again, as an administrator who says what was mended."""
    _must_be_said(actor, reason, "Sending a dead letter again takes a reason.", "Say what was mended: --reason TEXT.")
    with transaction.atomic():
        row = _found(key)
        if row.state not in GIVEN_UP:
            raise GuardRefused(f"{key} is not sent again", [_no_letter(row)])
        buried_after, row.attempts, row.failures = row.attempts, 0, 0
        if row.state == DeliveryState.DEAD or not _may_still_take_effect(row):
            row.begun_at = None  # in doubt no more: a person looked
        row.state = DeliveryState.WAITING.value
        if row.verb == Verb.UPDATE:
            row.outbound = msgspec.json.encode(loop.update_of(row.action, key))
        row.save(update_fields=["state", "attempts", "failures", "begun_at", "outbound"])
        if row.verb == Verb.CREATE:  # it is looked for as it was sent; what has changed since follows
            loop.queue_update(row.action, at)
        payload = {"key": key, "attempts": buried_after, "reason_sha256": ledger.sealed(reason.strip())}
        ledger.append("delivery.replayed", subject=row.action.code, actor=actor.uid, at=at, payload=payload)
    return _letter(row, Waits.now())


def discard(actor: Person, key: str, *, reason: str, at: datetime) -> list[Letter]:
    """Give up a dead letter, or what was tried and still waits, as an administrator who says why; with a creation goes
    what waits for it.
    """
    _must_be_said(actor, reason, "Discarding a dead letter takes a reason.", "Say why it is not needed: --reason TEXT.")
    with transaction.atomic():
        row = _found(key)
        if row.state != DeliveryState.DEAD and not (row.state == DeliveryState.WAITING and row.attempts):
            raise GuardRefused(f"{key} is not discarded", [_no_letter(row)])
        gone = [row]
        if row.verb == Verb.CREATE:
            others = _locked().filter(action=row.action, state__in=UNDELIVERED)
            gone += others.exclude(pk=row.pk).order_by("id")
        for one in gone:
            one.state = DeliveryState.DISCARDED.value
            one.save(update_fields=["state"])
            payload = {"key": one.key, "attempts": one.attempts, "reason_sha256": ledger.sealed(reason.strip())}
            ledger.append("delivery.discarded", subject=one.action.code, actor=actor.uid, at=at, payload=payload)
    waits = Waits.now()
    return [_letter(one, waits) for one in gone]


def _letter(row: Delivery, waits: Waits) -> Letter:
    return Letter(
        key=row.key,
        action=row.action.code,
        connection=row.connection,
        verb=row.verb,
        state=row.state,
        attempts=row.attempts,
        queued_at=row.queued_at,
        reason=waits.why(row),
    )


def _may_still_take_effect(row: Delivery) -> bool:
    """Whether it was sent so short a time ago, by the wall clock, that nobody can have seen what becomes of it."""
    since = datetime.now(UTC) - row.begun_at if row.begun_at is not None else timedelta.max
    return timedelta(0) <= since < timedelta(seconds=SETTLED_S)  # a clock that was ahead tells nothing


def _must_be_said(actor: Person, reason: str, missing: str, mend: str) -> None:
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend="Ask one to do it.")
    if not reason.strip():
        raise InputError(missing, mend=mend)


def _found(key: str) -> Delivery:
    """The delivery of this key, locked after its action (:mod:`workflows.actions.holding`)."""
    action = kept().filter(deliveries__key=key).select_for_update(no_key=True, of=("self",)).first()
    if action is None:
        raise InputError(f"There is no delivery “{key}”.", mend=_known())
    return _locked().get(key=key)


def _locked() -> QuerySet[Delivery]:
    return Delivery.objects.select_for_update(no_key=True, of=("self",)).select_related("action")


def _no_letter(row: Delivery) -> str:
    return f"it is no dead letter: it is {row.get_state_display()}"


def _known() -> str:
    keys = [letter.key for letter in undelivered(DeliveryState.DEAD)]
    if not keys:
        return "There is no dead letter."
    more = f" and {len(keys) - MOST_SHOWN_KEYS} more" if len(keys) > MOST_SHOWN_KEYS else ""
    return f"Dead letters: {', '.join(keys[:MOST_SHOWN_KEYS])}{more}."
