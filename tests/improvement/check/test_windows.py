"""Which weeks a plan compares: reference, trigger, confirmation, after; also of an action that was adjusted."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from improvement.check import Windows, windows_for
from improvement.weeks import monday, week_of

TRIGGER = (week_of(date(2025, 7, 7)), week_of(date(2025, 8, 4)))
LIVE = date(2025, 9, 1)  # a Monday, four weeks after the trigger's last one


def windows(live: date = LIVE, *, earliest: int | None = None, first_live: date | None = None) -> Windows:
    return windows_for(
        trigger_first=TRIGGER[0],
        trigger_last=TRIGGER[1],
        implemented_on=live,
        earliest_week=earliest,
        first_implemented_on=first_live,
    )


def test_the_reference_is_the_52_weeks_before_what_the_rule_looked_at() -> None:
    found = windows()
    assert found.reference == (TRIGGER[0] - 52, TRIGGER[0] - 1)
    assert found.trigger == TRIGGER


def test_on_a_monday_after_begins_that_day_and_confirmation_ends_the_sunday_before() -> None:
    found = windows()
    assert monday(found.after_from) == LIVE
    assert found.confirmation == (TRIGGER[1] + 1, found.after_from - 1)


@pytest.mark.parametrize("days", range(1, 7))
def test_a_week_that_holds_a_go_live_in_its_middle_belongs_to_no_window(days: int) -> None:
    found = windows(LIVE + timedelta(days=days))
    assert monday(found.after_from) == LIVE + timedelta(days=7)
    assert found.confirmation == (TRIGGER[1] + 1, week_of(LIVE) - 1)


def test_confirmation_is_empty_where_it_goes_live_right_after_the_trigger() -> None:
    assert windows(monday(TRIGGER[1] + 1)).confirmation is None
    assert windows(monday(TRIGGER[1] + 1) + timedelta(days=3)).confirmation is None


def test_a_short_history_makes_a_short_reference_that_never_reaches_into_the_trigger() -> None:
    assert windows(earliest=TRIGGER[0] - 30).reference == (TRIGGER[0] - 30, TRIGGER[0] - 1)
    assert windows(earliest=TRIGGER[0] + 2).reference == (TRIGGER[0] - 1, TRIGGER[0] - 1)


def test_of_an_adjusted_action_reference_and_trigger_stay_and_nothing_between_the_go_lives_counts() -> None:
    again = LIVE + timedelta(weeks=20)
    found = windows(again, first_live=LIVE)
    assert (found.reference, found.trigger) == (windows().reference, windows().trigger)
    assert found.confirmation is None
    assert monday(found.after_from) == again
