"""When tickets were on hold and what for: from the audit, and only where it tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent
from connectors.servicenow import waiting
from connectors.servicenow.connector import ServiceNowConnector
from connectors.waiting import TellsWaiting, Wait
from improvement.errors import PermissionMissing
from tests.connectors.servicenow.conftest import END, HOUR, START, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]
Connect = Callable[..., ServiceNowConnector]


def open_tickets(*uids: int) -> Any:
    """Incidents that are worked on."""
    events = [TicketEvent(START + HOUR, {"state": "new"}), TicketEvent(START + 2 * HOUR, {"state": "in_progress"})]
    return a_world(*(a_ticket(uid, events=events, slas=[], survey=None) for uid in uids))


def at(hours: float) -> datetime:
    return END + timedelta(hours=hours)


@pytest.fixture
def running(serve: Serve) -> RunningSandbox:
    return serve(open_tickets(1, 2, 3))


@pytest.fixture
def changed(running: RunningSandbox) -> Callable[..., None]:
    """Somebody changes an incident: ``changed(3, id, state="3", hold_reason="1")``, three hours after the week."""
    somebody = Person(running.servicenow_url, "admin")

    def change(hours: float, id: str, **values: str) -> None:
        running.set_clock(at(hours))
        somebody.change("incident", id, **values)

    return change


def ids(running: RunningSandbox) -> list[str]:
    return [row["sys_id"] for row in Person(running.servicenow_url, "admin").find("incident", "ORDERBYnumber")]


def test_spans_on_hold_have_their_reason_by_its_label(
    running: RunningSandbox, connect: Connect, changed: Callable[..., None]
) -> None:
    waited, never, _ = ids(running)
    changed(1, waited, state="3", hold_reason="1")
    changed(2, never, state="6", close_code="Solution provided", close_notes="Done.")
    changed(4, waited, hold_reason="4")  # now for the vendor
    changed(5, waited, state="2", hold_reason="")
    changed(7, waited, state="3", hold_reason="1")
    connector = connect(running)
    assert isinstance(connector, TellsWaiting)
    assert connector.waits([waited, never]) == {
        waited: (
            Wait(begin=at(1), end=at(4), why="Awaiting Caller"),
            Wait(begin=at(4), end=at(5), why="Awaiting Vendor"),
            Wait(begin=at(7), end=None, why="Awaiting Caller"),
        ),
        never: (),
    }


def test_a_ticket_whose_changes_nobody_audited_is_left_out(running: RunningSandbox, connect: Connect) -> None:
    made = Person(running.servicenow_url, "admin").create("incident", short_description="Somebody typed it in")
    assert connect(running).waits([made["sys_id"]]) == {}


def test_answers_that_may_be_cut_short_tell_nothing(
    running: RunningSandbox, connect: Connect, changed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = ids(running)
    changed(1, first, state="3", hold_reason="1")
    monkeypatch.setattr(waiting, "MAX_ROWS", 2)
    assert connect(running).waits([first, second]) == {}


def test_without_the_right_to_the_audit_it_says_so(serve: Serve, connect: Connect) -> None:
    running = serve(open_tickets(1), denied={"regelkreis": ("sys_audit",)})
    with pytest.raises(PermissionMissing):
        connect(running).waits(ids(running))
