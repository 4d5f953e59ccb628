"""Counts of rows that were fetched and came or went: each pass that reads them takes its own columns (signed.py)."""

from __future__ import annotations

from functools import reduce
from operator import mul

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.coded import Ints, Scopes, any_row_of, combined, numbered, ranked
from improvement.metrics.counts import Counts, code_of
from improvement.metrics.signed import DUE, SIGN, Signed


class Counting:
    """Rows that were fetched, counted by one pass after the other. For as many as move, not for all that stand."""

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows
        self._numbers: dict[str, Ints] = {}
        self._ranked: dict[str, tuple[Ints, pa.Array]] = {}
        self._products: dict[tuple[str, ...], Ints] = {}
        self._scopes: dict[tuple[str, ...], tuple[Scopes, Ints]] = {}

    def net(self, one: Signed, names: dict[str | None, str]) -> Counts:
        """What a pass finds in them, what went taken away."""
        is_counted = self._number(names[None]) != 0
        scopes, scope = self._scope(one.keys, tuple(names[key] for key in one.keys))
        week = self._number(names["week"])
        if len(week):
            week = np.where(is_counted, week, week[np.argmax(is_counted)])  # of the others any will do
        due = self._number(names[DUE]) * is_counted if one.matures else np.zeros(len(week), dtype=np.int64)
        width, code = code_of(scope, week, due)
        distinct, code = numbered(code, width)
        has_moved = np.zeros(len(distinct), dtype=np.bool_)
        sums = {}
        for (met, column), name in one.sums.items():
            sums[name] = np.zeros(len(distinct), dtype=np.int64)
            np.add.at(sums[name], code, self._added(names, met, column))
            has_moved |= sums[name] != 0
        rows = any_row_of(code, len(distinct))[has_moved]
        sums = {name: column[has_moved] for name, column in sums.items()}
        return Counts(scopes, scope[rows], week[rows], due[rows], sums)

    def _added(self, names: dict[str | None, str], met: str | None, column: str | None) -> Ints:
        """What each row adds to a sum: the same in all passes that only group otherwise."""
        factors = [names[SIGN], names[None], *(names[name] for name in (met, column) if name is not None)]
        key = tuple(factors)
        if key not in self._products:
            self._products[key] = reduce(mul, (self._number(name) for name in factors))
        return self._products[key]

    def _number(self, name: str) -> Ints:
        """A column of whole numbers or truths, nothing as 0."""
        if name not in self._numbers:
            column = self._rows[name].combine_chunks()
            if column.null_count:
                column = pc.fill_null(column, False if pa.types.is_boolean(column.type) else 0)
            self._numbers[name] = column.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
        return self._numbers[name]

    def _scope(self, keys: tuple[str, ...], names: tuple[str, ...]) -> tuple[Scopes, Ints]:
        """The scopes of columns, and each row's."""
        if names not in self._scopes:
            for name in names:
                if name not in self._ranked:
                    self._ranked[name] = ranked(self._rows[name])
            self._scopes[names] = combined(keys, [self._ranked[name] for name in names], self._rows.num_rows)
        return self._scopes[names]
