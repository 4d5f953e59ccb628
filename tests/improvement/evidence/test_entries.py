"""The list of the ledger's entry types is that of the code, and the reference page is that of the list."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from improvement.evidence.entries import SAYS, every_type, page

ROOT = Path(__file__).parents[3]
LISTED = ROOT / "improvement" / "evidence" / "entries.py"


def literals() -> set[str]:
    """Every text in the code besides the list itself."""
    files = [*(ROOT / "workflows").rglob("*.py"), *(ROOT / "improvement").rglob("*.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files if file != LISTED]
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {node.value for node in nodes if isinstance(node.value, str)}


def appended() -> Iterator[str]:
    """The types that are written as literals where an entry is appended."""
    for file in [*(ROOT / "workflows").rglob("*.py"), *(ROOT / "improvement").rglob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                name = ast.unparse(node.func)
                if name in ("ledger.append", "Entry") and isinstance(node.args[0].value, str):
                    yield node.args[0].value


def test_every_type_is_explained_and_used() -> None:
    assert set(SAYS) == every_type()
    assert every_type() <= literals(), "a type that nobody writes any more"


def test_every_entry_that_is_appended_is_of_a_known_type() -> None:
    found = set(appended())
    assert len(found) > 40
    assert found <= every_type(), "add it to improvement/evidence/entries.py and run `make reference`"


def test_the_page_is_the_list() -> None:
    there = (ROOT / "docs" / "reference" / "ledger-entries.md").read_text(encoding="utf-8")
    assert there == page(), "run `make reference`"
