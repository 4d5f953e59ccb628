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
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self

import structlog

from improvement import charts
from improvement.errors import RegelkreisError

log = structlog.get_logger()
WORTH_PROCESSES = 24  # charts; starting others takes as long as drawing about so many
MOST_PROCESSES = 4  # each takes 150 MB
MOST_BEGUN = 64  # groups that wait to be handed over

Asked = tuple[dict[str, Any], str]  # a spec, and the language of its numbers and months
Take = Callable[[Sequence[str]], None]


class Studio:
    """Draws charts and hands each group of them over when it is drawn, in the order they were asked for.

    ``expected``: about how many there will be; few are drawn at once and here. A group that cannot be drawn is logged
    and left out. Leaving it waits for what was asked for.
    """

    def __init__(self, *, expected: int) -> None:
        self._processes: SimpleQueue[_Process] = SimpleQueue()  # those that have nothing to draw
        self._threads: ThreadPoolExecutor | None = None
        self._begun: deque[tuple[str, list[Future[str]], Take]] = deque()
        if expected >= WORTH_PROCESSES:
            many = min(MOST_PROCESSES, os.cpu_count() or 1)
            self._threads = ThreadPoolExecutor(max_workers=many, thread_name_prefix="drawing")
            for _ in range(many):
                self._processes.put(_Process())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            while self._begun and kind is None:
                self._hand_over()
        finally:
            if self._threads is not None:
                self._threads.shutdown(cancel_futures=True)
            while not self._processes.empty():
                self._processes.get().close()

    def draw(self, whose: str, asked: Sequence[Asked], take: Take) -> None:
        """Have these drawn; ``take`` gets their SVGs. ``whose`` names them in the log."""
        begin = _at_once if self._threads is None else self._threads.submit
        self._begun.append((whose, [begin(self._svg, *one) for one in asked], take))
        while len(self._begun) > (MOST_BEGUN if self._threads is not None else 0):
            self._hand_over()

    def _hand_over(self) -> None:
        whose, begun, take = self._begun.popleft()
        try:
            take([one.result() for one in begun])
        except RegelkreisError as error:
            log.warning("charts.failed", whose=whose, error=str(error))

    def _svg(self, spec: dict[str, Any], language: str) -> str:
        """Drawn by a process that has nothing to draw, or here where all are gone."""
        while True:
            try:
                process = self._processes.get_nowait()
            except Empty:
                return charts.svg(spec, language=language)
            try:
                drawn = process.svg(spec, language)
            except (OSError, ValueError) as error:  # it was killed
                process.close()
                log.warning("charts.process_gone", error=f"{type(error).__name__}: {error}")
            except RegelkreisError:
                self._processes.put(process)
                raise
            else:
                self._processes.put(process)
                return drawn


class _Process:
    """Another process that draws, one chart after the other."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "improvement.charts.process"]
        self._running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # noqa: S603 - ours

    def svg(self, spec: dict[str, Any], language: str) -> str:
        """As :func:`improvement.charts.svg`; :class:`OSError` or :class:`ValueError` where the process is gone."""
        asks, answers = self._running.stdin, self._running.stdout
        assert asks is not None
        assert answers is not None
        asks.write(json.dumps({"spec": spec, "language": language}).encode() + b"\n")
        asks.flush()
        answer: dict[str, str] = json.loads(answers.readline())
        if "svg" not in answer:
            raise RegelkreisError(answer["what"], mend=answer["mend"])
        return answer["svg"]

    def close(self) -> None:
        """It ends, because its input does."""
        self._running.communicate()


def _at_once(svg: Callable[..., str], *asked: Any) -> Future[str]:
    done: Future[str] = Future()
    try:
        done.set_result(svg(*asked))
    except RegelkreisError as error:
        done.set_exception(error)
    return done
