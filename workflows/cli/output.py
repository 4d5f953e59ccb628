"""Tables for people, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workflows.models import Action

# Titles come from outside and may try to drive a terminal, or to turn the direction of what follows them.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def print_json(value: Any) -> None:
    """One JSON document on standard output; dates as ISO text."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, default=str)
    sys.stdout.write("\n")


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A Rich table in a terminal; tab-separated lines when piped."""
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

    table = Table(title=title, title_justify="left", header_style="bold", show_header=any(columns))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in cells:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def shown(cell: Any) -> str:
    """A value as text that cannot drive a terminal; nothing for None."""
    return "" if cell is None else CONTROL.sub("�", str(cell))


def say(text: str) -> None:
    """A line on standard error: for people, never in the way of a pipe."""
    print(text, file=sys.stderr)


def report(action: Action, as_json: bool) -> None:
    """Say where an action stands after a command: a sentence for people, the whole action for programs."""
    if as_json:
        from workflows import loop

        print_json(loop.detail(action))
        return
    late = ", late" if action.is_late else ""
    print(f"{action.code} is {action.state}{late}: {shown(action.title)}")
