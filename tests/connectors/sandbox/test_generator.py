"""The generated world says what the scenario says, counted from its facts alone."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from connectors.sandbox import scenario
from connectors.sandbox.arrivals import Floats, Ints, local_week
from connectors.sandbox.generator import Platform, end_of, generate
from connectors.sandbox.scenario import BREACH, CSAT, HOURS, SCOPES, ScenarioScope, Truth
from connectors.sandbox.world import World, WorldTicket
from improvement.check import (
    CheckPlan,
    CheckResult,
    Direction,
    Goal,
    Series,
    Verdict,
    compute_look,
    detectable,
    windows_for,
)
from improvement.weeks import week_of

PLATFORMS: tuple[Platform, ...] = ("servicenow", "jira")
TARGET = 0.15  # the starter rule's
WEEKS = scenario.WEEKS
TAU_H = 336.0
LOG = Path(__file__).resolve().parents[3].parent / "shared/data/servicenow-incidents/incident_event_log.csv"

FIRST_WEEK = week_of(scenario.START.date())
CHECKED_AS = {
    BREACH: ("proportion", Direction.LOWER, "%"),
    CSAT: ("score", Direction.HIGHER, "points"),
    HOURS: ("time", Direction.LOWER, "h"),
}
FOUND = {
    Truth.EFFECT: {Verdict.IMPROVED},
    Truth.PLACEBO: {Verdict.NO_CHANGE},
    Truth.REGRESSION: {Verdict.RECOVERED, Verdict.NO_CHANGE},
    Truth.TREND: {Verdict.NOT_ATTRIBUTABLE, Verdict.NO_CHANGE},
    Truth.WORSE: {Verdict.WORSE},
    Truth.FEW: {Verdict.NOT_ENOUGH_DATA},
}

every_platform = pytest.mark.parametrize("platform", PLATFORMS)


class Weekly(NamedTuple):
    """Numerator and denominator of each week."""

    numerator: Floats
    denominator: Floats

    def value(self, first: int, last: int) -> float:
        return float(self.numerator[first : last + 1].sum() / self.denominator[first : last + 1].sum())

    def windows(self) -> dict[int, float]:
        """The value of every 4-week window, by its last week."""
        return {last: self.value(last - 3, last) for last in range(3, WEEKS)}


@lru_cache(maxsize=2)
def world(platform: Platform) -> World:
    return generate(platform, size="demo")


@lru_cache(maxsize=2)
def incidents(platform: Platform) -> dict[str, list[WorldTicket]]:
    found: dict[str, list[WorldTicket]] = defaultdict(list)
    for ticket in world(platform).tickets:
        if ticket.kind == "incident":
            found[f"country={ticket.country},customer={ticket.customer},service={ticket.service}"].append(ticket)
    return found


@lru_cache(maxsize=256)
def weekly(scope: ScenarioScope, metric: str) -> Weekly:
    facts = {BREACH: breaches, CSAT: scores, HOURS: hours}[metric]
    pairs = [pair for ticket in incidents(scope.platform)[scope.key] for pair in facts(ticket)]
    at = np.array([instant for instant, _ in pairs], dtype=np.int64)
    place = world(scope.platform)
    ends = end_of(place)
    week: Ints = local_week(at, start=place.start, weeks=WEEKS, zone=scenario.ZONES[scope.country])
    is_inside = (at < ends) & (at >= place.start - 86_400)
    values = np.array([value for _, value in pairs])
    return Weekly(
        np.bincount(week[is_inside], values[is_inside], minlength=WEEKS),
        np.bincount(week[is_inside], minlength=WEEKS).astype(np.float64),
    )


def breaches(ticket: WorldTicket) -> Iterator[tuple[int, float]]:
    """Decided when breached, or when it ended in time."""
    for sla in ticket.slas:
        if sla.target == "resolution" and sla.agreement == "sla" and not sla.cancelled:
            decided = sla.breach_at if sla.breached else sla.stop
            if decided is not None:
                yield decided, float(sla.breached)


def scores(ticket: WorldTicket) -> Iterator[tuple[int, float]]:
    if ticket.survey is not None and ticket.survey.answered is not None and ticket.survey.score is not None:
        yield ticket.survey.answered, float(ticket.survey.score)


def hours(ticket: WorldTicket) -> Iterator[tuple[int, float]]:
    resolved = [event.at for event in ticket.events if event.changes.get("state") == "resolved"]
    if ticket.events[-1].changes.get("state") != "cancelled":
        yield ticket.opened, min((resolved[-1] - ticket.opened) / 3600, TAU_H) if resolved else TAU_H


def of(platform: str, *truths: Truth) -> list[ScenarioScope]:
    return [scope for scope in scenario.scopes_of(platform) if scope.truth in truths]


def odds_ratio(after: float, before: float) -> float:
    return (after / (1 - after)) / (before / (1 - before))


def before_and_after(scope: ScenarioScope) -> tuple[float, float]:
    """The scope's own metric in the year before the deterioration, and in the 13 weeks from go-live on."""
    assert scope.metric is not None
    assert scope.golive_week is not None
    series = weekly(scope, scope.metric)
    return series.value(22, 73), series.value(scope.golive_week, scope.golive_week + 12)


def plan_of(scope: ScenarioScope, trigger: tuple[int, int]) -> tuple[CheckPlan, dict[str, Series]]:
    """The measurement plan of the scope's script and its controls, given the weeks the rule looked at."""
    assert scope.metric is not None
    assert scope.golive_on is not None
    family, direction, unit = CHECKED_AS[scope.metric]
    others = [other for other in scenario.scopes_of(scope.platform) if other.metric != scope.metric]
    largest = sorted(others, key=lambda other: -other.per_week)[:10]
    controls = {other.key: cells(other, scope.metric) for other in largest}
    windows = windows_for(
        trigger_first=FIRST_WEEK + trigger[0],
        trigger_last=FIRST_WEEK + trigger[1],
        implemented_on=scope.golive_on,
        earliest_week=FIRST_WEEK,
    )
    plan = CheckPlan(
        "ACT-1", scope.metric, family, direction, unit, windows, Goal.parse(scope.goal), controls=tuple(controls)
    )
    return plan, controls


def final_look(scope: ScenarioScope, trigger: tuple[int, int]) -> CheckResult:
    """What the check says 13 weeks after go-live."""
    plan, controls = plan_of(scope, trigger)
    series = cells(scope, plan.metric)
    return compute_look(plan, series, controls, look=13, kind="final", last_week=plan.windows.after_from + 12)


def cells(scope: ScenarioScope, metric: str) -> Series:
    series = weekly(scope, metric)
    return Series(np.arange(FIRST_WEEK, FIRST_WEEK + WEEKS), series.numerator, series.denominator)


@every_platform
@pytest.mark.parametrize("trigger", [(75, 79), (49, 53)], ids=["fires in the first cycles", "fires in the back-fill"])
def test_the_check_finds_the_true_effects_and_nothing_else(platform: Platform, trigger: tuple[int, int]) -> None:
    """What fires is chronic or fresh; whichever weeks the rule looked at, the verdict fits the truth."""
    for scope in scenario.scopes_of(platform):
        is_chronic = scope.truth in (Truth.PLACEBO, Truth.TREND)
        if scope.acts and (is_chronic or trigger[0] > 53):
            result = final_look(scope, trigger)
            assert result.verdict in FOUND[scope.truth], (scope.key, result.sentence)
            assert result.goal_met is True or scope.truth is not Truth.EFFECT


@every_platform
def test_goals_are_detectable_except_where_there_are_few_tickets(platform: Platform) -> None:
    for scope in scenario.scopes_of(platform):
        if scope.metric is None:
            continue
        plan, controls = plan_of(scope, (75, 79))
        found = detectable(plan, cells(scope, scope.metric), controls).link
        reference = weekly(scope, scope.metric).value(23, 74)
        goal = plan.goal.link_size(family=str(plan.family), sign=plan.direction.sign, rate=reference)
        is_detectable = found is not None and found <= goal
        assert is_detectable == (not scope.accepts_undetectable), scope.key
        assert bool(scope.accepts_undetectable) == (scope.truth is Truth.FEW)


@every_platform
def test_each_platform_has_every_truth_and_enough_controls(platform: Platform) -> None:
    counts = {truth: len(of(platform, truth)) for truth in Truth}
    assert counts == {**dict.fromkeys(Truth, 1), Truth.EFFECT: 2, Truth.QUIET: 7}


@every_platform
def test_volumes_are_as_declared(platform: Platform) -> None:
    assert 85_000 < len(world(platform).tickets) < 100_000
    for scope in scenario.scopes_of(platform):
        mean = weekly(scope, HOURS).denominator.mean()
        low, high = (8, 10) if scope.truth is Truth.FEW else (40, 150)
        assert low <= mean <= high, scope.key
        whose = (scope.customer, scope.country, scope.service)
        tickets = sum((one.customer, one.country, one.service) == whose for one in world(platform).tickets)
        assert low <= tickets / WEEKS <= high, scope.key  # of every kind


@every_platform
def test_real_effects_are_large(platform: Platform) -> None:
    for scope in of(platform, Truth.EFFECT):
        before, after = before_and_after(scope)
        if scope.metric == BREACH:
            assert odds_ratio(after, before) <= 0.40
        elif scope.metric == CSAT:
            assert after - before >= 0.6
        else:
            assert after / before <= 0.5


@every_platform
def test_a_placebo_and_a_passing_shock_leave_the_level_as_it_was(platform: Platform) -> None:
    for scope in of(platform, Truth.PLACEBO, Truth.REGRESSION):
        before, after = before_and_after(scope)
        assert 0.75 < odds_ratio(after, before) < 1.33, scope.key


@every_platform
def test_the_trend_was_there_before(platform: Platform) -> None:
    for scope in of(platform, Truth.TREND):
        series = weekly(scope, BREACH)
        quarters = [series.value(week, week + 25) for week in range(0, 130, 26)]
        assert all(later < earlier for earlier, later in pairwise(quarters))


@every_platform
def test_the_worse_gets_worse_after_go_live(platform: Platform) -> None:
    for scope in of(platform, Truth.WORSE):
        before, after = before_and_after(scope)
        assert odds_ratio(after, before) > 2.5


@every_platform
def test_quiet_scopes_never_reach_a_target(platform: Platform) -> None:
    for scope in of(platform, Truth.QUIET):
        assert max(weekly(scope, BREACH).windows().values()) < TARGET, scope.key
        assert min(weekly(scope, CSAT).windows().values()) > 3.8, scope.key
        assert max(weekly(scope, HOURS).windows().values()) < 40, scope.key


@every_platform
def test_what_deteriorates_is_seen_in_three_windows_running(platform: Platform) -> None:
    for scope in scenario.scopes_of(platform):
        if scope.truth is Truth.QUIET or scope.metric is None:
            continue
        windows = weekly(scope, scope.metric).windows()
        is_bad = {
            BREACH: lambda value: value > TARGET,
            CSAT: lambda value: value < 3.8,
            HOURS: lambda value: value > 40,
        }[scope.metric]
        bad = "".join("x" if is_bad(windows[week]) else "-" for week in range(79, 85))
        assert "xxx" in bad, (scope.key, bad)


@every_platform
def test_metrics_without_a_course_stay_inside_their_targets_while_the_demo_runs(platform: Platform) -> None:
    """So that an acting scope opens one action, not three."""
    for scope in scenario.scopes_of(platform):
        if scope.truth is Truth.FEW:
            continue
        for metric, is_fine in ((CSAT, lambda value: value >= 3.8), (HOURS, lambda value: value <= 40)):
            if metric != scope.metric:
                windows = weekly(scope, metric).windows()
                assert all(is_fine(windows[week]) for week in range(56, WEEKS)), (scope.key, metric)


@every_platform
def test_between_a_quarter_and_a_third_of_the_surveys_are_answered(platform: Platform) -> None:
    for tickets in incidents(platform).values():
        surveys = [ticket.survey for ticket in tickets if ticket.survey is not None]
        assert 0.25 <= sum(survey.answered is not None for survey in surveys) / len(surveys) <= 0.40


# Two winters: before summer time 2024, and between the ones of 2024 and 2025.
CET = ((0, 1_711_846_800), (1_729_990_800, 1_743_296_400))


@every_platform
def test_hours_of_the_day_are_those_of_the_real_log(platform: Platform) -> None:
    """Local hours: 45 % from 8:00 to 11:59, 9 % at noon, 35 % from 13:00 to 17:59."""
    counts = np.zeros(24)
    for scope in scenario.scopes_of(platform):
        if scope.country == "DE":
            for ticket in incidents(platform)[scope.key]:
                if any(first <= ticket.opened < end for first, end in CET):
                    counts[(ticket.opened // 3600 + 1) % 24] += 1
    shares = counts / counts.sum()
    assert shares[8:12].sum() == pytest.approx(0.45, abs=0.02)
    assert shares[12] == pytest.approx(0.09, abs=0.01)
    assert shares[13:18].sum() == pytest.approx(0.35, abs=0.02)


@every_platform
def test_five_countries_work_on_their_own_clocks(platform: Platform) -> None:
    countries = {ticket.country for ticket in world(platform).tickets}
    assert len(countries) == 5
    assert len({scenario.ZONES[country] for country in countries}) == 5
    for opening in local_openings(platform, *countries):
        assert np.mean([8 <= opened.hour < 12 for opened in opening]) == pytest.approx(0.45, abs=0.02)


def local_openings(platform: Platform, *countries: str) -> list[list[datetime]]:
    """When the incidents of each country were opened, by its own clock."""
    opened: dict[str, list[datetime]] = defaultdict(list)
    for tickets in incidents(platform).values():
        zone = ZoneInfo(scenario.ZONES[tickets[0].country])
        opened[tickets[0].country] += [datetime.fromtimestamp(ticket.opened, zone) for ticket in tickets]
    return [opened[country] for country in countries or opened]


@every_platform
def test_winter_brings_more_incidents_than_summer(platform: Platform) -> None:
    """± 8 % over the year with its peak in January: a winter day has 1.15 times the incidents of a summer day.

    Counted over 2024 and 2025, both whole. The weekly noise (4 %, autocorrelated) leaves each ratio ± 2 %.
    """
    months = np.zeros(13)
    for opening in local_openings(platform):
        months += np.bincount([opened.month for opened in opening if opened.year < 2026], minlength=13)
    winter = months[[12, 1, 2]].sum() / (31 + 31 + 29 + 31 + 31 + 28)
    summer = months[[6, 7, 8]].sum() / (2 * (30 + 31 + 31))
    spring_and_autumn = months[[3, 4, 5, 9, 10, 11]].sum() / (2 * (31 + 30 + 31 + 30 + 31 + 30))
    assert winter / summer == pytest.approx(1.15, abs=0.05)
    assert winter > spring_and_autumn > summer


@every_platform
def test_one_incident_in_fourteen_is_opened_at_a_weekend_and_most_on_mondays(platform: Platform) -> None:
    days = np.zeros(7)
    for opening in local_openings(platform):
        days += np.bincount([opened.weekday() for opened in opening], minlength=7)
    shares = days / days.sum()
    assert shares[5:].sum() == pytest.approx(0.07, abs=0.005)
    assert list(shares) == sorted(shares, reverse=True)
    assert shares[4] > 3 * shares[5]


@every_platform
def test_a_few_incidents_take_far_longer_than_half_of_them(platform: Platform) -> None:
    """A heavy tail: an exponential law has its 90th percentile at 3.3 medians, its 99th at 6.6, its mean at 1.4."""
    p90, p99, mean = tail(resolution_hours(platform))
    assert p90 > 1.5 * np.log(10) / np.log(2)
    assert p99 > 2 * np.log(100) / np.log(2)
    assert mean > 2


def test_the_real_log_has_a_tail_of_the_same_kind_and_longer_still() -> None:
    """Its 90th and 99th percentile lie at 14 and 70 medians: the generator's world is the milder one."""
    if not LOG.exists():
        pytest.skip("the real incident log is not beside the project")
    real = log_hours()
    assert np.percentile(real, [10, 50, 90, 99]) == pytest.approx([1.9, 54.5, 762, 3786], rel=0.03)
    for platform in PLATFORMS:
        made = resolution_hours(platform)
        assert 2 / 3 < np.std(np.log(made)) / np.std(np.log(real)) < 1
        assert all(ours < theirs for ours, theirs in zip(tail(made), tail(real), strict=True))


def tail(hours: Floats) -> tuple[float, float, float]:
    """The 90th and 99th percentile and the mean, in medians."""
    median, p90, p99 = np.percentile(hours, [50, 90, 99])
    return float(p90 / median), float(p99 / median), float(hours.mean() / median)


def resolution_hours(platform: Platform) -> Floats:
    """Wall-clock hours from opening to the last resolution of every incident that was resolved."""
    return np.array(
        [
            (event.at - ticket.opened) / 3600
            for tickets in incidents(platform).values()
            for ticket in tickets
            for event in [event for event in ticket.events if event.changes.get("state") == "resolved"][-1:]
        ]
    )


def log_hours() -> Floats:
    """The same of the real log: the last row of an incident holds its final times."""
    with LOG.open(encoding="latin-1", newline="") as file:
        final = {row["number"]: row for row in csv.DictReader(file)}
    resolved = [row for row in final.values() if row["resolved_at"] != "?"]
    return np.array(
        [(instant(row["resolved_at"]) - instant(row["opened_at"])).total_seconds() / 3600 for row in resolved]
    )


def instant(text: str) -> datetime:
    return datetime.strptime(text + "+0000", "%d-%m-%Y %H:%M%z")


@every_platform
def test_reassignments_and_reopenings_are_those_of_the_real_log(platform: Platform) -> None:
    counts = np.zeros(20)
    reopened = 0
    total = 0
    for tickets in incidents(platform).values():
        for ticket in tickets:
            total += 1
            counts[sum("reassignment_count" in event.changes for event in ticket.events) - 1] += 1
            reopened += any("reopen_count" in event.changes for event in ticket.events[1:])
    assert (counts / total)[:4] == pytest.approx([0.56, 0.23, 0.10, 0.04], abs=0.01)
    assert reopened / total == pytest.approx(10 / 890, abs=0.003)


@every_platform
def test_every_life_is_consistent(platform: Platform) -> None:
    for uid, ticket in enumerate(world(platform).tickets, start=1):
        assert ticket.uid == uid
        instants = [event.at for event in ticket.events]
        assert instants == sorted(instants)
        assert instants[0] >= ticket.opened
        for sla in ticket.slas:
            assert sla.breached == (sla.elapsed_s > sla.goal_s)
            assert sla.start >= ticket.opened
            assert sla.breach_at >= sla.start + sla.goal_s
            assert (sla.supplier is None) == (sla.agreement == "sla")
            if sla.stop is not None:
                assert sla.stop - sla.start >= sla.elapsed_s
                assert not sla.breached or sla.breach_at <= sla.stop
        if ticket.survey is not None and ticket.survey.answered is not None:
            assert ticket.survey.sent < ticket.survey.answered
            assert ticket.survey.score in (1, 2, 3, 4, 5)


@every_platform
def test_no_high_risk_change_on_a_service_somebody_acts_on(platform: Platform) -> None:
    changes = [ticket for ticket in world(platform).tickets if ticket.kind == "change"]
    high = {ticket.service for ticket in changes if ticket.risk == "high"}
    assert high
    assert not high & scenario.acting_services(platform)
    assert 0.90 < np.mean([ticket.is_successful for ticket in changes]) < 0.99


@every_platform
def test_every_customer_has_contacts_and_one_long_silence(platform: Platform) -> None:
    for customer, _ in world(platform).customers:
        at = [contact.at for contact in world(platform).contacts if contact.customer == customer]
        gaps = np.diff(at) / 86_400
        assert len(at) > 50
        assert 45 < gaps.max() < 110


@every_platform
def test_major_incidents_have_their_outage(platform: Platform) -> None:
    majors = sum(ticket.is_major for ticket in world(platform).tickets)
    unplanned = [outage for outage in world(platform).outages if outage.kind != "planned"]
    assert 20 < majors < 60
    assert len(unplanned) == majors


def test_the_same_seed_gives_the_same_world_and_another_seed_another() -> None:
    first, second = (generate("jira", seed=3, size="small") for _ in range(2))
    assert first == second
    assert generate("jira", seed=4, size="small").tickets != first.tickets
    assert generate("servicenow", seed=3, size="small").tickets != first.tickets


def test_a_small_world_holds_every_scope() -> None:
    small = generate("servicenow", size="small")
    scopes = {(ticket.customer, ticket.country, ticket.service) for ticket in small.tickets}
    assert len(scopes) == 14
    assert 3_000 < len(small.tickets) < 6_000


def test_owners_and_approvers_are_different_people_with_room_for_their_actions() -> None:
    for platform in PLATFORMS:
        acting = [scope for scope in SCOPES if scope.platform == platform and scope.acts]
        people = {person.username: person.roles for person in world(platform).people}
        for scope in acting:
            assert scope.owner != scope.approver
            assert people[scope.owner] == ("owner",)
            assert people[scope.approver] == ("approver",)
        assert max(sum(scope.owner == other.owner for other in acting) for scope in acting) <= 3
