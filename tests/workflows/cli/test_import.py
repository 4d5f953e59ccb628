"""`import` at the command line: tables, JSON, and errors that end with two and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workflows.cli.test_startup import regelkreis

CONTACTS = "at;kind;customer;country\n02.03.2026 10:00;review;Müller & Söhne;Schweiz\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    assert regelkreis(tmp_path, "init").returncode == 0
    (tmp_path / "regelkreis.toml").write_text(
        '[connections.jira]\nplatform = "jira"\nurl = "https://acme.atlassian.net"\nuser = "rk"\ntoken = "hunter22"\n'
    )
    (tmp_path / "contacts.csv").write_bytes(CONTACTS.encode("utf-8-sig"))
    return tmp_path


def test_a_german_spreadsheet_twice_and_the_ledger_verifies(home: Path) -> None:
    command = ("import", str(home / "contacts.csv"), "--connection", "jira", "--zone", "Europe/Zurich", "--json")
    dry = regelkreis(home, *command, "--dry-run")
    assert (dry.returncode, json.loads(dry.stdout)["files"][0]["new"]) == (0, 1), dry.stderr
    first, second = regelkreis(home, *command), regelkreis(home, *command)
    assert json.loads(first.stdout)["files"][0]["new"] == 1
    assert json.loads(second.stdout)["files"][0]["unchanged"] == 1
    assert regelkreis(home, "evidence", "verify").returncode == 0


def test_errors_name_file_line_and_column_and_end_with_two(home: Path) -> None:
    done = regelkreis(home, "import", str(home / "contacts.csv"), "--connection", "jira")
    assert done.returncode == 2
    assert f"error: {home / 'contacts.csv'}:2:1, at: at is “02.03.2026 10:00”, without a time zone." in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_not_there(home: Path) -> None:
    done = regelkreis(home, "import", str(home / "surveys.csv"), "--connection", "jira")
    assert (done.returncode, "cannot be read" in done.stderr) == (2, True)
