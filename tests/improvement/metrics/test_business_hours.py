"""Times in business hours: the warehouse gives what counting minute by minute gives, whatever the tickets."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from improvement import weeks
from improvement.business_time import Calendar, week_of
from improvement.metrics import CellQuery, MetricOptions
from improvement.records import SlaRecord, Ticket
from tests.improvement.metrics.build import ZONES, a_clock, a_query, a_ticket, a_warehouse, at
from tests.improvement.slow_business_time import slow_seconds
from workflows.warehouse import Calendars, CellsAsked, Warehouse

START = datetime(2026, 3, 20, tzinfo=UTC)  # clocks go forward in Zurich on 29 March, back in Auckland on 5 April
WEEKS = range(weeks.week_of(START.date()), weeks.week_of(START.date()) + 4)
AS_OF = datetime(2026, 4, 20, 12, tzinfo=UTC)
TAU_H = 168.0
OFFICE = week_of({"mon-fri": "08:00-12:00, 13:00-17:00"})
CALENDARS = {
    "CH": Calendar(ZONES.by_country["CH"], OFFICE, frozenset({date(2026, 4, 3), date(2026, 4, 6)})),
    "NZ": Calendar(
        ZONES.by_country["NZ"],
        week_of({"mon-sat": "09:00-17:30", "sun": "00:00-24:00"}),
        frozenset({date(2026, 4, 3)}),
        {date(2026, 4, 4): ((28_800, 43_200),)},
    ),
}
BUSINESS = MetricOptions(business=("time_to_resolve", "time_to_respond"), calendars=repr(sorted(CALENDARS.items())))
COUNTRIES = ["CH", "NZ", "MX", None]  # two without a calendar

minutes = st.integers(0, 20 * 1440).map(lambda number: START + timedelta(minutes=number))
lengths = st.none() | st.integers(0, 12 * 1440).map(lambda number: timedelta(minutes=number))


@st.composite
def cases(draw: Any) -> list[Ticket | SlaRecord]:
    """Tickets, some of them open or done before they were opened, each with a response clock."""
    records: list[Ticket | SlaRecord] = []
    for number in range(draw(st.integers(0, 8))):
        opened, length, country = draw(minutes), draw(lengths), draw(st.sampled_from(COUNTRIES))
        done = None if length is None else opened + length
        state = draw(st.sampled_from(["in_progress", "resolved", "closed"]))
        if length is not None and draw(st.integers(0, 9)) == 0:
            done = opened - length
        fields = {"opened_at": opened, "resolved_at": done, "state": state, "country": country}
        records.append(a_ticket(f"t{number}", **fields))
        told = draw(st.none() | st.integers(0, 90_000))
        clock = {"target": "response", "sla_id": f"sla{number}", "start_at": opened, "end_at": done, "elapsed_s": told}
        records.append(a_clock(f"k{number}", ticket_id=f"t{number}", **clock))
    return records


@given(cases())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_business_hours_equal_the_slow_computation(records: list[Ticket | SlaRecord]) -> None:
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder), *records) as warehouse:
        warehouse.use_calendars(of(CALENDARS))
        for metric, slow in (("time_to_resolve", slow_to_resolve), ("time_to_respond", slow_to_respond)):
            assert cells(warehouse, metric) == pytest.approx(slow(records)), metric


def cells(warehouse: Warehouse, metric: str, options: MetricOptions = BUSINESS) -> dict[tuple[str, int], float]:
    """(country, week) → hours."""
    query = asked(metric, options)
    found = warehouse.cells(query, as_of=AS_OF, first_week=WEEKS[0], last_week=WEEKS[-1]).to_pylist()
    return {(row["country"], row["week"]): row["numerator"] for row in found}


def asked(metric: str, options: MetricOptions = BUSINESS) -> CellQuery:
    return replace(a_query(metric, ("country",), tau_h=TAU_H), options=options)


def of(calendars: Mapping[str, Calendar]) -> Calendars:
    return Calendars(repr(sorted(calendars.items())), lambda: calendars)


def slow_to_resolve(records: list[Ticket | SlaRecord]) -> dict[tuple[str, int], float]:
    found: dict[tuple[str, int], float] = defaultdict(float)
    for ticket in records:
        if not isinstance(ticket, Ticket) or ticket.opened_at is None:
            continue
        limit = ticket.opened_at + timedelta(hours=TAU_H)
        week = week_in(ticket.country, ticket.opened_at)
        if limit > AS_OF or week not in WEEKS:
            continue
        is_done = ticket.state != "in_progress" and ticket.resolved_at is not None and ticket.resolved_at <= AS_OF
        end = min(ticket.resolved_at, limit) if is_done and ticket.resolved_at else limit
        found[ticket.country or "(none)", week] += slow_hours(ticket.country, ticket.opened_at, end)
    return found


def slow_to_respond(records: list[Ticket | SlaRecord]) -> dict[tuple[str, int], float]:
    found: dict[tuple[str, int], float] = defaultdict(float)
    countries = {ticket.id: ticket.country for ticket in records if isinstance(ticket, Ticket)}
    for clock in records:
        if not isinstance(clock, SlaRecord) or clock.start_at is None or clock.end_at is None:
            continue
        country = countries[clock.ticket_id]
        week = week_in(country, clock.end_at)
        if clock.end_at > AS_OF or week not in WEEKS:
            continue
        told = clock.elapsed_s
        hours = slow_hours(country, clock.start_at, clock.end_at) if told is None else told / 3600
        found[country or "(none)", week] += hours
    return found


def slow_hours(country: str | None, begin: datetime, end: datetime) -> float:
    calendar = CALENDARS.get(country or "")
    seconds = (end - begin).total_seconds() if calendar is None else slow_seconds(calendar, begin, end)
    return max(seconds, 0) / 3600


def week_in(country: str | None, instant: datetime) -> int:
    zone = ZONES.by_country.get(country or "", ZONES.default)
    return weeks.week_of(instant.astimezone(ZoneInfo(zone)).date())


def test_nights_weekends_and_holidays_count_only_where_nobody_asked_for_business_hours(tmp_path: Path) -> None:
    """From Thursday before Easter, 16:00 in Zurich, to the Tuesday after it, 09:00."""
    ticket = a_ticket(opened_at=at("2026-04-02T14:00"), resolved_at=at("2026-04-07T07:00"), state="resolved")
    week = weeks.week_of(date(2026, 4, 2))
    with a_warehouse(tmp_path, ticket) as warehouse:
        warehouse.use_calendars(of(CALENDARS))
        assert cells(warehouse, "time_to_resolve") == {("CH", week): 2.0}
        assert cells(warehouse, "time_to_resolve", MetricOptions()) == {("CH", week): 113.0}
        rows = warehouse.contributing(asked("time_to_resolve"), scope={}, as_of=AS_OF, first_week=week, last_week=week)
        assert [(row["id"], row["numerator"]) for row in rows.to_pylist()] == [("t1", 2.0)]


def test_another_calendar_holds_for_all_of_the_past_at_once(tmp_path: Path) -> None:
    ticket = a_ticket(opened_at=at("2026-04-02T14:00"), resolved_at=at("2026-04-07T07:00"), state="resolved")
    week = weeks.week_of(date(2026, 4, 2))
    with a_warehouse(tmp_path, ticket) as warehouse:
        warehouse.use_calendars(of(CALENDARS))
        before = cells(warehouse, "time_to_resolve")
        without_easter = {"CH": Calendar("Europe/Zurich", OFFICE)}
        warehouse.use_calendars(of(without_easter))
        assert before == {("CH", week): 2.0}
        later = replace(BUSINESS, calendars=of(without_easter).sha256)
        assert cells(warehouse, "time_to_resolve", later) == {("CH", week): 2.0 + 2 * 8}
        texts = [warehouse.sql(asked("time_to_resolve", options)) for options in (BUSINESS, later)]
        assert texts[0] != texts[1]  # a value's SQL says by which calendars it was counted
    with Warehouse.open(tmp_path / "warehouse.duckdb", wait_s=1) as again:
        again.use_calendars(Calendars(of(without_easter).sha256, unexpected))  # in place: not made again
        assert cells(again, "time_to_resolve", later) == {("CH", week): 18.0}


def unexpected() -> Mapping[str, Calendar]:
    raise AssertionError("these calendars are in place")


def test_whoever_has_no_calendar_asks_and_writes_nothing_more(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket()) as warehouse:
        warehouse.use_calendars(Calendars())
        tables = warehouse.arrow("SELECT table_name FROM duckdb_tables()")["table_name"].to_pylist()
        assert "calendar_steps" not in tables
        for metric in ("time_to_resolve", "time_to_respond"):
            assert "calendar_steps" not in warehouse.sql(asked(metric, MetricOptions()))


def test_beside_metrics_that_share_a_pass_it_is_counted_by_itself(tmp_path: Path) -> None:
    ticket = a_ticket(opened_at=at("2026-04-02T14:00"), resolved_at=at("2026-04-07T07:00"), state="resolved")
    week = weeks.week_of(date(2026, 4, 2))
    wanted = [asked("time_to_resolve"), asked("incident_count"), asked("major_incident_count")]
    with a_warehouse(tmp_path, ticket) as warehouse:
        warehouse.use_calendars(of(CALENDARS))
        ahead = warehouse.cells_ahead([CellsAsked(query, week, week) for query in wanted], as_of=AS_OF)
        with closing(ahead):
            found = [cells.numerator.tolist() for cells in ahead]
    assert found == [[2.0], [1.0], [0.0]]
