"""Rows of running clocks stand still between refreshes: what is over is read as breached all the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent, WorldSla, WorldTicket
from improvement.records import RecordKind

from .conftest import END, HOUR, START, Connect, Person, a_ticket, a_world, pulled

Serve = Callable[..., RunningSandbox]


def a_slow_ticket(uid: int, *, stops_after_h: int, held: bool = False) -> WorldTicket:
    """Opened an hour after the start, its goal of four hours missed, its clock running for long."""
    opened = START + HOUR
    stop = opened + stops_after_h * HOUR
    clock = WorldSla(
        "resolution", "sla", "Resolve P3", 4 * HOUR, opened, stop, opened + 4 * HOUR, True, stops_after_h * HOUR, None
    )
    states = [(opened, "new"), (opened + HOUR, "on_hold")] if held else [(opened, "new")]
    events = [TicketEvent(at, {"state": state}) for at, state in [*states, (stop, "resolved")]]
    return a_ticket(uid, slas=[clock], events=events, survey=None)


def at_hour(hours: float) -> datetime:
    return datetime.fromtimestamp(START, UTC) + timedelta(hours=hours)


def test_a_clock_that_stands_still_is_breached_once_its_time_is_over(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_slow_ticket(1, stops_after_h=100)), now=at_hour(3), stale_clocks=True)
    connector = connect(running)
    before = pulled(connector, RecordKind.SLA, until=at_hour(3))
    running.set_clock(at_hour(20))
    (row,) = Person(running.servicenow_url, "admin").find("task_sla", "")
    after = pulled(connector, RecordKind.SLA, before.cursor, until=at_hour(20))

    assert (row["has_breached"], row["sys_updated_on"]) == ("false", at_hour(1).strftime("%Y-%m-%d %H:%M:%S"))
    assert [clock["is_breached"] for clock in before.rows] == [False]
    assert {(clock["is_breached"], clock["stage"]) for clock in after.rows} == {(True, "in_progress")}


def test_it_is_read_though_nothing_changed_and_moves_no_mark(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_slow_ticket(1, stops_after_h=160)), now=at_hour(3), stale_clocks=True)
    connector = connect(running, overlap_s=0)
    cursor = pulled(connector, RecordKind.SLA, until=at_hour(3)).cursor
    running.set_clock(at_hour(150))
    found = pulled(connector, RecordKind.SLA, cursor, until=at_hour(150))
    again = pulled(connector, RecordKind.SLA, found.cursor, until=at_hour(150))
    assert {page.cursor.tiebreak for page in found.pages} == {cursor.tiebreak}
    assert [page.cursor.updated_at for page in found.pages] == [cursor.updated_at, at_hour(150)]
    assert found.rows[0]["is_breached"]
    assert len(again.rows) == len(found.rows) - 1  # the row of the mark, once


def test_when_the_row_is_refreshed_its_outcome_is_the_same(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_slow_ticket(1, stops_after_h=100)), now=at_hour(20), stale_clocks=True)
    connector = connect(running)
    stale = pulled(connector, RecordKind.SLA, until=at_hour(20))
    running.set_clock(END)
    done = pulled(connector, RecordKind.SLA, stale.cursor, until=END)
    assert [clock["is_breached"] for clock in stale.rows] == [True]
    assert {(clock["is_breached"], clock["stage"]) for clock in done.rows} == {(True, "completed")}


def test_a_clock_in_the_stage_starting_runs(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_slow_ticket(1, stops_after_h=100)), now=at_hour(3), stale_clocks=True)
    running.happen("servicenow", "starting", count=1)
    connector = connect(running)
    before = pulled(connector, RecordKind.SLA, until=at_hour(3))
    assert [(clock["stage"], clock["is_breached"]) for clock in before.rows] == [("in_progress", False)]


def test_it_is_breached_once_its_time_is_over_and_counted_so(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_slow_ticket(1, stops_after_h=100)), now=at_hour(20), stale_clocks=True)
    running.happen("servicenow", "starting", count=1)
    (row,) = Person(running.servicenow_url, "admin").find("task_sla", "")
    assert (row["stage"], row["has_breached"]) == ("starting", "false")
    connector = connect(running)
    (clock,) = pulled(connector, RecordKind.SLA, until=at_hour(20)).rows
    assert (clock["stage"], clock["is_breached"]) == ("in_progress", True)
    counted = connector.breaches(since=datetime.fromtimestamp(START, UTC), until=at_hour(20))
    assert counted is not None
    assert counted.count == 1


def test_a_paused_clock_is_not_over(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_slow_ticket(1, stops_after_h=100, held=True)), now=at_hour(20), stale_clocks=True)
    (clock,) = pulled(connect(running), RecordKind.SLA, until=at_hour(20)).rows
    assert (clock["stage"], clock["is_breached"]) == ("paused", False)


def test_what_the_platform_counts_includes_them(serve: Serve, connect: Connect) -> None:
    tickets = [a_slow_ticket(number, stops_after_h=100) for number in (1, 2)]
    running = serve(a_world(*tickets, a_ticket(3)), now=at_hour(20), stale_clocks=True)
    counted = connect(running).breaches(since=datetime.fromtimestamp(START, UTC), until=at_hour(20))
    assert counted is not None
    assert (counted.count, counted.of) == (3, "rows")


def test_a_filter_of_several_groups_holds_for_them_too(serve: Serve, connect: Connect) -> None:
    tickets = [a_slow_ticket(1, stops_after_h=100), a_slow_ticket(2, stops_after_h=100)]
    running = serve(a_world(*tickets), now=at_hour(3), stale_clocks=True)
    first, second = Person(running.servicenow_url, "admin").find("incident", "ORDERBYnumber")
    either = f"task.number={first['number']}^NQtask.number=nosuch"
    connector = connect(running, mapping={"sla": {"filter": either}}, overlap_s=0)
    cursor = pulled(connector, RecordKind.SLA, until=at_hour(3)).cursor
    running.set_clock(at_hour(20))
    rows = pulled(connector, RecordKind.SLA, cursor, until=at_hour(20)).rows
    assert {row["ticket_id"] for row in rows} == {first["sys_id"]}
    assert second["sys_id"] not in {row["ticket_id"] for row in rows}
