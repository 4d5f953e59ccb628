"""Cells as spreadsheets write them: what is unmistakable is read, everything else says what to write instead."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improvement.errors import InputError
from workflows.importing import cells

ZURICH = ZoneInfo("Europe/Zurich")
NINE = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        "2026-03-02T09:00+01:00", "2026-03-02T08:00Z", "2026-03-02 09:00", "02.03.2026 09:00", "2.3.2026 9:00:00",
        "2026-03-02T09:00:00.000",
    ],
)  # fmt: skip
def test_a_moment_however_it_is_written(raw: str) -> None:
    assert cells.moment(raw, "at", ZURICH) == NINE


@pytest.mark.parametrize("raw", ["2026-03-02", "02.03.2026", "20260302"])
def test_a_day_means_its_noon(raw: str) -> None:
    assert cells.moment(raw, "at", ZURICH) == datetime(2026, 3, 2, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("2026-03-02 09:00", "without a time zone"), ("03/02/2026", "day or month first"), ("46083,375", "own number"),
        ("46083", "own number"), ("yesterday", "no point in time"), ("2026-13-02", "no point in time"),
        ("31.02.2026", "no point in time"), ("1026-03-02T09:00Z", "too far away"),
    ],
)  # fmt: skip
def test_what_could_be_misread_is_refused_with_the_form_to_write(raw: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        cells.moment(raw, "at", None)
    assert caught.value.mend


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
@pytest.mark.parametrize(
    "raw", ["9999-12-31 23:59:59", "9999-12-31", "0001-01-01 00:00", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"]
)
def test_the_ends_of_the_calendar_are_too_far_away_in_every_zone(raw: str, zone: str) -> None:
    with pytest.raises(InputError, match="too far away"):
        cells.moment(raw, "end_at", ZoneInfo(zone))


def test_a_moment_at_the_edge_counts_by_its_instant() -> None:
    eastern = ZoneInfo("America/New_York")
    assert cells.moment("1989-12-31 20:00", "at", eastern) == datetime(1990, 1, 1, 1, tzinfo=UTC)
    with pytest.raises(InputError, match="too far away"):
        cells.moment("1989-12-31 18:00", "at", eastern)


def test_hours_that_the_clock_change_takes_or_repeats_are_refused() -> None:
    with pytest.raises(InputError, match="does not exist"):
        cells.moment("2026-03-29 02:30", "at", ZURICH)
    with pytest.raises(InputError, match="is there twice"):
        cells.moment("2026-10-25 02:30", "at", ZURICH)
    assert cells.moment("2026-10-25T02:30+01:00", "at", ZURICH) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("raw", ["=1+1", '=HYPERLINK("http://x")', "@SUM(A1)", "+49", "-cmd|' /C calc'!A0"])
def test_what_a_spreadsheet_would_run_is_refused(raw: str) -> None:
    with pytest.raises(InputError, match="a spreadsheet would run it"):
        cells.text(raw, "customer")


@pytest.mark.parametrize("raw", ["Acme\u202egpj.exe", "Ac\x00me", "Ac\x1b[31mme", "A\u2028B", "A\ud800"])
def test_signs_that_hide_or_turn_text_are_refused(raw: str) -> None:
    with pytest.raises(InputError, match="invisible sign"):
        cells.text(raw, "customer")


@pytest.mark.parametrize(
    "raw", ["Müller & Söhne", "<b>Acme</b>", "Zoë 👩‍🔧", "株式会社", "שלום", "O'Neil; DROP TABLE tickets"]
)
def test_any_other_text_is_kept_as_it_is(raw: str) -> None:
    assert cells.text(raw, "customer") == raw


def test_countries_are_written_as_two_letters() -> None:
    found = [cells.country(raw, "country") for raw in ("CH", "Schweiz", "austria", "")]
    assert found == ["CH", "CH", "AT", None]
    with pytest.raises(InputError, match="no country we know"):
        cells.country("Atlantis", "country")


def test_a_word_is_one_of_a_few() -> None:
    assert cells.word("Review", "kind", ("review", "call")) == "review"
    with pytest.raises(InputError, match="Did you mean review"):
        cells.word("reveiw", "kind", ("review", "call"))


@given(st.text(max_size=40))
def test_no_cell_ends_in_anything_but_a_value_or_an_error(raw: str) -> None:
    for read in (
        lambda: cells.text(raw, "x"),
        lambda: cells.country(raw, "x"),
        lambda: cells.moment(raw, "x", ZURICH),
        lambda: cells.zone(raw, "x"),
    ):
        with contextlib.suppress(InputError):
            read()
