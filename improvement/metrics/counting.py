"""Counts of rows that came or went: each pass that reads them takes its own columns (signed.py)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import mul
from typing import Any

import numpy as np
import pyarrow as pa

from improvement.metrics.coded import Ints, Scopes, any_row_of, combined, numbered
from improvement.metrics.computing import Values
from improvement.metrics.counts import Counts, code_of
from improvement.metrics.signed import DUE, SIGN, Signed


class Counting:
    """Rows, counted by one pass after the other. For as many as move, not for all that stand."""

    def __init__(self, number: int, computed: Mapping[int, Values]) -> None:
        """So many rows, and what was computed of each, by its place."""
        self._number, self._computed = number, computed
        self._counted: dict[int, Ints] = {}  # by the place of the condition
        self._columns: dict[tuple[int, int], Ints] = {}
        self._products: dict[tuple[int | None, ...], Ints] = {}
        self._times: dict[tuple[int, int, int | None], tuple[Ints, Ints]] = {}
        self._texts: dict[int, tuple[Ints, pa.Array]] = {}
        self._scopes: dict[tuple[int, ...], tuple[Scopes, Ints]] = {}

    def net(self, one: Signed, places: Mapping[str | None, int]) -> Counts:
        """What a pass finds in them, what went taken away."""
        counted = places[None]
        scopes, scope = self._scope(one.keys, tuple(places[key] for key in one.keys))
        times, time = self._time(counted, places["week"], places[DUE] if one.matures else None)
        width = max(times.shape[1], 1)
        distinct, code = numbered(scope[self._rows(counted)] * width + time, len(scopes) * width)
        sums = np.zeros((len(one.sums), len(distinct)), dtype=np.int64)
        for row, factors in zip(sums, one.sums, strict=True):
            of = tuple(None if name is None else places[name] for name in factors)
            np.add.at(row, code, self._added(counted, places[SIGN], *of))
        has_moved = np.flatnonzero(sums.any(axis=0))
        scope, time = np.divmod(distinct[has_moved], width)
        keys = np.concatenate([scope[None], times[:, time]])
        return Counts(scopes, keys, tuple(one.sums.values()), sums[:, has_moved])

    def _rows(self, counted: int) -> Ints:
        """The rows that meet a condition."""
        if counted not in self._counted:
            self._counted[counted] = np.flatnonzero(self._of_each(self._computed[counted].array))
        return self._counted[counted]

    def _added(self, counted: int, *factors: int | None) -> Ints:
        """What each row that is counted adds to a sum: the same in all passes that only group otherwise."""
        key = (counted, *factors)
        if key not in self._products:
            self._products[key] = reduce(mul, (self._column(place, counted) for place in factors if place is not None))
        return self._products[key]

    def _column(self, place: int, counted: int) -> Ints:
        """Whole numbers or truths of the rows that are counted, nothing as 0."""
        if (place, counted) not in self._columns:
            rows, (array, is_null, _) = self._rows(counted), self._computed[place]
            column = self._of_each(array)[rows]
            if is_null is not None and column.dtype != np.bool_:  # a truth is false there already
                column = np.where(self._of_each(is_null)[rows], 0, column)
            self._columns[place, counted] = column.astype(np.int64, copy=False)
        return self._columns[place, counted]

    def _of_each(self, array: Any) -> Any:
        """What is one for all rows, for each."""
        return array if array.ndim else np.broadcast_to(array, self._number)

    def _time(self, counted: int, week: int, due: int | None) -> tuple[Ints, Ints]:
        """The distinct weeks and spans of the rows that are counted, sorted, and each row's place among them."""
        if (counted, week, due) not in self._times:
            weeks = self._column(week, counted)
            spans = self._column(due, counted) if due is not None else np.zeros_like(weeks)
            width, code = code_of(weeks, spans)
            distinct, time = numbered(code, width)
            rows = any_row_of(time, len(distinct))
            self._times[counted, week, due] = np.stack([weeks[rows], spans[rows]]), time
        return self._times[counted, week, due]

    def _scope(self, keys: tuple[str, ...], places: tuple[int, ...]) -> tuple[Scopes, Ints]:
        """The scopes of columns, and each row's."""
        if places not in self._scopes:
            self._scopes[places] = combined(keys, [self._ranked(place) for place in places], self._number)
        return self._scopes[places]

    def _ranked(self, place: int) -> tuple[Ints, pa.Array]:
        """A column of texts as :func:`improvement.metrics.coded.ranked` gives it."""
        if place not in self._texts:
            array, _, texts = self._computed[place]
            order = sorted(range(len(texts)), key=texts.__getitem__)
            rank = np.empty(max(len(order), 1), dtype=np.int64)
            rank[order] = np.arange(len(order))
            sorted_texts = pa.array([texts[one] for one in order], pa.string())
            self._texts[place] = rank[self._of_each(array)], sorted_texts
        return self._texts[place]
