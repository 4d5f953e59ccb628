"""Reports for a terminal: lines with a style, plain where nobody looks."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from workflows.cli.output import shown

GOOD, BAD, HEAD, QUIET = "green", "red", "bold", "dim"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a report and how it is shown: a colour's name, ``bold``, ``dim`` or nothing."""

    text: str = ""
    style: str = ""


def print_lines(lines: Iterable[Line]) -> None:
    """With colours in a terminal, as plain text in a pipe."""
    if not sys.stdout.isatty():
        for line in lines:
            print(shown(line.text))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for line in lines:
        console.print(Text(shown(line.text), style=line.style))


def columns(rows: Iterable[Iterable[object]], *, indent: int = 2, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows as text in columns; those numbered in ``right`` are flush right."""
    texts = [[str(cell) for cell in row] for row in rows]
    if not texts:
        return []
    widths = [max(len(row[place]) for row in texts) for place in range(len(texts[0]))]
    return [
        " " * indent
        + "  ".join(
            cell.rjust(widths[place]) if place in right else cell.ljust(widths[place]) for place, cell in enumerate(row)
        ).rstrip()
        for row in texts
    ]
