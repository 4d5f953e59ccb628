"""Several metrics in one pass: what rows of one table add to the same weeks of the same scopes is counted together.

A metric's own function says what it counts, asked here with tables that note its conditions instead of applying them.
Those that ask for a filter and a selection of one table, as most do, can share a scan: each becomes sums over the rows
that meet its conditions. Whatever asks for more (a join, a window, a union) is counted by itself.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import and_, or_
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.catalogue import Fill, Metric
from improvement.metrics.cells import CellQuery, Tables, total
from improvement.metrics.engine import ibis

TABLES = ("tickets", "slas", "surveys", "contacts", "outages")
SUMS = ("numerator", "denominator", "n")
LEVELS = (Fill.ZERO, Fill.RUNNING_SUM)  # what was before the first week is one week there


@dataclass(frozen=True, slots=True)
class Plain:
    """What a metric counts, where it is a filter and a selection of one table."""

    table: Any
    conditions: tuple[Any, ...]
    columns: dict[str, Any]

    def is_since(self, day: Any) -> Any:
        """Whether a row falls into the week of this day or a later one: any of the days that make its week does."""
        fields = self.columns["week"].op().find(ibis.expr.operations.Field)
        days = sorted({one.name for one in fields})
        return reduce(or_, [self.table[name] >= day for name in days])

    @property
    def name(self) -> str:
        """The table's name."""
        return str(self.table.op().name).removeprefix("live_")

    def shared_by(self, query: CellQuery) -> tuple[str, Hashable]:
        """The table's name, and what is equal for queries that can share a pass over it: same scopes and weeks."""
        return self.name, (query.connection, query.keys, self.columns["week"].op())


def plain(metric: Metric, query: CellQuery, tables: Tables) -> tuple[Plain, ...]:
    """What a query counts, none where it is more than filters and selections.

    A level may be several whose cells add up: what came and what went.
    """
    if metric.gathered is not None:
        return ()
    noted: dict[str, Any] = {name: _Noted(_unbound(getattr(tables, name)), ()) for name in TABLES}
    noting = replace(tables, **noted)
    try:
        found: tuple[Plain, ...] = metric.rows(noting, query).noted
    except _MoreThanPlainError:
        return ()
    return found if len(found) == 1 or metric.fill in LEVELS else ()


def _unbound(table: Any) -> Any:
    """A table of any file: what is known of one file's query holds for every other's."""
    op = table.op()
    return table if isinstance(op, ibis.expr.operations.UnboundTable) else ibis.table(op.schema, name=op.name)


def shared(parts: Sequence[Plain], keys: Sequence[str]) -> Any:
    """The lazy query that counts all of them: ``keys…, week`` and three sums a part, null or zero where it has none."""
    common = [one for one in parts[0].conditions if all(among(one, part.conditions) for part in parts[1:])]
    columns = Columns({name: parts[0].columns[name] for name in (*keys, "week")})
    asked = []
    for part in parts:
        own = [one for one in part.conditions if not among(one, common)]
        met = columns.name_of(reduce(and_, own)) if own else None
        asked.append((met, *(_constant_or(part.columns[name], columns) for name in ("numerator", "denominator"))))
    table = parts[0].table.filter(*common).select(**columns.named)
    sums: dict[str, Any] = {}
    for number, (met, numerator, denominator) in enumerate(asked):
        where = None if met is None else table[met]
        n = sums[f"n{number}"] = table.count(where=where)
        for name, column, summed in (("numerator", numerator, total), ("denominator", denominator, _sum)):
            is_same = not isinstance(column, str)  # the same of every row: as often as there are rows
            sums[f"{name}{number}"] = (n * column).cast("float64") if is_same else summed(table[column], where=where)
    return table.group_by([*keys, "week"]).agg(**sums)


def part_of(found: pa.Table, number: int, metric: Metric, keys: Sequence[str], first_week: int) -> pa.Table:
    """One part's cells of what was counted together, as if it had been asked for from ``first_week`` on by itself."""
    is_level = metric.fill in LEVELS
    has_rows = pc.greater(found[f"n{number}"], 0)
    is_asked = has_rows if is_level else pc.and_(has_rows, pc.greater_equal(found["week"], first_week))
    columns = [*keys, "week", *(f"{name}{number}" for name in SUMS)]
    own = found.select(columns).filter(is_asked).rename_columns([*keys, "week", *SUMS])
    if not is_level:
        return own
    week = np.maximum(own["week"].to_numpy(), first_week - 1)
    return own.set_column(own.schema.get_field_index("week"), "week", pa.array(week, pa.int64()))


class Columns:
    """What is computed of each row, each only once however many parts ask for it."""

    def __init__(self, named: dict[str, Any]) -> None:
        self.named = named

    def name_of(self, column: Any) -> str:
        """The name under which a column is computed."""
        for name, known in self.named.items():
            if column.equals(known):
                return name
        name = f"c{len(self.named)}"
        self.named[name] = column
        return name


def _constant_or(column: Any, columns: Columns) -> Any:
    """A constant as it is, else the name of the column."""
    return column if isinstance(column, ibis.expr.types.Scalar) else columns.name_of(column)


def _sum(column: Any, *, where: Any) -> Any:
    return column.sum(where=where)


def among(condition: Any, others: Sequence[Any]) -> bool:
    """Whether a condition is one of these."""
    return any(condition.equals(other) for other in others)


class _MoreThanPlainError(Exception):
    """A metric asked for more than a filter and a selection."""


class _Noted:
    """A table that notes conditions. It has columns and nothing else."""

    def __init__(self, table: Any, conditions: tuple[Any, ...]) -> None:
        self._table, self._conditions = table, conditions

    def filter(self, *conditions: Any) -> _Noted:
        """The same rows, with more conditions noted."""
        return _Noted(self._table, (*self._conditions, *conditions))

    def select(self, **columns: Any) -> _Selected:
        """What is counted of the rows."""
        return _Selected((Plain(self._table, self._conditions, columns),))

    def __getattr__(self, name: str) -> Any:
        if name not in self._table.columns:
            raise _MoreThanPlainError(name)
        return self._table[name]

    def __getitem__(self, name: str) -> Any:
        return self._table[name]


class _Selected:
    """What is counted, of one table or of several together."""

    def __init__(self, noted: tuple[Plain, ...]) -> None:
        self.noted = noted

    def union(self, other: Any) -> _Selected:
        """The one and the other."""
        if not isinstance(other, _Selected):
            raise _MoreThanPlainError("union")
        return _Selected(self.noted + other.noted)

    def __getattr__(self, name: str) -> NoReturn:
        raise _MoreThanPlainError(name)
