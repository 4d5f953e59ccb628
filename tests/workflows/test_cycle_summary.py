"""What a cycle says of itself."""

from __future__ import annotations

from datetime import UTC, datetime

from workflows.cycle import CycleSummary


def test_findings_that_wait_for_an_action_are_told_with_the_reason() -> None:
    summary = CycleSummary(as_of=datetime(2026, 3, 2, tzinfo=UTC))
    assert dict(summary.rows())["waiting to open"] == 0
    budget = "actions without an owner: 7 open actions; the budget is 7"
    summary.queued = {"snow: sla [customer=Acme]": budget, "snow: sla [customer=Globex]": budget}
    assert dict(summary.rows())["waiting to open"] == f"2: {budget}"
    summary.queued["snow: mood [customer=Acme]"] = "another action is open there"
    assert dict(summary.rows())["waiting to open"] == f"3: {budget} (2); another action is open there (1)"
