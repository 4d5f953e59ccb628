"""Records appear, age, are resolved and close as the clock moves, each with the time of its event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.scenario import START as SCENARIO_START
from connectors.sandbox.testing import running_sandbox
from connectors.sandbox.world import TicketEvent, WorldContact, WorldOutage, WorldSla

BEGIN = datetime(2025, 6, 2, tzinfo=UTC)
HOUR = 3600


def after(hours: float) -> datetime:
    return BEGIN + timedelta(hours=hours)


def text(hours: float) -> str:
    return after(hours).strftime("%Y-%m-%d %H:%M:%S")


def test_an_incident_lives_through_its_events(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    sandbox, api = serve(a_world(a_ticket()), now=BEGIN)
    assert api.list("incident") == []

    sandbox.set_clock(after(1.5))
    new = api.list("incident", exclude_reference_link=True)[0]
    assert (new["state"], new["sys_updated_on"], new["sys_mod_count"]) == ("1", text(1), "0")

    sandbox.set_clock(after(12))
    resolved = api.list("incident", exclude_reference_link=True)[0]
    assert (resolved["state"], resolved["resolved_at"], resolved["closed_at"]) == ("6", text(11), "")
    assert (resolved["sys_updated_on"], resolved["opened_at"], resolved["sys_mod_count"]) == (text(11), text(1), "2")

    sandbox.set_clock(after(100))
    closed = api.list("incident", exclude_reference_link=True)[0]
    assert (closed["state"], closed["closed_at"], closed["active"]) == ("7", text(49), "false")
    assert closed["sys_id"] == new["sys_id"]
    assert closed["number"] == "INC0010001"


def test_an_sla_breaches_when_its_time_runs_out(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    sandbox, api = serve(a_world(a_ticket()), now=after(2))
    running = api.list("task_sla")[0]
    assert (running["stage"], running["has_breached"], running["sys_updated_on"]) == ("in_progress", "false", text(1))
    assert (running["end_time"], running["planned_end_time"]) == ("", text(5))

    sandbox.set_clock(after(6))
    breached = api.list("task_sla")[0]
    assert (breached["stage"], breached["has_breached"], breached["sys_updated_on"]) == ("in_progress", "true", text(5))
    assert breached["business_duration"] == "1970-01-01 04:00:00"

    sandbox.set_clock(after(20))
    done = api.list("task_sla")[0]
    assert (done["stage"], done["end_time"], done["active"]) == ("completed", text(11), "false")
    assert done["business_duration"] == "1970-01-01 10:00:00"
    assert done["business_percentage"] == "250.00"


def test_a_pause_stops_the_clock_and_moves_the_row(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    opened = int(BEGIN.timestamp())
    events = [
        TicketEvent(opened, {"state": "new"}),
        TicketEvent(opened + 1 * HOUR, {"state": "on_hold"}),
        TicketEvent(opened + 31 * HOUR, {"state": "in_progress"}),
        TicketEvent(opened + 33 * HOUR, {"state": "resolved"}),
    ]
    sla = WorldSla(
        "resolution", "sla", "R", 8 * HOUR, opened, opened + 33 * HOUR, opened + 38 * HOUR, False, 3 * HOUR, None
    )
    sandbox, api = serve(a_world(a_ticket(opened=opened, events=events, slas=[sla])), now=after(2))

    paused = api.list("task_sla")[0]
    assert (paused["stage"], paused["pause_time"], paused["sys_updated_on"]) == ("paused", text(1), text(1))
    assert api.list("incident")[0]["hold_reason"] == "1"

    sandbox.set_clock(after(32))
    resumed = api.list("task_sla")[0]
    assert (resumed["stage"], resumed["pause_time"], resumed["sys_updated_on"]) == ("in_progress", "", text(31))
    assert resumed["pause_duration"] == "1970-01-02 06:00:00"
    assert resumed["business_duration"] == "1970-01-01 01:00:00"


def test_surveys_are_sent_and_answered_later(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    sandbox, api = serve(a_world(a_ticket()), now=after(13))
    sent = api.list("asmt_assessment_instance", exclude_reference_link=True)[0]
    assert (sent["state"], sent["taken_on"], sent["sys_created_on"]) == ("ready", "", text(12))
    assert api.list("asmt_metric_result") == []

    sandbox.set_clock(after(30))
    fields = "actual_value,instance.taken_on,instance.trigger_id,metric.min,metric.max"
    result = api.list("asmt_metric_result", fields=fields)[0]
    incident = api.list("incident")[0]["sys_id"]
    assert result == {
        "actual_value": "4",
        "instance.taken_on": text(21),
        "instance.trigger_id": incident,
        "metric.min": "1",
        "metric.max": "5",
    }


def test_contacts_and_outages_appear(serve: Callable[..., Any], a_world: Any) -> None:
    begin = int(BEGIN.timestamp())
    world = a_world(
        contacts=[WorldContact(1, "call", "Acme", "CH", "Mail", begin + HOUR)],
        outages=[WorldOutage(1, "outage", "Mail", "Acme", "CH", begin + HOUR, begin + 3 * HOUR)],
    )
    sandbox, api = serve(world, now=after(2))

    contact = api.list("interaction", fields="type,company.name,opened_at,location.country")[0]
    assert contact == {"type": "phone", "company.name": "Acme", "opened_at": text(1), "location.country": "CH"}
    assert api.list("cmdb_ci_outage", fields="end,cmdb_ci.name")[0] == {"end": "", "cmdb_ci.name": "Mail"}
    sandbox.set_clock(after(4))
    assert api.list("cmdb_ci_outage", fields="end,duration")[0] == {"end": text(3), "duration": "1970-01-01 02:00:00"}


def test_a_change_carries_risk_and_later_its_outcome(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    change = a_ticket(kind="change", slas=[], survey=None, risk="high", is_successful=False)
    sandbox, api = serve(a_world(change), now=after(12))

    assert api.list("change_request", fields="risk,close_code")[0] == {"risk": "2", "close_code": ""}
    sandbox.set_clock(after(60))
    closed = api.list("change_request", fields="number,state,close_code")[0]
    assert closed == {"number": "CHG0030001", "state": "3", "close_code": "unsuccessful"}


def test_what_people_wrote_survives_the_next_event(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    sandbox, api = serve(a_world(a_ticket()), now=after(2))
    sys_id = api.list("incident")[0]["sys_id"]
    api.change("incident", sys_id, correlation_id="rk-1")

    sandbox.set_clock(after(12))

    assert api.read("incident", sys_id)["correlation_id"] == "rk-1"
    assert api.read("incident", sys_id)["state"] == "6"


def test_writes_carry_the_sandboxs_time(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    _, api = serve(a_world(a_ticket()), now=after(7))

    assert api.create("problem")["sys_created_on"] == text(7)


def test_the_clock_never_goes_back(serve: Callable[..., Any], a_world: Any) -> None:
    sandbox, _ = serve(a_world(), now=after(7))

    with pytest.raises(ValueError, match="cannot go back"):
        sandbox.set_clock(after(6))
    assert sandbox.clock() == after(7)


def test_an_empty_platform_answers_empty(serve: Callable[..., Any], a_world: Any) -> None:
    _, api = serve(a_world(), now=after(7))

    assert api.list("incident") == []
    assert api.count("task_sla") == 0


def test_jumping_and_stepping_show_the_same_records() -> None:
    tables = ("incident", "task_sla", "asmt_assessment_instance", "interaction", "cmdb_ci_outage", "change_request")
    end = SCENARIO_START + timedelta(weeks=12)

    def shown(steps: int) -> dict[str, list[Any]]:
        from connectors.sandbox.generator import generate
        from connectors.sandbox.plugin import SandboxConfig
        from connectors.sandbox.servicenow.app import build

        app = build(generate("servicenow", seed=7, size="small"), SandboxConfig(), "servicenow")
        for step in range(1, steps + 1):
            app.advance(SCENARIO_START + step * (end - SCENARIO_START) / steps)
        return {name: _without_counts(app, name) for name in tables}

    def _without_counts(app: Any, name: str) -> list[Any]:
        table = app.instance.tables[name]
        skipped = {table.position["sys_mod_count"], table.position.get("number"), table.position["sys_updated_by"]}
        return [[value for at, value in enumerate(row) if at not in skipped] for row in table.ordered()]

    assert shown(1) == shown(40)


def test_the_small_world_boots_within_two_seconds() -> None:
    with running_sandbox(platforms=("servicenow",)) as sandbox:
        assert sandbox.stats("servicenow")["cpu_s"] < 2  # CPU: other work on the machine does not count


EVENT_LOG = Path(__file__).resolve().parents[3].parent / "shared/data/servicenow-incidents/incident_event_log.csv"


@pytest.mark.skipif(not EVENT_LOG.exists(), reason="the real event log is not on this machine")
def test_the_replayed_log_has_the_facts_of_its_file() -> None:
    with running_sandbox(platforms=("servicenow",), replay=EVENT_LOG) as sandbox:

        def count(table: str, query: str) -> int:
            params = {"sysparm_count": "true", "sysparm_query": query}
            answer = requests.get(
                f"{sandbox.servicenow_url}/api/now/stats/{table}", params=params, auth=("admin", "sandbox"), timeout=30
            )
            return int(answer.json()["result"]["stats"]["count"])

        assert count("incident", "") == 890
        assert count("task_sla", "has_breached=true") == 395
        assert count("incident", "reopen_count>0") == 10
        assert count("incident", "resolved_atISEMPTY") == 29
        assert [count("incident", f"priority={p}") for p in (1, 2, 3, 4)] == [15, 33, 757, 85]


def test_a_clock_may_run_in_business_hours_or_have_no_schedule(
    serve: Callable[..., Any], a_world: Any, a_ticket: Any
) -> None:
    monday = int(datetime(2025, 6, 2, tzinfo=UTC).timestamp())
    opened = monday + 4 * 24 * HOUR + 13 * HOUR  # Friday, 15 o'clock in Zurich
    events = [
        TicketEvent(opened, {"state": "new"}),
        TicketEvent(opened + 1 * HOUR, {"state": "on_hold"}),
        TicketEvent(opened + 66 * HOUR, {"state": "in_progress"}),  # Monday, 9 o'clock
        TicketEvent(opened + 70 * HOUR, {"state": "resolved"}),
    ]

    def clock(name: str, goal_h: int) -> WorldSla:
        breach_at = opened + (goal_h + 65) * HOUR
        return WorldSla(
            "resolution", "sla", name, goal_h * HOUR, opened, opened + 70 * HOUR, breach_at, True, 5 * HOUR, None
        )

    world = a_world(a_ticket(opened=opened, events=events, slas=[clock("Work", 3), clock("Plain", 4)]))
    schedules = {"Wo*": "business", "Plain": "none"}
    now = datetime.fromtimestamp(opened, UTC) + timedelta(hours=71)
    _, api = serve(world, now=now, sla_schedules=schedules)
    fields = (
        "sla.name,duration,business_duration,pause_duration,business_pause_duration,planned_end_time,has_breached,"
        "schedule.name,sla.schedule.name,timezone,business_percentage,percentage"
    )
    rows = {row["sla.name"]: row for row in api.list("task_sla", fields=fields)}
    work, plain = rows["Work"], rows["Plain"]
    # An hour on Friday, then four on Monday; on hold were an hour of business time on Friday and one on Monday.
    assert (work["duration"], work["business_duration"]) == ("1970-01-01 05:00:00", "1970-01-01 05:00:00")
    assert (work["pause_duration"], work["business_pause_duration"]) == ("1970-01-03 17:00:00", "1970-01-01 02:00:00")
    assert (work["planned_end_time"], work["has_breached"]) == ("2025-06-09 09:00:00", "true")
    assert (work["schedule.name"], work["sla.schedule.name"], work["timezone"]) == (
        "Business hours",
        "Business hours",
        "Europe/Zurich",
    )
    assert (plain["duration"], plain["business_duration"], plain["schedule.name"]) == ("1970-01-01 05:00:00", "", "")
    assert (plain["business_pause_duration"], plain["business_percentage"]) == ("", "")
    assert plain["sla.schedule.name"] == ""
