"""Records in platform = records pulled, field by field, whatever happens between and during the pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Cursor
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import TicketEvent
from connectors.servicenow import pull
from improvement.records import RecordKind

from .conftest import END, HOUR, START, Connect, Person, a_ticket, a_world

TICKET, SLA = RecordKind.TICKET, RecordKind.SLA
TICKETS = 90
STATES = {"1": "new", "2": "in_progress", "3": "on_hold", "6": "resolved", "7": "closed", "8": "cancelled"}
STAGES = {"in_progress": "in_progress", "paused": "paused", "completed": "completed", "cancelled": "cancelled"}
HIDDEN = {"": [], "priority=2": ["2"], "priorityIN1,3": ["1", "3"], "priorityIN1,2,3,4": ["1", "2", "3", "4"]}
OURS = {"path": "/table/(incident|task_sla)$", "query": "ORDERBYsys_updated_on"}  # the pull's requests alone
#: What a day may bring, each some requests after the pull began.
FAULTS = (
    {"kind": "changing", "records": 7},
    {"kind": "changing", "records": 40},
    {"kind": "cut_body"},
    {"kind": "cut_connection"},
    {"kind": "error_in_200"},
    {"kind": "duplicate_page"},
    {"kind": "reset_before"},
    {"kind": "unavailable", "seconds": 0},
    {"kind": "rate_limit", "seconds": 0},
    {"kind": "html_page"},
    {"kind": "error_in_200", "min_limit": 11, "times": 3},
)


@pytest.fixture(scope="module")
def small() -> Iterator[RunningSandbox]:
    """Tickets of which dozens were resolved, and last updated, in the same second."""
    tickets = []
    for uid in range(1, TICKETS + 1):
        opened = START + HOUR + uid
        ended = START + 30 * HOUR + uid % 3
        events = [TicketEvent(opened, {"state": "new", "assignment_group": "Desk", "reopen_count": 0})]
        if uid % 5:
            events.append(TicketEvent(ended, {"state": "resolved" if uid % 2 else "cancelled"}))
        tickets.append(a_ticket(uid, opened=opened, priority=1 + uid % 4, title=f"Ticket {uid} 🚑", events=events))
    with running_sandbox(platforms=("servicenow",), worlds={"servicenow": a_world(*tickets)}, now=END) as running:
        yield running


changes = st.lists(
    st.tuples(st.integers(0, TICKETS - 1), st.sampled_from(["1", "2", "3"]), st.sampled_from("ab^é")), max_size=4
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    page_size=st.integers(1, 40),
    batch_rows=st.sampled_from([1, 17, 50_000]),
    hidden=st.sampled_from(sorted(HIDDEN)),
    mass=st.integers(0, TICKETS),
    day=st.lists(st.tuples(st.sampled_from(FAULTS), st.integers(0, 9)), max_size=4),
    between=st.lists(changes, max_size=4),
)
def test_what_the_platform_shows_is_what_arrives(
    small: RunningSandbox,
    connect: Connect,
    page_size: int,
    batch_rows: int,
    hidden: str,
    mass: int,
    day: list[tuple[dict[str, Any], int]],
    between: list[list[tuple[int, str, str]]],
) -> None:
    admin = Person(small.servicenow_url, "admin")
    small.set_faults("servicenow")
    small.set_options("servicenow", hidden_rows={"regelkreis": {"incident": hidden} if hidden else {}})
    ids = [row["sys_id"] for row in _shown(admin, "incident")]
    small.happen("servicenow", "mass_update", table="incident", count=mass)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pull, "BATCH_ROWS", batch_rows)
        connector = connect(small, page_size=page_size, max_attempts=20)
        connector._plans_of(TICKET)
        small.set_faults("servicenow", *({**OURS, "after": after, **fault} for fault, after in day))
        waiting = iter(between)
        found, cursors = {}, {}
        for kind in (TICKET, SLA):
            found[kind], cursors[kind] = _pulled(connector, kind, None, ids, admin, waiting)
        small.set_faults("servicenow")
        for kind in (TICKET, SLA):
            found[kind] |= _pulled(connector, kind, cursors[kind], ids, admin, iter(()))[0]
    tickets = {row["sys_id"]: row for row in _shown(admin, "incident")}
    visible = [row for row in tickets.values() if row["priority"] not in HIDDEN[hidden]]
    assert found[TICKET] == {row["sys_id"]: _ticket(row) for row in visible}
    assert found[SLA] == {row["sys_id"]: _clock(row) for row in _shown(admin, "task_sla")}


def _pulled(
    connector: Any,
    kind: RecordKind,
    cursor: Cursor | None,
    ids: list[str],
    admin: Person,
    between: Iterator[list[tuple[int, str, str]]],
) -> tuple[dict[str, dict[str, Any]], Cursor]:
    """The rows by id, the last of each; between two pages people work on the platform."""
    rows: dict[str, dict[str, Any]] = {}
    for page in connector.pull(kind, cursor, until=END):
        assert page.rejected == ()
        rows |= {row["id"]: row for row in page.batch.to_pylist()}
        cursor = page.cursor
        for place, state, text in next(between, []):
            admin.change("incident", ids[place], state=state, short_description=f"{text} changed")
    assert cursor is not None
    if kind is TICKET:
        names = ("number", "title", "state", "priority", "customer", "service", "opened_at", "created_at", "updated_at")
    else:
        names = ("ticket_id", "stage", "is_breached", "start_at", "end_at", "breach_at", "updated_at")
    return {id: {name: row[name] for name in names} for id, row in rows.items()}, cursor


def _shown(admin: Person, table: str) -> list[dict[str, str]]:
    """What the platform itself shows somebody from whom nothing is hidden."""
    rows: list[dict[str, str]] = admin.find(table, "ORDERBYsys_id")
    return rows


def _ticket(row: dict[str, str]) -> dict[str, Any]:
    return {
        "number": row["number"],
        "title": row["short_description"],
        "state": STATES[row["state"]],
        "priority": int(row["priority"]),
        "customer": "Acme",
        "service": "Mail",
        "opened_at": _instant(row["opened_at"]),
        "created_at": _instant(row["sys_created_on"]),
        "updated_at": _instant(row["sys_updated_on"]),
    }


def _clock(row: dict[str, str]) -> dict[str, Any]:
    return {
        "ticket_id": row["task"],
        "stage": STAGES[row["stage"]],
        "is_breached": row["has_breached"] == "true",
        "start_at": _instant(row["start_time"]),
        "end_at": _instant(row["end_time"]),
        "breach_at": _instant(row["planned_end_time"]),
        "updated_at": _instant(row["sys_updated_on"]),
    }


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None
