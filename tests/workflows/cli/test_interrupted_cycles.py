"""Cycles of the real command that are ended in the middle, or begun twice at once, end as one that was let be."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import running_sandbox
from tests.command import begun, regelkreis


def killed_after(home: Path, seconds: float) -> int:
    """The code of a cycle that was killed, or had ended before."""
    running = begun(home, "cycle")
    time.sleep(seconds)
    running.kill()
    return running.ended().returncode


def configure(home: Path, flavour: Flavour, url: str) -> None:
    user = "regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis"
    (home / "regelkreis.toml").write_text(
        f'[connections.acme]\nplatform = "{flavour.partition("_")[0]}"\nurl = "{url}"\nuser = "{user}"\n'
        'password = "sandbox"\n'
    )


def test_killed_cycles_and_two_at_once_lose_and_repeat_nothing(tmp_path: Path) -> None:
    assert regelkreis(tmp_path, "init").returncode == 0
    with running_sandbox(platforms=("servicenow",), size="small") as sandbox:
        configure(tmp_path, "servicenow", sandbox.servicenow_url)
        codes = [killed_after(tmp_path, seconds) for seconds in (0.7, 1.4, 2.1)]
        assert codes[0] == -signal.SIGKILL, codes
        both = [begun(tmp_path, "cycle", "--json") for _ in range(2)]
        ended = [one.ended() for one in both]
        assert [one.returncode for one in ended] == [0, 0], ended
        summaries = [json.loads(one.stdout) for one in ended]
        assert [one["errors"] for one in summaries] == [[], []]
        pulled = json.loads(regelkreis(tmp_path, "pull", "--json").stdout)
        assert all(one["platform_count"] == one["warehouse_count"] for one in pulled)
        assert sum(one["new"] for one in pulled) == 0
    verified = json.loads(regelkreis(tmp_path, "evidence", "verify", "--json").stdout)
    assert verified["ok"] is True


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("flavour", "by", "code"),
    [
        ("servicenow", signal.SIGINT, 130),
        ("jira_cloud", signal.SIGINT, 130),
        ("jira_cloud", signal.SIGTERM, -signal.SIGTERM),
    ],
)
def test_a_cycle_that_was_asked_to_wait_for_minutes_ends_at_once(
    tmp_path: Path, flavour: Flavour, by: signal.Signals, code: int
) -> None:
    assert regelkreis(tmp_path, "init").returncode == 0
    world = generate("servicenow" if flavour == "servicenow" else "jira", size="small")
    world.tickets = world.tickets[:300]
    with running_sandbox(worlds={world.platform: world}, platforms=(flavour,)) as sandbox:
        configure(tmp_path, flavour, sandbox.urls[flavour])
        sandbox.set_faults(flavour, {"kind": "rate_limit", "path": "/table/task_sla|/search/jql", "seconds": 280})
        running = begun(tmp_path, "cycle")
        deadline = time.monotonic() + 60
        while not (holds := list(tmp_path.rglob("*.hold"))) and time.monotonic() < deadline:
            time.sleep(0.05)
        [hold] = holds
        time.sleep(0.5)  # the thread that reads waits by now
        os.kill(running.process.pid, by)
        assert running.process.wait(30) == code
        assert "Traceback" not in running.ended().stderr
        hold.unlink()  # as if the time had passed
        summary = json.loads(regelkreis(tmp_path, "cycle", "--json").stdout)
        assert (summary["records"] > 300, summary["errors"]) == (True, [])
        pulled = json.loads(regelkreis(tmp_path, "pull", "--json").stdout)
    assert all(one["platform_count"] == one["warehouse_count"] for one in pulled)
    assert sum(one["new"] for one in pulled) == 0
    assert json.loads(regelkreis(tmp_path, "evidence", "verify", "--json").stdout)["ok"] is True
