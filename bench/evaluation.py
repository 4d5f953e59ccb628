"""Evaluation beside hand-written DuckDB SQL for the same numbers, and a double load that must change nothing.

``python -m bench.evaluation [--tickets N] [--json FILE]``: loads N tickets (default one million) with two clocks each,
surveys and contacts, twice; then evaluates the metrics by week, customer, country and service. Both sides run once
to warm up; the better of three runs counts. Each size runs in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.canonical import START_US, WEEKS, ZONES, batches
from bench.goals import Goal, print_goals
from bench.hand_sql import HAND_WRITTEN

AS_OF = datetime.fromtimestamp(START_US / 1e6 + WEEKS * 7 * 86_400, UTC)
LAST_WEEK = (START_US // 86_400_000_000 + 3) // 7 + WEEKS - 2
WINDOW_WEEKS = 104
ROUNDS = 3
BY = ("customer", "country", "service")
MAX_RATIO, MAX_MB, MAX_GROWTH = 1.5, 600, 1.15


def main() -> int:
    """Run, print, write; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    found = sizes(options.tickets)
    console = Console(width=140)
    for table in shown(found):
        console.print(table)
    judged = goals(found)
    print_goals(console, judged)
    if options.json is not None:
        figures = {"evaluation": found, "goals": [goal.as_dict() for goal in judged]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(goal.is_met for goal in judged) else 1


def sizes(tickets: int = 1_000_000) -> dict[str, Any]:
    """Every figure at a tenth of the tickets and at all of them."""
    found = {"small": _apart(max(tickets // 10, 1)), "full": _apart(tickets)}
    return {**found, "memory_growth": round(found["full"]["peak_mb"] / found["small"]["peak_mb"], 3)}


def measure(tickets: int, folder: Path) -> dict[str, Any]:
    """Load twice and evaluate; every figure of one size."""
    from workflows.warehouse import Warehouse

    with Warehouse.open(folder / "bench.duckdb") as warehouse:
        first = _load(warehouse, tickets)
        again = _load(warehouse, tickets)
        peak_loading = _peak_mb()
        metrics = _evaluate(warehouse)
    ours, theirs = (round(sum(row[side] for row in metrics.values()), 3) for side in ("ours_s", "hand_s"))
    return {
        "tickets": tickets,
        "load": first,
        "load_again": again,
        "peak_loading_mb": peak_loading,
        "peak_mb": _peak_mb(),
        "evaluation": metrics,
        "evaluation_s": ours,
        "hand_written_s": theirs,
        "ratio": round(ours / theirs, 3),
    }


def _load(warehouse: Any, tickets: int) -> dict[str, Any]:
    from workflows.warehouse import Zones

    seconds, counts = 0.0, {"read": 0, "new": 0, "changed": 0, "unchanged": 0}
    for kind, batch in batches(tickets):
        begin = time.perf_counter()
        report = warehouse.load(kind, batch, seen_at=AS_OF, zones=Zones(ZONES))
        seconds += time.perf_counter() - begin
        for name in counts:
            counts[name] += getattr(report, name)
    return {**counts, "seconds": round(seconds, 2), "records_per_s": round(counts["read"] / seconds)}


def _evaluate(warehouse: Any) -> dict[str, dict[str, Any]]:
    first = LAST_WEEK - WINDOW_WEEKS + 1
    bound = {"as_of": AS_OF.isoformat(), "first": first, "last": LAST_WEEK}
    results = {}
    for name, sql in HAND_WRITTEN.items():
        query = _query(name)
        ours = _timed(lambda query=query: warehouse.cells(query, as_of=AS_OF, first_week=first, last_week=LAST_WEEK))
        hand = _timed(lambda sql=sql: _by_hand(warehouse, sql, bound))
        results[name] = {
            "ours_s": ours[0],
            "hand_s": hand[0],
            "cells": ours[1].num_rows,
            "is_equal": _is_equal(ours[1], hand[1]),
        }
    return results


def _query(name: str) -> Any:
    from improvement.metrics import CellQuery, metric_named, where_from

    target = {"sla_breach_rate": "resolution", "time_to_respond": "response"}.get(name)
    where = {"kind": "incident"} | ({"sla.target": target} if target else {})
    return CellQuery(name, "bench", where=where_from(where), by=BY, tau_h=metric_named(name).tau_h)


def _by_hand(warehouse: Any, sql: str, bound: dict[str, Any]) -> Any:
    used = {key: value for key, value in bound.items() if f"${key}" in sql}
    return warehouse.arrow(sql, used)


def _timed(run: Any) -> tuple[float, Any]:
    run()
    best, result = float("inf"), None
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - begin)
    return round(best, 4), result


def _is_equal(ours: Any, hand: Any) -> bool:
    import numpy as np

    keys = [*BY, "week"]
    tables = [table.sort_by([(key, "ascending") for key in keys]) for table in (ours, hand)]
    if any(tables[0][key].to_pylist() != tables[1][key].to_pylist() for key in keys):
        return False
    sums = ("numerator", "denominator")
    return all(np.allclose(tables[0][name].to_numpy(), tables[1][name].to_numpy(), rtol=1e-9) for name in sums)


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _apart(tickets: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="regelkreis-bench-") as folder, context.Pool(1) as pool:
        return pool.apply(measure, (tickets, Path(folder)))


def shown(found: dict[str, Any]) -> list[Table]:
    """The figures as people read them."""
    loads = Table(title="Loading canonical records, and loading the same ones again")
    for title in ("tickets", "what", "records", "records/s", "new", "changed", "unchanged", "peak memory"):
        loads.add_column(title, justify="left" if title == "what" else "right")
    for size in ("small", "full"):
        for name in ("load", "load_again"):
            load = found[size][name]
            counts = [f"{load[count]:,}" for count in ("read", "records_per_s", "new", "changed", "unchanged")]
            loads.add_row(
                f"{found[size]['tickets']:,}", name.replace("_", " "), *counts, f"{found[size]['peak_mb']} MB"
            )
    full = found["full"]
    metrics = Table(title=f"Evaluation at {full['tickets']:,} tickets by week, customer, country and service")
    for title in ("metric", "ours", "by hand", "ratio", "cells", "same numbers"):
        metrics.add_column(title, justify="left" if title == "metric" else "right")
    for name, row in full["evaluation"].items():
        metrics.add_row(
            name,
            f"{row['ours_s'] * 1e3:.0f} ms",
            f"{row['hand_s'] * 1e3:.0f} ms",
            f"{row['ours_s'] / row['hand_s']:.2f}",
            f"{row['cells']:,}",
            "yes" if row["is_equal"] else "NO",
        )
    metrics.add_row(
        "all", f"{full['evaluation_s']:.3f} s", f"{full['hand_written_s']:.3f} s", f"{full['ratio']:.2f}", "", ""
    )
    return [loads, metrics]


def goals(found: dict[str, Any]) -> list[Goal]:
    """What these figures have to reach."""
    full, small = found["full"], found["small"]
    again = full["load_again"]
    different = sum(not row["is_equal"] for row in full["evaluation"].values())
    return [
        Goal("records that a second load changes", again["new"] + again["changed"], 0, is_most=True),
        Goal("metrics that differ from the SQL by hand", different, 0, is_most=True),
        Goal("evaluation: × DuckDB SQL by hand", full["ratio"], MAX_RATIO, is_most=True),
        Goal(f"load and evaluation: MB at {full['tickets']:,} tickets", full["peak_mb"], MAX_MB, is_most=True),
        Goal(
            f"load and evaluation: × the memory of {small['tickets']:,}",
            found["memory_growth"],
            MAX_GROWTH,
            is_most=True,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
