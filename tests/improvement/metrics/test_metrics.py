"""Each metric by a small example; what a moment may know; weeks without volume; weeks where people live."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from improvement import weeks
from improvement.errors import InputError
from improvement.metrics import CATALOGUE, CellQuery, metric_named, query_beside
from tests.improvement.metrics.build import (
    LATER,
    a_clock,
    a_contact,
    a_query,
    a_survey,
    a_ticket,
    a_warehouse,
    at,
)

WEEK = weeks.parse_label("2026-W10")  # Monday 2026-03-02


def values(
    folder: Path,
    query: CellQuery,
    *records: msgspec.Struct,
    as_of: datetime = LATER,
    first: int = WEEK,
    last: int = WEEK,
) -> list[tuple[Any, ...]]:
    """(by…, week relative to W10, numerator, denominator) of every cell."""
    with a_warehouse(folder, *records) as warehouse:
        cells = warehouse.cells(query, as_of=as_of, first_week=first, last_week=last).to_pylist()
    scopes = [tuple(cell[name] for name in query.by) for cell in cells]
    return [
        (*scope, cell["week"] - WEEK, cell["numerator"], cell["denominator"])
        for scope, cell in zip(scopes, cells, strict=True)
    ]


def test_cancelled_tickets_and_other_kinds_are_no_incidents(tmp_path: Path) -> None:
    tickets = [a_ticket("1"), a_ticket("2", state="cancelled"), a_ticket("3", kind="request")]
    assert values(tmp_path, a_query("incident_count"), *tickets) == [("Acme", 0, 1.0, 1.0)]


def test_with_kind_in_the_filter_incident_count_counts_that_kind(tmp_path: Path) -> None:
    query = a_query("incident_count", kind=["request", "problem"])
    assert values(tmp_path, query, a_ticket("1"), a_ticket("2", kind="request")) == [("Acme", 0, 1.0, 1.0)]


def test_a_count_has_zero_weeks_from_a_scopes_first_ticket_on(tmp_path: Path) -> None:
    tickets = [a_ticket("1", opened_at=at("2026-02-10")), a_ticket("2", customer="Bolt", opened_at=at("2026-03-10"))]
    found = values(tmp_path, a_query("incident_count"), *tickets, first=WEEK - 1, last=WEEK + 2)
    acme = [("Acme", -1, 0.0, 1.0), ("Acme", 0, 0.0, 1.0), ("Acme", 1, 0.0, 1.0), ("Acme", 2, 0.0, 1.0)]
    assert found == [*acme, ("Bolt", 1, 1.0, 1.0), ("Bolt", 2, 0.0, 1.0)]


def test_scopes_without_a_major_incident_count_zero_of_them(tmp_path: Path) -> None:
    tickets = [a_ticket("1", is_major=True), a_ticket("2"), a_ticket("3", customer="Bolt")]
    found = values(tmp_path, a_query("major_incident_count"), *tickets)
    assert found == [("Acme", 0, 1.0, 1.0), ("Bolt", 0, 0.0, 1.0)]


def test_a_breach_counts_when_the_goal_runs_out_and_a_kept_goal_when_the_clock_stops(tmp_path: Path) -> None:
    breached = a_clock("1", is_breached=True, breach_at=at("2026-03-08"), end_at=at("2026-03-12"))
    running = a_clock("2", sla_id="b", is_breached=True, stage="in_progress", breach_at=at("2026-03-07"), end_at=None)
    kept = a_clock("3", sla_id="c", breach_at=at("2026-03-08"), end_at=at("2026-03-09"))
    cancelled = a_clock("4", sla_id="d", stage="cancelled", is_breached=True)
    found = values(tmp_path, a_query("sla_breach_rate"), a_ticket(), breached, running, kept, cancelled, last=WEEK + 1)
    assert found == [("Acme", 0, 2.0, 2.0), ("Acme", 1, 0.0, 1.0)]


def test_nothing_after_the_moment_counts(tmp_path: Path) -> None:
    as_of = at("2026-03-04")
    ticket = a_ticket(
        opened_at=at("2026-03-02"), resolved_at=at("2026-03-05"), closed_at=at("2026-03-06"), state="closed"
    )
    future = a_ticket("2", opened_at=at("2026-03-05"))
    records = [ticket, future, a_clock(end_at=at("2026-03-05")), a_survey(answered_at=at("2026-03-06"))]
    found = {
        name: values(tmp_path / name, a_query(name), *records, as_of=as_of)
        for name in ("incident_count", "backlog_open", "reopen_rate", "sla_breach_rate", "csat_mean", "contact_gap")
    }
    assert found == {
        "incident_count": [("Acme", 0, 1.0, 1.0)],
        "backlog_open": [("Acme", 0, 1.0, 1.0)],  # resolved after the moment: still open
        "reopen_rate": [],
        "sla_breach_rate": [],
        "csat_mean": [],
        "contact_gap": [("Acme", 0, 6.0, 1.0)],  # from its first ticket
    }


def test_the_backlog_is_the_level_at_each_weeks_end(tmp_path: Path) -> None:
    tickets = [
        a_ticket("old", opened_at=at("2025-01-07")),
        a_ticket("1", opened_at=at("2026-03-03"), resolved_at=at("2026-03-10"), state="resolved"),
        a_ticket("2", opened_at=at("2026-03-04"), closed_at=at("2026-03-05"), state="closed", kind="request"),
        a_ticket("again", opened_at=at("2026-03-04"), resolved_at=at("2026-03-05"), state="in_progress"),
        a_ticket("backwards", opened_at=at("2026-03-10"), resolved_at=at("2026-03-01"), state="closed"),
    ]
    found = values(tmp_path, a_query("backlog_open"), *tickets, first=WEEK - 1, last=WEEK + 1)
    assert [row[2] for row in found] == [1.0, 3.0, 2.0]


def test_restricted_time_leaves_out_tickets_that_are_not_old_enough(tmp_path: Path) -> None:
    opened, later = at("2026-03-02"), at("2026-03-03T06:00")
    tickets = [
        a_ticket("fast", opened_at=opened, resolved_at=opened + timedelta(hours=4), state="closed"),
        a_ticket("open", opened_at=opened),
        a_ticket("slow", opened_at=opened, resolved_at=opened + timedelta(hours=900), state="closed"),
        a_ticket("backwards", opened_at=opened, resolved_at=opened - timedelta(hours=1), state="closed"),
        a_ticket("young", opened_at=later, resolved_at=later + timedelta(hours=1), state="closed"),
    ]
    query = a_query("time_to_resolve", tau_h=168.0)
    found = values(tmp_path, query, *tickets, as_of=opened + timedelta(hours=168 + 24))
    assert found == [("Acme", 0, 4.0 + 168 + 168 + 0, 4.0)]


def test_the_response_clock_falls_back_to_the_wall_clock(tmp_path: Path) -> None:
    clocks = [
        a_clock("1", target="response", elapsed_s=1800),
        a_clock("2", target="response", sla_id="b", elapsed_s=None),  # 08:00 to 10:00
        a_clock("3", target="resolution", sla_id="c"),
        a_clock("4", target="response", sla_id="d", stage="in_progress", end_at=None),
    ]
    assert values(tmp_path, a_query("time_to_respond"), a_ticket(), *clocks) == [("Acme", 0, 2.5, 2.0)]


def test_a_response_clock_whose_start_nobody_knows_took_no_known_time(tmp_path: Path) -> None:
    clock = a_clock("s1", target="response", start_at=None, end_at=at("2026-03-02T09:00"), elapsed_s=None)
    assert values(tmp_path, a_query("time_to_respond"), a_ticket(), clock) == []


def test_reopened_tickets_of_those_resolved(tmp_path: Path) -> None:
    done = {"resolved_at": at("2026-03-05"), "state": "resolved"}
    tickets = [a_ticket("1", reopen_count=2, **done), a_ticket("2", **done), a_ticket("3", reopen_count=1)]
    assert values(tmp_path, a_query("reopen_rate"), *tickets) == [("Acme", 0, 1.0, 2.0)]


def test_scores_of_other_scales_are_mapped_to_five_points(tmp_path: Path) -> None:
    surveys = [
        a_survey("1", score=3.0),
        a_survey("2", score=10.0, scale_min=0.0, scale_max=10.0),
        a_survey("3", score=None, answered_at=None),
        a_survey("4", score=9.0, kind="nps"),
    ]
    assert values(tmp_path, a_query("csat_mean"), a_ticket(), *surveys) == [("Acme", 0, 8.0, 2.0)]


def test_a_survey_without_ticket_has_its_own_customer(tmp_path: Path) -> None:
    assert values(tmp_path, a_query("csat_mean"), a_survey(ticket_id=None, customer="Bolt")) == [("Bolt", 0, 4.0, 1.0)]


def test_failed_changes_of_those_with_an_outcome(tmp_path: Path) -> None:
    closed = {"kind": "change", "state": "closed", "closed_at": at("2026-03-06")}
    changes = [a_ticket(str(number), is_successful=ok, **closed) for number, ok in enumerate([True, False, None, True])]
    assert values(tmp_path, a_query("change_failure_rate"), *changes) == [("Acme", 0, 1.0, 3.0)]


def test_the_contact_gap_grows_until_somebody_talks(tmp_path: Path) -> None:
    records = [
        a_ticket("1", opened_at=at("2026-02-23")),
        a_ticket("2", customer="Bolt", opened_at=at("2026-03-04")),
        a_contact(at=at("2026-03-10")),
        a_survey(ticket_id="2", answered_at=at("2026-03-15")),
        a_contact("before", customer="Cato", at=at("2025-12-01")),
        a_ticket("3", customer="Cato", opened_at=at("2026-03-03")),
    ]
    found = values(tmp_path, a_query("contact_gap"), *records, last=WEEK + 2)
    gaps = {(customer, week): numerator for customer, week, numerator, _ in found}
    assert [gaps["Acme", week] for week in range(3)] == [13.0, 5.0, 12.0]  # from the first ticket, then from the call
    assert [gaps["Bolt", week] for week in range(3)] == [4.0, 0.0, 7.0]
    assert gaps["Cato", 0] == 97.0  # a ticket is no contact
    assert len(values(tmp_path / "all", a_query("contact_gap", by=()), *records)) == 1


def test_a_missing_dimension_is_a_scope_of_its_own_and_can_be_asked_for(tmp_path: Path) -> None:
    tickets = [a_ticket("1"), a_ticket("2", customer=None), a_ticket("3", priority=None, customer="Bolt")]
    assert [row[0] for row in values(tmp_path, a_query("incident_count"), *tickets)] == ["(none)", "Acme", "Bolt"]
    asked = a_query("incident_count", customer=["(none)", "Bolt"])
    assert [row[0] for row in values(tmp_path, asked)] == ["(none)", "Bolt"]
    by_priority = values(tmp_path, a_query("incident_count", by=("priority",)))
    assert by_priority == [("(none)", 0, 1.0, 1.0), ("3", 0, 2.0, 1.0)]


def test_a_stratum_splits_the_cells_of_a_scope(tmp_path: Path) -> None:
    tickets = [a_ticket("1", priority=1), a_ticket("2", priority=2), a_ticket("3", priority=2)]
    query = CellQuery("incident_count", "snow", by=("customer",), stratum="priority")
    with a_warehouse(tmp_path, *tickets) as warehouse:
        cells = warehouse.cells(query, as_of=LATER, first_week=WEEK, last_week=WEEK + 1)
    assert cells.column_names == ["customer", "week", "numerator", "denominator", "n", "stratum"]
    found = [(row["week"] - WEEK, row["stratum"], row["numerator"]) for row in cells.to_pylist()]
    assert found == [(0, "1", 1.0), (0, "2", 2.0), (1, "1", 0.0), (1, "2", 0.0)]


@pytest.mark.parametrize(
    ("country", "instant", "week"),
    [
        ("MX", "2026-03-09T05:59", 0),  # Sunday 23:59 in Mexico City: no daylight saving since October 2022
        ("MX", "2026-03-09T06:00", 1),
        ("MX", "2026-07-06T05:59", 17),  # summer too: an old zone table would say Monday
        ("US", "2026-03-09T09:59", 0),  # Honolulu
        ("US", "2026-03-09T10:00", 1),
        ("NZ", "2026-03-08T10:59", 0),  # Auckland, summer time: UTC+13
        ("NZ", "2026-03-08T11:00", 1),
        ("NZ", "2026-07-05T11:59", 17),  # winter: UTC+12
        ("NZ", "2026-07-05T12:00", 18),
        ("XX", "2026-03-08T23:59", 0),  # no zone known for the country: UTC
        ("XX", "2026-03-09T00:00", 1),
    ],
)
def test_weeks_are_those_of_the_scopes_zone(tmp_path: Path, country: str, instant: str, week: int) -> None:
    moment = at(instant)
    ticket = a_ticket(country=country, opened_at=moment, resolved_at=moment, closed_at=moment, state="closed")
    records = [ticket, a_clock(end_at=moment), a_survey(answered_at=moment), a_contact(country=country, at=moment)]
    with a_warehouse(tmp_path, *records) as warehouse:
        for name in ("incident_count", "reopen_rate", "sla_breach_rate", "csat_mean"):
            cells = warehouse.cells(a_query(name), as_of=LATER, first_week=WEEK, last_week=WEEK + 19).to_pylist()
            assert next(cell["week"] for cell in cells if cell["denominator"] and cell["n"]) - WEEK == week, name


def test_the_rows_behind_a_value_add_up_to_its_cells(tmp_path: Path) -> None:
    tickets = [a_ticket(str(number), customer="Acme" if number % 3 else "Bolt") for number in range(7)]
    clocks = [a_clock(f"k{one.id}", ticket_id=one.id, is_breached=one.id in "12") for one in tickets]
    with a_warehouse(tmp_path, *tickets, *clocks) as warehouse:
        query, span = a_query("sla_breach_rate"), {"as_of": LATER, "first_week": WEEK, "last_week": WEEK}
        rows = warehouse.contributing(query, scope={"customer": "Acme"}, **span)
        assert rows["id"].to_pylist() == ["k1", "k2", "k4", "k5"]
        assert sum(rows["numerator"].to_pylist()) == 2
        pinned = warehouse.pinned(query, scope={"customer": "Acme"}, **span)
        assert pinned.rows.equals(rows)
        assert warehouse.pinned(query, scope={"customer": "Acme"}, **span).sha256 == pinned.sha256
        assert warehouse.pinned(query, scope={"customer": "Bolt"}, **span).sha256 != pinned.sha256
        assert "SELECT" in pinned.sql


def test_the_rows_behind_a_backlog_are_the_open_tickets(tmp_path: Path) -> None:
    tickets = [
        a_ticket("open", opened_at=at("2025-11-03")),
        a_ticket("done", resolved_at=at("2026-03-03"), state="closed"),
        a_ticket("new"),
    ]
    with a_warehouse(tmp_path, *tickets, a_contact("early"), a_contact("late", at=at("2026-03-06"))) as warehouse:
        span = {"as_of": LATER, "first_week": WEEK, "last_week": WEEK}
        rows = warehouse.contributing(a_query("backlog_open"), scope={"customer": "Acme"}, **span)
        assert sorted(rows["id"].to_pylist()) == ["new", "open"]
        rows = warehouse.contributing(a_query("contact_gap"), scope={"customer": "Acme"}, **span)
        assert rows["id"].to_pylist() == ["late"]
        rows = warehouse.contributing(a_query("major_incident_count"), scope={"customer": "Acme"}, **span)
        assert rows.num_rows == 0


@pytest.mark.parametrize("name", list(CATALOGUE))
def test_an_empty_platform_has_no_cells(tmp_path: Path, name: str) -> None:
    assert values(tmp_path, a_query(name, by=("customer", "country"))) == []


def test_an_unknown_metric_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no metric “incidents”.*incident_count"):
        metric_named("incidents")


def test_beside_satisfaction_stands_who_answered_of_those_asked(tmp_path: Path) -> None:
    surveys = [
        a_survey("1"),
        a_survey("2", score=None, answered_at=None),
        a_survey("3", score=None, answered_at=None),
        a_survey("4", sent_at=None),  # a platform that does not tell what was sent
        a_survey("5", kind="nps"),
        a_survey("6", sent_at=at("2026-03-10")),
    ]
    query = query_beside(a_query("csat_mean"))
    assert query is not None
    assert values(tmp_path, query, a_ticket(), *surveys) == [("Acme", 0, 1.0, 3.0)]


def test_beside_times_stands_what_was_still_open_at_tau(tmp_path: Path) -> None:
    opened = at("2026-03-02")
    tickets = [
        a_ticket("fast", opened_at=opened, resolved_at=opened + timedelta(hours=4), state="closed"),
        a_ticket("open", opened_at=opened),
        a_ticket("slow", opened_at=opened, resolved_at=opened + timedelta(hours=900), state="closed"),
    ]
    query = query_beside(a_query("time_to_resolve", tau_h=168.0))
    assert query is not None
    assert values(tmp_path, query, *tickets) == [("Acme", 0, 2.0, 3.0)]


def test_what_is_told_beside_a_metric_is_none_of_the_catalogue() -> None:
    assert query_beside(a_query("sla_breach_rate")) is None
    with pytest.raises(InputError, match="no metric"):
        metric_named("response_rate")
