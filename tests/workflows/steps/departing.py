"""What stories of departures share: a platform that says what it is told to, and a warehouse that holds its tickets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa

from connectors.base import BreachCount, DeleteLog, Keys, Page, SaysNothingOfDepartures
from improvement.errors import ConnectionFailed
from improvement.records import RecordKind
from tests.improvement.metrics.build import CONNECTION, ZONES, a_clock, a_survey, a_ticket, a_warehouse, arrow, at
from workflows.steps.departures import Departed, Departures, Looked, Schedule
from workflows.warehouse import Warehouse

TICKET, SLA = RecordKind.TICKET, RecordKind.SLA
MONDAY = at("2026-04-06T12:00")
WEEK = timedelta(weeks=1)
RECORDS = 200


@dataclass
class Platform(SaysNothingOfDepartures):
    """Says whatever a story lets it say, and notes what it was asked."""

    name: str = CONNECTION
    there: set[str] = field(default_factory=lambda: {f"t{number}" for number in range(RECORDS)})
    hidden: set[str] = field(default_factory=set)
    log: DeleteLog | None = None
    listed: Keys | None = None
    breached: int | None = 0
    parts: tuple[RecordKind, ...] = ()
    breaks: bool = False
    asked: list[str] = field(default_factory=list)

    def inside_tickets(self) -> Sequence[RecordKind]:
        return self.parts

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        self.asked.append("count")
        return len(self.there)

    def deleted(self, kind: RecordKind, *, since: datetime, until: datetime) -> DeleteLog | None:
        self.asked.append("log")
        return self.log

    def keys(self, kind: RecordKind) -> Keys | None:
        self.asked.append("keys")
        if self.breaks:
            raise ConnectionFailed("The connection broke in the middle.", mend="Try again.")
        if self.listed is not None:
            return self.listed
        shown = sorted(self.there - self.hidden)
        return Keys(ids=pa.array(shown, pa.string()), counted=len(self.there))

    def gone(self, kind: RecordKind, ids: Sequence[str]) -> list[str]:
        self.asked.append(f"gone {len(ids)}")
        return [id for id in ids if id not in self.there]

    def breaches(self, *, since: datetime, until: datetime) -> BreachCount | None:
        self.asked.append("breaches")
        return None if self.breached is None else BreachCount(count=self.breached, of="rows")


@dataclass
class Story:
    """A warehouse with tickets, a platform, and what was looked at so far."""

    platform: Platform
    warehouse: Warehouse
    looked: Looked = field(default_factory=Looked)
    read_again: list[datetime] = field(default_factory=list)
    read: list[str] = field(default_factory=list)  # by their ids
    now: datetime = MONDAY

    def look(self, kind: RecordKind = TICKET, *, is_new: bool = False, **options: bool) -> Departed:
        self.platform.asked.clear()
        departures = Departures(self.platform, self.warehouse, self.now, Schedule(), **options)  # type: ignore[arg-type]
        found = departures.look(
            kind, self.looked, is_new=is_new, read_again=self.read_again.append, read_by_ids=self.read_by_ids
        )
        self.now += WEEK
        return found

    def read_by_ids(self, ids: Sequence[str]) -> int:
        """Load what the platform would deliver: some of it cannot be read."""
        self.read += ids
        shown = [a_ticket(id, title="Read by its id") for id in ids if not id.startswith("odd")]
        self.warehouse.load(TICKET, arrow(TICKET, shown), seen_at=self.now, zones=ZONES)
        return len(ids) - len(shown)

    @property
    def live(self) -> int:
        return self.warehouse.count(TICKET, CONNECTION)


class Reader(Platform):
    """One that can also read records by their ids."""

    def read_by_ids(self, kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        raise AssertionError("the step reads through its own way")


@contextmanager
def a_story(folder: Path) -> Iterator[Story]:
    """The first pull is done: everything was read."""
    tickets = [a_ticket(f"t{number}") for number in range(RECORDS)]
    with a_warehouse(folder, *tickets, a_clock(), a_survey()) as warehouse:
        told = Story(Platform(), warehouse)
        told.look(is_new=True)
        yield told
