"""Small stories of answers, complaints, hand-overs and repeats."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from improvement.metrics import MetricOptions
from tests.improvement.metrics.build import a_contact, a_query, a_survey, a_ticket, a_warehouse, an_outage, at
from tests.improvement.metrics.test_metrics import WEEK, values


def test_scores_on_other_scales_are_low_or_promoters_where_they_lie_on_ours(tmp_path: Path) -> None:
    ten = {"scale_min": 0.0, "scale_max": 10.0}
    low = [a_survey("1", score=2.5, **ten), a_survey("2", score=3.0, **ten), a_survey("3", score=2.0)]
    assert values(tmp_path, a_query("csat_low_share"), a_ticket("t1"), *low) == [("Acme", 0, 2.0, 3.0)]
    five = {"kind": "nps", "scale_min": 1.0, "scale_max": 5.0}
    asked = [a_survey("1", score=5.0, **five), a_survey("2", score=4.0, **five), a_survey("3", score=3.0, **five)]
    assert values(tmp_path / "nps", a_query("nps"), a_ticket("t1"), *asked) == [("Acme", 0, 0.0, 3.0)]


def test_answers_after_a_week_are_too_late_and_a_week_is_judged_when_they_are(tmp_path: Path) -> None:
    sent = at("2026-03-02T08:00")
    surveys = [
        a_survey("1", sent_at=sent, answered_at=sent + timedelta(days=7)),
        a_survey("2", sent_at=sent, answered_at=sent + timedelta(days=7, seconds=1)),
        a_survey("3", sent_at=sent, answered_at=None, score=None),
        a_survey("4", sent_at=None),
    ]
    query = a_query("survey_response_rate")
    assert values(tmp_path, query, a_ticket("t1"), *surveys) == [("Acme", 0, 1.0, 3.0)]
    early = sent + timedelta(days=7) - timedelta(seconds=1)
    assert values(tmp_path / "early", query, a_ticket("t1"), *surveys, as_of=early) == []


def test_a_platform_that_records_no_complaints_has_not_got_zero_of_them(tmp_path: Path) -> None:
    tickets = [a_ticket("1", opened_at=at("2026-02-02")), a_ticket("2", customer="Bolt", opened_at=at("2026-02-02"))]
    query = a_query("complaint_count")
    assert values(tmp_path, query, *tickets, a_contact()) == []
    complaint = a_contact("c", kind="complaint", at=at("2026-03-03"))
    found = values(tmp_path / "one", query, *tickets, complaint, first=WEEK - 2, last=WEEK + 1)
    assert found == [("Acme", 0, 1.0, 1.0), ("Acme", 1, 0.0, 1.0), ("Bolt", 0, 0.0, 1.0), ("Bolt", 1, 0.0, 1.0)]


def test_a_complaint_does_not_close_the_contact_gap(tmp_path: Path) -> None:
    told = [
        a_ticket("1", opened_at=at("2026-02-23")),
        a_contact("c", kind="complaint"),
        a_contact("e", kind="escalation"),
    ]
    assert values(tmp_path, a_query("contact_gap"), *told) == [("Acme", 0, 13.0, 1.0)]


def test_who_hands_over_or_sees_it_again_has_not_solved_it_at_once(tmp_path: Path) -> None:
    done = {"resolved_at": at("2026-03-05"), "state": "resolved"}
    tickets = [
        a_ticket("1", **done),
        a_ticket("2", reassignment_count=1, **done),
        a_ticket("3", reopen_count=1, **done),
        a_ticket("4", kind="request", **done),
    ]
    assert values(tmp_path, a_query("first_contact_resolution_rate"), *tickets) == [("Acme", 0, 1.0, 3.0)]
    assert values(tmp_path / "handed", a_query("reassignment_rate"), *tickets) == [("Acme", 0, 1.0, 4.0)]


def test_a_repeat_has_the_same_subject_and_comes_within_days_that_may_be_chosen(tmp_path: Path) -> None:
    tickets = [
        a_ticket("1", category="Login", opened_at=at("2026-02-24")),
        a_ticket("2", category="Login", opened_at=at("2026-03-03")),  # seven days later, to the second
        a_ticket("3", category="Login", opened_at=at("2026-03-05"), customer="Bolt"),
        a_ticket("4", category="Print", opened_at=at("2026-03-05")),
        a_ticket("5", category=None, opened_at=at("2026-03-05")),
        a_ticket("6", category="Login", opened_at=at("2026-03-03"), state="cancelled"),
    ]
    query = a_query("repeat_incident_rate")
    assert values(tmp_path, query, *tickets) == [("Acme", 0, 1.0, 2.0), ("Bolt", 0, 0.0, 1.0)]
    shorter = replace(query, options=MetricOptions(repeat_days=6))
    assert values(tmp_path / "six", shorter, *tickets) == [("Acme", 0, 0.0, 2.0), ("Bolt", 0, 0.0, 1.0)]


def test_an_age_has_no_value_where_nothing_is_open(tmp_path: Path) -> None:
    tickets = [
        a_ticket("1", opened_at=at("2026-03-03"), resolved_at=at("2026-03-09"), state="closed"),
        a_ticket("2", opened_at=at("2026-03-18")),
    ]
    found = values(tmp_path, a_query("backlog_age_p90"), *tickets, last=WEEK + 2)
    assert found == [("Acme", 0, 5.0, 1.0), ("Acme", 2, 4.0, 1.0)]


def test_the_rows_behind_an_age_are_the_tickets_open_at_the_end(tmp_path: Path) -> None:
    tickets = [
        a_ticket("gone", opened_at=at("2026-02-20"), resolved_at=at("2026-03-03"), state="closed"),
        a_ticket("open", opened_at=at("2026-02-20")),
    ]
    with a_warehouse(tmp_path, *tickets, an_outage()) as warehouse:
        span = {"as_of": at("2026-03-20"), "first_week": WEEK - 1, "last_week": WEEK}
        rows = warehouse.contributing(a_query("backlog_age_p90"), scope={"customer": "Acme"}, **span)
    assert rows.select(["id", "week", "numerator"]).to_pylist() == [{"id": "open", "week": WEEK, "numerator": 16.0}]
