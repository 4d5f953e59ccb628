"""Goals beside figures: what a measurement has to reach, and whether it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and its bound: at least ``bound``, or at most with ``is_most``. An aim is shown, not demanded."""

    what: str
    figure: float
    bound: float
    is_most: bool = False
    is_aim: bool = False

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps its bound."""
        return self.figure <= self.bound if self.is_most else self.figure >= self.bound

    def as_dict(self) -> dict[str, Any]:
        """For the JSON file."""
        bound = "at_most" if self.is_most else "at_least"
        rounded = round(self.figure, 3)
        return {"what": self.what, "figure": rounded, bound: self.bound, "is_met": self.is_met, "is_aim": self.is_aim}


def print_goals(console: Console, goals: Sequence[Goal]) -> None:
    """One line a goal."""
    table = Table(title="Goals")
    for title in ("", "what", "figure", "bound"):
        table.add_column(title, justify="left" if title in ("", "what") else "right")
    for goal in goals:
        mark = "[green]✓[/]" if goal.is_met else "[yellow]○ aim[/]" if goal.is_aim else "[red]✗[/]"
        bound = f"{'≤' if goal.is_most else '≥'} {goal.bound:,g}"
        table.add_row(mark, goal.what, f"{goal.figure:,.2f}" if goal.figure < 100 else f"{goal.figure:,.0f}", bound)
    console.print(table)
