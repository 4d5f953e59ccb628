"""Tickets that read otherwise than before although nobody touched them: a customer, service or group got another name.

A platform shows the name that a reference has today, and updates no ticket for it. So tickets that change later move
to the new name, the others stay behind, and a scope falls in two. Once a week a few old tickets are read by their ids;
where values that metrics read differ, that is told with what reads all of them anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.base import Connector, ReadsByIds
from improvement.metrics.catalogue import NONE
from improvement.records import RecordKind
from workflows.steps.lacking import ReadByIds
from workflows.warehouse import Warehouse

SAMPLE = 100  # tickets: one request
TOLD = 3  # differences that are named
LONGEST = 40  # characters of a name


@dataclass(frozen=True, slots=True)
class Renamed:
    """How to get at the old tickets of one connection."""

    connector: Connector
    warehouse: Warehouse
    as_of: datetime
    read_by_ids: ReadByIds

    def look(self) -> list[str]:
        """What to tell: nothing where they read as before."""
        if not isinstance(self.connector, ReadsByIds):
            return []
        name = self.connector.name
        some = self.warehouse.tombstones.unseen(name, until=self.as_of, most=SAMPLE)
        if not some:
            return []
        self.read_by_ids(some)
        found = self._differences(some)
        if not found:
            return []
        since = self.warehouse.oldest_update(name)
        return [
            f"{len({key for key, *_ in found}):,} of {len(some):,} tickets that nobody touched read otherwise than "
            f"before: {_named(found)}. What is not updated keeps its old value, so a scope may fall in two; "
            f"`regelkreis pull {name} --since {since:%Y-%m-%d}` reads all of them anew."
        ]

    def _differences(self, ids: Sequence[str]) -> list[tuple[str, str, str, str]]:
        """Key, field, old and new of what was just found to be other."""
        changes = self.warehouse.changes(self.connector.name, since=self.as_of).to_pylist()
        asked, kind = frozenset(ids), RecordKind.TICKET.value
        mine = (one for one in changes if one["kind"] == kind and one["key"] in asked)
        return [(one["key"], one["field"], one["old"] or NONE, one["new"] or NONE) for one in mine]


def _named(found: Sequence[tuple[str, str, str, str]]) -> str:
    """The most frequent differences: “customer “Acme” is now “Acme Ltd””."""
    counts: dict[tuple[str, str, str], int] = {}
    for _, *difference in found:
        field, old, new = difference
        counts[field, old, new] = counts.get((field, old, new), 0) + 1
    order = sorted(counts, key=lambda one: (-counts[one], one))
    told = [f"{field} “{_short(old)}” is now “{_short(new)}”" for field, old, new in order[:TOLD]]
    return ", ".join([*told, *([f"and {len(order) - TOLD:,} more"] if len(order) > TOLD else [])])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
