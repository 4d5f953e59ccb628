"""A thousand plans from a file through ``regelkreis checks compute``: worlds of ten scopes, as anybody has them.

``python -m bench.plans [--json FILE]``. The clock runs from the start of the command to its end; a check is that time
by the number of plans. 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.children import worked_s
from bench.goals import Goal, print_goals
from bench.worlds import AFTER_WEEKS, Metric, Variant, World, make
from improvement import weeks

PLANS = 1_000
HISTORY = 60  # weeks before the rule begins to look
SECONDS, CHECK_MS = 120, 100
METRICS: dict[Metric, tuple[str, str]] = {  # how each is called in the file, and a goal in its form
    "breach": ("sla_breach_rate", "-30%"),
    "count": ("incident_count", "-30%"),
    "time": ("time_to_resolve", "-30%"),
    "csat": ("csat_mean", "+0.25"),
}
PLAN_COLUMNS = ("action", "scope", "metric", "trigger_from", "trigger_to", "implemented_on", "as_of", "goal")
CELL_COLUMNS = ("action", "scope", "week", "numerator", "denominator")


def measure() -> dict[str, Any]:
    """Write the files, run the command, and tell what it took and found."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        plans, cells = Path(folder, "plans.csv"), Path(folder, "cells.csv")
        rows = _write(plans, cells)
        command = [sys.executable, "-c", "from config.entry import main; main()", "checks", "compute"]
        command += ["--plans", str(plans), "--cells", str(cells), "--json"]
        begin, before = time.perf_counter(), worked_s()
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds = time.perf_counter() - begin
    results = json.loads(done.stdout)
    return {
        "plans": len(results),
        "cells": rows,
        "seconds": round(seconds, 2),
        "cpu_seconds": round(worked_s() - before, 2),
        "ms_per_check": round(seconds / len(results) * 1000, 1),
        "verdicts": dict(Counter(one["verdict"] for one in results).most_common()),
    }


def shown(found: dict[str, Any]) -> Table:
    """The figures as people read them."""
    table = Table(title="Plans from a file: `regelkreis checks compute`")
    for title in ("plans", "weekly cells", "seconds", "CPU s", "ms a check"):
        table.add_column(title, justify="right")
    table.add_row(
        f"{found['plans']:,}",
        f"{found['cells']:,}",
        f"{found['seconds']:.1f}",
        f"{found['cpu_seconds']:.1f}",
        f"{found['ms_per_check']:.0f}",
    )
    return table


def goals(found: dict[str, Any]) -> list[Goal]:
    """What these figures have to reach."""
    return [
        Goal("plans that got a result", found["plans"], PLANS),
        Goal(f"{PLANS:,} plans from a file: seconds", found["seconds"], SECONDS, is_most=True),
        Goal("a check: milliseconds", found["ms_per_check"], CHECK_MS, is_most=True),
    ]


def _write(plans: Path, cells: Path) -> int:
    count = 0
    with plans.open("w", newline="") as plan_file, cells.open("w", newline="") as cell_file:
        plan_rows, cell_rows = csv.writer(plan_file), csv.writer(cell_file)
        plan_rows.writerow(PLAN_COLUMNS)
        cell_rows.writerow(CELL_COLUMNS)
        for number in range(PLANS):
            metric = list(METRICS)[number % len(METRICS)]
            world = _world(metric, number)
            action, (name, goal) = f"P-{number}", METRICS[metric]
            begin, end = (weeks.monday(week) for week in world.trigger)
            live = weeks.monday(world.after_from)
            due = live + timedelta(weeks=AFTER_WEEKS + 8)  # times of tickets opened last have matured by then
            plan_rows.writerow((action, "own", name, begin, end, live, due, goal))
            for scope, series in {"own": world.scope, **world.controls}.items():
                for week, numerator, denominator in zip(series.week, series.numerator, series.denominator, strict=True):
                    monday: date = weeks.monday(int(week))
                    if monday < due:
                        cell_rows.writerow((action, scope, monday, float(numerator), float(denominator)))
                        count += 1
    return count


def _world(metric: Metric, number: int) -> World:
    """The first world with this seed, or one after it, in which the rule fires."""
    seed = number
    while (world := make(metric, Variant(), history=HISTORY, has_effect=number % 2 == 0, seed=(seed,))) is None:
        seed += PLANS
    return world


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.plans", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    found = measure()
    console = Console(width=140)
    console.print(shown(found))
    judged = goals(found)
    print_goals(console, judged)
    if options.json is not None:
        figures = {"plans": found, "goals": [goal.as_dict() for goal in judged]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(goal.is_met for goal in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
