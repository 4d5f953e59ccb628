"""How fast and how large a pull is, beside the client libraries and a loop written by hand on the same pages.

``python -m bench.pull [--json FILE] [--quick]``. Each case runs in a process of its own; the cases of a platform take
turns, so that what disturbs the machine meets them all; the fastest round and the highest peak of each count. 1 when
a goal is missed.
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

from bench.goals import Goal, print_goals
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import running_sandbox

SMALL, LARGE = 100_000, 1_000_000
ROUNDS = 3
FLAVOURS: dict[str, Flavour] = {"servicenow": "servicenow", "jira": "jira_cloud"}
TITLES = {
    "ours": "Regelkreis, end to end",
    "ours_1m": f"Regelkreis, end to end, {LARGE:,}",
    "by_hand": "decode → Arrow → DuckDB by hand",
    "transfer": "bare transfer",
    "pysnow_stream": "pysnow, stream=True",
    "pysnow_buffered": "pysnow, buffered",
    "pysnc": "PySNC, GlideRecord",
    "issue_objects": "jira, Issue objects",
}
COUNTS = {
    "pysnow_stream": 20_000,
    "pysnc": 20_000,
    "issue_objects": 10_200,  # whole minutes of load mode's issues
}  # the slow ones
CASES = {
    "servicenow": ("ours", "by_hand", "transfer", "pysnow_stream", "pysnow_buffered", "pysnc"),
    "jira": ("ours", "by_hand", "transfer", "issue_objects"),
}
MIN_RATE = {"servicenow": 20_000, "jira": 8_000}  # tickets a second
MIN_OF_HAND, AIM_OF_HAND = 0.5, 0.7
AIM_OF_PEER = {"servicenow": ("pysnow_stream", 10), "jira": ("issue_objects", 5)}
MAX_MB, MAX_GROWTH = 600, 1.15


def measure(*, is_quick: bool) -> dict[str, Any]:
    """Rates of every case at 100 000 tickets, and our own pull of a million."""
    found: dict[str, Any] = {}
    for platform, flavour in FLAVOURS.items():
        with running_sandbox(platforms=(flavour,), load_records=SMALL) as running:
            found |= _in_turns(platform, running.urls[flavour])
        if not is_quick:
            with running_sandbox(platforms=(flavour,), load_records=LARGE) as running:
                found[f"{platform}.ours_1m"] = _run(f"{platform}.ours", running.urls[flavour], LARGE)
    return found


def shown(found: dict[str, Any]) -> Table:
    """The figures as people read them."""
    table = Table(title="Pull: tickets end to end into the warehouse, beside other ways to read the same pages")
    for title in ("platform", "what", "tickets", "tickets/s", "CPU s per 100 000", "× by hand", "peak memory"):
        table.add_column(title, justify="left" if title in ("platform", "what") else "right")
    for key, case in found.items():
        platform, _, name = key.partition(".")
        table.add_row(
            platform,
            TITLES[name],
            f"{case['records']:,}",
            f"{case['per_second']:,.0f}",
            f"{case['cpu_seconds'] / case['records'] * 100_000:.2f}",
            f"{case['per_second'] / found[f'{platform}.by_hand']['per_second']:.2f}",
            f"{case['peak_mb']:,.0f} MB",
        )
    return table


def goals(found: dict[str, Any]) -> list[Goal]:
    """What these figures have to reach."""
    judged = []
    for platform, least in MIN_RATE.items():
        ours, by_hand = found[f"{platform}.ours"], found[f"{platform}.by_hand"]["per_second"]
        peer, times = AIM_OF_PEER[platform]
        other = found[f"{platform}.{peer}"]["per_second"]
        judged += [
            Goal(f"{platform}: tickets/s", ours["per_second"], least),
            Goal(f"{platform}: × the loop by hand", ours["per_second"] / by_hand, MIN_OF_HAND),
            Goal(f"{platform}: × the loop by hand", ours["per_second"] / by_hand, AIM_OF_HAND, is_aim=True),
            Goal(f"{platform}: × {TITLES[peer]}", ours["per_second"] / other, times, is_aim=True),
        ]
        large = found.get(f"{platform}.ours_1m")
        if large is not None:
            judged += [
                Goal(f"{platform}: × {TITLES[peer]}, a million", large["per_second"] / other, times, is_aim=True),
                Goal(f"{platform}: MB at a million tickets", large["peak_mb"], MAX_MB, is_most=True),
                Goal(
                    f"{platform}: × the memory of 100 000", large["peak_mb"] / ours["peak_mb"], MAX_GROWTH, is_most=True
                ),
            ]
    return judged


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.pull", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--quick", action="store_true", help="leave the million out")
    options = parser.parse_args()
    found = measure(is_quick=options.quick)
    console = Console(width=140)
    console.print(shown(found))
    judged = goals(found)
    print_goals(console, judged)
    if options.json is not None:
        figures = {"pull": found, "goals": [goal.as_dict() for goal in judged]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if all(goal.is_met or goal.is_aim for goal in judged) else 1


def _in_turns(platform: str, url: str) -> dict[str, Any]:
    best: dict[str, Any] = {}
    for _ in range(ROUNDS):
        for name in CASES[platform]:
            case = _run(f"{platform}.{name}", url, COUNTS.get(name, SMALL))
            key = f"{platform}.{name}"
            peak = max(case["peak_mb"], best[key]["peak_mb"] if key in best else 0)
            if key not in best or case["per_second"] > best[key]["per_second"]:
                best[key] = case
            best[key]["peak_mb"] = peak
    return best


def _run(name: str, url: str, count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "bench.pull_cases", name, url, str(count), folder]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    case: dict[str, float] = json.loads(answer.splitlines()[-1])
    if case["records"] != count:
        raise RuntimeError(f"{name} read {case['records']:,.0f} of {count:,} records")
    return {**case, "per_second": round(case["records"] / case["seconds"], 1)}


if __name__ == "__main__":
    sys.exit(main())
