"""Periods as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from improvement.errors import InputError
from improvement.periods import Period, period, quarter_of


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026Q1", "2026-01-01", "2026-03-31"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2026-01-05..2026-01-05", "2026-01-05", "2026-01-05"),
    ],
)
def test_a_period_is_its_first_and_last_day(text: str, first: str, last: str) -> None:
    assert period(text) == Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize("text", ["2026Q5", "Q1", "2026-13", "2025-W53", "2026-02-01..2026-01-01", "2026-02-30..", ""])
def test_anything_else_is_refused_with_how_to_write_it(text: str) -> None:
    with pytest.raises(InputError) as refused:
        period(text)
    assert "2026" in refused.value.mend


@pytest.mark.parametrize(
    "text", ["0000Q1", "0001", "1989-12", "1989-W52", "2101", "9999Q4", "9999-W52", "2026-01-01..9999-12-31"]
)
def test_a_year_outside_our_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="outside 1990 to 2100") as refused:
        period(text)
    assert "2026Q1" in refused.value.mend


def test_the_first_and_the_last_of_our_time_are_periods() -> None:
    assert period("1990Q1").first == period("1990-W01").first == date(1990, 1, 1)
    assert period("2100").until == datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC)


def test_it_lasts_until_the_last_second_of_its_last_day() -> None:
    assert period("2026Q1").since == datetime(2026, 1, 1, tzinfo=UTC)
    assert period("2026Q1").until == datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("month", "name"), [(1, "2026Q1"), (3, "2026Q1"), (4, "2026Q2"), (9, "2026Q3"), (12, "2026Q4")]
)
def test_a_day_lies_in_the_quarter_it_names(month: int, name: str) -> None:
    day = date(2026, month, 15)
    assert quarter_of(day) == quarter_of(datetime(2026, month, 15, tzinfo=UTC)) == name
    assert period(name).first <= day <= period(name).last
