"""Issues in Jira = tickets and clocks pulled, field by field, whatever happens between and during the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connectors.base import Cursor
from connectors.jira import pull
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World, WorldPerson, WorldTicket
from improvement.records import RecordKind

from .conftest import FLAVOURS, Connect

TICKET, SLA = RecordKind.TICKET, RecordKind.SLA
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNTIL = NOON + timedelta(hours=9)
TICKETS = 70
RESOLUTION = "customfield_10031"
STATES = {"open": "new", "in progress": "in_progress", "resolved": "resolved", "closed": "closed"}
OURS = {"path": "/search", "query": None}
#: What a day may bring, each some requests after the pull began.
FAULTS = (
    {"kind": "changing", "records": 5},
    MANY_CHANGE := {"kind": "changing", "records": 30},
    {"kind": "cut_body"},
    {"kind": "cut_connection"},
    {"kind": "error_in_200"},
    {"kind": "duplicate_page"},
    {"kind": "repeat_token"},
    {"kind": "expired_token"},
    {"kind": "reset_before"},
    {"kind": "unavailable", "seconds": 0},
    {"kind": "rate_limit", "seconds": 0},
    {"kind": "html_page"},
)


@pytest.fixture(scope="module")
def busy() -> Iterator[RunningSandbox]:
    """Tickets of which dozens were updated in the same minute, on both flavours."""
    from .conftest import _an_incident

    tickets: list[WorldTicket] = []
    for uid in range(1, TICKETS + 1):
        at = NOON + timedelta(seconds=uid // 4) if uid <= 50 else NOON + timedelta(minutes=7 * (uid - 45))
        tickets.append(_an_incident(uid, at, resolved_after_h=(None, 2, 5)[uid % 3], title=f"Ticket {uid} 🚑"))
    people = [WorldPerson("olga.owner", "Olga Owner", "olga.owner@example.com", "Europe/Zurich", ("owner",))]
    world = World(
        "jira", int(NOON.timestamp()), 1, tickets, customers=[("Acme", "CH")], services=["Mail"], people=people
    )
    with running_sandbox(platforms=FLAVOURS, worlds={"jira": world}, now=UNTIL) as running:
        yield running


@settings(max_examples=7, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    page_size=st.integers(1, 40),
    flush_rows=st.sampled_from([1, 23, 50_000]),
    day=st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 6)), max_size=3),
    between=st.lists(st.lists(st.integers(0, TICKETS - 1), max_size=4), max_size=4),
)
@example(page_size=3, flush_rows=1, day=[(MANY_CHANGE, 5), ({"kind": "repeat_token"}, 7)], between=[])
@example(page_size=3, flush_rows=1, day=[(MANY_CHANGE, 5), ({"kind": "expired_token"}, 8)], between=[])
def test_what_jira_shows_is_what_arrives(
    busy: RunningSandbox,
    connect: Connect,
    flavour: Flavour,
    page_size: int,
    flush_rows: int,
    day: list[tuple[dict[str, Any], int]],
    between: list[list[int]],
) -> None:
    busy.set_faults(flavour)
    ask = _administrator(busy, flavour)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pull, "FLUSH_ROWS", flush_rows)
        connector = connect(flavour, at=busy, page_size=page_size, max_attempts=20)
        keys = [f"OPS-{number}" for number in range(1, TICKETS + 1)]
        assert connector.site.me.account
        busy.set_faults(flavour, *({**OURS, "after": after, **fault} for fault, after in day))
        found, cursors, waiting = {}, {}, iter(between)

        def people_work() -> None:
            for place in next(waiting, []):
                ask("PUT", keys[place], json={"fields": {"summary": f"{keys[place]} changed"}})

        for kind in (TICKET, SLA):
            found[kind], cursors[kind] = _pulled(connector, kind, None, people_work)
        busy.set_faults(flavour)
        waiting = iter(())  # all went home
        for kind in (TICKET, SLA):
            found[kind] |= _pulled(connector, kind, cursors[kind], people_work)[0]
    issues = [ask("GET", key) for key in keys]
    assert found[TICKET] == {issue["id"]: _ticket(issue) for issue in issues}
    assert found[SLA] == {id: clock for issue in issues for id, clock in _clocks(issue)}


def _pulled(
    connector: Any, kind: RecordKind, cursor: Cursor | None, people_work: Callable[[], None]
) -> tuple[dict[str, dict[str, Any]], Cursor]:
    """The rows by id, the last of each; between two pages people work on the platform."""
    rows: dict[str, dict[str, Any]] = {}
    for page in connector.pull(kind, cursor, until=UNTIL):
        assert page.rejected == ()
        rows |= {row["id"]: row for row in page.batch.to_pylist()}
        cursor = page.cursor
        people_work()
    assert cursor is not None
    if kind is TICKET:
        names = ("number", "title", "state", "priority", "customer", "opened_at", "resolved_at", "updated_at")
    else:
        names = ("ticket_id", "stage", "is_breached", "start_at", "end_at", "breach_at", "goal_s", "updated_at")
    return {id: {name: row[name] for name in names} for id, row in rows.items()}, cursor


def _administrator(running: RunningSandbox, flavour: Flavour) -> Callable[..., Any]:
    """Somebody who reads and changes one issue at a time, with nothing of ours in between."""
    session = requests.Session()
    session.trust_env = False
    session.auth = ("admin@example.com" if flavour == "jira_cloud" else "admin", "sandbox")

    def ask(method: str, key: str, **options: Any) -> Any:
        response = session.request(method, f"{running.urls[flavour]}/rest/api/2/issue/{key}", timeout=30, **options)
        assert response.ok, response.text
        return response.json() if response.content else None

    return ask


def _ticket(issue: dict[str, Any]) -> dict[str, Any]:
    fields = issue["fields"]
    return {
        "number": issue["key"],
        "title": fields["summary"],
        "state": STATES[fields["status"]["name"].casefold()],
        "priority": int(fields["priority"]["id"]),
        "customer": "Acme",
        "opened_at": _instant(fields["created"]),
        "resolved_at": _instant(fields["resolutiondate"]),
        "updated_at": _instant(fields["updated"]),
    }


def _clocks(issue: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    clock = issue["fields"][RESOLUTION]
    running = [clock["ongoingCycle"]] if clock.get("ongoingCycle") else []
    for cycle in [*clock["completedCycles"], *running]:
        start = cycle["startTime"]["epochMillis"]
        yield (
            f"{issue['id']}:{clock['id']}:{start}",
            {
                "ticket_id": issue["id"],
                "stage": "completed" if "stopTime" in cycle else "in_progress",
                "is_breached": cycle["breached"],
                "start_at": _moment(cycle["startTime"]),
                "end_at": _moment(cycle.get("stopTime")),
                "breach_at": _moment(cycle.get("breachTime")),
                "goal_s": cycle["goalDuration"]["millis"] // 1000,
                "updated_at": _instant(issue["fields"]["updated"]),
            },
        )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _moment(at: dict[str, Any] | None) -> datetime | None:
    return datetime.fromtimestamp(at["epochMillis"] / 1000, UTC) if at else None
