"""JQL knows minutes in the zone of the user who asks: our bounds lose nothing, even in the hour that occurs twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.jira.instants import after, floor, minute_of, not_after

ZONES = [
    ZoneInfo(name)
    for name in (
        "Etc/UTC",
        "Europe/Zurich",
        "Pacific/Honolulu",
        "Pacific/Auckland",
        "Australia/Lord_Howe",  # summer time shifts by thirty minutes
        "Asia/Kathmandu",
        "America/St_Johns",
    )
]
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


def readings(text: str, zone: ZoneInfo) -> list[datetime]:
    """What Jira may take a text for: an hour that occurs twice has two meanings."""
    local = datetime.fromisoformat(text).replace(tzinfo=zone)
    return [local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]


@settings(deadline=None)
@given(moment=moments, zone=st.sampled_from(ZONES))
def test_a_lower_bound_is_never_after_the_instant_whichever_way_it_is_read(moment: datetime, zone: ZoneInfo) -> None:
    taken = readings(not_after(moment, zone), zone)
    assert max(taken) <= moment
    assert moment - min(taken) <= timedelta(hours=2, minutes=1)
    assert floor(moment, zone) in taken


@settings(deadline=None)
@given(moment=moments, zone=st.sampled_from(ZONES))
def test_an_upper_bound_is_always_after_the_instant(moment: datetime, zone: ZoneInfo) -> None:
    taken = readings(after(moment, zone), zone)
    assert min(taken) > moment
    assert max(taken) - moment <= timedelta(hours=2, minutes=1)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Pacific/Honolulu", "2026-03-01 23:00"),
        ("Pacific/Auckland", "2026-03-02 22:00"),
        ("Europe/Zurich", "2026-03-02 10:00"),
    ],
)
def test_an_instant_is_written_in_the_callers_zone(zone: str, text: str) -> None:
    assert not_after(datetime(2026, 3, 2, 9, 0, 59, tzinfo=UTC), ZoneInfo(zone)) == text


def test_the_hour_that_occurs_twice_is_stepped_around() -> None:
    zone = ZoneInfo("Europe/Zurich")
    twice = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30, and once more an hour later
    assert not_after(twice, zone) == "2026-10-25 01:30"
    assert after(twice, zone) == "2026-10-25 03:01"


def test_seconds_are_cut_off() -> None:
    assert minute_of(datetime(2026, 3, 2, 9, 0, 59, 999, tzinfo=UTC)) == datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
