"""The rows by which counts of one moment differ from those of a later one: noted ones, and those that time moves.

A record moves by the passing of time alone where an instant that is compared with the moment (or with a time τ before
it) lies between the two, or its day is one of the days that were added. Which these are is read from the SQL of the
passes: so a metric that compares another instant tomorrow is brought up to date by it, with nothing to remember here,
and one that does something else with the moment is not kept at all.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from improvement.metrics.signed import AT, PREFIX, SIGN, TO
from improvement.records import RecordKind
from workflows.warehouse.noting import NOTED, columns, notes_of
from workflows.warehouse.schema import TABLE_OF, VIEWS

_BY_AT = re.compile(rf'"(\w+)" <= (?:"t\d+"\."{AT}"|\("t\d+"\."{AT}" - INTERVAL \'(\d+)\' SECOND\))')
_BY_TO = re.compile(rf'"(\w+)" <= "t\d+"\."{TO}"')
_COLUMN, _MADE = re.compile(r'"t\d+"\."(\w+)"'), re.compile(r"week|c\d+")  # what statements name
KIND_OF = {TABLE_OF[kind]: kind for kind in NOTED}
Offsets = frozenset[int]  # seconds


@dataclass(frozen=True, slots=True)
class Timed:
    """How a pass reads time: of which table, which instants with which τ (seconds, 0: none), and which days."""

    kind: RecordKind
    instants: frozenset[tuple[str, int]]
    days: frozenset[str]

    @classmethod
    def of(cls, sql: str) -> Timed | None:
        """Read from a statement over signed rows; None where it does more than compare with the moment."""
        found, days = _BY_AT.findall(sql), _BY_TO.findall(sql)
        if len(found) != sql.count(f'"{AT}"') or len(days) != sql.count(f'"{TO}"'):
            return None
        table = next(name for name in KIND_OF if f'"{PREFIX}{name}"' in sql)
        instants = frozenset((name, int(seconds or 0)) for name, seconds in found)
        return cls(KIND_OF[table], instants, frozenset(days))

    @property
    def offsets(self) -> Offsets:
        """The τ it compares with."""
        return frozenset(seconds for _, seconds in self.instants if seconds)


@dataclass(frozen=True, slots=True)
class Moment:
    """As of when something was counted, up to which week, and the last note it had taken in."""

    as_of: datetime
    last_week: int
    upto: int

    @property
    def at(self) -> str:
        """SQL: the instant."""
        return f"TIMESTAMPTZ '{self.as_of.astimezone(UTC).isoformat()}'"

    @property
    def last_day(self) -> int:
        """The last week's Sunday, in days since 1970."""
        return self.last_week * 7 + 3


class Moved:
    """The rows that moved between two moments, in temporary tables, as passes over signed rows read them."""

    def __init__(self, raw: Any, connection: str, before: Moment, now: Moment, passes: Sequence[str]) -> None:
        """Look them up, for these passes. Do it in a transaction, so that all are of one state."""
        self._raw, self._connection, self._before, self._now = raw, connection, before, now
        self._tables: dict[tuple[RecordKind, Offsets], str] = {}
        self._read: dict[RecordKind, str] = {}
        timed = {sql: one for sql in passes if (one := Timed.of(sql)) is not None}
        for kind in dict.fromkeys(one.kind for one in timed.values()):
            of_kind = [one for one in timed.values() if one.kind is kind]
            self._read[kind] = _read_by(sql for sql, one in timed.items() if one.kind is kind)
            soon = self._due({pair for one in of_kind for pair in one.instants if not pair[1]})
            soon += self._added({day for one in of_kind for day in one.days})
            self._make(kind, frozenset(), soon, but_not=[], has_notes=True)
            for offsets in dict.fromkeys(one.offsets for one in of_kind if one.offsets):
                late = self._due({pair for one in of_kind for pair in one.instants if pair[1] in offsets})
                self._make(kind, offsets, late, but_not=soon, has_notes=False)

    def read_by(self, sql: str) -> str:
        """A statement over signed rows, made to read those that moved."""
        timed = Timed.of(sql)
        if timed is None:
            raise ValueError("only what compares with the moment can be brought up to date")
        names = [self._tables[timed.kind, frozenset()]]
        if timed.offsets:
            names.append(self._tables[timed.kind, timed.offsets])
        rows = names[0] if len(names) == 1 else f"({' UNION ALL '.join(f'FROM {name}' for name in names)})"
        return sql.replace(f'"{PREFIX}{TABLE_OF[timed.kind]}"', rows)

    # --- inside -----------------------------------------------------------------------------------------------

    def _due(self, instants: Iterable[tuple[str, int]]) -> list[str]:
        """Conditions: an instant came between the moments. Each by itself, so that scans skip what lies outside."""
        found = []
        for name, seconds in sorted(instants):
            since, until = (f"{one.at} - INTERVAL {seconds} SECOND" for one in (self._before, self._now))
            found.append(f'"{name}" > {since} AND "{name}" <= {until}')
        return found

    def _added(self, days: Iterable[str]) -> list[str]:
        """Conditions: a day is one of those that were added."""
        since, until = self._before.last_day, self._now.last_day
        return [f'"{name}" > {since} AND "{name}" <= {until}' for name in sorted(days) if since < until]

    def _make(
        self, kind: RecordKind, offsets: Offsets, met: Sequence[str], *, but_not: Sequence[str], has_notes: bool
    ) -> None:
        table, name = TABLE_OF[kind], f"moved_{TABLE_OF[kind]}_{self._before.upto}_{len(self._tables)}"
        own = ", ".join(f'"{column}"' for column in columns(kind))
        sides = ((-1, self._before), (1, self._now))
        moments = ", ".join(f"({sign}, {one.at}, {one.last_day})" for sign, one in sides)
        rows = [
            f"SELECT {own}, {SIGN}, {AT}, {TO} FROM (FROM {table} WHERE {self._among(table, met)}"
            f"{f' AND NOT {self._among(table, but_not)}' if but_not else ''}), "
            f"(VALUES {moments}) AS s({SIGN}, {AT}, {TO})"
        ]
        if has_notes:
            before = self._before
            rows.append(
                f"SELECT {own}, {SIGN}, {before.at} AS {AT}, {before.last_day} AS {TO} FROM {notes_of(kind)} "
                f"WHERE connection = {self._name} AND no > {before.upto} AND no <= {self._now.upto}"
            )
        live = VIEWS[f"live_{table}"].replace(f" FROM {table} ", f" FROM ({' UNION ALL '.join(rows)}) AS {table} ")
        self._raw.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {self._read[kind]} FROM ({live})")
        self._tables[kind, offsets] = name

    @property
    def _name(self) -> str:
        """SQL: the connection."""
        return "'" + self._connection.replace("'", "''") + "'"

    def _among(self, table: str, met: Sequence[str]) -> str:
        parts = " UNION ".join(f"SELECT rowid FROM {table} WHERE connection = {self._name} AND {one}" for one in met)
        return f"rowid IN ({parts})" if met else "false"


def _read_by(statements: Iterable[str]) -> str:
    """SQL: the columns that statements name, but for those they make themselves."""
    named = {name for sql in statements for name in _COLUMN.findall(sql)}
    return ", ".join(f'"{name}"' for name in sorted(named) if not _MADE.fullmatch(name))
