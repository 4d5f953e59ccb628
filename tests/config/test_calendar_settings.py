"""When a country works: what may be written, and what is said of anything else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from config.settings import load
from improvement.errors import RegelkreisError
from tests.config.test_settings import refusal, written

ZURICH = """
[calendars.CH]
hours = { mon-fri = "08:00-12:00, 13:00-17:00" }
subdivision = "ZH"
days = { 2026-12-24 = "08:00-12:00", 2026-04-06 = "10:00-12:00", 2026-12-31 = "closed" }
"""
BUSINESS = '[metrics]\nbusiness = ["time_to_resolve"]\n'


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGELKREIS_HOME", str(tmp_path))
    return tmp_path


def test_holidays_are_those_of_the_subdivision_and_days_by_hand_go_before_them(home: Path) -> None:
    written(home, ZURICH)
    calendar = load().business_calendars()["CH"]
    assert calendar.zone == "Europe/Zurich"
    assert calendar.on(date(2026, 5, 1)) == ()  # Labour Day is one in Zurich, not in all of Switzerland
    assert calendar.on(date(2026, 4, 3)) == ()  # Good Friday
    assert calendar.on(date(2026, 4, 6)) == ((36_000, 43_200),)  # Easter Monday, by hand
    assert calendar.on(date(2026, 12, 31)) == ()
    assert calendar.on(date(2026, 12, 30)) == ((28_800, 43_200), (46_800, 61_200))
    assert calendar.on(date(2026, 12, 26)) == ()
    assert calendar.text == "mon-fri 08:00-12:00, 13:00-17:00; Europe/Zurich; holidays of CH-ZH; 3 days by hand"


def test_without_calendars_nothing_is_made_and_nothing_tells_them_apart(home: Path) -> None:
    settings = load()
    assert (settings.calendars_sha256, settings.business_calendars(), settings.metrics.options.business) == ("", {}, ())


def test_whatever_changes_a_calendar_changes_what_tells_it_apart(home: Path) -> None:
    texts = [
        ZURICH,
        ZURICH.replace("17:00", "18:00"),
        ZURICH.replace("ZH", "BE"),
        ZURICH.replace("2026-12-31", "2026-12-30"),
        '[zones]\nCH = "Europe/Vaduz"\n' + ZURICH,
    ]
    digests = set()
    for text in texts:
        written(home, text)
        digests.add(load().calendars_sha256)
    assert len(digests) == len(texts)


def test_the_environment_may_set_one_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGELKREIS_CALENDARS__DE", '{"hours": {"mon-fri": "08:00-17:00"}, "subdivision": "BW"}')
    assert load().business_calendars()["DE"].on(date(2026, 1, 6)) == ()  # Epiphany


def test_overruns_are_chosen_beside_metrics(home: Path) -> None:
    written(home, BUSINESS.replace('["', '["overrun", "') + ZURICH)
    metrics = load().metrics
    assert (metrics.options.business, metrics.has_business_overrun) == (("time_to_resolve",), True)


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        (ZURICH.replace("08:00-12:00, ", "8-12, "), "calendars.CH.hours", '"8-12" are no hours; write hours like'),
        (ZURICH.replace("mon-fri", "mo-fr"), "calendars.CH.hours", '"mo-fr" is no weekday; write mon … sun'),
        (ZURICH.replace("2026-12-31", "2026-12-32"), "calendars.CH.days", '"2026-12-32" is no day; write dates like'),
        (ZURICH.replace("2026-12-31", "1926-12-31"), "calendars.CH.days", "which reach from 1990-01-01 to 2060-12-31"),
        (ZURICH.replace('"ZH"', '"XX"'), "calendars", 'CH has no subdivision "XX"; write one of AG, AI'),
        (ZURICH.replace("[calendars.CH]", "[calendars.BR]"), "calendars", '"BR" has no time zone'),
        (ZURICH.replace("subdivision", "subdivison"), "calendars.CH.subdivison", "Did you mean subdivision?"),
        (ZURICH + "holidays = false\n", "calendars", "names a subdivision, which only says whose holidays"),
        (BUSINESS, "calendars", "asks for business time, but no country has a calendar"),
        (BUSINESS.replace("resolve", "solve") + ZURICH, "metrics.business.0", "'time_to_respond', 'time_to_resolve'"),
        (BUSINESS.replace("business", "busines") + ZURICH, "metrics.busines", "Did you mean business?"),
        (
            '[zones]\nZZ = "UTC"\n' + ZURICH.replace(".CH]", ".ZZ]"),
            "calendars",
            "no public holidays are known of ZZ; set `holidays = false`",
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_key_and_the_form_to_write(
    home: Path,
    text: str,
    key: str,
    what: str,
) -> None:
    file = written(home, text)
    error: RegelkreisError = refusal()
    assert str(error).startswith(f"{file}, {key}: ")
    assert what.lower() in str(error).lower()
