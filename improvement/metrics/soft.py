"""Soft factors: how the customer perceives the service. They make the difference."""

from __future__ import annotations

from typing import Any

from improvement.metrics.catalogue import CONTACT_WHERE, SURVEY_WHERE, Fill, Metric
from improvement.metrics.cells import (
    CellQuery,
    Tables,
    dimension,
    dimensions,
    filtered,
    rows,
    until,
    week_from,
    week_or_before,
    within,
)
from improvement.metrics.engine import ibis

ONE = 1
GRIEVANCES = ("complaint", "escalation")  # kinds of contacts by which nobody was spoken to yet


def csat_mean(tables: Tables, query: CellQuery) -> Any:
    """Scores of answered satisfaction surveys on a scale of 1 to 5, by the week of the answer."""
    table = answered(tables, query, "csat")
    return rows(table, query, week=week_from(table.answered_day), numerator=on_five(table), denominator=ONE)


def answered(tables: Tables, query: CellQuery, kind: str) -> Any:
    """Surveys of a kind that were answered with a score in the weeks asked for."""
    table = filtered(tables.surveys, query)
    table = table.filter(table.survey_kind == kind, table.score.notnull())
    return within(table, tables, table.answered_day, table.answered_at)


def on_five(table: Any) -> Any:
    """Scores on a scale of 1 to 5."""
    low, high = table.scale_min, table.scale_max
    mapped = 1.0 + 4.0 * (table.score - low) / (high - low)
    is_other = (high > low) & ((low != 1.0) | (high != 5.0))
    return ibis.ifelse(is_other.fill_null(False), mapped, table.score)


def contact_gap(tables: Tables, query: CellQuery) -> Any:
    """The days on which an account was spoken to, and the day its first ticket was opened, from which a gap starts.

    ``numerator`` is the day of a contact or an answered survey, ``denominator`` that of the first ticket;
    ``account`` is the customer.
    """
    contacts = filtered(tables.contacts, query)
    contacts = contacts.filter(~contacts.kind.isin(GRIEVANCES))
    surveys = filtered(tables.surveys, query)
    tickets = filtered(tables.tickets, query)
    contacts = until(contacts, tables, contacts.at_day, contacts["at"])
    surveys = until(surveys, tables, surveys.answered_day, surveys.answered_at)
    tickets = until(tickets, tables, tickets.opened_day, tickets.opened_at)
    spoken = [
        _event(contacts, query, tables, id=contacts.id, contact=contacts.at_day),
        _event(surveys, query, tables, id=surveys.id, contact=surveys.answered_day),
    ]
    keys = {**dimensions(tickets, query), "account": dimension(tickets, "customer")}
    first = tickets.select(**keys, opened_day=tickets.opened_day).group_by(list(keys)).agg(day=ibis._.opened_day.min())
    start = first.select(
        *keys,
        id=ibis.null("string"),
        week=week_or_before(first.day, tables),
        numerator=ibis.null("float64"),
        denominator=first.day.cast("float64"),
    )
    return spoken[0].union(spoken[1]).union(start)


def last_days(table: Any, query: CellQuery) -> Any:
    """Per series, account and week: the last day of contact and the first day of a ticket."""
    return table.group_by([*query.keys, "account", "week"]).agg(
        numerator=table.numerator.max(), denominator=table.denominator.min(), n=table.count()
    )


def _event(table: Any, query: CellQuery, tables: Tables, *, id: Any, contact: Any) -> Any:
    return table.select(
        **dimensions(table, query),
        account=dimension(table, "customer"),
        id=id,
        week=week_or_before(contact, tables),
        numerator=contact.cast("float64"),
        denominator=ibis.null("float64"),
    )


SOFT = (
    Metric(
        id="csat_mean",
        title="Customer satisfaction",
        definition=(
            "Mean score of satisfaction surveys answered in the week, on a scale of 1 to 5 (other scales are mapped "
            "onto it); always read it with the response rate."
        ),
        unit="points",
        direction="higher",
        date_basis="answered",
        numerator="sum of scores",
        denominator="answered surveys",
        family="score",
        where_keys=SURVEY_WHERE,
        rows=csat_mean,
        beside="response_rate",
        example="Scores 5, 4 and 3: 12 / 3 = 4.00 points.",
    ),
    Metric(
        id="contact_gap",
        title="Contact gap",
        definition=(
            "Days since a customer was last spoken to (review, call, visit, mail, chat, or a survey answered), at the "
            "end of the week; an account never spoken to counts from its first ticket. Complaints and escalations are "
            "no conversations."
        ),
        unit="days",
        direction="lower",
        date_basis="end of week",
        numerator="days since the last contact, summed over accounts",
        denominator="accounts",
        family=None,
        where_keys=CONTACT_WHERE,
        rows=contact_gap,
        gathered=last_days,
        fill=Fill.SINCE_LAST,
        example="Two accounts, last spoken to 10 and 30 days ago: 20 days.",
    ),
)
