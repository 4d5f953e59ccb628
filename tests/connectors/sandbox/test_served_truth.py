"""The known truth, measured in what the platforms serve over HTTP at the end of the demo's 130 weeks."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.sandbox.scenario import BREACH, CSAT, HOURS, START, WEEKS, ScenarioScope, Truth, scopes_of
from connectors.sandbox.testing import RunningSandbox, running_sandbox

pytestmark = pytest.mark.timeout(600)  # half a million records are read

END = START + timedelta(weeks=WEEKS)
YEAR_BEFORE = range(22, 74)  # before the deterioration
CUSTOMER, COUNTRY, SERVICE, RESOLUTION = (f"customfield_{n}" for n in (10010, 10011, 10012, 10031))


@dataclass
class Seen:
    """What one scope's served records say, by week."""

    opened: Counter[int] = field(default_factory=Counter)
    decided: Counter[int] = field(default_factory=Counter)
    breached: Counter[int] = field(default_factory=Counter)
    hours: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    scores: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    def share(self, weeks: range) -> float:
        return sum(self.breached[week] for week in weeks) / sum(self.decided[week] for week in weeks)

    def mean(self, metric: str, weeks: range) -> float:
        found = [value for week in weeks for value in (self.scores if metric == CSAT else self.hours)[week]]
        return sum(found) / len(found)


Served = dict[str, Seen]


def week_of(at: datetime) -> int:
    return (at - START) // timedelta(weeks=1)


def stored(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def pages(url: str, table: str, fields: str) -> Iterator[dict[str, str]]:
    """All rows of a table by keyset, as the platform serves them."""
    order, last, seen = "ORDERBYsys_updated_on^ORDERBYsys_id", "", ""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("admin", "sandbox")
        while True:
            after = f"sys_updated_on>{last}^NQsys_updated_on={last}^sys_id>{seen}^" if last else ""
            params = {
                "sysparm_query": f"{after}{order}",
                "sysparm_fields": f"sys_id,sys_updated_on,{fields}",
                "sysparm_limit": "10000",
                "sysparm_exclude_reference_link": "true",
                "sysparm_no_count": "true",
            }
            answer = session.get(f"{url}/api/now/table/{table}", params=params, timeout=120)
            rows = answer.json()["result"]
            if not rows:
                return
            yield from rows
            last, seen = rows[-1]["sys_updated_on"], rows[-1]["sys_id"]


def from_servicenow(sandbox: RunningSandbox) -> Served:
    url, served = sandbox.servicenow_url, defaultdict(Seen)
    scope_of: dict[str, str] = {}
    names = "opened_at,resolved_at,company.name,location.country,business_service.name"
    for row in pages(url, "incident", names):
        key = f"country={row['location.country']},customer={row['company.name']},service={row['business_service.name']}"
        scope_of[row["sys_id"]] = key
        opened = stored(row["opened_at"])
        served[key].opened[week_of(opened)] += 1
        if row["resolved_at"]:
            spent = (stored(row["resolved_at"]) - opened).total_seconds() / 3600
            served[key].hours[week_of(opened)].append(min(spent, 336.0))
    fields = "task,has_breached,planned_end_time,end_time,stage,sla.target,sla.type"
    for row in pages(url, "task_sla", fields):
        if row["sla.target"] != "resolution" or row["sla.type"] != "SLA" or row["stage"] == "cancelled":
            continue
        is_breached = row["has_breached"] == "true"
        decided = row["planned_end_time"] if is_breached else row["end_time"]
        if decided:
            seen, week = served[scope_of[row["task"]]], week_of(stored(decided))
            seen.decided[week] += 1
            seen.breached[week] += is_breached
    results = pages(url, "asmt_metric_result", "instance,actual_value")
    answers = {row["instance"]: float(row["actual_value"]) for row in results}
    for row in pages(url, "asmt_assessment_instance", "task_id,taken_on"):
        if answers.get(row["sys_id"], -1) >= 1:
            served[scope_of[row["task_id"]]].scores[week_of(stored(row["taken_on"]))].append(answers[row["sys_id"]])
    return served


def from_jira(sandbox: RunningSandbox) -> Served:
    served: Served = defaultdict(Seen)
    asked = ["created", "resolutiondate", CUSTOMER, COUNTRY, SERVICE, RESOLUTION]
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("admin", "sandbox")
        start, total = 0, 1
        while start < total:
            body = {
                "jql": "issuetype = Incident ORDER BY updated ASC, key ASC",
                "fields": asked,
                "startAt": start,
                "maxResults": 1_000,
            }
            answer = session.post(f"{sandbox.jira_dc_url}/rest/api/2/search", json=body, timeout=120).json()
            start, total = start + len(answer["issues"]), answer["total"]
            for issue in answer["issues"]:
                _note(served, issue["fields"])
    return served


def _note(served: Served, shown: dict[str, Any]) -> None:
    country, customer, service = (shown[name]["value"] for name in (COUNTRY, CUSTOMER, SERVICE))
    seen = served[f"country={country},customer={customer},service={service}"]
    opened = datetime.fromisoformat(str(shown["created"])).astimezone(UTC)
    seen.opened[week_of(opened)] += 1
    if shown["resolutiondate"]:
        resolved = datetime.fromisoformat(str(shown["resolutiondate"])).astimezone(UTC)
        seen.hours[week_of(opened)].append(min((resolved - opened).total_seconds() / 3600, 336.0))
    clock = shown[RESOLUTION]
    for cycle in clock["completedCycles"] if isinstance(clock, dict) else ():
        instant = cycle["breachTime" if cycle["breached"] else "stopTime"]["epochMillis"]
        week = week_of(datetime.fromtimestamp(instant / 1000, UTC))
        seen.decided[week] += 1
        seen.breached[week] += cycle["breached"]


@pytest.fixture(scope="module", params=["servicenow", "jira"])
def measured(request: pytest.FixtureRequest) -> tuple[str, Served]:
    """Everything a platform serves of its scopes at the end of the world."""
    platform: str = request.param
    flavour = "servicenow" if platform == "servicenow" else "jira_dc"
    with running_sandbox(platforms=(flavour,), size="demo", now=END) as sandbox:
        return platform, from_servicenow(sandbox) if platform == "servicenow" else from_jira(sandbox)


def odds_ratio(after: float, before: float) -> float:
    return after / (1 - after) / (before / (1 - before))


def after_golive(scope: ScenarioScope) -> range:
    assert scope.golive_week is not None
    return range(scope.golive_week + 1, scope.golive_week + 14)


def test_what_is_served_has_the_known_truth_of_every_scope(measured: tuple[str, Served]) -> None:
    platform, served = measured
    scopes = scopes_of(platform)
    assert len({scope.country for scope in scopes}) == 5
    assert len({scope.customer for scope in scopes}) >= 4
    assert len(scopes) >= 13
    truths = Counter(scope.truth for scope in scopes)
    assert truths[Truth.EFFECT] == 2
    assert truths[Truth.QUIET] >= 6
    assert set(truths) == set(Truth)

    for scope in scopes:
        seen = served[scope.key]
        low, high = (8, 10) if scope.truth is Truth.FEW else (40, 150)
        assert low <= sum(seen.opened.values()) / WEEKS <= high, scope.key

    for scope in scopes:
        seen = served[scope.key]
        if scope.metric != BREACH or scope.golive_week is None:
            continue
        ratio = odds_ratio(seen.share(after_golive(scope)), seen.share(YEAR_BEFORE))
        if scope.truth is Truth.EFFECT:
            assert ratio <= 0.40, (scope.key, ratio)
        elif scope.truth in (Truth.PLACEBO, Truth.REGRESSION):
            assert 0.7 < ratio < 1.4, (scope.key, ratio)
        elif scope.truth is Truth.WORSE:
            assert ratio > 2, (scope.key, ratio)
        elif scope.truth is Truth.TREND:
            quarters = [seen.share(range(first, first + 13)) for first in range(8, 73, 13)]
            assert quarters == sorted(quarters, reverse=True), (scope.key, quarters)


def test_effects_on_time_and_satisfaction_are_served_too(measured: tuple[str, Served]) -> None:
    platform, served = measured
    (scope,) = (s for s in scopes_of(platform) if s.truth is Truth.EFFECT and s.metric in (HOURS, CSAT))
    assert scope.metric is not None
    before = served[scope.key].mean(scope.metric, YEAR_BEFORE)
    after = served[scope.key].mean(scope.metric, after_golive(scope))
    assert (after / before < 0.55) if scope.metric == HOURS else (after - before > 0.5), (before, after)


def test_quiet_scopes_stay_quiet(measured: tuple[str, Served]) -> None:
    platform, served = measured
    for scope in scopes_of(platform):
        if scope.truth is Truth.QUIET:
            ratio = odds_ratio(served[scope.key].share(range(86, 112)), served[scope.key].share(YEAR_BEFORE))
            assert 0.65 < ratio < 1.55, (scope.key, ratio)
