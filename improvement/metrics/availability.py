"""Hard factor: how much of the time services were there."""

from __future__ import annotations

from typing import Any

from improvement.metrics.catalogue import OUTAGE_WHERE, Metric
from improvement.metrics.cells import (
    CellQuery,
    Tables,
    constant,
    dimension,
    dimensions,
    filtered,
    until,
    week_from,
    whole_seconds,
)
from improvement.metrics.engine import ibis
from improvement.records import RecordKind
from improvement.weeks import DAY_S

WEEK_MINUTES = 10_080


def availability(tables: Tables, query: CellQuery) -> Any:
    """A row a week for each service a customer uses in a country, less a row for each outage in the week.

    ``numerator`` and ``denominator`` are minutes: those of the week; of an outage the minutes lost (negative), of
    which none is lost twice where outages of one service overlap.
    """
    outages = filtered(tables.outages, query)
    outages = until(outages, tables, outages.begin_day, outages.begin_at)
    outages = outages.filter(outages.kind == "outage")
    return _weeks(tables, query, outages).union(_lost(tables, query, outages))


def _weeks(tables: Tables, query: CellQuery, outages: Any) -> Any:
    """Every week of every service, from its first ticket or outage on; none before outages are recorded at all."""
    tickets = filtered(tables.tickets, query)
    tickets = until(tickets, tables, tickets.opened_day, tickets.opened_at)
    tickets = tickets.filter(tickets.service.notnull())
    used = _used(tickets, query, "opened_day").union(_used(outages, query, "begin_day"))
    keys = [*query.keys, "used"]
    used = used.group_by(keys).agg(day=used.day.min())
    recorded = tables.outages.filter(tables.outages.connection == query.connection)
    recorded = until(recorded, tables, recorded.begin_day, recorded.begin_at)
    used = used.cross_join(recorded.agg(since=recorded.begin_day.min()))
    used = used.filter(used.since.notnull())
    first = ibis.greatest(week_from(ibis.greatest(used.day, used.since)), tables.first_week)
    weekly = used.select(*query.keys, id=used.used, week=ibis.range(first, tables.last_week + 1).unnest())
    minutes = constant(WEEK_MINUTES)
    return weekly.select(*query.keys, "id", "week", numerator=minutes, denominator=minutes)


def _lost(tables: Tables, query: CellQuery, outages: Any) -> Any:
    """What each outage adds to the minutes lost, week by week of the local clock."""
    begin = whole_seconds(outages.begin_at)
    end = whole_seconds(ibis.least(ibis.coalesce(outages.end_at, tables.as_of), tables.as_of))
    table = outages.select(
        **dimensions(outages, query),
        used=_name(outages),
        id=outages.id,
        begin_s=begin,
        end_s=end,
        offset_s=outages.begin_wall_s - begin,
    )
    before = ibis.window(group_by=[*query.keys, "used"], order_by=["begin_s", "id"], preceding=(None, 1))
    table = table.mutate(covered_s=table.end_s.max().over(before))
    table = table.mutate(begin_s=ibis.greatest(table.begin_s, ibis.coalesce(table.covered_s, table.begin_s)))
    table = table.filter(table.end_s > table.begin_s)
    table = table.mutate(begin_s=table.begin_s + table.offset_s, end_s=table.end_s + table.offset_s)
    first = ibis.greatest(week_from(table.begin_s // DAY_S), tables.first_week)
    last = ibis.least(week_from((table.end_s - 1) // DAY_S), tables.last_week)
    table = table.mutate(first=first, last=last)
    table = table.filter(table.first <= table.last)
    weekly = table.select(*query.keys, "id", "begin_s", "end_s", week=ibis.range(table.first, table.last + 1).unnest())
    monday_s = (weekly.week * 7 - 3) * DAY_S
    lost_s = ibis.least(weekly.end_s, monday_s + 7 * DAY_S) - ibis.greatest(weekly.begin_s, monday_s)
    return weekly.select(*query.keys, "id", "week", numerator=lost_s / -60.0, denominator=constant(0))


def _used(table: Any, query: CellQuery, day: str) -> Any:
    """The first day of each service, with its series; by its columns first, because names of all tickets take long."""
    named = dict.fromkeys((*OUTAGE_WHERE, *query.by, *([query.stratum] if query.stratum is not None else [])))
    table = table.group_by(list(named)).agg(day=table[day].min())
    return table.select(**dimensions(table, query), used=_name(table), day=table.day)


def _name(table: Any) -> Any:
    """A customer's service in a country, as one text."""
    customer, country, service = (dimension(table, name) for name in ("customer", "country", "service"))
    return customer + " · " + country + " · " + service


AVAILABILITY = (
    Metric(
        id="availability",
        title="Availability",
        definition=(
            "Share of the time in which services were available: the minutes of the week less the minutes of outages, "
            "over the services each customer uses in each country. Degradations and planned outages take nothing away; "
            "overlapping outages of one service count once, an open one up to now. Agreed service time is around the "
            "clock (10,080 minutes a week); a week across which clocks are changed counts as many. The first record of "
            "any outage on a connection is where it begins: before it nobody knows, and nothing is shown."
        ),
        unit="share",
        direction="higher",
        date_basis="local time of the outage",
        numerator="minutes of the week without outage",
        denominator="minutes of the week, for each service used",
        family=None,
        where_keys=OUTAGE_WHERE,
        rows=availability,
        is_share=True,
        min_sample="10 unless a rule says otherwise; a service counts once a week, an outage in each of its weeks",
        counted_from=(RecordKind.TICKET, RecordKind.OUTAGE),
        example="One service, two outages of 60 and 90 minutes with 30 in common: (10,080 − 120) / 10,080 = 98.8 %.",
    ),
)
