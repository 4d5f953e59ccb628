"""Counts that are kept from one cycle to the next, and brought up to date by the rows that moved between them.

They stand in the warehouse by the digest of the SQL that gave them, so what is counted otherwise (another rule, zone,
choice about metrics, version) is counted afresh. What a pass finds now is what it found then, less what the rows that
went or moved had added, plus what those that came or moved add: whole numbers, so nothing is left of either
(improvement/metrics/signed.py). It costs what moved, not what stands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.signed import added, netted
from workflows.warehouse import noting
from workflows.warehouse.asking import rows_of
from workflows.warehouse.moved import Moment, Moved
from workflows.warehouse.passes import Pass
from workflows.warehouse.schema import fingerprint
from workflows.warehouse.transactions import transaction

KEPT_WEEKS = 2  # what no cycle asked for this long is thrown away, and with it what was noted for it
MARK = ""  # the digest of what stands for counts that are about to be kept

Count = Callable[[Pass, int], pa.Table]  # everything from a week on


@dataclass(frozen=True, slots=True)
class _Kept:
    moment: Moment
    first_week: int
    packed: bytes


class KeptCells:
    """What is kept of one connection, for one cycle."""

    def __init__(self, raw: Any, connection: str, passes: Sequence[Pass], *, as_of: datetime) -> None:
        """Look up what moved since, of one state of the file."""
        self._raw, self._connection, self._as_of = raw, connection, as_of
        salt = _salt(raw)
        self._digests = {one.sql: hashlib.sha256((salt + one.sql).encode()).hexdigest() for one in passes}
        self._new: list[tuple[Pass, pa.Table]] = []
        self._in_full: set[str] = set()
        self._moved: dict[Moment, Moved] = {}
        with transaction(raw):
            kept = self._all_kept()
            if not kept:
                self._mark()
            self._upto = noting.last(raw, connection)
            self._kept = {
                one.sql: found
                for one in passes
                if (found := kept.get(self._digests[one.sql])) is not None and self._is_usable(found, one)
            }
            for moment in dict.fromkeys(found.moment for found in self._kept.values()):
                of_moment = [one for one in passes if one.sql in self._kept and self._kept[one.sql].moment == moment]
                now = Moment(as_of, of_moment[0].last_week, self._upto)
                self._moved[moment] = Moved(raw, connection, moment, now, of_moment)

    def found(self, one: Pass, count: Count) -> pa.Table:
        """What a pass finds: what is kept, brought up to date; counted in full where nothing is."""
        kept = self._kept.get(one.sql)
        if kept is None:
            found = netted(count(one, one.begins))
            self._in_full.add(one.sql)
        else:
            cells = _unpacked(kept.packed)
            if kept.first_week < one.begins:
                cells = cells.filter(pc.greater_equal(cells["week"], one.first_week))
            found = added(cells, self._moved[kept.moment].found(one))
        self._new.append((one, found))
        return found

    def save(self) -> None:
        """Keep what was found, in one transaction; not what was counted in full while records were written."""
        with transaction(self._raw):
            mine = "SELECT 1 FROM kept_counts WHERE connection = $connection LIMIT 1"
            if not rows_of(self._raw, mine, {"connection": self._connection}):
                return  # what was noted meanwhile was too much to go on with, and is forgotten
            is_quiet = noting.last(self._raw, self._connection) == self._upto
            new = [(one, found) for one, found in self._new if is_quiet or one.sql not in self._in_full]
            if new:
                self._write(new)
                noting.trim(self._raw)

    # --- inside -----------------------------------------------------------------------------------------------

    def _write(self, new: Sequence[tuple[Pass, pa.Table]]) -> None:
        rows = pa.table(
            {
                "connection": [self._connection] * len(new),
                "digest": [self._digests[one.sql] for one, _ in new],
                "as_of": [self._as_of.isoformat()] * len(new),
                "first_week": [one.begins for one, _ in new],
                "last_week": [one.last_week for one, _ in new],
                "upto": pa.array([self._upto] * len(new), pa.int64()),
                "cells": pa.array([_packed(found) for _, found in new], pa.binary()),
            }
        )
        self._raw.register("kept_now", rows)
        try:
            self._raw.execute(
                "DELETE FROM kept_counts WHERE connection = $connection AND (digest IN (SELECT digest FROM kept_now) "
                "OR digest = $mark OR as_of < $old::TIMESTAMPTZ)",
                {
                    "connection": self._connection,
                    "mark": MARK,
                    "old": (self._as_of - timedelta(weeks=KEPT_WEEKS)).isoformat(),
                },
            )
            self._raw.execute(
                "INSERT INTO kept_counts BY NAME SELECT * REPLACE (as_of::TIMESTAMPTZ AS as_of) FROM kept_now"
            )
        finally:
            self._raw.unregister("kept_now")

    def _mark(self) -> None:
        """From now on what is written is noted: what is about to be counted must not miss it."""
        noting.begin(self._raw)
        self._raw.execute(
            "INSERT INTO kept_counts BY NAME SELECT $connection AS connection, $mark AS digest, "
            "$at::TIMESTAMPTZ AS as_of, $upto AS upto",
            {
                "connection": self._connection,
                "mark": MARK,
                "at": self._as_of.isoformat(),
                "upto": noting.last(self._raw, self._connection),
            },
        )

    def _all_kept(self) -> dict[str, _Kept]:
        """What is kept, by digest."""
        rows = rows_of(
            self._raw,
            "SELECT digest, epoch_us(as_of), last_week, upto, first_week, cells FROM kept_counts "
            "WHERE connection = $connection",
            {"connection": self._connection},
        )
        begin = datetime.fromtimestamp(0, UTC)
        return {
            digest: _Kept(Moment(begin + timedelta(microseconds=at_us), last_week, upto), *more)
            for digest, at_us, last_week, upto, *more in rows
        }

    def _is_usable(self, kept: _Kept, one: Pass) -> bool:
        """Whether it can be brought up to date: it begins no later, and is of no later moment."""
        moment = kept.moment
        return moment.as_of <= self._as_of and kept.first_week <= one.begins and moment.last_week <= one.last_week


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
