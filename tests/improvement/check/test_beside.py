"""What is told beside an effect: who answered, what stayed open at τ, what else was changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from improvement.check import CheckResult, Direction, Goal, Series
from tests.improvement.check.build import AFTER, LIVE, START, a_plan, a_scope, controls, looked

WEEKS = np.arange(LIVE - START + AFTER, dtype=np.int64) + START


def shares(before: float, after: float) -> Series:
    """So many of a hundred a week, in the weeks before go-live and since."""
    share = np.where(WEEKS >= LIVE, after, before)
    return Series(WEEKS, 100 * share, np.full(len(WEEKS), 100.0))


def means(level: float, better: float, seed: int) -> Series:
    """A weekly mean of 40 values that moves at go-live."""
    rng = np.random.default_rng(seed)
    mean = np.where(WEEKS >= LIVE, better, level) + 0.02 * level * rng.standard_normal(len(WEEKS))
    return Series(WEEKS, 40 * mean, np.full(len(WEEKS), 40.0))


def a_score(**changes: object) -> CheckResult:
    plan = a_plan(
        family="score", metric="csat_mean", unit="points", direction=Direction.HIGHER, goal=Goal.parse("+0.2")
    )
    return looked(means(4.0, 4.4, 1), {f"c{seed}": means(4.0, 4.0, seed) for seed in (2, 3, 4)}, plan, **changes)


def a_time(**changes: object) -> CheckResult:
    plan = a_plan(family="time", metric="time_to_resolve", unit="h", tau_weeks=2)
    return looked(means(40, 24, 1), {f"c{seed}": means(40, 40, seed) for seed in (2, 3, 4)}, plan, **changes)


def test_points_are_said_with_the_response_rate_in_both_windows() -> None:
    found = a_score(beside=shares(0.21, 0.12))
    assert found.response_rate == {"reference": 0.21, "after": 0.12}
    assert found.open_share == {}
    assert "21 % of those asked answered in the reference, 12 % after." in found.sentence
    assert "der Befragten antworteten in der Referenz" in found.sentence_de


def test_a_response_rate_nobody_knows_is_said_to_be_unknown() -> None:
    found = a_score()
    assert found.response_rate == {"reference": None, "after": None}
    assert "The response rate is not known." in found.sentence
    assert "Rücklaufquote" in found.sentence_de


def test_hours_are_said_with_tau_and_what_was_still_open_then() -> None:
    found = a_time(beside=shares(0.05, 0.02))
    assert found.open_share == {"reference": 0.05, "after": 0.02}
    told = "Times count up to 2 weeks (τ); 5.0 % of the tickets were still open then in the reference, 2.0 % after."
    assert told in found.sentence
    assert "5,0 % waren dann noch offen in der Referenz, 2,0 % danach." in found.sentence_de


def test_a_share_needs_nothing_beside_it() -> None:
    found = looked(a_scope(after=0.08), controls())
    assert (found.response_rate, found.open_share) == ({}, {})


def test_a_marked_change_fails_guard_8_and_is_said_whatever_the_verdict() -> None:
    for after, reason in ((0.08, "not_alone"), (0.2, "goal_excluded"), (0.4, "worse")):
        found = looked(a_scope(after=after), controls(), marked_changes=("CHG7",), concurrent_changes=("CHG7",))
        assert found.reason == reason
        assert "CHG7" in found.sentence
        assert "CHG7" in found.sentence_de
    assert found.marked_change_numbers == ("CHG7",)


def test_other_changes_are_counted_and_no_gate() -> None:
    found = looked(a_scope(after=0.08), controls(), concurrent_changes=("CHG1", "CHG2"))
    guard = next(guard for guard in found.guards if guard.number == 8)
    assert (found.reason, guard.status.value) == ("improved", "passed")
    assert guard.detail.startswith("2 other changes went live meanwhile")
    assert replace(found, guards=()).as_dict()["concurrent_change_numbers"] == ["CHG1", "CHG2"]
