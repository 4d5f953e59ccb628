"""Which changes of the platform stand beside a verdict, and which of them gate it (guard 8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from improvement import weeks
from improvement.records import Ticket
from tests.improvement.metrics.build import a_ticket, a_warehouse
from tests.workflows.build import GOLIVE, an_action
from workflows.checks import measuring

pytestmark = pytest.mark.django_db
FIRST = weeks.week_of(GOLIVE)
LAST = FIRST + 12
SCOPE = {"country": "CH", "customer": "Acme", "service": "Mail"}


def a_change(number: str, *, weeks_after: int = 2, **fields: Any) -> Ticket:
    """A change of Acme's Mail that was closed this many weeks after our go-live."""
    closed = weeks.monday(FIRST + weeks_after) + timedelta(days=2)
    at = datetime(closed.year, closed.month, closed.day, 10, tzinfo=UTC)
    known = {"number": number, "kind": "change", "state": "closed", "risk": "moderate", "is_successful": True}
    return a_ticket(number, **{**known, "opened_at": at, "closed_at": at, **fields})


def concurrent(tmp_path: Path, *changes: Ticket, scope: dict[str, str] = SCOPE) -> dict[str, Any]:
    ours = an_action(None, scope=scope, implemented_on=GOLIVE, implemented_ref="CHG-OURS")
    with a_warehouse(tmp_path, *changes) as warehouse:
        return measuring.concurrent_changes(warehouse, ours, FIRST, LAST)


def test_changes_of_the_service_in_after_are_listed_and_those_of_high_risk_gate(tmp_path: Path) -> None:
    found = concurrent(tmp_path, a_change("CHG-2", risk="high"), a_change("CHG-1"), a_change("CHG-3", risk=None))
    assert found == {"numbers": ["CHG-1", "CHG-2", "CHG-3"], "high_risk": ["CHG-2"]}


def test_our_own_change_those_elsewhere_before_and_later_are_none_of_them(tmp_path: Path) -> None:
    found = concurrent(
        tmp_path,
        a_change("CHG-OURS", risk="high"),
        a_change("CHG-OTHER-SERVICE", risk="high", service="Phone"),
        a_change("CHG-BEFORE", risk="high", weeks_after=-1),
        a_change("CHG-LATER", risk="high", weeks_after=13),
        a_change("CHG-STILL-OPEN", risk="high", state="in_progress", closed_at=None),
        a_change("INC-NO-CHANGE", risk="high", kind="incident"),
    )
    assert found == {"numbers": [], "high_risk": []}


def test_a_cancelled_change_was_never_implemented(tmp_path: Path) -> None:
    found = concurrent(tmp_path, a_change("CHG-CANCELLED", risk="high", state="cancelled"))
    assert found == {"numbers": [], "high_risk": []}
