"""Every metric gives the numbers of the slow, obvious computation, whatever the records."""

from __future__ import annotations

import math
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from improvement import weeks
from improvement.metrics import CATALOGUE, value_of_rows
from improvement.records import Contact, Outage, SlaRecord, Survey, Ticket
from improvement.rules import Cells, Scope
from tests.improvement.metrics.build import (
    ZONES,
    a_clock,
    a_contact,
    a_query,
    a_survey,
    a_ticket,
    a_warehouse,
    an_outage,
    load,
)
from tests.improvement.metrics.slow import Slow

START = datetime(2026, 3, 1, tzinfo=UTC)  # clocks go forward in Zurich on 29 March, back in Auckland on 5 April
FIRST, LAST = weeks.week_of(START.date()) + 2, weeks.week_of(START.date()) + 8
AS_OF = datetime(2026, 4, 24, 12, tzinfo=UTC)
BY = [("customer", "country", "service"), ("country",), ("supplier", "priority"), ()]
WHERE: dict[str, list[dict[str, Any]]] = {
    "sla_breach_rate": [{"sla_target": "resolution"}, {"sla_agreement": ["ola", "uc"], "kind": "incident"}],
    "time_to_respond": [{"priority": [1, 2]}],
    "csat_mean": [{"kind": ["incident", "request"]}],
    "contact_gap": [{"country": ["CH", "NZ"]}],
    "csat_low_share": [{"kind": ["incident", "request"]}],
    "nps": [{"priority": [1, 2]}],
    "survey_response_rate": [{"survey_kind": "csat"}],
    "complaint_count": [{"country": ["CH", "NZ"]}],
    "escalation_rate": [{"customer": "Acme"}],
    "availability": [{"country": ["CH", "NZ", "(none)"]}],
    "mood_index": [{"country": ["CH", "US", "MX"]}],
}

days_and_seconds = st.integers(0, 70 * 86_400) | st.integers(1, 70).map(lambda day: day * 86_400 - 1)
moments = st.none() | st.builds(  # whole seconds and fractions, some the last of a UTC day
    lambda seconds, ms: START + timedelta(seconds=seconds, milliseconds=ms),
    days_and_seconds,
    st.sampled_from([0, 0, 300, 500, 700, 999]),
)
customers = st.sampled_from(["Acme", "Bolt", None])
countries = st.sampled_from(["CH", "US", "MX", "NZ", "DE", None])
services = st.sampled_from(["Mail", None])


@st.composite
def tickets(draw: Any) -> Ticket:
    return a_ticket(
        draw(st.sampled_from([f"t{number}" for number in range(12)])),
        kind=draw(st.sampled_from(["incident", "incident", "request", "problem", "change"])),
        state=draw(st.sampled_from(["in_progress", "resolved", "closed", "closed", "cancelled"])),
        priority=draw(st.sampled_from([1, 2, 3, None])),
        is_major=draw(st.booleans()),
        customer=draw(customers),
        country=draw(countries),
        service=draw(services),
        supplier=draw(st.sampled_from(["North", None])),
        category=draw(st.sampled_from(["Login", None])),
        reassignment_count=draw(st.integers(0, 1)),
        opened_at=draw(moments),
        resolved_at=draw(moments),
        closed_at=draw(moments),
        reopen_count=draw(st.integers(0, 2)),
        is_successful=draw(st.sampled_from([True, False, None])),
    )


@st.composite
def clocks(draw: Any) -> SlaRecord:
    number = draw(st.integers(0, 25))
    return a_clock(
        f"k{number}",
        ticket_id=f"t{number % 13}",
        sla_id=f"sla{number}",
        target=draw(st.sampled_from(["response", "resolution"])),
        agreement=draw(st.sampled_from(["sla", "ola", "uc"])),
        supplier=draw(st.sampled_from(["South", None])),
        stage=draw(st.sampled_from(["in_progress", "completed", "completed", "cancelled"])),
        is_breached=draw(st.booleans()),
        start_at=draw(moments),
        end_at=draw(moments),
        breach_at=draw(moments),
        elapsed_s=draw(st.none() | st.integers(0, 10**6)),
    )


@st.composite
def surveys(draw: Any) -> Survey:
    number = draw(st.integers(0, 20))
    low, high = draw(st.sampled_from([(1.0, 5.0), (0.0, 10.0), (None, None)]))
    sent_at = draw(moments)
    answered_at = draw(moments)
    if sent_at is not None and draw(st.booleans()):
        answered_at = sent_at + timedelta(hours=draw(st.integers(1, 200)))
    return a_survey(
        f"s{number}",
        kind=draw(st.sampled_from(["csat", "csat", "nps"])),
        ticket_id=draw(st.sampled_from([None, f"t{number % 13}"])),
        customer=draw(customers),
        country=draw(countries),
        sent_at=sent_at,
        answered_at=answered_at,
        score=draw(st.none() | st.integers(1, 5).map(float)),
        scale_min=low,
        scale_max=high,
    )


@st.composite
def contacts(draw: Any) -> Contact:
    return a_contact(
        f"c{draw(st.integers(0, 12))}",
        kind=draw(st.sampled_from(["call", "visit", "complaint", "escalation"])),
        customer=draw(customers),
        country=draw(countries),
        service=draw(services),
        at=draw(moments),
    )


@st.composite
def outages(draw: Any) -> Outage:
    begin_at = draw(moments)
    end_at = draw(moments)  # some end before they begin
    if begin_at is not None and draw(st.booleans()):
        end_at = begin_at + timedelta(minutes=draw(st.integers(0, 20_000)))
    return an_outage(
        f"o{draw(st.integers(0, 12))}",
        kind=draw(st.sampled_from(["outage", "outage", "degradation", "planned"])),
        customer=draw(customers),
        country=draw(countries),
        service=draw(services),
        begin_at=begin_at,
        end_at=end_at,
    )


@pytest.mark.timeout(300)  # some two thousand queries
@given(
    st.lists(tickets(), max_size=25),
    st.lists(clocks(), max_size=25),
    st.lists(surveys(), max_size=40),
    st.lists(contacts(), max_size=10),
    st.lists(outages(), max_size=10),
    st.integers(0, 6),
)
@settings(
    max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
def test_every_metric_equals_the_slow_computation(
    some_tickets: list[Ticket],
    some_clocks: list[SlaRecord],
    some_surveys: list[Survey],
    some_contacts: list[Contact],
    some_outages: list[Outage],
    split: int,
) -> None:
    compared([some_tickets, some_clocks, some_surveys, some_contacts, some_outages], split)


def test_in_a_crowded_quarter_every_metric_has_something_to_compare() -> None:
    """Few scopes and many records, so that weeks, moods and medians are full; always the same."""
    chosen = random.Random(26)
    counts = compared([crowd(chosen, maker, number) for maker, number in CROWD], 0)
    assert {name for name, cells in counts.items() if cells} == set(CATALOGUE)
    assert counts["mood_index"] > 20


@pytest.mark.parametrize("by", [("country",), ("customer", "country")])
def test_sql_over_the_rows_behind_a_value_makes_it(by: tuple[str, ...]) -> None:
    """Of every metric, whose rows are shares of a sum, ages, days of the last contact or tickets at a level."""
    chosen = random.Random(27)
    records = [crowd(chosen, maker, number) for maker, number in CROWD]
    silent = a_ticket("quiet", customer="Quiet", country="CH", opened_at=START + timedelta(days=20))
    columns = ", ".join(by)
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, silent, *(one for some in records for one in some))
        for name, metric in CATALOGUE.items():
            query = a_query(name, by)
            cells = Cells.of(warehouse.cells(query, as_of=AS_OF, first_week=FIRST, last_week=LAST), by)
            is_count = metric.family == "count"
            wanted = cells.window(FIRST, LAST, is_snapshot=metric.is_snapshot, is_count=is_count)
            rows = warehouse.pinned(query, scope={}, as_of=AS_OF, first_week=FIRST, last_week=LAST).sql
            made = value_of_rows(query, LAST - FIRST + 1)
            found = warehouse.arrow(f"SELECT {columns}, {made} AS value FROM ({rows}) GROUP BY {columns}").to_pylist()
            values = {Scope.of({key: row[key] for key in by}): row["value"] for row in found}
            nothing = 0.0 if is_count else math.nan  # of scopes in whose weeks no row lies
            told = [nothing if values.get(one) is None else values[one] for one in cells.scopes]
            assert told == pytest.approx(wanted.value.tolist(), nan_ok=True), name
            assert len(values) > 1, name


def test_of_a_scope_in_which_nothing_ever_happened_sql_makes_no_number() -> None:
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        rows = warehouse.pinned(a_query("incident_count", ()), scope={}, as_of=AS_OF, first_week=FIRST, last_week=LAST)
        made = value_of_rows(a_query("incident_count", ()), 0.0)
        (found,) = warehouse.arrow(f"SELECT {made} AS value, count(*) AS n FROM ({rows.sql})").to_pylist()
        assert found == {"value": None, "n": 0}


def test_accounts_never_spoken_to_are_always_told_in_the_same_order() -> None:
    many = [a_ticket(f"t{number}", customer=f"C{number}", opened_at=START) for number in range(6000)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, *many)
        scope, query = {"country": "CH"}, a_query("contact_gap", ("country",))
        for _ in range(3):
            rows = warehouse.pinned(query, scope=scope, as_of=AS_OF, first_week=FIRST, last_week=LAST).rows
            assert rows["account"].to_pylist() == sorted(ticket.customer or "" for ticket in many)


def crowd(chosen: random.Random, maker: Any, number: int) -> list[Any]:
    return [maker(chosen, identity) for identity in range(number)]


def moment(chosen: random.Random) -> datetime:
    return START + timedelta(milliseconds=chosen.randrange(60 * 86_400_000))


def later(chosen: random.Random, begin: datetime, days: int) -> datetime:
    return begin + timedelta(milliseconds=chosen.randrange(days * 86_400_000))


def scope(chosen: random.Random) -> dict[str, Any]:
    return {"customer": chosen.choice(["Acme", "Bolt"]), "country": chosen.choice(["CH", "NZ"]), "service": "Mail"}


def crowded_ticket(chosen: random.Random, number: int) -> Ticket:
    opened_at = moment(chosen)
    is_done = chosen.random() < 0.7
    return a_ticket(
        f"t{number}",
        **scope(chosen),
        kind=chosen.choice(["incident", "incident", "incident", "request", "problem", "change"]),
        state="closed" if is_done else "in_progress",
        is_major=chosen.random() < 0.1,
        category=chosen.choice(["Login", "Print", "Slow"]),
        opened_at=opened_at,
        resolved_at=later(chosen, opened_at, 20) if is_done else None,
        closed_at=later(chosen, opened_at, 30) if is_done else None,
        reopen_count=int(chosen.random() < 0.1),
        reassignment_count=chosen.randrange(2),
        is_successful=chosen.random() < 0.8,
    )


def crowded_clock(chosen: random.Random, number: int) -> SlaRecord:
    start_at = moment(chosen)
    return a_clock(
        f"k{number}",
        ticket_id=f"t{number}",
        sla_id=f"sla{number}",
        target=chosen.choice(["response", "resolution"]),
        is_breached=chosen.random() < 0.2,
        start_at=start_at,
        end_at=later(chosen, start_at, 5),
        breach_at=later(chosen, start_at, 5),
        elapsed_s=None,
    )


def crowded_survey(chosen: random.Random, number: int) -> Survey:
    sent_at, is_nps = moment(chosen), chosen.random() < 0.4
    is_answered = chosen.random() < 0.6
    low, high = (0, 10) if is_nps else (1, 5)
    return a_survey(
        f"s{number}",
        kind="nps" if is_nps else "csat",
        ticket_id=f"t{number % 150}",
        sent_at=sent_at,
        answered_at=later(chosen, sent_at, 9) if is_answered else None,
        score=float(chosen.randint(low, high)) if is_answered else None,
        scale_min=float(low),
        scale_max=float(high),
    )


def crowded_contact(chosen: random.Random, number: int) -> Contact:
    kind = chosen.choice(["call", "visit", "complaint", "escalation"])
    return a_contact(f"c{number}", **scope(chosen), kind=kind, at=moment(chosen))


def crowded_outage(chosen: random.Random, number: int) -> Outage:
    begin_at = moment(chosen)
    kind = chosen.choice(["outage", "outage", "degradation", "planned"])
    end_at = later(chosen, begin_at, 9) if number else None
    return an_outage(f"o{number}", **scope(chosen), kind=kind, begin_at=begin_at, end_at=end_at)


CROWD = [
    (crowded_ticket, 200),
    (crowded_clock, 150),
    (crowded_survey, 300),
    (crowded_contact, 40),
    (crowded_outage, 25),
]


def compared(records: list[list[Any]], split: int) -> dict[str, int]:
    """Hold every metric against the slow computation; how many cells each had."""
    some_tickets, *others = records
    latest = [list({one.id: one for one in some}.values()) for some in others]  # of those with the same id
    slow = Slow(some_tickets, *latest, ZONES)
    counts = dict.fromkeys(CATALOGUE, 0)
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for some in reversed(records) if split % 2 else records:  # what hangs on tickets may come before them
            load(warehouse, *some[:split])
            load(warehouse, *some[split:])
        for name in CATALOGUE:
            for by in BY:
                for where in [{}, *WHERE.get(name, [{"kind": "incident"}])]:
                    query = a_query(name, by, **where)
                    cells = warehouse.cells(query, as_of=AS_OF, first_week=FIRST, last_week=LAST)
                    columns = [cells[key].to_pylist() for key in (*by, "week", "numerator", "denominator")]
                    found = list(zip(*columns, strict=True))
                    wanted = slow.cells(query, AS_OF, FIRST, LAST)
                    assert [row[:-2] for row in found] == [row[:-2] for row in wanted], (name, by, where)
                    assert [row[-2:] for row in found] == [pytest.approx(row[-2:]) for row in wanted], (name, by, where)
                    counts[name] += len(found)
    return counts
