"""How Jira writes and reads times: ISO 8601 with an offset without colon, and JQL in the user's own zone."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from connectors.sandbox.jira.addresses import MAX_DIGITS

_JQL_TIME = re.compile(r"^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?: (\d{1,2}):(\d{2}))?$")
_JQL_RELATIVE = re.compile(r"^([+-]?)(?=\d)(?:(\d{1,9})w)? ?(?:(\d{1,9})d)? ?(?:(\d{1,9})h)? ?(?:(\d{1,9})m)?$")
_SIZES = (604_800, 86_400, 3_600, 60)  # of a week, a day, an hour and a minute


FIRST_YEAR, LAST_YEAR = 1900, 9998
_Quarter = tuple[str, tuple[str, ...], str]  # "2026-03-02T09:", its seconds' "00:00" … "14:59", "+0100"
_QUARTER_S = 900
_KEPT_QUARTERS = 200_000  # more than five years
_CLOCKS = tuple(
    tuple(f"{second // 60:02d}:{second % 60:02d}" for second in range(first, first + _QUARTER_S))
    for first in range(0, 3_600, _QUARTER_S)
)


class ZoneText:
    """Instants as text in one zone; an instant costs two look-ups, because a page of issues shows two thousand.

    Since 1973 every zone's offset is a multiple of a quarter of an hour and changes at quarters only, so what the
    seconds of a quarter share is kept.
    """

    def __init__(self, zone: tzinfo) -> None:
        self.zone = zone
        self._quarters: dict[int, _Quarter] = {}

    def iso(self, epoch: int) -> str:
        """As an issue shows it: ``2026-03-02T09:00:00.000+0100``."""
        hour, clocks, offset = self._quarters.get(epoch // _QUARTER_S) or self._quarter(epoch // _QUARTER_S)
        return f"{hour}{clocks[epoch % _QUARTER_S]}.000{offset}"

    def sla_date(self, epoch: int) -> str:
        """As an SLA cycle shows it, as JSON text: in four forms, the first ``2026-03-02T09:00:00+0100``."""
        hour, clocks, offset = self._quarters.get(epoch // _QUARTER_S) or self._quarter(epoch // _QUARTER_S)
        clock = clocks[epoch % _QUARTER_S]
        return (
            f'{{"iso8601":"{hour}{clock}{offset}","jira":"{hour}{clock}.000{offset}",'
            f'"friendly":"{hour}{clock[:2]}","epochMillis":{epoch * 1000}}}'
        )

    def _quarter(self, number: int) -> _Quarter:
        if len(self._quarters) >= _KEPT_QUARTERS:
            self._quarters.clear()
        local = datetime.fromtimestamp(number * _QUARTER_S, self.zone)
        text = local.isoformat(timespec="hours")  # 2026-03-02T09+01:00
        known = (f"{text[:13]}:", _CLOCKS[local.minute // 15], text[13:].replace(":", ""))
        self._quarters[number] = known
        return known


def epoch_of(moment: datetime) -> int:
    """Epoch seconds of an aware instant; ValueError where some zone or form has no text for it."""
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"The year has to be between {FIRST_YEAR} and {LAST_YEAR}.")
    return int(moment.timestamp())


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
    if text.isdecimal() and 8 < len(text) <= MAX_DIGITS:
        return int(text) // 1000
    match = _JQL_RELATIVE.match(text)
    if match is None:
        return None
    sign, *counts = match.groups()
    span = sum(int(count or 0) * size for count, size in zip(counts, _SIZES, strict=True))
    return now + (-span if sign == "-" else span)
