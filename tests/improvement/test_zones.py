"""Two databases of time zones decide which week a record belongs to; they have to agree."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta

import duckdb

from improvement import weeks

BEGIN, DAYS = datetime(2025, 1, 1, 0, 30, tzinfo=UTC), 365 * 5


def test_the_machines_own_zones_are_never_read() -> None:
    assert zoneinfo.TZPATH == ()
    evening = datetime(2026, 10, 18, 23, 30, tzinfo=UTC)  # older data do not know that Morocco is on UTC by then
    assert weeks.local_date(evening, "Africa/Casablanca") == date(2026, 10, 18)


def test_python_and_duckdb_have_the_same_local_times_in_every_zone() -> None:
    moments = [BEGIN + timedelta(days=day) for day in range(DAYS)]
    differing = []
    with duckdb.connect() as shell:
        shell.execute("SET TimeZone = 'UTC'")
        named = {name for (name,) in shell.sql("SELECT name FROM pg_timezone_names()").fetchall()}
        zones = sorted(named & zoneinfo.available_timezones())
        for zone in zones:
            asked = "SELECT timezone($zone, $begin::TIMESTAMPTZ + to_days(day::INTEGER)) AS t FROM range($days) r(day)"
            told = shell.execute(asked, {"zone": zone, "begin": BEGIN.isoformat(), "days": DAYS}).to_arrow_table()
            here = zoneinfo.ZoneInfo(zone)
            if told["t"].to_pylist() != [moment.astimezone(here).replace(tzinfo=None) for moment in moments]:
                differing.append(zone)
    assert len(zones) > 500
    assert differing == []
