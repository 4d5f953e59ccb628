"""When tickets were on hold and what for: from the audit, and only where it tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.mapping import FieldMap
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent
from connectors.servicenow import histories
from connectors.servicenow import measured as measured_
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
    running.set_options("servicenow", metric_fields=BOTH)
    monkeypatch.setattr(histories, "MAX_ROWS", 2)
    assert connect(running).waits([first, second]) == {}


def test_without_the_right_to_the_audit_it_says_so(serve: Serve, connect: Connect) -> None:
    running = serve(open_tickets(1), denied={"regelkreis": ("sys_audit",)})
    with pytest.raises(PermissionMissing):
        connect(running).waits(ids(running))


# --- the instance's own metrics -------------------------------------------------------------------------------------

NO_AUDIT = {"regelkreis": ("sys_audit",)}
BOTH = ("incident_state", "hold_reason")


@pytest.fixture
def measured(running: RunningSandbox) -> Callable[..., None]:
    """The audit is closed to us, and these fields are measured."""

    def measure(*fields: str) -> None:
        running.set_options("servicenow", denied=NO_AUDIT, metric_fields=fields)

    return measure


def test_where_the_audit_is_closed_metrics_tell_the_same(
    running: RunningSandbox, connect: Connect, changed: Callable[..., None], measured: Callable[..., None]
) -> None:
    waited, never, _ = ids(running)
    changed(1, waited, state="3", hold_reason="1")
    changed(2, never, state="6", close_code="Solution provided", close_notes="Done.")
    changed(4, waited, hold_reason="4")
    changed(5, waited, state="2", hold_reason="")
    changed(7, waited, state="3", hold_reason="1")
    audited = connect(running).waits([waited, never])
    measured(*BOTH)
    assert connect(running).waits([waited, never]) == audited
    assert len(audited[waited]) == 3


def test_without_a_metric_of_the_reason_nobody_knows_what_for(
    running: RunningSandbox, connect: Connect, changed: Callable[..., None], measured: Callable[..., None]
) -> None:
    waited, never, _ = ids(running)
    changed(1, waited, state="3", hold_reason="1")
    changed(4, waited, state="2", hold_reason="")
    measured("incident_state")
    assert connect(running).waits([waited, never]) == {waited: (Wait(begin=at(1), end=at(4), why=""),), never: ()}


def test_a_metric_of_the_reason_alone_tells_nothing(
    running: RunningSandbox, connect: Connect, changed: Callable[..., None], measured: Callable[..., None]
) -> None:
    waited, _, _ = ids(running)
    changed(1, waited, state="3", hold_reason="1")
    measured("hold_reason")
    with pytest.raises(PermissionMissing):
        connect(running).waits([waited])


def test_metrics_that_may_not_be_read_leave_the_audits_refusal(
    running: RunningSandbox, connect: Connect, measured: Callable[..., None]
) -> None:
    measured(*BOTH)
    running.set_options("servicenow", denied={"regelkreis": ("sys_audit", "metric_instance")})
    with pytest.raises(PermissionMissing, match="sys_audit"):
        connect(running).waits(ids(running))


@pytest.mark.parametrize("hidden", ["metric_instance.start", "metric_instance.field_value"])
def test_metrics_of_which_a_right_hides_a_part_tell_nothing_and_take_nothing_from_the_audit(
    running: RunningSandbox, connect: Connect, changed: Callable[..., None], measured: Callable[..., None], hidden: str
) -> None:
    waited, _, _ = ids(running)
    changed(1, waited, state="3", hold_reason="1")
    made = Person(running.servicenow_url, "admin").create("incident", short_description="Somebody typed it in")
    measured(*BOTH)
    running.set_options("servicenow", denied={"regelkreis": (f"{hidden}:read",)})
    assert connect(running).waits([waited, made["sys_id"]]) == {
        waited: (Wait(begin=at(1), end=None, why="Awaiting Caller"),)
    }


def test_a_ticket_nobody_audited_is_told_by_metrics(
    running: RunningSandbox, connect: Connect, changed: Callable[..., None]
) -> None:
    made = Person(running.servicenow_url, "admin").create("incident", short_description="Somebody typed it in")
    running.set_options("servicenow", metric_fields=BOTH)
    assert connect(running).waits([made["sys_id"]]) == {made["sys_id"]: ()}


def test_metrics_are_asked_of_tickets_only_that_no_audit_told(
    running: RunningSandbox, connect: Connect, changed: Callable[..., None]
) -> None:
    waited, _, _ = ids(running)
    changed(1, waited, state="3", hold_reason="1")
    running.set_options("servicenow", metric_fields=BOTH)
    connector = connect(running)
    asked: list[str] = []
    read = connector._instance.reader.read
    connector._instance.reader.read = lambda url, **parts: (asked.append(url), read(url, **parts))[1]  # type: ignore[method-assign]
    assert list(connector.waits([waited])) == [waited]
    assert [url for url in asked if "metric" in url] == []


class Told:
    """An instance whose tables say what a story wants."""

    def __init__(self, *instances: dict[str, str], created: str = "2026-03-02 08:00:00") -> None:
        self.instances, self.created = instances, created

    def rows(self, table: str, query: str, fields: Any) -> list[dict[str, str]]:
        if table == measured_.DEFINITIONS:
            kind = {"type": "field_value_duration", "table": "incident"}
            other = {"sys_id": "d9", "table": "problem", "field": "state", "type": kind["type"]}
            return [other, kind | {"sys_id": "d1", "field": "state"}, kind | {"sys_id": "d2", "field": "hold_reason"}]
        return [dict.fromkeys(measured_.FIELDS, "") | {"id": "t1", "definition": "d1"} | one for one in self.instances]

    def rows_of(self, table: str, column: str, wanted: Any, query: str, fields: Any) -> list[dict[str, str]]:
        return [{"sys_id": "t1", "sys_created_on": self.created}]


def told(*instances: dict[str, str], created: str = "2026-03-02 08:00:00") -> Any:
    state = FieldMap(fields=("state",), values={"1": "new", "3": "on_hold"})
    choices = {"state": {"1": "New", "3": "On Hold"}, "hold_reason": {"1": "Awaiting Caller"}}
    return measured_.waits(Told(*instances, created=created), "incident", state, choices, ["t1"]).get("t1")  # type: ignore[arg-type]


def stay(value: str, start: str, end: str = "", **more: str) -> dict[str, str]:
    day = "2026-03-02 "
    return {"field_value": value, "start": day + start, "end": end and day + end, **more}


OPEN, HELD = stay("1", "08:00:00", "09:00:00"), stay("3", "09:00:20", "11:00:00")


def march(hour: int, second: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, 0, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instances", "found"),
    [
        ((OPEN, HELD), (Wait(begin=march(9, 20), end=march(11), why=""),)),
        (
            ({**OPEN, "field_value": "", "value": "New"}, {**HELD, "field_value": "", "value": "On Hold"}),
            (Wait(begin=march(9, 20), end=march(11), why=""),),
        ),
        ((HELD,), None),  # measured only since it was on hold
        ((OPEN, stay("3", "10:00:00", "11:00:00")), None),  # an hour of which nothing is known
        ((stay("1", "08:00:00"), HELD), None),  # the first one never ended
        (({**OPEN, "field_value": "", "value": "Parked"}, HELD), None),  # a label of which nobody knows the value
    ],
)
def test_only_states_without_a_gap_from_the_beginning_count(instances: Any, found: Any) -> None:
    assert told(*instances) == found


def test_a_reason_for_part_of_a_stay_leaves_the_rest_without_one() -> None:
    reason = stay("1", "09:30:00", "10:30:00", definition="d2")
    spans = told(OPEN, HELD, reason)
    half = timedelta(minutes=30)
    assert spans == (
        Wait(begin=march(9, 20), end=march(9) + half, why=""),
        Wait(begin=march(9) + half, end=march(10) + half, why="Awaiting Caller"),
        Wait(begin=march(10) + half, end=march(11), why=""),
    )


def test_a_stay_and_a_reason_that_last_are_one_span_that_lasts() -> None:
    spans = told(OPEN, stay("3", "09:00:00"), stay("1", "09:00:01", definition="d2"))
    assert spans == (Wait(begin=march(9), end=None, why="Awaiting Caller"),)


def test_a_ticket_older_than_the_metric_is_not_told() -> None:
    assert told(OPEN, HELD, created="2026-03-01 08:00:00") is None
