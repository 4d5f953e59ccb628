"""Two platforms at once, over HTTP: what goes on one while the other is loaded is found, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.testing import RunningSandbox
from improvement.records import RecordKind
from tests.workflows.small_worlds import two_small_platforms
from workflows import cycle
from workflows.models import Connection, PullReport
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
PLATFORMS = {"acme": ("servicenow", "servicenow"), "desk": ("jira", "jira_cloud")}


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with two_small_platforms(every=10) as running:
        yield running


@pytest.fixture
def connectors(home: Path, sandbox: RunningSandbox) -> Iterator[list[Connector]]:
    opened = []
    for name, (platform, flavour) in PLATFORMS.items():
        Connection.objects.create(name=name, platform=platform)
        user = "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis"
        raw = {"name": name, "platform": platform, "url": sandbox.urls[flavour], "user": user, "password": "sandbox"}  # type: ignore[index]
        opened.append(connector(ConnectionConfig.model_validate(raw)))
    yield opened
    for one in opened:
        one.close()


def test_weekly_cycles_find_what_went_and_ask_little_when_nothing_did(
    home: Path, sandbox: RunningSandbox, connectors: list[Connector]
) -> None:
    now = sandbox.clock()
    first = cycle.run_with(connectors, as_of=now)
    assert (first.errors, first.notes, first.deleted) == ([], [], 0)
    sandbox.happen("servicenow", "delete", table="incident", count=4)
    sandbox.happen("servicenow", "archive", table="incident", count=3)
    sandbox.happen("servicenow", "sla_repair", count=5, fewer=True, audited=False)
    sandbox.happen("jira_cloud", "delete", count=6)
    sandbox.happen("jira_cloud", "rebuild_slas", count=10_000)
    now += timedelta(weeks=1)
    sandbox.set_clock(now)
    second = cycle.run_with(connectors, as_of=now)
    assert (second.errors, second.notes) == ([], [])
    reports = {(report.connection_id, report.kind): report for report in PullReport.objects.filter(as_of=now)}
    assert reports["acme", "ticket"].deleted == 7
    assert reports["acme", "sla"].deleted >= 5
    assert reports["desk", "ticket"].deleted == 6
    assert reports["desk", "sla"].deleted >= 6
    assert reports["desk", "sla"].restated > 0  # recalculated without a trace
    for (name, kind), report in reports.items():
        if report.platform_count is not None:
            assert report.platform_count == report.warehouse_count, (name, kind)
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        for one in connectors:
            for kind in one.kinds():
                keys = one.keys(kind)
                assert keys is None or len(keys.ids) == warehouse.count(RecordKind(kind), one.name)
    now += timedelta(weeks=1)
    sandbox.set_clock(now)
    before = [one.traffic()[0] for one in connectors]
    third = cycle.run_with(connectors, as_of=now)
    assert (third.errors, third.notes, third.deleted) == ([], [], 0)
    assert all(one.traffic()[0] - was < 60 for one, was in zip(connectors, before, strict=True))


def test_clocks_recalculated_without_a_breach_more_or_less_are_found_within_the_week(
    home: Path, sandbox: RunningSandbox, connectors: list[Connector]
) -> None:
    desk = [one for one in connectors if one.name == "desk"]
    now = sandbox.clock()
    cycle.run_with(desk, as_of=now)
    now += timedelta(weeks=1)
    sandbox.set_clock(now)
    cycle.run_with(desk, as_of=now)
    sandbox.happen("jira_cloud", "rebuild_slas", count=10_000, factor=1.00002)  # a second more of a long goal
    now += timedelta(weeks=1)
    sandbox.set_clock(now)
    found = cycle.run_with(desk, as_of=now)
    assert found.errors == []
    assert any("recalculated on the platform, without a trace" in note for note in found.notes)
    report = PullReport.objects.get(connection="desk", kind="sla", as_of=now)
    assert report.restated > 20
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        goals = warehouse.arrow(
            f"SELECT goal_s FROM slas WHERE end_at > '{now - timedelta(weeks=8)}' AND goal_s > 50000"
        )
    assert len(goals)
    assert not any(goal % 3600 == 0 for goal in goals["goal_s"].to_pylist())
