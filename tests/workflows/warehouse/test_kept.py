"""Counts kept from cycle to cycle are those of a full recomputation, whatever is loaded, changed, lost or restated."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from improvement import weeks
from improvement.metrics import coded
from improvement.metrics.counts import Counts
from improvement.metrics.signed import SPAN_S
from improvement.records import RecordKind, Ticket
from improvement.weeks import DAY_S
from tests.improvement.metrics.build import CONNECTION, ZONES, a_clock, a_query, a_survey, a_ticket, a_warehouse, at
from tests.improvement.metrics.test_against_slow import CROWD, START, clocks, contacts, crowd, surveys, tickets
from tests.workflows.warehouse.keeping import OTHER, OTHER_ZONES, answered, asked, counted_in_full, cycled, load
from workflows.warehouse import CellsAsked, Warehouse, moved, noting, store
from workflows.warehouse.kept import KeptCells

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KINDS = (RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY)


def broken_off(warehouse: Warehouse, as_of: datetime) -> None:
    """Begin as a cycle does, and end in the midst of it."""
    ahead = warehouse.cells_ahead(asked(as_of)[:9], as_of=as_of, kept_from=0)
    next(ahead)
    ahead.close()


seconds = st.sampled_from([-1, -0.7, -0.3, 0, 0.3, 0.7, 1])
edges = st.tuples(  # from when: this moment or one of the hours by which what matures is kept; and how far from it
    st.booleans(), st.sampled_from([-7 * DAY_S, -4 * 3600, 0, 3600, 4 * 3600, 7 * DAY_S]), seconds
)
steps = st.lists(
    st.tuples(
        st.sampled_from(["load", "load", "load", "bury", "revive", "zones", "twice", "late", "broken", "back"]),
        st.lists(tickets(), max_size=8),
        st.lists(clocks(), max_size=8),
        st.lists(surveys(), max_size=8),
        st.lists(contacts(), max_size=2),
        st.sampled_from([0, 0, 3, 7, 7, 7, 14]),
        st.sampled_from([0, 0, 35, 5 * 60, 6 * 60, 17 * 60 + 1]),
        st.lists(edges, max_size=4),
    ),
    min_size=2,
    max_size=6,
)


@pytest.mark.timeout(400)
@given(steps, st.sampled_from([noting.LEAST, 20, 4]))
@settings(
    max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
def test_what_is_kept_never_differs_from_a_full_recomputation(story: list[Any], least: int) -> None:
    """A story of weeks on two platforms: records come, change, move, go and come back, so do zones; cycles run twice,
    are late, break off, look back. Some records are just about to be, or have just become, as old as a metric asks.
    What was noted is trimmed and forgotten seldom, or all the time, and counted at once or in pieces.
    """
    as_of, zones = START + timedelta(days=53, hours=6), ZONES
    with (
        pytest.MonkeyPatch.context() as patched,
        tempfile.TemporaryDirectory() as folder,
        a_warehouse(Path(folder)) as warehouse,
    ):
        patched.setattr(noting, "LEAST", least)
        patched.setattr(moved, "PIECE", least)
        for what, some_tickets, some_clocks, some_surveys, some_contacts, days, minutes, edges in story:
            as_of += timedelta(days=days, minutes=minutes)
            records = [
                *aged(some_tickets, as_of, edges),
                *some_clocks,
                *aged(some_surveys, as_of, edges),
                *some_contacts,
            ]
            if what == "late":  # what was seen earlier is loaded after a cycle counted without it
                cycled(warehouse, as_of)
                load(warehouse, records, as_of - timedelta(days=2), zones)
            elif what == "zones":
                zones = OTHER_ZONES if zones is ZONES else ZONES
                warehouse.use_zones(zones)
            elif what in ("bury", "revive"):
                for kind in KINDS:
                    ids = [one.id for one in records if isinstance(one, msgspec.Struct)]
                    if what == "bury":
                        warehouse.tombstones.bury(kind, CONNECTION, ids, seen_at=as_of)
                    else:
                        warehouse.tombstones.revive(kind, CONNECTION, ids, KINDS[1:], seen_at=as_of)
            else:
                load(warehouse, records, as_of, zones)
                if what == "twice":
                    cycled(warehouse, as_of)
                elif what == "broken":
                    broken_off(warehouse, as_of)
                    load(warehouse, records[::2], as_of, zones)
                elif what == "back":
                    cycled(warehouse, as_of - timedelta(days=9))
            load(warehouse, [msgspec.structs.replace(one, connection=OTHER) for one in records[::3]], as_of, zones)
            cycled(warehouse, as_of)
            cycled(warehouse, as_of, OTHER)


def aged(records: list[Any], as_of: datetime, edges: list[tuple[bool, int, float]]) -> list[Any]:
    """The first of them opened or sent so many seconds after what is old enough now, or after its four hours began."""
    found = list(records)
    for place, (one, (is_of_span, later_s, edge_s)) in enumerate(zip(records, edges, strict=False)):
        hours, name = (336, "opened_at") if isinstance(one, Ticket) else (168, "sent_at")
        moment = as_of - timedelta(hours=hours)
        if is_of_span:
            moment -= (moment - EPOCH) % timedelta(seconds=SPAN_S)
        found[place] = msgspec.structs.replace(one, **{name: moment + timedelta(seconds=later_s + edge_s)})
    return found


@pytest.mark.parametrize("most", [coded.MOST_CODES, 30])
def test_weeks_of_cycles_find_the_same_cells(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records appear twice a week, some with what will be; every third of the newest changes, and is another's."""
    monkeypatch.setattr(coded, "MOST_CODES", most)
    chosen = random.Random(5)
    everything = [record for maker, number in CROWD[:3] for record in crowd(chosen, maker, number)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        rows, loaded = 0, []
        for half in range(10, 21):
            as_of = START + timedelta(hours=89 * half)  # half a week, and five hours later each time
            new = [one for one in everything if one not in loaded and began(one) <= as_of]
            again = [
                msgspec.structs.replace(
                    one, reopen_count=1 + one.reopen_count, priority=1 + half % 4, customer=["Acme", "Bolt"][half % 2]
                )
                for one in loaded[-40::3]
                if hasattr(one, "reopen_count")
            ]
            load(warehouse, [*again, *new], as_of, ZONES)
            loaded += new
            rows += cycled(warehouse, as_of)
    assert rows > 2000


def began(record: Any) -> datetime:
    found: datetime | None = getattr(record, "opened_at", None) or getattr(record, "start_at", None)
    return found or record.sent_at


def test_a_cycle_that_breaks_off_leaves_the_next_one_what_it_needs() -> None:
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    questions = [CellsAsked(a_query(name), last - 20, last) for name in ("incident_count", "reopen_rate")]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for number in range(4):
            load(warehouse, [a_ticket(f"t{number}", opened_at=opened_at)], as_of, ZONES)
            ahead = warehouse.cells_ahead(questions, as_of=as_of, kept_from=0)
            found = next(ahead)
            if number % 2:
                list(ahead)
            ahead.close()
            assert found.numerator.sum() == number + 1


def test_what_is_written_while_a_cycle_counts_is_counted_by_the_next_one_once(monkeypatch: pytest.MonkeyPatch) -> None:
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query("incident_count"), last - 20, last)]
    whole = store._Session.found
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:

        def disturbed(self: Any, one: Any, *values: Any) -> Any:
            monkeypatch.undo()
            load(warehouse, [a_ticket("t2", opened_at=opened_at)], as_of, ZONES)
            return whole(self, one, *values)

        load(warehouse, [a_ticket("t1", opened_at=opened_at)], as_of, ZONES)
        monkeypatch.setattr(store._Session, "found", disturbed)
        for _ in range(3):
            (found,) = warehouse.cells_ahead(question, as_of=as_of, kept_from=0)
            assert found.numerator.sum() == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((0, 0, 0), (0, 1, 2)),  # of those that ended together some end a week earlier now
        ((0, 1, 2), (0, 0, 0)),
        ((0, 1, 0), (1, 0, 1)),
        ((0, 1, 2), (0, 1, 2)),
    ],
)
def test_questions_that_end_in_different_weeks_do_not_count_each_others(
    before: tuple[int, ...], after: tuple[int, ...]
) -> None:
    """The same metrics asked up to last week, and up to one or two weeks before."""
    as_of, names = at("2026-06-15T06:00"), ("incident_count", "reopen_rate", "incident_count")
    last = weeks.week_of(as_of.date()) - 1

    def questions(lags: tuple[int, ...], week: int) -> list[CellsAsked]:
        return [
            CellsAsked(a_query(name, by), week - 12, week - lag)
            for name, lag in zip(names, lags, strict=True)
            for by in (("customer",), ("customer", "country"))
        ]

    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        opened = [at("2026-05-20") + timedelta(days=day) for day in range(36)]
        some = [a_ticket(f"t{number}", opened_at=moment) for number, moment in enumerate(opened)]
        load(warehouse, some, as_of, ZONES)
        answered(warehouse, as_of, questions(before, last))
        load(warehouse, [a_ticket("t9", opened_at=opened[9], customer="Bolt")], as_of + timedelta(days=1), ZONES)
        assert answered(warehouse, as_of + timedelta(weeks=1), questions(after, last + 1)) > 0


def test_rules_that_come_and_go_change_the_passes_and_what_is_kept_of_each_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another question shares the pass, so that its SQL is another; then it is withdrawn, and what was kept before it
    came is brought up to date by all that moved meanwhile, without a full count.
    """
    as_of = at("2026-06-15T06:00")
    last, by = weeks.week_of(as_of.date()) - 1, ("customer", "country")
    names = (("incident_count",), ("incident_count", "major_incident_count"), ("incident_count",))
    counted = Counter[str]()
    whole = store._Session.found

    def noted(self: Any, one: Any, *values: Any) -> Any:
        counted[one.sql] += one.signed is not None
        return whole(self, one, *values)

    monkeypatch.setattr(store._Session, "found", noted)
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for day, of_day in enumerate(names):
            some = [a_ticket(f"t{n}", customer=f"C{(n + day) % 3}", opened_at=at("2026-06-01")) for n in range(day, 9)]
            load(warehouse, [*some, a_ticket(f"n{day}", opened_at=at("2026-06-08"))], as_of, ZONES)
            now = as_of + timedelta(days=day)
            questions = [CellsAsked(a_query(name, by, kind="incident"), last - 9, last) for name in of_day]
            assert answered(warehouse, now, questions) > 0
        one, other = warehouse.passes(questions, is_kept=True), names[1]
        assert counted[one[0].sql] == 1
        assert sum(counted.values()) == len(other)
        assert warehouse.arrow("SELECT DISTINCT digest FROM kept_counts").num_rows == len(other)


def test_passes_that_cannot_be_told_from_each_other_are_counted_in_full() -> None:
    """Nothing asks so today. If something did, what is kept of one would be taken for the other's."""
    as_of = at("2026-06-15T06:00")
    last = weeks.week_of(as_of.date()) - 1
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, [a_ticket(f"t{n}", opened_at=at("2026-05-20")) for n in range(5)], as_of, ZONES)
        (wide,) = warehouse.passes([CellsAsked(a_query("incident_count"), last - 20, last)], is_kept=True)
        (narrow,) = warehouse.passes([CellsAsked(a_query("incident_count"), last - 2, last)], is_kept=True)
        assert wide.sql == narrow.sql
        for days in (0, 1):
            count = partial(counted_in_full, warehouse, as_of + timedelta(days=days))
            cells = KeptCells(warehouse._raw, CONNECTION, [wide, narrow], as_of=as_of + timedelta(days=days))
            for one in (wide, narrow):
                assert one.signed is not None
                fresh = one.cut(Counts.of(count(one, one.begins), one.signed))
                assert cells.found(one, one.signed, count).packed() == fresh.packed()
            cells.save()
            load(warehouse, [a_ticket("t5", opened_at=at("2026-06-09"))], as_of, ZONES)


def test_a_country_in_another_zone_is_counted_afresh() -> None:
    as_of, sunday_night = at("2026-06-15T06:00"), at("2026-05-03T20:00")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query("incident_count"), last - 11, last)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, [a_ticket("t1", opened_at=sunday_night)], at("2026-06-10"), ZONES)
        for zones, week in ((ZONES, "2026-05-03"), (OTHER_ZONES, "2026-05-04")):
            warehouse.use_zones(zones)
            (cells,) = warehouse.cells_ahead(question, as_of=as_of, kept_from=0)
            assert cells.week[0] == weeks.week_of(at(week).date())


def test_a_ticket_of_another_country_counts_in_its_week() -> None:
    """What only groups by supplier never names the country, but by its zone the same evening is another week."""
    as_of, sunday_night = at("2026-06-15T06:00"), at("2026-05-03T23:00")
    last = weeks.week_of(as_of.date()) - 1
    names = ("incident_count", "sla_breach_rate", "survey_response_rate")
    question = [CellsAsked(a_query(name, ("supplier",), tau_h=None), last - 11, last) for name in names]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for days, country in ((0, "US"), (1, "CH"), (2, "US")):
            now = as_of + timedelta(days=days)
            clock = a_clock("k1", start_at=sunday_night, end_at=sunday_night, breach_at=None)
            survey = a_survey("s1", customer=None, country=None, sent_at=sunday_night, answered_at=None, score=None)
            load(warehouse, [a_ticket("t1", opened_at=sunday_night, country=country), clock, survey], now, ZONES)
            found = list(warehouse.cells_ahead(question, as_of=now, kept_from=0))
            day = at("2026-05-03" if country == "US" else "2026-05-04").date()
            for cells in found:
                assert cells.week[cells.n > 0].tolist() == [weeks.week_of(day)]
