"""A later cycle over kept counts reads only what moved since, or became old enough: neither too early nor never."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pyarrow.compute as pc
import pytest

from improvement import weeks
from improvement.metrics.counts import Counts
from tests.improvement.metrics.build import ZONES, a_clock, a_query, a_survey, a_ticket, a_warehouse, at
from tests.workflows.warehouse.keeping import answered, load
from workflows.warehouse import CellsAsked, moved

BOUNDARY = "opened_at >= TIMESTAMPTZ '2026-06-08 04:00+00' AND opened_at < TIMESTAMPTZ '2026-06-08 08:00+00'"


def test_only_records_that_moved_are_read_again() -> None:
    """Of a hundred tickets one changes: the others could be lost meanwhile, and nobody would look."""
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query("incident_count"), last - 20, last)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        crowd_of = [a_ticket(f"t{number}", opened_at=opened_at, customer="Acme") for number in range(100)]
        load(warehouse, crowd_of, at("2026-06-10"), ZONES)
        list(warehouse.cells_ahead(question, as_of=as_of, kept_from=0))
        load(warehouse, [a_ticket("t1", opened_at=opened_at, customer="Bolt")], at("2026-06-20"), ZONES)
        warehouse._raw.execute("DELETE FROM tickets")  # behind its back
        later = [replace(question[0], last_week=last + 1)]
        (cells,) = warehouse.cells_ahead(later, as_of=as_of + timedelta(weeks=1), kept_from=0)
        found = cells.table()
        counted = found.filter(pc.greater(found["n"], 0)).select(["customer", "numerator"]).to_pylist()
        assert counted == [{"customer": "Acme", "numerator": 99.0}, {"customer": "Bolt", "numerator": 1.0}]


def test_what_grows_old_enough_is_counted_without_looking_it_up() -> None:
    """Tickets of three weeks, hour by hour: a week later those of another week are old enough, and none of them is
    read but those of the hours in which the cycle stands.
    """
    as_of, opened_at = at("2026-06-15T06:30"), at("2026-05-25")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query("time_to_resolve", tau_h=336), last - 9, last)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        hours = range(21 * 24)
        load(
            warehouse,
            [
                a_ticket(f"t{hour}", opened_at=opened_at + timedelta(hours=hour), resolved_at=None, state="in_progress")
                for hour in hours
            ],
            as_of,
            ZONES,
        )
        (found,) = warehouse.cells_ahead(question, as_of=as_of, kept_from=0)
        assert found.n.sum() == 7 * 24 + 7  # opened until 06:30 of the first of June
        now = as_of + timedelta(weeks=1)
        standing = warehouse.arrow(f"SELECT count(*) AS n FROM tickets WHERE {BOUNDARY}")["n"][0].as_py()
        warehouse._raw.execute(f"DELETE FROM tickets WHERE NOT ({BOUNDARY})")  # behind its back
        (found,) = warehouse.cells_ahead([replace(question[0], last_week=last + 1)], as_of=now, kept_from=0)
        assert found.n.sum() == 14 * 24 + 7
        assert standing == 4


@pytest.mark.parametrize("fraction", [-700, -500, -300, -1, 0, 1, 300, 500, 700])
@pytest.mark.parametrize(
    ("name", "tau_h", "days"), [("time_to_resolve", 336, (-1, 6, 7, 8)), ("survey_response_rate", None, (-1, 1, 2, 3))]
)
def test_what_matures_in_the_last_second_of_its_four_hours_counts_from_then_on(
    name: str, tau_h: float | None, days: tuple[int, ...], fraction: int
) -> None:
    """So many milliseconds from 04:00; the third cycle, at 06:30, is the first in which it is old enough."""
    as_of = at("2026-06-15T06:30")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query(name, tau_h=tau_h), last - 9, last)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        edge = timedelta(milliseconds=fraction)
        ticket = a_ticket("t1", opened_at=at("2026-06-08T04:00") + edge, resolved_at=None, state="in_progress")
        survey = a_survey("s1", ticket_id=None, sent_at=at("2026-06-10T04:00") + edge, answered_at=None, score=None)
        load(warehouse, [ticket, survey], as_of - timedelta(hours=4), ZONES)
        for day, count in zip(days, (0, 0, 1, 1), strict=True):
            now = as_of + timedelta(days=day)
            asked_now = [replace(one, last_week=weeks.week_of(now.date()) - 1) for one in question]
            ahead = warehouse.cells_ahead(asked_now, as_of=now, kept_from=0)
            assert sum(int(cells.n.sum()) for cells in ahead) == count, now


@pytest.mark.parametrize("piece", [1, 2, 65_536])
def test_a_record_that_changed_twice_and_that_time_moves_too_is_counted_once(
    piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What will be resolved between two cycles (the platform's clock is ahead) is known to both, and changes twice."""
    monkeypatch.setattr(moved, "PIECE", piece)
    as_of, known = at("2026-06-15T06:00"), {"opened_at": at("2026-06-01"), "state": "resolved"}
    question = [
        CellsAsked(a_query("reopen_rate", by), 2946, weeks.week_of(as_of.date()))
        for by in (("customer",), ("supplier",))
    ]
    tickets = [a_ticket(f"t{n}", resolved_at=as_of + timedelta(hours=n), **known) for n in range(4)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, tickets, as_of, ZONES)
        answered(warehouse, as_of, question)
        for changed in (tickets[:2], tickets[1:3], tickets[:3]):
            now = as_of + timedelta(hours=1 + len(changed))
            some = [msgspec.structs.replace(one, reopen_count=one.reopen_count + 1) for one in changed]
            load(warehouse, [*some, a_ticket("t1", customer="Bolt", resolved_at=now, **known)], now, ZONES)
            load(warehouse, some, now, ZONES)
            assert answered(warehouse, now, question) > 0
        assert answered(warehouse, as_of + timedelta(hours=5), question) > 0


def test_clocks_of_two_tickets_that_have_one_id_move_each_by_itself() -> None:
    """A clock that was given to another ticket: here it is noted, there it only ends later than the first cycle."""
    as_of = at("2026-06-15T06:00")
    week = weeks.week_of(as_of.date())
    question = [CellsAsked(a_query("time_to_respond", ("customer",), tau_h=None), week - 9, week)]
    clock = a_clock("k1", target="response", end_at=as_of + timedelta(minutes=30), elapsed_s=60)
    there = msgspec.structs.replace(clock, ticket_id="t2", elapsed_s=120)
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, [a_ticket("t1"), a_ticket("t2", customer="Bolt"), clock], as_of, ZONES)
        answered(warehouse, as_of, question)
        load(warehouse, [there], as_of, ZONES)
        assert answered(warehouse, as_of + timedelta(hours=1), question) == 2


def test_a_level_that_is_asked_further_back_is_counted_in_full() -> None:
    """Of what was before its first week it is kept how much, not when."""
    as_of = at("2026-06-15T06:00")
    week = weeks.week_of(as_of.date())
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for number, first in enumerate((week - 3, week - 20, week - 2, week - 9)):
            new = [a_ticket(f"t{number}-{n}", opened_at=at("2026-02-02") + timedelta(weeks=n)) for n in range(17)]
            load(warehouse, new, as_of, ZONES)
            names = ("backlog_open", "incident_count")
            assert answered(warehouse, as_of, [CellsAsked(a_query(name), first, week) for name in names]) > 0


def test_what_changes_in_a_level_s_past_without_coming_or_going_is_taken_over() -> None:
    """An incident of months ago turns out to be a major one: as many incidents as before, one more of them major."""
    as_of = at("2026-06-15T06:00")
    week = weeks.week_of(as_of.date())
    question = [CellsAsked(a_query("major_incident_count"), week - 2, week)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for is_major in (False, True, False, True):
            load(warehouse, [a_ticket(opened_at=at("2026-02-02"), is_major=is_major)], as_of, ZONES)
            (cells,) = warehouse.cells_ahead(question, as_of=as_of, kept_from=0)
            (part,) = warehouse.passes(question, is_kept=True)
            assert part.signed is not None
            kept = warehouse.arrow("SELECT cells FROM kept_counts")["cells"][0].as_py()
            counts = Counts.unpacked(kept, (), {})
            assert counts.named(str(part.told[0].numerator)).tolist() == [int(is_major)]
            assert cells.n.tolist() == [0, 0, 0]
