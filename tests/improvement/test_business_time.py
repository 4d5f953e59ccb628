"""Business hours, holidays and zones: what is business time, held against counting it minute by minute."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from improvement.business_time import LAST_DAY, Calendar, hours_of, hours_text, week_of
from improvement.calendar_steps import steps_of
from tests.improvement.slow_business_time import slow_seconds

ROOT = Path(__file__).parents[2]
OFFICE = week_of({"mon-fri": "08:00-12:00, 13:00-17:00"})
ZONES = ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
NEAR_CHANGES = [date(2026, 3, 28), date(2026, 10, 24), date(2026, 3, 7), date(2026, 4, 4), date(2011, 12, 28)]


def zurich(text: str) -> datetime:
    """An instant of winter time in Zurich."""
    return datetime.fromisoformat(text + "+01:00")


def hours(calendar: Calendar, begin: datetime, end: datetime) -> float:
    seconds = calendar.seconds(begin, end)
    assert seconds is not None
    return seconds / 3600


@st.composite
def calendars(draw: Any) -> Calendar:
    edges = st.lists(st.integers(0, 288), min_size=2, max_size=6, unique=True).map(sorted)
    day = edges.map(lambda some: tuple((a * 300, b * 300) for a, b in zip(some[::2], some[1::2], strict=False)))
    near = draw(st.sampled_from(NEAR_CHANGES))
    close = st.integers(0, 10).map(lambda number: near + timedelta(days=number))
    return Calendar(
        draw(st.sampled_from(ZONES)),
        tuple(draw(st.lists(day | st.just(()), min_size=7, max_size=7))),
        frozenset(draw(st.sets(close, max_size=4))),
        draw(st.dictionaries(close, day | st.just(()), max_size=2)),
    )


@given(calendars(), st.sampled_from(NEAR_CHANGES), st.integers(0, 10_000), st.integers(-500, 8_000))
@example(Calendar("Europe/Zurich", (hours_of("00:00-24:00"),) * 7), date(2026, 10, 24), 0, 4_000)
@example(Calendar("Europe/Zurich", (hours_of("02:30-05:00"),) * 7), date(2026, 3, 28), 0, 4_000)
@settings(max_examples=60, deadline=None)
def test_it_is_what_a_wall_clock_shows_minute_by_minute(calendar: Calendar, day: date, begin: int, length: int) -> None:
    since = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=begin)
    until = since + timedelta(minutes=length)
    steps = steps_of(calendar.on, calendar.zone, day - timedelta(days=3), day + timedelta(days=20))
    found = [steps.upto(int(instant.timestamp())) for instant in (since, until)]
    assert found[0] is not None
    assert found[1] is not None
    assert max(found[1] - found[0], 0) == slow_seconds(calendar, since, until)


def test_the_worked_example_of_the_documentation() -> None:
    """A ticket over New Year: every line of the table in docs/explanation/business-time.md."""
    calendar = Calendar(
        "Europe/Zurich", OFFICE, frozenset({date(2026, 1, 1)}), {date(2025, 12, 31): hours_of("08:00-12:00")}
    )
    opened, resolved = zurich("2025-12-30T15:30"), zurich("2026-01-05T09:15")
    midnights = [zurich("2025-12-31T00:00") + timedelta(days=number) for number in range(6)]
    by_day = [hours(calendar, *pair) for pair in pairwise([opened, *midnights, resolved])]
    page = (ROOT / "docs" / "explanation" / "business-time.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (?:\*\*)?\w+(?:, \d.*|\*\*) \| (?:\*\*)?([\d.]+)(?:\*\*)? \|$", page, re.MULTILINE)
    assert [float(text) for text in shown] == [*by_day, hours(calendar, opened, resolved)]
    assert by_day == [1.5, 4, 0, 8, 0, 0, 1.25]
    assert f"it is {(resolved - opened).total_seconds() / 3600} hours" in page


def test_an_hour_skipped_is_none_and_an_hour_shown_twice_counts_twice() -> None:
    always = Calendar("Europe/Zurich", (hours_of("00:00-24:00"),) * 7)
    spring, autumn = zurich("2026-03-29T00:00"), datetime.fromisoformat("2026-10-25T00:00+02:00")
    assert hours(always, spring, spring + timedelta(hours=23)) == 23
    assert hours(always, autumn, autumn + timedelta(hours=25)) == 25
    night = Calendar("Europe/Zurich", (hours_of("02:00-03:00"),) * 7)
    assert hours(night, spring, spring + timedelta(hours=23)) == 0
    assert hours(night, autumn, autumn + timedelta(hours=25)) == 2


def test_an_end_before_the_begin_is_nothing_and_beyond_the_calendar_nothing_is_said() -> None:
    calendar = Calendar("UTC", OFFICE)
    begin = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert calendar.seconds(begin, begin - timedelta(hours=1)) == 0
    assert calendar.seconds(datetime(1989, 12, 31, tzinfo=UTC), begin) is None
    last = datetime(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day, 23, 59, 59, tzinfo=UTC)
    assert calendar.seconds(begin, last) is not None
    assert calendar.seconds(begin, last + timedelta(seconds=1)) is None


def test_hours_are_read_as_they_are_written() -> None:
    assert hours_text(hours_of("13:00-17:00,08:00 - 12:00")) == "08:00-12:00, 13:00-17:00"
    assert hours_of("08:00-12:00, 12:00-24:00") == ((28_800, 86_400),)
    assert hours_text(hours_of("closed")) == "closed"
    assert Calendar("UTC", week_of({"mon-thu": "08:00-17:00", "fri": "08:00-14:00"})).text == (
        "mon-thu 08:00-17:00; fri 08:00-14:00; UTC"
    )


@pytest.mark.parametrize(
    ("hours", "what"),
    [
        ({"mon": "8-17"}, '"8-17" are no hours'),
        ({"mon": "17:00-08:00"}, "does not end later than it begins"),
        ({"mon": "08:00-24:30"}, "does not end later than it begins, within a day"),
        ({"mon": "08:75-09:00"}, "within a day"),
        ({"mon": "08:00-12:00, 11:00-13:00"}, "overlap"),
        ({"mo": "08:00-17:00"}, '"mo" is no weekday'),
        ({"fri-mon": "08:00-17:00"}, "runs backwards"),
        ({"mon-fri": "08:00-17:00", "fri": "08:00-14:00"}, "fri is named twice"),
        ({"sun": "closed"}, "no weekday has hours"),
    ],
)
def test_what_are_no_hours_is_refused_with_the_form_to_write(hours: dict[str, str], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        week_of(hours)
