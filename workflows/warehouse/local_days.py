"""What is computed at load and kept as columns: local days, and what tickets lend to their SLA rows and surveys.

An engine that truncates in UTC, or drops a timestamp's zone, can then still count weeks where people live.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from typing import Any

from improvement.records import SCHEMAS, RecordKind
from workflows.warehouse import noting
from workflows.warehouse.asking import number_of, rows_of
from workflows.warehouse.schema import BORROWERS, DAYS, LENT, TABLE_OF, WALL_CLOCKS, derived, set_mark
from workflows.warehouse.transactions import transaction

PIECE_ROWS = 245_760  # two of DuckDB's row groups
ROOM = "1GB"


def day_of(instant: str, zone: str) -> str:
    """SQL: days since 1970-01-01 of a UTC column's local date."""
    return f"CAST(date_diff('day', DATE '1970-01-01', CAST(timezone({zone}, \"{instant}\") AS DATE)) AS BIGINT)"


def local_columns(kind: RecordKind, zone: str) -> dict[str, str]:
    """Columns that depend on the zone, and the SQL they are computed by."""
    clocks = WALL_CLOCKS.get(kind, {})
    return {day: day_of(instant, zone) for day, instant in DAYS[kind].items()} | {
        name: f'epoch_us(timezone({zone}, "{instant}")) // 1000000' for name, instant in clocks.items()
    }


def derive_all(raw: Any) -> None:
    """Compute every derived column again, the local days from the zones that hold now.

    Piece by piece, each a transaction, and with more memory than usual, because every row meets its ticket; then the
    file is marked as current. Broken off, it begins again when the file is opened next.
    """
    with transaction(raw):
        noting.forget(raw)
    usual = rows_of(raw, "SELECT current_setting('memory_limit')")[0][0]
    raw.execute(f"SET memory_limit = '{ROOM}'")
    try:
        _derive_pieces(raw)
    finally:
        raw.execute(f"SET memory_limit = '{usual}'")


def _derive_pieces(raw: Any) -> None:
    for kind, table in TABLE_OF.items():
        end = number_of(raw, f"SELECT coalesce(max(rowid), -1) + 1 FROM {table}")
        for first in range(0, end, PIECE_ROWS):
            piece = f"rowid >= {first} AND rowid < {first + PIECE_ROWS}"
            with transaction(raw):
                sets = ", ".join(f"{name} = {sql}" for name, sql in derived(kind).items())
                if sets:
                    raw.execute(f"UPDATE {table} SET {sets} WHERE {piece}")
            with transaction(raw):
                _recompute(raw, kind, f"WHERE a.{piece.replace(' AND ', ' AND a.')}")
    with transaction(raw):
        set_mark(raw)


def refresh_lent(raw: Any, *, only_orphans: bool = False) -> None:
    """Lend again to the SLA rows and surveys whose ticket is in the table ``moved`` (key_hash).

    ``only_orphans``: to those that had no ticket so far.
    """
    if _is_empty(raw, "moved"):
        return
    for kind in BORROWERS:
        whose = "ticket_kind IS NULL AND " if only_orphans else ""
        raw.execute(
            f"CREATE OR REPLACE TEMP TABLE borrowing AS SELECT rowid AS was_row FROM {TABLE_OF[kind]} "
            f"WHERE {whose}ticket_hash IN (SELECT key_hash FROM moved)"
        )
        if not _is_empty(raw, "borrowing"):
            rows = f"FROM {TABLE_OF[kind]} WHERE rowid IN (SELECT was_row FROM borrowing)"
            is_noted = noting.is_on(raw)
            if is_noted:
                noting.note(raw, kind, -1, rows)
            _recompute(raw, kind, "WHERE a.rowid IN (SELECT was_row FROM borrowing)")
            if is_noted:
                noting.note(raw, kind, 1, rows)
        raw.execute("DROP TABLE temp.borrowing")


def _is_empty(raw: Any, table: str) -> bool:
    return not raw.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()


def _recompute(raw: Any, kind: RecordKind, only: str) -> None:
    table = TABLE_OF[kind]
    borrows = kind in BORROWERS
    ticket = "LEFT JOIN tickets t ON t.connection = a.connection AND t.id = a.ticket_id" if borrows else ""
    own = "a.country" if "country" in SCHEMAS[kind].names else "NULL"
    country = f"coalesce({own}, t.country)" if borrows else own
    zoned = (
        f"SELECT a.rowid AS was_row, coalesce(z.zone, d.zone) AS zone{lent_columns(kind)} "
        f"FROM {table} a {ticket} LEFT JOIN zones z ON z.country = {country} "
        f"CROSS JOIN (SELECT zone FROM zones WHERE country = '') d {only}"
    )
    sets = [f"{name} = {sql}" for name, sql in local_columns(kind, "now.zone").items()]
    sets += [f"{name} = now.{name}" for name in LENT if borrows]
    raw.execute(f"UPDATE {table} SET {', '.join(sets)} FROM ({zoned}) now WHERE {table}.rowid = now.was_row")


def lent_columns(kind: RecordKind) -> str:
    """SQL: what the ticket ``t`` lends to a row of this kind, as further columns."""
    return "".join(f", {sql} AS {name}" for name, (_, sql) in LENT.items()) if kind in BORROWERS else ""
