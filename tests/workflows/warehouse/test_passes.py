"""Queries that share a pass over the records give the cells they give by themselves, byte for byte."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from improvement.metrics import CATALOGUE, CellQuery, metric_named
from improvement.records import Contact, SlaRecord, Survey, Ticket
from tests.improvement.metrics.build import a_query, a_warehouse, load
from tests.improvement.metrics.test_against_slow import (
    AS_OF,
    CROWD,
    FIRST,
    LAST,
    clocks,
    contacts,
    crowd,
    surveys,
    tickets,
)
from workflows.warehouse import CellsAsked, Warehouse
from workflows.warehouse.passes import together

BY = [("customer", "country"), ("supplier", "priority")]
WHERE: list[dict[str, Any]] = [{}, {"customer": "Acme"}, {"country": ["CH", "(none)"], "customer": ["Acme", "Bolt"]}]
MORE: dict[str, list[dict[str, Any]]] = {
    "sla_breach_rate": [{"sla_target": "resolution", "sla_agreement": ["sla", "uc"]}, {"kind": "incident"}],
    "csat_mean": [{"kind": ["incident", "request"], "priority": [1, 2]}],
    "reopen_rate": [{"priority": [1, "(none)"]}],
    "incident_count": [{"kind": "request"}, {"priority": 1}],
}


def everything() -> list[CellsAsked]:
    """Every metric, by two groupings, with several filters, over windows of several lengths, last weeks alike."""
    asked = []
    for by in BY:
        for name in CATALOGUE:
            for number, where in enumerate([*WHERE, *MORE.get(name, [])]):
                query = a_query(name, by, tau_h=metric_named(name).tau_h, **where)
                asked.append(CellsAsked(query, FIRST + number % 3, LAST))
    return asked


def alone(warehouse: Warehouse, asked: list[CellsAsked]) -> list[Any]:
    return [
        warehouse.cells(one.query, as_of=AS_OF, first_week=one.first_week, last_week=one.last_week) for one in asked
    ]


def shared(warehouse: Warehouse, asked: list[CellsAsked]) -> list[Any]:
    ahead = warehouse.cells_ahead(asked, as_of=AS_OF, shared_from=0)
    try:
        return [cells.table() for cells in ahead]
    finally:
        ahead.close()


def compared(records: list[Any]) -> int:
    asked = everything()
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        load(warehouse, *records)
        filled = 0
        for one, mine, theirs in zip(asked, alone(warehouse, asked), shared(warehouse, asked), strict=True):
            assert mine.equals(theirs), one
            filled += mine.num_rows > 0
    return filled


@pytest.mark.timeout(300)
@given(
    st.lists(tickets(), max_size=25),
    st.lists(clocks(), max_size=25),
    st.lists(surveys(), max_size=40),
    st.lists(contacts(), max_size=10),
)
@settings(
    max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
def test_what_shares_a_pass_gives_the_same_cells_as_by_itself(
    some_tickets: list[Ticket], some_clocks: list[SlaRecord], some_surveys: list[Survey], some_contacts: list[Contact]
) -> None:
    compared([*some_tickets, *some_clocks, *some_surveys, *some_contacts])


def test_in_a_crowded_quarter_what_shares_a_pass_is_the_same_too() -> None:
    chosen = random.Random(27)
    records = [record for maker, number in CROWD for record in crowd(chosen, maker, number)]
    assert compared(records) > 80


def test_what_can_share_is_counted_in_few_passes() -> None:
    asked = everything()
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        passes = together(asked, warehouse.sql, warehouse.tables)
        counted = [{member.asked.query.metric for member in one.members} for one in passes]
        assert {member.place for one in passes for member in one.members} == set(range(len(asked)))
    assert len(passes) < len(asked) / 2
    assert counted[0] == {"incident_count", "major_incident_count", "backlog_open"}  # of this what came
    assert {"reopen_rate", "reassignment_rate", "first_contact_resolution_rate"} in counted


def test_a_small_file_is_counted_query_by_query() -> None:
    asked = everything()[:4]
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        assert len(warehouse.passes(asked)) == 4
        assert len(warehouse.passes(asked, shared_from=0)) == 1


def test_other_last_weeks_and_connections_share_nothing() -> None:
    one = CellsAsked(a_query("reopen_rate"), FIRST, LAST)
    later = CellsAsked(one.query, FIRST, LAST - 1)
    elsewhere = CellsAsked(CellQuery("reopen_rate", "it's another", by=("customer",)), FIRST, LAST)
    with tempfile.TemporaryDirectory() as folder, a_warehouse(Path(folder)) as warehouse:
        assert len(together([one, later, elsewhere], warehouse.sql, warehouse.tables)) == 3
