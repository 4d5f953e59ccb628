"""What is noted of records that come, go and change, so that counts can be brought up to date by these alone.

Beside each table that shared passes read stands one of the same columns: a row that went (``sign`` −1, as it was) and
one that came (+1, as it is), numbered in the order in which they were written, in the transaction that wrote them. It
is kept only while counts are (kept.py), and thrown away up to where all of them are, once there is much of it.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from improvement.records import RecordKind
from workflows.warehouse.asking import number_of, rows_of
from workflows.warehouse.schema import TABLE_OF, columns_of

NOTED = (RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY)
TEXTS = frozenset({"number", "title", "sla_name", "row_hash", "created_at", "updated_at"})  # nothing is counted by them
LEAST, MOST = 100_000, 0.2  # rows, and share of a table: where more was noted, counting everything is as quick


def columns(kind: RecordKind) -> list[str]:
    """The columns that are noted."""
    return [name for name in columns_of(kind) if name not in TEXTS]


def notes_of(kind: RecordKind) -> str:
    """The table beside a table."""
    return f"noted_{TABLE_OF[kind]}"


def begin(raw: Any) -> None:
    """Make the tables that are missing."""
    raw.execute("CREATE SEQUENCE IF NOT EXISTS notes")
    for kind in NOTED:
        types = columns_of(kind)
        own = ", ".join(f'"{name}" {types[name]}' for name in columns(kind))
        raw.execute(
            f"CREATE TABLE IF NOT EXISTS {notes_of(kind)} ({own}, sign BIGINT, no BIGINT DEFAULT nextval('notes'))"
        )


def is_on(raw: Any) -> bool:
    """Whether counts are kept, of any connection: most installations keep none, and every load asks."""
    return bool(rows_of(raw, "SELECT 1 FROM kept_counts LIMIT 1"))


def note(raw: Any, kind: RecordKind, sign: int, rows: str, values: Mapping[str, str] | None = None) -> None:
    """Note rows that come or go; ``rows``: the SQL that gives them, with the table's columns. Ask first: is it on?"""
    if kind not in NOTED:
        return
    table, named = notes_of(kind), ", ".join(f'"{name}"' for name in columns(kind))
    raw.execute(f"INSERT INTO {table} BY NAME SELECT {named}, {sign} AS sign FROM ({rows})", values)
    if _number(raw, table) > LEAST:
        trim(raw)
        if _number(raw, table) > max(LEAST, MOST * _number(raw, TABLE_OF[kind])):
            forget(raw)


def _number(raw: Any, table: str) -> int:
    return number_of(raw, f"SELECT count(*) FROM {table}")


def last(raw: Any, connection: str) -> int:
    """The number of the last note about a connection."""
    parts = " UNION ALL ".join(f"SELECT max(no) AS no FROM {notes_of(kind)} WHERE connection = $c" for kind in NOTED)
    return number_of(raw, f"SELECT coalesce(max(no), 0) FROM ({parts})", {"c": connection})


def trim(raw: Any) -> None:
    """Throw away what all counts that are kept have taken in."""
    for kind in NOTED:
        raw.execute(
            f"DELETE FROM {notes_of(kind)} n WHERE NOT EXISTS "
            "(FROM kept_counts k WHERE k.connection = n.connection AND k.upto < n.no)"
        )


def forget(raw: Any) -> None:
    """Keep nothing any more: what is counted next is counted in full."""
    if is_on(raw):
        raw.execute("DELETE FROM kept_counts")
        clear(raw)


def clear(raw: Any) -> None:
    """Throw away all notes."""
    for kind in NOTED:
        raw.execute(f"DELETE FROM {notes_of(kind)}")
