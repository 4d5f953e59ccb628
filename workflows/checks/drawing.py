"""Drawing many charts: on all processors, because each keeps one busy for a twentieth of a second.

The library that draws holds Python's lock meanwhile, so threads would wait for each other: these are processes. They
know nothing but what they are to draw, and end with the process that asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, LifoQueue
from types import TracebackType
from typing import Any, Self

import structlog

from improvement import charts
from improvement.errors import RegelkreisError

log = structlog.get_logger()
WORTH_PROCESSES = 24  # charts; starting others takes as long as drawing about so many
MOST_PROCESSES = 4  # each takes 150 MB
MOST_BEGUN = 64  # groups that wait to be handed over
MOST_TRIED = 2  # processes that one chart may end before it is taken for one that cannot be drawn
ROOT = Path(__file__).resolve().parents[2]

Asked = tuple[dict[str, Any], str]  # a spec, and the language of its numbers and months
Take = Callable[[Sequence[str]], None]


class Studio:
    """Draws charts and hands each group of them over when it is drawn, in the order they were asked for.

    ``expected``: about how many there will be; few are drawn at once and here. A group that cannot be drawn is logged
    and left out. Leaving it waits for what was asked for.
    """

    def __init__(self, *, expected: int) -> None:
        self._idle: LifoQueue[_Process] = LifoQueue()  # whoever has drawn before has the library at hand
        self._begun: deque[tuple[str, list[Future[str]], Take]] = deque()
        self._threads: ThreadPoolExecutor | None = None
        self._to_start = min(MOST_PROCESSES, _processors()) if expected >= WORTH_PROCESSES else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            while self._begun and kind is None:
                self._hand_over()
        finally:
            if self._threads is not None:
                self._threads.shutdown(cancel_futures=True)
            while not self._idle.empty():
                self._idle.get().close()

    def draw(self, whose: str, asked: Sequence[Asked], take: Take) -> None:
        """Have these drawn; ``take`` gets their SVGs. ``whose`` names them in the log."""
        if asked and self._to_start > 1:  # now: in a quiet week nothing is drawn
            self._start()
        begin = _at_once if self._threads is None else self._threads.submit
        self._begun.append((whose, [begin(self._svg, *one) for one in asked], take))
        while len(self._begun) > (MOST_BEGUN if self._threads is not None else 0):
            self._hand_over()

    def _start(self) -> None:
        started, self._to_start = _started(self._to_start), 0
        if started:
            self._threads = ThreadPoolExecutor(max_workers=len(started), thread_name_prefix="drawing")
        for process in started:
            self._idle.put(process)

    def _hand_over(self) -> None:
        whose, begun, take = self._begun.popleft()
        try:
            take([one.result() for one in begun])
        except RegelkreisError as error:
            log.warning("charts.failed", whose=whose, error=str(error))

    def _svg(self, spec: dict[str, Any], language: str) -> str:
        """Drawn by a process that has nothing to draw, or here where all are gone."""
        if self._threads is None:
            return charts.svg(spec, language=language)
        line = json.dumps({"spec": spec, "language": language}).encode()
        for _ in range(MOST_TRIED):
            try:
                process = self._idle.get_nowait()
            except Empty:
                return charts.svg(spec, language=language)
            try:
                answer = process.ask(line)
            except (OSError, ValueError) as error:
                process.close()
                log.warning("charts.process_gone", error=f"{type(error).__name__}: {error}")
                continue
            self._idle.put(process)
            if "svg" in answer:
                return answer["svg"]
            raise RegelkreisError(answer["what"], mend=answer["mend"])
        raise RegelkreisError(
            "A chart cannot be drawn: the processes that tried have ended.",
            mend="Everything else goes on without it; if memory was short, the next cycle draws it.",
        )


class _Process:
    """Another process that draws, one chart after the other."""

    def __init__(self) -> None:
        search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        self._running = subprocess.Popen(
            [sys.executable, "-P", "-m", "workflows.checks.drawing_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": search},
            process_group=0,  # Ctrl+C is for whoever asks; without them its input ends, and so does it
        )

    def ask(self, line: bytes) -> dict[str, str]:
        """What it answers to a line; :class:`OSError` or :class:`ValueError` where it is gone."""
        asks, answers = self._running.stdin, self._running.stdout
        assert asks is not None
        assert answers is not None
        asks.write(line + b"\n")
        asks.flush()
        answer: dict[str, str] = json.loads(answers.readline())
        return answer

    def close(self) -> None:
        """It ends, because its input does."""
        self._running.communicate()


def _started(many: int) -> list[_Process]:
    """So many processes, or as many as the system lets us start."""
    started: list[_Process] = []
    try:
        while len(started) < many:
            started.append(_Process())
    except OSError as error:
        log.warning("charts.process_gone", error=f"{type(error).__name__}: {error}")
    return started


def _processors() -> int:
    """How many processors we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _at_once(svg: Callable[..., str], *asked: Any) -> Future[str]:
    done: Future[str] = Future()
    try:
        done.set_result(svg(*asked))
    except RegelkreisError as error:
        done.set_exception(error)
    return done
