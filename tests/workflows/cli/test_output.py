"""What is printed: plain lines in a pipe, JSON for programs, nothing that could drive a terminal."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from improvement.errors import InputError, ManyErrors, Place
from workflows.cli.errors import run
from workflows.cli.main import build
from workflows.cli.output import print_json, print_table, shown
from workflows.cli.session import day, day_if_given, moment


def test_a_piped_table_is_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Actions", ["action", "title"], [("ACT-1", "Mail\tslow\nin CH"), ("ACT-2", None)])
    assert capsys.readouterr().out == "action\ttitle\nACT-1\tMail slow in CH\nACT-2\t\n"


@pytest.mark.parametrize(("width", "is_table"), [(80, True), (60, True), (30, False)])
def test_in_a_narrow_terminal_no_word_is_broken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int, is_table: bool
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    print_table("Register", ["action", "state", "record", "title"], [("ACT-1", "proposed", "", "Fewer SLA breaches")])
    text = capsys.readouterr().out
    assert ("┃" in text) is is_table
    for word in ("action", "proposed", "ACT-1", "Fewer", "SLA", "breaches"):
        assert word in text
    assert max(len(line) for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()) <= width
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", text)  # no colour


@pytest.mark.parametrize("as_json", [True, False])
def test_what_is_refused_is_told_to_programs_too(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    place = Place(file="sla.yaml", line=3, column=5)

    def refusing(_: object) -> None:
        raise ManyErrors([InputError("Wrong.", where=place, mend="Mend it."), InputError("Bad, too.")])

    assert run(refusing, ["rules", "check", *(["--json"] if as_json else [])]) == 2
    told = capsys.readouterr()
    assert told.err == "error: sla.yaml:3:5: Wrong. Mend it.\nerror: Bad, too.\n"
    if not as_json:
        assert told.out == ""
        return
    first, second = json.loads(told.out)["errors"]
    assert {name: first[name] for name in ("file", "line", "column", "what", "mend")} == {
        "file": "sla.yaml", "line": 3, "column": 5, "what": "Wrong.", "mend": "Mend it.",
    }  # fmt: skip
    assert (second["what"], second["file"]) == ("Bad, too.", None)


def test_a_document_that_was_printed_stays_the_only_one(capsys: pytest.CaptureFixture[str]) -> None:
    def printing(_: object) -> None:
        print_json({"fine": True})
        raise InputError("Something after it.")

    assert run(printing, ["--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {"fine": True}


def test_titles_cannot_drive_a_terminal() -> None:
    assert shown("\x1b[2J\x1b]0;owned\x07 Mail\x9b31m") == "�[2J�]0;owned� Mail�31m"
    assert shown("Größe 🚀 مرحبا") == "Größe 🚀 مرحبا"
    assert shown("Attack \u202e gpj.exe \u2066") == "Attack � gpj.exe �"


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


@pytest.mark.parametrize("text", ["0001-01-01", "1989-12-31", "2101-01-01", "9999-12-31"])
@pytest.mark.parametrize("time", ["", "T00:00+14:00", "T23:59-14:00"])
def test_a_year_outside_our_time_is_refused_with_where_and_how_to_mend_it(text: str, time: str) -> None:
    with pytest.raises(InputError, match="outside 1990 to 2100") as refused:
        moment(text + time)
    assert (str(refused.value.where), refused.value.exit_code) == ("--as-of", 2)
    assert "2026-03-02T06:00Z" in refused.value.mend
    with pytest.raises(InputError, match="outside 1990 to 2100") as refused:
        day_if_given(text, "--due")
    assert (str(refused.value.where), refused.value.mend) == ("--due", "Write it like 2026-03-02.")


def test_the_first_and_the_last_moment_of_our_time_are_taken() -> None:
    assert moment("1990-01-01T00:00+14:00") == datetime(1989, 12, 31, 10, tzinfo=UTC)
    assert moment("2100-12-31T23:59-14:00") == datetime(2101, 1, 1, 13, 59, tzinfo=UTC)
    assert (day("1990-01-01"), day("2100-12-31")) == (date(1990, 1, 1), date(2100, 12, 31))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("option", "command"),
    [
        ("--on", "targets --on 9999-12-31"),
        ("--as-of", "targets --as-of 9999-12-31T23:59Z"),
        ("--as-of", "actions adopt https://desk.example/browse/A-1 --as-of 0001-01-05"),
        ("--as-of", "rules explain sla --scope customer=Acme --as-of 0001-01-01"),
        ("--since", "pull --since 0001-01-01"),
        ("--golive", "actions plan ACT-1 --golive 9999-12-31"),
        ("--now", "sandbox --now 9999-12-31"),
    ],
)
def test_every_command_refuses_such_a_year_with_exit_2(
    home: Path, capsys: pytest.CaptureFixture[str], option: str, command: str
) -> None:
    assert run(build(), command.split()) == 2
    assert capsys.readouterr().err.startswith(f"error: {option}: “")


def test_a_day_may_be_left_out() -> None:
    assert day_if_given(None) is None
    assert day_if_given("2026-03-02") == date(2026, 3, 2)


def test_moments_in_json_are_those_of_every_reader(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"as_of": datetime(2026, 3, 2, 12, tzinfo=UTC), "on": date(2026, 3, 2), "file": Path("a/b")})
    assert json.loads(capsys.readouterr().out) == {
        "as_of": "2026-03-02T12:00:00+00:00", "on": "2026-03-02", "file": "a/b",
    }  # fmt: skip
