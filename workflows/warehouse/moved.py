"""What passes find in the rows by which counts of one moment differ from those of a later one.

These are the records that were noted since (noting.py): each is taken away as it stood, as of the earlier moment, and
added as it stands, as of the later one; what it was in between comes and goes as of the later one. And those that time
alone moves (timed.py): taken away as of the one moment, added as of the other. What only counts once it is old enough
is kept by the span of hours in which it will (improvement/metrics/counts.py): of these only those are looked up that
are of the span the later moment stands in.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.coded import Ints
from improvement.metrics.computing import Values, values_of
from improvement.metrics.counting import Counting
from improvement.metrics.counts import Counts
from improvement.metrics.signed import AT, SIGN, SPAN_S, TO, Rows, Signed
from improvement.records import RecordKind
from workflows.warehouse.asking import tables_of
from workflows.warehouse.noting import notes_of
from workflows.warehouse.passes import ANY_CONNECTION, Pass
from workflows.warehouse.schema import DAYS, IS_LIVE, SHOWN, TABLE_OF
from workflows.warehouse.timed import Timed

EPOCH, ANY_ZONE = datetime.fromtimestamp(0, UTC), timedelta(hours=16)  # no zone was ever further from UTC
PIECE = 65_536  # rows that are counted at once
IDENTITY = {  # SQL: the same for all notes of a record, in 64 bits; clocks of two tickets may have one id
    RecordKind.TICKET: "key_hash",
    RecordKind.SLA: "hash(key_hash, ticket_hash)",
    RecordKind.SURVEY: "key_hash",
}
_ROWS: dict[tuple[Signed, ...], Rows] = {}  # made ready, for any connection


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
    def micros(self) -> int:
        """The instant in microseconds since 1970."""
        return (self.as_of - EPOCH) // timedelta(microseconds=1)

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

    They are fetched once a table, with the columns that passes read, and counted here: thirty statements over a few
    thousand rows would take longer to plan than all else that a cycle counts.
    """

    def __init__(self, raw: Any, connection: str, before: Moment, now: Moment, passes: Sequence[Pass]) -> None:
        """Look them up, for these passes, which all end with the later moment's week and differ in their SQL.

        Do it while nobody writes (transactions.py), so that all are of one state.
        """
        self._connection, self._before, self._now = connection, before, now
        self._counted: dict[str, Counts] = {}
        by_kind: defaultdict[RecordKind, list[_Known]] = defaultdict(list)
        for one in passes:
            timed = Timed.of(one.sql)
            if one.signed is not None and timed is not None:
                by_kind[timed.kind].append(_Known(one, one.signed, timed))
        groups = list(by_kind.items())
        for place, rows in tables_of(raw, [self._text(kind, known) for kind, known in groups]):
            self._count(groups[place][1], rows)

    def brought(self, one: Pass, kept: Counts) -> Counts:
        """What a pass found at the earlier moment, as it is at the later one."""
        counts = kept.plus(self._counted[one.sql])
        matures = one.signed.matures if one.signed is not None else None
        return counts.matured(self._span(matures[1])) if matures is not None else counts

    # --- inside -----------------------------------------------------------------------------------------------

    def _count(self, known: Sequence[_Known], found: pa.Table) -> None:
        """What each pass finds in rows of one kind, some at a time: all that is computed of them is held at once."""
        stood = _stood(found["identity"], found["no"].to_numpy(), found[SIGN].to_numpy())
        for begin in range(0, max(found.num_rows, 1), PIECE):
            piece = slice(begin, begin + PIECE)
            for one, counts in self._counted_in(known, found.slice(begin, PIECE), stood[piece]):
                before = self._counted.get(one.sql)
                self._counted[one.sql] = before.plus(counts) if before is not None else counts

    def _counted_in(
        self, known: Sequence[_Known], rows: pa.Table, stood: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[Pass, Counts]]:
        computed = _rows_of(known)
        columns = {name: values_of(rows[name]) for name in _fields(computed)}
        columns |= {
            "connection": Values(np.int64(0), None, (ANY_CONNECTION,)),
            SIGN: Values(rows[SIGN].to_numpy()),
            AT: Values(np.where(stood, self._before.micros, self._now.micros)),
            TO: Values(np.where(stood, self._before.last_day, self._now.last_day)),
        }
        first_day = min(one.asked.begins for one in known) * 7 - 3
        counting = Counting(len(stood), computed.program.run(columns, {"first_day": first_day}))
        for one, places in zip(known, computed.places, strict=True):
            yield one.asked, one.asked.cut(counting.net(one.signed, places))

    def _text(self, kind: RecordKind, known: Sequence[_Known]) -> str:
        """SQL: the rows of one kind that moved, with what these passes read of them.

        Those that were noted, and under number 0 those that time alone moves: as they stood, and as they stand.
        """
        columns = _shown(kind, _fields(_rows_of(known)))
        table, whose, identity = TABLE_OF[kind], f"connection = {self._name}", f"{IDENTITY[kind]} AS identity"
        noted = f"FROM {notes_of(kind)} WHERE {whose} AND no > {self._before.upto} AND no <= {self._now.upto}"
        text = f"SELECT {columns}, {identity}, no, {SIGN} {noted} AND {IS_LIVE[kind]}"
        moving = " UNION ALL ".join(
            f"SELECT rowid AS place, {identity} FROM {table} WHERE {whose} AND {one}"
            for one in self._moving(kind, known)
        )
        if moving:
            unnoted = f"SELECT place FROM ({moving}) ANTI JOIN (SELECT {identity} {noted}) USING (identity)"
            text += (
                f" UNION ALL SELECT {columns}, {identity}, 0, s.{SIGN} FROM {table}, (VALUES (-1), (1)) AS s({SIGN}) "
                f"WHERE {table}.rowid IN ({unnoted}) AND {IS_LIVE[kind]}"
            )
        return text

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


def _instant(at: datetime) -> str:
    """SQL: an instant."""
    return f"TIMESTAMPTZ '{at.astimezone(UTC).isoformat()}'"


def _between(name: str, since: datetime, until: datetime) -> str:
    """SQL: whether an instant lies after one moment and not after another."""
    return f'"{name}" > {_instant(since)} AND "{name}" <= {_instant(until)}'


def _shown(kind: RecordKind, names: Sequence[str]) -> str:
    """SQL: columns of a table as passes read them."""
    return ", ".join(f"{SHOWN.get(kind, {}).get(name, name)} AS {name}" for name in names)


def _stood(identity: pa.ChunkedArray, no: Ints, sign: Ints) -> npt.NDArray[np.bool_]:
    """Which rows say how a record stood at the earlier moment: the first of their record, where it goes."""
    records = pc.dictionary_encode(identity.combine_chunks())
    records = records.combine_chunks() if isinstance(records, pa.ChunkedArray) else records
    record = records.indices.to_numpy()
    first = np.full(len(records.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(first, record, no)
    found: npt.NDArray[np.bool_] = (sign < 0) & (no == first[record])
    return found


def _fields(rows: Rows) -> list[str]:
    """The columns of a table that are read for these."""
    return sorted(rows.program.fields.keys() - {"connection", SIGN, AT, TO})


def _rows_of(known: Sequence[_Known]) -> Rows:
    """What passes compute of each row."""
    some = tuple(one.signed for one in known)
    if some not in _ROWS:
        rows = Rows.of(some)
        assert rows is not None  # each by itself can be computed (passes.py)
        _ROWS[some] = rows
    return _ROWS[some]
