"""ISO weeks as integers, so that windows are plain arithmetic.

A *day* is the number of days since 1970-01-01, a *week* the number of ISO weeks since the one of 1970-01-01
(Monday 1969-12-29 is week 0). Both are local: the caller has already moved an instant into the scope's zone.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from improvement.errors import InputError

EPOCH = date(1970, 1, 1)
DAY_S = 86_400
_FIRST_MONDAY = date(1969, 12, 29)
_LABEL = re.compile(r"^(\d{4})-W(\d{2})$")


def day_of(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - EPOCH).days


def week_of(day: date) -> int:
    """The ISO week that holds this local date."""
    return (day - _FIRST_MONDAY).days // 7


def week_of_day(day: int) -> int:
    """The ISO week of a day counted from 1970-01-01."""
    return (day + 3) // 7


def monday(week: int) -> date:
    """The Monday that begins the week."""
    return _FIRST_MONDAY + timedelta(days=7 * week)


def sunday(week: int) -> date:
    """The Sunday that ends the week."""
    return monday(week) + timedelta(days=6)


def label(week: int) -> str:
    """ISO 8601 week label, for example ``2026-W07``."""
    year, number, _ = monday(week).isocalendar()
    return f"{year}-W{number:02d}"


def parse_label(text: str) -> int:
    """The week of an ISO label; :class:`InputError` for anything else."""
    match = _LABEL.match(text)
    if match is None:
        raise InputError(f"“{text}” is not an ISO week.", mend="Write it like 2026-W07.")
    try:
        return week_of(date.fromisocalendar(int(match[1]), int(match[2]), 1))
    except ValueError as error:
        raise InputError(f"“{text}” is not an ISO week: {error}.", mend="Write it like 2026-W07.") from error


def local_date(instant: datetime, zone: str) -> date:
    """The local date of an aware instant in an IANA zone."""
    return instant.astimezone(ZoneInfo(zone)).date()


def last_complete_week(as_of: datetime, zone: str) -> int:
    """The last ISO week that had ended in the zone at ``as_of`` (aware)."""
    return week_of(local_date(as_of, zone)) - 1
