"""What is kept of counts is let go: what all have taken in, what nobody asks for, and what costs more than counting."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from improvement import weeks
from improvement.metrics.counts import Counts
from tests.improvement.metrics.build import CONNECTION, ZONES, a_clock, a_query, a_survey, a_ticket, a_warehouse, at
from tests.workflows.warehouse.keeping import OTHER, answered, asked, counted_in_full, cycled, load
from workflows.warehouse import CellsAsked, kept, noting
from workflows.warehouse.kept import KeptCells


def test_notes_that_all_counts_have_taken_in_are_thrown_away_once_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query("incident_count"), last - 20, last)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, [a_ticket(f"t{number}", opened_at=opened_at) for number in range(200)], as_of, ZONES)
        list(warehouse.cells_ahead(question, as_of=as_of, kept_from=0))
        monkeypatch.setattr(noting, "LEAST", 10)
        for number in range(12):
            load(warehouse, [a_ticket(f"n{number}-{some}", opened_at=opened_at) for some in range(4)], as_of, ZONES)
            (found,) = warehouse.cells_ahead(question, as_of=as_of, kept_from=0)
            assert found.numerator.sum() == 200 + 4 * (number + 1)
            assert 4 <= warehouse.arrow("FROM noted_tickets").num_rows <= 10


def test_what_is_kept_of_a_connection_that_is_not_evaluated_any_more_goes_with_its_notes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two platforms; the cycles of the one end, its records still come."""
    monkeypatch.setattr(noting, "LEAST", 10)
    monkeypatch.setattr(noting, "MOST", 100)  # nothing is forgotten as a whole
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    mine = CellsAsked(a_query("incident_count"), last - 20, last)
    others = replace(mine, query=replace(mine.query, connection=OTHER))
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for week in range(5):
            now = as_of + timedelta(weeks=week)
            new = [a_ticket(f"{week}-{some}", opened_at=opened_at) for some in range(8)]
            load(warehouse, new, now, ZONES)
            load(warehouse, [msgspec.structs.replace(one, connection=OTHER) for one in new], now, ZONES)
            for question in (mine, others) if week == 0 else (mine,):
                answered(warehouse, now, [replace(question, last_week=last + week)])
            kept_of = warehouse.arrow("SELECT DISTINCT connection FROM kept_counts")["connection"].to_pylist()
            assert sorted(kept_of) == (sorted([CONNECTION, OTHER]) if week <= 2 else [CONNECTION])
        assert warehouse.arrow("FROM noted_tickets").num_rows <= 16  # those of the last load
        assert answered(warehouse, now, [replace(others, last_week=last + 4)]) > 0


def test_where_nothing_is_asked_any_more_nothing_is_kept_nor_noted() -> None:
    """The last rule was withdrawn: cycles go on, records still come."""
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for week, number in enumerate((2, 2, 2, 0, 0)):
            now = as_of + timedelta(weeks=week)
            load(warehouse, [a_ticket(f"t{week}", opened_at=opened_at)], now, ZONES)
            asked_now = [CellsAsked(a_query("incident_count"), last - 20, last)] if week == 0 else []
            assert len(list(warehouse.cells_ahead(asked_now, as_of=now, kept_from=0))) == len(asked_now)
            assert warehouse.arrow("FROM noted_tickets").num_rows == (week if number else 0)
            assert bool(warehouse.arrow("FROM kept_counts").num_rows) == bool(number)


def test_a_replay_lets_nothing_go() -> None:
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query("incident_count"), last - 20, last)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, [a_ticket("t1", opened_at=opened_at)], as_of, ZONES)
        list(warehouse.cells_ahead(question, as_of=as_of, kept_from=0))
        list(warehouse.cells_ahead(question, as_of=as_of + timedelta(weeks=9)))
        assert warehouse.arrow("FROM kept_counts").num_rows > 0


def test_where_more_was_noted_than_is_worth_it_everything_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noting, "LEAST", 3)
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query("incident_count"), last - 20, last)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for some in range(1, 6):
            load(warehouse, [a_ticket(f"{some}-{n}", opened_at=opened_at) for n in range(some)], as_of, ZONES)
            (found,) = warehouse.cells_ahead(question, as_of=as_of, kept_from=0)
            assert found.numerator.sum() == some * (some + 1) / 2
            assert warehouse.arrow("FROM noted_tickets").num_rows <= 3


def test_names_that_nothing_is_counted_under_any_more_are_not_kept() -> None:
    """Every week the customer gets another name. What is kept is, byte by byte, what a full count would keep."""
    as_of = at("2026-06-15T06:00")
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for week, name in enumerate(("Acme", "Bolt", "Cask", "Dune", "Echo")):
            now = as_of + timedelta(weeks=week)
            some = [a_ticket(f"t{n}", customer=name, opened_at=at("2026-06-01") + timedelta(days=n)) for n in range(14)]
            load(warehouse, [*some, a_clock(), a_survey(customer=name)], now, ZONES)
            cycled(warehouse, now)
            passes = [one for one in warehouse.passes(asked(now), is_kept=True) if one.signed is not None]
            cells = KeptCells(warehouse._raw, CONNECTION, passes, as_of=now)
            assert len(cells._kept) == len(passes) > 9
            for one in passes:
                fresh = one.cut(Counts.of(counted_in_full(warehouse, now, one, one.begins), one.signed))
                assert cells._kept[id(one)].packed == fresh.packed(), (week, one.sql)
                names = {values[0] for values in Counts.unpacked(fresh.packed(), (), {}).scopes.values}
                assert names <= {name, "(none)"}


def test_what_another_version_wrote_down_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    as_of, opened_at = at("2026-06-15T06:00"), at("2026-04-15")
    last = weeks.week_of(as_of.date()) - 1
    question = [CellsAsked(a_query("incident_count"), last - 20, last)]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        for number, version in enumerate(("an older one", kept.PACKED), start=1):
            load(warehouse, [a_ticket(f"t{number}", opened_at=opened_at)], as_of, ZONES)
            monkeypatch.setattr(kept, "PACKED", version)
            (found,) = warehouse.cells_ahead(question, as_of=as_of, kept_from=0)
            assert found.numerator.sum() == number
            warehouse._raw.execute("UPDATE kept_counts SET cells = 'written otherwise'::BLOB")
