"""The loop on a real incident log, served by the sandbox through the same API: pull, evaluate, open, write back."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

from connectors.sandbox.testing import RunningSandbox
from workflows import access, cycle, health
from workflows.actions import commands
from workflows.evidence import verifying
from workflows.models import Action, Finding
from workflows.warehouse import our_warehouse

STEP = timedelta(weeks=1)


def run(sandbox: RunningSandbox, *, until: datetime, started: float) -> dict[str, Any]:
    """Run weekly cycles from the log's first complete week to its end; returns facts to compare with the file."""
    first = sandbox.clock()
    totals = {"records": 0, "delivered": 0}
    errors: list[str] = []
    with cycle.connectors() as opened:
        for one in opened:
            health.connect(one.name)  # tells who we are there, as `connect --write on` does
            commands.set_write(access.local_admin(), one.name, True, at=first)
        for now in _moments(first, until):
            sandbox.set_clock(now)
            summary = cycle.run_with(opened, as_of=now)
            totals["records"] += summary.new
            totals["delivered"] += summary.delivered
            errors += summary.errors
    return {
        **_facts(),
        "records": totals["records"],
        "findings": Finding.objects.filter(times_fired__gt=0).count(),
        "actions": [
            {
                "id": action.code,
                "scope": action.scope_key,
                "state": action.state,
                "record": action.platform_number,
                "record_url": action.platform_url,
            }
            for action in Action.objects.order_by("id")
        ],
        "deliveries": totals["delivered"],
        "evidence_ok": verifying.verify().is_ok,
        "errors": errors,
        "seconds": round(time.monotonic() - started, 1),
    }


def _moments(first: datetime, until: datetime) -> list[datetime]:
    """Mondays at noon while things are still opened, then the end of the log."""
    monday = first + timedelta(days=7 - first.weekday())
    monday = monday.replace(hour=12, minute=0, second=0, microsecond=0)
    return [*(monday + STEP * number for number in range(6)), max(until, monday + STEP * 6) + timedelta(days=1)]


def _facts() -> dict[str, int]:
    with our_warehouse() as warehouse:
        row = warehouse.arrow(
            "SELECT (SELECT count(*) FROM live_tickets WHERE kind = 'incident') AS incidents, "
            "(SELECT count(*) FROM live_slas WHERE is_breached) AS sla_breached, "
            "(SELECT count(*) FROM live_tickets WHERE reopen_count > 0) AS reopened"
        ).to_pylist()[0]
    return {name: int(value) for name, value in row.items()}
