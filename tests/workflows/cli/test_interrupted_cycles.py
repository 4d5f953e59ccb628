"""Cycles of the real command that are killed in the middle, or begun twice at once, end as one that was let be."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from connectors.sandbox.testing import running_sandbox
from tests.command import begun, regelkreis


def killed_after(home: Path, seconds: float) -> int:
    """The code of a cycle that was killed, or had ended before."""
    running = begun(home, "cycle")
    time.sleep(seconds)
    running.kill()
    return running.ended().returncode


def test_killed_cycles_and_two_at_once_lose_and_repeat_nothing(tmp_path: Path) -> None:
    assert regelkreis(tmp_path, "init").returncode == 0
    with running_sandbox(platforms=("servicenow",), size="small") as sandbox:
        (tmp_path / "regelkreis.toml").write_text(
            f'[connections.acme]\nplatform = "servicenow"\nurl = "{sandbox.servicenow_url}"\nuser = "regelkreis"\n'
            'password = "sandbox"\n'
        )
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
