"""Whole cycles of the real command on platforms that hold nothing, one ticket, or nothing but odd ones."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World
from tests.command import regelkreis
from tests.connectors.servicenow.conftest import END, Person, a_ticket, a_world

STRANGE_TITLES = (
    "x" * 10_000,
    "Mail 📧 is 🐌",
    "البريد بطيء \u202e",
    "<script>alert(1)</script>",
    '=HYPERLINK("http://evil.example")',
    "line\nbreak\x00 and '; DROP TABLE tickets; --",
)


@pytest.fixture
def home(copied_home: Path) -> Path:
    return copied_home


def a_cycle(home: Path, sandbox: RunningSandbox) -> dict[str, Any]:
    """The summary of a cycle, which must end well."""
    (home / "regelkreis.toml").write_text(
        f'[connections.acme]\nplatform = "servicenow"\nurl = "{sandbox.servicenow_url}"\nuser = "regelkreis"\n'
        'password = "sandbox"\n'
    )
    done = regelkreis(home, "cycle", "--as-of", (END + timedelta(weeks=1)).isoformat(), "--json")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stdout + done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


@pytest.mark.parametrize(("world", "tickets"), [(a_world(), 0), (a_world(a_ticket()), 1)], ids=["empty", "one"])
def test_next_to_nothing_fires_nothing(home: Path, world: World, tickets: int) -> None:
    with running_sandbox(platforms=("servicenow",), worlds={"servicenow": world}, now=END) as sandbox:
        first, second = a_cycle(home, sandbox), a_cycle(home, sandbox)
    assert (first["new_tickets"], second["new_tickets"]) == (tickets, 0)
    assert first["fired"] == second["opened"] == []
    assert first["errors"] == second["errors"] == []


def test_odd_tickets_are_counted_and_stop_nothing(home: Path) -> None:
    world = a_world(*(a_ticket(uid, title=title) for uid, title in enumerate(STRANGE_TITLES, 1)))
    with running_sandbox(platforms=("servicenow",), worlds={"servicenow": world}, now=END) as sandbox:
        admin = Person(sandbox.servicenow_url, "admin")
        early, late = admin.find("incident", "ORDERBYnumber")[:2]
        admin.change("incident", early["sys_id"], resolved_at="2025-06-01 00:00:00")  # before it was opened
        admin.change("incident", late["sys_id"], opened_at="2031-01-01 00:00:00")
        summary = a_cycle(home, sandbox)
        pulled = json.loads(regelkreis(home, "pull", "--json").stdout)
    assert (summary["new_tickets"], summary["errors"]) == (len(STRANGE_TITLES), [])
    (tickets,) = [one for one in pulled if one["kind"] == "ticket"]
    assert tickets["platform_count"] == tickets["warehouse_count"] == len(STRANGE_TITLES)
    assert tickets["rejected"] == 0
    assert regelkreis(home, "evidence", "verify").returncode == 0
