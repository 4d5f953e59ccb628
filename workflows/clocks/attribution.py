"""Attribution is policy: its order, and what counts as waiting for the customer.

An administrator changes it, each version is an entry in the ledger, and none is ever changed for the past.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from improvement.errors import InputError, PermissionMissing, Place
from improvement.evidence.entries import EntryType
from improvement.minutes import Order, order_of
from workflows.evidence import ledger
from workflows.models import LedgerEntry, Person, Role
from workflows.rules import sources

ORDERED: EntryType = "minutes.ordered"
WAITING: EntryType = "minutes.waiting"
SUBJECT = "minutes"
LONGEST_NAME = 100  # characters; no platform calls a status or a reason by more


def orders() -> list[tuple[datetime, Order]]:
    """Every version with the moment it came into force, oldest first; without any, the first one holds."""
    rows = LedgerEntry.objects.filter(type=ORDERED).order_by("index").values_list("data", flat=True)
    found = []
    for data in rows:
        entry = json.loads(bytes(data))
        payload = entry["payload"]
        found.append(
            (datetime.fromisoformat(entry["at"]), Order(order_of(",".join(payload["order"])), payload["version"]))
        )
    return found


def order_in_force(as_of: datetime) -> Order:
    """The version that holds at a moment."""
    return next((order for at, order in reversed(orders()) if at <= as_of), Order())


def change_order(actor: Person, text: str, *, at: datetime) -> Order:
    """Put another order in force from ``at`` on. Figures of moments before keep the order they were told in.

    ``at`` is no later than now: until it came, nobody could put another order in force.
    """
    _must_be_admin(actor)
    _must_have_come(at)
    parties = order_of(text)
    with transaction.atomic():
        known = orders()
        present = known[-1][1] if known else Order()
        begins = _in_force_since([moment for moment, _ in known])
        if parties == present.parties and (not known or begins == known[-1][0]):
            raise InputError("This order is in force already.", mend="Nothing was changed.")
        if begins is not None and at < begins:
            raise InputError(
                f"The order in force is from {begins:%Y-%m-%d %H:%M}Z, which is later.",
                mend="An order is never changed for the past.",
            )
        order = Order(parties, present.version + 1)
        ledger.append(
            ORDERED,
            subject=SUBJECT,
            actor=actor.uid,
            at=at,
            payload={"version": order.version, "order": [party.value for party in order.parties]},
        )
    return order


@dataclass(frozen=True, slots=True)
class CustomerWaits:
    """What one platform calls waiting for the customer: names of statuses, or reasons of being on hold."""

    names: tuple[str, ...]
    version: int

    def holds(self, why: str) -> bool | None:
        """Whether a name means the customer, whatever its capitals and blanks; None: on hold, and nobody said why."""
        if self.names and not why.strip():
            return None
        return why.strip().casefold() in {name.strip().casefold() for name in self.names}


def customer_waits(connection: str) -> list[tuple[datetime, CustomerWaits]]:
    """Every version for a connection with the moment it came into force, oldest first."""
    rows = LedgerEntry.objects.filter(type=WAITING, subject=connection).order_by("index")
    entries = [json.loads(bytes(data)) for data in rows.values_list("data", flat=True)]
    return [
        (datetime.fromisoformat(one["at"]), CustomerWaits(tuple(one["payload"]["names"]), one["payload"]["version"]))
        for one in entries
    ]


def customer_waits_in_force(connection: str, as_of: datetime) -> CustomerWaits | None:
    """The version that holds at a moment; None: nobody has said yet what waiting for the customer is called there."""
    return next((one for at, one in reversed(customer_waits(connection)) if at <= as_of), None)


def name_customer_waits(actor: Person, connection: str, names: Sequence[str], *, at: datetime) -> CustomerWaits:
    """Say which statuses or reasons of a platform mean waiting for the customer, from ``at`` on."""
    _must_be_admin(actor)
    _must_have_come(at)
    (connection,) = sources.connection_names(connection)
    for name in names:
        _must_be_a_name(name)
    with transaction.atomic():
        known = customer_waits(connection)
        begins = _in_force_since([moment for moment, _ in known])
        if begins is not None and at < begins:
            raise InputError(
                f"What is in force is from {begins:%Y-%m-%d %H:%M}Z, which is later.",
                mend="It is never changed for the past.",
            )
        made = CustomerWaits(tuple(dict.fromkeys(names)), len(known) + 1)
        ledger.append(
            WAITING,
            subject=connection,
            actor=actor.uid,
            at=at,
            payload={"version": made.version, "names": list(made.names)},
        )
    return made


def _must_have_come(at: datetime) -> None:
    if at > datetime.now(UTC):
        raise InputError(
            f"{at:%Y-%m-%d %H:%M}Z is later than now.",
            where=Place(field="--as-of"),
            mend="Leave it out, or name a moment that has come: what is in force is not dated ahead.",
        )


def _in_force_since(begun: Sequence[datetime]) -> datetime | None:
    """When the newest version that has come began: one dated ahead may still be replaced."""
    now = datetime.now(UTC)
    return next((at for at in reversed(begun) if at <= now), None)


def _must_be_a_name(text: str) -> None:
    where = Place(field="NAMES")
    if not text.strip():
        raise InputError("A name is empty.", where=where, mend="Name a status, or say --none.")
    if len(text) > LONGEST_NAME:
        mend = "Name each status by itself."
        raise InputError(f"A name has {len(text)} characters, more than {LONGEST_NAME}.", where=where, mend=mend)
    if any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text):
        raise InputError("A name holds a control character.", where=where, mend="Type it anew.")


def _must_be_admin(actor: Person) -> None:
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend="Ask one to change the policy.")
