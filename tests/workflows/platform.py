"""A platform in memory that keeps the Connector protocol: for stories about the loop, not about HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec
import numpy as np
import pyarrow as pa

from connectors.base import Capabilities, Cursor, Page, SaysNothingOfDepartures
from improvement.errors import ConnectionFailed
from improvement.records import (
    SCHEMAS,
    Outbound,
    PlatformApproval,
    PlatformState,
    PreviewRequest,
    Receipt,
    RecordKind,
    RecordRef,
    Verb,
)

START = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday


@dataclass
class MemoryPlatform(SaysNothingOfDepartures):
    """Weekly tickets with one resolution clock each; ``breach`` gives a scope's share of breaches by week."""

    name: str = "snow"
    platform: str = "servicenow"
    weeks: int = 130
    per_week: int = 60
    scopes: dict[str, dict[int, float]] = field(default_factory=dict)  # service → week → breach share from then on
    effects: dict[str, Outbound] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    state: dict[str, str] = field(default_factory=dict)
    approvals: dict[str, list[PlatformApproval]] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    fails_after_write: bool = False
    unreadable: set[RecordKind] = field(default_factory=set)

    def __post_init__(self) -> None:
        courses = tuple((service, tuple(sorted(course.items()))) for service, course in self.scopes.items())
        self._tables = _generated(self.name, self.weeks, self.per_week, courses)

    def __deepcopy__(self, memo: object) -> MemoryPlatform:
        """The same platform for another story: the records are shared, what was written to it is not."""
        again = copy(self)
        for name in ("effects", "requests", "state", "approvals", "owner", "unreadable"):
            setattr(again, name, copy(getattr(self, name)))
        return again

    def kinds(self) -> Sequence[RecordKind]:
        return (RecordKind.TICKET, RecordKind.SLA, RecordKind.OUTAGE)

    def describe(self) -> Capabilities:
        return Capabilities(
            platform=self.platform, flavour="servicenow", version="memory", user="regelkreis", time_zone="UTC",
            mode="cim", modes={"cim": "available"}, columns={}, unresolved={},
        )  # fmt: skip

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        if kind in self.unreadable:
            raise ConnectionFailed(
                f"{self.name} refuses to show {kind.value} records.", mend="Grant the right to read."
            )
        if kind is RecordKind.OUTAGE:
            return
        table = self._tables[kind]
        updated = table["updated_at"].to_numpy(zero_copy_only=False)
        low = np.datetime64((cursor.updated_at if cursor else START - timedelta(days=1)).replace(tzinfo=None))
        keep = (updated >= low) & (updated <= np.datetime64(until.replace(tzinfo=None)))
        batch = table.filter(pa.array(keep))
        if batch.num_rows:
            yield Page(kind=kind, batch=batch, cursor=Cursor(updated_at=until), requests=1)

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        return None

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        was_found = outbound.key in self.effects
        if not was_found:
            self.requests.append(outbound.key)
            self.effects[outbound.key] = outbound
            if outbound.verb is Verb.CREATE:
                self.state[outbound.action_id] = "new"
            if self.fails_after_write:
                self.fails_after_write = False
                raise ConnectionFailed("The connection was reset.", mend="It is tried again.")
        return Receipt(
            ref=self._ref(outbound.action_id),
            status=0 if was_found else 201,
            was_found=was_found,
            request_sha256="0" * 64,
        )

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        return [PreviewRequest(method="POST", url="memory:", body=msgspec.json.encode(outbound).decode())]

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        found = []
        for ref in refs:
            code = ref.id.removeprefix("id-")
            found.append(
                PlatformState(
                    ref=ref,
                    state=self.state[code],
                    state_changed_by=self.owner.get(code),
                    state_changed_at=None,
                    close_code=None,
                    owner=self.owner.get(code),
                    due=None,
                    approvals=tuple(self.approvals.get(code, ())),
                )
            )
        return found

    def close(self) -> None:
        self.requests.append("closed")

    def _ref(self, code: str) -> RecordRef:
        return RecordRef(
            connection=self.name, mode="cim", id=f"id-{code}", number=f"CIM-{code}", url=f"https://x/{code}"
        )


@cache
def _generated(
    connection: str, weeks: int, per_week: int, courses: tuple[tuple[str, tuple[tuple[int, float], ...]], ...]
) -> dict[RecordKind, pa.Table]:
    """The same courses make the same tables, so stories about the same world share them."""
    rng = np.random.default_rng(5)
    tickets, slas = [], []
    for service, course in courses:
        for week in range(weeks):
            share = [value for start, value in course if start <= week][-1]
            for number in range(int(rng.poisson(per_week))):
                opened = START + timedelta(weeks=week, hours=float(rng.uniform(0, 110)))
                is_breached = bool(rng.random() < share)
                resolved = opened + timedelta(hours=30 if is_breached else 8)
                key = f"{service}-{week}-{number}"
                tickets.append(_ticket(connection, key, service, opened, resolved, int(rng.integers(2, 5))))
                slas.append(_sla(connection, key, opened, resolved, is_breached))
    return {
        RecordKind.TICKET: pa.Table.from_pylist(tickets, schema=SCHEMAS[RecordKind.TICKET]),
        RecordKind.SLA: pa.Table.from_pylist(slas, schema=SCHEMAS[RecordKind.SLA]),
    }


def _ticket(
    connection: str, key: str, service: str, opened: datetime, resolved: datetime, priority: int
) -> dict[str, object]:
    return {
        "connection": connection, "id": key, "number": key, "kind": "incident", "title": "t", "state": "closed",
        "priority": priority, "is_major": False, "customer": "Acme", "country": "CH", "service": service,
        "supplier": None, "category": "c", "assignment_group": "g", "opened_at": opened, "resolved_at": resolved,
        "closed_at": resolved, "created_at": opened, "updated_at": resolved, "reopen_count": 0,
        "reassignment_count": 0, "risk": None, "is_successful": None,
    }  # fmt: skip


def _sla(connection: str, key: str, opened: datetime, resolved: datetime, is_breached: bool) -> dict[str, object]:
    return {
        "connection": connection, "id": f"sla-{key}", "ticket_id": key, "sla_id": "resolution", "sla_name": "R",
        "target": "resolution", "agreement": "sla", "supplier": None, "stage": "completed", "is_breached": is_breached,
        "start_at": opened, "end_at": resolved, "breach_at": opened + timedelta(hours=10), "goal_s": 36000,
        "elapsed_s": int((resolved - opened).total_seconds()), "updated_at": resolved,
    }  # fmt: skip
