"""Business time once more, minute by minute as somebody with a wall clock would count it: slow and obvious."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from improvement.business_time import Calendar

MINUTE = timedelta(minutes=1)


def slow_seconds(calendar: Calendar, begin: datetime, end: datetime) -> int:
    """Business seconds between two instants that fall on whole minutes."""
    minutes, now, zone = 0, begin, ZoneInfo(calendar.zone)
    while now < end:
        local = now.astimezone(zone)
        shown = local.hour * 3600 + local.minute * 60
        minutes += any(first <= shown < last for first, last in calendar.on(local.date()))
        now += MINUTE
    return minutes * 60
