"""How often each connection's records were written: an older file, put back from a backup, has a smaller number.

The number moves on in the transaction that writes, and the state remembers the last one it knows of
(workflows/steps/lost_warehouse.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workflows.warehouse.asking import rows_of
from workflows.warehouse.transactions import transaction

NUMBERS = "write_numbers (connection VARCHAR, number BIGINT)"


def last(raw: Any, connection: str) -> int:
    """The number of the last write of a connection's records; 0 where there was none."""
    found = rows_of(raw, "SELECT number FROM write_numbers WHERE connection = ?", [connection])
    return int(found[0][0]) if found else 0


def move_on(raw: Any, connections: Sequence[str]) -> dict[str, int]:
    """The next number of each, to be taken in the transaction that writes."""
    moved = "UPDATE write_numbers SET number = number + 1 WHERE list_contains(?, connection) RETURNING *"
    numbers = dict(rows_of(raw, moved, [list(connections)]))
    for name in connections:
        if name not in numbers:
            raw.execute("INSERT INTO write_numbers VALUES (?, 1)", [name])
            numbers[name] = 1
    return numbers


def go_on_from(raw: Any, connection: str, number: int) -> None:
    """Let the next write have a number greater than this."""
    with transaction(raw):
        raw.execute("DELETE FROM write_numbers WHERE connection = ?", [connection])
        raw.execute("INSERT INTO write_numbers VALUES (?, ?)", [connection, number])
