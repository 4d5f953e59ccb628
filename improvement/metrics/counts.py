"""Whole-number sums of a pass, by scope and week, to which other sums are added and from which they are taken away.

What only counts once it is old enough stands by the span of hours in which it will be (signed.py): ``due``, 0 where it
counts. Rows are sorted by scope, week and span, so that two are brought together by looking the one up in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import mul

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.catalogue import Metric
from improvement.metrics.coded import (
    Coded,
    Floats,
    Ints,
    Scopes,
    coded,
    combined,
    in_use,
    ints,
    numbered,
    of_both,
    ranked,
)
from improvement.metrics.sharing import LEVELS
from improvement.metrics.signed import DUE, SIGN, Signed, Whole


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Sums by scope, week and span; none where everything is nought."""

    scopes: Scopes
    scope: Ints
    week: Ints
    due: Ints
    sums: dict[str, Ints]

    @classmethod
    def of(cls, found: pa.Table, one: Signed) -> Counts:
        """What the statement of a pass found in rows that stand."""
        scopes, scope = coded(found, one.keys)
        due = ints(found[DUE]) if one.matures else np.zeros(found.num_rows, dtype=np.int64)
        sums = {name: _whole(found[name]) for name in one.sums.values()}
        return cls(scopes, scope, ints(found["week"]), due, sums)._sorted()._without_nought()

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        if not len(other.scope):
            return self
        scopes, mine, theirs = of_both(self.scopes, other.scopes)
        one, two = replace(self, scopes=scopes, scope=mine[self.scope]), replace(other, scope=theirs[other.scope])
        own, code = _keys(one, two)
        place = np.searchsorted(own, code)
        is_known = np.zeros(len(code), dtype=np.bool_)
        inside = np.flatnonzero(place < len(own))
        is_known[inside] = own[place[inside]] == code[inside]
        sums = {name: column.copy() for name, column in one.sums.items()}
        known, new = np.flatnonzero(is_known), np.flatnonzero(~is_known)
        for name, column in sums.items():
            column[place[known]] += two.sums[name][known]
        if len(new):
            order = np.argsort(np.concatenate([own, code[new]]), kind="stable")
            scope, week, due = (
                np.concatenate([a, b[new]])[order]
                for a, b in ((one.scope, two.scope), (one.week, two.week), (one.due, two.due))
            )
            sums = {name: np.concatenate([column, two.sums[name][new]])[order] for name, column in sums.items()}
            return Counts(scopes, scope, week, due, sums)._without_nought()
        return replace(one, sums=sums)._without_nought()

    def matured(self, span: int) -> Counts:
        """With what was due in spans before this one counting now."""
        is_over = (self.due > 0) & (self.due < span)
        if not is_over.any():
            return self
        return replace(self, due=np.where(is_over, 0, self.due))._sorted()._without_nought()

    def since(self, week: int) -> Counts:
        """Those of a week on."""
        return self._at(np.flatnonzero(self.week >= week))

    def counting(self) -> Counts:
        """Those that count now."""
        return self._at(np.flatnonzero(self.due == 0)) if self.due.any() else self

    def part(self, told: Whole, metric: Metric, by: tuple[str, ...], first_week: int) -> Coded:
        """One part's cells, as if it had been asked for from ``first_week`` on by itself."""
        n = self.sums[told.n]
        is_level = metric.fill in LEVELS
        kept = np.flatnonzero(n > 0 if is_level else (n > 0) & (self.week >= first_week))
        n, week, scope = n[kept], self.week[kept], self.scope[kept]
        sums = n * told.numerator if isinstance(told.numerator, int) else self.sums[told.numerator][kept]
        numerator: Floats = sums.astype(np.float64)
        return Coded(
            by,
            self.scopes,
            scope,
            np.maximum(week, first_week - 1) if is_level else week,
            numerator if told.scale == 1 else numerator / told.scale,
            (n * told.denominator).astype(np.float64),
            n,
        )

    def packed(self) -> bytes:
        """As it is kept: with no scope in which nothing is counted any more."""
        scopes, scope = in_use(self.scopes, self.scope)
        columns = {"": scope, "week": self.week, DUE: self.due, **self.sums}
        return msgspec.msgpack.encode([scopes.values, {name: _small(column) for name, column in columns.items()}])

    @classmethod
    def unpacked(cls, packed: bytes, keys: Sequence[str]) -> Counts:
        """What was kept."""
        values, columns = msgspec.msgpack.decode(packed, type=_Packed)
        read = {name: np.frombuffer(of, dtype=kind).astype(np.int64) for name, (kind, of) in columns.items()}
        return cls(Scopes(keys, values), read.pop(""), read.pop("week"), read.pop(DUE), read)

    # --- inside -----------------------------------------------------------------------------------------------

    def _at(self, rows: Ints) -> Counts:
        if len(rows) == len(self.scope):
            return self
        sums = {name: column[rows] for name, column in self.sums.items()}
        return Counts(self.scopes, self.scope[rows], self.week[rows], self.due[rows], sums)

    def _sorted(self) -> Counts:
        """Sorted, those of the same scope, week and span together."""
        (code,) = _keys(self)
        if (code[1:] > code[:-1]).all():
            return self
        order = np.argsort(code, kind="stable")
        code = code[order]
        begins = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]]))
        sums = {name: np.add.reduceat(column[order], begins) for name, column in self.sums.items()}
        first = order[begins]
        return Counts(self.scopes, self.scope[first], self.week[first], self.due[first], sums)

    def _without_nought(self) -> Counts:
        """Only rows that anything is counted in."""
        there = np.zeros(len(self.scope), dtype=np.bool_)
        for name, column in self.sums.items():
            if name.startswith("n"):
                there |= column != 0
        return self._at(np.flatnonzero(there))


_Packed = tuple[tuple[tuple[str, ...], ...], dict[str, tuple[str, bytes]]]


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
        width, code = _code(scope, week, due)
        distinct, code = numbered(code, width)
        has_moved = np.zeros(len(distinct), dtype=np.bool_)
        sums = {}
        for (met, column), name in one.sums.items():
            sums[name] = np.zeros(len(distinct), dtype=np.int64)
            np.add.at(sums[name], code, self._added(names, met, column))
            has_moved |= sums[name] != 0
        one_of = np.zeros(len(distinct), dtype=np.int64)
        one_of[code] = np.arange(len(code))  # any row of each
        rows = one_of[has_moved]
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


def _keys(*some: Counts) -> tuple[Ints, ...]:
    """Each row's scope, week and span as one number, which sorts as they do."""
    ends = np.cumsum([len(one.scope) for one in some])[:-1]
    columns = ([getattr(one, name) for one in some] for name in ("scope", "week", "due"))
    _, code = _code(*(np.concatenate(column) for column in columns))
    return tuple(np.split(code, ends))


def _code(scope: Ints, week: Ints, due: Ints) -> tuple[int, Ints]:
    """The same, and what they are below."""
    if not len(scope):
        return 1, scope
    weeks, spans = week - week.min(), due
    if due.any():
        spans = np.where(due > 0, due - due[due > 0].min() + 1, 0)
    code, width = scope, int(scope.max()) + 1
    for column in (weeks, spans):
        size = int(column.max()) + 1
        code, width = code * size + column, width * size
    return width, code


def _whole(column: pa.ChunkedArray) -> Ints:
    """A sum in whole numbers; over no rows it is nothing."""
    values: Ints = pc.fill_null(pc.cast(column, pa.int64()), 0).to_numpy()
    return values


def _small(column: Ints) -> tuple[str, bytes]:
    """A column in as few bytes as hold it."""
    low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
    limits = ((kind, np.iinfo(kind)) for kind in ("<i1", "<i2", "<i4", "<i8"))
    kind = next(kind for kind, limit in limits if limit.min <= low and high <= limit.max)
    return kind, column.astype(kind).tobytes()
