"""What the history of an issue tells: how often it was reopened and reassigned, and when it was closed.

Jira keeps no counters. Cloud lists the newest change first, Data Center the oldest: we order by the entries' ids. Which
field was changed Cloud tells by its id, Data Center by its name alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from connectors.jira.wire import E, HistoryEntry, HistoryItem, RawEntry

ENDED = frozenset({"resolved", "closed", "cancelled"})
FINAL = frozenset({"closed", "cancelled"})
MOST_KEPT = 10_000  # changes whose meaning is remembered
_IN_HISTORIES = {"components": "Component", "fixVersions": "Fix Version", "versions": "Version"}  # as Data Center says
LONGEST_KEPT = 1_000  # bytes: what is longer quotes somebody's text, and does not come again


@dataclass(slots=True)
class Story:
    """Counts from one issue's history; ``closed`` is the time text of the last step into a final status."""

    reopened: int = 0
    reassigned: int = 0
    closed: str | None = None


UNTOLD = Story()  # of an issue without history; never changed


class _Meaning(NamedTuple):
    """What one entry changes; ``is_closed`` None leaves it as it was."""

    reopened: int
    reassigned: int
    is_closed: bool | None


_NOTHING = _Meaning(0, 0, None)


@dataclass(frozen=True, slots=True)
class Watched:
    """A field whose changes are counted: its id, and every name it may have in a history without ids."""

    id: str
    names: frozenset[str]

    @classmethod
    def of(cls, id: str, *names: str) -> Watched:
        """The field of this id; of one of Jira's own, also by the name it has in histories alone."""
        return cls(id, frozenset(name.casefold() for name in (id, *names, _IN_HISTORIES.get(id, id))))

    def is_changed_by(self, item: HistoryItem) -> bool:
        """Whether an entry is about this field."""
        if item.field_id:
            return item.field_id == self.id
        is_custom = self.id.startswith("customfield_")
        return (item.fieldtype == "custom") == is_custom and item.field.casefold() in self.names


ASSIGNEE = Watched.of("assignee")


class Histories:
    """Reads histories.

    The same few changes come in most issues, so what one means is remembered by its bytes: looking it up takes a
    fraction of the time of decoding it.

    Parameters
    ----------
    states
        Status id → canonical state.
    group
        The field that holds the assignment group; None: changes of the assignee are counted instead.
    """

    def __init__(self, states: Mapping[str, str], group: Watched | None) -> None:
        self._states = states
        self._watched = group or ASSIGNEE
        self._known: dict[bytes, _Meaning] = {}

    def story(self, entries: Sequence[RawEntry]) -> Story:
        """Read a history, whose entries may be in either order.

        Raises :class:`msgspec.ValidationError` where an entry does not have the expected shape.
        """
        told = Story()
        for entry in oldest_first(entries):
            found = self._known_meaning(entry.items)
            if found is not _NOTHING:
                told.reopened += found.reopened
                told.reassigned += found.reassigned
                if found.is_closed is not None:
                    told.closed = entry.created if found.is_closed else None
        return told

    def _known_meaning(self, raw: msgspec.Raw) -> _Meaning:
        items = bytes(raw)
        found = self._known.get(items)
        if found is None:
            found = self._meaning(msgspec.json.decode(items, type=list[HistoryItem]))
            if len(items) <= LONGEST_KEPT:
                if len(self._known) >= MOST_KEPT:
                    self._known.clear()
                self._known[items] = found
        return found

    def _meaning(self, items: Sequence[HistoryItem]) -> _Meaning:
        reopened = reassigned = 0
        is_closed: bool | None = None
        for item in items:
            if (item.field_id or item.field) == "status":
                before = self._states.get(item.from_ or "", "")
                now = self._states.get(item.to or "", "")
                if before in ENDED and now not in ENDED:
                    reopened += 1
                if now in FINAL:
                    is_closed = True
                elif now not in ENDED:
                    is_closed = False
            elif (item.from_ or item.from_string) and (item.to or item.to_string):
                reassigned += self._watched.is_changed_by(item)
        found = _Meaning(reopened, reassigned, is_closed)
        return _NOTHING if found == _NOTHING else found


def oldest_first(entries: Sequence[E]) -> Sequence[E]:
    """The same entries in the order they happened."""
    if len(entries) < 2 or _order(entries[0]) <= _order(entries[-1]):
        return entries
    return entries[::-1]


def _order(entry: HistoryEntry | RawEntry) -> tuple[int, str]:
    return (len(entry.id), entry.id)
