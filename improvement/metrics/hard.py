"""Hard factors: what agreements are made of. Taken for granted while they hold."""

from __future__ import annotations

from typing import Any

from improvement.metrics import business
from improvement.metrics.catalogue import DEFAULT_TAU_H, SLA_WHERE, TICKET_WHERE, Fill, Metric
from improvement.metrics.cells import CellQuery, Tables, filtered, rows, until, week_from, week_or_before, within
from improvement.metrics.engine import ibis

ONE = 1


def incident_count(tables: Tables, query: CellQuery) -> Any:
    """Tickets by the week they were opened."""
    table = incidents_of(tables, query)
    table = until(table, tables, table.opened_day, table.opened_at)
    return rows(table, query, week=week_or_before(table.opened_day, tables), numerator=ONE, denominator=ONE)


def major_incident_count(tables: Tables, query: CellQuery) -> Any:
    """Major incidents by the week they were opened; every scope with incidents is listed, if with zero."""
    table = incidents_of(tables, query)
    table = until(table, tables, table.opened_day, table.opened_at)
    week = week_or_before(table.opened_day, tables)
    return rows(table, query, week=week, numerator=table.is_major.cast("int64"), denominator=ONE)


def sla_breach_rate(tables: Tables, query: CellQuery) -> Any:
    """Breached clocks of all clocks whose outcome was decided in the week."""
    table = filtered(tables.slas, query)
    table = table.filter(table.stage != "cancelled")
    table = within(table, tables, table.decided_day, table.decided_at)
    week = week_from(table.decided_day)
    return rows(table, query, week=week, numerator=table.is_breached.cast("int64"), denominator=ONE)


def time_to_respond(tables: Tables, query: CellQuery) -> Any:
    """Hours on the response clock, by the week it stopped."""
    table = filtered(tables.slas, query)
    table = table.filter(table.target == "response", table.stage == "completed", table.clock_s.notnull())
    table = within(table, tables, table.end_day, table.end_at)
    seconds = table.clock_s
    if business.is_wanted(query):
        table = business.with_elapsed(table, tables, query, table.start_at, table.clock_s)
        seconds = ibis.coalesce(table.elapsed_s, table.business_s)
    return rows(table, query, week=week_from(table.end_day), numerator=seconds / 3600.0, denominator=ONE)


def time_to_resolve(tables: Tables, query: CellQuery) -> Any:
    """Restricted hours min(T, τ) of tickets opened in the week and at least τ ago."""
    tau_h = query.tau_h or DEFAULT_TAU_H
    table = matured(tables, query)
    if business.is_wanted(query):
        return _business_hours_to_resolve(table, tables, query)
    hours = ibis.least(table.open_s / 3600.0, tau_h)
    restricted = ibis.cases((table.done_at <= tables.as_of, hours), else_=tau_h)
    return rows(table, query, week=week_from(table.opened_day), numerator=restricted, denominator=ONE)


def _business_hours_to_resolve(table: Any, tables: Tables, query: CellQuery) -> Any:
    """The business hours among the first τ hours of the wall clock in which a ticket was not done.

    So τ restricts alike in both kinds of time, and what an open ticket adds is known when it is τ old.
    """
    tau_s = round((query.tau_h or DEFAULT_TAU_H) * 3600)
    is_done = (table.done_at <= tables.as_of).fill_null(False)
    wall_s = ibis.cases((is_done, ibis.least(table.open_s, tau_s)), else_=tau_s)
    table = business.with_elapsed(table, tables, query, table.opened_at, wall_s)
    hours = table.business_s / 3600.0
    return rows(table, query, week=week_from(table.opened_day), numerator=hours, denominator=ONE)


def reopen_rate(tables: Tables, query: CellQuery) -> Any:
    """Resolved tickets that were reopened at least once, by the week of their resolution."""
    table = tickets_of(tables, query)
    table = within(table, tables, table.resolved_day, table.resolved_at)
    week = week_from(table.resolved_day)
    return rows(table, query, week=week, numerator=(table.reopen_count > 0).cast("int64"), denominator=ONE)


def backlog_open(tables: Tables, query: CellQuery) -> Any:
    """Changes of the backlog: +1 in the week a ticket was opened, −1 in the week it was done."""
    table = tickets_of(tables, query)
    opened = until(table, tables, table.opened_day, table.opened_at)
    plus = rows(opened, query, week=week_or_before(opened.opened_day, tables), numerator=ONE, denominator=ONE)
    done = until(opened, tables, opened.done_day, opened.done_at)
    day = ibis.greatest(done.done_day, done.opened_day)  # some are recorded as resolved before they were opened
    minus = rows(done, query, week=week_or_before(day, tables), numerator=ibis.literal(-1), denominator=ONE)
    return plus.union(minus)


def change_failure_rate(tables: Tables, query: CellQuery) -> Any:
    """Failed changes of those closed with an outcome in the week."""
    table = tickets_of(tables, query)
    table = table.filter(table.kind == "change", table.is_successful.notnull())
    table = within(table, tables, table.closed_day, table.closed_at)
    week = week_from(table.closed_day)
    return rows(table, query, week=week, numerator=(~table.is_successful).cast("int64"), denominator=ONE)


def matured(tables: Tables, query: CellQuery) -> Any:
    """Tickets opened in the weeks asked for and at least τ ago: what becomes of them until τ is known."""
    table = tickets_of(tables, query)
    table = within(table, tables, table.opened_day, table.opened_at)
    tau_s = round((query.tau_h or DEFAULT_TAU_H) * 3600)
    return table.filter(table.opened_at <= tables.as_of - ibis.interval(seconds=tau_s))


def tickets_of(tables: Tables, query: CellQuery) -> Any:
    """The tickets a query asks for, without cancelled ones."""
    table = filtered(tables.tickets, query)
    return table.filter(table.state != "cancelled")


def incidents_of(tables: Tables, query: CellQuery) -> Any:
    """The incidents a query asks for; with ``kind`` in its filter, tickets of that kind."""
    table = tickets_of(tables, query)
    return table if any(key == "kind" for key, _ in query.where) else table.filter(table.kind == "incident")


HARD = (
    Metric(
        id="incident_count",
        title="Incidents opened",
        definition=(
            "How many incidents were opened in a week; cancelled ones do not count. With `kind` in the filter it "
            "counts tickets of that kind."
        ),
        unit="tickets",
        direction="lower",
        date_basis="opened",
        numerator="tickets opened in the week",
        denominator="one week of exposure",
        family="count",
        where_keys=TICKET_WHERE,
        rows=incident_count,
        fill=Fill.ZERO,
        example="40, 44, 38 and 42 tickets in four weeks: 164 / 4 = 41 tickets a week.",
    ),
    Metric(
        id="major_incident_count",
        title="Major incidents",
        definition="How many major incidents were opened in a week; cancelled ones do not count.",
        unit="tickets",
        direction="lower",
        date_basis="opened",
        numerator="major incidents opened in the week",
        denominator="one week of exposure",
        family="count",
        where_keys=TICKET_WHERE,
        rows=major_incident_count,
        fill=Fill.ZERO,
        example="One major incident in four weeks: 1 / 4 = 0.25 a week.",
    ),
    Metric(
        id="sla_breach_rate",
        title="SLA breach rate",
        definition=(
            "Share of agreement clocks that were breached, of those decided in the week: a breach is decided when the "
            "goal runs out, a kept goal when the clock stops. Cancelled clocks do not count."
        ),
        unit="share",
        direction="lower",
        date_basis="decided",
        numerator="breached clocks",
        denominator="decided clocks",
        family="proportion",
        where_keys=SLA_WHERE,
        rows=sla_breach_rate,
        is_share=True,
        example="8 breached of 40 decided clocks: 20 %.",
    ),
    Metric(
        id="time_to_respond",
        title="Time to respond",
        definition=(
            "Mean time on response clocks that stopped in the week, in business hours where the platform computes "
            "them, else by the wall clock. With `business` in the settings: else by the country's calendar."
        ),
        unit="h",
        direction="lower",
        date_basis="response clock stopped",
        numerator="hours on stopped response clocks",
        denominator="stopped response clocks",
        family=None,
        where_keys=SLA_WHERE,
        rows=time_to_respond,
        example="0.5 h and 1.5 h: mean 1.0 h.",
    ),
    Metric(
        id="time_to_resolve",
        title="Time to resolve",
        definition=(
            "Restricted mean time from opening to resolution: min(T, τ) over all tickets opened at least τ ago, so "
            "that open tickets count with τ and nothing is censored. A ticket that is open again is not resolved. With "
            "`business` in the settings: the business hours among those hours, by the country's calendar."
        ),
        unit="h",
        direction="lower",
        date_basis="opened",
        numerator="restricted hours",
        denominator="matured tickets",
        family="time",
        where_keys=TICKET_WHERE,
        rows=time_to_resolve,
        tau_h=DEFAULT_TAU_H,
        beside="open_share",
        example="4 h, 20 h and one still open after τ = 336 h: (4 + 20 + 336) / 3 = 120 h.",
    ),
    Metric(
        id="reopen_rate",
        title="Reopen rate",
        definition="Share of resolved tickets that were reopened at least once.",
        unit="share",
        direction="lower",
        date_basis="resolved",
        numerator="resolved tickets reopened at least once",
        denominator="resolved tickets",
        family="proportion",
        where_keys=TICKET_WHERE,
        rows=reopen_rate,
        is_share=True,
        example="3 of 60 resolved tickets were reopened: 5 %.",
    ),
    Metric(
        id="backlog_open",
        title="Open backlog",
        definition=(
            "How many tickets were open at the end of the week: opened, and neither resolved nor closed by then; "
            "cancelled ones do not count."
        ),
        unit="open tickets",
        direction="lower",
        date_basis="end of week",
        numerator="tickets opened and not yet resolved",
        denominator="one",
        family=None,
        where_keys=TICKET_WHERE,
        rows=backlog_open,
        fill=Fill.RUNNING_SUM,
        example="Opened 120 so far, resolved 104: 16 open.",
    ),
    Metric(
        id="change_failure_rate",
        title="Change failure rate",
        definition="Share of changes that failed, of those closed with an outcome.",
        unit="share",
        direction="lower",
        date_basis="closed",
        numerator="changes closed as not successful",
        denominator="changes closed with an outcome",
        family="proportion",
        where_keys=TICKET_WHERE,
        rows=change_failure_rate,
        is_share=True,
        example="2 failed of 16 closed changes: 12.5 %.",
    ),
)
