"""Many charts are drawn by other processes, few here; either way each group comes whole, in order, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog.testing

from workflows.checks.drawing import WORTH_PROCESSES, Studio

FEW, MANY = 1, WORTH_PROCESSES


def a_chart(value: float) -> tuple[dict[str, Any], str]:
    values = [{"x": "a", "y": value}]
    encoding = {"x": {"field": "x", "type": "nominal"}, "y": {"field": "y", "type": "quantitative"}}
    return {"data": {"values": values}, "mark": "bar", "encoding": encoding}, "de"


def drawn(expected: int, *groups: Sequence[tuple[dict[str, Any], str]]) -> list[tuple[str, list[str]]]:
    taken: list[tuple[str, list[str]]] = []
    with Studio(expected=expected) as studio:
        for number, group in enumerate(groups):
            studio.draw(f"ACT-{number}", group, lambda svgs, number=number: taken.append((f"ACT-{number}", list(svgs))))
    return taken


def test_other_processes_draw_what_this_one_would() -> None:
    groups = [[a_chart(1.5), a_chart(2.5)], [a_chart(3.5)]]
    here, there = drawn(FEW, *groups), drawn(MANY, *groups)
    assert here == there
    assert [name for name, _ in here] == ["ACT-0", "ACT-1"]
    assert len({svg for _, svgs in here for svg in svgs}) == 3
    assert "1,5" in here[0][1][0]  # in the language's numbers


@pytest.mark.parametrize("expected", [FEW, MANY])
def test_what_cannot_be_drawn_is_told_and_the_others_are_drawn(expected: int) -> None:
    broken = ({"mark": {"type": "no such mark"}, "encoding": {}}, "en")
    with structlog.testing.capture_logs() as told:
        assert [name for name, _ in drawn(expected, [broken], [a_chart(1)])] == ["ACT-1"]
    assert [(line["event"], line["whose"]) for line in told] == [("charts.failed", "ACT-0")]


def test_when_its_processes_are_killed_the_rest_is_drawn_here() -> None:
    taken: list[Sequence[str]] = []
    with Studio(expected=MANY) as studio:
        studio.draw("ACT-1", [a_chart(1)], taken.append)
        for child in drawing_for(os.getpid()):
            os.kill(child, signal.SIGKILL)
        studio.draw("ACT-2", [a_chart(2)], taken.append)
        studio.draw("ACT-3", [a_chart(3)], taken.append)
    assert [len(svgs) for svgs in taken] == [1, 1, 1]


def test_its_processes_leave_with_whoever_asked(tmp_path: Path) -> None:
    script = tmp_path / "asks.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            from workflows.checks.drawing import Studio
            with Studio(expected=1000) as studio:
                studio.draw("ACT-1", [({"data": {"values": []}, "mark": "bar"}, "en")] * 2, print)
                print("begun", flush=True)
                time.sleep(60)
            """
        )
    )
    asking = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert asking.stdout is not None
    assert asking.stdout.readline() == "begun\n"
    helping = drawing_for(asking.pid)
    assert helping
    asking.kill()
    asking.wait()
    asking.stdout.close()
    deadline = time.monotonic() + 30
    while any(is_there(pid) for pid in helping) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in helping if is_there(pid)]


def drawing_for(pid: int) -> list[int]:
    """The processes that draw for another one."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(one) for task in tasks for one in (task / "children").read_text().split()]
    return [one for one in children if b"improvement.charts.process" in Path(f"/proc/{one}/cmdline").read_bytes()]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
