"""From canonical tables to weekly cells: one lazy query per metric, filter and grouping.

The query's text never changes from cycle to cycle: the moment and the weeks come from a one-row table
``parameters``, so that an engine compiles it once. Weeks that hold nothing are added afterwards (:func:`complete`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from improvement.metrics.catalogue import NONE, Metric

Where = tuple[tuple[str, tuple[str | int | bool, ...]], ...]


@dataclass(frozen=True, slots=True)
class CellQuery:
    """What to count: a metric on one connection, filtered and grouped. Hashable, so that its SQL is kept."""

    metric: str
    connection: str
    where: Where = ()
    by: tuple[str, ...] = ()
    stratum: str | None = None
    tau_h: float | None = None


def where_from(conditions: Mapping[str, Any]) -> Where:
    """The hashable form of a rule's ``where``: every value a tuple, keys sorted."""
    items = []
    for key, value in sorted(conditions.items()):
        values = tuple(value) if isinstance(value, list | tuple) else (value,)
        items.append((key, values))
    return tuple(items)


@dataclass(frozen=True, slots=True)
class Tables:
    """The canonical tables as Ibis sees them, tombstones left out, and the one-row ``parameters``."""

    tickets: Any
    slas: Any
    surveys: Any
    contacts: Any
    outages: Any
    parameters: Any

    @property
    def as_of(self) -> Any:
        """The moment up to which events count."""
        return self.parameters.as_of.as_scalar()

    @property
    def first_week(self) -> Any:
        """The first week asked for."""
        return self.parameters.first_week.as_scalar()

    @property
    def last_week(self) -> Any:
        """The last week asked for."""
        return self.parameters.last_week.as_scalar()


COLUMN_OF = {"sla.target": "target", "sla.agreement": "agreement", "survey.kind": "survey_kind"}


def filtered(table: Any, query: CellQuery) -> Any:
    """The rows of the query's connection that meet its conditions."""
    kept = table.filter(table.connection == query.connection)
    for key, values in query.where:
        column = kept[COLUMN_OF.get(key, key)]
        kept = kept.filter(column == values[0] if len(values) == 1 else column.isin(values))
    return kept


def week_from(day: Any) -> Any:
    """The ISO week of a local day number (both counted from 1970)."""
    return ((day + 3) // 7).cast("int64")


def dimension(table: Any, name: str) -> Any:
    """A dimension as text; a missing one is the scope value ``(none)``."""
    return ibis.coalesce(table[name].cast("string"), ibis.literal(NONE)).name(name)


def grouped(table: Any, query: CellQuery, *, week: Any, numerator: Any, denominator: Any) -> Any:
    """Sum numerator and denominator by scope, week and stratum."""
    columns = {name: dimension(table, name) for name in query.by}
    if query.stratum is not None:
        columns["stratum"] = dimension(table, query.stratum).name("stratum")
    keyed = table.select(
        **columns,
        week=week,
        numerator=numerator.cast("float64"),
        denominator=denominator.cast("float64"),
    )
    keys = [*columns, "week"]
    return keyed.group_by(keys).agg(
        numerator=keyed.numerator.sum(), denominator=keyed.denominator.sum(), n=keyed.count()
    )


def within(table: Any, tables: Tables, day: Any, moment: Any) -> Any:
    """Rows whose event lies in the weeks asked for and not after the moment."""
    week = week_from(day)
    return table.filter(moment <= tables.as_of, week >= tables.first_week, week <= tables.last_week)


def complete(metric: Metric, query: CellQuery, found: pa.Table, *, first_week: int, last_week: int) -> pa.Table:
    """Cells with every week that counts: zero weeks for counts, carried-forward weeks for snapshots.

    Returns the columns ``by…, week, numerator, denominator, n[, stratum]``, sorted by scope and week, so that the
    same data give the same bytes.
    """
    if metric.is_snapshot:
        found = _carried_forward(metric, query, found, first_week, last_week)
    elif metric.family == "count" or metric.family is None and metric.unit == "tickets":
        found = _with_zero_weeks(query, found, last_week)
    keys = [*query.by, "week", *(["stratum"] if query.stratum is not None else [])]
    return found.select([*keys, "numerator", "denominator", "n"]).sort_by([(key, "ascending") for key in keys])


def _scopes(query: CellQuery, table: pa.Table) -> dict[tuple[str, ...], np.ndarray]:
    """Row numbers by scope (and stratum)."""
    keys = [*query.by, *(["stratum"] if query.stratum is not None else [])]
    if not keys:
        return {(): np.arange(table.num_rows)}
    columns = [table[key].to_pylist() for key in keys]
    rows: dict[tuple[str, ...], list[int]] = {}
    for index, scope in enumerate(zip(*columns, strict=True)):
        rows.setdefault(scope, []).append(index)
    return {scope: np.array(indices) for scope, indices in rows.items()}


def _rebuilt(query: CellQuery, parts: list[tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray, np.ndarray]]) -> pa.Table:
    keys = [*query.by, *(["stratum"] if query.stratum is not None else [])]
    columns: dict[str, pa.Array] = {}
    for position, key in enumerate(keys):
        columns[key] = pa.array([scope[position] for scope, weeks, *_ in parts for _ in range(len(weeks))], pa.string())
    joined = [np.concatenate([part[index] for part in parts]) if parts else np.zeros(0) for index in range(1, 5)]
    columns["week"] = pa.array(joined[0].astype(np.int64))
    columns["numerator"] = pa.array(joined[1].astype(np.float64))
    columns["denominator"] = pa.array(joined[2].astype(np.float64))
    columns["n"] = pa.array(joined[3].astype(np.int64))
    return pa.table(columns)


def _with_zero_weeks(query: CellQuery, found: pa.Table, last_week: int) -> pa.Table:
    """From a scope's first week on, a week without rows is a count of zero over one week of exposure."""
    week = found["week"].to_numpy()
    numerator, n = found["numerator"].to_numpy(), found["n"].to_numpy()
    parts = []
    for scope, rows in _scopes(query, found).items():
        if not len(rows):
            continue
        weeks = np.arange(week[rows].min(), last_week + 1)
        counts, volume = np.zeros(len(weeks)), np.zeros(len(weeks))
        counts[week[rows] - weeks[0]] = numerator[rows]
        volume[week[rows] - weeks[0]] = n[rows]
        parts.append((scope, weeks, counts, np.ones(len(weeks)), volume))
    return _rebuilt(query, parts)


def _carried_forward(metric: Metric, query: CellQuery, found: pa.Table, first_week: int, last_week: int) -> pa.Table:
    """Snapshots at the end of each week, from changes per week (backlog) or the last day seen (contact gap)."""
    week = found["week"].to_numpy()
    numerator, denominator = found["numerator"].to_numpy(), found["denominator"].to_numpy()
    parts = []
    for scope, rows in _scopes(query, found).items():
        if not len(rows):
            continue
        start = int(week[rows].min())
        weeks = np.arange(start, last_week + 1)
        if not len(weeks):
            continue
        changes = np.zeros(len(weeks))
        if metric.id == "backlog_open":
            np.add.at(changes, week[rows] - start, numerator[rows])
            values, accounts = np.cumsum(changes), np.ones(len(weeks))
            volume = values
        else:
            values, accounts = _gaps(week[rows], numerator[rows], denominator[rows], weeks)
            volume = accounts
        keep = weeks >= first_week
        parts.append((scope, weeks[keep], values[keep], accounts[keep], np.maximum(volume[keep], 0)))
    return _rebuilt(query, parts)


def _gaps(
    seen_week: np.ndarray, seen_day: np.ndarray, account: np.ndarray, weeks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sum over accounts of days since the last contact at each week's Sunday, and the number of accounts."""
    total, accounts = np.zeros(len(weeks)), np.zeros(len(weeks))
    sundays = weeks * 7 + 3
    for one in np.unique(account):
        mine = account == one
        last = np.full(len(weeks), -np.inf)
        np.maximum.at(last, seen_week[mine] - weeks[0], seen_day[mine])
        last = np.maximum.accumulate(last)
        known = np.isfinite(last)
        total[known] += sundays[known] - last[known]
        accounts[known] += 1
    return total, accounts


def empty(query: CellQuery) -> pa.Table:
    """No cells, with the columns of a query."""
    return _rebuilt(query, [])


def scope_rows(table: pa.Table, scope: Mapping[str, str]) -> pa.Table:
    """The rows of one scope."""
    mask: Any = None
    for key, value in scope.items():
        is_match = pc.equal(table[key], value)
        mask = is_match if mask is None else pc.and_(mask, is_match)
    return table if mask is None else table.filter(mask)
