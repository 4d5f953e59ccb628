"""Whole-number sums of a pass, by scope and week, to which other sums are added and from which they are taken away.

What only counts once it is old enough stands by the span of hours in which it will be (signed.py): ``due``, 0 where it
counts. Rows are sorted by scope, week and span, so that two are brought together by looking the one up in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import pyarrow as pa

from improvement.metrics.catalogue import Metric
from improvement.metrics.coded import (
    Coded,
    Floats,
    Ints,
    Scopes,
    coded,
    in_use,
    ints,
    of_both,
)
from improvement.metrics.sharing import LEVELS
from improvement.metrics.signed import DUE, Signed, Whole


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
        sums = {name: ints(found[name]) for name in one.sums.values()}
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
        return cls(Scopes.of_values(keys, values), read.pop(""), read.pop("week"), read.pop(DUE), read)

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


def _keys(*some: Counts) -> tuple[Ints, ...]:
    """Each row's scope, week and span as one number, which sorts as they do."""
    ends = np.cumsum([len(one.scope) for one in some])[:-1]
    columns = ([getattr(one, name) for one in some] for name in ("scope", "week", "due"))
    _, code = code_of(*(np.concatenate(column) for column in columns))
    return tuple(np.split(code, ends))


def code_of(scope: Ints, week: Ints, due: Ints) -> tuple[int, Ints]:
    """Numbers that sort by scope, week and span, and what they are below."""
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


def _small(column: Ints) -> tuple[str, bytes]:
    """A column in as few bytes as hold it."""
    low, high = (int(column.min()), int(column.max())) if len(column) else (0, 0)
    limits = ((kind, np.iinfo(kind)) for kind in ("<i1", "<i2", "<i4", "<i8"))
    kind = next(kind for kind, limit in limits if limit.min <= low and high <= limit.max)
    return kind, column.astype(kind).tobytes()
