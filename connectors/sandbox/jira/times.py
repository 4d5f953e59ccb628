"""How Jira writes and reads times: ISO 8601 with an offset without colon, and JQL in the user's own zone."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo

_JQL_TIME = re.compile(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?: (\d{1,2}):(\d{2}))?$")
_JQL_RELATIVE = re.compile(r"^([+-]?)(?=\d)(?:(\d+)w)? ?(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)?$")


class ZoneText:
    """Instants as text in one zone; an instant costs two look-ups, because a page of issues shows two thousand.

    Offsets change at quarters of an hour only, so they are kept per quarter.
    """

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._offsets: dict[int, tuple[int, str]] = {}
        self._days: dict[int, str] = {}

    def iso(self, epoch: int) -> str:
        """As an issue shows it: ``2026-03-02T09:00:00.000+0100``."""
        day, clock, offset = self._parts(epoch)
        return f"{day}T{clock}.000{offset}"

    def iso_sla(self, epoch: int) -> str:
        """As an SLA cycle shows it: ``2026-03-02T09:00:00+0100``."""
        day, clock, offset = self._parts(epoch)
        return f"{day}T{clock}{offset}"

    def _parts(self, epoch: int) -> tuple[str, str, str]:
        known = self._offsets.get(epoch // 900)
        if known is None:
            known = self._offsets[epoch // 900] = _offset(datetime.fromtimestamp(epoch, self.zone))
        day, second = divmod(epoch + known[0], 86_400)
        text = self._days.get(day)
        if text is None:
            text = self._days[day] = (_FIRST_DAY + timedelta(days=day)).isoformat()
        return text, _clock_texts()[second], known[1]


_FIRST_DAY = date(1970, 1, 1)


def _offset(local: datetime) -> tuple[int, str]:
    span = local.utcoffset() or timedelta()
    text = local.strftime("%z")
    return int(span.total_seconds()), text[:5]


@cache
def _clock_texts() -> tuple[str, ...]:
    return tuple(f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(86_400))


def iso(epoch: int, zone: tzinfo) -> str:
    """One instant as an issue shows it."""
    return ZoneText(zone).iso(epoch)


def friendly(seconds: int) -> str:
    """A duration as people read it: ``4h 30m``."""
    sign = "-" if seconds < 0 else ""
    minutes = abs(seconds) // 60
    hours, rest = divmod(minutes, 60)
    return sign + (f"{hours}h {rest}m" if hours and rest else f"{hours}h" if hours else f"{rest}m")


def jql_time(text: str, zone: ZoneInfo, now: int) -> int | None:
    """Epoch seconds of a JQL time (minute precision, zone of the calling user), None when it is none.

    Absolute ``2026-03-01 09:00``, ``2026/03/01``, milliseconds since the epoch, or relative ``-2w``, ``-3d 4h``. A
    local time that occurs twice means the first; one that is skipped is moved on by the gap, as Java's calendar does.
    """
    text = text.strip()
    match = _JQL_TIME.match(text)
    if match is not None:
        year, month, day, hour, minute = (int(part) if part else 0 for part in match.groups())
        try:
            local = datetime(year, month, day, hour, minute, tzinfo=zone)
        except ValueError:
            return None
        return int(local.timestamp())
    if text.isdigit() and len(text) > 8:
        return int(text) // 1000
    match = _JQL_RELATIVE.match(text)
    if match is None:
        return None
    sign, weeks, days, hours, minutes = match.groups()
    span = timedelta(
        weeks=int(weeks or 0), days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0)
    ).total_seconds()
    return now + int(-span if sign == "-" else span)
