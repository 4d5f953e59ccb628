"""Two years of weekly cycles, and the back-test of the same weeks: the same findings, values, actions and queues.

People close actions, rules cool down, budgets and groups decide, targets change with the year, 2026 has 53 weeks, and
some records are told of weeks after they happened. It takes about 90 s of processor time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from improvement import weeks
from improvement.rules import FindingMemory, FindingState, Rule, Scope, load_pack
from improvement.rules.replaying import Replay, Replaying, Series
from improvement.vocabulary import ENDED_STATES, HAS_OPEN_TWIN
from tests.workflows.build import a_person
from tests.workflows.rules.two_years import QUIET, RULES, SCOPES, START, WEEKS, drawn
from tests.workflows.versioned_platform import VersionedPlatform
from workflows import access, cycle
from workflows.actions import commands
from workflows.complete_weeks import last_week
from workflows.models import Action, Connection, Finding, Point, Role
from workflows.rules import backtest
from workflows.rules.backtest_report import against_live
from workflows.steps import restate_points
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
LATE = "late"  # the rule of whose records some come late; it only observes
RESTATED_EVERY = 26
Opened = set[tuple[str, str, str, tuple[str, ...], str | None]]


@dataclass(frozen=True, slots=True)
class Week:
    """What stands after a week's cycle, told alike of the live one and of the replay."""

    memories: dict[Series, FindingMemory]
    opened: Opened
    reasons: dict[Series, str]  # why firing findings open nothing, or nothing more
    open_per_owner: dict[str | None, int]
    waiting: int


def lasting(rule: Rule) -> int:
    """How many weeks people need for an action: more for one rule than for another."""
    return {"sla": 13, "hours": 8, "volume": 5}.get(rule.id, 10)


def lived(platforms: list[VersionedPlatform], now: datetime) -> Week:
    """One live cycle."""
    summary = cycle.run_with(list(platforms), as_of=now)
    assert summary.errors == []
    findings = {_series(row): row for row in Finding.objects.all()}
    opened = Action.objects.filter(opened_at=now).select_related("owner")
    running = Action.objects.exclude(state__in=ENDED_STATES).values_list("owner__username", flat=True)
    return Week(
        memories={series: msgspec.convert(row.memory, FindingMemory) for series, row in findings.items()},
        opened={
            (one.rule_id, one.connection, one.scope_key, tuple(one.trigger["scopes"]), _name(one)) for one in opened
        },
        reasons={series: row.queue_reason for series, row in findings.items() if row.state == FindingState.FIRING},
        open_per_owner=dict(Counter(running)),
        waiting=len(summary.queued),
    )


def replayed(found: Replay, memories: dict[Series, FindingMemory], week: int) -> Week:
    """What the replay says of the same week."""
    return Week(
        memories=memories,
        opened={
            (one.rule_id, one.connection, one.scope.key, tuple(member.key for member in one.members), one.owner)
            for one in found.actions
            if one.week == week
        },
        reasons={
            series: track.episode.waited
            for series, track in found.tracks.items()
            if track.episode is not None and memories[series].state is FindingState.FIRING
        },
        open_per_owner=dict(found.queue[-1].open_per_owner),
        waiting=found.queue[-1].waiting,
    )


def close_what_was_worked_on(rules: dict[str, Rule], now: datetime) -> None:
    """On Wednesday people close what they have worked on for long enough; each rule has its time."""
    for action in Action.objects.exclude(state__in=ENDED_STATES):
        if last_week(now) + 1 - last_week(action.opened_at) >= lasting(rules[action.rule_id]):
            commands.cancel(access.local_admin(), action.code, at=now + timedelta(days=2), reason="Done.")


def _series(row: Finding) -> Series:
    return Series(row.rule_id, row.connection, Scope.of(row.scope))


def _name(action: Action) -> str | None:
    return action.owner.username if action.owner is not None else None


@dataclass(frozen=True, slots=True)
class Lived:
    """Two years that were lived: the rules, and what stood after the cycle of every evaluated week."""

    rules: tuple[Rule, ...]
    weeks: dict[int, Week]


@pytest.fixture
def live(home: Path) -> Lived:
    (home / "rules" / "sla.yaml").write_text(RULES, encoding="utf-8")
    rules = load_pack([home / "rules"]).rules
    admin = access.local_admin()
    for name, customer in (("olga", "Alpenbank"), ("otto", "Rheinwerk"), ("nora", "Nordlicht")):
        access.grant(a_person(name), Role.SERVICE_OWNER, at=START, by=admin, customer=customer)
    access.grant(a_person("mia"), Role.SERVICE_OWNER, at=START, by=admin, customer="Alpenbank", service="Mail")
    platforms = []
    for name in SCOPES:
        Connection.objects.create(name=name, platform="servicenow")
        platforms.append(VersionedPlatform(name=name, versions=drawn(name).rows))
    found = {}
    for number in range(WEEKS):
        now = START + timedelta(weeks=QUIET + number, hours=12)
        found[last_week(now)] = lived(platforms, now)
        if number % RESTATED_EVERY == 0 or number == WEEKS - 1:
            restate_points.restate_all(as_of=now)
        close_what_was_worked_on({rule.id: rule for rule in rules}, now)
    return Lived(rules, found)


def test_every_week_of_two_years_is_what_the_live_cycle_made_of_it(live: Lived, home: Path) -> None:
    span = range(min(live.weeks), max(live.weeks) + 1)
    assert [*live.weeks] == [*span]
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        counted = backtest.history(warehouse, live.rules, SCOPES, span)
    running = Replaying(
        live.rules,
        counted.cells,
        first_week=span[0],
        limits=load_pack([home / "rules"]).limits,
        owner_of=backtest.owner_of(),
        lasting=lasting,
    )
    for week, lived_ in live.weeks.items():
        found = replayed(running.step(week), running.memories, week)
        assert _but_late(found) == _but_late(lived_), weeks.label(week)
    _must_be_worth_it(live, running.replay)
    _late_records_are_told(live, running.replay)


def _but_late(week: Week) -> Week:
    """Without the rule of whose records some were not there yet."""
    memories, reasons = (
        {series: said for series, said in known.items() if series.rule_id != LATE}
        for known in (week.memories, week.reasons)
    )
    return Week(memories, week.opened, reasons, week.open_per_owner, week.waiting)  # type: ignore[arg-type]


def _must_be_worth_it(live: Lived, found: Replay) -> None:
    """All that could differ did happen."""
    assert {"2026-W53", "2027-W01"} <= {weeks.label(week) for week in live.weeks}
    told = {reason for week in live.weeks.values() for reason in week.reasons.values()}
    for part in ("first evaluation", "cooling down", "the budget is 2", "2 new actions in this cycle", HAS_OPEN_TWIN):
        assert any(part in reason for reason in told), part
    assert Action.objects.filter(state__in=ENDED_STATES).count() > 30
    assert sum(len(one.members) > 1 for one in found.actions) > 10
    assert {one.owner for one in found.actions} == {"olga", "otto", "nora", "mia", None}
    of_mail = Scope.of({"customer": "Alpenbank", "country": "CH", "service": "Mail"})
    assert "olga" in {one.owner for one in found.actions if len(one.members) > 1 and one.members[0] == of_mail}
    again = Counter(one.series for one in found.episodes)
    assert max(again.values()) > 2
    assert sum(one.resolved_week is not None for one in found.episodes) > 100
    won = {(one.point.target.source, weeks.label(one.fired_week) >= "2026-W53") for one in found.episodes}
    assert ("override {country: CH} from 2027-01-01", True) in won
    assert ("override {customer: Rhein*} from 2026-06-01 to 2026-12-31", False) in won
    assert {source for source, is_after in won if is_after} != {source for source, is_after in won if not is_after}
    assert {rule.id for rule in live.rules} == {one.series.rule_id for one in found.episodes}


def _late_records_are_told(live: Lived, found: Replay) -> None:
    """Published values stay; the back-test lists where today's are others, and these are what restatements say."""
    compared, differences = against_live(live.rules, found)
    published = Point.objects.filter(week__gte=found.first_week, week__lte=found.last_week)
    restated = {
        (_series(row.finding), row.week): (row.value, row.later_value)
        for row in published.filter(later_at__isnull=False).select_related("finding")
    }
    assert compared == published.count() > 5_000
    assert {(one.series, one.week): (one.published, one.replayed) for one in differences} == restated
    assert {series.rule_id for series, _ in restated} == {LATE}
    assert len(restated) > 100
    last = live.weeks[found.last_week].memories
    assert any(last[series] != found.tracks[series].memory for series, _ in restated)  # some fired otherwise, too
