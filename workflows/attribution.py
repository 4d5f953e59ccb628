"""The order of attribution: a policy that an administrator changes, each version an entry in the ledger."""

from __future__ import annotations

import json
from datetime import datetime

from django.db import transaction

from improvement.errors import InputError, PermissionMissing
from improvement.evidence.entries import EntryType
from improvement.minutes import Order, order_of
from workflows import ledger
from workflows.models import LedgerEntry, Person, Role

ORDERED: EntryType = "minutes.ordered"
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
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend="Ask one to change the order.")
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
