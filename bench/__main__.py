"""``python -m bench [--json FILE]``: pull rates, evaluation and check times, memory, beside named peers; the goals.

Some minutes on a quiet machine. Exit code 1 when a goal is missed; an aim only shows how far the way is.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from rich.console import Console

from bench import demo, evaluation, plans, pull
from bench.goals import print_goals


def main() -> int:
    """Measure everything, print it, write it."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    console = Console(width=140)
    pulled = pull.measure(is_quick=False)
    console.print(pull.shown(pulled))
    evaluated = evaluation.sizes()
    for table in evaluation.shown(evaluated):
        console.print(table)
    checked = plans.measure()
    console.print(plans.shown(checked))
    played = demo.measure()
    console.print(demo.shown(played))
    judged = [*pull.goals(pulled), *evaluation.goals(evaluated), *plans.goals(checked), *demo.goals(played)]
    print_goals(console, judged)
    busy, cores = os.getloadavg()[1], os.cpu_count() or 1
    if busy > cores:
        console.print(f"[yellow]The machine was busy (load {busy:.1f} on {cores} cores): compare ratios, not rates.[/]")
    if options.json is not None:
        figures = {
            "machine": {"python": platform.python_version(), "cores": cores, "load_average": round(busy, 1)},
            "pull": pulled,
            "evaluation": evaluated,
            "plans": checked,
            "demo": played,
            "goals": [goal.as_dict() for goal in judged],
        }
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(goal.is_met or goal.is_aim for goal in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
