"""Goals as people write them, and their size on the model's scale."""

from __future__ import annotations

import numpy as np
import pytest

from improvement.check import Goal, Series
from improvement.check.sizes import sizes
from improvement.errors import InputError
from tests.improvement.check.build import HISTORY, a_plan, a_scope


def test_a_share_is_moved_by_the_goal_and_told_as_an_odds_ratio() -> None:
    """30 % fewer of 20 % is 14 %: odds 0.1628 instead of 0.25."""
    size = Goal.parse("-30%").link_size(family="proportion", sign=-1, rate=0.2)
    assert np.exp(-size) == pytest.approx((0.14 / 0.86) / (0.2 / 0.8))


def test_counts_and_times_are_told_as_ratios_and_scores_as_points() -> None:
    assert Goal.parse("−30 %").link_size(family="count", sign=-1, rate=9) == pytest.approx(-np.log(0.7))
    assert Goal.parse("-30%").link_size(family="time", sign=-1, rate=9) == pytest.approx(-np.log(0.7))
    assert Goal.parse("+0.25").link_size(family="score", sign=1, rate=4) == 0.25


def test_the_minimum_effect_is_half_the_goal_in_its_own_unit() -> None:
    assert Goal.parse("-30%").half.text == "-15%"
    assert Goal.parse("+0.25").half.text == "+0.125"


def test_a_goal_against_the_direction_has_a_negative_size() -> None:
    assert Goal.parse("+30%").link_size(family="proportion", sign=-1, rate=0.2) < 0


@pytest.mark.parametrize("text", ["", "30%", "-", "soon", "-30%%", "0", "+0", "-0%", "nan", "-1e3", "--30%"])
def test_what_is_no_goal_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Goal.parse(text)


@pytest.mark.parametrize(
    ("goal", "family", "rate"),
    [
        ("+30%", "score", 4.0),  # points are meant
        ("-0.25", "proportion", 0.2),  # a percentage is meant
        ("-5", "count", 10.0),
        ("-100%", "count", 10.0),
        ("+150%", "proportion", 0.5),  # above 100 %
        ("-120%", "proportion", 0.5),
    ],
)
def test_a_goal_in_the_wrong_form_or_out_of_range_is_refused(goal: str, family: str, rate: float) -> None:
    with pytest.raises(InputError):
        Goal.parse(goal).link_size(family=family, sign=1, rate=rate)


def test_a_reference_of_events_only_counts_as_half_a_non_event_off() -> None:
    reference = Series(np.arange(HISTORY), np.full(HISTORY, 10.0), np.full(HISTORY, 10.0))
    goal, least = sizes(a_plan(), reference)
    rate = (520 - 0.5) / 520
    assert goal == pytest.approx(-np.log((0.7 * rate / (1 - 0.7 * rate)) / (rate / (1 - rate))))
    assert 0 < least < goal


def test_sizes_are_those_of_the_plan_on_its_reference() -> None:
    plan = a_plan(min_effect=Goal.parse("-10%"))
    reference = a_scope().between(*plan.windows.reference)
    goal, least = sizes(plan, reference)
    assert 0 < least < goal
