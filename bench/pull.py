"""How fast and how large a pull is, beside the client libraries and a loop written by hand on the same pages.

``python -m bench.pull [--json FILE] [--quick]``. Each case runs in a process of its own against a server of its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from connectors.sandbox.testing import running_sandbox

SMALL, LARGE = 100_000, 1_000_000
ROUNDS = 3
TITLES = {
    "ours": "Regelkreis, end to end into the warehouse",
    "by_hand": "decode → Arrow → DuckDB by hand",
    "pysnow_stream": "pysnow, stream=True",
    "issue_objects": "jira, Issue objects",
    "transfer": "bare transfer",
}


def measure(*, is_quick: bool) -> dict[str, Any]:
    """Rates of every case, and the resident memory of our pull at two sizes."""
    counts = {"ours": SMALL, "by_hand": SMALL, "transfer": SMALL, "pysnow_stream": 10_000, "issue_objects": 5_000}
    found: dict[str, Any] = {}
    with running_sandbox(platforms=("servicenow",), load_records=SMALL) as running:
        for name in ("ours", "by_hand", "transfer", "pysnow_stream"):
            found[f"servicenow.{name}"] = _best(f"servicenow.{name}", running.servicenow_url, counts[name])
    with _jira_pages(SMALL) as url:
        for name in ("ours", "by_hand", "transfer", "issue_objects"):
            found[f"jira.{name}"] = _best(f"jira.{name}", url, counts[name])
    if not is_quick:
        with running_sandbox(platforms=("servicenow",), load_records=LARGE) as running:
            found["servicenow.ours_1m"] = _run("servicenow.ours", running.servicenow_url, LARGE)
        with _jira_pages(LARGE) as url:
            found["jira.ours_1m"] = _run("jira.ours", url, LARGE)
    return found


def shown(found: dict[str, Any]) -> Table:
    """The figures as people read them."""
    table = Table(title="Pull")
    for title in ("platform", "what", "records", "records/s", "beside by hand", "peak memory"):
        table.add_column(title, justify="left" if title in ("platform", "what") else "right")
    for key, case in found.items():
        platform, _, name = key.partition(".")
        by_hand = found[f"{platform}.by_hand"]["per_second"]
        title = TITLES.get(name, f"{TITLES['ours']}, {LARGE:,}")
        table.add_row(
            platform,
            title,
            f"{case['records']:,}",
            f"{case['per_second']:,.0f}",
            f"{case['per_second'] / by_hand:.2f}",
            f"{case['peak_mb']:,.0f} MB",
        )
    return table


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.pull", description=__doc__)
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    parser.add_argument("--quick", action="store_true", help="leave the million out")
    options = parser.parse_args()
    found = measure(is_quick=options.quick)
    Console(width=140).print(shown(found))
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


def _best(name: str, url: str, count: int) -> dict[str, float]:
    """The best of some rounds: what disturbs a run only ever makes it slower."""
    return max((_run(name, url, count) for _ in range(ROUNDS)), key=lambda case: case["per_second"])


def _run(name: str, url: str, count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "bench.pull_cases", name, url, str(count), folder]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    case: dict[str, float] = json.loads(answer.splitlines()[-1])
    return {**case, "per_second": round(case["records"] / case["seconds"], 1)}


@contextmanager
def _jira_pages(count: int) -> Iterator[str]:
    with running_sandbox(platforms=("jira_cloud",)) as running:
        command = [sys.executable, "-m", "bench.page_server", running.jira_cloud_url, str(count)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            try:
                yield f"http://127.0.0.1:{int(server.stdout.readline())}"
            finally:
                server.terminate()


if __name__ == "__main__":
    main()
