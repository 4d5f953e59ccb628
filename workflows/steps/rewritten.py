"""Clocks that a platform recalculated without touching their tickets: no pull reads them, as nothing was updated.

Once a week two cheap questions are asked. The platform's count of breached clocks is held against ours; and a few
clocks that stopped are read by their ids, because under another goal a clock may be as much or as little breached, only
with other numbers. Where either tells a difference, all clocks of the last weeks are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from connectors.base import Connector, ReadsByIds
from improvement.plurals import how_many
from improvement.records import RecordKind
from workflows.steps.lacking import ReadByIds
from workflows.warehouse import Warehouse

SAMPLE = 100  # clocks or tickets, one request: finds what happened to 3 % of them in 19 weeks of 20

ReadAgain = Callable[[datetime], None]  # read the SLA records updated since then, whatever the cursor says


@dataclass(frozen=True, slots=True)
class Told:
    """The difference between the platform's breaches and ours that is known from now on, and what to tell."""

    breach_gap: int | None
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Clocks:
    """How to get at the clocks of one connection."""

    connector: Connector
    warehouse: Warehouse
    as_of: datetime
    weeks: int  # how far back
    read_again: ReadAgain
    read_by_ids: ReadByIds

    def look(self, breach_gap: int | None, *, is_forced: bool) -> Told:
        """Read all clocks again where the platform tells that some are other than ours; ``is_forced``: in any case."""
        gap = self._breach_gap()
        if is_forced or gap is None or gap not in (0, breach_gap):
            return self._all_again()
        if not self._is_sample_other():
            return Told(breach_gap)
        told = (
            "Clocks that had stopped were recalculated on the platform, without a trace: those of the last "
            f"{how_many(self.weeks, 'week')} were read again. Values of the past may be restated."
        )
        return Told(self._all_again().breach_gap, [told])

    # --- inside -----------------------------------------------------------------------------------------------

    @property
    def _since(self) -> datetime:
        return (self.as_of - timedelta(weeks=self.weeks)).replace(minute=0, second=0, microsecond=0)

    def _all_again(self) -> Told:
        self.read_again(self._since)
        return Told(self._breach_gap())

    def _breach_gap(self) -> int | None:
        theirs = self.connector.breaches(since=self._since, until=self.as_of)
        if theirs is None:
            return None
        stones = self.warehouse.tombstones
        return theirs.count - stones.breached(self.connector.name, theirs.of, since=self._since, until=self.as_of)

    def _is_sample_other(self) -> bool:
        """Whether a few clocks that stand still are read otherwise than before; each week others are asked for."""
        if not isinstance(self.connector, ReadsByIds):
            return False
        name, stones = self.connector.name, self.warehouse.tombstones
        by: Literal["id", "ticket_id"] = "ticket_id" if RecordKind.SLA in self.connector.inside_tickets() else "id"
        some = stones.stopped(name, by, since=self._since, until=self.as_of, most=SAMPLE)
        if not some:
            return False
        before = stones.as_stopped(name, by, some, until=self.as_of)
        self.read_by_ids(some)
        # What still runs beside them in their tickets has another time whenever it is read.
        return not before <= stones.as_stopped(name, by, some, until=self.as_of)
