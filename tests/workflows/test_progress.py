"""Whoever waits at a terminal sees what is going on; a pipe gets nothing of it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from improvement.records import RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.checks import spreadsheet_door
from workflows.models import Connection
from workflows.progress import Progress, progress
from workflows.steps.backfill import Reached

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Listener(Progress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def doing(self, what: str) -> None:
        self.heard.append(what)

    def counted(self, what: str, done: int, total: int) -> None:
        self.heard.append(f"{what} {done}/{total}")


def test_a_terminal_shows_what_is_done_now() -> None:
    terminal = Terminal()
    with progress(stream=terminal) as told:
        told.doing("snow: delivering")
        told.counted("plans", 2, 5)
    assert "snow: delivering" in terminal.getvalue()
    assert "2/5" in terminal.getvalue()


def test_a_back_fill_shows_how_far_it_is_and_of_how_much() -> None:
    terminal = Terminal()
    with progress(stream=terminal) as told:
        for read, month in ((2_000, 7), (2_500, 8)):
            until = datetime(2025, month, 1, tzinfo=UTC)
            told.records(Reached("snow", RecordKind.TICKET, read, 5_000, until))
    assert "snow ticket records until 2025-08-01" in terminal.getvalue()
    assert "2,500/5,000" in terminal.getvalue()


def test_a_pipe_and_whoever_wants_json_get_nothing() -> None:
    for is_wanted, stream in ((True, io.StringIO()), (False, Terminal())):
        with progress(is_wanted, stream=stream) as told:
            told.doing("snow: delivering")
        assert stream.getvalue() == ""


@pytest.mark.django_db
def test_a_cycle_names_every_step_of_every_connection(
    home: Path, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    cycle.run_with([MemoryPlatform(scopes={"Mail": {0: 0.1}})], as_of=monday, is_shown=True)
    shown = terminal.getvalue()
    for step in ("evaluating 1 rule", "opening actions", "following", "computing the looks", "delivering"):
        assert f"snow: {step}" in shown


def test_the_spreadsheet_door_counts_its_plans() -> None:
    listener = Listener()
    spreadsheet_door.compute_files(EXAMPLES / "plans.csv", EXAMPLES / "cells.csv", told=listener)
    assert listener.heard[:3] == ["reading the files", "", "plans 0/3"]
