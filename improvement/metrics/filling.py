"""Weeks without rows: zero for counts, the level that stands for snapshots; nothing for rates and means.

Arrays only, one pass over the cells: the cost follows scopes × weeks, not tickets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.catalogue import Fill, Metric
from improvement.metrics.cells import CellQuery

MOST_CODES = 2**62  # combinations that one whole number can tell apart
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def complete(metric: Metric, query: CellQuery, found: pa.Table, *, first_week: int, last_week: int) -> pa.Table:
    """The cells of ``first_week … last_week``, every week that says something present.

    Returns the columns ``by…, week, numerator, denominator, n[, stratum]``, sorted by scope, week and stratum, so
    that the same data give the same bytes. ``found`` may hold the week before the first one: all that happened
    earlier, which tells from when on a scope exists and at which level it starts.
    """
    cells = _FILLS[metric.fill](query, found, first_week, last_week)
    cells = cells.select(_columns(query))
    if query.stratum is None:
        return cells
    return cells.sort_by([(key, "ascending") for key in (*query.by, "week", "stratum")]).combine_chunks()


def _columns(query: CellQuery) -> list[str]:
    return [*query.by, "week", "numerator", "denominator", "n", *query.keys[len(query.by) :]]


# Each fill gives the cells sorted by series and week.


def _as_found(query: CellQuery, found: pa.Table, first_week: int, last_week: int) -> pa.Table:
    scopes, scope = _codes(found, list(query.keys))
    week = _ints(found["week"])
    order = np.lexsort((week, scope))
    numerator, denominator = (_floats(found[name], 0.0)[order] for name in ("numerator", "denominator"))
    n = _ints(found["n"])[order]
    return _table(query, scopes.take(pa.array(scope[order])), week[order], numerator, denominator, n)


def _with_zeros(query: CellQuery, found: pa.Table, first_week: int, last_week: int) -> pa.Table:
    """A count: from the week a scope first had a ticket on, each week is one of exposure."""
    spine = _Spine.of(query, found, first_week, last_week)
    n = spine.placed(found["n"])
    numerator = spine.placed(found["numerator"])
    return spine.table(query, numerator, np.ones(len(numerator)), n)


def _running(query: CellQuery, found: pa.Table, first_week: int, last_week: int) -> pa.Table:
    """A level: the sum of all changes up to each week's end."""
    spine = _Spine.of(query, found, first_week, last_week)
    level = spine.running_sums(spine.placed(found["numerator"]))
    return spine.table(query, level, np.ones(len(level)), np.maximum(level, 0))


def _since_last(query: CellQuery, found: pa.Table, first_week: int, last_week: int) -> pa.Table:
    """Days from each account's last contact to each week's Sunday, summed over the accounts known by then.

    ``found`` has a row per account and week: ``numerator`` the last day of contact, ``denominator`` the first day a
    ticket was opened (either may be missing). An account without any contact so far counts from its first ticket.
    """
    _, account = _codes(found, [*query.keys, "account"])
    scopes, scope = _codes(found, list(query.keys))
    width = max(last_week - first_week + 2, 1)
    week = _ints(found["week"]) - (first_week - 1)
    inside = (week >= 0) & (week < width)
    shape = (int(account.max()) + 1 if len(account) else 0, width)
    contact, start = np.full(shape, -np.inf), np.full(shape, np.inf)
    np.maximum.at(contact, (account[inside], week[inside]), _floats(found["numerator"], -np.inf)[inside])
    np.minimum.at(start, (account[inside], week[inside]), _floats(found["denominator"], np.inf)[inside])
    contact = np.maximum.accumulate(contact, axis=1)
    start = np.minimum.accumulate(start, axis=1)
    last = np.where(np.isfinite(contact), contact, start)
    sundays = np.arange(first_week - 1, last_week + 1) * 7 + 3
    is_known = np.isfinite(last)
    gap = np.where(is_known, sundays - np.where(is_known, last, 0.0), 0.0)
    scope_of = np.zeros(shape[0], dtype=np.int64)
    scope_of[account] = scope
    days, accounts = np.zeros((scopes.num_rows, width)), np.zeros((scopes.num_rows, width))
    np.add.at(days, scope_of, gap)
    np.add.at(accounts, scope_of, is_known.astype(np.float64))
    row, column = np.nonzero(accounts[:, 1:])
    shown = accounts[row, column + 1]
    return _table(query, scopes.take(pa.array(row)), column + first_week, days[row, column + 1], shown, shown)


_FILLS = {
    Fill.ABSENT: _as_found,
    Fill.ZERO: _with_zeros,
    Fill.RUNNING_SUM: _running,
    Fill.SINCE_LAST: _since_last,
    Fill.AT_END: _as_found,
}


@dataclass(frozen=True, slots=True)
class _Spine:
    """Every series' consecutive weeks, from its first one (at the earliest the week before the window) to the last.

    The series lie one after the other; ``offset`` is where each begins, ``start`` its first week.
    """

    scopes: pa.Table
    start: Ints
    length: Ints
    offset: Ints
    position: Ints  # of each found row in the spine
    first_week: int

    @classmethod
    def of(cls, query: CellQuery, found: pa.Table, first_week: int, last_week: int) -> _Spine:
        """The spine of these cells."""
        scopes, scope = _codes(found, list(query.keys))
        week = _ints(found["week"])
        start = np.full(scopes.num_rows, np.iinfo(np.int64).max)
        np.minimum.at(start, scope, week)
        length = np.maximum(last_week + 1 - start, 0)
        offset = np.cumsum(length) - length
        return cls(scopes, start, length, offset, offset[scope] + week - start[scope], first_week)

    def placed(self, values: pa.ChunkedArray) -> Floats:
        """Values at their weeks, zero elsewhere."""
        column = np.zeros(int(self.length.sum()))
        np.add.at(column, self.position, _floats(values, 0.0))
        return column

    def running_sums(self, changes: Floats) -> Floats:
        """Cumulative sums, each series for itself."""
        total = np.cumsum(changes)
        has_weeks = self.length > 0
        before = np.zeros(len(self.length))
        before[has_weeks] = total[self.offset[has_weeks]] - changes[self.offset[has_weeks]]
        sums: Floats = total - np.repeat(before, self.length)
        return sums

    def table(self, query: CellQuery, numerator: Floats, denominator: Floats, n: Floats) -> pa.Table:
        """The weeks of the window as cells."""
        series = np.repeat(np.arange(len(self.length)), self.length)
        week = np.arange(len(series)) - np.repeat(self.offset, self.length) + np.repeat(self.start, self.length)
        keep = week >= self.first_week
        scopes = self.scopes.take(pa.array(series[keep]))
        return _table(query, scopes, week[keep], numerator[keep], denominator[keep], n[keep])


def _table(
    query: CellQuery, scopes: pa.Table, week: Ints, numerator: Floats, denominator: Floats, n: Floats | Ints
) -> pa.Table:
    columns = {key: scopes[key] for key in query.keys}
    columns["week"] = pa.array(week.astype(np.int64))
    columns["numerator"] = pa.array(numerator.astype(np.float64))
    columns["denominator"] = pa.array(denominator.astype(np.float64))
    columns["n"] = pa.array(n.astype(np.int64))
    return pa.table(columns)


def _codes(table: pa.Table, keys: list[str]) -> tuple[pa.Table, Ints]:
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
    distinct = table.select(keys).take(pa.array(first)) if keys else pa.table({"": pa.nulls(len(first))})
    return distinct, code.astype(np.int64)


def _ints(column: pa.ChunkedArray) -> Ints:
    values: Ints = column.to_numpy().astype(np.int64)
    return values


def _floats(column: pa.ChunkedArray, missing: float) -> Floats:
    values: Floats = pc.fill_null(pc.cast(column, pa.float64()), missing).to_numpy()
    return values
