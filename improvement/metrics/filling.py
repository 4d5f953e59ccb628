"""Weeks without rows: zero for counts, the level that stands for snapshots; nothing for rates and means.

Arrays only, one pass over the cells: the cost follows scopes × weeks, not tickets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from improvement.metrics.catalogue import Fill, Metric
from improvement.metrics.cells import CellQuery
from improvement.metrics.coded import Coded, Floats, Ints, Scopes, coded, floats, ints


def complete(metric: Metric, query: CellQuery, found: pa.Table, *, first_week: int, last_week: int) -> pa.Table:
    """The cells of ``first_week … last_week``, every week that says something present.

    Returns the columns ``by…, week, numerator, denominator, n[, stratum]``, sorted by scope, week and stratum, so
    that the same data give the same bytes. ``found`` may hold the week before the first one: all that happened
    earlier, which tells from when on a scope exists and at which level it starts.
    """
    return completed(metric, query, found, first_week=first_week, last_week=last_week).table()


def completed(metric: Metric, query: CellQuery, found: pa.Table, *, first_week: int, last_week: int) -> Coded:
    """The same in numbers."""
    if metric.fill is Fill.SINCE_LAST:
        return _since_last(query, found, first_week, last_week)
    return filled(metric, Coded.of(found, query.by, query.keys), first_week=first_week, last_week=last_week)


def filled(metric: Metric, found: Coded, *, first_week: int, last_week: int) -> Coded:
    """What was found in numbers, with the weeks that are missing; not of a metric that tells days since the last."""
    return _FILLS[metric.fill](found, first_week, last_week)


# Each fill gives the cells sorted by series and week.


def _as_found(found: Coded, first_week: int, last_week: int) -> Coded:
    scope, week = found.scope, found.week
    is_later = (scope[1:] > scope[:-1]) | ((scope[1:] == scope[:-1]) & (week[1:] >= week[:-1]))
    if is_later.all():
        return found
    order = np.lexsort((week, scope))
    numerator, denominator, n = found.numerator[order], found.denominator[order], found.n[order]
    return Coded(found.by, found.scopes, scope[order], week[order], numerator, denominator, n)


def _with_zeros(found: Coded, first_week: int, last_week: int) -> Coded:
    """A count: from the week a scope first had a ticket on, each week is one of exposure."""
    spine = _Spine.of(found, first_week, last_week)
    n = spine.placed(found.n)
    numerator = spine.placed(found.numerator)
    return spine.cells(numerator, np.ones(len(numerator)), n)


def _running(found: Coded, first_week: int, last_week: int) -> Coded:
    """A level: the sum of all changes up to each week's end."""
    spine = _Spine.of(found, first_week, last_week)
    level = spine.running_sums(spine.placed(found.numerator))
    return spine.cells(level, np.ones(len(level)), np.maximum(level, 0))


def _since_last(query: CellQuery, found: pa.Table, first_week: int, last_week: int) -> Coded:
    """Days from each account's last contact to each week's Sunday, summed over the accounts known by then.

    ``found`` has a row per account and week: ``numerator`` the last day of contact, ``denominator`` the first day a
    ticket was opened (either may be missing). An account without any contact so far counts from its first ticket.
    """
    _, account = coded(found, [*query.keys, "account"])
    scopes, scope = coded(found, query.keys)
    width = max(last_week - first_week + 2, 1)
    week = ints(found["week"]) - (first_week - 1)
    inside = (week >= 0) & (week < width)
    shape = (int(account.max()) + 1 if len(account) else 0, width)
    contact, start = np.full(shape, -np.inf), np.full(shape, np.inf)
    np.maximum.at(contact, (account[inside], week[inside]), floats(found["numerator"], -np.inf)[inside])
    np.minimum.at(start, (account[inside], week[inside]), floats(found["denominator"], np.inf)[inside])
    contact = np.maximum.accumulate(contact, axis=1)
    start = np.minimum.accumulate(start, axis=1)
    last = np.where(np.isfinite(contact), contact, start)
    sundays = np.arange(first_week - 1, last_week + 1) * 7 + 3
    is_known = np.isfinite(last)
    gap = np.where(is_known, sundays - np.where(is_known, last, 0.0), 0.0)
    scope_of = np.zeros(shape[0], dtype=np.int64)
    scope_of[account] = scope
    days, accounts = np.zeros((len(scopes), width)), np.zeros((len(scopes), width))
    np.add.at(days, scope_of, gap)
    np.add.at(accounts, scope_of, is_known.astype(np.float64))
    row, column = np.nonzero(accounts[:, 1:])
    shown = accounts[row, column + 1]
    n = shown.astype(np.int64)
    return Coded(query.by, scopes, row, column + first_week, days[row, column + 1], shown, n)


_FILLS = {
    Fill.ABSENT: _as_found,
    Fill.ZERO: _with_zeros,
    Fill.RUNNING_SUM: _running,
    Fill.AT_END: _as_found,
}


@dataclass(frozen=True, slots=True, eq=False)
class _Spine:
    """Every series' consecutive weeks, from its first one (at the earliest the week before the window) to the last.

    The series lie one after the other; ``offset`` is where each begins, ``start`` its first week.
    """

    by: tuple[str, ...]
    scopes: Scopes
    start: Ints
    length: Ints
    offset: Ints
    position: Ints  # of each found row in the spine
    first_week: int

    @classmethod
    def of(cls, found: Coded, first_week: int, last_week: int) -> _Spine:
        """The spine of these cells."""
        start = np.full(len(found.scopes), np.iinfo(np.int64).max)
        np.minimum.at(start, found.scope, found.week)
        length = np.maximum(last_week + 1 - start, 0)
        offset = np.cumsum(length) - length
        position = offset[found.scope] + found.week - start[found.scope]
        return cls(found.by, found.scopes, start, length, offset, position, first_week)

    def placed(self, values: Floats | Ints) -> Floats:
        """Values at their weeks, zero elsewhere."""
        column = np.zeros(int(self.length.sum()))
        np.add.at(column, self.position, values)
        return column

    def running_sums(self, changes: Floats) -> Floats:
        """Cumulative sums, each series for itself."""
        total = np.cumsum(changes)
        has_weeks = self.length > 0
        before = np.zeros(len(self.length))
        before[has_weeks] = total[self.offset[has_weeks]] - changes[self.offset[has_weeks]]
        sums: Floats = total - np.repeat(before, self.length)
        return sums

    def cells(self, numerator: Floats, denominator: Floats, n: Floats) -> Coded:
        """The weeks of the window as cells."""
        series = np.repeat(np.arange(len(self.length)), self.length)
        week = np.arange(len(series)) - np.repeat(self.offset, self.length) + np.repeat(self.start, self.length)
        keep = np.flatnonzero(week >= self.first_week)
        sums = numerator[keep], denominator[keep], n[keep].astype(np.int64)
        return Coded(self.by, self.scopes, series[keep], week[keep], *sums)
