"""The floors of the house: the contracts know every room, and the domain knows no clock."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOMAIN = ROOT / "improvement"
OPEN_TO_CONNECTORS = {"records", "errors"}
CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter", "localtime", "gmtime"}


def rooms() -> set[str]:
    """The rooms of the domain: its files and folders."""
    files = {path.stem for path in DOMAIN.glob("*.py")} - {"__init__"}
    return files | {path.parent.name for path in DOMAIN.glob("*/__init__.py")}


def test_connectors_are_kept_out_of_every_other_room_of_the_domain() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (contract,) = (one for one in contracts if one.get("source_modules") == ["connectors"])
    forbidden = {name.removeprefix("improvement.") for name in contract["forbidden_modules"] if "improvement" in name}
    assert forbidden == rooms() - OPEN_TO_CONNECTORS


@pytest.mark.parametrize("file", sorted(DOMAIN.rglob("*.py")), ids=lambda path: str(path.relative_to(DOMAIN)))
def test_the_domain_asks_no_clock(file: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    asked = [
        ast.unparse(call)
        for call in calls
        if isinstance(call, ast.Attribute)
        and call.attr in CLOCKS
        and ast.unparse(call.value) in ("datetime", "date", "time", "datetime.datetime", "datetime.date")
    ]
    assert asked == []
