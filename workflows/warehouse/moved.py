"""What passes find in the rows by which counts of one moment differ from those of a later one.

These are the rows that were noted since (noting.py), counted as of the earlier moment; and those that time moves
(timed.py), taken away as of the earlier moment and added as of the later one. What only counts once it is old enough
is kept by the span of hours in which it will (improvement/metrics/counts.py): of these rows only those are looked up
that are of the span the later moment stands in.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ibis

from improvement.metrics.counting import Counting
from improvement.metrics.counts import Counts
from improvement.metrics.signed import AT, PREFIX, SIGN, SPAN_S, TO, Rows, Signed
from improvement.records import RecordKind
from workflows.warehouse.asking import tables_of
from workflows.warehouse.noting import columns, notes_of
from workflows.warehouse.passes import Pass, on_connection
from workflows.warehouse.schema import DAYS, TABLE_OF, VIEWS
from workflows.warehouse.timed import Timed

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

        Do it while nobody writes (transactions.py), so that all are of one state.
        """
        self._connection, self._before, self._now = connection, before, now
        self._counted: dict[str, Counts] = {}
        known = [
            _Known(one, one.signed, timed)
            for one in passes
            if one.signed is not None and (timed := Timed.of(one.sql)) is not None
        ]
        by_kind: defaultdict[RecordKind, list[_Known]] = defaultdict(list)
        for one in known:
            by_kind[one.timed.kind].append(one)
        groups = list(by_kind.items())
        for place, rows in tables_of(raw, [self._text(kind, of_kind) for kind, of_kind in groups]):
            of_kind = groups[place][1]
            counting, (_, names) = Counting(rows), _rows_sql(of_kind)
            for one, own in zip(of_kind, names, strict=True):
                self._counted[one.asked.sql] = counting.net(one.signed, own).since(one.asked.begins)

    def brought(self, one: Pass, kept: Counts) -> Counts:
        """What a pass found at the earlier moment, as it is at the later one."""
        counts = kept.plus(self._counted[one.sql])
        matures = one.signed.matures if one.signed is not None else None
        return counts.matured(self._span(matures[1])) if matures is not None else counts

    # --- inside -----------------------------------------------------------------------------------------------

    def _text(self, kind: RecordKind, known: Sequence[_Known]) -> str:
        """SQL: the rows of one kind that any of these passes counts, with all that they compute of them."""
        sql, names = _rows_sql(known)
        read = sorted({name for of in names for name in of.values()})
        is_counted = " OR ".join(sorted({str(of[None]) for of in names}))
        first_day = min(one.asked.begins for one in known) * 7 - 3
        text = sql.replace(f'"{PREFIX}{TABLE_OF[kind]}"', f"({self._rows(kind, self._moving(kind, known))})")
        text = text.replace("GETVARIABLE('first_day')", f"{first_day}::BIGINT")
        return f"SELECT {', '.join(read)} FROM ({text}) WHERE {is_counted}"

    def _rows(self, kind: RecordKind, moving: Sequence[str]) -> str:
        """SQL: signed rows as passes read them: those that time moves at both moments, and what was noted."""
        table, own = TABLE_OF[kind], ", ".join(f'"{column}"' for column in columns(kind))
        before, now = self._before, self._now
        moments = ", ".join(f"({sign}, {one.at}, {one.last_day})" for sign, one in ((-1, before), (1, now)))
        rows = (
            f"SELECT {own}, {SIGN}, {AT}, {TO} FROM (FROM {table} WHERE {self._among(table, moving)}), "
            f"(VALUES {moments}) AS s({SIGN}, {AT}, {TO}) UNION ALL "
            f"SELECT {own}, {SIGN}, {before.at} AS {AT}, {before.last_day} AS {TO} FROM {notes_of(kind)} "
            f"WHERE connection = {self._name} AND no > {before.upto} AND no <= {now.upto}"
        )
        return VIEWS[f"live_{table}"].replace(f" FROM {table} ", f" FROM ({rows}) AS {table} ")

    def _moving(self, kind: RecordKind, known: Sequence[_Known]) -> list[str]:
        """Conditions: an instant came between the moments, or its day is one of those that were added, or it came to
        be old enough in the span that the later moment stands in.

        Each instant by itself, so that scans skip what lies outside. Whoever is the same at both moments is taken away
        and added again.
        """
        before, now = self._before, self._now
        pairs = {pair for one in known for pair in one.timed.instants}
        days = {DAYS[kind][day]: day for one in known for day in one.timed.days}
        met = []
        for name in sorted({name for name, _ in pairs} | set(days)):
            ages = sorted(age for instant, age in pairs if instant == name)
            met += [_between(name, self._span_begins(age), now.as_of - timedelta(seconds=age)) for age in ages if age]
            begins, is_met = [], []
            if 0 in ages:
                begins.append(before.as_of)
                is_met.append(f'"{name}" > {before.at}')
            if name in days and before.last_week < now.last_week:
                begins.append(EPOCH + timedelta(days=before.last_day + 1) - ANY_ZONE)
                is_met.append(f'"{days[name]}" > {before.last_day}')
            if begins:  # what is later than both moments is the same at both
                met.append(f'"{name}" > {_instant(min(begins))} AND ({" OR ".join(is_met)})')
        return met

    def _span(self, age: int) -> int:
        """The number of the span of what is so old now."""
        return int((self._now.as_of - EPOCH - timedelta(seconds=age)).total_seconds() // SPAN_S)

    def _span_begins(self, age: int) -> datetime:
        """The last instant before it, or what was so old at the earlier moment."""
        begins = EPOCH + timedelta(seconds=self._span(age) * SPAN_S) - timedelta(microseconds=1)
        return max(begins, self._before.as_of - timedelta(seconds=age))

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
