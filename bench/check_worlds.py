"""How often the check says *improved* where the truth is known, beside what people use instead.

``python -m bench.check_worlds [--worlds N] [--seed N] [--processes N] [--only TEXT] [--json FILE]``. Prints each row
with its Wilson interval, its bound and whether the point estimate meets it; ends with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.check_rows import COLUMNS, ROWS, Row
from bench.worlds import AFTER_WEEKS, World, make
from improvement.check import CheckPlan, CheckResult, Direction, Goal, Windows, compute_look

WORLDS, COMPETITOR_WORLDS = 1000, 200
CHUNK = 25
OWN = "this check"
#: family, direction, unit, goal of each simulated metric
MEASURED = {
    "breach": ("proportion", Direction.LOWER, "share", "-30%"),
    "count": ("count", Direction.LOWER, "tickets", "-30%"),
    "time": ("time", Direction.LOWER, "h", "-30%"),
    "csat": ("score", Direction.HIGHER, "points", "+0.25"),
}


@dataclass(frozen=True, slots=True)
class Task:
    """Some worlds of one row; ``is_ours`` asks the check, else the competitors."""

    row: Row
    chunk: int
    size: int
    seed: int
    is_ours: bool


@dataclass(slots=True)
class Tally:
    """What was said in the worlds of a row."""

    row: Row
    said: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    worlds: int = 0

    def add(self, other: Tally) -> None:
        """Count another chunk in."""
        self.said += other.said
        self.reasons += other.reasons
        self.worlds += other.worlds

    def share(self, what: str) -> tuple[float, float, float]:
        """A share with its 95 % Wilson interval."""
        from statsmodels.stats.proportion import proportion_confint

        low, high = proportion_confint(self.said[what], self.worlds, method="wilson")
        return self.said[what] / self.worlds, float(low), float(high)

    def as_dict(self) -> dict[str, Any]:
        """The row as plain JSON values."""
        share, low, high = self.share("improved")
        return {
            "title": self.row.title,
            "metric": self.row.metric,
            "history_weeks": self.row.history,
            "has_effect": self.row.has_effect,
            "worlds": self.worlds,
            "improved": share,
            "low": low,
            "high": high,
            "at_most": self.row.at_most,
            "at_least": self.row.at_least,
            "passed": self.row.is_met(share),
            "said": dict(self.said),
            "reasons": dict(self.reasons),
        }


def checked(world: World) -> CheckResult:
    """What the check says at the last look."""
    family, direction, unit, goal = MEASURED[world.metric]
    first, last = world.trigger
    plan = CheckPlan(
        action="A-1",
        metric=world.metric,
        family=family,  # type: ignore[arg-type]
        direction=direction,
        unit=unit,
        windows=Windows((first - 52, first - 1), world.trigger, (last + 1, world.after_from - 1), world.after_from),
        goal=Goal.parse(goal),
        controls=tuple(world.controls),
    )
    end = world.after_from + AFTER_WEEKS - 1
    return compute_look(plan, world.scope, world.controls, look=AFTER_WEEKS, kind="final", last_week=end)


def worlds_of(task: Task) -> Iterator[World]:
    """The worlds of a task in which the rule fired; the same whatever process draws them."""
    found = 0
    for number in count():
        world = make(
            task.row.metric,
            task.row.variant,
            history=task.row.history,
            has_effect=task.row.has_effect,
            seed=(task.seed, task.chunk, number),
        )
        if world is not None:
            yield world
            found += 1
        if found == task.size:
            return


def run(task: Task) -> tuple[Task, Tally]:
    """Draw the worlds of a task and ask."""
    tally = Tally(task.row)
    for world in worlds_of(task):
        tally.worlds += 1
        if task.is_ours:
            result = checked(world)
            tally.said[result.verdict.value] += 1
            tally.reasons[f"{result.verdict.value}: {result.reason}"] += 1
        else:
            from bench.competitors import COMPETITORS, weeks_of

            weeks = weeks_of(world)
            tally.said.update(name for name, says in COMPETITORS.items() if says(weeks))
    return task, tally


def simulate(tasks: list[Task], processes: int) -> tuple[dict[str, Tally], dict[str, Tally]]:
    """Run all tasks; tallies of the check and of the competitors by the row's title."""
    ours: dict[str, Tally] = {}
    theirs: dict[str, Tally] = {}
    begin = time.monotonic()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"  # read when a worker imports numpy: many tiny fits gain nothing from threads
    with get_context("spawn").Pool(processes) as pool:
        for done, (task, tally) in enumerate(pool.imap_unordered(run, tasks), start=1):
            found = ours if task.is_ours else theirs
            found.setdefault(task.row.title, Tally(task.row)).add(tally)
            if sys.stderr.isatty() or done % 100 == 0 or done == len(tasks):
                end = "\r" if sys.stderr.isatty() else "\n"
                print(f"{done}/{len(tasks)} chunks, {time.monotonic() - begin:.0f} s", end=end, file=sys.stderr)
    return ours, theirs


def tasks_for(rows: tuple[Row, ...], worlds: int, seed: int, *, is_ours: bool) -> list[Task]:
    """The work in chunks small enough to keep both processes busy to the end."""
    return [
        Task(row, chunk, min(CHUNK, worlds - chunk * CHUNK), seed, is_ours)
        for row in rows
        for chunk in range(-(-worlds // CHUNK))
    ]


def bounds_table(tallies: dict[str, Tally]) -> Table:
    """The check's rows with their bounds."""
    table = Table(title="The check in simulated worlds: share of “improved”, 95 % Wilson interval")
    for title in ("worlds", "improved", "interval", "or not attributable", "worse", "bound", ""):
        table.add_column(title, justify="left" if title == "worlds" else "right")
    for tally in tallies.values():
        share, low, high = tally.share("improved")
        found = share + tally.share("improved, not attributable")[0]
        is_bounded = tally.row.at_most is not None or tally.row.at_least is not None
        mark = ("pass" if tally.row.is_met(share) else "MISSED") if is_bounded else ""
        table.add_row(
            tally.row.title,
            f"{share:.1%}",
            f"{low:.1%} – {high:.1%}",
            f"{found:.1%}",
            f"{tally.share('worse')[0]:.1%}",
            tally.row.bound,
            mark,
        )
    return table


def competitors_table(ours: dict[str, Tally], theirs: dict[str, Tally]) -> Table:
    """What people use, and the check, in the same kinds of world."""
    from bench.competitors import COMPETITORS

    titles = [row.title for row in COLUMNS if row.title in theirs]
    worlds = max((tally.worlds for tally in theirs.values()), default=0)
    table = Table(title=f"What people use: share of “improved” in {worlds} worlds, 95 % Wilson interval")
    table.add_column("method")
    for title in titles:
        table.add_column(title, justify="right")
    for name in COMPETITORS:
        table.add_row(name, *(_cell(theirs[title], name) for title in titles))
    table.add_row(OWN, *(_cell(ours[title], "improved") if title in ours else "" for title in titles))
    return table


def _cell(tally: Tally, what: str) -> str:
    share, low, high = tally.share(what)
    return f"{share:.1%} ({low:.0%}–{high:.0%})"


def report(options: argparse.Namespace) -> bool:
    """Simulate, print, write; whether every bound was met."""
    begin = time.monotonic()
    rows = tuple(row for row in ROWS if options.only in row.title)
    columns = tuple(row for row in COLUMNS if options.only in row.title)
    tasks = tasks_for(rows, options.worlds, options.seed, is_ours=True)
    tasks += tasks_for(columns, min(options.worlds, COMPETITOR_WORLDS), options.seed, is_ours=False)
    found, theirs = simulate(tasks, options.processes)
    ours = {row.title: found[row.title] for row in rows}
    missed = [title for title, tally in ours.items() if not tally.row.is_met(tally.share("improved")[0])]
    seconds = round(time.monotonic() - begin, 1)
    console = Console(width=170)
    console.print(bounds_table(ours))
    if theirs:
        console.print(competitors_table(ours, theirs))
    console.print(f"{sum(tally.worlds for tally in ours.values()):,} checks, seed {options.seed}, {seconds:.0f} s.")
    console.print(f"Missed: {'; '.join(missed)}" if missed else "Every bound is met.")
    if options.json is not None:
        document = {
            "seed": options.seed,
            "seconds": seconds,
            "passed": not missed,
            "rows": [tally.as_dict() for tally in ours.values()],
            "competitors": _competitors(theirs),
        }
        options.json.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return not missed


def _competitors(theirs: dict[str, Tally]) -> list[dict[str, Any]]:
    from bench.competitors import COMPETITORS

    return [
        {
            "method": name,
            "title": tally.row.title,
            "worlds": tally.worlds,
            **dict(zip(("improved", "low", "high"), tally.share(name), strict=True)),
        }
        for name in COMPETITORS
        for tally in theirs.values()
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.check_worlds", description=__doc__)
    parser.add_argument("--worlds", type=int, default=WORLDS, help=f"worlds a row ({WORLDS})")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", default="", help="only rows whose title holds this text")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    options = parser.parse_args()
    if options.worlds < 1 or options.processes < 1:
        parser.error("--worlds and --processes must be at least 1")
    sys.exit(0 if report(options) else 1)


if __name__ == "__main__":
    main()
