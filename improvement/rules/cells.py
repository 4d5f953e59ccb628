"""Cells as dense arrays, scopes × weeks, so that a window is a few vector additions.

Sums run week by week in order, never in an order the array's shape decides: a back-test over years of cells gives
the same bytes as the live cycle over a few weeks of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.coded import Coded, Floats, Ints, Scopes, coded, floats
from improvement.rules.scope import NONE, Scope

_InOrder = tuple[tuple[Scope, ...], Ints, dict[Scope, int]]
_KNOWN: WeakKeyDictionary[Scopes, _InOrder] = WeakKeyDictionary()  # queries counted together share their scopes


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
    def of(cls, cells: pa.Table | Coded | Cells, by: tuple[str, ...]) -> Cells:
        """Dense arrays of cells, scopes sorted by key; strata are summed."""
        if isinstance(cells, Cells):
            return cells
        if not cells.num_rows:
            empty = np.zeros((0, 1))
            return cls(by, (), 0, empty, empty, empty, empty, {})
        if isinstance(cells, Coded) and not cells.has_strata:
            numerator, denominator = _finite(cells.numerator), _finite(cells.denominator)
            return cls._dense(by, cells.scopes, cells.scope, cells.week, (numerator, denominator, cells.n))
        table = cells.table() if isinstance(cells, Coded) else cells.combine_chunks()
        texts = pa.table({name: _texts(table[name]) for name in by})
        scopes, scope = (
            coded(texts, by) if by else (Scopes.of_values((), ((),)), np.zeros(table.num_rows, dtype=np.int64))
        )
        week = table["week"].to_numpy().astype(np.int64)
        sums = (_floats(table["numerator"]), _floats(table["denominator"]), _floats(table["n"]))
        return cls._dense(by, scopes, scope, week, sums)

    @classmethod
    def _dense(
        cls, by: tuple[str, ...], of: Scopes, scope: Ints, week: Ints, sums: tuple[Floats, Floats, Floats | Ints]
    ) -> Cells:
        scopes, rank, row_of = _in_order(by, of)
        first_week = int(week.min())
        width = int(week.max()) - first_week + 1
        flat = rank[scope] * width + (week - first_week)
        shape = (len(scopes), width)

        def dense(weights: Floats | Ints | None) -> Floats:
            found = np.bincount(flat, weights=weights, minlength=shape[0] * width)
            return found.astype(np.float64, copy=False).reshape(shape)

        numerator, denominator, n = map(dense, sums)
        return cls(by, scopes, first_week, numerator, denominator, n, dense(None), row_of)

    @property
    def last_week(self) -> int:
        """The last week any scope has a cell in."""
        return self.first_week + int(self.rows.shape[1]) - 1

    def row_of(self, scope: Scope) -> int | None:
        """The row of a scope, or None where it has no cell."""
        row = self._row_of.get(scope)
        return row if row is not None and self.rows[row].any() else None  # several queries may share their scopes

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


def _in_order(by: tuple[str, ...], scopes: Scopes) -> _InOrder:
    """The scopes in the order of their keys, the place of each as it stands among them, and each scope's place."""
    if scopes not in _KNOWN:
        found = [_scope(by, one) for one in scopes.values]
        order = sorted(range(len(found)), key=lambda position: found[position][1])
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        sorted_scopes = tuple(found[position][0] for position in order)
        _KNOWN[scopes] = sorted_scopes, rank, {scope: position for position, scope in enumerate(sorted_scopes)}
    return _KNOWN[scopes]


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
    return _finite(floats(column, 0.0))


def _finite(column: Floats) -> Floats:
    """Without what is no number; asking first takes a tenth of the time."""
    if np.isfinite(column).all():
        return column
    found: Floats = np.nan_to_num(column)
    return found
