"""Print the matrix; end with 1 where a cell is red. ``--only TEXT`` runs the traps whose name has it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from bench.faults.deleting import DELETED, KILLED, RESTORED, deleted_cells, killed_cells
from bench.faults.desks import Desks
from bench.faults.flow_traps import FLOW
from bench.faults.flowing import flow_cell
from bench.faults.jira_flowing import APPROVALS, FLOWS, jira_flow_cell
from bench.faults.killing import IN_EFFECT, INDEXED, MOMENTS, Killers, kill_cells
from bench.faults.kinds import TABLES
from bench.faults.pulling import pull_cell, quieten
from bench.faults.pulling_processes import PULLED, process_cell
from bench.faults.together import TOGETHER
from bench.faults.traps import EVERYWHERE, JIRA, PULL, SERVICENOW, PullTrap
from bench.faults.two_at_once import MEETINGS, ON_POSTGRESQL, two_cells
from bench.faults.write_traps import WRITE
from bench.faults.writing import write_cells
from connectors.sandbox.plugin import Flavour
from tests.postgresql_server import NOT_INSTALLED, running_server, server_programs

Row = dict[Flavour, dict[str, str]]  # of each platform the cells by name: what is written, or ""
Cells = dict[tuple[str, str], Row]
BESIDE = 2  # processes that pull while this one writes
FALLBACKS = tuple(mode for mode in TABLES if mode != "cim")


def main() -> None:
    """Run every cell and show it."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--only", default="", help="traps whose name contains this")
    parser.add_argument("--json", type=Path, help="write the cells to this file too")
    asked = parser.parse_args()
    quieten()
    cells = run(asked.only)
    texts = {
        f"{way} · {trap} · {flavour}{kind and f' · {kind}'}": text
        for (way, trap), row in cells.items()
        for flavour, found in row.items()
        for kind, text in found.items()
    }
    wrong = {cell: text for cell, text in texts.items() if text}
    print(f"\n{len(texts)} cells, {len(wrong)} red")
    for cell, text in wrong.items():
        print(f"  {cell}: {text}")
    if asked.json is not None:
        shown = [{"way": way, "trap": trap, "cells": row} for (way, trap), row in cells.items()]
        asked.json.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(1 if wrong or not texts else 0)


def run(only: str = "") -> Cells:
    """Every cell's text, "" where it is green; a line is printed as soon as it is known."""
    cells: Cells = {}
    print(f"{'':54}" + "".join(f"{flavour:>12}" for flavour in EVERYWHERE), flush=True)
    with Desks() as desks, Killers(desks) as killers:
        for way, trap, row in _rows(desks, killers, only):
            cells.setdefault((way, trap), {}).update(row)
            marks = (_mark(row[flavour]) if row.get(flavour) else "–" for flavour in EVERYWHERE)
            print(f"{way:10}{trap:44}" + "".join(f"{mark:>12}" for mark in marks), flush=True)
    return cells


def _rows(desks: Desks, killers: Killers, only: str) -> Iterator[tuple[str, str, Row]]:
    """Pulls have sandboxes of their own: other processes make them meanwhile."""
    with ProcessPoolExecutor(BESIDE, get_context("spawn"), quieten) as beside:
        pulls = [pull for pull in (*PULL, *TOGETHER) if only in pull.name]
        cells = [(pull, {on: beside.submit(pull_cell, pull, on) for on in pull.on}) for pull in pulls]
        yield from _written(desks, killers, only)
        yield from _pulled(cells)


def _written(desks: Desks, killers: Killers, only: str) -> Iterator[tuple[str, str, Row]]:
    for write in WRITE:
        if only in write.name:
            yield "write", write.name, {flavour: write_cells(write, desks, flavour) for flavour in write.on}
    for mode in FALLBACKS:
        for write in WRITE:
            if only in write.name and write.is_for_fallbacks():
                yield mode, write.name, {"servicenow": write_cells(write, desks, "servicenow", mode)}
    for moment in DELETED:
        if only in moment:
            on = SERVICENOW if moment == RESTORED else EVERYWHERE
            yield "deleted", moment, {flavour: deleted_cells(moment, desks, flavour) for flavour in on}
    for mode in FALLBACKS:
        for moment in DELETED:
            if only in moment:
                yield mode, moment, {"servicenow": deleted_cells(moment, desks, "servicenow", mode)}
    at_servicenow = {trap.name: trap for trap in FLOW}
    for name in dict.fromkeys([*at_servicenow, *APPROVALS, *FLOWS]):
        if only in name:
            row: Row = {"servicenow": {"": flow_cell(at_servicenow[name], desks)}} if name in at_servicenow else {}
            if name in APPROVALS or name in FLOWS:
                row |= {flavour: {"": jira_flow_cell(name, desks, flavour)} for flavour in JIRA}
            yield "flow", name, row
    for moment in MOMENTS:
        if only in moment:
            on = JIRA if moment in INDEXED else EVERYWHERE
            yield "kill −9", moment, {flavour: kill_cells(moment, desks, killers, flavour) for flavour in on}
    if only in KILLED:
        yield "deleted", KILLED, {flavour: killed_cells(desks, killers, flavour) for flavour in EVERYWHERE}
    for meeting in MEETINGS:
        if only in meeting:
            with _home(meeting, desks, killers) as home:
                if home is not None:
                    yield "two", meeting, {flavour: two_cells(meeting, desks, home, flavour) for flavour in EVERYWHERE}
    for moment in PULLED:
        if only in moment:
            yield (
                "pull",
                moment,
                {flavour: {"": process_cell(moment, desks, killers, flavour)} for flavour in EVERYWHERE},
            )
    for mode in FALLBACKS:
        if only in IN_EFFECT:
            yield (
                mode,
                f"kill −9: {IN_EFFECT}",
                {"servicenow": kill_cells(IN_EFFECT, desks, killers, "servicenow", mode)},
            )


def _pulled(cells: list[tuple[PullTrap, dict[Flavour, Future[str]]]]) -> Iterator[tuple[str, str, Row]]:
    for pull, found in cells:
        yield "pull", pull.name, {flavour: {"": cell.result()} for flavour, cell in found.items()}


@contextmanager
def _home(meeting: str, desks: Desks, killers: Killers) -> Iterator[Killers | None]:
    """Whence two deliver; None, and that is said, where there is no PostgreSQL to share."""
    if meeting != ON_POSTGRESQL:
        yield killers
        return
    programs = server_programs()
    if programs is None:
        print(f"two       {meeting}: not run. {NOT_INSTALLED}", flush=True)
        yield None
        return
    with running_server(programs) as server, Killers(desks, server.new_database()) as home:
        yield home


def _mark(found: dict[str, str]) -> str:
    red = sum(map(bool, found.values()))
    if red:
        return f"RED {red}/{len(found)}" if len(found) > 1 else "RED"
    return f"{len(found)} ok" if len(found) > 1 else "ok"


if __name__ == "__main__":
    main()
