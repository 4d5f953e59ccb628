"""Canonical records in bulk, seeded: what a platform's history looks like once it is mapped. Arrow, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from improvement.records import SCHEMAS, RecordKind

START_US = 1_704_067_200_000_000  # 2024-01-01T00:00Z, a Monday
HOUR_US = 3_600_000_000
WEEKS = 130
CUSTOMERS, SERVICES, GROUPS, CATEGORIES = 40, 12, 30, 20
COUNTRIES = ("DE", "CH", "GB", "US", "JP")
ZONES = {
    "DE": "Europe/Berlin",
    "CH": "Europe/Zurich",
    "GB": "Europe/London",
    "US": "America/New_York",
    "JP": "Asia/Tokyo",
}
BATCH_ROWS = 50_000


def batches(tickets: int, *, seed: int = 7, connection: str = "bench") -> Iterator[tuple[RecordKind, pa.Table]]:
    """Tickets, two clocks each, surveys on every fifth, contacts; in the order and size a pull delivers them."""
    for kind in (RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY, RecordKind.CONTACT):
        for first in range(0, tickets, BATCH_ROWS):
            block = _Block(first, min(BATCH_ROWS, tickets - first), tickets, seed, connection)
            yield from ((kind, part) for part in block.of(kind))


class _Block:
    """Consecutive tickets, the same whenever they are asked for."""

    def __init__(self, first: int, size: int, total: int, seed: int, connection: str) -> None:
        self.rng = np.random.default_rng([seed, first])
        self.size, self.connection = size, connection
        self.number = np.arange(first, first + size)
        share = (self.number + self.rng.uniform(0, 1, size)) / total
        self.opened = START_US + (share * WEEKS * 168 * HOUR_US).astype(np.int64)
        self.hours = np.exp(self.rng.normal(2.3, 1.4, size))
        self.resolved = self.opened + (self.hours * HOUR_US).astype(np.int64)
        self.is_open = self.resolved > START_US + WEEKS * 168 * HOUR_US
        self.customer = self.rng.integers(0, CUSTOMERS, size)
        self.id = [f"{number:032x}" for number in self.number * 2_654_435_761 % (1 << 40)]

    def of(self, kind: RecordKind) -> list[pa.Table]:
        """The records of one kind that belong to these tickets."""
        return {
            RecordKind.TICKET: self._tickets,
            RecordKind.SLA: self._slas,
            RecordKind.SURVEY: self._surveys,
            RecordKind.CONTACT: self._contacts,
        }[kind]()

    def _tickets(self) -> list[pa.Table]:
        rng, size = self.rng, self.size
        kinds = rng.choice(np.array(["incident", "request", "change"]), size, p=[0.7, 0.22, 0.08])
        done = pa.array(self.resolved, mask=self.is_open)
        return [
            _table(
                RecordKind.TICKET,
                size,
                connection=[self.connection] * size,
                id=self.id,
                number=[f"INC{number:07d}" for number in self.number],
                kind=kinds,
                title=[f"Something with service {number % 97} does not work as it should" for number in self.number],
                state=np.where(self.is_open, "in_progress", "closed"),
                priority=rng.integers(1, 6, size),
                is_major=rng.random(size) < 0.004,
                customer=_names("Customer", self.customer),
                country=np.array(COUNTRIES)[self.customer % 5],
                service=_names("Service", rng.integers(0, SERVICES, size)),
                supplier=_names("Supplier", rng.integers(0, 6, size)),
                category=_names("Category", rng.integers(0, CATEGORIES, size)),
                assignment_group=_names("Group", rng.integers(0, GROUPS, size)),
                opened_at=self.opened,
                resolved_at=done,
                closed_at=done,
                created_at=self.opened,
                updated_at=np.where(self.is_open, self.opened, self.resolved),
                reopen_count=(rng.random(size) < 0.05).astype(np.int64),
                reassignment_count=rng.poisson(0.7, size),
                is_successful=pa.array(rng.random(size) < 0.9, mask=kinds != "change"),
            )
        ]

    def _slas(self) -> list[pa.Table]:
        parts = []
        for target, goal_h, speed in (("response", 1, 0.05), ("resolution", 24, 1.0)):
            elapsed = (self.hours * speed * 3600).astype(np.int64)
            end = self.opened + elapsed * 1_000_000
            is_open = end > START_US + WEEKS * 168 * HOUR_US
            parts.append(
                _table(
                    RecordKind.SLA,
                    self.size,
                    connection=[self.connection] * self.size,
                    id=[f"{target[3]}{ticket[1:]}" for ticket in self.id],
                    ticket_id=self.id,
                    sla_id=[target] * self.size,
                    sla_name=[f"Priority {target}"] * self.size,
                    target=[target] * self.size,
                    agreement=["sla"] * self.size,
                    stage=np.where(is_open, "in_progress", "completed"),
                    is_breached=elapsed > goal_h * 3600,
                    start_at=self.opened,
                    end_at=pa.array(end, mask=is_open),
                    breach_at=self.opened + goal_h * HOUR_US,
                    goal_s=np.full(self.size, goal_h * 3600),
                    elapsed_s=elapsed,
                    updated_at=end,
                )
            )
        return parts

    def _surveys(self) -> list[pa.Table]:
        chosen = np.arange(0, self.size, 5)
        sent = self.resolved[chosen]
        answered = pa.array(sent + 30 * HOUR_US, mask=self.rng.random(len(chosen)) < 0.6)
        scores = np.clip(np.round(self.rng.normal(4.1, 1.0, len(chosen))), 1, 5)
        return [
            _table(
                RecordKind.SURVEY,
                len(chosen),
                connection=[self.connection] * len(chosen),
                id=[f"s{self.id[index]}" for index in chosen],
                kind=["csat"] * len(chosen),
                ticket_id=[self.id[index] for index in chosen],
                sent_at=sent,
                answered_at=answered,
                score=pa.array(scores, mask=answered.is_null().to_numpy(zero_copy_only=False)),
                scale_min=np.ones(len(chosen)),
                scale_max=np.full(len(chosen), 5.0),
                updated_at=sent,
            )
        ]

    def _contacts(self) -> list[pa.Table]:
        chosen = np.arange(0, self.size, 500)
        return [
            _table(
                RecordKind.CONTACT,
                len(chosen),
                connection=[self.connection] * len(chosen),
                id=[f"c{self.id[index]}" for index in chosen],
                kind=["call"] * len(chosen),
                customer=_names("Customer", self.customer[chosen]),
                country=np.array(COUNTRIES)[self.customer[chosen] % 5],
                at=self.opened[chosen],
                updated_at=self.opened[chosen],
            )
        ]


def _names(what: str, numbers: np.ndarray) -> np.ndarray:
    return np.array([f"{what} {number:02d}" for number in range(64)])[numbers]


def _table(of: RecordKind, size: int, /, **columns: object) -> pa.Table:
    """Columns not given are null."""
    schema = SCHEMAS[of]
    arrays = []
    for item in schema:
        if item.name not in columns:
            arrays.append(pa.nulls(size, item.type))
            continue
        column = columns[item.name]
        array = column if isinstance(column, pa.Array) else pa.array(column)
        arrays.append(array.cast(item.type))
    return pa.Table.from_arrays(arrays, schema=schema)
