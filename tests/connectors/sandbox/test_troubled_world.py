"""The troubled world: what goes wrong is where and when its truth says, everything else only wavers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bench.starter_pack import MAPPING
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.arrivals import WEEK_S
from connectors.sandbox.testing import running_sandbox
from connectors.sandbox.troubled import plan
from connectors.sandbox.troubled.plan import COURSES, START, WEEKS
from connectors.sandbox.troubled.truth import Kind, Trouble, expected
from connectors.sandbox.troubled.world import BEGIN, Troubled, troubled
from connectors.sandbox.world import World, WorldContact, WorldRecommendation, WorldTicket
from improvement.records import RecordKind


@pytest.fixture(scope="module")
def world() -> Troubled:
    return troubled(7)


def test_the_same_seed_gives_the_same_world() -> None:
    rng = [np.random.default_rng(4) for _ in range(2)]
    cells = [plan.cells_of(one) for one in rng]
    assert cells[0] == cells[1]
    assert plan.troubles_of(rng[0], cells[0]) == plan.troubles_of(rng[1], cells[1])


def test_every_kind_of_trouble_is_there_and_leaves_half_a_year_to_compare_with(world: Troubled) -> None:
    assert {one.kind for one in world.troubles if one.is_bad} == set(Kind)
    assert all(plan.FIRST_TROUBLE <= one.first_week <= one.last_week < WEEKS for one in world.troubles)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in (Kind.CRISIS, Kind.SUPPLIER)])
def test_most_units_are_never_in_trouble(world: Troubled, kind: Kind) -> None:
    units = plan.units_of(kind, world.cells)
    hit = {one.unit for one in world.troubles if one.kind is kind and one.is_bad}
    assert len(hit) <= 0.7 * len(units)


def test_a_scope_that_lies_in_trouble_only_in_part_need_not_show_it(world: Troubled) -> None:
    breach = next(one for one in world.troubles if one.kind is Kind.BREACH and one.is_bad)
    whole = list(expected([breach], world.cells, rule_id="incident-resolution-sla", by=COURSES[Kind.BREACH].by))
    part = list(expected([breach], world.cells, rule_id="incident-resolution-sla", by=["customer"]))
    assert [one.is_certain for one in (*whole, *part)] == [True, False]
    assert (whole[0].first_week, whole[0].last_week) == (breach.first_week, breach.last_week)


def test_what_got_worse_within_the_target_is_no_trouble(world: Troubled) -> None:
    nearly = [one for one in world.troubles if not one.is_bad]
    assert len(nearly) > 20
    assert not [*expected(nearly, world.cells, rule_id="time-to-resolve", by=COURSES[Kind.HOURS].by)]


def solved(ticket: WorldTicket) -> bool:
    return any(event.changes.get("state") == "resolved" for event in ticket.events)


SHARES: dict[Kind, Callable[[WorldTicket], bool]] = {
    Kind.BREACH: lambda ticket: any(
        clock.breached for clock in ticket.slas if (clock.target, clock.agreement) == ("resolution", "sla")
    ),
    Kind.REOPENED: lambda ticket: any(event.changes.get("reopen_count") for event in ticket.events),
    Kind.HANDED: lambda ticket: any(event.changes.get("reassignment_count") for event in ticket.events),
}


@pytest.mark.parametrize("kind", SHARES)
def test_tickets_show_the_level_of_their_weeks(world: Troubled, kind: Kind) -> None:
    for trouble in bad(world, kind):
        tickets = [one for one in incidents(world.world.tickets, trouble) if solved(one)]
        share = sum(map(SHARES[kind], tickets)) / len(tickets)
        assert share == pytest.approx(trouble.level, abs=0.06), trouble


def test_answers_show_it_too(world: Troubled) -> None:
    for trouble in bad(world, Kind.SCORE):
        tickets = incidents(world.world.tickets, trouble)
        scores = [one.survey.score for one in tickets if one.survey and one.survey.score is not None]
        assert np.mean(scores) == pytest.approx(trouble.level, abs=0.3), trouble


def test_response_times_show_it_too(world: Troubled) -> None:
    for trouble in bad(world, Kind.RESPONSE):
        tickets = incidents(world.world.tickets, trouble)
        clocks = [one for ticket in tickets if ticket.priority <= 3 for one in ticket.slas]
        hours = [one.elapsed_s / 3600 for one in clocks if one.target == "response"]
        assert np.mean(hours) > 2.0, trouble


def bad(world: Troubled, kind: Kind) -> list[Trouble]:
    found = [one for one in world.troubles if one.kind is kind and one.is_bad]
    assert found
    return found


def incidents(tickets: Iterable[WorldTicket], trouble: Trouble) -> Iterable[WorldTicket]:
    for ticket in tickets:
        is_then = trouble.first_week <= (ticket.opened - BEGIN) // WEEK_S <= trouble.last_week
        if ticket.kind == "incident" and is_then and all(getattr(ticket, key) == value for key, value in trouble.unit):
            yield ticket


def test_complaints_escalations_and_recommendations_are_served_and_pulled() -> None:
    noon = BEGIN + 12 * 3600
    small = World(
        platform="servicenow",
        start=BEGIN,
        weeks=4,
        contacts=[
            WorldContact(1, "complaint", "Alpenbank", "CH", None, noon),
            WorldContact(2, "escalation", "Alpenbank", "CH", None, noon + 60),
            WorldContact(3, "call", "Alpenbank", "CH", None, noon + 120),
        ],
        customers=[("Alpenbank", "CH")],
        recommendations=[
            WorldRecommendation(1, "Alpenbank", "CH", noon, noon + 3600, 9),
            WorldRecommendation(2, "Alpenbank", "CH", noon, None, None),
            WorldRecommendation(3, "Alpenbank", "CH", noon, noon + 14 * 86_400, 2),
        ],
    )
    until = START + timedelta(days=7)
    with running_sandbox(platforms=("servicenow",), worlds={"servicenow": small}, now=until) as running:
        raw = {"name": "x", "platform": "servicenow", "url": running.servicenow_url, "user": "regelkreis"}
        config = ConnectionConfig.model_validate({**raw, "password": "sandbox", "mapping": MAPPING})
        with closing(connector(config)) as opened:
            contacts = [
                row for page in opened.pull(RecordKind.CONTACT, None, until=until) for row in page.batch.to_pylist()
            ]
            surveys = [
                row for page in opened.pull(RecordKind.SURVEY, None, until=until) for row in page.batch.to_pylist()
            ]
    at = datetime.fromtimestamp(noon, UTC)
    assert {(one["kind"], one["customer"], one["country"], one["at"]) for one in contacts} == {
        ("complaint", "Alpenbank", "CH", at),
        ("escalation", "Alpenbank", "CH", at + timedelta(seconds=60)),
        ("call", "Alpenbank", "CH", at + timedelta(seconds=120)),
    }
    assert sorted(
        (one["kind"], one["customer"], one["score"], one["scale_max"]) for one in surveys if one["score"]
    ) == [("nps", "Alpenbank", 9.0, 10.0)]
    assert len(surveys) == 3  # one of them is answered later than now


def test_an_instance_whose_world_has_no_complaints_has_no_tables_for_them() -> None:
    import requests

    bare = World(platform="servicenow", start=BEGIN, weeks=1, customers=[("Alpenbank", "CH")])
    with running_sandbox(platforms=("servicenow",), worlds={"servicenow": bare}) as running:
        url = f"{running.servicenow_url}/api/now/table/sn_complaint_case"
        answer = requests.get(url, auth=("regelkreis", "sandbox"), timeout=30)
    assert (answer.status_code, "Invalid table" in answer.text) == (400, True)
