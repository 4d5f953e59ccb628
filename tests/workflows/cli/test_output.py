"""What is printed: plain lines in a pipe, JSON for programs, nothing that could drive a terminal."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest

from improvement.errors import InputError
from workflows.cli.output import print_json, print_table, shown
from workflows.cli.session import day, day_if_given, moment


def test_a_piped_table_is_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Actions", ["action", "title"], [("ACT-1", "Mail\tslow\nin CH"), ("ACT-2", None)])
    assert capsys.readouterr().out == "action\ttitle\nACT-1\tMail slow in CH\nACT-2\t\n"


def test_titles_cannot_drive_a_terminal() -> None:
    assert shown("\x1b[2J\x1b]0;owned\x07 Mail\x9b31m") == "�[2J�]0;owned� Mail�31m"
    assert shown("Größe 🚀 مرحبا") == "Größe 🚀 مرحبا"


def test_json_keeps_dates_and_letters_readable(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"due": date(2026, 3, 2), "name": "Zürich"})
    text = capsys.readouterr().out
    assert "Zürich" in text
    assert json.loads(text) == {"due": "2026-03-02", "name": "Zürich"}


def test_a_moment_without_a_zone_is_utc() -> None:
    assert moment("2026-03-02T06:00") == datetime(2026, 3, 2, 6, tzinfo=UTC)
    assert moment("2026-03-02T06:00+01:00") == datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert moment("2026-03-02T06:00Z").tzinfo is UTC
    assert moment(None).tzinfo is UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01"])
def test_what_is_no_moment_or_day_is_said_to_be_none(text: str) -> None:
    with pytest.raises(InputError, match="is no moment"):
        moment(text)
    with pytest.raises(InputError, match="is no date"):
        day(text)


def test_a_day_may_be_left_out() -> None:
    assert day_if_given(None) is None
    assert day_if_given("2026-03-02") == date(2026, 3, 2)
