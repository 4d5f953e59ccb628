"""Counts by difference: a pass whose sums are whole numbers, over rows that came (``sign`` +1) or went (−1).

Whole numbers can be added and taken away again without a trace. So cells that are brought up to date by what came and
went since are those of a full count, bit for bit; the fractions that metrics add are whole billionths anyway
(cells.py). Each row says itself as of when, and up to which day, it is counted: it may go as of one moment and come
back as of another.

What only counts when it is so old (tickets at least τ ago) is counted before, too, by the span of hours in which it
will be: so time moves cells, and no rows but those of the span it stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from typing import Any

from improvement.metrics.catalogue import Metric
from improvement.metrics.cells import CellQuery, Tables, whole, whole_seconds
from improvement.metrics.computing import Program
from improvement.metrics.engine import ibis
from improvement.metrics.sharing import Columns, among, plain

SIGN, AT, TO = "sign", "counted_at", "counted_to"
DUE, SPAN_S = "due", 4 * 3600  # when a row will count; a span of hours is a number: seconds since 1970 by so many
PREFIX = "signed_"  # of the names under which a pass knows its rows


@dataclass(frozen=True, slots=True)
class Whole:
    """How a part's cells are told from whole columns: their names, or a number for each row that counts."""

    n: str
    numerator: str | int
    scale: int  # of so many parts one is made
    denominator: int


@dataclass(frozen=True, slots=True, eq=False)
class Signed:
    """A pass over signed rows.

    ``columns``: what is computed of each row that meets the ``common`` conditions; ``sums``: which of them are summed
    (none: rows are counted) over the rows that meet which, and what the sum is called; ``told``: each part's cells;
    ``matures``: the instant that must be so many seconds ago, where there is one (the column ``due``: the span it is
    in, 0 where it counts).
    """

    keys: tuple[str, ...]
    table: Any
    common: Any
    columns: dict[str, Any]
    sums: dict[tuple[str | None, str | None], str]
    told: tuple[Whole, ...]
    matures: tuple[str, int] | None = None

    @property
    def expression(self) -> Any:
        """The lazy query: ``keys…, week, sign[, due]`` and whole sums."""
        chosen = self.table.filter(self.common).select(**self.columns)
        sums = {}
        for (met, column), name in self.sums.items():
            where = None if met is None else chosen[met]
            sums[name] = chosen.count(where=where) if column is None else chosen[column].sum(where=where)
        due = [DUE] if self.matures else []
        return chosen.group_by([*self.keys, "week", SIGN, *due]).agg(**sums)


def counted_signed(queries: Sequence[tuple[CellQuery, Metric, int]], tables: Tables, name: str) -> Signed | None:
    """How parts of queries that share a pass over a table are counted over signed rows; None where one cannot be."""
    first, records = queries[0][0], _signed(tables, name)
    parts = [plain(one, query, records)[part] for query, one, part in queries]
    common = [one for one in parts[0].conditions if all(among(one, part.conditions) for part in parts[1:])]
    table = parts[0].table
    columns = Columns({key: parts[0].columns[key] for key in (*first.keys, "week")} | {SIGN: table[SIGN]})
    ages = [one for one in common if _looks_back(one)]
    matures = _matures(ages[0]) if ages else None
    if len(ages) > 1 or (ages and matures is None):
        return None
    if matures is not None:
        instant = table[matures[0]]
        common = [one for one in common if one is not ages[0]] + [instant.notnull()]
        span = whole_seconds(instant) // SPAN_S
        columns.named[DUE] = ibis.ifelse(ages[0], ibis.literal(0, "int64"), span)
    sums: dict[tuple[str | None, str | None], str] = {}
    told = []
    for part in parts:
        denominator = constant_of(part.columns["denominator"])
        if denominator is None:
            return None
        own = [one for one in part.conditions if not among(one, [*common, *ages])]
        if any(map(_looks_back, [*own, *part.columns.values()])):
            return None  # it would count otherwise once it is old enough, and nothing would tell
        met = columns.name_of(reduce(and_, own)) if own else None
        n = sums.setdefault((met, None), f"n{len(sums)}")
        numerator: str | int | None = constant_of(part.columns["numerator"])
        scale = 1
        if numerator is None:
            column, scale = whole(part.columns["numerator"])
            numerator = sums.setdefault((met, columns.name_of(column)), f"s{len(sums)}")
        told.append(Whole(n, numerator, scale, denominator))
    conditions = reduce(and_, [*common, parts[0].is_since(tables.first_day)])
    return Signed(first.keys, table, conditions, columns.named, sums, tuple(told), matures)


def _looks_back(column: Any) -> bool:
    """Whether it compares with a time before the moment."""
    return bool(column.op().find(ibis.expr.operations.TimestampSub))


def _matures(condition: Any) -> tuple[str, int] | None:
    """Of ``instant <= moment − τ`` the instant and τ in seconds; None of any other condition."""
    operations, op = ibis.expr.operations, condition.op()
    if not isinstance(op, operations.LessEqual) or not isinstance(op.left, operations.Field):
        return None
    ago = op.right
    if not isinstance(ago, operations.TimestampSub) or not isinstance(ago.right, operations.Literal):
        return None
    is_moment = isinstance(ago.left, operations.Field) and ago.left.name == AT
    return (op.left.name, int(ago.right.value)) if is_moment and ago.right.dtype.unit.value == "s" else None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What several passes over one table compute of each row, each column once.

    ``places``: where a pass's columns are among what is computed; under None whether the pass counts the row at all.
    """

    program: Program
    places: tuple[dict[str | None, int], ...]

    @classmethod
    def of(cls, some: Sequence[Signed]) -> Rows | None:
        """For these passes; None where one asks for what arrays do not know."""
        columns: list[tuple[int, str | None, Any]] = []
        for number, one in enumerate(some):
            columns += [(number, name, column) for name, column in one.columns.items()]
            columns.append((number, None, one.common))
        program = Program.of([column for *_, column in columns])
        if program is None:
            return None
        places: tuple[dict[str | None, int], ...] = tuple({} for _ in some)
        for (number, name, _), place in zip(columns, program.places, strict=True):
            places[number][name] = place
        return cls(program, places)


def constant_of(column: Any) -> int | None:
    """The whole number that a column is of every row, None where it is not."""
    op = column.op()
    while isinstance(op, ibis.expr.operations.Cast):
        op = op.arg
    is_whole = isinstance(op, ibis.expr.operations.Literal) and isinstance(op.value, int)
    return int(op.value) if is_whole and not isinstance(op.value, bool) else None


def _signed(tables: Tables, name: str) -> Tables:
    """The tables, one of them of signed rows; these alone may be read."""
    columns = dict(getattr(tables, name).schema().items())
    found = ibis.table({**columns, SIGN: "int64", AT: "timestamp('UTC')", TO: "int64"}, name=f"{PREFIX}{name}")
    return replace(tables, as_of=found[AT], last_day=found[TO], **{name: found})


__all__ = [
    "AT",
    "DUE",
    "PREFIX",
    "SIGN",
    "SPAN_S",
    "TO",
    "Rows",
    "Signed",
    "Whole",
    "constant_of",
    "counted_signed",
]
