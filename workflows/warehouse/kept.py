"""Counts that are kept from one cycle to the next, and brought up to date by the rows that moved between them.

They stand in the warehouse by the digest of what they depend on beside records and moment: the SQL that gave them, the
zones, the file's version, and how many weeks before the moment they end. So what is counted otherwise (another rule,
zone, choice about metrics, version) is counted afresh, and so is what cannot be told from another pass. What a pass
finds now is what it found then, less what the rows that went or moved had added, plus what those that came or moved
add: whole numbers, so nothing is left of either (improvement/metrics/signed.py). It costs what moved, not what stands.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from improvement import weeks
from improvement.metrics.coded import Scopes
from improvement.metrics.counts import Counts
from improvement.metrics.signed import Signed
from workflows.warehouse import noting
from workflows.warehouse.asking import rows_of
from workflows.warehouse.moved import Moment, Moved
from workflows.warehouse.passes import Pass
from workflows.warehouse.schema import fingerprint
from workflows.warehouse.transactions import transaction

KEPT_WEEKS = 2  # what no cycle asked for this long goes with the next cycle of any connection
PACKED = "blocks"  # how they are written down: what stands otherwise is of a version before, and not asked for
MARK = ""  # the digest of what stands for counts that are about to be kept

Count = Callable[[Pass, int], pa.Table]  # everything from a week on
_Way = tuple[Moment, int]  # since when what is kept moved, and up to which week it is brought


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
        by_digest: defaultdict[str, list[Pass]] = defaultdict(list)
        for one in passes:
            by_digest[self._digest(salt, one)].append(one)
        self._digests = {id(of[0]): digest for digest, of in by_digest.items() if len(of) == 1}
        self._new: list[tuple[Pass, Counts]] = []
        self._in_full: set[int] = set()
        self._scopes: dict[Any, Scopes] = {}
        self._moved: dict[_Way, Moved] = {}
        with transaction(raw):
            kept = self._all_kept()
            if not kept:
                self._mark()
            self._upto = noting.last(raw, connection)
            self._kept: dict[int, _Kept] = {}
            by_way: defaultdict[_Way, list[Pass]] = defaultdict(list)
            for one in passes:
                found = kept.get(self._digests[id(one)]) if id(one) in self._digests else None
                if found is not None and self._is_usable(found, one):
                    self._kept[id(one)] = found
                    by_way[found.moment, one.last_week].append(one)
            for (moment, last_week), of_way in by_way.items():
                now = Moment(as_of, last_week, self._upto)
                self._moved[moment, last_week] = Moved(raw, connection, moment, now, of_way)

    def found(self, one: Pass, signed: Signed, count: Count) -> Counts:
        """What a pass finds: what is kept, brought up to date; counted in full where nothing is."""
        kept = self._kept.get(id(one))
        if kept is None:
            found = one.cut(Counts.of(count(one, one.begins), signed))
            self._in_full.add(id(one))
        else:
            counts = one.cut(Counts.unpacked(kept.packed, signed.keys, self._scopes))
            found = self._moved[kept.moment, one.last_week].brought(one, counts)
        if id(one) in self._digests:
            self._new.append((one, found))
        return found.counting()

    def save(self) -> None:
        """Keep what was found, in one transaction; not what was counted in full while records were written."""
        with transaction(self._raw):
            mine = "SELECT 1 FROM kept_counts WHERE connection = $connection LIMIT 1"
            if not rows_of(self._raw, mine, {"connection": self._connection}):
                return  # what was noted meanwhile was too much to go on with, and is forgotten
            is_quiet = not self._in_full or noting.last(self._raw, self._connection) == self._upto
            new = [(one, found) for one, found in self._new if is_quiet or id(one) not in self._in_full]
            if new:
                self._write(new)

    # --- inside -----------------------------------------------------------------------------------------------

    def _digest(self, salt: str, one: Pass) -> str:
        lag = weeks.week_of(self._as_of.date()) - one.last_week
        return hashlib.sha256(f"{salt}{lag} {one.sql}".encode()).hexdigest()

    def _write(self, new: Sequence[tuple[Pass, Counts]]) -> None:
        rows = pa.table(
            {
                "connection": [self._connection] * len(new),
                "digest": [self._digests[id(one)] for one, _ in new],
                "as_of": [self._as_of.isoformat()] * len(new),
                "first_week": [one.first_week for one, _ in new],
                "last_week": [one.last_week for one, _ in new],
                "upto": pa.array([self._upto] * len(new), pa.int64()),
                "cells": pa.array([found.packed() for _, found in new], pa.binary()),
            }
        )
        self._raw.register("kept_now", rows)
        try:
            self._raw.execute(
                "DELETE FROM kept_counts WHERE connection = $connection "
                "AND (digest IN (SELECT digest FROM kept_now) OR digest = $mark)",
                {"connection": self._connection, "mark": MARK},
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
        return moment.as_of <= self._as_of and kept.first_week <= one.first_week and moment.last_week <= one.last_week


def let_go(raw: Any, as_of: datetime) -> None:
    """What no cycle asked for in some weeks goes, of any connection; with the last of it what was noted."""
    old = {"old": (as_of - timedelta(weeks=KEPT_WEEKS)).isoformat()}
    among = "FROM kept_counts WHERE as_of < $old::TIMESTAMPTZ"
    if rows_of(raw, f"SELECT 1 {among} LIMIT 1", old):
        with transaction(raw):
            raw.execute(f"DELETE {among}", old)
            if not noting.is_on(raw):
                noting.clear(raw)


def _salt(raw: Any) -> str:
    """What counts depend on beside records and SQL."""
    zones = rows_of(raw, "SELECT country, zone FROM zones ORDER BY ALL")
    return f"{fingerprint()}{zones!r}{PACKED}"
