"""Times and durations as an instance stores and shows them, and the script values a query may hold.

Stored: UTC ``YYYY-MM-DD hh:mm:ss``; a ``glide_duration`` is an offset from the epoch (four hours is
``1970-01-01 04:00:00``). Shown: in the user's zone; a duration in words.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

STORED = "%Y-%m-%d %H:%M:%S"
_STORED_TIME = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2})?")
_MINUTES = tuple(f" {hour:02d}:{minute:02d}:" for hour in range(24) for minute in range(60))
_SECONDS = tuple(f"{second:02d}" for second in range(60))
_DATE_GENERATE = re.compile(
    r"""gs\.dateGenerate\(\s*["'](?P<date>[^"']*)["']\s*(?:,\s*["'](?P<time>[^"']*)["']\s*)?\)"""
)
_AGO = re.compile(r"gs\.(?P<unit>minutes|hours|days|months)Ago(?P<edge>Start|End)?\(\s*(?P<amount>-?\d{1,9})\s*\)")
_AMOUNT = re.compile(r"[0-9]{1,9}")
_EDGE_OF_DAY = re.compile(r"gs\.(?P<edge>beginning|end)Of(?P<day>Today|Yesterday|Tomorrow)\(\)")


def stored(epoch_s: int) -> str:
    """An instant in epoch seconds as stored text: three look-ups, because a boot writes a million of them."""
    day, second = divmod(epoch_s, 86400)
    return f"{_day(day)}{_MINUTES[second // 60]}{_SECONDS[second % 60]}"


def stored_duration(seconds: int) -> str:
    """A duration as stored text."""
    return stored(max(0, seconds))


def epoch_of(text: str) -> int:
    """Epoch seconds of stored text."""
    return int(datetime.strptime(text, STORED).replace(tzinfo=UTC).timestamp())


def shown(text: str, zone: ZoneInfo) -> str:
    """A stored instant as a user in this zone sees it."""
    try:
        moment = datetime.strptime(text, STORED).replace(tzinfo=UTC)
    except ValueError:
        return text
    return moment.astimezone(zone).strftime(STORED)


def entered(text: str, zone: ZoneInfo) -> str | None:
    """What a user in this zone means by a time, as stored text; None where the calendar ends."""
    return _local(text[:10], text[11:], zone)


def shown_duration(text: str) -> str:
    """A stored duration in words: ``1 Day 4 Hours``."""
    try:
        seconds = epoch_of(text)
    except ValueError:
        return text
    parts = []
    for name, size in (("Day", 86400), ("Hour", 3600), ("Minute", 60), ("Second", 1)):
        amount, seconds = divmod(seconds, size)
        if amount:
            parts.append(f"{amount} {name}{'s' if amount != 1 else ''}")
    return " ".join(parts) or "0 Seconds"


def normalised(text: str) -> str | None:
    """A time in a query as stored text; a date alone is its first second. None where it is no time."""
    if not _STORED_TIME.fullmatch(text):
        return None
    return text if len(text) > 10 else f"{text} 00:00:00"


def evaluated(value: str, *, zone: ZoneInfo, now: datetime, user: str) -> str | None:
    """The value of ``javascript:…`` in a query; other text as it is; None for a script that is not known.

    ``gs.dateGenerate`` and the *ago* functions speak the user's zone, as on an instance.
    """
    if not value.startswith("javascript:"):
        return value
    script = value.removeprefix("javascript:").strip().rstrip(";")
    if script == "gs.getUserID()":
        return user
    if script == "gs.nowDateTime()":
        return now.strftime(STORED)
    match = _DATE_GENERATE.fullmatch(script)
    if match is not None:
        return _generated(match["date"], match["time"], zone)
    match = _AGO.fullmatch(script)
    if match is not None:
        return _ago(match, zone, now)
    match = _EDGE_OF_DAY.fullmatch(script)
    if match is not None:
        offset = {"Today": 0, "Yesterday": -1, "Tomorrow": 1}[match["day"]]
        day = now.astimezone(zone).date() + timedelta(days=offset)
        return _local(day.isoformat(), "00:00:00" if match["edge"] == "beginning" else "23:59:59", zone)
    return None


def day_bounds(value: str, zone: ZoneInfo) -> tuple[str, str] | None:
    """First and last second (stored) of the day of an ``ON`` value ``2025-06-30@…``, in the user's zone."""
    day = value.partition("@")[0][:10]
    first, last = _local(day, "00:00:00", zone), _local(day, "23:59:59", zone)
    return (first, last) if first is not None and last is not None else None


def relative(value: str, now: datetime) -> str | None:
    """The instant of a relative value ``dayofweek@ago@7`` (minute, hour, dayofweek, week, month, year)."""
    parts = value.split("@")
    sizes = {"minute": 60, "hour": 3600, "dayofweek": 86400, "week": 604800, "month": 2629800, "year": 31557600}
    if len(parts) != 3 or parts[0] not in sizes or parts[1] not in ("ago", "ahead") or not _AMOUNT.fullmatch(parts[2]):
        return None
    seconds = sizes[parts[0]] * int(parts[2])
    moment = _moved(now, -seconds if parts[1] == "ago" else seconds)
    return moment.strftime(STORED) if moment is not None else None


def _generated(day: str, time: str | None, zone: ZoneInfo) -> str | None:
    time = {"start": "00:00:00", "end": "23:59:59"}.get(time or "", time)
    text = normalised(f"{day} {time}" if time else day)
    return _local(text[:10], text[11:], zone) if text is not None else None


def _ago(match: re.Match[str], zone: ZoneInfo, now: datetime) -> str | None:
    size = {"minutes": 60, "hours": 3600, "days": 86400, "months": 2629800}[match["unit"]]
    moment = _moved(now, -size * int(match["amount"]))
    if moment is None or match["edge"] is None:
        return moment.strftime(STORED) if moment is not None else None
    day = moment.astimezone(zone).date().isoformat()
    return _local(day, "00:00:00" if match["edge"] == "Start" else "23:59:59", zone)


def _moved(now: datetime, seconds: int) -> datetime | None:
    """The instant so much later; None where the calendar has ended."""
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return None


def _local(day: str, time: str, zone: ZoneInfo) -> str | None:
    try:
        return datetime.strptime(f"{day} {time}", STORED).replace(tzinfo=zone).astimezone(UTC).strftime(STORED)
    except (ValueError, OverflowError):
        return None


@lru_cache(maxsize=16384)
def _day(number: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=number)).isoformat()
