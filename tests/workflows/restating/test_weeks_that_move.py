"""A record counts in another week, or for another scope, than when its value was published: both weeks are restated."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from improvement import weeks
from improvement.records import RecordKind, Survey, Ticket
from tests.improvement.metrics.build import a_clock, a_contact, a_survey, a_ticket, an_outage, at
from tests.workflows.versioned_platform import VersionedPlatform
from workflows import cycle
from workflows.models import Connection, Point
from workflows.steps import restate_points

pytestmark = pytest.mark.django_db
BEGIN = at("2025-07-07T00:00")
COUNTS = """
apiVersion: regelkreis/v1
kind: Rule
metadata: {id: counts, title: Incidents}
spec:
  mode: observe
  metric: incident_count
  where: {kind: incident}
  by: [customer]
  window: 1w
  target: {max: 999}
  trigger: {for: 1w, min_samples: 0}
"""
SCORES = COUNTS.replace("incident_count", "csat_mean").replace("where: {kind: incident}", "where: {survey.kind: csat}")
SCORES = SCORES.replace("max: 999", "min: 1.1").replace("min_samples: 0", "min_samples: 5")
EVERYTHING = COUNTS.replace("  where: {kind: incident}\n", "")
COMPLAINTS = EVERYTHING.replace("incident_count", "complaint_count")
OUTAGES = EVERYTHING.replace("incident_count", "availability").replace("max: 999", "min: 1%")
BREACHED = COUNTS.replace("incident_count", "sla_breach_rate").replace("max: 999", "max: 99%")
REPEATED = COUNTS.replace("incident_count", "repeat_incident_rate").replace("max: 999", "max: 99%")
SUNDAY = BEGIN + timedelta(weeks=9) - timedelta(hours=8)  # 16:00 UTC: Monday 01:00 in Japan
TOLD = timedelta(weeks=11)  # when the edit is told of

TOLD_BY = {
    "stage": RecordKind.SLA,
    "score": RecordKind.SURVEY,
    "at": RecordKind.CONTACT,
    "begin_at": RecordKind.OUTAGE,
}  # fields of no other

Lived = Callable[..., list[str]]


@pytest.fixture
def lived(home: Path) -> Lived:
    """What weekly cycles over these records restate, with 20 incidents a week beside them."""

    def live(*records: Any, rule: str = COUNTS) -> list[str]:
        (home / "rules" / "sla.yaml").write_text(rule, encoding="utf-8")
        Connection.objects.create(name="snow", platform="servicenow", integration_account="regelkreis")
        rows: dict[RecordKind, list[dict[str, Any]]] = {kind: [] for kind in (RecordKind.TICKET, *TOLD_BY.values())}
        for week in range(14):
            noon = BEGIN + timedelta(weeks=week, days=2, hours=12)
            rows[RecordKind.TICKET] += [incident(f"b{week}-{number}", noon, country="JP") for number in range(5)]
        for record in records:
            rows[next((kind for name, kind in TOLD_BY.items() if name in record), RecordKind.TICKET)].append(record)
        platform = VersionedPlatform(name="snow", versions=rows)
        found = []
        for week in range(8, 14):
            moment = BEGIN + timedelta(weeks=week, hours=12)
            assert cycle.run_with([platform], as_of=moment).errors == []
            found += restate_points.restate_all(as_of=moment)
        return found

    return live


def incident(id: str, opened_at: datetime, *, updated_at: datetime | None = None, **fields: Any) -> dict[str, Any]:
    told: Ticket = a_ticket(id, opened_at=opened_at, created_at=opened_at, updated_at=updated_at or opened_at, **fields)
    return msgspec.structs.asdict(told)


def survey(id: str, answered_at: datetime, **fields: Any) -> dict[str, Any]:
    told: Survey = a_survey(id, answered_at=answered_at, updated_at=answered_at, **fields)
    return msgspec.structs.asdict(told)


def complaint(id: str, made_at: datetime, *, updated_at: datetime | None = None) -> dict[str, Any]:
    return msgspec.structs.asdict(a_contact(id, kind="complaint", at=made_at, updated_at=updated_at or made_at))


def outage(id: str, begin_at: datetime, **fields: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(an_outage(id, begin_at=begin_at, **fields))


def moved(lines: list[str]) -> list[str]:
    """The weeks that were restated."""
    return [line.split("] ")[1].split(":")[0] for line in lines]


def test_an_outage_that_comes_late_is_told_of_all_the_weeks_it_lasted(lived: Lived) -> None:
    begin = BEGIN + timedelta(weeks=7, days=4)
    first = outage("first", BEGIN, end_at=BEGIN + timedelta(hours=1), updated_at=BEGIN)
    late = outage("late", begin, end_at=begin + timedelta(weeks=2), updated_at=BEGIN + TOLD)
    assert moved(lived(first, late, rule=OUTAGES)) == ["2025-W35", "2025-W36", "2025-W37"]


def test_an_outage_that_nobody_ended_is_taken_back_where_it_ended_long_ago(lived: Lived) -> None:
    begin = BEGIN + timedelta(weeks=7, days=4)
    is_open = outage("o", begin, end_at=None, updated_at=begin)
    over = outage("o", begin, end_at=begin + timedelta(hours=2), updated_at=BEGIN + TOLD)
    assert moved(lived(is_open, over, rule=OUTAGES)) == ["2025-W35", "2025-W36", "2025-W37"]


def test_an_incident_that_comes_late_is_repeated_by_one_of_the_next_week(lived: Lived) -> None:
    late = incident("late", BEGIN + timedelta(weeks=8, days=5), category="login", updated_at=BEGIN + TOLD)
    assert lived(incident("next", BEGIN + timedelta(weeks=9, days=1), category="login"), late, rule=REPEATED) == [
        "counts [customer=Acme] 2025-W37: 0.0 % → 100.0 %"
    ]


def test_another_category_makes_a_repeated_incident_also_where_nobody_groups_by_it(lived: Lived) -> None:
    first, second = (BEGIN + timedelta(weeks=8, days=days) for days in (1, 2))
    known = incident("first", first, category="login")
    wrong, right = (incident("second", second, category=one) for one in ("print", "login"))
    assert lived(known, wrong, right | {"updated_at": BEGIN + TOLD}, rule=REPEATED) == [
        "counts [customer=Acme] 2025-W36: 0.0 % → 50.0 %"
    ]


@pytest.mark.parametrize("was", [True, False])
def test_a_clock_that_was_breached_after_all_leaves_the_week_it_stopped_in_or_the_other_way_round(
    lived: Lived, was: bool
) -> None:
    ran_out, stopped = BEGIN + timedelta(weeks=8, days=4), BEGIN + timedelta(weeks=9, days=1)

    def a_row(ticket: str, **fields: Any) -> dict[str, Any]:
        return msgspec.structs.asdict(a_clock(ticket, ticket_id=ticket, start_at=BEGIN, **fields))

    others = [
        a_row("b8-0", end_at=ran_out, breach_at=ran_out, updated_at=ran_out),
        a_row("b9-0", end_at=stopped, breach_at=stopped, updated_at=stopped, is_breached=True),
    ]
    clock = a_row("b8-1", is_breached=was, breach_at=ran_out, end_at=stopped, updated_at=ran_out)
    found = lived(*others, clock, clock | {"is_breached": not was, "updated_at": BEGIN + TOLD}, rule=BREACHED)
    assert moved(found) == ["2025-W36", "2025-W37"]


def test_a_running_clock_that_was_not_breached_after_all_leaves_the_week_it_ran_out_in(lived: Lived) -> None:
    ran_out = BEGIN + timedelta(weeks=8, days=4)
    kept, running = (
        a_clock(ticket, ticket_id=ticket, start_at=BEGIN, breach_at=ran_out, end_at=end_at, is_breached=end_at is None)
        for ticket, end_at in (("b8-0", ran_out), ("b8-1", None))
    )
    rows = [msgspec.structs.asdict(one) | {"updated_at": ran_out} for one in (kept, running)]
    late = rows[1] | {"is_breached": False, "updated_at": BEGIN + TOLD}
    assert lived(*rows, late, rule=BREACHED) == ["counts [customer=Acme] 2025-W36: 50.0 % → 0.0 %"]


def test_a_first_complaint_that_comes_late_moves_the_zero_of_who_was_quiet_since(lived: Lived) -> None:
    early = incident("early", BEGIN + timedelta(days=1), customer="Bolt")
    known = complaint("known", BEGIN + timedelta(weeks=6, days=1))
    late = complaint("late", BEGIN + timedelta(weeks=3, days=1), updated_at=BEGIN + TOLD)
    assert lived(early, known, late, rule=COMPLAINTS) == ["counts [customer=Bolt] 2025-W34: 0.00 complaints → –"]


def test_a_ticket_that_comes_late_makes_a_zero_of_complaints(lived: Lived) -> None:
    known = complaint("known", BEGIN + timedelta(weeks=1))
    early = incident("early", BEGIN + timedelta(weeks=2, days=1), customer="Bolt")
    late = incident("late", BEGIN + timedelta(weeks=5, days=1), customer="Bolt", updated_at=BEGIN + TOLD)
    assert lived(known, early, late, rule=COMPLAINTS) == ["counts [customer=Bolt] 2025-W33: – → 0.00 complaints"]


def test_a_ticket_that_comes_late_makes_zeros_as_long_as_a_reference_holds_it(lived: Lived) -> None:
    before = incident("before", BEGIN - timedelta(weeks=12), customer="Bolt")
    late = incident("late", BEGIN + timedelta(weeks=4, days=1), customer="Bolt", updated_at=BEGIN + TOLD)
    rule = COUNTS.replace("{max: 999}", "{worse_than_own: {by: 900%, reference: 13w}}")
    assert lived(before, late, rule=rule) == [
        "counts [customer=Bolt] 2025-W32: – → 1.00 tickets",
        *(f"counts [customer=Bolt] 2025-W{week}: – → 0.00 tickets" for week in range(33, 38)),
    ]


def test_a_corrected_country_moves_a_record_into_another_week(lived: Lived) -> None:
    assert lived(incident("x", SUNDAY, country="JP"), incident("x", SUNDAY, country="CH", updated_at=BEGIN + TOLD)) == [
        "counts [customer=Acme] 2025-W36: 5.00 tickets → 6.00 tickets",
        "counts [customer=Acme] 2025-W37: 6.00 tickets → 5.00 tickets",
    ]


def test_a_corrected_instant_leaves_the_week_of_its_own_zone(lived: Lived) -> None:
    right = BEGIN + timedelta(weeks=8, days=2)
    found = lived(incident("x", SUNDAY, country="JP"), incident("x", right, country="JP", updated_at=BEGIN + TOLD))
    assert found == [
        "counts [customer=Acme] 2025-W36: 5.00 tickets → 6.00 tickets",
        "counts [customer=Acme] 2025-W37: 6.00 tickets → 5.00 tickets",
    ]


def test_a_survey_that_came_before_its_ticket_moves_to_its_customer(lived: Lived) -> None:
    answered = BEGIN + timedelta(weeks=8, days=1)
    of_known = [
        survey(f"k{number}", answered, ticket_id=f"b7-{number % 5}", score=5.0, scale_max=5.0) for number in range(6)
    ]
    early = [survey(f"e{number}", answered, ticket_id="late", score=1.0, scale_max=5.0) for number in range(6)]
    found = lived(*of_known, *early, incident("late", answered, updated_at=BEGIN + TOLD), rule=SCORES)
    assert [line.split("]")[0] for line in found] == ["counts [customer=(none)", "counts [customer=Acme"]
    point = Point.objects.get(finding__scope={"customer": "Acme"}, week=weeks.week_of(answered.date()))
    assert (point.value, point.later_value) == (5.0, 3.0)


def test_a_scope_in_which_nothing_happened_has_no_value_as_before(lived: Lived) -> None:
    silent = incident("y", BEGIN + timedelta(weeks=3, days=1), customer="Bolt")
    late = incident("z", BEGIN + timedelta(weeks=9, days=1), updated_at=BEGIN + TOLD)
    assert lived(silent, late) == ["counts [customer=Acme] 2025-W37: 5.00 tickets → 6.00 tickets"]
