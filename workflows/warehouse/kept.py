"""Counts that are kept from one cycle to the next: only the weeks that something touched since are counted again.

They stand in the warehouse by the digest of the SQL that gave them, so what is counted otherwise (another rule, zone,
choice about metrics, version) is counted afresh. Only the newest cycle's are kept, and they are given up when a record
is loaded as seen no later than they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from workflows.warehouse.asking import rows_of
from workflows.warehouse.passes import EARLIEST, Pass
from workflows.warehouse.schema import fingerprint
from workflows.warehouse.touched import Reads, Touched, moving_from, runs
from workflows.warehouse.transactions import transaction

KEPT_WEEKS = 8  # what no cycle asked for this long is thrown away
MOST = 0.5  # where more of the weeks were touched, all are counted again

Count = Callable[[Pass, int, int], pa.Table]  # over these weeks, both included


@dataclass(frozen=True, slots=True)
class _Kept:
    as_of: datetime
    first_week: int
    last_week: int
    had_orphans: bool
    packed: bytes


class KeptCells:
    """What is kept of one connection, for one cycle."""

    def __init__(self, raw: Any, connection: str, *, as_of: datetime) -> None:
        self._raw, self._connection, self._as_of = raw, connection, as_of
        self._salt = _salt(raw)
        self._kept = self._all_kept()
        self._touched: dict[tuple[datetime, bool], Touched] = {}
        self._new: list[tuple[str, Pass, int, pa.Table]] = []

    def found(self, one: Pass, count: Count) -> pa.Table:
        """What a pass finds: of weeks that nothing touched what is kept, the others counted now."""
        digest = hashlib.sha256((self._salt + one.sql).encode()).hexdigest()
        first = EARLIEST if one.is_level else one.first_week
        kept = self._kept.get(digest)
        stale = None if kept is None else self._stale(kept, one, first)
        if kept is None or stale is None:
            found = count(one, first, one.last_week)
        else:
            found = self._merged(kept, one, stale, count)
        self._new.append((digest, one, first, found))
        return found

    def save(self) -> None:
        """Keep what was found, in one transaction."""
        if not self._new:
            return
        orphans = bool(
            rows_of(
                self._raw,
                "SELECT 1 WHERE EXISTS (FROM slas WHERE ticket_kind IS NULL AND connection = $connection) "
                "OR EXISTS (FROM surveys WHERE ticket_kind IS NULL AND ticket_id IS NOT NULL "
                "AND connection = $connection)",
                {"connection": self._connection},
            )
        )
        at = self._as_of.isoformat()
        rows = pa.table(
            {
                "connection": [self._connection] * len(self._new),
                "digest": [digest for digest, *_ in self._new],
                "as_of": [at] * len(self._new),
                "first_week": [first for _, _, first, _ in self._new],
                "last_week": [one.last_week for _, one, _, _ in self._new],
                "had_orphans": [orphans] * len(self._new),
                "cells": pa.array([_packed(found) for *_, found in self._new], pa.binary()),
            }
        )
        self._raw.register("kept_now", rows)
        try:
            with transaction(self._raw):
                self._raw.execute(
                    "DELETE FROM kept_cells WHERE connection = $connection "
                    "AND (digest IN (SELECT digest FROM kept_now) OR as_of < $old::TIMESTAMPTZ)",
                    {
                        "connection": self._connection,
                        "old": (self._as_of - timedelta(weeks=KEPT_WEEKS)).isoformat(),
                    },
                )
                self._raw.execute(
                    "INSERT INTO kept_cells BY NAME SELECT * REPLACE (as_of::TIMESTAMPTZ AS as_of) FROM kept_now"
                )
        finally:
            self._raw.unregister("kept_now")

    # --- inside -----------------------------------------------------------------------------------------------

    def _all_kept(self) -> dict[str, _Kept]:
        """What cycles before this moment kept, by digest."""
        rows = rows_of(
            self._raw,
            "SELECT digest, epoch_us(as_of), first_week, last_week, had_orphans, cells FROM kept_cells "
            "WHERE connection = $connection AND as_of <= $at::TIMESTAMPTZ",
            {"connection": self._connection, "at": self._as_of.isoformat()},
        )
        begin = datetime.fromtimestamp(0, UTC)
        return {digest: _Kept(begin + timedelta(microseconds=at_us), *more) for digest, at_us, *more in rows}

    def _stale(self, kept: _Kept, one: Pass, first: int) -> set[int] | None:
        """The weeks to count again; None: all of them."""
        if kept.first_week > first or kept.last_week > one.last_week:
            return None
        key = (kept.as_of, kept.had_orphans)
        if key not in self._touched:
            self._touched[key] = Touched(self._raw, self._connection, kept.as_of, kept.had_orphans)
        stale = self._touched[key].weeks(Reads.of(one.sql, is_restricted=one.is_restricted))
        moving = min(moving_from(kept.as_of, one.tau_h), kept.last_week + 1)
        stale = {week for week in stale if first <= week <= one.last_week} | set(range(moving, one.last_week + 1))
        # A level counted from the start reads all of the past: whatever was touched is less.
        is_most = not one.is_level and len(stale) > MOST * (one.last_week - one.first_week + 1)
        return None if is_most else stale

    def _merged(self, kept: _Kept, one: Pass, stale: set[int], count: Count) -> pa.Table:
        cells = _unpacked(kept.packed)
        week = cells["week"]
        is_kept = pc.invert(pc.is_in(week, value_set=pa.array(sorted(stale), pa.int64())))
        if not one.is_level:
            is_kept = pc.and_(is_kept, pc.greater_equal(week, one.first_week))
        parts = [cells.filter(is_kept)]
        for first, last in runs(stale):
            parts.append(count(one, first, last).cast(cells.schema))
        return pa.concat_tables(parts)


def forget(raw: Any, seen_at: datetime, connections: str, values: Sequence[str] = ()) -> None:
    """Records of these connections are written as seen at a moment: what is kept of them since then is not true."""
    if not rows_of(raw, "SELECT 1 FROM kept_cells LIMIT 1"):  # most installations keep none, and every load asks
        return
    raw.execute(
        f"DELETE FROM kept_cells WHERE as_of >= ?::TIMESTAMPTZ AND connection IN ({connections})",  # noqa: S608
        [seen_at.isoformat(), *values],
    )


def _salt(raw: Any) -> str:
    """What counts depend on beside records and SQL."""
    zones = rows_of(raw, "SELECT country, zone FROM zones ORDER BY ALL")
    return f"{fingerprint()}{zones!r}"


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    columns = [
        column.dictionary_encode() if pa.types.is_string(column.type) else column for column in table.itercolumns()
    ]
    packed = pa.table(columns, names=table.column_names).unify_dictionaries().combine_chunks()
    with pa.ipc.new_stream(sink, packed.schema) as writer:
        writer.write_table(packed)
    return bytes(sink.getvalue())


def _unpacked(cells: bytes) -> pa.Table:
    found = pa.ipc.open_stream(cells).read_all()
    plain = [pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in found.schema]
    return found.cast(pa.schema(plain))
