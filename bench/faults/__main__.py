"""Print the matrix; end with 1 where a cell is red. ``--only TEXT`` runs the traps whose name has it."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

import structlog

from bench.faults.flowing import flow_cell
from bench.faults.pulling import pull_cell
from bench.faults.traps import EVERYWHERE, FLOW, MOVE, PULL, WRITE
from bench.faults.writing import move_cell, write_cell
from connectors.sandbox.plugin import Flavour

Cells = dict[tuple[str, str], dict[Flavour, str]]


def main() -> None:
    """Run every cell and show it."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--only", default="", help="traps whose name contains this")
    parser.add_argument("--json", type=Path, help="write the cells to this file too")
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    cells = run(asked.only)
    wrong = [
        f"{way} · {name} · {flavour}: {text}"
        for (way, name), row in cells.items()
        for flavour, text in row.items()
        if text
    ]
    print(f"\n{sum(map(len, cells.values()))} cells, {len(wrong)} red")
    for line in wrong:
        print(f"  {line}")
    if asked.json is not None:
        shown = [{"way": way, "trap": name, "cells": row} for (way, name), row in cells.items()]
        asked.json.write_text(json.dumps(shown, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    sys.exit(1 if wrong else 0)


def run(only: str = "") -> Cells:
    """Every cell's text, "" where it is green; a line is printed as soon as it is known."""
    cells: Cells = {}
    print(f"{'':42}" + "".join(f"{flavour:>12}" for flavour in EVERYWHERE), flush=True)
    for trap in PULL:
        if only in trap.name:
            _show(cells, "pull", trap.name, {flavour: pull_cell(trap, flavour) for flavour in trap.on})
    for write in WRITE:
        if only in write.name:
            _show(cells, "write", write.name, {flavour: write_cell(write, flavour) for flavour in write.on})
    for move in MOVE:
        if only in move.name:
            _show(cells, "move", move.name, {flavour: move_cell(move, flavour) for flavour in move.on})
    for flow in FLOW:
        if only in flow.name:
            _show(cells, "flow", flow.name, {flavour: flow_cell(flow, flavour) for flavour in flow.on})
    return cells


def _show(cells: Cells, way: str, name: str, found: dict[Flavour, str]) -> None:
    row = cells.setdefault((way, name), {})
    row |= found
    marks = ("–" if flavour not in row else "RED" if row[flavour] else "ok" for flavour in EVERYWHERE)
    print(f"{way:6}{name:36}" + "".join(f"{mark:>12}" for mark in marks), flush=True)


if __name__ == "__main__":
    main()
