"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflows.models import Action

# Titles come from outside and may try to drive a terminal, or to turn the direction of what follows them.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


LONG_WORD = 16  # characters of a word that may be broken in a table


class _Printed:
    """Whether this run printed its document: there is one at most."""

    is_json = False


def begin() -> None:
    """A run begins: nothing is printed yet."""
    _Printed.is_json = False


def has_printed_json() -> bool:
    """Whether this run printed its document."""
    return _Printed.is_json


def print_json(value: Any) -> None:
    """One JSON document on standard output; moments as RFC 3339 text."""
    _Printed.is_json = True
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=_as_text)
    sys.stdout.write("\n")


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A Rich table in a terminal, or a paragraph a row where it is too narrow; tab-separated lines when piped."""
    cells = [[shown(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        if any(columns):
            print("\t".join(columns))
        for row in cells:
            print("\t".join(re.sub(r"[\t\n]", " ", cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if not _fits(columns, cells, console.width):
        console.print(Text(title, "bold"))
        for row in cells:
            console.print()
            for column, cell in zip(columns, row, strict=True):
                if cell:
                    console.print(Text(f"{column or '·'}: {cell}"))
        return
    table = Table(title=title, title_justify="left", header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def _fits(columns: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the columns stand side by side without breaking words (very long ones aside)."""
    if not any(columns):
        return True  # two columns of names and values
    least = [
        max((min(len(word), LONG_WORD) for row in (columns, *cells) for word in row[place].split()), default=0)
        for place in range(len(columns))
    ]
    return sum(least) + 3 * len(columns) + 1 <= width


def shown(cell: Any) -> str:
    """A value as text that cannot drive a terminal; nothing for None."""
    return "" if cell is None else CONTROL.sub("�", str(cell))


def say(text: str) -> None:
    """A line on standard error: for people, never in the way of a pipe."""
    print(text, file=sys.stderr)


def report(action: Action, as_json: bool) -> None:
    """Say where an action stands after a command: a sentence for people, the whole action for programs."""
    if as_json:
        from workflows.actions import loop

        print_json(loop.detail(action))
        return
    late = ", late" if action.is_late else ""
    print(f"{action.code} is {action.state}{late}: {shown(action.title)}")
