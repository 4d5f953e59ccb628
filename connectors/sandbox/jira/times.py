"""How Jira writes and reads times: ISO 8601 with an offset without colon, and JQL in the user's own zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_JQL_TIME = re.compile(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?: (\d{1,2}):(\d{2}))?$")
_JQL_RELATIVE = re.compile(r"^([+-]?)(?=\d)(?:(\d+)w)? ?(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)?$")


def iso(epoch: int, zone: tzinfo) -> str:
    """An instant as an issue shows it: ``2026-03-02T09:00:00.000+0100``."""
    text = datetime.fromtimestamp(epoch, zone).isoformat(timespec="milliseconds")
    return text[:-3] + text[-2:]


def iso_sla(epoch: int, zone: tzinfo) -> str:
    """An instant as an SLA cycle shows it: ``2026-03-02T09:00:00+0100``."""
    text = datetime.fromtimestamp(epoch, zone).isoformat()
    return text[:-3] + text[-2:]


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
