"""Recording delay and τ come from the scope's own reference."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from improvement.metrics import metric_named
from improvement.records import SCHEMAS, RecordKind
from workflows.checks import settling
from workflows.warehouse import Warehouse, Zones

OPENED = datetime(2025, 1, 6, 8, tzinfo=UTC)


def a_ticket(number: int, **changes: object) -> dict[str, object]:
    return {
        "connection": "snow", "id": f"t{number}", "number": f"INC{number}", "kind": "incident", "title": "t",
        "state": "closed", "priority": 3, "is_major": False, "customer": "Acme", "country": "CH", "service": "Mail",
        "supplier": None, "category": "c", "assignment_group": "g", "opened_at": OPENED,
        "resolved_at": OPENED + timedelta(hours=5), "closed_at": OPENED + timedelta(days=5), "created_at": OPENED,
        "updated_at": OPENED + timedelta(days=5), "reopen_count": 0, "reassignment_count": 0, "risk": None,
        "is_successful": None, **changes,
    }  # fmt: skip


def delay(tmp_path: Path, metric: str, tickets: list[dict[str, object]]) -> int:
    with Warehouse.open(tmp_path / "w.duckdb") as warehouse:
        table = pa.Table.from_pylist(tickets, schema=SCHEMAS[RecordKind.TICKET])
        warehouse.load(RecordKind.TICKET, table, seen_at=OPENED + timedelta(days=90), zones=Zones(default="UTC"))
        ids = [str(ticket["id"]) for ticket in tickets]
        return settling.recording_delay_days(warehouse, metric_named(metric), "snow", ids)


def test_nine_in_ten_tickets_are_recorded_within_the_delay(tmp_path: Path) -> None:
    late = [a_ticket(number, created_at=OPENED + timedelta(days=2, hours=number)) for number in range(10)]
    assert delay(tmp_path, "incident_count", late) == 3


def test_what_is_recorded_at_once_still_waits_a_day(tmp_path: Path) -> None:
    assert delay(tmp_path, "incident_count", [a_ticket(1)]) == 1


def test_a_closing_update_does_not_tell_when_a_resolution_was_recorded(tmp_path: Path) -> None:
    closed = [a_ticket(number) for number in range(9)]
    waiting = a_ticket(9, closed_at=None, state="resolved", updated_at=OPENED + timedelta(days=3))
    assert delay(tmp_path, "reopen_rate", closed) == 1
    assert delay(tmp_path / "two", "reopen_rate", [*closed, waiting]) == 3


def test_a_repair_of_old_rows_is_no_recording_delay(tmp_path: Path) -> None:
    assert delay(tmp_path, "incident_count", [a_ticket(1, created_at=OPENED + timedelta(days=80))]) == 28


def test_a_metric_without_recording_times_waits_a_day(tmp_path: Path) -> None:
    assert delay(tmp_path, "contact_gap", [a_ticket(1)]) == 1


@pytest.mark.parametrize(
    ("hours", "weeks"),
    [([5.0] * 10, 1), ([5.0] * 8 + [200.0] * 2, 2), ([5.0] * 8 + [400.0] * 2, 4), ([700.0] * 10, 4), ([], 4)],
)
def test_tau_is_the_smallest_that_covers_nine_in_ten(hours: list[float], weeks: int) -> None:
    assert settling.tau_weeks(np.array(hours)) == weeks


def test_complaints_are_recorded_as_contacts_are(tmp_path: Path) -> None:
    at = OPENED
    told = [
        {
            "connection": "snow", "id": f"c{day}", "kind": "complaint", "customer": "Acme", "country": "CH",
            "service": None, "at": at, "updated_at": at + timedelta(days=3),
        }
        for day in range(10)
    ]  # fmt: skip
    with Warehouse.open(tmp_path / "w.duckdb") as warehouse:
        table = pa.Table.from_pylist(told, schema=SCHEMAS[RecordKind.CONTACT])
        warehouse.load(RecordKind.CONTACT, table, seen_at=at + timedelta(days=90), zones=Zones(default="UTC"))
        ids = [str(one["id"]) for one in told]
        assert settling.recording_delay_days(warehouse, metric_named("complaint_count"), "snow", ids) == 3
