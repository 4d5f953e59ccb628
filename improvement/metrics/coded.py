"""Cells in numbers: which scope a row is of is said by its place among the scopes, so that it is looked up once.

What several metrics count of the same rows has the same scopes; texts are made of them only for who reads them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MOST_CODES = 2**62  # combinations that one whole number can tell apart
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Scopes:
    """Distinct combinations of values, sorted column by column."""

    def __init__(self, keys: Sequence[str], values: tuple[tuple[str, ...], ...] | pa.Table) -> None:
        self.keys = tuple(keys)
        if isinstance(values, pa.Table):
            self.table = values
        else:
            self.values = values

    @cached_property
    def values(self) -> tuple[tuple[str, ...], ...]:
        """Each scope's values, in the order of the keys."""
        if not self.keys:
            return ((),) * self.table.num_rows
        return tuple(zip(*(self.table[key].to_pylist() for key in self.keys), strict=True))

    @cached_property
    def table(self) -> pa.Table:
        """The values as columns; of no key one without a name."""
        if not self.keys:
            return pa.table({"": pa.nulls(len(self.values))})
        columns = zip(*self.values, strict=True) if self.values else [()] * len(self.keys)
        return pa.table({key: pa.array(column, pa.string()) for key, column in zip(self.keys, columns, strict=True)})

    def __len__(self) -> int:
        return len(self.__dict__["values"]) if "values" in self.__dict__ else int(self.table.num_rows)


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
        sums = (floats(found[name], 0.0) for name in ("numerator", "denominator"))
        return cls(tuple(by), scopes, scope, ints(found["week"]), *sums, ints(found["n"]))

    @property
    def has_strata(self) -> bool:
        """Whether several rows of a week may be of one scope."""
        return len(self.by) < len(self.scopes.keys)

    @property
    def num_rows(self) -> int:
        """How many cells."""
        return len(self.scope)

    def table(self) -> pa.Table:
        """The columns ``by…, week, numerator, denominator, n[, stratum]``; strata sorted within their week."""
        keys = self.scopes.keys
        place = pa.array(self.scope)
        columns = {key: self.scopes.table[key].take(place) for key in keys}
        columns["week"] = pa.array(self.week)
        columns["numerator"] = pa.array(self.numerator)
        columns["denominator"] = pa.array(self.denominator)
        columns["n"] = pa.array(self.n)
        found = pa.table(columns).select([*self.by, "week", "numerator", "denominator", "n", *keys[len(self.by) :]])
        if not self.has_strata:
            return found
        return found.sort_by([(key, "ascending") for key in (*self.by, "week", "stratum")]).combine_chunks()


def coded(table: pa.Table, keys: Sequence[str]) -> tuple[Scopes, Ints]:
    """The distinct combinations of these columns, sorted, and each row's number among them."""
    combined, width = np.zeros(table.num_rows, dtype=np.int64), 1
    for key in keys:
        encoded = pc.dictionary_encode(table[key].combine_chunks())
        values = encoded.dictionary
        rank = np.empty(max(len(values), 1), dtype=np.int64)
        rank[pc.array_sort_indices(values).to_numpy()] = np.arange(len(values))
        if width * len(rank) >= MOST_CODES:
            kept, combined = np.unique(combined, return_inverse=True)
            width = len(kept)
        combined = combined * len(rank) + rank[encoded.indices.to_numpy(zero_copy_only=False)]
        width *= len(rank)
    _, first, code = np.unique(combined, return_index=True, return_inverse=True)
    names = list(keys)
    distinct = table.select(names).take(pa.array(first)) if names else pa.table({"": pa.nulls(len(first))})
    return Scopes(keys, distinct), code.astype(np.int64)


def ints(column: pa.ChunkedArray) -> Ints:
    """A column of whole numbers."""
    values: Ints = column.to_numpy().astype(np.int64, copy=False)
    return values


def floats(column: pa.ChunkedArray, missing: float) -> Floats:
    """A column as floats, ``missing`` where there is nothing."""
    if column.null_count or not pa.types.is_float64(column.type):
        column = pc.fill_null(pc.cast(column, pa.float64()), missing)
    values: Floats = column.to_numpy()
    return values
