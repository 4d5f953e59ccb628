"""Instants as text: what look-ups write is what the calendar says, in every zone and around every change of clocks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.jira import times
from connectors.sandbox.jira.times import ZoneText
from connectors.sandbox.servicenow.moments import stored

ZONES = ("Etc/UTC", "Europe/Zurich", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Chatham", "America/St_Johns")
TEXTS = {zone: ZoneText(ZoneInfo(zone)) for zone in ZONES}
instants = st.integers(
    int(datetime(2023, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2031, 1, 1, tzinfo=UTC).timestamp())
)


@given(instants, st.sampled_from(ZONES))
def test_an_issue_shows_local_time_and_offset(epoch: int, zone: str) -> None:
    local = datetime.fromtimestamp(epoch, ZoneInfo(zone))

    assert TEXTS[zone].iso(epoch) == local.strftime("%Y-%m-%dT%H:%M:%S.000%z")


@given(instants, st.sampled_from(ZONES))
def test_a_clock_shows_an_instant_in_four_forms(epoch: int, zone: str) -> None:
    local = datetime.fromtimestamp(epoch, ZoneInfo(zone))

    assert json.loads(TEXTS[zone].sla_date(epoch)) == {
        "iso8601": local.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "jira": local.strftime("%Y-%m-%dT%H:%M:%S.000%z"),
        "friendly": local.strftime("%Y-%m-%dT%H:%M"),
        "epochMillis": epoch * 1000,
    }


def test_the_night_the_clocks_go_back_has_two_offsets() -> None:
    before = int(datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC).timestamp())

    assert TEXTS["Europe/Zurich"].iso(before) == "2026-10-25T02:59:59.000+0200"
    assert TEXTS["Europe/Zurich"].iso(before + 1) == "2026-10-25T02:00:00.000+0100"


def test_what_is_kept_of_a_zone_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "_KEPT_QUARTERS", 3)
    text = ZoneText(ZoneInfo("Europe/Zurich"))

    shown = [text.iso(900 * number) for number in range(8)]

    assert shown[-1] == "1970-01-01T02:45:00.000+0100"
    assert len(text._quarters) <= 3


@given(instants)
def test_an_instance_stores_utc(epoch: int) -> None:
    assert stored(epoch) == datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S")
