"""Builders of canonical records, and a warehouse in a temporary file that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from improvement.metrics import CellQuery, where_from
from improvement.records import SCHEMAS, STRUCTS, Contact, Outage, RecordKind, SlaRecord, Survey, Ticket
from workflows.warehouse import Warehouse, Zones

CONNECTION = "snow"
ZONES = Zones({"CH": "Europe/Zurich", "US": "Pacific/Honolulu", "MX": "America/Mexico_City", "NZ": "Pacific/Auckland"})
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    """A UTC instant: ``2026-03-02`` or ``2026-03-02T06:30``."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def a_ticket(ticket_id: str = "t1", **fields: Any) -> Ticket:
    """An incident of Acme in CH, opened 2026-03-02."""
    known: dict[str, Any] = {
        "connection": CONNECTION,
        "id": ticket_id,
        "number": f"INC-{ticket_id}",
        "kind": "incident",
        "title": "Mail is slow",
        "state": "in_progress",
        "priority": 3,
        "is_major": False,
        "customer": "Acme",
        "country": "CH",
        "service": "Mail",
        "opened_at": at("2026-03-02"),
        "reopen_count": 0,
        "reassignment_count": 0,
    }
    return _record(Ticket, {**known, **fields})


def a_clock(clock_id: str = "k1", **fields: Any) -> SlaRecord:
    """A kept resolution clock on ticket t1, from 2026-03-02 08:00 to 10:00, goal 4 h."""
    known: dict[str, Any] = {
        "connection": CONNECTION,
        "id": clock_id,
        "ticket_id": "t1",
        "sla_id": "gold",
        "target": "resolution",
        "agreement": "sla",
        "stage": "completed",
        "is_breached": False,
        "start_at": at("2026-03-02T08:00"),
        "end_at": at("2026-03-02T10:00"),
        "breach_at": at("2026-03-02T12:00"),
        "goal_s": 14_400,
        "elapsed_s": 7_200,
    }
    return _record(SlaRecord, {**known, **fields})


def a_survey(survey_id: str = "s1", **fields: Any) -> Survey:
    """An answered satisfaction survey on ticket t1: 4 of 5, on 2026-03-04."""
    known: dict[str, Any] = {
        "connection": CONNECTION,
        "id": survey_id,
        "kind": "csat",
        "ticket_id": "t1",
        "sent_at": at("2026-03-03"),
        "answered_at": at("2026-03-04"),
        "score": 4.0,
        "scale_min": 1.0,
        "scale_max": 5.0,
    }
    return _record(Survey, {**known, **fields})


def a_contact(contact_id: str = "c1", **fields: Any) -> Contact:
    """A call with Acme on 2026-03-03."""
    known: dict[str, Any] = {
        "connection": CONNECTION,
        "id": contact_id,
        "kind": "call",
        "customer": "Acme",
        "country": "CH",
        "at": at("2026-03-03"),
    }
    return _record(Contact, {**known, **fields})


def an_outage(outage_id: str = "o1", **fields: Any) -> Outage:
    """An outage of Acme's Mail in CH on 2026-03-03, 10:00 to 12:00."""
    known: dict[str, Any] = {
        "connection": CONNECTION,
        "id": outage_id,
        "kind": "outage",
        "service": "Mail",
        "customer": "Acme",
        "country": "CH",
        "begin_at": at("2026-03-03T10:00"),
        "end_at": at("2026-03-03T12:00"),
    }
    return _record(Outage, {**known, **fields})


def arrow(kind: RecordKind, records: Iterable[msgspec.Struct]) -> pa.Table:
    """Records as the batch a connector would deliver."""
    return pa.Table.from_pylist([msgspec.structs.asdict(record) for record in records], schema=SCHEMAS[kind])


def load(warehouse: Warehouse, *records: msgspec.Struct, seen_at: datetime = LATER, zones: Zones = ZONES) -> Any:
    """Load records of one or several kinds; the report of the last kind on :data:`CONNECTION`."""
    report = None
    for kind, struct in STRUCTS.items():
        mine = [record for record in records if isinstance(record, struct)]
        if mine:
            reports = warehouse.load_together(kind, arrow(kind, mine), seen_at=seen_at, zones=zones)
            report = reports.get(CONNECTION)
    return report


@contextmanager
def a_warehouse(folder: Path, *records: msgspec.Struct, zones: Zones = ZONES) -> Iterator[Warehouse]:
    """An open warehouse that holds these records."""
    with Warehouse.open(folder / "warehouse.duckdb", wait_s=1) as warehouse:
        load(warehouse, *records, zones=zones)
        yield warehouse


def a_query(metric: str, by: tuple[str, ...] = ("customer",), tau_h: float | None = None, **where: Any) -> CellQuery:
    """A query on the connection; ``sla_target`` stands for ``sla.target``."""
    conditions = {key.replace("sla_", "sla.").replace("survey_", "survey."): value for key, value in where.items()}
    return CellQuery(metric, CONNECTION, where=where_from(conditions), by=by, tau_h=tau_h)


def _record(struct: type[Any], fields: dict[str, Any]) -> Any:
    return struct(**{name: fields.get(name) for name in struct.__struct_fields__})
