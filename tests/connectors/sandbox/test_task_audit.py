"""What happened to a ticket stands in ``sys_audit``, as far as the clock has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.sandbox.world import TicketEvent

BEGIN = datetime(2025, 6, 2, tzinfo=UTC)
HOUR = 3600
START = int(BEGIN.timestamp())
FIELDS = ("fieldname", "oldvalue", "newvalue", "sys_created_on", "user")


def after(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def text(hours: float) -> str:
    return after(hours).strftime("%Y-%m-%d %H:%M:%S")


@pytest.fixture
def held(a_ticket: Any) -> Any:
    """An incident that is on hold from the fifth hour to the eighth."""
    return a_ticket(
        events=[
            TicketEvent(START + HOUR, {"state": "new", "assignment_group": "Service Desk", "reopen_count": 0}),
            TicketEvent(START + 2 * HOUR, {"state": "in_progress", "assignee": "agent.ada"}),
            TicketEvent(START + 3 * HOUR, {"assignment_group": "Field Service", "reassignment_count": 1}),
            TicketEvent(START + 5 * HOUR, {"state": "on_hold"}),
            TicketEvent(START + 8 * HOUR, {"state": "in_progress"}),
            TicketEvent(START + 11 * HOUR, {"state": "resolved"}),
        ]
    )


def history(api: Any, sys_id: str, more: str = "") -> list[tuple[str, ...]]:
    rows = api.list("sys_audit", f"documentkey={sys_id}{more}^ORDERBYsys_created_on", fields=",".join(FIELDS))
    # What one save changed has one time, in no order of its own.
    return sorted((tuple(row[name] for name in FIELDS) for row in rows), key=lambda row: (row[3], row[0]))


def test_states_and_hold_reasons_are_audited_as_the_clock_moves(
    serve: Callable[..., Any], a_world: Any, held: Any
) -> None:
    sandbox, api = serve(a_world(held), now=after(6))
    incident = api.list("incident")[0]
    assert incident["hold_reason"] == "1"
    ada = "agent.ada"
    until_now = [
        ("state", "1", "2", text(2), ada),
        ("hold_reason", "", "1", text(5), ada),
        ("state", "2", "3", text(5), ada),
    ]
    assert history(api, incident["sys_id"]) == until_now

    sandbox.set_clock(after(24))
    later = [
        ("hold_reason", "1", "", text(8), ada),
        ("state", "3", "2", text(8), ada),
        ("state", "2", "6", text(11), ada),
    ]
    assert history(api, incident["sys_id"]) == [*until_now, *later]
    assert history(api, incident["sys_id"]) == [*until_now, *later]  # asked twice, written once
    assert history(api, incident["sys_id"], "^tablename=problem") == []
    assert len(history(api, incident["sys_id"], "^tablename=incident^fieldnameINstate,hold_reason")) == 6
    assert api.count("sys_audit", f"documentkeyIN{incident['sys_id']},{'0' * 32}") == 6


def test_a_change_that_keeps_the_stored_state_is_none(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    # A requested item is resolved and closed with the same stored value.
    _, api = serve(a_world(a_ticket(kind="request", slas=[])), now=after(100))
    item = api.list("sc_req_item")[0]
    assert [row[1:3] for row in history(api, item["sys_id"])] == [("1", "2"), ("2", "3")]


def test_what_an_event_did_stands_beside_it(serve: Callable[..., Any], a_world: Any, held: Any) -> None:
    sandbox, api = serve(a_world(held), now=after(6))
    sys_id = api.list("incident")[0]["sys_id"]
    sandbox.happen("servicenow", "caller_reply", count=1)
    assert ("hold_reason", "1", "", text(6), "system") in history(api, sys_id)


def test_metrics_measure_what_the_audit_tells_of_fields_that_have_one(
    serve: Callable[..., Any], a_world: Any, held: Any
) -> None:
    sandbox, api = serve(a_world(held), now=after(6))
    sandbox.set_options("servicenow", metric_fields=["incident_state", "hold_reason"])
    incident = api.list("incident")[0]["sys_id"]

    def measured(field: str) -> list[tuple[str, ...]]:
        query = f"id={incident}^definition.field={field}^ORDERBYstart"
        return [
            tuple(row[name] for name in ("field_value", "value", "start", "end", "calculation_complete"))
            for row in api.list("metric_instance", query)
        ]

    new, working = ("1", "New", text(1), text(2), "true"), ("2", "In Progress", text(2), text(5), "true")
    assert measured("incident_state") == [new, working, ("3", "On Hold", text(5), "", "false")]
    assert measured("hold_reason") == [("1", "Awaiting Caller", text(5), "", "false")]
    sandbox.set_clock(after(9))
    assert measured("incident_state")[2:] == [
        ("3", "On Hold", text(5), text(8), "true"),
        ("2", "In Progress", text(8), "", "false"),
    ]
    assert measured("hold_reason") == [("1", "Awaiting Caller", text(5), text(8), "true")]
    durations = api.list("metric_instance", f"id={incident}^field=hold_reason", fields="duration")
    assert durations == [{"duration": "1970-01-01 03:00:00"}]
    sandbox.set_options("servicenow", metric_fields=[])
    assert api.list("metric_definition") == []
