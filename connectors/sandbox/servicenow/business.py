"""Business hours of SLA definitions: working time between two instants, and when a clock in it runs out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

Spans = Iterable[tuple[int, int | None]]  # (from, until), the last perhaps without end; epoch seconds

ALWAYS, BUSINESS, NONE = "always", "business", "none"
SCHEDULES = (ALWAYS, BUSINESS, NONE)
ZONE = "Europe/Zurich"
FIRST, LAST = time(8), time(17)
WORKDAYS = 5


def schedule_of(name: str, schedules: Mapping[str, str]) -> str:
    """The schedule of an SLA definition: that of the first pattern its name fits. Raises ValueError for an unknown."""
    found = next((kind for pattern, kind in schedules.items() if fnmatchcase(name, pattern)), ALWAYS)
    if found not in SCHEDULES:
        raise ValueError(f"There is no schedule “{found}”; there are {', '.join(SCHEDULES)}.")
    return found


def worked(spans: Spans, until: int) -> int:
    """Seconds of business hours in these spans, as far as they have passed."""
    total = 0
    for begin, end in spans:
        last = until if end is None else min(end, until)
        for opens, closes in _hours_from(begin):
            if opens >= last:
                break
            total += max(0, min(closes, last) - max(opens, begin))
    return total


def runs_out(spans: Spans, seconds: int) -> int | None:
    """When so many seconds of business hours have passed in these spans; None where they never do."""
    left = seconds
    for begin, end in spans:
        for opens, closes in _hours_from(begin):
            first = max(opens, begin)
            last = closes if end is None else min(closes, end)
            if last - first >= left:
                return first + left
            left -= max(0, last - first)
            if end is not None and closes >= end:
                break
    return None


def _hours_from(instant: int) -> Iterator[tuple[int, int]]:
    """The working days from that of an instant on, as epoch seconds."""
    zone = ZoneInfo(ZONE)
    day = datetime.fromtimestamp(instant, UTC).astimezone(zone).date()
    while True:
        if day.weekday() < WORKDAYS:
            yield _epoch(day, FIRST, zone), _epoch(day, LAST, zone)
        day += timedelta(days=1)


def _epoch(day: date, at: time, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, at, zone).timestamp())
