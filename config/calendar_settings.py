"""When a country works: the tables ``[calendars.COUNTRY]`` of the settings.

Public holidays come from the library ``holidays``; what differs (company days, half days, Saturdays in December) is
said by hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from importlib.metadata import version

from pydantic import BaseModel, ConfigDict, field_validator

from improvement.business_time import FIRST_DAY, LAST_DAY, Calendar, hours_of, week_of


class CalendarSettings(BaseModel):
    """``hours`` by weekday or run of weekdays, ``holidays`` of the country and its ``subdivision``, single ``days``.

    A weekday that is not named is closed. ``days`` maps dates to hours or ``closed``, and goes before all else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: dict[str, str]
    holidays: bool = True
    subdivision: str | None = None
    days: dict[str, str] = {}

    @field_validator("hours")
    @classmethod
    def _weekdays(cls, hours: dict[str, str]) -> dict[str, str]:
        week_of(hours)
        return hours

    @field_validator("days")
    @classmethod
    def _dates(cls, days: dict[str, str]) -> dict[str, str]:
        for day, text in days.items():
            _day(day)
            hours_of(text)
        return days

    def calendar(self, country: str, zone: str) -> Calendar:
        """The calendar of a country; :class:`ValueError`, in the words of settings, where its holidays are unknown."""
        free, note = frozenset[date](), "no holidays"
        if self.holidays:
            free = holidays_of(country, self.subdivision)
            note = f"holidays of {country}{f'-{self.subdivision}' if self.subdivision else ''}"
        elif self.subdivision:
            raise ValueError(f"calendars.{country} names a subdivision, which only says whose holidays; take it away")
        days = {_day(day): hours_of(text) for day, text in self.days.items()}
        return Calendar(zone, week_of(self.hours), free, days, note)


def checked_calendars(
    calendars: Mapping[str, CalendarSettings], zones: Mapping[str, str]
) -> dict[str, CalendarSettings]:
    """The calendars by country in capitals; :class:`ValueError` where one cannot be made."""
    found = {country.upper(): chosen for country, chosen in calendars.items()}
    for country, chosen in found.items():
        if country not in zones:
            known = ", ".join(sorted(zones))
            raise ValueError(
                f'"{country[:20]}" has no time zone; a calendar is that of a country with one in `zones` ({known})'
            )
        if chosen.holidays:
            _known(country, chosen.subdivision)
        else:
            chosen.calendar(country, zones[country])
    return found


def digest_of(calendars: Mapping[str, CalendarSettings], zones: Mapping[str, str]) -> str:
    """What tells these calendars from others, without making them; "" for none."""
    if not calendars:
        return ""
    told = [(country, zones[country], chosen.model_dump_json()) for country, chosen in sorted(calendars.items())]
    return hashlib.sha256(repr((version("holidays"), told)).encode()).hexdigest()


def holidays_of(country: str, subdivision: str | None) -> frozenset[date]:
    """The public holidays of a country, or of a part of it, on all days that calendars reach."""
    import holidays  # loads fast, but most installations have no calendar

    years = range(FIRST_DAY.year, LAST_DAY.year + 1)
    return frozenset(holidays.country_holidays(country, subdiv=subdivision or None, years=years))


def _known(country: str, subdivision: str | None) -> None:
    import holidays

    known = holidays.list_supported_countries(include_aliases=True)
    if country not in known:
        raise ValueError(f"no public holidays are known of {country}; set `holidays = false` and name them in `days`")
    if subdivision and subdivision not in known[country]:
        listed = f"write one of {', '.join(sorted(known[country]))}" if known[country] else "leave it out"
        raise ValueError(f'{country} has no subdivision "{subdivision[:40]}"; {listed}')


def _day(text: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text[:20]}" is no day; write dates like 2026-12-24') from None
    if not FIRST_DAY <= found <= LAST_DAY:
        raise ValueError(f"{found} is beyond the calendars, which reach from {FIRST_DAY} to {LAST_DAY}")
    return found
