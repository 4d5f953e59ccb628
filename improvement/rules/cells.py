"""Cells as dense arrays, scopes × weeks, so that a window is a few vector additions.

Sums run week by week in order, never in an order the array's shape decides: a back-test over years of cells gives
the same bytes as the live cycle over a few weeks of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from improvement.rules.scope import NONE, Scope

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WindowValues:
    """Per scope: value (NaN where nothing was counted) and what it is made of."""

    value: Floats
    numerator: Floats
    denominator: Floats
    n: Floats


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one query. Arrays are scopes × weeks; ``rows`` counts the cells behind each entry."""

    by: tuple[str, ...]
    scopes: tuple[Scope, ...]
    first_week: int
    numerator: Floats
    denominator: Floats
    n: Floats
    rows: Floats
    _row_of: dict[Scope, int] = field(repr=False)

    @classmethod
    def of(cls, cells: pa.Table | Cells, by: tuple[str, ...]) -> Cells:
        """Dense arrays of a table of cells, scopes sorted by key; strata are summed."""
        if isinstance(cells, Cells):
            return cells
        table = cells.combine_chunks()
        if table.num_rows == 0:
            empty = np.zeros((0, 1))
            return cls(by, (), 0, empty, empty, empty, empty, {})
        row, scopes = _scope_rows(table, by)
        week = table["week"].to_numpy().astype(np.int64)
        first_week = int(week.min())
        width = int(week.max()) - first_week + 1
        flat = row * width + (week - first_week)
        shape = (len(scopes), width)

        def dense(weights: Floats | None) -> Floats:
            return np.bincount(flat, weights=weights, minlength=shape[0] * width).astype(np.float64).reshape(shape)

        numerator, denominator, n = (dense(_floats(table[name])) for name in ("numerator", "denominator", "n"))
        row_of = {scope: position for position, scope in enumerate(scopes)}
        return cls(by, scopes, first_week, numerator, denominator, n, dense(None), row_of)

    @property
    def last_week(self) -> int:
        """The last week any scope has a cell in."""
        return self.first_week + int(self.rows.shape[1]) - 1

    def row_of(self, scope: Scope) -> int | None:
        """The row of a scope, or None where it has no cell."""
        return self._row_of.get(scope)

    def window(self, first: int, last: int, *, is_snapshot: bool = False, is_count: bool = False) -> WindowValues:
        """Values of the weeks ``first … last``; of a snapshot those of the last week alone.

        In a count every week is one of exposure, with or without a cell: so a scope's first event is no burst.
        """
        span = range(last if is_snapshot else first, last + 1)
        numerator, n = self._sum(self.numerator, span), self._sum(self.n, span)
        denominator = self._sum(self.denominator, span)
        if is_count:
            denominator = denominator + (len(span) - self._sum(self._has_cell(), span))
        return _values(numerator, denominator, n)

    def past(self, first: int, last: int, *, is_count: bool) -> WindowValues:
        """Values of a long reference; of a count from the scope's first active week in it on."""
        span = range(first, last + 1)
        numerator, n = self._sum(self.numerator, span), self._sum(self.n, span)
        if not is_count:
            return _values(numerator, self._sum(self.denominator, span), n)
        exposure = np.where(self.rows > 0, self.denominator, 1.0)
        active = self.is_active(is_count=True)
        total, has_begun = np.zeros(len(self.scopes)), np.zeros(len(self.scopes), dtype=np.bool_)
        for week in span:
            position = week - self.first_week
            is_inside = 0 <= position < self.rows.shape[1]
            has_begun = has_begun | active[:, position] if is_inside else has_begun
            total = total + np.where(has_begun, exposure[:, position] if is_inside else 1.0, 0.0)
        return _values(numerator, total, n)

    def is_active(self, *, is_count: bool) -> npt.NDArray[np.bool_]:
        """Scopes × weeks: where something was counted. Weeks of a count that were filled with zero are not."""
        return (self.n if is_count else self.rows) > 0

    def weeks_active(self, first: int, last: int, *, is_count: bool) -> npt.NDArray[np.int64]:
        """Per scope in how many of these weeks something was counted."""
        active = self.is_active(is_count=is_count)
        start, stop = max(first - self.first_week, 0), max(last - self.first_week + 1, 0)
        counted: npt.NDArray[np.int64] = active[:, start:stop].sum(axis=1)
        return counted

    def _has_cell(self) -> Floats:
        return (self.rows > 0).astype(np.float64)

    def _sum(self, column: Floats, span: range) -> Floats:
        total = np.zeros(len(self.scopes))
        for week in span:
            position = week - self.first_week
            if 0 <= position < column.shape[1]:
                total = total + column[:, position]
        return total


def _values(numerator: Floats, denominator: Floats, n: Floats) -> WindowValues:
    value = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=value, where=denominator > 0)
    return WindowValues(value, numerator, denominator, n)


def _scope_rows(table: pa.Table, by: tuple[str, ...]) -> tuple[npt.NDArray[np.int64], tuple[Scope, ...]]:
    """Each cell's row, and the scopes of the rows in the order of their keys."""
    combined = np.zeros(table.num_rows, dtype=np.int64)
    dictionaries: list[list[str]] = []
    for name in by:
        encoded = _texts(table[name]).dictionary_encode()
        values = encoded.dictionary.to_pylist()
        combined = combined * len(values) + encoded.indices.to_numpy(zero_copy_only=False)
        dictionaries.append(values)
    codes, inverse = np.unique(combined, return_inverse=True)
    scopes = []
    for code in codes.tolist():
        values = []
        for dictionary in reversed(dictionaries):
            code, position = divmod(code, len(dictionary))
            values.append(dictionary[position])
        scopes.append(_scope(by, tuple(reversed(values))))
    order = sorted(range(len(scopes)), key=lambda position: scopes[position][1])
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse], tuple(scopes[position][0] for position in order)


@lru_cache(maxsize=20_000)
def _scope(by: tuple[str, ...], values: tuple[str, ...]) -> tuple[Scope, str]:
    """A scope and its key; every query by the same dimensions has the same ones."""
    scope = Scope.of(dict(zip(by, values, strict=True)))
    return scope, scope.key


def _texts(column: Any) -> Any:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    return pc.fill_null(pc.cast(array, pa.string()), NONE)


def _floats(column: Any) -> Floats:
    floats: Floats = np.nan_to_num(column.to_numpy().astype(np.float64))
    return floats
