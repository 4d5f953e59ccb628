"""What is going on, for whoever waits at a terminal: one line a pull, a step or a file; nothing when piped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from workflows.steps.backfill import Reached


class Progress:
    """Nobody looks: nothing is shown."""

    is_shown = False

    def records(self, reached: Reached) -> None:
        """How far a pull of one record kind has come."""

    def doing(self, what: str) -> None:
        """What is being done from now on, in place of what was done before; '' for nothing any more."""

    def counted(self, what: str, done: int, total: int) -> None:
        """How many of a known number are done."""


class _Shown(Progress):
    """Lines of a live display."""

    is_shown = True

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._lines: dict[str, Any] = {}

    def records(self, reached: Reached) -> None:
        text = f"{reached.connection} {reached.kind.value} records until {reached.until:%Y-%m-%d}"
        line = self._line(f"{reached.connection} {reached.kind.value}", reached.total)
        self._bar.update(line, completed=reached.read, description=text)

    def doing(self, what: str) -> None:
        line = self._lines.pop("doing", None)
        if line is not None:
            self._bar.remove_task(line)
        if what:
            self._lines["doing"] = self._bar.add_task(what, total=None)

    def counted(self, what: str, done: int, total: int) -> None:
        self._bar.update(self._line(what, total), completed=done)

    def _line(self, name: str, total: int | None) -> Any:
        if name not in self._lines:
            self._lines[name] = self._bar.add_task(name, total=total)
        return self._lines[name]


@contextmanager
def progress(is_wanted: bool = True, *, stream: TextIO | None = None) -> Iterator[Progress]:
    """A display on standard error while the block runs, where that is a terminal and somebody wants it."""
    stream = stream if stream is not None else sys.stderr
    if not is_wanted or not stream.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    class Amount(ProgressColumn):
        """Done of all; all may be unknown, and a step has no amount."""

        def render(self, task: Any) -> Text:
            if task.total is None:
                return Text(f"{task.completed:,.0f}" if task.completed else "")
            return Text(f"{task.completed:,.0f}/{task.total:,.0f}")

    columns = (SpinnerColumn(), TextColumn("{task.description}"), Amount(), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(file=stream), transient=True) as bar:
        yield _Shown(bar)
