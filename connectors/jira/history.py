"""What the history of an issue tells: how often it was reopened and reassigned, and when it was closed.

Jira keeps no counters. Cloud lists the newest change first, Data Center the oldest: we order by the entries' ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.jira.wire import HistoryEntry

ENDED = frozenset({"resolved", "closed", "cancelled"})
FINAL = frozenset({"closed", "cancelled"})


@dataclass(slots=True)
class Story:
    """Counts from one issue's history; ``closed`` is the time text of the last step into a final status."""

    reopened: int = 0
    reassigned: int = 0
    closed: str | None = None


UNTOLD = Story()  # of an issue without history; never changed


def story(entries: Sequence[HistoryEntry], states: Mapping[str, str], group_field: str | None) -> Story:
    """Read a history.

    Parameters
    ----------
    entries
        The changes, in either order.
    states
        Status id → canonical state.
    group_field
        Id of the field that holds the assignment group; None: changes of the assignee are counted instead.
    """
    told = Story()
    watched = group_field or "assignee"
    for entry in oldest_first(entries):
        for item in entry.items:
            field = item.field_id or item.field
            if field == "status":
                before = states.get(item.from_ or "", "")
                now = states.get(item.to or "", "")
                if before in ENDED and now not in ENDED:
                    told.reopened += 1
                if now in FINAL:
                    told.closed = entry.created
                elif now not in ENDED:
                    told.closed = None
            elif field == watched and (item.from_ or item.from_string) and (item.to or item.to_string):
                told.reassigned += 1
    return told


def oldest_first(entries: Sequence[HistoryEntry]) -> Sequence[HistoryEntry]:
    """The same entries in the order they happened."""
    if len(entries) < 2 or _order(entries[0]) <= _order(entries[-1]):
        return entries
    return entries[::-1]


def _order(entry: HistoryEntry) -> tuple[int, str]:
    return (len(entry.id), entry.id)
