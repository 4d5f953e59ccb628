"""The audit of generated tasks: each change of their state, and of an incident's hold reason, as rows of ``sys_audit``.

A platform keeps millions of such rows; here what the world's events say is kept in a few bytes a ticket, and becomes
rows when a query names the tickets by ``documentkey``, as every query of so large a table should.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from connectors.sandbox.query import Query
from connectors.sandbox.servicenow.instance import Instance, sys_id_of
from connectors.sandbox.servicenow.moments import stored
from connectors.sandbox.servicenow.render_task import STATES, TABLE_OF_KIND, hold_reason
from connectors.sandbox.world import STATES as WORLD_STATES
from connectors.sandbox.world import TicketEvent

AUDIT = "sys_audit"
TABLES = tuple(TABLE_OF_KIND.values())
_CODE = {state: code for code, state in enumerate(WORLD_STATES)}


@dataclass(frozen=True, slots=True)
class _Change:
    field: str
    before: str
    after: str
    at: int
    by: str


class TaskAudit:
    """States of all tickets over time, packed: one element an event that moves the state."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._ids: list[str] = []  # by ticket, as they were born
        self._tables = bytearray()  # by ticket
        self._first = array("I")  # by ticket: its first element in the arrays below
        self._at = array("I")
        self._states = bytearray()
        self._who = array("H")
        self._names: dict[str, int] = {}
        self._place: dict[str, int] = {}  # ticket by id, of as many as were asked about so far

    def remember(self, table: str, sys_id: str, events: Sequence[TicketEvent], caller: str) -> None:
        """Keep what a ticket's events say of its state, also those that are still to come."""
        self._ids.append(sys_id)
        self._tables.append(TABLES.index(table))
        self._first.append(len(self._at))
        names, who = self._names, caller
        for event in events:
            changes = event.changes
            if "assignee" in changes:
                who = str(changes["assignee"] or caller)
            if "state" in changes:
                self._at.append(event.at)
                self._states.append(_CODE[str(changes["state"])])
                self._who.append(names.setdefault(who, len(names)))

    def write(self, query: Query) -> None:
        """Put the rows into ``sys_audit`` that a query asks for by ``documentkey``, as far as the clock has come."""
        for sys_id in _asked(query):
            self.write_of(sys_id)

    def write_of(self, sys_id: str) -> None:
        """Put the rows of one ticket there, as far as the clock has come."""
        now = int(self._instance.now.timestamp())
        place = self._find(sys_id)
        if place is None:
            return
        table, rows = TABLES[self._tables[place]], self._instance.tables[AUDIT].rows
        for number, change in enumerate(self._changes(place), start=1):
            id = sys_id_of(AUDIT, sys_id, str(number))
            if change.at > now:
                return
            if id in rows:
                continue
            values = {
                "tablename": table,
                "documentkey": sys_id,
                "fieldname": change.field,
                "oldvalue": change.before,
                "newvalue": change.after,
                "user": change.by,
                "record_checkpoint": str(number),
            }
            self._instance.insert(AUDIT, values, by=change.by, sys_id=id, at=stored(change.at))

    def _find(self, sys_id: str) -> int | None:
        for place in range(len(self._place), len(self._ids)):
            self._place[self._ids[place]] = place
        return self._place.get(sys_id)

    def _changes(self, place: int) -> Iterator[_Change]:
        """What differs from one state to the next; how a ticket began is no change."""
        table = TABLES[self._tables[place]]
        first = self._first[place]
        end = self._first[place + 1] if place + 1 < len(self._first) else len(self._at)
        names = list(self._names)
        before = ("", "")
        for element in range(first, end):
            state = WORLD_STATES[self._states[element]]
            after = (STATES[table][state], hold_reason(table, state))
            if element > first:
                for field, old, new in zip(("state", "hold_reason"), before, after, strict=True):
                    if old != new:
                        yield _Change(field, old, new, self._at[element], names[self._who[element]])
            before = after


def _asked(query: Query) -> Iterator[str]:
    """The records that a query's conditions name, where they are of tables that the world fills."""
    for group in query.groups:
        only = [alternatives[0] for alternatives in group if len(alternatives) == 1]
        tables = [one.value for one in only if (one.field, one.operator) == ("tablename", "=")]
        if tables and tables[0] not in TABLES:
            continue
        for one in only:
            if one.field == "documentkey" and one.operator in ("=", "IN"):
                yield from one.value.split(",")
