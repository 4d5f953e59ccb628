"""Points per hour, over HTTP: we count our own, stop before Jira refuses, and go on in the next hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors import budget
from connectors.base import Cursor
from connectors.budget import BudgetSpent
from connectors.config import ConnectionConfig
from connectors.jira.connector import JiraConnector
from connectors.sandbox.generator import generate
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from improvement.errors import ConnectionFailed, OutcomeUnknown, SettingsError
from improvement.records import RecordKind, RecordRef

from .conftest import Connect, Desk

POINTS = 700
MIDDAY = datetime(2026, 3, 2, 12, 10, tzinfo=UTC)


class Hours:
    """Our wall clock, which tests turn."""

    def __init__(self) -> None:
        self.now = MIDDAY

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    clock = Hours()

    def counted(config: Any, file: Path) -> budget.Budget:
        return whole(config, file, now=clock, sleep=lambda seconds: None)

    whole = budget.Budget
    monkeypatch.setattr(budget, "Budget", counted)
    return clock


@pytest.fixture(scope="module")
def site(now: datetime) -> Iterator[RunningSandbox]:
    world = generate("jira", size="small")
    world.tickets = world.tickets[::4]
    with running_sandbox(platforms=("jira_cloud",), worlds={"jira": world}, now=now) as running:
        yield running


@pytest.fixture
def limited(site: RunningSandbox) -> Iterator[RunningSandbox]:
    """A Jira that serves so many points an hour."""
    site.set_options("jira_cloud", hourly_points=POINTS)
    yield site
    site.set_options("jira_cloud", hourly_points=0, limits_issue_writes=False)


def pulled(connector: JiraConnector, cursor: Cursor | None, until: datetime) -> tuple[list[str], Cursor | None, str]:
    """The tickets' ids, how far the pull came, and why it ended."""
    ids: list[str] = []
    try:
        for page in connector.pull(RecordKind.TICKET, cursor, until=until):
            ids += page.batch["id"].to_pylist()
            cursor = page.cursor
    except ConnectionFailed as error:
        return ids, cursor, str(error)
    return ids, cursor, ""


def test_our_own_budget_ends_before_jira_refuses_and_the_pull_goes_on_in_the_next_hour(
    limited: RunningSandbox, connect: Connect, hours: Hours, now: datetime
) -> None:
    def connector() -> JiraConnector:
        return connect("jira_cloud", at=limited, hourly_points=POINTS, page_size=30, max_concurrency=1)

    found: set[str] = set()
    cursor: Cursor | None = None
    reasons = []
    for _ in range(30):
        ids, cursor, reason = pulled(connector(), cursor, now)
        assert limited.stats("jira_cloud")["refused"] == {}
        assert limited.stats("jira_cloud")["points"] <= POINTS
        found |= set(ids)
        if not reason:
            break
        reasons.append(reason)
        hours.now += timedelta(hours=1)
        limited.set_options("jira_cloud", hourly_points=POINTS)
    assert len(reasons) >= 2
    assert f"budget of {POINTS} points for this hour is spent; the next begins at 13:00 UTC" in reasons[0]
    limited.set_options("jira_cloud", hourly_points=0)
    everything, _, _ = pulled(connect("jira_cloud", at=limited), None, now)
    assert found == set(everything)


def test_without_a_budget_jira_refuses_and_says_until_when(limited: RunningSandbox, connect: Connect) -> None:
    connector = connect("jira_cloud", at=limited, max_wait_s=0)
    _, _, reason = pulled(connector, None, datetime(2024, 7, 29, 12, tzinfo=UTC))
    assert "asks to wait" in reason
    assert limited.stats("jira_cloud")["refused"]["jira-quota-global-based"] >= 1


def test_processes_of_a_connection_share_what_is_spent(
    limited: RunningSandbox, connect: Connect, hours: Hours, tmp_path: Path
) -> None:
    config = ConnectionConfig(
        name="acme", platform="jira", url=limited.urls["jira_cloud"], user="regelkreis@example.com",
        password="sandbox", hourly_points=400,
    )  # fmt: skip
    assert config.points_file is None
    given = config.keeping_tokens(tmp_path / "tokens" / "acme.token", ()).points_file  # as the settings give it
    together = {"hourly_points": 400, "points_file": given}
    connect("jira_cloud", at=limited, **together).site  # noqa: B018 - five requests
    other = connect("jira_cloud", at=limited, **together)
    with pytest.raises(BudgetSpent):
        other.reader.read("/rest/api/2/field", what="field")
    hours.now += timedelta(hours=1)
    assert other.reader.read("/rest/api/2/field", what="field").ok


def test_a_budget_without_a_file_is_refused_because_each_session_would_spend_all_of_it(connect: Connect) -> None:
    with pytest.raises(SettingsError, match="names no file to count them in"):
        connect("jira_cloud", hourly_points=400, points_file=None)
    connect("jira_cloud", hourly_points=0, points_file=None)


def test_a_wait_that_is_short_enough_is_waited(monkeypatch: pytest.MonkeyPatch, a_budget: Any) -> None:
    spent, hours, slept = a_budget(max_wait_s=700.0)
    hours.now = MIDDAY + timedelta(minutes=40)
    for _ in range(3):
        spent.take(5)
    assert slept == [600.0]


@pytest.fixture
def a_budget(tmp_path: Path) -> Callable[..., tuple[budget.Budget, Hours, list[float]]]:
    """Ten points an hour, with its clock and what it slept; sleeping turns the clock."""

    def made(**parts: Any) -> tuple[budget.Budget, Hours, list[float]]:
        hours, slept = Hours(), list[float]()

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            hours.now += timedelta(seconds=seconds)

        base = {"name": "acme", "platform": "jira", "url": "https://acme.example", "user": "rk", "password": "pw-1234"}
        config = ConnectionConfig(**{**base, "hourly_points": 10, **parts})  # type: ignore[arg-type]
        return budget.Budget(config, tmp_path / "acme.points", now=hours, sleep=sleep), hours, slept

    return made


@pytest.mark.parametrize(
    ("method", "path", "body", "points"),
    [
        ("GET", "/rest/api/3/issue/ABC-123", None, 2),
        ("POST", "/rest/api/3/issue", {"fields": {}}, 1),
        ("PUT", "/rest/api/3/issue/ABC-123/properties/x", {}, 1),
        ("POST", "/rest/api/3/search/jql", {"jql": "x", "maxResults": 100}, 101),
        ("POST", "/rest/api/3/search/jql", {"jql": "x"}, 101),
        ("GET", "/rest/api/3/search/jql?jql=x&maxResults=40", None, 41),
        ("POST", "/rest/api/3/search/approximate-count", {"jql": "x"}, 2),
        ("POST", "/rest/api/3/changelog/bulkfetch", {"issueIdsOrKeys": ["7", "8"], "maxResults": 1000}, 3),
        ("GET", "/rest/api/3/myself", None, 3),
        ("GET", "/rest/api/3/field", None, 101),
    ],
)
def test_points_are_counted_as_the_vendor_does_or_a_little_more(method: str, path: str, body: Any, points: int) -> None:
    request = requests.Request(method, f"https://acme.atlassian.net{path}", json=body).prepare()
    assert budget.atlassian_points(request) == points


@pytest.mark.parametrize(
    ("parts", "points"),
    [
        ({"platform": "jira", "oauth": {"client_id": "c", "client_secret": "s"}}, 65_000),
        ({"platform": "jira", "oauth": {"client_id": "c", "client_secret": "s"}, "hourly_points": 0}, 0),
        ({"platform": "jira", "user": "rk", "token": "t-123456"}, 0),
        ({"platform": "servicenow", "user": "rk", "password": "pw-1234"}, 0),
        ({"platform": "servicenow", "user": "rk", "password": "pw-1234", "hourly_points": 5000}, 5000),
    ],
)
def test_only_apps_of_jira_cloud_have_a_budget_unless_one_is_set(parts: dict[str, Any], points: int) -> None:
    config = ConnectionConfig(**{"name": "acme", "url": "https://acme.example", **parts})
    assert config.points_per_hour == points


def test_one_request_may_always_be_made_however_dear(a_budget: Any) -> None:
    spent, _, slept = a_budget(max_wait_s=0.0)
    spent.take(101)
    with pytest.raises(BudgetSpent, match="hour is spent"):
        spent.take(1)
    assert slept == []


def test_a_higher_budget_counts_at_once(a_budget: Any) -> None:
    spent, _, _ = a_budget(max_wait_s=0.0)
    spent.take(10)
    with pytest.raises(BudgetSpent, match="set hourly_points higher: that counts at once"):
        spent.take(1)
    raised, _, _ = a_budget(max_wait_s=0.0, hourly_points=12)
    raised.take(2)
    with pytest.raises(BudgetSpent, match="hour is spent"):
        raised.take(1)


def write_notes(desk: Desk, ref: RecordRef, count: int) -> None:
    for number in range(count):
        desk.note(ref, text=f"note {number}", name=f"note/{number}")


@pytest.mark.parametrize("flavour", ["jira_cloud"])
def test_an_issue_that_is_written_too_often_answers_429_and_nothing_is_lost(desk: Desk) -> None:
    ref = desk.create().ref
    desk.running.set_options(desk.flavour, limits_issue_writes=True)
    try:
        with pytest.raises(ConnectionFailed) as caught:
            write_notes(desk, ref, 130)
        assert "429" in str(caught.value)
        assert not isinstance(caught.value, OutcomeUnknown)
        assert desk.running.stats(desk.flavour)["refused"]["jira-per-issue-on-write"] == 1
    finally:
        desk.running.set_options(desk.flavour, limits_issue_writes=False)
    assert not desk.note(ref, text="note later", name="note/later").was_found
