"""A warehouse file says whose it is: that of another installation is refused, one that names nobody becomes ours."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tests.improvement.metrics.build import a_ticket, load
from workflows.warehouse import Warehouse
from workflows.warehouse.belonging import OfAnotherInstallation

OURS, THEIRS = "k7m2qd4x", "abcdefgh"
AT = datetime(2025, 6, 2, tzinfo=UTC)


def filled(file: Path, installation: str, *names: str) -> Path:
    """A file with some tickets of one connection, written by an installation; '' is a version that named none."""
    with Warehouse.open(file, installation=installation) as warehouse:
        if installation:
            warehouse.claim(installation)
        for name in names:  # a write each
            load(warehouse, a_ticket(name, opened_at=AT, created_at=AT, updated_at=AT), seen_at=AT)
    return file


def held(file: Path, installation: str) -> list[str]:
    with Warehouse.open(file, installation=installation) as warehouse:
        return warehouse.arrow("SELECT id FROM tickets ORDER BY id")["id"].to_pylist()


def test_the_file_of_another_installation_is_refused_though_its_numbers_are_greater(tmp_path: Path) -> None:
    ours = filled(tmp_path / "warehouse.duckdb", OURS, "t1")
    theirs = filled(tmp_path / "theirs.duckdb", THEIRS, "x1", "x2", "x3")
    shutil.copy(theirs, ours)
    with pytest.raises(OfAnotherInstallation) as refused, Warehouse.open(ours, installation=OURS):
        pass
    assert refused.value.what == "The warehouse is that of another installation (abcdefgh); this one is k7m2qd4x."
    assert str(ours) in str(refused.value.where)
    assert "move this one away: then everything is read again" in refused.value.mend


def test_nothing_is_written_into_a_file_that_is_refused(tmp_path: Path) -> None:
    file = filled(tmp_path / "warehouse.duckdb", THEIRS, "x1")
    with duckdb.connect(str(file)) as raw:
        raw.execute("DELETE FROM meta")  # as if of an earlier version, which would be brought up to this one
    for _ in range(2):
        with pytest.raises(OfAnotherInstallation), Warehouse.open(file, installation=OURS):
            pass
    with duckdb.connect(str(file), read_only=True) as raw:
        assert raw.execute("SELECT count(*) FROM meta").fetchone() == (0,)
    assert held(file, THEIRS) == ["x1"]  # and its lease was given back


def test_a_file_of_an_earlier_version_is_taken_over_once_without_a_word(tmp_path: Path) -> None:
    file = filled(tmp_path / "warehouse.duckdb", "", "t1", "t2")
    with Warehouse.open(file, installation=OURS) as warehouse:
        warehouse.claim(OURS)
    assert held(file, OURS) == ["t1", "t2"]
    with pytest.raises(OfAnotherInstallation), Warehouse.open(file, installation=THEIRS):
        pass


def test_whoever_only_looks_at_a_file_that_names_nobody_leaves_it_so(tmp_path: Path) -> None:
    file = filled(tmp_path / "warehouse.duckdb", "", "t1")
    assert held(file, OURS) == held(file, THEIRS) == ["t1"]


def test_what_a_killed_claim_left_names_nobody(tmp_path: Path) -> None:
    file = filled(tmp_path / "warehouse.duckdb", "", "t1")
    with duckdb.connect(str(file)) as raw:
        raw.execute("CREATE TABLE belongs_to (installation VARCHAR)")
    filled(file, OURS)
    with pytest.raises(OfAnotherInstallation), Warehouse.open(file, installation=THEIRS):
        pass


def test_a_file_is_claimed_once_however_often_it_is_asked_for(tmp_path: Path) -> None:
    file = filled(tmp_path / "warehouse.duckdb", OURS)
    for _ in range(2):
        filled(file, OURS)
    with duckdb.connect(str(file), read_only=True) as raw:
        assert raw.execute("SELECT installation FROM belongs_to").fetchall() == [(OURS,)]


def test_a_copy_of_our_own_file_is_ours(tmp_path: Path) -> None:
    file = filled(tmp_path / "warehouse.duckdb", OURS, "t1")
    copied = shutil.copy(file, tmp_path / "copy.duckdb")
    assert held(copied, OURS) == held(file, OURS) == ["t1"]


def test_whoever_opens_a_file_by_its_path_is_not_asked(tmp_path: Path) -> None:
    file = filled(tmp_path / "warehouse.duckdb", THEIRS, "x1")
    assert held(file, "") == ["x1"]
