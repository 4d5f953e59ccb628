"""Hard factors of how work is handled: passed around, solved at once, coming back."""

from __future__ import annotations

from typing import Any

from improvement.metrics.catalogue import TICKET_WHERE, Metric
from improvement.metrics.cells import CellQuery, Tables, rows, week_from, within
from improvement.metrics.engine import ibis
from improvement.metrics.hard import incidents_of, tickets_of
from improvement.weeks import DAY_S

ONE = 1
SAME = ("customer", "country", "service", "category")


def reassignment_rate(tables: Tables, query: CellQuery) -> Any:
    """Resolved tickets that were handed over at least once, by the week of their resolution."""
    table = tickets_of(tables, query)
    table = within(table, tables, table.resolved_day, table.resolved_at)
    week = week_from(table.resolved_day)
    return rows(table, query, week=week, numerator=(table.reassignment_count > 0).cast("int64"), denominator=ONE)


def first_contact_resolution_rate(tables: Tables, query: CellQuery) -> Any:
    """Resolved incidents that whoever took them solved for good: never handed over, never reopened."""
    table = incidents_of(tables, query)
    table = within(table, tables, table.resolved_day, table.resolved_at)
    is_solved = (table.reassignment_count == 0) & (table.reopen_count == 0)
    return rows(table, query, week=week_from(table.resolved_day), numerator=is_solved.cast("int64"), denominator=ONE)


def repeat_incident_rate(tables: Tables, query: CellQuery) -> Any:
    """Incidents of which another one on the same subject was opened shortly before, by the week they were opened."""
    days = query.options.repeat_days
    table = incidents_of(tables, query)
    table = table.filter(
        table.service.notnull(),
        table.category.notnull(),
        table.opened_at <= tables.as_of,
        table.opened_day >= tables.first_day - days - 1,
        table.opened_day <= tables.last_day,
    )
    subject = ibis.window(group_by=list(SAME), order_by=["opened_at", "id"])
    table = table.mutate(earlier_at=table.opened_at.lag().over(subject))
    table = table.filter(table.opened_day >= tables.first_day)
    since = table.opened_at.epoch_seconds() - table.earlier_at.epoch_seconds()
    is_repeat = (since <= days * DAY_S).fill_null(False)
    return rows(table, query, week=week_from(table.opened_day), numerator=is_repeat.cast("int64"), denominator=ONE)


HANDLING = (
    Metric(
        id="reassignment_rate",
        title="Reassignment rate",
        definition=(
            "Share of resolved tickets that were handed over to another group or person at least once. Each hand-over "
            "costs time and says that the ticket was not where it belonged."
        ),
        unit="share",
        direction="lower",
        date_basis="resolved",
        numerator="resolved tickets reassigned at least once",
        denominator="resolved tickets",
        family="proportion",
        where_keys=TICKET_WHERE,
        rows=reassignment_rate,
        is_share=True,
        example="18 of 60 resolved tickets were handed over: 30 %.",
    ),
    Metric(
        id="first_contact_resolution_rate",
        title="First contact resolution",
        definition=(
            "Share of resolved incidents that the first who took them solved for good: never reassigned, never "
            "reopened. Platforms do not record contacts of a ticket, so these two stand for *solved at the first "
            "contact*; where reassignments are not mapped they count as none, and the share is too high. With `kind` "
            "in the filter it counts tickets of that kind."
        ),
        unit="share",
        direction="higher",
        date_basis="resolved",
        numerator="resolved incidents neither reassigned nor reopened",
        denominator="resolved incidents",
        family="proportion",
        where_keys=TICKET_WHERE,
        rows=first_contact_resolution_rate,
        is_share=True,
        example="42 of 60 resolved incidents were neither reassigned nor reopened: 70 %.",
    ),
    Metric(
        id="repeat_incident_rate",
        title="Repeat incidents",
        definition=(
            "Share of incidents opened in the week that repeat one opened at most N days earlier for the same "
            "customer, country, service and category (N = 7, `metrics.repeat_days`), among the incidents the filter "
            "lets through. The service stands for the configuration item, which records do not hold. Incidents without "
            "service or category cannot be compared and do not count. With `kind` in the filter it counts tickets of "
            "that kind."
        ),
        unit="share",
        direction="lower",
        date_basis="opened",
        numerator="incidents that repeat an earlier one",
        denominator="incidents opened with service and category",
        family="proportion",
        where_keys=TICKET_WHERE,
        rows=repeat_incident_rate,
        is_share=True,
        example="Of 40 incidents opened 6 repeat one of the seven days before: 15 %.",
    ),
)
