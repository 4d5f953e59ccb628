"""Which tickets an action is linked to on the platform: those its value rests on, and of those the bad ones."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from improvement import weeks
from tests.improvement.metrics.build import CONNECTION, LATER, a_clock, a_contact, a_survey, a_ticket, a_warehouse, at
from workflows.actions.triggers import MOST, tickets_behind
from workflows.models import Action

WEEK = weeks.week_of(date(2026, 3, 2))


def an_action(metric: str, *, target: float | None = None, **where: Any) -> Action:
    """On Acme's mail service; its trigger is the week of 2 March 2026."""
    return Action(
        connection=CONNECTION,
        metric=metric,
        scope={"customer": "Acme", "service": "Mail"},
        trigger={"from_week": WEEK, "to_week": WEEK, "target": target},
        measurement={
            "by": ["customer", "service"],
            "where": [[key.replace("sla_", "sla."), [value]] for key, value in where.items()],
        },
    )


def linked(folder: Path, action: Action, *records: msgspec.Struct) -> list[str]:
    with a_warehouse(folder, *records) as warehouse:
        return tickets_behind(action, warehouse, as_of=LATER)


def test_of_a_share_only_the_tickets_that_count_against_it_are_linked(tmp_path: Path) -> None:
    breached = {"is_breached": True, "stage": "in_progress", "end_at": None}
    records = (
        *(a_ticket(name) for name in ("kept", "breached", "ola", "before")),
        a_ticket("request", kind="request"),
        a_ticket("elsewhere", service="Shop"),
        a_clock("k1", ticket_id="kept"),
        a_clock("k2", ticket_id="breached", **breached),
        a_clock("k3", ticket_id="ola", agreement="ola", **breached),
        a_clock("k4", ticket_id="before", **{**breached, "breach_at": at("2026-02-20T12:00")}),
        a_clock("k5", ticket_id="request", **breached),
        a_clock("k6", ticket_id="elsewhere", **breached),
    )
    action = an_action("sla_breach_rate", target=0.1, kind="incident", sla_agreement="sla")
    assert linked(tmp_path, action, *records) == ["breached"]


def test_of_scores_the_worst_answers_below_the_target_are_linked(tmp_path: Path) -> None:
    scores = {"happy": 5.0, "lukewarm": 3.0, "angry": 1.0}
    records = [a_ticket(name) for name in scores]
    records += [a_survey(f"s-{name}", ticket_id=name, score=score) for name, score in scores.items()]
    assert linked(tmp_path, an_action("csat_mean", target=4.0), *records) == ["angry", "lukewarm"]


def test_of_times_the_longest_beyond_the_target_are_linked(tmp_path: Path) -> None:
    hours = {"quick": 2, "slow": 90, "slowest": 200}
    records = [
        a_ticket(name, state="resolved", resolved_at=at("2026-03-02") + timedelta(hours=spent))
        for name, spent in hours.items()
    ]
    assert linked(tmp_path, an_action("time_to_resolve", target=24.0), *records) == ["slowest", "slow"]


def test_of_a_count_the_newest_ten_are_linked(tmp_path: Path) -> None:
    records = [a_ticket(f"t{number}", opened_at=at(f"2026-03-02T{number:02}:00")) for number in range(12)]
    newest = [f"t{number}" for number in range(11, 1, -1)]
    assert linked(tmp_path, an_action("incident_count"), *records) == newest
    assert len(newest) == MOST


def test_a_gap_in_talks_has_no_tickets_to_link(tmp_path: Path) -> None:
    assert linked(tmp_path, an_action("contact_gap"), a_ticket(), a_contact()) == []
