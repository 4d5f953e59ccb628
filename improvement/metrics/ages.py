"""Hard factors of what lies about: how old the open tickets are at the end of a week."""

from __future__ import annotations

from typing import Any

from improvement.metrics.catalogue import TICKET_WHERE, Fill, Metric
from improvement.metrics.cells import CellQuery, Tables, constant, dimensions, until, week_from
from improvement.metrics.engine import ibis
from improvement.metrics.hard import tickets_of

QUANTILE = 0.9


def backlog_age(tables: Tables, query: CellQuery) -> Any:
    """Each ticket in each week at whose end it was open, with its age in days."""
    return _ages(tickets_of(tables, query), tables, query)


def problem_age(tables: Tables, query: CellQuery) -> Any:
    """The same of problems alone."""
    table = tickets_of(tables, query)
    return _ages(table.filter(table.kind == "problem"), tables, query)


def ninetieth(table: Any, query: CellQuery) -> Any:
    """Per series and week the age that nine in ten do not exceed, interpolated between neighbours."""
    return table.group_by([*query.keys, "week"]).agg(
        numerator=table.numerator.quantile(QUANTILE), denominator=table.denominator.max(), n=table.count()
    )


def ninetieth_of_rows(query: CellQuery) -> str:
    """The same of the rows of one series and week, in SQL."""
    return f"quantile_cont(numerator, {QUANTILE})"


def _ages(table: Any, tables: Tables, query: CellQuery) -> Any:
    table = until(table, tables, table.opened_day, table.opened_at)
    is_done = (table.done_at <= tables.as_of).fill_null(False)
    done_day = ibis.greatest(table.done_day, table.opened_day)  # some are recorded as resolved before they were opened
    first = ibis.greatest(week_from(table.opened_day), tables.first_week)
    end = ibis.ifelse(is_done, ibis.least(week_from(done_day), tables.last_week + 1), tables.last_week + 1)
    table = table.mutate(first=first, end=end)
    table = table.filter(table.first < table.end)
    weekly = table.select(
        **dimensions(table, query),
        id=table.id,
        opened_day=table.opened_day,
        week=ibis.range(table.first, table.end).unnest(),
    )
    sunday = weekly.week * 7 + 3
    return weekly.select(
        *query.keys,
        "id",
        "week",
        numerator=(sunday - weekly.opened_day).cast("float64"),
        denominator=constant(1),
    )


AGES = (
    Metric(
        id="backlog_age_p90",
        title="Age of the backlog",
        definition=(
            "Age in days that nine in ten of the tickets open at the end of the week do not exceed (90th percentile, "
            "interpolated): opened, and neither resolved nor closed by then. A ticket that is open again is as old as "
            "its first opening; cancelled ones do not count."
        ),
        unit="days",
        direction="lower",
        date_basis="end of week",
        numerator="90th percentile of the open tickets' ages",
        denominator="one",
        family=None,
        where_keys=TICKET_WHERE,
        rows=backlog_age,
        gathered=ninetieth,
        of_rows=ninetieth_of_rows,
        fill=Fill.AT_END,
        min_sample="none unless a rule says so; `min_samples` counts open tickets",
        example="Open for 1, 2, 3, 4 and 30 days: 4 + 0.6 × (30 − 4) = 19.6 days.",
    ),
    Metric(
        id="problem_age_p90",
        title="Age of open problems",
        definition=(
            "Age in days that nine in ten of the problems open at the end of the week do not exceed (90th percentile, "
            "interpolated). A known error that waits for its change is still open."
        ),
        unit="days",
        direction="lower",
        date_basis="end of week",
        numerator="90th percentile of the open problems' ages",
        denominator="one",
        family=None,
        where_keys=TICKET_WHERE,
        rows=problem_age,
        gathered=ninetieth,
        of_rows=ninetieth_of_rows,
        fill=Fill.AT_END,
        min_sample="none unless a rule says so; `min_samples` counts open problems",
        example="Open for 10 and 110 days: 10 + 0.9 × (110 − 10) = 100 days.",
    ),
)
