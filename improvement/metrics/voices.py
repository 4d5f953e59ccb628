"""Soft factors in the customers' own words: low scores, recommendation, silence, complaints, escalations."""

from __future__ import annotations

from typing import Any

from improvement.metrics.catalogue import CONTACT_WHERE, SURVEY_WHERE, Fill, Metric
from improvement.metrics.cells import CellQuery, Tables, filtered, rows, until, week_from, week_or_before, within
from improvement.metrics.engine import ibis
from improvement.metrics.hard import tickets_of
from improvement.metrics.soft import answered, on_five

ONE = 1
LOW = 2.0
ANSWER_H = 168.0
SERVED = ("incident", "request")


def csat_low_share(tables: Tables, query: CellQuery) -> Any:
    """Answered satisfaction surveys with a score of 1 or 2 of 5."""
    table = answered(tables, query, "csat")
    is_low = (on_five(table) <= LOW).cast("int64")
    return rows(table, query, week=week_from(table.answered_day), numerator=is_low, denominator=ONE)


def nps(tables: Tables, query: CellQuery) -> Any:
    """Answered recommendation surveys: +1 a promoter, −1 a detractor, 0 in between."""
    table = answered(tables, query, "nps")
    low, high = table.scale_min, table.scale_max
    score = ibis.ifelse((high > low).fill_null(False), 10.0 * (table.score - low) / (high - low), table.score)
    side = ibis.cases((score >= 9.0, 1), (score < 7.0, -1), else_=0)
    return rows(table, query, week=week_from(table.answered_day), numerator=side, denominator=ONE)


def survey_response_rate(tables: Tables, query: CellQuery) -> Any:
    """Surveys sent in the week and at least a week ago, and whether they were answered within that time."""
    table = filtered(tables.surveys, query)
    table = table.filter(table.sent_at.notnull())
    table = within(table, tables, table.sent_day, table.sent_at)
    time = ibis.interval(seconds=round((query.tau_h or ANSWER_H) * 3600))
    table = table.filter(table.sent_at <= tables.as_of - time)
    is_answered = (table.score.notnull() & (table.answered_at <= table.sent_at + time)).fill_null(False)
    return rows(table, query, week=week_from(table.sent_day), numerator=is_answered.cast("int64"), denominator=ONE)


def complaint_count(tables: Tables, query: CellQuery) -> Any:
    """Complaints by the week they were made; scopes with tickets are listed, if with zero, once any was recorded."""
    tickets = _since_first(tables, tickets_of(tables, query), query, "complaint")
    week = ibis.greatest(week_or_before(tickets.opened_day, tables), week_or_before(tickets.since, tables))
    quiet = rows(tickets, query, week=week, numerator=ibis.literal(0), denominator=ONE)
    said = _said(tables, query, "complaint")
    week = week_or_before(said.at_day, tables)
    return quiet.union(rows(said, query, week=week, numerator=ONE, denominator=ONE))


def escalation_rate(tables: Tables, query: CellQuery) -> Any:
    """Escalations, and the incidents and requests opened in the same week."""
    return per_ticket(tables, query, "escalation")


def per_ticket(tables: Tables, query: CellQuery, kind: str) -> Any:
    """What customers said of one kind (numerator), and the incidents and requests opened (denominator)."""
    tickets = tickets_of(tables, query)
    tickets = _since_first(tables, tickets.filter(tickets.kind.isin(SERVED)), query, kind)
    tickets = tickets.filter(tickets.opened_day >= tickets.since, tickets.opened_day >= tables.first_day)
    opened = rows(tickets, query, week=week_from(tickets.opened_day), numerator=ibis.literal(0), denominator=ONE)
    said = _said(tables, query, kind)
    said = said.filter(said.at_day >= tables.first_day)
    return opened.union(rows(said, query, week=week_from(said.at_day), numerator=ONE, denominator=ibis.literal(0)))


def _said(tables: Tables, query: CellQuery, kind: str) -> Any:
    table = filtered(tables.contacts, query)
    table = until(table, tables, table.at_day, table["at"])
    return table.filter(table.kind == kind)


def _since_first(tables: Tables, tickets: Any, query: CellQuery, kind: str) -> Any:
    """Tickets with the day of the connection's first record of a kind; none where there is none.

    A platform that records no complaints has not got zero of them.
    """
    known = tables.contacts.filter(tables.contacts.connection == query.connection, tables.contacts.kind == kind)
    known = until(known, tables, known.at_day, known["at"])
    tickets = until(tickets, tables, tickets.opened_day, tickets.opened_at)
    tickets = tickets.cross_join(known.agg(since=known.at_day.min()))
    return tickets.filter(tickets.since.notnull())


VOICES = (
    Metric(
        id="csat_low_share",
        title="Unhappy answers",
        definition=(
            "Share of answered satisfaction surveys with a score of 1 or 2 on the scale of 1 to 5 (other scales are "
            "mapped onto it). A mean hides the few who are really unhappy; this does not."
        ),
        unit="share",
        direction="lower",
        date_basis="answered",
        numerator="answers with a score of at most 2",
        denominator="answered surveys",
        family="proportion",
        where_keys=SURVEY_WHERE,
        rows=csat_low_share,
        is_share=True,
        example="Scores 5, 4, 4 and 2: 1 / 4 = 25 %.",
    ),
    Metric(
        id="nps",
        title="Recommendation (NPS)",
        definition=(
            "Net promoter score as the mean of +1 for promoters (9 or 10 of 10), −1 for detractors (0 to 6) and 0 for "
            "the others, over the recommendation surveys answered in the week (other scales are mapped onto 0 to 10). "
            "0.25 is what is often written as 25. Always read it with the response rate."
        ),
        unit="points",
        direction="higher",
        date_basis="answered",
        numerator="promoters less detractors",
        denominator="answered recommendation surveys",
        family="score",
        where_keys=SURVEY_WHERE,
        rows=nps,
        beside="nps_response_rate",
        min_sample="10 unless a rule says otherwise; a verdict needs 100 answers after the change",
        example="Answers 10, 9, 8 and 3: (1 + 1 + 0 − 1) / 4 = 0.25 points.",
    ),
    Metric(
        id="survey_response_rate",
        title="Survey response rate",
        definition=(
            "Share of the surveys sent in the week that were answered within seven days; a week is judged when these "
            "days are over. Customers who fall silent have given up on being heard."
        ),
        unit="share",
        direction="higher",
        date_basis="sent",
        numerator="surveys answered within seven days",
        denominator="surveys sent",
        family="proportion",
        where_keys=SURVEY_WHERE,
        rows=survey_response_rate,
        is_share=True,
        tau_h=ANSWER_H,
        example="12 of 80 surveys sent were answered within seven days: 15 %.",
    ),
    Metric(
        id="complaint_count",
        title="Complaints",
        definition=(
            "How many complaints customers made in a week. A complaint is a contact of the kind `complaint`: mapped "
            "from the platform's complaint cases or imported with contacts.csv. Nothing is shown before the first one "
            "of a connection, because a platform that records none has not got zero of them."
        ),
        unit="complaints",
        direction="lower",
        date_basis="made",
        numerator="complaints made in the week",
        denominator="one week of exposure",
        family="count",
        where_keys=CONTACT_WHERE,
        rows=complaint_count,
        fill=Fill.ZERO,
        example="2, 0, 1 and 3 complaints in four weeks: 6 / 4 = 1.5 a week.",
    ),
    Metric(
        id="escalation_rate",
        title="Escalation rate",
        definition=(
            "Escalations by customers to management, for each incident and request opened in the same week. An "
            "escalation is a contact of the kind `escalation`: mapped from the platform's escalation records or "
            "imported with contacts.csv; passing a ticket on to another group is counted by reassignment_rate. Nothing "
            "is shown before the first one of a connection. Escalations are no part of the tickets, so there is no "
            "verdict."
        ),
        unit="share",
        direction="lower",
        date_basis="made",
        numerator="escalations made in the week",
        denominator="incidents and requests opened in the week",
        family=None,
        where_keys=CONTACT_WHERE,
        rows=escalation_rate,
        is_share=True,
        example="2 escalations, 80 tickets opened: 2.5 %.",
    ),
)
