"""Whole-number sums of a pass, by scope and week, to which other sums are added and from which they are taken away.

What only counts once it is old enough stands by the span of hours in which it will be (signed.py): ``due``, 0 where it
counts. Rows are sorted by scope, week and span, so that two are brought together by looking the one up in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
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
    """Sums by scope, week and span; none where everything is nought.

    ``keys``: a column a row with the place of its scope, its week and its span; ``sums``: a row for each of ``names``.
    """

    scopes: Scopes
    keys: Ints
    names: tuple[str, ...]
    sums: Ints

    @classmethod
    def of(cls, found: pa.Table, one: Signed) -> Counts:
        """What the statement of a pass found in rows that stand."""
        scopes, scope = coded(found, one.keys)
        due = ints(found[DUE]) if one.matures else np.zeros(found.num_rows, dtype=np.int64)
        names = tuple(one.sums.values())
        sums = np.stack([ints(found[name]) for name in names])
        return cls(scopes, np.stack([scope, ints(found["week"]), due]), names, sums)._sorted()._without_nought()

    @property
    def scope(self) -> Ints:
        """The place of each row's scope."""
        column: Ints = self.keys[0]
        return column

    @property
    def week(self) -> Ints:
        """Each row's week."""
        column: Ints = self.keys[1]
        return column

    @property
    def due(self) -> Ints:
        """The span in which each row will count, 0 where it does."""
        column: Ints = self.keys[2]
        return column

    def plus(self, other: Counts) -> Counts:
        """Both together."""
        if not len(other.scope):
            return self
        scopes, mine, theirs = of_both(self.scopes, other.scopes)
        keys, more = self.keys, other.keys.copy()
        if scopes is not self.scopes:
            keys = np.concatenate([mine[keys[:1]], keys[1:]])
        more[0] = theirs[more[0]]
        own, code = _codes(keys, more)
        place = np.searchsorted(own, code)
        is_known = np.append(own, -1)[place] == code
        known, new = np.flatnonzero(is_known), np.flatnonzero(~is_known)
        sums = self.sums.copy()
        sums[:, place[known]] += other.sums[:, known]
        if len(new):
            order = np.argsort(np.concatenate([own, code[new]]), kind="stable")
            keys = np.concatenate([keys, more[:, new]], axis=1)[:, order]
            sums = np.concatenate([sums, other.sums[:, new]], axis=1)[:, order]
        return Counts(scopes, keys, self.names, sums)._without_nought()

    def matured(self, span: int) -> Counts:
        """With what was due in spans before this one counting now."""
        is_over = (self.due > 0) & (self.due < span)
        if not is_over.any():
            return self
        due = np.where(is_over, 0, self.due)
        return replace(self, keys=np.stack([self.scope, self.week, due]))._sorted()._without_nought()

    def since(self, week: int) -> Counts:
        """Those of a week on."""
        return self._at(np.flatnonzero(self.week >= week))

    def gathered(self, week: int) -> Counts:
        """With all that was before a week as one, the week before it: so much a level wants to know of it."""
        if not len(self.week) or self.week.min() >= week - 1:
            return self
        keys = np.stack([self.scope, np.maximum(self.week, week - 1), self.due])
        return replace(self, keys=keys)._sorted()._without_nought()

    def counting(self) -> Counts:
        """Those that count now."""
        return self._at(np.flatnonzero(self.due == 0)) if self.due.any() else self

    def named(self, name: str) -> Ints:
        """One of the sums."""
        column: Ints = self.sums[self.names.index(name)]
        return column

    def part(self, told: Whole, metric: Metric, by: tuple[str, ...], first_week: int) -> Coded:
        """One part's cells, as if it had been asked for from ``first_week`` on by itself."""
        n = self.named(told.n)
        is_level = metric.fill in LEVELS
        kept = np.flatnonzero(n > 0 if is_level else (n > 0) & (self.week >= first_week))
        n, week, scope = n[kept], self.week[kept], self.scope[kept]
        sums = n * told.numerator if isinstance(told.numerator, int) else self.named(told.numerator)[kept]
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
        keys = self.keys if scopes is self.scopes else np.concatenate([scope[None], self.keys[1:]])
        numbers = self._is_number()
        blocks = [_small(one) for one in (keys, self.sums[numbers], self.sums[~numbers])]
        return msgspec.msgpack.encode([scopes.values, self.names, blocks])

    @classmethod
    def unpacked(cls, packed: bytes, keys: Sequence[str], known: dict[Any, Scopes]) -> Counts:
        """What was kept; ``known``: scopes that were unpacked before, so that equal ones are the same."""
        values, names, blocks = msgspec.msgpack.decode(packed, type=_Packed)
        own, numbers, others = (np.frombuffer(of, dtype=kind).reshape(shape) for kind, shape, of in blocks)
        found = cls(
            known.setdefault((keys, values), Scopes.of_values(keys, values)),
            own.astype(np.int64),
            names,
            np.empty((len(names), own.shape[1]), np.int64),
        )
        is_number = found._is_number()
        found.sums[is_number], found.sums[~is_number] = numbers, others
        return found

    # --- inside -----------------------------------------------------------------------------------------------

    def _is_number(self) -> npt.NDArray[np.bool_]:
        """Which of the sums are numbers of rows."""
        return np.array([name.startswith("n") for name in self.names])

    def _at(self, rows: Ints) -> Counts:
        if len(rows) == self.keys.shape[1]:
            return self
        return Counts(self.scopes, self.keys[:, rows], self.names, self.sums[:, rows])

    def _sorted(self) -> Counts:
        """Sorted, those of the same scope, week and span together."""
        (code,) = _codes(self.keys)
        if (code[1:] > code[:-1]).all():
            return self
        order = np.argsort(code, kind="stable")
        code = code[order]
        begins = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]]))
        sums = np.add.reduceat(self.sums[:, order], begins, axis=1)
        return Counts(self.scopes, self.keys[:, order[begins]], self.names, sums)

    def _without_nought(self) -> Counts:
        """Only rows that have any sum; of what is added or taken away the number may be nought, and another not."""
        return self._at(np.flatnonzero(self.sums.any(axis=0)))


_Packed = tuple[tuple[tuple[str, ...], ...], tuple[str, ...], tuple[tuple[str, tuple[int, int], bytes], ...]]


def _codes(*some: Ints) -> list[Ints]:
    """Each row's scope, week and span as one number, which sorts as they do."""
    scope, week, due = some[0] if len(some) == 1 else np.concatenate(some, axis=1)
    width, code = code_of(week, due)
    return np.split(scope * width + code, np.cumsum([one.shape[1] for one in some])[:-1])


def code_of(week: Ints, due: Ints) -> tuple[int, Ints]:
    """Numbers that sort by week and span, and what they are below."""
    if not len(week):
        return 1, week
    code = week - week.min()
    width = int(code.max()) + 1
    if due.any():
        spans = np.where(due > 0, due - due[due > 0].min() + 1, 0)
        size = int(spans.max()) + 1
        code, width = code * size + spans, width * size
    return width, code


def _small(block: Ints) -> tuple[str, tuple[int, ...], bytes]:
    """A block of numbers in as few bytes as hold each: of which kind, its shape, and the bytes."""
    low, high = (int(block.min()), int(block.max())) if block.size else (0, 0)
    limits = ((kind, np.iinfo(kind)) for kind in ("<i1", "<i2", "<i4", "<i8"))
    kind = next(kind for kind, limit in limits if limit.min <= low and high <= limit.max)
    return kind, block.shape, block.astype(kind).tobytes()
