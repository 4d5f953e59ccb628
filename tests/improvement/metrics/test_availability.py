"""Availability: minutes are lost once, in the week in which they passed where people live."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from improvement import weeks
from tests.improvement.metrics.build import LATER, a_query, a_ticket, a_warehouse, an_outage, at

WEEK = weeks.parse_label("2026-W10")  # Monday 2026-03-02


def lost(folder: Path, *records: msgspec.Struct, as_of: datetime = LATER, last: int = WEEK) -> list[float]:
    """Minutes lost in each week from W10 on, over all that Acme uses."""
    with a_warehouse(folder, *records) as warehouse:
        cells = warehouse.cells(a_query("availability"), as_of=as_of, first_week=WEEK, last_week=last).to_pylist()
    return [cell["denominator"] - cell["numerator"] for cell in cells]


def test_an_outage_takes_its_minutes_from_the_week_of_its_service(tmp_path: Path) -> None:
    assert lost(tmp_path, an_outage()) == [120.0]


def test_degradations_and_planned_outages_take_nothing(tmp_path: Path) -> None:
    assert lost(tmp_path, an_outage(kind="planned"), an_outage("2", kind="degradation"), a_ticket("t1")) == [0.0]


def test_overlapping_outages_of_one_service_count_once_those_of_two_twice(tmp_path: Path) -> None:
    again = an_outage("o2", begin_at=at("2026-03-03T11:00"), end_at=at("2026-03-03T12:30"))
    inside = an_outage("o3", begin_at=at("2026-03-03T10:30"), end_at=at("2026-03-03T11:00"))
    assert lost(tmp_path, an_outage(), again, inside) == [150.0]
    other = an_outage("o4", service="ERP")
    assert lost(tmp_path / "two", an_outage(), other) == [240.0]


def test_an_outage_over_the_night_to_monday_is_split_at_local_midnight(tmp_path: Path) -> None:
    night = an_outage(begin_at=at("2026-03-08T22:00"), end_at=at("2026-03-09T00:00"))  # 23:00 to 01:00 in Zurich
    assert lost(tmp_path, night, last=WEEK + 1) == [60.0, 60.0]
    honolulu = an_outage(country="US", begin_at=at("2026-03-09T09:00"), end_at=at("2026-03-09T12:00"))
    assert lost(tmp_path / "us", honolulu, last=WEEK + 1) == [60.0, 120.0]


def test_an_hour_that_the_clocks_skip_was_no_outage(tmp_path: Path) -> None:
    spring = an_outage(begin_at=at("2026-03-29T00:30"), end_at=at("2026-03-29T01:30"))  # 01:30 to 03:30 on the wall
    assert lost(tmp_path, spring, last=WEEK + 3)[-1] == 60.0


def test_an_open_outage_goes_on_until_the_moment(tmp_path: Path) -> None:
    going_on = an_outage(end_at=None)
    assert lost(tmp_path, going_on, as_of=at("2026-03-03T13:00")) == [180.0]
    assert lost(tmp_path / "later", going_on, last=WEEK + 1)[1] == 10_080.0
    ended_later = an_outage(end_at=at("2026-03-06"))
    assert lost(tmp_path / "then", ended_later, as_of=at("2026-03-03T13:00")) == [180.0]


def test_before_the_first_outage_is_recorded_nobody_knows(tmp_path: Path) -> None:
    tickets = [a_ticket("t1", opened_at=at("2025-12-01")), a_ticket("2", service=None)]
    assert lost(tmp_path, *tickets) == []
    late = an_outage(customer="Bolt", begin_at=at("2026-03-10"), end_at=at("2026-03-11"))
    with a_warehouse(tmp_path / "late", *tickets, late) as warehouse:
        cells = warehouse.cells(a_query("availability"), as_of=LATER, first_week=WEEK, last_week=WEEK + 1).to_pylist()
    assert [(cell["customer"], cell["week"] - WEEK) for cell in cells] == [("Acme", 1), ("Bolt", 1)]
    assert [cell["numerator"] / cell["denominator"] for cell in cells] == pytest.approx([1.0, 1 - 1440 / 10_080])
