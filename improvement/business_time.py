"""Business time: how many seconds of a stretch lie within a country's business hours.

An instant is business time when the local clock of the country's zone shows a time within the hours of the local day.
So an hour that the clock skips in spring is none, and one that it shows twice in autumn counts twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from improvement.plurals import how_many
from improvement.weeks import DAY_S

if TYPE_CHECKING:
    from improvement.calendar_steps import Steps

Hours = tuple[tuple[int, int], ...]  # (from, to) in seconds of a local day, in order, none touching another

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2060, 12, 31)  # beyond them the wall clock counts
CLOSED = "closed"
FORM = f"write hours like 08:00-12:00, 13:00-17:00, or {CLOSED}"
_RANGE = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)", re.ASCII)


@dataclass(frozen=True)
class Calendar:
    """When a country works: the hours of each weekday (Monday first), holidays, and days that differ.

    On a holiday nobody works; ``days`` goes before weekday and holiday. ``note`` says for people where the holidays
    come from. Days are local to ``zone``.
    """

    zone: str
    week: tuple[Hours, ...]
    holidays: frozenset[date] = frozenset()
    days: Mapping[date, Hours] = field(default_factory=dict)
    note: str = ""

    def on(self, day: date) -> Hours:
        """The hours of a local day."""
        if day in self.days:
            return self.days[day]
        return () if day in self.holidays else self.week[day.weekday()]

    @cached_property
    def steps(self) -> Steps:
        """The look-up table over all days that calendars reach."""
        from improvement.calendar_steps import steps_of  # loads NumPy: not for every command that reads settings

        return steps_of(self.on, self.zone, FIRST_DAY, LAST_DAY)

    def seconds(self, begin: datetime, end: datetime) -> int | None:
        """Business seconds between two instants (aware), none where the end comes first; None beyond the calendar."""
        before, after = (self.steps.upto(int(instant.timestamp() // 1)) for instant in (begin, end))
        return None if before is None or after is None else max(after - before, 0)

    @property
    def text(self) -> str:
        """For people: ``mon-fri 08:00-17:00, Europe/Zurich, holidays of CH-ZH``."""
        runs: list[tuple[int, int, Hours]] = []
        for number, hours in enumerate(self.week):
            if runs and runs[-1][2] == hours:
                runs[-1] = (runs[-1][0], number, hours)
            else:
                runs.append((number, number, hours))
        named = [
            f"{WEEKDAYS[first]}{f'-{WEEKDAYS[last]}' if last > first else ''} {hours_text(hours)}"
            for first, last, hours in runs
            if hours
        ]
        more = [f"{how_many(len(self.days), 'day')} by hand"] if self.days else []
        return "; ".join([*named, self.zone, *([self.note] if self.note else []), *more])


# --- what people write ------------------------------------------------------------------------------------------


def week_of(hours: Mapping[str, str]) -> tuple[Hours, ...]:
    """The hours of each weekday from texts by weekday or run of weekdays (``mon-fri``); a day not named is closed.

    :class:`ValueError` in the words of settings.
    """
    found: dict[int, Hours] = {}
    for name, text in hours.items():
        first, _, last = name.strip().lower().partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ValueError(f'"{name[:20]}" is no weekday; write mon … sun, or a run like mon-fri')
        begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        if end < begin:
            raise ValueError(f'"{name[:20]}" runs backwards; a week begins with mon')
        for number in range(begin, end + 1):
            if number in found:
                raise ValueError(f"{WEEKDAYS[number]} is named twice; name each weekday once")
            found[number] = hours_of(text)
    if not any(found.values()):
        raise ValueError('no weekday has hours; write at least one, like mon-fri = "08:00-17:00"')
    return tuple(found.get(number, ()) for number in range(7))


def hours_of(text: str) -> Hours:
    """The hours of a day from a text; ``24:00`` is its end. :class:`ValueError` in the words of settings."""
    if text.strip().lower() == CLOSED:
        return ()
    found: list[tuple[int, int]] = []
    for part in text.split(","):
        told = _RANGE.fullmatch(part.strip())
        if told is None:
            raise ValueError(f'"{part.strip()[:20]}" are no hours; {FORM}')
        begin, end = ((int(told[at]) * 60 + int(told[at + 1])) * 60 for at in (1, 3))
        is_clock = int(told[2]) < 60 and int(told[4]) < 60 and end <= DAY_S
        if not is_clock or begin >= end:
            raise ValueError(f'"{part.strip()}" does not end later than it begins, within a day; {FORM}')
        found.append((begin, end))
    found.sort()
    for (_, before), (after, _) in pairwise(found):
        if after < before:
            raise ValueError(f'"{text[:40]}" overlap; {FORM}')
    return _joined(found)


def hours_text(hours: Hours) -> str:
    """Hours as they are written."""
    return ", ".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in hours) or CLOSED


def _joined(hours: list[tuple[int, int]]) -> Hours:
    joined: list[tuple[int, int]] = []
    for begin, end in hours:
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return tuple(joined)


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
