"""Metrics: each one function from canonical records to weekly cells."""

from __future__ import annotations

from improvement.errors import InputError
from improvement.metrics.catalogue import DIMENSIONS, NONE, Metric
from improvement.metrics.cells import CellQuery, Tables, complete, scope_rows, where_from
from improvement.metrics.hard import HARD
from improvement.metrics.soft import SOFT

CATALOGUE: dict[str, Metric] = {metric.id: metric for metric in (*HARD, *SOFT)}


def metric_named(name: str) -> Metric:
    """The metric of this id; :class:`InputError` naming the ones that exist."""
    if name not in CATALOGUE:
        raise InputError(f"There is no metric “{name}”.", mend=f"Known metrics: {', '.join(sorted(CATALOGUE))}.")
    return CATALOGUE[name]


def expression(query: CellQuery, tables: Tables) -> object:
    """The lazy query that gives a metric's raw cells."""
    return metric_named(query.metric).expression(tables, query)


__all__ = [
    "CATALOGUE",
    "DIMENSIONS",
    "NONE",
    "CellQuery",
    "Metric",
    "Tables",
    "complete",
    "expression",
    "metric_named",
    "scope_rows",
    "where_from",
]
