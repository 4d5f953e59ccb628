"""Cells in numbers: which scope a row is of is said by its place among the scopes, so that it is looked up once.

What several metrics count of the same rows has the same scopes; texts are made of them only for who reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.catalogue import NONE

MOST_CODES = 2**62  # combinations that one whole number can tell apart
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_Values = tuple[tuple[str, ...], ...]


class Scopes:
    """Distinct combinations of values, sorted column by column."""

    def __init__(
        self, keys: Sequence[str], number: int, values: _Values | None = None, table: pa.Table | None = None
    ) -> None:
        """Ask :meth:`of_values` or :meth:`of_table`: the one form is made of the other when somebody wants it."""
        self.keys = tuple(keys)
        self._number, self._values, self._table = number, values, table

    @classmethod
    def of_values(cls, keys: Sequence[str], values: _Values) -> Scopes:
        """Each scope's values, in the order of the keys."""
        return cls(keys, len(values), values=values)

    @classmethod
    def of_table(cls, keys: Sequence[str], table: pa.Table) -> Scopes:
        """A column of texts for each key, a row for each scope; of no key one without a name."""
        return cls(keys, table.num_rows, table=table)

    @cached_property
    def values(self) -> _Values:
        """Each scope's values, in the order of the keys."""
        if self._values is not None:
            return self._values
        if not self.keys:
            return ((),) * self._number
        columns: list[list[str]] = [self.table[key].to_pylist() for key in self.keys]
        return tuple(zip(*columns, strict=True))

    @cached_property
    def table(self) -> pa.Table:
        """The values as columns; of no key one without a name."""
        if self._table is not None:
            return self._table
        if not self.keys:
            return pa.table({"": pa.nulls(self._number)})
        columns = zip(*self.values, strict=True) if self._number else [()] * len(self.keys)
        return pa.table({key: pa.array(column, pa.string()) for key, column in zip(self.keys, columns, strict=True)})

    def __len__(self) -> int:
        return self._number


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Cells as arrays, a row each. ``by``: the keys that make a scope; a stratum may follow them among the scopes'."""

    by: tuple[str, ...]
    scopes: Scopes
    scope: Ints
    week: Ints
    numerator: Floats
    denominator: Floats
    n: Ints

    @classmethod
    def of(cls, found: pa.Table, by: Sequence[str], keys: Sequence[str]) -> Coded:
        """Cells that were counted; nothing counts as nought."""
        scopes, scope = coded(found, keys)
        numerator, denominator = floats(found["numerator"], 0.0), floats(found["denominator"], 0.0)
        return cls(tuple(by), scopes, scope, ints(found["week"]), numerator, denominator, ints(found["n"]))

    def and_also(self, other: Coded) -> Coded:
        """Both one after the other, by the same keys."""
        scopes, mine, theirs = of_both(self.scopes, other.scopes)
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("week", "numerator", "denominator", "n"))
        scope = np.concatenate([mine[self.scope], theirs[other.scope]])
        return Coded(self.by, scopes, scope, *(np.concatenate(pair) for pair in pairs))

    @property
    def has_strata(self) -> bool:
        """Whether several rows of a week may be of one scope."""
        return len(self.by) < len(self.scopes.keys)

    @property
    def num_rows(self) -> int:
        """How many cells."""
        return len(self.scope)

    def uncoded(self) -> pa.Table:
        """A row each, in their order: ``by…[, stratum], week, numerator, denominator, n``."""
        place = pa.array(self.scope)
        columns = {key: self.scopes.table[key].take(place) for key in self.scopes.keys}
        for name in ("week", "numerator", "denominator", "n"):
            columns[name] = pa.array(getattr(self, name))
        return pa.table(columns)

    def table(self) -> pa.Table:
        """The columns ``by…, week, numerator, denominator, n[, stratum]``; strata sorted within their week."""
        strata = self.scopes.keys[len(self.by) :]
        found = self.uncoded().select([*self.by, "week", "numerator", "denominator", "n", *strata])
        if not self.has_strata:
            return found
        return found.sort_by([(key, "ascending") for key in (*self.by, "week", "stratum")]).combine_chunks()


def coded(table: pa.Table, keys: Sequence[str]) -> tuple[Scopes, Ints]:
    """The distinct combinations of these columns, sorted, and each row's number among them."""
    return combined(keys, [ranked(table[key]) for key in keys], table.num_rows)


def combined(keys: Sequence[str], columns: Sequence[tuple[Ints, pa.Array]], rows: int) -> tuple[Scopes, Ints]:
    """The same of columns as :func:`ranked` gives them."""
    codes, width = np.zeros(rows, dtype=np.int64), 1
    for code, values in columns:
        if width * max(len(values), 1) >= MOST_CODES:
            kept, codes = numbered(codes, width)
            width = len(kept)
        codes = codes * len(values) + code
        width *= max(len(values), 1)
    distinct, codes = numbered(codes, width)
    one_of = any_row_of(codes, len(distinct))
    texts = {key: values.take(pa.array(code[one_of])) for key, (code, values) in zip(keys, columns, strict=True)}
    return Scopes.of_table(keys, pa.table(texts or {"": pa.nulls(len(distinct))})), codes


@lru_cache(maxsize=16)  # what was counted together has the same scopes
def of_both(one: Scopes, other: Scopes) -> tuple[Scopes, Ints, Ints]:
    """The scopes of both, and the place of the one's and of the other's among them."""
    place = {values: number for number, values in enumerate(one.values)}
    mine, found = np.arange(len(place)), one
    new = [values for values in other.values if values not in place]
    if new:
        found = Scopes.of_values(one.keys, tuple(sorted([*one.values, *new])))
        place = {values: number for number, values in enumerate(found.values)}
        mine = np.array([place[values] for values in one.values], dtype=np.int64)
    return found, mine, np.array([place[values] for values in other.values], dtype=np.int64)


def in_use(scopes: Scopes, scope: Ints) -> tuple[Scopes, Ints]:
    """The scopes that rows are of, without all others, and each row's place among them."""
    used, codes = numbered(scope, len(scopes))
    if len(used) == len(scopes):
        return scopes, scope
    return Scopes.of_values(scopes.keys, tuple(scopes.values[place] for place in used)), codes


def ranked(column: pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """A column of texts as numbers, and the values they stand for, sorted; a missing one is ``(none)``."""
    texts = column.combine_chunks()
    encoded = pc.dictionary_encode(pc.fill_null(texts, NONE) if texts.null_count else texts)
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    order = pc.array_sort_indices(encoded.dictionary)
    rank = np.empty(max(len(order), 1), dtype=np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    return rank[encoded.indices.to_numpy(zero_copy_only=False)], encoded.dictionary.take(order)


def numbered(codes: Ints, width: int) -> tuple[Ints, Ints]:
    """The distinct ones of codes below ``width``, sorted, and each code's number among them."""
    if width > max(4 * len(codes), 1024):
        distinct, number = np.unique(codes, return_inverse=True)
        return distinct, number.astype(np.int64, copy=False)
    is_there = np.zeros(width, dtype=np.bool_)
    is_there[codes] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[codes]


def any_row_of(codes: Ints, number: int) -> Ints:
    """Of each of so many codes, which all occur, the place of one row that has it."""
    found = np.zeros(number, dtype=np.int64)
    found[codes] = np.arange(len(codes))
    return found


def ints(column: pa.ChunkedArray) -> Ints:
    """A column of whole numbers; nothing, as a sum over no rows is, as 0."""
    if column.null_count or not pa.types.is_int64(column.type):
        column = pc.fill_null(pc.cast(column, pa.int64()), 0)
    values: Ints = column.to_numpy()
    return values


def floats(column: pa.ChunkedArray, missing: float) -> Floats:
    """A column as floats, ``missing`` where there is nothing."""
    if column.null_count or not pa.types.is_float64(column.type):
        column = pc.fill_null(pc.cast(column, pa.float64()), missing)
    values: Floats = column.to_numpy()
    return values
