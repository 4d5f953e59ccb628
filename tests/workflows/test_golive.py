"""Going live: windows shift once by whole weeks, and work done without asking is a fact that is never credited."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from improvement.errors import GuardRefused
from tests.workflows.build import GOLIVE, OPENED, an_action, an_approver, an_owner, planned
from workflows import commands, loop
from workflows.models import Action, LedgerEntry, LookKind, Person

pytestmark = pytest.mark.django_db
ENGINE = "engine"


@pytest.fixture
def olga(home: object) -> Person:
    return an_owner()


@pytest.fixture
def paul(olga: Person) -> Person:
    return an_approver()


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def shifts(action: Action) -> list[dict[str, Any]]:
    entries = LedgerEntry.objects.filter(type="plan.windows_shifted", subject=action.code)
    return [json.loads(bytes(entry.data))["payload"]["windows"] for entry in entries]


def test_the_windows_shift_once_by_whole_weeks_and_the_frozen_plan_stays(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    commands.approve(paul, action.code, at=OPENED)
    frozen = action.plans.get().document
    wednesday = GOLIVE + timedelta(days=9)
    commands.golive(olga, action.code, at=noon(wednesday), on=wednesday)
    (windows,) = shifts(action)
    assert {name: windows[name] for name in ("reference", "trigger")} == {
        name: frozen["windows"][name] for name in ("reference", "trigger")
    }
    assert windows["after"]["from"] == "2025-09-29"  # the Monday after; the week of the go-live belongs to no window
    assert windows["confirmation"]["to"] == "2025-09-21"
    assert action.plans.get().document == frozen
    first = action.looks.order_by("due_at")[0]
    tuesday_in_zurich = datetime(2025, 10, 27, 23, tzinfo=UTC)  # four weeks, and a day to record them
    assert (first.week_no, first.due_at) == (4, tuesday_in_zurich)
    with pytest.raises(GuardRefused, match="possible from: proposed, planned, doing"):
        commands.golive(olga, action.code, at=noon(wednesday), on=wednesday)
    assert len(shifts(action)) == 1


@pytest.mark.parametrize(("days", "is_late"), [(-1, False), (0, True), (3, True)])
def test_the_yardstick_has_to_be_fixed_the_day_before(olga: Person, paul: Person, days: int, is_late: bool) -> None:
    action = planned(an_action(olga))
    approve_at = noon(GOLIVE + timedelta(days=days))
    if is_late:
        commands.golive(olga, action.code, at=min(approve_at, noon(GOLIVE)), on=GOLIVE)
        commands.approve(paul, action.code, at=approve_at)
    else:
        commands.approve(paul, action.code, at=approve_at)
        commands.golive(olga, action.code, at=noon(GOLIVE), on=GOLIVE)
    action.refresh_from_db()
    assert (action.state, action.is_late) == ("checking", is_late)
    assert len(shifts(action)) == 1
    assert action.looks.count() == 3


def test_work_done_without_asking_is_kept_and_never_improved(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    commands.golive(olga, action.code, at=noon(GOLIVE), on=GOLIVE)
    action.refresh_from_db()
    assert (action.state, action.implemented_on) == ("planned", GOLIVE)
    assert LedgerEntry.objects.filter(type="golive.unapproved").count() == 1
    commands.approve(paul, action.code, at=noon(GOLIVE) + timedelta(weeks=2))
    assert LedgerEntry.objects.filter(type="action.late").count() == 1
    action.refresh_from_db()
    with pytest.raises(GuardRefused, match="a late action cannot be improved"):
        loop.move(action, loop.Event.FINAL_LOOK, actor=ENGINE, at=noon(date(2026, 3, 2)), verdict="improved")
    loop.move(
        action, loop.Event.FINAL_LOOK, actor=ENGINE, at=noon(date(2026, 3, 2)), verdict="improved, not attributable"
    )
    assert action.state == "acting"


def test_a_plan_that_changes_after_the_go_live_is_a_new_late_version(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    commands.approve(paul, action.code, at=OPENED)
    commands.golive(olga, action.code, at=noon(GOLIVE), on=GOLIVE)
    later = noon(GOLIVE) + timedelta(days=2)
    commands.reapprove(olga, action.code, at=later, reason="We want more.")
    commands.plan(olga, action.code, at=later, goal="-60%")
    commands.approve(paul, action.code, at=later)
    action.refresh_from_db()
    assert (action.state, action.is_late, action.implemented_on) == ("checking", True, GOLIVE)
    assert action.plans.get(version=1).document["goal"] == "-50%"
    assert action.plans.get(version=2).document["goal"] == "-60%"
    waiting = action.looks.filter(is_dropped=False)
    assert {look.plan.version for look in waiting} == {2}
    assert {look.kind for look in waiting} == {LookKind.LOOK, LookKind.FINAL}


def test_a_go_live_lies_after_the_trigger_window_and_not_in_the_future(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    commands.approve(paul, action.code, at=OPENED)
    for day, reason in ((date(2025, 8, 17), "trigger window"), (GOLIVE, "in the future")):
        with pytest.raises(GuardRefused, match=reason):
            commands.golive(olga, action.code, at=OPENED + timedelta(days=1), on=day)
