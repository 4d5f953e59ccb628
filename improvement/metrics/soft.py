"""Soft factors: how the customer perceives the service. They make the difference."""

from __future__ import annotations

from typing import Any

import ibis

from improvement.metrics.catalogue import SURVEY_WHERE, TICKET_WHERE, Metric
from improvement.metrics.cells import CellQuery, Tables, dimension, filtered, grouped, week_from, within

ONE = ibis.literal(1)


def csat_mean(tables: Tables, query: CellQuery) -> Any:
    """Score sum over answered surveys, by the week of the answer."""
    table = filtered(tables.surveys, query)
    table = table.filter(table.score.notnull())
    table = within(table, tables, table.answered_day, table.answered_at)
    return grouped(table, query, week=week_from(table.answered_day), numerator=table.score, denominator=ONE)


def contact_gap(tables: Tables, query: CellQuery) -> Any:
    """The days on which an account was spoken to: contacts, answered surveys, and its first ticket as the start.

    ``numerator`` carries the day, ``denominator`` a number that stands for the account.
    """
    contacts = filtered(tables.contacts, query)
    contacts = contacts.filter(contacts.at <= tables.as_of)
    surveys = filtered(tables.surveys, query)
    surveys = surveys.filter(surveys.answered_at <= tables.as_of)
    tickets = filtered(tables.tickets, query)
    tickets = tickets.filter(tickets.opened_at <= tables.as_of)
    days = (
        _seen(contacts, query, contacts.at_day)
        .union(_seen(surveys, query, surveys.answered_day))
        .union(_first(tickets, query))
    )
    days = days.filter(week_from(days.day) <= tables.last_week)
    keys = [*query.by, "account"]
    weekly = days.group_by(*keys, week=week_from(days.day)).agg(numerator=days.day.max().cast("float64"), n=days.count())
    numbered = weekly.mutate(denominator=weekly.account.hash().cast("float64"))
    return numbered.drop("account")


def _seen(table: Any, query: CellQuery, day: Any) -> Any:
    return table.select(**{name: dimension(table, name) for name in query.by}, account=dimension(table, "customer"), day=day)


def _first(table: Any, query: CellQuery) -> Any:
    seen = _seen(table, query, table.opened_day)
    return seen.group_by([*query.by, "account"]).agg(day=seen.day.min())


SOFT = (
    Metric(
        id="csat_mean",
        title="Customer satisfaction",
        definition="Mean score of answered satisfaction surveys; always read it with the response rate.",
        unit="points",
        direction="higher",
        date_basis="answered",
        numerator="sum of scores",
        denominator="answered surveys",
        family="score",
        where_keys=SURVEY_WHERE,
        expression=csat_mean,
        example="Scores 5, 4 and 3: 12 / 3 = 4.00 points.",
    ),
    Metric(
        id="contact_gap",
        title="Contact gap",
        definition=(
            "Days since a customer was last spoken to (review, call, visit, mail, chat, or a survey answered), at the "
            "end of the week; an account never spoken to counts from its first ticket."
        ),
        unit="days",
        direction="lower",
        date_basis="end of week",
        numerator="days since the last contact, summed over accounts",
        denominator="accounts",
        family=None,
        where_keys=TICKET_WHERE,
        expression=contact_gap,
        is_snapshot=True,
        example="Two accounts, last spoken to 10 and 30 days ago: 20 days.",
    ),
)
