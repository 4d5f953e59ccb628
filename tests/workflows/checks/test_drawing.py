"""Many charts are drawn by other processes, few here; either way each group comes whole, in order, or not at all."""

from __future__ import annotations

import json
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

from workflows.checks import drawing
from workflows.checks.drawing import WORTH_PROCESSES, Studio

FEW, MANY = 1, WORTH_PROCESSES
BROKEN = ({"mark": {"type": "no such mark"}, "encoding": {}}, "en")


def a_chart(value: float) -> tuple[dict[str, Any], str]:
    values = [{"x": "a", "y": value}]
    encoding = {"x": {"field": "x", "type": "nominal"}, "y": {"field": "y", "type": "quantitative"}}
    return {"data": {"values": values}, "mark": "bar", "encoding": encoding}, "de"


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_processors", lambda: 2)


def drawn(
    expected: int, *groups: Sequence[tuple[dict[str, Any], str]]
) -> tuple[list[tuple[str, list[str]]], list[tuple[str, str]]]:
    """What was handed over, by whom it was asked for; and what was logged, about whom."""
    taken: list[tuple[str, list[str]]] = []
    with structlog.testing.capture_logs() as told, Studio(expected=expected) as studio:
        for number, group in enumerate(groups):
            studio.draw(f"ACT-{number}", group, lambda svgs, number=number: taken.append((f"ACT-{number}", list(svgs))))
    return taken, [(line["event"], line.get("whose", "")) for line in told]


def test_other_processes_draw_what_this_one_would() -> None:
    groups = [[a_chart(1.5), a_chart(2.5)], [a_chart(3.5)]]
    here, there = drawn(FEW, *groups), drawn(MANY, *groups)
    assert here == there
    taken, told = there
    assert told == []
    assert [name for name, _ in taken] == ["ACT-0", "ACT-1"]
    assert len({svg for _, svgs in taken for svg in svgs}) == 3
    assert "1,5" in taken[0][1][0]  # in the language's numbers


def test_a_process_answers_line_by_line_until_its_input_ends() -> None:
    asked = (a_chart(1.5), BROKEN, a_chart(2.5))
    lines = [json.dumps({"spec": spec, "language": language}) for spec, language in asked]
    command = [sys.executable, "-m", "workflows.checks.drawing_process"]
    done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, check=True)
    first, second, third = (json.loads(line) for line in done.stdout.splitlines())
    assert first["svg"].startswith("<svg")
    assert third["svg"] != first["svg"]
    assert "cannot be drawn" in second["what"]


@pytest.mark.parametrize("expected", [FEW, MANY])
def test_what_cannot_be_drawn_is_told_and_the_others_are_drawn(expected: int) -> None:
    taken, told = drawn(expected, [BROKEN], [a_chart(1)])
    assert [name for name, _ in taken] == ["ACT-1"]
    assert told == [("charts.failed", "ACT-0")]


def test_when_its_processes_are_killed_the_rest_is_drawn_here(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Sequence[str]] = []
    begun: list[int] = []
    start = drawing._started

    def started(many: int) -> list[drawing._Process]:
        found = start(many)
        begun.extend(one._running.pid for one in found)
        return found

    monkeypatch.setattr(drawing, "_started", started)
    with structlog.testing.capture_logs() as told, Studio(expected=MANY) as studio:
        studio.draw("ACT-1", [], taken.append)
        assert begun == []  # nothing to draw, nobody to draw it
        studio.draw("ACT-1", [a_chart(1)], taken.append)
        for child in begun:
            os.kill(child, signal.SIGKILL)
        studio.draw("ACT-2", [a_chart(2)], taken.append)
        studio.draw("ACT-3", [a_chart(3), a_chart(4)], taken.append)
    gone = [line for line in told if line["event"] == "charts.process_gone"]
    failed = [line for line in told if line["event"] == "charts.failed"]
    assert len(gone) == 2
    assert len(failed) <= 1  # a chart that met both of them is taken for the cause of their end
    assert len(failed) + len(taken) == 4


def test_a_chart_that_ends_whoever_draws_it_is_left_out_and_not_drawn_here() -> None:
    """Memory that runs out, for example: this process has a cycle to finish."""
    deadly = ({"mark": "bar"}, "no such language")  # nobody foresaw it: a process that meets it ends
    taken, told = drawn(MANY, [deadly])
    assert taken == []
    assert told == [("charts.process_gone", "")] * 2 + [("charts.failed", "ACT-0")]


def test_where_no_process_can_be_started_everything_is_drawn_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(drawing.subprocess, "Popen", refuse)  # type: ignore[attr-defined]
    taken, told = drawn(MANY, [a_chart(1)])
    assert [name for name, _ in taken] == ["ACT-0"]
    assert told == [("charts.process_gone", "")]


def test_its_processes_leave_with_whoever_asked(tmp_path: Path) -> None:
    script = tmp_path / "asks.py"
    script.write_text(
        textwrap.dedent(
            """
            import time
            from workflows.checks import drawing
            drawing._processors = lambda: 2
            begun, start = [], drawing._started
            drawing._started = lambda many: begun.extend(start(many)) or begun
            with drawing.Studio(expected=1000) as studio:
                studio.draw("ACT-1", [({"data": {"values": []}, "mark": "bar"}, "en")] * 2, print)
                print(*(one._running.pid for one in begun), flush=True)
                time.sleep(60)
            """
        )
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as asking:
        try:
            assert asking.stdout is not None
            helping = [int(pid) for pid in asking.stdout.readline().split()]
            assert [is_there(pid) for pid in helping] == [True, True]
        finally:
            asking.kill()
    deadline = time.monotonic() + 30
    while any(is_there(pid) for pid in helping) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in helping if is_there(pid)]


def is_there(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not, which only Linux tells."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    told = Path(f"/proc/{pid}/stat")
    return not told.exists() or told.read_text().rpartition(")")[2].split()[0] != "Z"
