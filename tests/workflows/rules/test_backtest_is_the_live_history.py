"""A back-test over the sandbox's data gives, week by week, what the live cycles gave: findings, values and actions."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.testing import running_sandbox
from improvement.rules import FindingMemory, Rule, Scope, load_pack
from improvement.rules.replaying import Replaying, Series
from workflows import cycle
from workflows.complete_weeks import last_week
from workflows.models import Action, Connection, Finding, Point
from workflows.rules import backtest
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
PACK = Path(__file__).parents[3] / "config" / "rules"
PLATFORMS = {"acme": ("servicenow", "servicenow"), "desk": ("jira", "jira_cloud")}
WEEKS = 8
Remembered = dict[Series, FindingMemory]


@dataclass
class Live:
    """What weekly cycles found: after each week every finding's memory, and the actions that were open."""

    weeks: list[int] = field(default_factory=list)
    memories: list[Remembered] = field(default_factory=list)
    opened: list[set[tuple[str, str, str]]] = field(default_factory=list)


def remembered() -> Remembered:
    return {
        Series(row.rule_id, row.connection, Scope.of(row.scope)): msgspec.convert(row.memory, FindingMemory)
        for row in Finding.objects.all()
    }


def opened() -> set[tuple[str, str, str]]:
    return {(row.rule_id, row.connection, row.scope_key) for row in Action.objects.all()}


def louder(folder: Path) -> None:
    """The starter pack for a world of few tickets: it needs fewer samples, so that many scopes fire and clear."""
    for file in PACK.glob("*.yaml"):
        text = file.read_text(encoding="utf-8").replace("clear: {ratio: 0.8, for: 4w}", "clear: {ratio: 0.95, for: 1w}")
        for samples in ("15", "20", "30", "40", "50"):
            text = text.replace(f"min_samples: {samples}", "min_samples: 5")
        (folder / file.name).write_text(text.replace("reference: 52w", "reference: 13w"), encoding="utf-8")


@pytest.fixture
def live(home: Path) -> Iterator[tuple[Live, Warehouse, tuple[Rule, ...]]]:
    """Ten weekly cycles of the starter pack on two platforms, over HTTP."""
    shutil.rmtree(home / "rules")
    (home / "rules").mkdir()
    louder(home / "rules")
    told = Live()
    with running_sandbox(platforms=("servicenow", "jira_cloud")) as sandbox, ExitStack() as stack:
        connectors = []
        for name, (platform, flavour) in PLATFORMS.items():
            Connection.objects.create(name=name, platform=platform)
            user = "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis"
            raw: dict[str, Any] = {"name": name, "platform": platform, "url": sandbox.urls[flavour], "user": user}  # type: ignore[index]
            one = connector(ConnectionConfig.model_validate({**raw, "password": "sandbox"}))
            stack.callback(one.close)
            connectors.append(one)
        now = sandbox.clock()
        for _ in range(WEEKS):
            sandbox.set_clock(now)
            summary = cycle.run_with(connectors, as_of=now)
            assert summary.errors == []
            told.weeks.append(last_week(now))
            told.memories.append(remembered())
            told.opened.append(opened())
            now += timedelta(weeks=1)
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        yield told, warehouse, load_pack([home / "rules"]).rules


def test_every_week_has_the_findings_and_actions_of_the_live_cycle(
    live: tuple[Live, Warehouse, tuple[Rule, ...]], home: Path
) -> None:
    told, warehouse, rules = live
    span = range(told.weeks[0], told.weeks[-1] + 1)
    assert told.weeks == list(span)
    limits = load_pack([home / "rules"]).limits
    counted = backtest.history(warehouse, rules, PLATFORMS, span)
    running = Replaying(
        rules,
        counted.cells,
        first_week=span[0],
        limits=limits,
        owner_of=backtest.owner_of(),
        lasting=lambda rule: None,  # nobody worked on an action, so they all stay open
    )
    for week, memories, actions in zip(told.weeks, told.memories, told.opened, strict=True):
        running.step(week)
        assert set(running.memories) == set(memories)
        differing = {
            series: (memories[series], found) for series, found in running.memories.items() if found != memories[series]
        }
        assert differing == {}, week
        assert {(one.rule_id, one.connection, one.scope.key) for one in running.replay.actions} == actions
    fired = [one for one in running.replay.episodes if not one.is_old]
    assert len(fired) > 5  # and not all before the first cycle
    assert any(one.resolved_week is not None and one.resolved_week > told.weeks[0] for one in running.replay.episodes)
    assert running.replay.actions
    published = {
        (Series(row.finding.rule_id, row.finding.connection, Scope.of(row.finding.scope)), row.week): row.value
        for row in Point.objects.select_related("finding")
    }
    assert {
        (series, week): value
        for series, track in running.replay.tracks.items()
        for week, value in track.published.items()
    } == published
