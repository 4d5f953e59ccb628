"""Homes where something is missing, damaged or full: the real command says what to do, and the rest goes on."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.testing import RunningSandbox
from tests.command import regelkreis
from tests.workflows.small_worlds import small_platforms

SECRET = "hunter2-of-the-platform"
UNREADABLE = Path("/proc/self/mem")  # a file that nobody can read from its beginning, not even root
pytestmark = pytest.mark.skipif(not UNREADABLE.exists(), reason="needs Linux's /proc")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with small_platforms("servicenow", every=4) as running:
        yield running


@pytest.fixture
def home(copied_home: Path) -> Path:
    return copied_home


def connected(home: Path, url: str, *, password: str = "sandbox", more: str = "") -> None:
    (home / "regelkreis.toml").write_text(
        f'{more}\n[connections.acme]\nplatform = "servicenow"\nurl = "{url}"\nuser = "regelkreis"\n'
        f'password = "{password}"\nmax_attempts = 1\n',
        encoding="utf-8",
    )


def with_little_room(home: Path, most: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command where no file may grow beyond ``most`` bytes: to it that is a full disk."""
    return regelkreis(home, *arguments, limits={resource.RLIMIT_FSIZE: most})


def test_a_disk_that_fills_up_in_a_cycle_is_told_and_with_room_again_nothing_is_missing(
    home: Path, sandbox: RunningSandbox
) -> None:
    connected(home, sandbox.servicenow_url)
    full = with_little_room(home, 900_000, "cycle")
    assert (full.returncode, "Traceback" in full.stderr) == (2, False), full.stderr
    assert "with space left?" in full.stderr
    assert regelkreis(home, "evidence", "verify").returncode == 0
    again = regelkreis(home, "pull", "--json")
    counts = [(one["platform_count"], one["warehouse_count"]) for one in json.loads(again.stdout)]
    assert counts
    assert all(there == here for there, here in counts), counts


def test_a_rule_file_that_cannot_be_read_stops_no_other_rule(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    (home / "rules" / "mine.yaml").symlink_to(UNREADABLE)
    done = regelkreis(home, "cycle", "--json")
    assert done.returncode == 1
    summary = json.loads(done.stdout)
    assert (summary["rules"], len(summary["errors"])) == (24, 1)
    assert "rules/mine.yaml: The file cannot be read" in summary["errors"][0]
    for command in (("doctor",), ("rules", "check")):
        told = regelkreis(home, *command)
        assert "mine.yaml: The file cannot be read" in told.stdout + told.stderr
        assert "Traceback" not in told.stderr


def test_a_rules_folder_that_is_not_there_removes_no_rule(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    assert regelkreis(home, "cycle").returncode == 0
    connected(home, sandbox.servicenow_url, more='rules = "not-mounted"')
    done = regelkreis(home, "cycle", "--json")
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["rules_removed"]) == (1, [])
    assert "not-mounted: There is no such folder of rules. Run `regelkreis init`" in summary["errors"][0]


@pytest.mark.parametrize("content", [None, "-----BEGIN NONSENSE-----\n"])
def test_a_cycle_whose_ledger_key_is_unusable_tells_what_it_did_all_the_same(
    home: Path, sandbox: RunningSandbox, content: str | None
) -> None:
    connected(home, sandbox.servicenow_url)
    key = home / "ledger.key"
    key.unlink()
    if content is None:
        key.symlink_to(UNREADABLE)
    else:
        key.write_text(content)
    done = regelkreis(home, "cycle", "--json")
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["records"] > 0) == (1, True)
    (error,) = summary["errors"]
    assert error.startswith(f"{key}: The ledger's signing key")
    lines = {line["check"]: line for line in json.loads(regelkreis(home, "doctor", "--json").stdout)}
    assert not lines["ledger key"]["is_ok"]


def test_a_damaged_state_is_told_without_a_traceback(home: Path) -> None:
    (home / "state.sqlite3").write_bytes(b"no database at all " * 100)
    done = regelkreis(home, "actions", "list")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "restore it from your backup" in done.stderr


@pytest.mark.parametrize(("content", "said"), [(b"x" * 50_000, "not a valid DuckDB"), (None, "Is a directory")])
def test_a_damaged_warehouse_is_told_by_cycle_and_doctor(home: Path, content: bytes | None, said: str) -> None:
    connected(home, "http://127.0.0.1:9")
    file = home / "warehouse.duckdb"
    file.mkdir() if content is None else file.write_bytes(content)
    done = regelkreis(home, "cycle")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in done.stderr
    lines = {line["check"]: line for line in json.loads(regelkreis(home, "doctor", "--json").stdout)}
    assert said in lines["warehouse"]["detail"]
    assert not lines["warehouse"]["is_ok"]


def test_a_cycle_without_a_connection_does_not_look_well(home: Path) -> None:
    done = regelkreis(home, "cycle")
    assert done.returncode == 1
    assert f"No connection is configured. Describe one in {home}/regelkreis.toml." in done.stderr


def test_a_moment_years_ahead_is_refused_before_anything_is_judged(home: Path) -> None:
    for command in ("cycle", "pull"):
        done = regelkreis(home, command, "--as-of", "2099-01-01")
        assert (done.returncode, "--as-of: 2099-01-01 is more than a year ahead" in done.stderr) == (2, True)


def test_refused_credentials_are_told_and_the_password_appears_nowhere(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url, password=SECRET)
    said = [regelkreis(home, *command) for command in (("cycle",), ("doctor",), ("pull",), ("connect", "acme"))]
    assert [done.returncode for done in said] == [1, 1, 1, 2], said
    assert all("refused the credentials of regelkreis" in done.stdout + done.stderr for done in said)
    assert not any(SECRET in done.stdout + done.stderr or "Traceback" in done.stderr for done in said)
    kept = [path for path in home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert kept == [home / "regelkreis.toml"]


def test_a_mapping_that_cannot_be_meant_stops_its_own_connection_only(home: Path, sandbox: RunningSandbox) -> None:
    connected(home, sandbox.servicenow_url)
    with (home / "regelkreis.toml").open("a") as file:
        file.write(
            f'[connections.broken]\nplatform = "servicenow"\nurl = "{sandbox.servicenow_url}"\nuser = "regelkreis"\n'
            'password = "sandbox"\n[connections.broken.mapping.incident]\nfiltr = "active=true"\n'
        )
    told = "connection broken, mapping.incident.filtr: A source has no key “filtr”. Did you mean filter?"
    done = regelkreis(home, "cycle", "--json")
    summary = json.loads(done.stdout)
    assert (done.returncode, len(summary["errors"])) == (1, 1)
    assert summary["errors"][0].startswith(told)
    assert summary["records"] > 2_000
    pulled = regelkreis(home, "pull", "--json")
    assert {one["connection"] for one in json.loads(pulled.stdout)} == {"acme"}
    assert (pulled.returncode, told in pulled.stderr) == (1, True)
