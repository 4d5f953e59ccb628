"""Counts by difference: a pass whose sums are whole numbers, over rows that came (``sign`` +1) or went (−1).

Whole numbers can be added and taken away again without a trace. So cells that are brought up to date by what came and
went since are those of a full count, bit for bit; the fractions that metrics add are whole billionths anyway
(cells.py). Each row says itself as of when, and up to which day, it is counted: it may go as of one moment and come
back as of another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.catalogue import Metric
from improvement.metrics.cells import CellQuery, Tables, whole
from improvement.metrics.engine import ibis
from improvement.metrics.sharing import LEVELS, Columns, among, plain

SIGN, AT, TO = "sign", "counted_at", "counted_to"
MOST_CODES = 2**21  # combinations of scope and week that are summed without being told apart first
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
    (none: rows are counted) over the rows that meet which, and what the sum is called; ``told``: each part's cells.
    """

    keys: tuple[str, ...]
    table: Any
    common: Any
    columns: dict[str, Any]
    sums: dict[tuple[str | None, str | None], str]
    told: tuple[Whole, ...]

    @property
    def expression(self) -> Any:
        """The lazy query: ``keys…, week, sign`` and whole sums."""
        chosen = self.table.filter(self.common).select(**self.columns)
        sums = {}
        for (met, column), name in self.sums.items():
            where = None if met is None else chosen[met]
            sums[name] = chosen.count(where=where) if column is None else chosen[column].sum(where=where)
        return chosen.group_by([*self.keys, "week", SIGN]).agg(**sums)


def counted_signed(queries: Sequence[tuple[CellQuery, Metric, int]], tables: Tables, name: str) -> Signed | None:
    """How parts of queries that share a pass over a table are counted over signed rows; None where one cannot be."""
    first, records = queries[0][0], _signed(tables, name)
    parts = [plain(one, query, records)[part] for query, one, part in queries]
    common = [one for one in parts[0].conditions if all(among(one, part.conditions) for part in parts[1:])]
    table = parts[0].table
    columns = Columns({key: parts[0].columns[key] for key in (*first.keys, "week")} | {SIGN: table[SIGN]})
    sums: dict[tuple[str | None, str | None], str] = {}
    told = []
    for part in parts:
        denominator = constant_of(part.columns["denominator"])
        if denominator is None:
            return None
        own = [one for one in part.conditions if not among(one, common)]
        met = columns.name_of(reduce(and_, own)) if own else None
        n = sums.setdefault((met, None), f"n{len(sums)}")
        numerator: str | int | None = constant_of(part.columns["numerator"])
        scale = 1
        if numerator is None:
            column, scale = whole(part.columns["numerator"])
            numerator = sums.setdefault((met, columns.name_of(column)), f"s{len(sums)}")
        told.append(Whole(n, numerator, scale, denominator))
    conditions = reduce(and_, [*common, parts[0].is_since(tables.first_day)])
    return Signed(first.keys, table, conditions, columns.named, sums, tuple(told))


@dataclass(frozen=True, slots=True)
class Rows:
    """What several passes over one table compute of each row, in one query: each column once.

    ``names``: what a pass's columns are called in it; under None whether the pass counts the row at all.
    """

    expression: Any
    names: tuple[dict[str | None, str], ...]

    @classmethod
    def of(cls, some: Sequence[Signed]) -> Rows:
        """For these passes."""
        columns = Columns({SIGN: some[0].table[SIGN]})
        names = []
        for one in some:
            own: dict[str | None, str] = {name: columns.name_of(column) for name, column in one.columns.items()}
            names.append({**own, None: columns.name_of(one.common)})
        return cls(some[0].table.select(**columns.named), tuple(names))


class Counting:
    """Rows that were fetched, counted by one pass after the other. For as many as move, not for all that stand."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows
        self._known: dict[str, Any] = {}
        self._coded: dict[str, tuple[Any, Any]] = {}

    def net(self, one: Signed, names: dict[str | None, str]) -> pa.Table:
        """What a pass finds in them, what went taken away: ``keys…, week`` and its sums."""
        chosen = np.flatnonzero(self._numbers(names[None]))
        sign = self._numbers(names[SIGN])[chosen]
        week = self._numbers(names["week"])[chosen]
        code, texts = week - week.min() if len(week) else week, {}
        for key in one.keys:
            codes, texts[key] = self._codes(names[key])
            code = code * len(texts[key]) + codes[chosen]
        width = int(code.max()) + 1 if len(code) else 0
        if width > MOST_CODES:
            distinct, code = np.unique(code, return_inverse=True)
            width = len(distinct)
        present = np.flatnonzero(np.bincount(code, minlength=width))
        one_of = np.zeros(width, dtype=np.int64)
        one_of[code] = chosen
        rows = one_of[present]  # any row of each scope and week
        found: dict[str, Any] = {key: texts[key].take(pa.array(self._codes(names[key])[0][rows])) for key in one.keys}
        found["week"] = pa.array(self._numbers(names["week"])[rows])
        for (met, column), name in one.sums.items():
            values = sign if met is None else sign * self._numbers(names[met])[chosen]
            values = values if column is None else values * self._numbers(names[column])[chosen]
            sums = np.zeros(width, dtype=np.int64)
            np.add.at(sums, code, values)
            found[name] = pa.array(sums[present])
        return pa.table(found)

    def _numbers(self, name: str) -> Any:
        """A column of whole numbers or truths, nothing as 0."""
        if name not in self._known:
            self._known[name] = pc.fill_null(pc.cast(self._rows[name], pa.int64()), 0).to_numpy()
        return self._known[name]

    def _codes(self, name: str) -> tuple[Any, Any]:
        """A column of texts as numbers, and the texts they stand for."""
        if name not in self._coded:
            column = pc.dictionary_encode(self._rows[name].combine_chunks())
            whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
            self._coded[name] = (whole.indices.to_numpy(zero_copy_only=False).astype(np.int64), whole.dictionary)
        return self._coded[name]


def netted(found: pa.Table) -> pa.Table:
    """What was counted of rows that stand, in whole numbers."""
    for name in _sums(found):
        column = pc.fill_null(pc.cast(found[name], pa.int64()), 0)  # a sum over no rows is null
        found = found.set_column(found.schema.get_field_index(name), name, column)
    return found.drop_columns([SIGN])


def added(one: pa.Table, others: Sequence[pa.Table]) -> pa.Table:
    """Cells and cells, summed; none where nothing counts any more."""
    sums = _sums(one)
    keys = [name for name in one.column_names if name not in sums]
    both = pa.concat_tables([one, *(other.select(one.column_names).cast(one.schema) for other in others)])
    found = both.group_by(keys, use_threads=False).aggregate([(name, "sum") for name in sums])
    found = found.select([*keys, *(f"{name}_sum" for name in sums)]).rename_columns([*keys, *sums])
    counts = np.column_stack([found[name].to_numpy() for name in sums if name.startswith("n")])
    return found.filter(pa.array(counts.any(axis=1))).select(one.column_names)


def part_signed(found: pa.Table, told: Whole, metric: Metric, keys: Sequence[str], first_week: int) -> pa.Table:
    """One part's cells, as if it had been asked for from ``first_week`` on by itself."""
    week, n = found["week"].to_numpy(), found[told.n].to_numpy()
    is_level = metric.fill in LEVELS
    kept = np.flatnonzero(n > 0 if is_level else (n > 0) & (week >= first_week))
    week, n = week[kept], n[kept]
    sums = n * told.numerator if isinstance(told.numerator, int) else found[told.numerator].to_numpy()[kept]
    numerator = sums.astype(np.float64)
    columns: dict[str, Any] = {key: found[key].take(pa.array(kept)) for key in keys}
    columns["week"] = pa.array(np.maximum(week, first_week - 1) if is_level else week)
    columns["numerator"] = pa.array(numerator if told.scale == 1 else numerator / told.scale)
    columns["denominator"] = pa.array((n * told.denominator).astype(np.float64))
    columns["n"] = pa.array(n)
    return pa.table(columns)


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


def _sums(found: pa.Table) -> list[str]:
    """The names of the sums: a letter and a number, which no dimension is called."""
    return [name for name in found.column_names if name[0] in "ns" and name[1:].isdigit()]


__all__ = [
    "AT",
    "PREFIX",
    "SIGN",
    "TO",
    "Counting",
    "Rows",
    "Signed",
    "Whole",
    "added",
    "counted_signed",
    "netted",
    "part_signed",
]
