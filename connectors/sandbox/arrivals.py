"""When tickets are opened: weeks, weekdays and hours in the scope's own zone.

The hour profile follows the real log (45 % from 8:00 to 11:59, 9 % from 12:00 to 12:59, 35 % from 13:00 to 17:59).
That log holds three working days only, so weekdays and season are the generator's own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DAY_S = 86_400
WEEK_S = 7 * DAY_S

WEEKDAYS = np.array([0.210, 0.192, 0.186, 0.180, 0.162, 0.040, 0.030])  # Monday … Sunday
HOURS = np.array(
    [0.004] * 6  # 0–5
    + [0.012, 0.031]  # 6, 7
    + [0.100, 0.125, 0.120, 0.105]  # 8–11
    + [0.090]  # 12
    + [0.080, 0.080, 0.075, 0.065, 0.050]  # 13–17
    + [0.016, 0.009, 0.006, 0.004]  # 18–21
    + [0.004, 0.004]  # 22, 23
)


def weekly_volumes(rng: np.random.Generator, per_week: float | Floats, weeks: int, *, phase: float) -> Ints:
    """Tickets in each week: Poisson around a mild yearly season (± 8 %) and a little weekly noise.

    ``per_week``: one mean for all weeks, or one for each.
    """
    week = np.arange(weeks)
    season = 1 + 0.08 * np.cos(2 * np.pi * (week / 52.18 - phase))
    noise = np.exp(ar1(rng, weeks, rho=0.4, sd=0.04))
    volumes: Ints = rng.poisson(per_week * season * noise).astype(np.int64)
    return volumes


def opening_times(rng: np.random.Generator, volumes: Ints, *, start: int, zone: str) -> tuple[Ints, Ints]:
    """Instants (epoch seconds UTC, ascending) and their local week index, for these weekly volumes."""
    week: Ints = np.repeat(np.arange(len(volumes), dtype=np.int64), volumes)
    count = len(week)
    weekday = rng.choice(7, size=count, p=WEEKDAYS / WEEKDAYS.sum())
    hour = rng.choice(24, size=count, p=HOURS / HOURS.sum())
    day = week * 7 + weekday
    local = start + day * DAY_S + hour * 3600 + rng.integers(0, 3600, size=count)
    utc = local - _offsets(start, len(volumes) * 7, zone)[day]
    order = np.argsort(utc, kind="stable")
    return utc[order].astype(np.int64), week[order].astype(np.int64)


def local_week(instants: Ints, *, start: int, weeks: int, zone: str) -> Ints:
    """The local week index of instants, clipped to the world's weeks."""
    day = np.clip((instants - start) // DAY_S, 0, weeks * 7 - 1)
    local = instants + _offsets(start, weeks * 7, zone)[day]
    week: Ints = np.clip((local - start) // WEEK_S, 0, weeks - 1).astype(np.int64)
    return week


def ar1(rng: np.random.Generator, count: int, *, rho: float, sd: float) -> Floats:
    """Stationary autocorrelated noise with this lag-1 correlation and standard deviation."""
    shocks = rng.normal(0.0, sd * np.sqrt(1 - rho**2), size=count)
    values = np.empty(count)
    value = rng.normal(0.0, sd)
    for index in range(count):
        value = rho * value + shocks[index]
        values[index] = value
    return values


@lru_cache(maxsize=64)
def _offsets(start: int, days: int, zone: str) -> Ints:
    """Seconds east of UTC at noon of each day (a change of clocks at night counts from that day on)."""
    info = ZoneInfo(zone)
    first = datetime.fromtimestamp(start, UTC) + timedelta(hours=12)
    found = []
    for day in range(days):
        offset = (first + timedelta(days=day)).astimezone(info).utcoffset()
        found.append(int(offset.total_seconds()) if offset is not None else 0)
    return np.array(found, dtype=np.int64)
