"""Cycles of the real command that are killed in the middle, or begun twice at once, end as one that was let be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from connectors.sandbox.testing import running_sandbox
from tests.command import RUN, regelkreis


def begun(home: Path) -> subprocess.Popen[str]:
    """A cycle under way, as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, "cycle", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "REGELKREIS_HOME": str(home)},
        cwd=Path(__file__).parents[3],
    )


def killed_after(home: Path, seconds: float) -> None:
    running = begun(home)
    time.sleep(seconds)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=60)


def test_killed_cycles_and_two_at_once_lose_and_repeat_nothing(tmp_path: Path) -> None:
    assert regelkreis(tmp_path, "init").returncode == 0
    with running_sandbox(platforms=("servicenow",), size="small") as sandbox:
        (tmp_path / "regelkreis.toml").write_text(
            f'[connections.acme]\nplatform = "servicenow"\nurl = "{sandbox.servicenow_url}"\nuser = "regelkreis"\n'
            'password = "sandbox"\n'
        )
        for seconds in (1.5, 3.0, 4.5):
            killed_after(tmp_path, seconds)
        both = [begun(tmp_path), begun(tmp_path)]
        ended = [(one.communicate(timeout=120), one.returncode) for one in both]
        assert [code for _, code in ended] == [0, 0], ended
        summaries = [json.loads(out) for (out, _), _ in ended]
        assert [one["errors"] for one in summaries] == [[], []]
        pulled = json.loads(regelkreis(tmp_path, "pull", "--json").stdout)
        assert all(one["platform_count"] == one["warehouse_count"] for one in pulled)
        assert sum(one["new"] for one in pulled) == 0
    verified = json.loads(regelkreis(tmp_path, "evidence", "verify", "--json").stdout)
    assert verified["ok"] is True
