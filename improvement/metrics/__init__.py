"""Metrics: each one function from canonical records to the rows that count, summed to weekly cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from improvement.errors import InputError
from improvement.metrics.ages import AGES
from improvement.metrics.availability import AVAILABILITY
from improvement.metrics.beside import BESIDE
from improvement.metrics.catalogue import DIMENSIONS, NONE, Fill, Metric
from improvement.metrics.cells import CellQuery, Tables, scope_rows, summed, where_from
from improvement.metrics.filling import complete
from improvement.metrics.handling import HANDLING
from improvement.metrics.hard import HARD
from improvement.metrics.mood import MOOD
from improvement.metrics.options import MetricOptions, MoodPart
from improvement.metrics.soft import SOFT
from improvement.metrics.voices import VOICES

CATALOGUE: dict[str, Metric] = {
    metric.id: metric for metric in (*HARD, *HANDLING, *AGES, *AVAILABILITY, *SOFT, *VOICES, *MOOD)
}
TOLD_BESIDE: dict[str, Metric] = {metric.id: metric for metric in BESIDE}


def metric_named(name: str) -> Metric:
    """The metric of this id; :class:`InputError` naming the ones that exist."""
    if name not in CATALOGUE:
        raise InputError(f"There is no metric “{name}”.", mend=f"Known metrics: {', '.join(sorted(CATALOGUE))}.")
    return CATALOGUE[name]


def metric_of(query: CellQuery) -> Metric:
    """What a query counts: a metric of the catalogue, or a share that is told beside one."""
    return TOLD_BESIDE.get(query.metric) or metric_named(query.metric)


def query_beside(query: CellQuery) -> CellQuery | None:
    """The cells of the share told beside a metric's; None where there is none."""
    told = metric_named(query.metric).beside
    return replace(query, metric=told, stratum=None) if told else None


def expression(query: CellQuery, tables: Tables) -> Any:
    """The lazy query that gives a metric's raw cells, to be made whole by :func:`complete`."""
    metric = metric_of(query)
    return (metric.gathered or summed)(metric.rows(tables, query), query)


def contributing(query: CellQuery, tables: Tables) -> Any:
    """The lazy query of the rows behind a value: ``by…[, stratum], id, week, numerator, denominator``.

    Of a count the tickets counted, of a level the tickets that make it up, of a state at the end what it was made of at
    the end of the last week. Of a contact gap each account's last contact: ``numerator`` is its day and ``denominator``
    how many there were; without any it is the day of the first ticket, and there is no ``id``. A ``week`` before the
    first one asked for is told as the one before it.
    """
    metric = metric_of(query)
    rows = metric.rows(tables, query)
    rows = rows.mutate(numerator=rows.numerator.cast("float64"))
    if metric.fill is Fill.ZERO:
        return rows.filter(rows.week >= tables.first_week, rows.numerator != 0)
    if metric.fill is Fill.RUNNING_SUM:
        levels = rows.group_by([*query.keys, "id"]).agg(
            week=rows.week.min(), numerator=rows.numerator.sum(), denominator=rows.denominator.max()
        )
        return levels.filter(levels.numerator != 0)
    if metric.fill is Fill.AT_END:
        return rows.filter(rows.week == tables.last_week)
    if metric.fill is Fill.SINCE_LAST:
        is_spoken = rows.numerator.notnull()
        return rows.group_by([*query.keys, "account"]).agg(
            id=rows.id.argmax(rows.numerator),
            week=rows.week.max(where=is_spoken).fill_null(rows.week.min()),
            numerator=rows.numerator.max().fill_null(rows.denominator.min()),
            denominator=rows.numerator.count().cast("float64"),
        )
    return rows


_OF_ROWS = {
    Fill.ABSENT: "sum(numerator) / sum(denominator)",
    Fill.ZERO: "coalesce(sum(numerator), 0) / {weeks:g}",
    Fill.RUNNING_SUM: "coalesce(sum(numerator), 0)",
    Fill.SINCE_LAST: "avg(getvariable('last_day') - numerator)",
    Fill.AT_END: "sum(numerator) / sum(denominator)",
}


def value_of_rows(query: CellQuery, weeks: float) -> str:
    """The SQL aggregate that makes a value of the rows behind it; ``weeks``: how many a count was exposed."""
    metric = metric_of(query)
    if metric.fill is Fill.ZERO and not weeks:  # nothing ever happened in the scope
        return "CAST(NULL AS DOUBLE)"
    return metric.of_rows(query) if metric.of_rows is not None else _OF_ROWS[metric.fill].format(weeks=weeks)


__all__ = [
    "CATALOGUE",
    "DIMENSIONS",
    "NONE",
    "CellQuery",
    "Fill",
    "Metric",
    "MetricOptions",
    "MoodPart",
    "Tables",
    "complete",
    "contributing",
    "expression",
    "metric_named",
    "metric_of",
    "query_beside",
    "scope_rows",
    "value_of_rows",
    "where_from",
]
