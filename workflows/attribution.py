"""Attribution is policy: its order, and what counts as waiting for the customer.

An administrator changes it, each version is an entry in the ledger, and none is ever changed for the past.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from improvement.errors import InputError, PermissionMissing
from improvement.evidence.entries import EntryType
from improvement.minutes import Order, order_of
from workflows import ledger, rule_sources
from workflows.models import LedgerEntry, Person, Role

ORDERED: EntryType = "minutes.ordered"
WAITING: EntryType = "minutes.waiting"
SUBJECT = "minutes"


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
    """Put another order in force from ``at`` on. Figures of moments before keep the order they were told in."""
    _must_be_admin(actor)
    parties = order_of(text)
    with transaction.atomic():
        known = orders()
        present = known[-1][1] if known else Order()
        if parties == present.parties:
            raise InputError("This order is in force already.", mend="Nothing was changed.")
        if known and at < known[-1][0]:
            raise InputError(
                f"The order in force is from {known[-1][0]:%Y-%m-%d %H:%M}Z, which is later.",
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

    def holds(self, why: str) -> bool:
        """Whether a name means the customer; capitals and blanks around it do not count."""
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
    (connection,) = rule_sources.connection_names(connection)
    with transaction.atomic():
        known = customer_waits(connection)
        if known and at < known[-1][0]:
            raise InputError(
                f"What is in force is from {known[-1][0]:%Y-%m-%d %H:%M}Z, which is later.",
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


def _must_be_admin(actor: Person) -> None:
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend="Ask one to change the policy.")
