"""A business calendar as a table: business seconds up to an instant are one look-up, those between two a subtraction.

From the hours of local days come *stretches* of UTC, and from these *steps*, which an engine joins by country and UTC
day.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from improvement.weeks import DAY_S, EPOCH

Ints = npt.NDArray[np.int64]
HoursOn = Callable[[date], Sequence[tuple[int, int]]]  # of a local day: from, to in its seconds, in order


@dataclass(frozen=True, slots=True)
class Steps:
    """One row a step, in order and without gaps; a step begins with every UTC day and with every stretch.

    The business seconds up to an instant ``t`` of a step are ``base_s + min(t, end_s)``: ``end_s`` is where the last
    stretch that began by then ends. All are seconds since 1970, ``day`` is the UTC day since 1970.
    """

    day: Ints
    begin_s: Ints
    until_s: Ints
    end_s: Ints
    base_s: Ints

    def upto(self, instant_s: int) -> int | None:
        """Business seconds from the first day up to an instant; None outside."""
        number = bisect_right(self.begin_s, instant_s) - 1
        if number < 0 or instant_s >= self.until_s[number]:
            return None
        return int(self.base_s[number]) + min(instant_s, int(self.end_s[number]))


def steps_of(hours_on: HoursOn, zone: str, first: date, last: date) -> Steps:
    """The steps of the UTC days from ``first`` to ``last``, both included, of what works these hours in this zone."""
    begins, ends = stretches(hours_on, zone, first, last)
    days = np.arange((first - EPOCH).days, (last - EPOCH).days + 1, dtype=np.int64) * DAY_S
    inside = begins[(begins >= days[0]) & (begins < days[-1] + DAY_S)]
    begin = np.unique(np.concatenate([days, inside]))
    until = np.append(begin[1:], days[-1] + DAY_S)
    # A stretch of no length before all others: what is asked for before the first one is zero.
    begins, ends = (np.concatenate([[days[0] - DAY_S], some]) for some in (begins, ends))
    before = np.cumsum(ends - begins) - (ends - begins)
    which = np.searchsorted(begins, begin, side="right") - 1
    return Steps(begin // DAY_S, begin, until, ends[which], before[which] - begins[which])


def stretches(hours_on: HoursOn, zone: str, first: date, last: date) -> tuple[Ints, Ints]:
    """Begins and ends, in UTC seconds since 1970, of business time on the local days ``first`` to ``last``."""
    local = [
        ((day - EPOCH).days * DAY_S + begin, (day - EPOCH).days * DAY_S + end)
        for day in (first + timedelta(days=number) for number in range((last - first).days + 1))
        for begin, end in hours_on(day)
    ]
    begins, ends = np.array(local, dtype=np.int64).reshape(-1, 2).T
    parts = []
    for since, until, offset in _offsets(zone, first, last):
        low, high = since + offset, until + offset
        some = slice(np.searchsorted(ends, low, side="right"), np.searchsorted(begins, high, side="left"))
        parts.append(np.clip(np.stack([begins[some], ends[some]]), low, high) - offset)
    found = np.concatenate(parts, axis=1)
    is_next = np.concatenate([[True], found[0, 1:] > found[1, :-1]]) if found.size else np.empty(0, dtype=bool)
    last_of_run = np.append(is_next[1:], True) if found.size else is_next
    return found[0, is_next], found[1, last_of_run]


def _offsets(zone: str, first: date, last: date) -> list[tuple[int, int, int]]:
    """Stretches of UTC with one offset of the zone, in seconds, that hold the local days from first to last."""
    where = ZoneInfo(zone)

    def offset(instant_s: int) -> int:
        shift = datetime.fromtimestamp(instant_s, UTC).astimezone(where).utcoffset()
        assert shift is not None
        return int(shift.total_seconds())

    begin, end = ((day - EPOCH).days * DAY_S for day in (first - timedelta(days=2), last + timedelta(days=3)))
    found, since, now = [], begin, offset(begin)
    for day in range(begin, end, DAY_S):
        then = offset(day + DAY_S)
        if then == now:
            continue
        low, high = day, day + DAY_S  # the last second with the old offset, the first with the new one
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == now else (low, middle)
        found.append((since, high, now))
        since, now = high, then
    return [*found, (since, end, now)]
