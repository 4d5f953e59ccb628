"""What passes find in the rows by which counts of one moment differ from those of a later one.

These are the rows that were noted since (noting.py), counted as of the earlier moment; and those that time moves
(timed.py), taken away as of the earlier moment and added as of the later one.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.signed import AT, PREFIX, SIGN, TO, Counting, Rows, Signed
from improvement.records import RecordKind
from workflows.warehouse.asking import table_of
from workflows.warehouse.noting import columns, notes_of
from workflows.warehouse.passes import Pass, on_connection
from workflows.warehouse.schema import DAYS, TABLE_OF, VIEWS
from workflows.warehouse.timed import Offsets, Timed

EPOCH, ANY_ZONE = datetime.fromtimestamp(0, UTC), timedelta(hours=16)  # no zone was ever further from UTC
_ROWS: dict[tuple[Signed, ...], tuple[str, tuple[dict[str | None, str], ...]]] = {}  # compiled, for any connection


@dataclass(frozen=True, slots=True)
class Moment:
    """As of when something was counted, up to which week, and the last note it had taken in."""

    as_of: datetime
    last_week: int
    upto: int

    @property
    def at(self) -> str:
        """SQL: the instant."""
        return _instant(self.as_of)

    @property
    def last_day(self) -> int:
        """The last week's Sunday, in days since 1970."""
        return self.last_week * 7 + 3


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """A pass, how it counts signed rows, and how it reads time."""

    asked: Pass
    signed: Signed
    timed: Timed


class Moved:
    """The rows that moved between two moments, and what passes find in them.

    They are fetched once a table, with all that any pass computes of a row, and counted here: thirty statements over a
    few thousand rows would take longer to plan than all else that a cycle counts.
    """

    def __init__(self, raw: Any, connection: str, before: Moment, now: Moment, passes: Sequence[Pass]) -> None:
        """Look them up, for these passes, which all end with the later moment's week and differ in their SQL.

        Do it in a transaction, so that all are of one state.
        """
        self._raw, self._connection, self._before, self._now = raw, connection, before, now
        self._counted: dict[str, list[pa.Table]] = {}
        known = [
            _Known(one, one.signed, timed)
            for one in passes
            if one.signed is not None and (timed := Timed.of(one.sql)) is not None
        ]
        for kind in dict.fromkeys(one.timed.kind for one in known):
            self._count(kind, [one for one in known if one.timed.kind is kind])

    def found(self, one: Pass) -> list[pa.Table]:
        """What a pass finds in them: to be added to what it found before."""
        return self._counted[one.sql]

    # --- inside -----------------------------------------------------------------------------------------------

    def _count(self, kind: RecordKind, known: Sequence[_Known]) -> None:
        sql, names = _rows_sql(known)
        own = dict(zip(known, names, strict=True))
        soon = self._soon(kind, known)
        groups = [(list(known), self._rows(kind, soon, [], has_notes=True))]
        for offsets in dict.fromkeys(one.timed.offsets for one in known if one.timed.offsets):
            maturing = [one for one in known if one.timed.offsets == offsets]
            groups.append((maturing, self._rows(kind, self._late(known, offsets), soon, has_notes=False)))
        for some, rows in groups:
            read = sorted({name for one in some for name in own[one].values()})
            first_day = min(one.asked.begins for one in some) * 7 - 3
            text = sql.replace(f'"{PREFIX}{TABLE_OF[kind]}"', f"({rows})")
            text = text.replace("GETVARIABLE('first_day')", f"{first_day}::BIGINT")
            is_counted = " OR ".join(sorted({own[one][None] for one in some}))
            counting = Counting(table_of(self._raw, f"SELECT {', '.join(read)} FROM ({text}) WHERE {is_counted}"))
            for one in some:
                net = counting.net(one.signed, own[one])
                net = net.filter(pc.greater_equal(net["week"], one.asked.begins))
                self._counted.setdefault(one.asked.sql, []).append(net)

    def _rows(self, kind: RecordKind, met: Sequence[str], but_not: Sequence[str], *, has_notes: bool) -> str:
        """SQL: signed rows as passes read them: those that meet a condition at both moments, and what was noted."""
        table, own = TABLE_OF[kind], ", ".join(f'"{column}"' for column in columns(kind))
        sides = ((-1, self._before), (1, self._now))
        moments = ", ".join(f"({sign}, {one.at}, {one.last_day})" for sign, one in sides)
        unless = f" AND NOT {self._among(table, but_not)}" if but_not else ""
        rows = [
            f"SELECT {own}, {SIGN}, {AT}, {TO} FROM (FROM {table} WHERE {self._among(table, met)}{unless}), "
            f"(VALUES {moments}) AS s({SIGN}, {AT}, {TO})"
        ]
        if has_notes:
            before = self._before
            rows.append(
                f"SELECT {own}, {SIGN}, {before.at} AS {AT}, {before.last_day} AS {TO} FROM {notes_of(kind)} "
                f"WHERE connection = {self._name} AND no > {before.upto} AND no <= {self._now.upto}"
            )
        return VIEWS[f"live_{table}"].replace(f" FROM {table} ", f" FROM ({' UNION ALL '.join(rows)}) AS {table} ")

    def _soon(self, kind: RecordKind, known: Sequence[_Known]) -> list[str]:
        """Conditions: an instant came between the moments, or its day is one of those that were added.

        Each instant by itself, so that scans skip what lies outside; with its day in any zone, which halves the scans
        for a few records more. Whoever is the same at both moments is taken away and added again.
        """
        spans = {
            name: [self._before.as_of, self._now.as_of]
            for one in known
            for name, late in one.timed.instants
            if not late
        }
        if self._before.last_week < self._now.last_week:
            begin, end = (EPOCH + timedelta(days=one.last_day + 1) for one in (self._before, self._now))
            for name in {DAYS[kind][day] for one in known for day in one.timed.days}:
                since, until = spans.get(name, [begin, end])
                spans[name] = [min(since, begin - ANY_ZONE), max(until, end + ANY_ZONE)]
        return [_between(name, since, until) for name, (since, until) in sorted(spans.items())]

    def _late(self, known: Sequence[_Known], offsets: Offsets) -> list[str]:
        """Conditions: an instant came to be so long ago between the moments."""
        instants = {pair for one in known for pair in one.timed.instants if pair[1] in offsets}
        return [
            _between(name, *(one.as_of - timedelta(seconds=seconds) for one in (self._before, self._now)))
            for name, seconds in sorted(instants)
        ]

    @property
    def _name(self) -> str:
        """SQL: the connection."""
        return "'" + self._connection.replace("'", "''") + "'"

    def _among(self, table: str, met: Sequence[str]) -> str:
        parts = " UNION ".join(f"SELECT rowid FROM {table} WHERE connection = {self._name} AND {one}" for one in met)
        return f"rowid IN ({parts})" if met else "false"


def _instant(at: datetime) -> str:
    """SQL: an instant."""
    return f"TIMESTAMPTZ '{at.astimezone(UTC).isoformat()}'"


def _between(name: str, since: datetime, until: datetime) -> str:
    """SQL: whether an instant lies after one moment and not after another."""
    return f'"{name}" > {_instant(since)} AND "{name}" <= {_instant(until)}'


def _rows_sql(known: Sequence[_Known]) -> tuple[str, tuple[dict[str | None, str], ...]]:
    """What passes compute of each row, as one statement; and what they call it."""
    some = tuple(one.signed for one in known)
    if some not in _ROWS:
        rows = Rows.of(some)
        _ROWS[some] = (str(ibis.to_sql(rows.expression, dialect="duckdb", pretty=False)), rows.names)
    sql, names = _ROWS[some]
    return on_connection(sql, known[0].asked.connection), names
