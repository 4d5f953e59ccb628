"""Periods people report on: a year, a quarter, a month, an ISO week, or two dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from improvement import weeks
from improvement.errors import InputError

FIRST_YEAR, LAST_YEAR = 1990, 2100  # of every moment, day, week and period somebody names
_FORM = re.compile(r"^(?P<year>\d{4})(?:-?Q(?P<quarter>[1-4])|-(?P<month>0[1-9]|1[0-2]))?$")
MEND = "Write it like 2026Q1, 2026-03, 2026-W10, 2026 or 2026-01-01..2026-02-15."


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days in UTC, both ends included; UTC because that is what platforms count their records by."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        """Its first moment."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """Its last second: platforms keep no smaller part."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC) - timedelta(seconds=1)

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


def outside_our_time(year: int) -> str:
    """What is wrong with a year, to go into a sentence; empty where nothing is. Far from both ends dates overflow."""
    return "" if FIRST_YEAR <= year <= LAST_YEAR else f"its year lies outside {FIRST_YEAR} to {LAST_YEAR}"


def period(text: str) -> Period:
    """The period a text names; :class:`InputError` for anything else."""
    if ".." in text:
        first, _, last = text.partition("..")
        found = Period(_day(first, text), _day(last, text))
        if found.last < found.first:
            raise InputError(f"“{text[:60]}” ends before it begins.", mend=MEND)
        return found
    if "W" in text:
        week = weeks.parse_label(text)
        _in_our_time(weeks.monday(week).year, text)
        return Period(weeks.monday(week), weeks.sunday(week))
    match = _FORM.match(text)
    if match is None:
        raise InputError(f"“{text[:60]}” is no period.", mend=MEND)
    year = int(match["year"])
    _in_our_time(year, text)
    begin, months = 1, 12
    if match["quarter"]:
        begin, months = 3 * int(match["quarter"]) - 2, 3
    elif match["month"]:
        begin, months = int(match["month"]), 1
    after = begin + months
    end = date(year + 1, 1, 1) if after > 12 else date(year, after, 1)
    return Period(date(year, begin, 1), end - timedelta(days=1))


def quarter_of(day: date) -> str:
    """The calendar quarter of a day, or of a moment in its own zone, like ``2026Q1``."""
    return f"{day.year}Q{(day.month - 1) // 3 + 1}"


def _day(text: str, whole: str) -> date:
    try:
        found = date.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError(f"“{whole[:60]}” is no period: “{text[:20]}” is no date.", mend=MEND) from error
    _in_our_time(found.year, whole)
    return found


def _in_our_time(year: int, whole: str) -> None:
    outside = outside_our_time(year)
    if outside:
        raise InputError(f"“{whole[:60]}” is no period: {outside}.", mend=MEND)
