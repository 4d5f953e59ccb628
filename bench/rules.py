"""Rules on large histories: beside SQL by hand and per-ticket engines, after a week's changes, replayed over two years.

``python -m bench.rules [--tickets N …] [--json FILE]``: makes a file of each size (default one and ten million
tickets), each in a process of its own, so that its memory is its own; about a quarter of an hour. Exit code 1 when a
goal is missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import rules_backtest, rules_cycle, rules_engines, rules_evaluating, rules_world
from bench.goals import Goal, print_goals

SIZES = (1_000_000, 10_000_000)
REPLAYED = 1_000_000  # the back-test is measured up to this size
MAX_RATIO, MIN_TIMES, MAX_SHARE, MAX_GROWTH, MAX_BACKTEST_S, MAX_MB = 1.2, 50, 0.05, 1.5, 60, 2048
Found = dict[str, Any]


def main() -> int:
    """Run, print, write; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.rules", description=__doc__)
    parser.add_argument("--tickets", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    console = Console(width=140)
    found = [measured(size, console) for size in sorted(options.tickets)]
    judged = goals(found)
    print_goals(console, judged)
    busy, cores = os.getloadavg()[1], os.cpu_count() or 1
    if busy > cores:
        console.print(f"[yellow]The machine was busy (load {busy:.1f} on {cores} cores): compare ratios, not rates.[/]")
    if options.json is not None:
        figures = {"sizes": found, "goals": [goal.as_dict() for goal in judged], "load_average": round(busy, 1)}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(goal.is_met for goal in judged) else 1


def measured(tickets: int, console: Console) -> Found:
    """Every figure of one size; printed as soon as they are known."""
    with tempfile.TemporaryDirectory(prefix="regelkreis-bench-") as folder:
        path = Path(folder) / "bench.duckdb"
        built = _apart(rules_world.build, path, tickets)
        found: Found = {"tickets": tickets, "made_s": round(built, 1), "file_mb": path.stat().st_size >> 20}
        found["evaluation"] = _apart(_opened, path, rules_evaluating.measure)
        found["engines"] = _apart(_opened, path, rules_engines.measure)
        if tickets <= REPLAYED:
            found["backtest"] = _apart(_replayed, path, Path(folder))
        found["cycle"] = _apart(_opened, path, rules_cycle.measure)  # last: it changes the file
    parts = ("evaluation", "engines", "backtest", "cycle")
    found["peak_mb"] = max(found[part]["peak_mb"] for part in parts if part in found)
    console.print(shown(found))
    return found


def _opened(path: Path, measure: Callable[[Any], Found]) -> Found:
    from workflows.warehouse import Warehouse

    with Warehouse.open(path) as warehouse:
        found = measure(warehouse)
    return {**found, "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}


def _replayed(path: Path, folder: Path) -> Found:
    home = folder / "home"
    home.mkdir()
    return _opened(path, lambda warehouse: rules_backtest.measure(warehouse, home))


def _apart(run: Callable[..., Any], *values: Any) -> Any:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(run, values)


def shown(found: Found) -> Table:
    """One size's figures as people read them."""
    evaluation, cycle, engines = found["evaluation"], found["cycle"], found["engines"]
    table = Table(title=f"{found['tickets']:,} tickets ({found['file_mb']:,} MB, made in {found['made_s']:.0f} s)")
    table.add_column("what")
    table.add_column("figure", justify="right")
    rows = [
        (
            f"{evaluation['rules']} rules over 26 weeks: {evaluation['points']:,} values from {evaluation['passes']} "
            "passes",
            f"{evaluation['evaluation_s']:.2f} s",
        ),
        ("… of it counting", f"{evaluation['counting_s']:.2f} s"),
        ("… counting with a query for each", f"{evaluation['counting_a_query_each_s']:.2f} s"),
        ("the same numbers by hand, a statement for each", f"{evaluation['by_hand_s']:.2f} s"),
        *(
            (f"{engines['conditions']} conditions, ticket by ticket: {name}", f"{one['per_s']:,} / s")
            for name, one in engines["engines"].items()
        ),
        ("the same conditions by ours, grouped, summed and judged", f"{engines['ours_per_s']:,} / s"),
        (f"the next week's cycle after {cycle['changed_tickets']:,} changed tickets", f"{cycle['cycle_s']:.3f} s"),
        ("… the same counting everything", f"{cycle['same_in_full_s']:.3f} s"),
        (
            "seconds of processors: the cycle · counting everything · the evaluation over 26 weeks",
            f"{cycle['cycle_cpu_s']:.3f} · {cycle['same_in_full_cpu_s']:.3f} · {evaluation['evaluation_cpu_s']:.3f} s",
        ),
        ("peak memory", f"{found['peak_mb']:,} MB"),
    ]
    if "backtest" in found:
        back = found["backtest"]
        what = f"back-test of {back['rules']} rules over {back['weeks']} weeks, {back['findings']:,} findings"
        rows.append((what, f"{back['seconds']:.1f} s"))
    for row in rows:
        table.add_row(*row)
    return table


def goals(found: Sequence[Found]) -> list[Goal]:
    """What these figures have to reach, at every size."""
    judged = []
    for one in found:
        at, evaluation, cycle = f"{one['tickets']:,}", one["evaluation"], one["cycle"]
        different = sum(
            (
                evaluation["different_rules"],
                evaluation["different_alone"],
                cycle["different_queries"],
                *(not engine["is_equal"] for engine in one["engines"]["engines"].values()),
            )
        )
        judged += [
            Goal(f"{at}: numbers that differ between ways to count", different, 0, is_most=True),
            Goal(f"{at}: evaluation × DuckDB SQL by hand", evaluation["ratio"], MAX_RATIO, is_most=True),
            Goal(f"{at}: × the quickest per-ticket engine", one["engines"]["times_quickest"], MIN_TIMES),
            Goal(
                f"{at}: cycle after {cycle['changed_tickets']:,} changes, share of the full evaluation",
                cycle["cycle_s"] / evaluation["evaluation_s"],
                MAX_SHARE,
                is_most=True,
            ),
            Goal(f"{at}: peak memory, MB", one["peak_mb"], MAX_MB, is_most=True),
        ]
        if "backtest" in one:
            judged.append(
                Goal(f"{at}: back-test over two years, s", one["backtest"]["seconds"], MAX_BACKTEST_S, is_most=True)
            )
    if len(found) > 1:
        growth = found[-1]["cycle"]["cycle_s"] / found[0]["cycle"]["cycle_s"]
        what = f"cycle at {found[-1]['tickets']:,}: × the time at {found[0]['tickets']:,}"
        judged.append(Goal(what, growth, MAX_GROWTH, is_most=True))
    return judged


if __name__ == "__main__":
    sys.exit(main())
