"""Shares that are told beside a metric because it means little without them. No rule asks for them."""

from __future__ import annotations

from typing import Any

from improvement.metrics.catalogue import DEFAULT_TAU_H, SURVEY_WHERE, TICKET_WHERE, Metric
from improvement.metrics.cells import CellQuery, Tables, filtered, rows, week_from, whole_seconds, within
from improvement.metrics.engine import ibis
from improvement.metrics.hard import matured
from improvement.weeks import DAY_S

ONE = 1


def response_rate(tables: Tables, query: CellQuery) -> Any:
    """Answered satisfaction surveys of those sent in the week."""
    return _response_rate(tables, query, "csat")


def nps_response_rate(tables: Tables, query: CellQuery) -> Any:
    """Answered recommendation surveys of those sent in the week."""
    return _response_rate(tables, query, "nps")


def _response_rate(tables: Tables, query: CellQuery, kind: str) -> Any:
    """Answered surveys of those sent in the week; without those that no platform said were sent.

    Weeks are those of UTC days: a survey has a local day for its answer only, and a rate over months bears the few
    that are counted a week off.
    """
    table = filtered(tables.surveys, query)
    table = table.filter(table.survey_kind == kind, table.sent_at.notnull())
    day = whole_seconds(table.sent_at) // DAY_S
    table = within(table, tables, day, table.sent_at)
    is_answered = (table.score.notnull() & (table.answered_at <= tables.as_of)).fill_null(False)
    week = week_from(whole_seconds(table.sent_at) // DAY_S)
    return rows(table, query, week=week, numerator=is_answered.cast("int64"), denominator=ONE)


def open_share(tables: Tables, query: CellQuery) -> Any:
    """Tickets opened in the week and at least τ ago that were still open at τ."""
    tau_h = query.tau_h or DEFAULT_TAU_H
    table = matured(tables, query)
    is_done = (table.done_at <= tables.as_of) & (table.open_s < tau_h * 3600)
    is_open = ibis.ifelse(is_done.fill_null(False), 0, 1)
    return rows(table, query, week=week_from(table.opened_day), numerator=is_open, denominator=ONE)


BESIDE = (
    Metric(
        id="response_rate",
        title="Response rate",
        definition="Answered satisfaction surveys of those sent in the week.",
        unit="share",
        direction="higher",
        date_basis="sent",
        numerator="answered surveys",
        denominator="sent surveys",
        family=None,
        where_keys=SURVEY_WHERE,
        rows=response_rate,
        is_share=True,
    ),
    Metric(
        id="nps_response_rate",
        title="Response rate",
        definition="Answered recommendation surveys of those sent in the week.",
        unit="share",
        direction="higher",
        date_basis="sent",
        numerator="answered surveys",
        denominator="sent surveys",
        family=None,
        where_keys=SURVEY_WHERE,
        rows=nps_response_rate,
        is_share=True,
    ),
    Metric(
        id="open_share",
        title="Still open at τ",
        definition="Tickets still open at τ of those opened in the week and at least τ ago.",
        unit="share",
        direction="lower",
        date_basis="opened",
        numerator="tickets still open at τ",
        denominator="matured tickets",
        family=None,
        where_keys=TICKET_WHERE,
        rows=open_share,
        is_share=True,
    ),
)
