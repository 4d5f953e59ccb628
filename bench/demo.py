"""The demo's year: how long its loop takes, beside what its processors worked.

``python -m bench.demo [--json FILE]``. An absolute time depends on the machine, so it is an aim and no bound.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.children import worked_s
from bench.goals import Goal, print_goals

LOOP_S = 90  # on two cores


def measure() -> dict[str, Any]:
    """Play the year in a home of its own."""
    before = worked_s()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-c", "from config.entry import main; main()", "demo", "--no-serve", "--json"]
        done = subprocess.run([*command, "--home", f"{folder}/home"], stdout=subprocess.PIPE, text=True, check=True)
    played = json.loads(done.stdout)
    return {
        "tickets": played["tickets"],
        "records": played["records"],
        "loop_seconds": played["loop_seconds"],
        "seconds": played["seconds"],
        "cpu_seconds": round(worked_s() - before, 1),
    }


def shown(found: dict[str, Any]) -> Table:
    """The figures as people read them."""
    table = Table(title="The demo's year: 78 weeks in one pull, 52 weekly cycles, two platforms beside it")
    for title in ("tickets", "records", "loop s", "in all s", "CPU s, sandboxes included"):
        table.add_column(title, justify="right")
    table.add_row(
        f"{found['tickets']:,}",
        f"{found['records']:,}",
        f"{found['loop_seconds']:.1f}",
        f"{found['seconds']:.1f}",
        f"{found['cpu_seconds']:.1f}",
    )
    return table


def goals(found: dict[str, Any]) -> list[Goal]:
    """What these figures should reach."""
    return [Goal("the demo's loop: seconds", found["loop_seconds"], LOOP_S, is_most=True, is_aim=True)]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.demo", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    found = measure()
    console = Console(width=140)
    console.print(shown(found))
    judged = goals(found)
    print_goals(console, judged)
    if options.json is not None:
        figures = {"demo": found, "goals": [goal.as_dict() for goal in judged]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
