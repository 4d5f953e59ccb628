"""`connect`: a mapping proposed from the platform, written where a person can edit it, never over what they wrote."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox, running_sandbox
from tests.command import RUN, regelkreis


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=("servicenow", "jira_cloud")) as running:
        yield running


@pytest.fixture
def home(copied_home: Path, sandbox: RunningSandbox) -> Path:
    (copied_home / "regelkreis.toml").write_text(
        f"""# by hand
[connections.snow]
platform = "servicenow"
url = "{sandbox.servicenow_url}"
user = "regelkreis"
password = "sandbox"

[connections.snow.mapping.incident.fields]
customer = "compny.name"  # a typing error

[connections.jira]
platform = "jira"
url = "{sandbox.jira_cloud_url}"
user = "regelkreis@example.com"
password = "sandbox"
""",
        encoding="utf-8",
    )
    return copied_home


def text_of(home: Path) -> str:
    return (home / "regelkreis.toml").read_text(encoding="utf-8")


def mapping_of(home: Path, name: str) -> dict[str, Any]:
    mapping: dict[str, Any] = tomllib.loads(text_of(home))["connections"][name]["mapping"]
    return mapping


def connected(home: Path, *arguments: str) -> tuple[str, str]:
    done = regelkreis(home, "connect", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_a_first_hour_with_servicenow(home: Path) -> None:
    before = text_of(home)
    shown, told = connected(home, "snow", "--dry-run")
    assert "country\tlocation.country\t100 % of 1,000\tUS, DE, GB" in shown
    assert '+country = "location.country"' in shown
    assert text_of(home) == before
    assert "would be written" in told

    shown, told = connected(home, "snow")
    assert 'Kept as you wrote it: incident.customer = "compny.name"; "company.name" fits better.' in told
    _, told = connected(home, "snow", "--dry-run", "--constant", "customer=Acme")
    assert 'incident.customer = "compny.name"; {constant = "Acme"} fits better.' in told
    assert "Nothing to write" not in told
    assert "write: off" in told
    fields = mapping_of(home, "snow")["incident"]["fields"]
    assert (fields["customer"], fields["country"]) == ("compny.name", "location.country")
    assert "# by hand" in text_of(home)
    assert "# a typing error" in text_of(home)

    shown, _ = connected(home, "snow", "--yes")
    assert '-customer = "compny.name"' in shown
    assert mapping_of(home, "snow")["incident"]["fields"]["customer"] == "company.name"

    after = text_of(home)
    _, told = connected(home, "snow", "--yes")
    assert "Nothing to write" in told
    assert text_of(home) == after
    health = regelkreis(home, "doctor", "--json")
    failing = {
        line["check"] for line in json.loads(health.stdout) if not line["is_ok"] and line["connection"] == "snow"
    }
    assert failing == set()


def test_jira_in_json_with_a_constant(home: Path) -> None:
    shown, _ = connected(home, "jira", "--json", "--sample", "50", "--constant", "country=CH")
    answer = json.loads(shown)
    assert (answer["write"], answer["mapping"]["written"], answer["platform"]) == ("off", True, "jira")
    (incident,) = [source for source in answer["mapping"]["sources"] if source["name"] == "incident"]
    (customer,) = [field for field in incident["fields"] if field["name"] == "customer"]
    assert (customer["paths"], customer["filled"], incident["rows"]) == (["Customer"], 1.0, 50)
    assert mapping_of(home, "jira")["incident"]["fields"]["country"] == {"constant": "CH"}


def test_a_sample_that_is_smaller_than_asked_for_is_told(home: Path) -> None:
    _, told = connected(home, "jira", "--dry-run", "--sample", "5000")
    assert "Of incident, request, change the newest 300 were looked at" in told


def test_no_secret_is_shown_and_the_ledger_has_an_entry(home: Path) -> None:
    shown, told = connected(home, "snow", "--json", "--yes")
    assert '"password' not in shown + told
    assert 'password = "sandbox"' not in shown + told
    entries = regelkreis(home, "evidence", "verify", "--json")
    assert entries.returncode == 0, entries.stderr
    with sqlite3.connect(home / "state.sqlite3") as state:
        rows = state.execute("SELECT data FROM workflows_ledgerentry WHERE type = 'connection.mapped'").fetchall()
    (entry,) = [json.loads(row[0]) for row in rows]
    assert entry["subject"] == "snow"
    assert set(entry["payload"]) == {"keys", "mapping_sha256"}


@pytest.mark.parametrize("said", ["country", "country=", "colour=red", "country=Switzerland"])
def test_a_constant_that_is_none_ends_before_anything_is_asked(home: Path, said: str) -> None:
    done = regelkreis(home, "connect", "snow", "--constant", said)
    assert done.returncode == 2
    assert "error:" in done.stderr


def test_switching_writing_off_needs_no_platform_and_touches_no_file(home: Path) -> None:
    before = text_of(home)
    assert regelkreis(home, "connect", "snow", "--write", "on").returncode == 0
    (home / "regelkreis.toml").write_text(before.replace("127.0.0.1", "127.0.0.9"), encoding="utf-8")
    _, told = connected(home, "snow", "--write", "off")
    assert "write: off" in told
    assert "mapping" not in text_of(home).replace(before.replace("127.0.0.1", "127.0.0.9"), "")


def test_an_unknown_connection_lists_the_known_ones(home: Path) -> None:
    done = regelkreis(home, "connect", "snowy")
    assert done.returncode == 2
    assert "snow" in done.stderr


@pytest.mark.parametrize(("answer", "said"), [("y", "company.name"), ("n", "compny.name")])
def test_in_a_terminal_it_asks_before_it_replaces_what_a_person_wrote(home: Path, answer: str, said: str) -> None:
    shown = typed(home, answer, "connect", "snow", "--sample", "20")
    assert "-customer = " in shown
    assert "Replace 1 line that you wrote?" in shown
    assert mapping_of(home, "snow")["incident"]["fields"]["customer"] == said


def typed(home: Path, answer: str, *arguments: str) -> str:
    """Run the command in a terminal, type an answer, and see what it showed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "REGELKREIS_HOME": str(home), "COLUMNS": "200"},
        cwd=Path(__file__).parents[3],
        close_fds=True,
    ) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        shown = b""
        with contextlib.suppress(OSError):  # the terminal ends with the process
            while data := os.read(ours, 65_536):
                shown += data
        assert process.wait(timeout=60) == 0, shown.decode()
    os.close(ours)
    return shown.decode()
