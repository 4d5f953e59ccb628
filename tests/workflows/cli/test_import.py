"""`import` at the command line: tables, JSON, and errors that end with two and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from improvement.records import RecordKind
from tests.command import regelkreis
from tests.workflows.small_worlds import small_platforms
from workflows.warehouse import Warehouse

CONTACTS = "at;kind;customer;country\n02.03.2026 10:00;review;Müller & Söhne;Schweiz\n"


@pytest.fixture
def home(copied_home: Path) -> Path:
    (copied_home / "regelkreis.toml").write_text(
        '[connections.jira]\nplatform = "jira"\nurl = "https://acme.atlassian.net"\nuser = "rk"\ntoken = "hunter22"\n'
    )
    (copied_home / "contacts.csv").write_bytes(CONTACTS.encode("utf-8-sig"))
    return copied_home


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


def test_beside_a_platform_that_has_surveys_and_contacts_of_its_own(home: Path) -> None:
    with small_platforms("servicenow", every=8) as sandbox:
        (home / "regelkreis.toml").write_text(
            f'[connections.snow]\nplatform = "servicenow"\nurl = "{sandbox.servicenow_url}"\n'
            'user = "regelkreis"\npassword = "sandbox"\n'
        )
        now = sandbox.clock().strftime("%Y-%m-%dT%H:%MZ")
        assert regelkreis(home, "pull", "--as-of", now).returncode == 0
        ticket, customer = a_ticket_of(home)
        text = f"kind,ticket,sent_at,answered_at,score,scale_min,scale_max\ncsat,{ticket},2024-05-01,2024-05-02,1,1,5\n"
        (home / "surveys.csv").write_text(text)
        (home / "contacts.csv").write_text(f"at,kind,customer\n2024-05-03,review,{customer}\n")
        files = (str(home / "surveys.csv"), str(home / "contacts.csv"))
        done = regelkreis(home, "import", *files, "--connection", "snow", "--zone", "Europe/Berlin", "--as-of", now)
        assert done.returncode == 0, done.stderr
        assert "note:" not in done.stderr  # the customer is known by that name
        before = imported(home)
        assert sorted(before) == ["contact", "survey"]
        again = regelkreis(home, "pull", "--as-of", now, "--reconcile")
        assert again.returncode == 0, again.stdout + again.stderr
        assert imported(home) == before


def a_ticket_of(home: Path) -> tuple[str, str]:
    """Number and customer of one pulled ticket."""
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        row = warehouse.arrow(
            "SELECT number, customer FROM live_tickets WHERE customer IS NOT NULL LIMIT 1"
        ).to_pylist()
    return row[0]["number"], row[0]["customer"]


def imported(home: Path) -> list[str]:
    """The kinds of the live records that came from files, one for each."""
    kinds = {RecordKind.SURVEY: "surveys", RecordKind.CONTACT: "contacts"}
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        return [
            kind.value
            for kind, table in kinds.items()
            for _ in range(
                warehouse.arrow(
                    f"SELECT count(*) AS n FROM {table} WHERE starts_with(id, 'import:') AND vanished_at IS NULL"
                )["n"][0].as_py()
            )
        ]
