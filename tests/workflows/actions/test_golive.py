"""Going live: windows shift once by whole weeks, and work done without asking is a fact that is never credited."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from improvement.errors import GuardRefused
from tests.workflows.build import GOLIVE, OPENED, an_action, live, looked, planned
from workflows.actions import commands, loop
from workflows.evidence import verifying
from workflows.models import Action, LedgerEntry, LookKind, Person

pytestmark = pytest.mark.django_db
ENGINE = "engine"


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


def corrected(olga: Person, action: Action, on: date, *, at: datetime) -> Action:
    return commands.correct_golive(olga, action.code, at=at, on=on, reason="A typing error.")


def test_a_wrong_go_live_is_corrected_and_both_days_stay_on_record(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    commands.approve(paul, action.code, at=OPENED)
    commands.golive(olga, action.code, at=noon(GOLIVE), on=GOLIVE, ref="CHG1")
    before = [look.due_at for look in action.looks.order_by("week_no")]
    monday = GOLIVE - timedelta(weeks=1)
    action = corrected(olga, action, monday, at=noon(GOLIVE) + timedelta(days=1))
    assert (action.state, action.implemented_on, action.implemented_ref) == ("checking", monday, "CHG1")
    assert [look.due_at for look in action.looks.order_by("week_no")] == [due - timedelta(weeks=1) for due in before]
    assert [windows["after"]["from"] for windows in shifts(action)] == [GOLIVE.isoformat(), monday.isoformat()]
    entry = LedgerEntry.objects.get(type="golive.corrected", subject=action.code)
    assert json.loads(bytes(entry.data))["payload"] == {
        "from": GOLIVE.isoformat(), "to": monday.isoformat(), "is_late": False
    }  # fmt: skip
    step = action.transitions.get(event="correct_golive")
    assert (step.actor, step.note) == (olga.uid, "A typing error.")
    assert verifying.verify().failures == []


def test_a_correction_asks_for_lateness_anew(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    commands.approve(paul, action.code, at=OPENED + timedelta(days=1))
    commands.golive(olga, action.code, at=noon(GOLIVE), on=OPENED.date())
    action.refresh_from_db()
    assert action.is_late
    action = corrected(olga, action, GOLIVE, at=noon(GOLIVE) + timedelta(days=1))
    assert not action.is_late
    assert corrected(olga, action, OPENED.date(), at=noon(GOLIVE) + timedelta(days=2)).is_late


def test_who_has_seen_a_look_cannot_choose_the_day_by_it(olga: Person, paul: Person) -> None:
    action = live(an_action(olga), paul)
    looked(action, kind=LookKind.LOOK)
    action = corrected(olga, action, GOLIVE - timedelta(weeks=2), at=noon(date(2025, 11, 3)))
    assert action.is_late
    first, second, _ = action.looks.order_by("week_no")
    assert (first.computed_at is not None, second.due_at.date()) == (True, date(2025, 10, 27))
    assert LedgerEntry.objects.filter(type="action.late").count() == 1


@pytest.mark.parametrize(
    ("on", "reason", "refused"),
    [
        (GOLIVE, "A typing error.", "it is live since 2025-09-15"),
        (GOLIVE + timedelta(weeks=9), "A typing error.", "in the future"),
        (date(2025, 8, 17), "A typing error.", "trigger window"),
        (GOLIVE - timedelta(weeks=1), " ", "a reason is missing"),
    ],
)
def test_a_correction_keeps_the_guards_of_a_go_live(
    olga: Person, paul: Person, on: date, reason: str, refused: str
) -> None:
    action = live(an_action(olga), paul)
    with pytest.raises(GuardRefused, match=refused):
        commands.correct_golive(olga, action.code, at=noon(GOLIVE) + timedelta(days=1), on=on, reason=reason)


def test_what_is_not_live_or_has_a_verdict_is_not_corrected(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    with pytest.raises(GuardRefused, match="no go-live was reported yet"):
        corrected(olga, action, GOLIVE, at=noon(GOLIVE))
    commands.approve(paul, action.code, at=OPENED)
    commands.golive(olga, action.code, at=noon(GOLIVE), on=GOLIVE)
    for kind in (LookKind.LOOK, LookKind.LOOK, LookKind.FINAL):
        looked(action, kind=kind)
    with pytest.raises(GuardRefused, match="it is acting"):
        corrected(olga, action, GOLIVE - timedelta(weeks=1), at=noon(date(2026, 3, 2)))
