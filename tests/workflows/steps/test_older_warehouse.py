"""A warehouse file that was put back from a backup: what was read since then is read again, once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from improvement.errors import RegelkreisError
from tests.improvement.metrics.build import a_clock, a_ticket, at
from tests.workflows.steps.test_pulling import MONDAY, SLA, TICKET, WEEK, Desk
from workflows.models import Connection, LedgerEntry, PullCursor
from workflows.steps import pull
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Desk:
    Connection.objects.create(name="snow", platform="servicenow")
    return Desk()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def appears(desk: Desk, name: str, when: datetime) -> None:
    """A ticket with its clock."""
    desk.tickets[name] = a_ticket(name, opened_at=when, created_at=when, updated_at=when)
    desk.clocks[name] = a_clock(f"c-{name}", ticket_id=name, start_at=when, created_at=when, updated_at=when)


@contextmanager
def opened(file: Path) -> Iterator[Warehouse]:
    with Warehouse.open(file) as warehouse:
        yield warehouse


def pulled(desk: Desk, file: Path, as_of: datetime, *, is_cycle: bool = False) -> pull.PullResult:
    """As the command does, or as a cycle does: read and loaded in other threads."""
    with opened(file) as warehouse:
        if not is_cycle:
            return pull.pull(desk, warehouse, as_of=as_of)
        reading = pull.Reading(desk, warehouse, as_of=as_of)
        loading = pull.Loading([reading], warehouse, as_of=as_of)
        try:
            return pull.pull(desk, warehouse, as_of=as_of, loading=loading)
        finally:
            loading.close()


def held(file: Path) -> list[str]:
    with opened(file) as warehouse:
        return warehouse.arrow("SELECT id FROM tickets WHERE vanished_at IS NULL ORDER BY id")["id"].to_pylist()


def rewound() -> list[tuple[str, str]]:
    rows = LedgerEntry.objects.filter(type="pull.rewound").order_by("index")
    return [(row.subject, json.loads(bytes(row.data))["payload"]["cursor_to"][:10]) for row in rows]


def weeks_of(desk: Desk, file: Path, count: int, copies: Path) -> list[Path]:
    """So many weekly pulls, each with a new ticket; a copy of the file after each."""
    made = []
    for number in range(count):
        as_of = MONDAY + number * WEEK
        appears(desk, f"t{number}", as_of - timedelta(days=1))
        pulled(desk, file, as_of)
        made.append(shutil.copy(file, copies / f"{number}.duckdb"))
    return made


@pytest.mark.parametrize("is_cycle", [False, True])
@pytest.mark.parametrize("copy", [0, 1, 2])
def test_what_was_read_since_the_backup_is_read_again_and_told(
    desk: Desk, file: Path, tmp_path: Path, copy: int, is_cycle: bool
) -> None:
    copies = weeks_of(desk, file, 4, tmp_path)
    everything = held(file)
    shutil.copy(copies[copy], file)
    assert held(file) == everything[: copy + 1]
    desk.asked_from.clear()

    result = pulled(desk, file, MONDAY + 4 * WEEK, is_cycle=is_cycle)
    assert held(file) == everything
    stood = MONDAY + copy * WEEK  # no further back than needed
    assert desk.asked_from[:2] == [stood, stood]  # then, as after every beginning, for what is gone
    assert rewound() == [("snow/sla", f"{stood:%Y-%m-%d}"), ("snow/ticket", f"{stood:%Y-%m-%d}")]
    assert "older than what was read into it" in result.lost
    assert f"ticket from {stood:%Y-%m-%d %H:%M} UTC" in result.lost
    assert result.lost in result.notes

    desk.asked_from.clear()
    again = pulled(desk, file, MONDAY + 5 * WEEK, is_cycle=is_cycle)
    assert again.lost == ""
    assert desk.asked_from[:2] == [MONDAY + 4 * WEEK] * 2
    assert len(rewound()) == 2


def test_the_file_that_is_known_and_one_that_is_ahead_of_the_state_go_on(
    desk: Desk, file: Path, tmp_path: Path
) -> None:
    weeks_of(desk, file, 2, tmp_path)
    Connection.objects.update(last_write=1)  # as in a state that is older than the file, or after a kill in between
    assert pulled(desk, file, MONDAY + 2 * WEEK).lost == ""
    assert rewound() == []


def test_a_backup_of_before_a_burial_is_looked_at_for_what_is_gone(desk: Desk, file: Path, tmp_path: Path) -> None:
    """Nothing was loaded since, but a clock was found gone."""
    copies = weeks_of(desk, file, 2, tmp_path)
    del desk.clocks["t1"]
    desk.tickets["t1"] = a_ticket("t1", opened_at=at("2026-04-12T12:00"), updated_at=MONDAY + 2 * WEEK)
    pulled(desk, file, MONDAY + 2 * WEEK)
    with opened(file) as warehouse:
        assert warehouse.count(SLA, "snow") == 1
    shutil.copy(copies[1], file)
    pulled(desk, file, MONDAY + 3 * WEEK)
    assert len(rewound()) == 2
    listed_at = Connection.objects.get().reconciled["ticket"]["listed_at"]
    assert datetime.fromisoformat(listed_at) == MONDAY + 3 * WEEK  # though that is due once in 91 days


def test_backups_of_different_histories_are_told_apart(desk: Desk, file: Path, tmp_path: Path) -> None:
    """The first file is put back, read into anew, and then files of both histories are put back in turn."""
    first = weeks_of(desk, file, 4, tmp_path)
    shutil.copy(first[0], file)
    untouched = shutil.copy(first[0], tmp_path / "untouched.duckdb")
    appears(desk, "t4", MONDAY + 4 * WEEK - timedelta(days=1))
    pulled(desk, file, MONDAY + 4 * WEEK)
    second = shutil.copy(file, tmp_path / "second.duckdb")
    appears(desk, "t5", MONDAY + 5 * WEEK - timedelta(days=1))
    pulled(desk, file, MONDAY + 5 * WEEK)
    everything = held(file)
    for number, copy in enumerate((first[2], second, untouched, first[3], second)):
        shutil.copy(copy, file)
        pulled(desk, file, MONDAY + (6 + number) * WEEK)
        assert held(file) == everything, copy


def test_whoever_is_killed_between_state_and_file_finds_the_same_again(
    desk: Desk, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = weeks_of(desk, file, 3, tmp_path)
    everything = held(file)
    shutil.copy(copies[0], file)

    def killed(*values: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Warehouse, "go_on_from", killed)
        with pytest.raises(KeyboardInterrupt):
            pulled(desk, file, MONDAY + 3 * WEEK)
    assert pulled(desk, file, MONDAY + 3 * WEEK).lost
    assert held(file) == everything


def test_a_new_file_is_filled_from_the_beginning_and_the_log_says_so(desk: Desk, file: Path, tmp_path: Path) -> None:
    weeks_of(desk, file, 3, tmp_path)
    everything = held(file)
    file.unlink()
    lost = pulled(desk, file, MONDAY + 3 * WEEK).lost
    assert "the warehouse holds none of its records" in lost
    assert "ticket from the beginning" in lost
    assert held(file) == everything
    assert rewound() == [("snow/sla", ""), ("snow/ticket", "")]


def test_a_file_from_before_writes_were_numbered_goes_on(desk: Desk, file: Path, tmp_path: Path) -> None:
    weeks_of(desk, file, 2, tmp_path)
    with opened(file) as warehouse:
        warehouse._raw.execute("DROP TABLE write_numbers")
    Connection.objects.update(last_write=0)
    assert pulled(desk, file, MONDAY + 2 * WEEK).lost == ""
    assert PullCursor.objects.get(kind=TICKET.value).updated_at == MONDAY + 2 * WEEK


def test_a_load_that_was_never_noted_is_missed_in_a_backup_of_before_it(
    desk: Desk, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the file had committed: read again it changes nothing, so nothing else tells of it."""
    weeks_of(desk, file, 2, tmp_path)
    before = shutil.copy(file, tmp_path / "before.duckdb")
    appears(desk, "t2", MONDAY + 2 * WEEK - timedelta(days=1))

    def killed(*values: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pull.Pulling, "_note_load", killed)
        with pytest.raises(KeyboardInterrupt):
            pulled(desk, file, MONDAY + 2 * WEEK)
    del desk.clocks["t2"]  # its write is the only one that comes
    pulled(desk, file, MONDAY + 2 * WEEK)
    everything = held(file)
    assert len(everything) == 3
    shutil.copy(before, file)
    assert "older than what was read into it" in pulled(desk, file, MONDAY + 3 * WEEK).lost
    assert held(file) == everything


def test_a_journal_left_beside_a_file_from_a_backup_is_named_and_without_it_nothing_is_missing(
    desk: Desk, file: Path, tmp_path: Path
) -> None:
    """As after a kill: what was committed last stands in the .wal only, and the backup's file is put beside it."""
    backup = weeks_of(desk, file, 2, tmp_path)[1]
    raw = duckdb.connect(file)
    raw.execute("PRAGMA disable_checkpoint_on_shutdown")
    raw.execute("DELETE FROM tickets")
    raw.close()
    journal = file.with_suffix(".duckdb.wal").rename(tmp_path / "kept.wal")
    with opened(file) as warehouse:
        warehouse._raw.execute("CHECKPOINT")
    appears(desk, "t2", MONDAY + 2 * WEEK - timedelta(days=1))
    pulled(desk, file, MONDAY + 2 * WEEK)
    everything = held(file)
    journal = journal.rename(file.with_suffix(".duckdb.wal"))
    with pytest.raises(RegelkreisError, match=r"The \.wal beside it is of another file: move it away"):
        held(file)

    shutil.copy(backup, file)
    journal.unlink()
    pulled(desk, file, MONDAY + 3 * WEEK)
    assert held(file) == everything
