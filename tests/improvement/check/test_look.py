"""One look, told as stories: what the check says when this and that happened."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from improvement.check import Direction, Goal, Series, Status, Verdict, Windows, compute_look, not_due
from improvement.check.estimate import YEAR_WEEKS
from improvement.check.model import CheckResult, GuardResult, OtherAction
from improvement.check.verdict import Outcome, decide
from tests.improvement.check.build import (
    AFTER,
    CONFIRMATION,
    HISTORY,
    LIVE,
    START,
    TRIGGER,
    WINDOWS,
    a_plan,
    a_scope,
    controls,
    looked,
    weekly,
)

INSIDE = OtherAction("ACT-4", "customer=Acme,service=Mail", is_same_scope=False)


def guard(result: CheckResult, number: int) -> GuardResult:
    return next(found for found in result.guards if found.number == number)


def interval(result: CheckResult) -> tuple[float, float, float]:
    assert None not in (result.low, result.effect, result.high)
    return result.low, result.effect, result.high  # type: ignore[return-value]


def test_a_true_effect_against_quiet_controls_is_improved() -> None:
    found = looked(a_scope(after=0.08), controls())
    assert (found.verdict, found.reason, found.goal_met) == (Verdict.IMPROVED, "improved", True)
    assert found.unit == "odds ratio"
    low, effect, high = interval(found)
    assert low < effect < high < 1
    assert found.effect == pytest.approx((0.08 / 0.92) / (0.2 / 0.8), rel=0.25)


def test_regression_to_the_mean_is_recovered_not_improved() -> None:
    """It was bad, nothing was done about it, and it came back: what every arrow would congratulate for."""
    found = looked(a_scope(after=0.2, bad=0.34), controls())
    assert found.verdict is Verdict.RECOVERED
    assert found.naive["before"] > 1.4 * found.naive["after"]  # type: ignore[operator]


def test_without_a_confirmation_window_nothing_can_be_recovered() -> None:
    plan = a_plan(windows=replace(WINDOWS, confirmation=None))
    assert looked(a_scope(after=0.2, bad=0.34), controls(), plan).verdict is not Verdict.RECOVERED


def test_a_scope_that_got_worse_alone_is_worse() -> None:
    found = looked(a_scope(after=0.34), controls())
    assert (found.verdict, found.reason) == (Verdict.WORSE, "worse")
    assert found.goal_met is False


def test_a_yearly_wave_of_its_own_is_not_called_worse() -> None:
    """Half a year of reference at the bottom of the wave, *after* at its top; only the season's model objects."""
    half_a_year = (WINDOWS.reference[1] - 25, WINDOWS.reference[1])
    plan = a_plan(windows=replace(WINDOWS, reference=half_a_year))
    waves = [(1, wave(0.2, week - LIVE - AFTER / 2)) for week in range(START, LIVE + AFTER)]
    found = looked(weekly(*waves, volume=200), controls(), plan)
    assert (found.verdict, found.reason) == (Verdict.NOT_ENOUGH_DATA, "worse_not_attributable")
    low, effect, high = interval(found)
    assert 1 < low < effect < high
    assert {guard(found, number).status for number in (4, 5, 7, 8)} == {Status.PASSED}
    guards = tuple((one.number, one.status) for one in found.guards)
    assert decide(Outcome(side=-1, effect=-1.0, guards=guards))[0].verdict is Verdict.WORSE  # but for the season
    bottom, top = wave(0.2, YEAR_WEEKS / 2), wave(0.2, 0)
    rose = weekly((HISTORY + TRIGGER + CONFIRMATION, bottom), (AFTER, top), volume=200)  # as high, and no wave
    assert looked(rose, controls(), plan).verdict is Verdict.WORSE


def wave(rate: float, weeks_from_top: float) -> float:
    """The rate of a week in a year whose odds go up and down by a factor of 1.8."""
    odds = rate / (1 - rate) * 1.8 ** np.cos(2 * np.pi * weeks_from_top / YEAR_WEEKS)
    return float(odds / (1 + odds))


def test_worse_without_controls_cannot_be_told() -> None:
    found = looked(a_scope(after=0.34), {})
    assert (found.verdict, found.reason) == (Verdict.NOT_ENOUGH_DATA, "worse_not_attributable")


def test_without_controls_nothing_is_improved() -> None:
    found = looked(a_scope(after=0.08), {})
    assert (found.verdict, found.reason) == (Verdict.NOT_ATTRIBUTABLE, "no_controls")
    assert "two witnesses (no controls)" in found.sentence


@pytest.mark.parametrize("count", [1, 2])
def test_few_controls_are_said(count: int) -> None:
    found = looked(a_scope(after=0.08), controls(count))
    assert found.verdict is Verdict.IMPROVED
    assert f"Only {count} control" in found.sentence
    assert guard(found, 5).status is Status.NOT_COMPUTED
    assert "controls agree (fewer than three controls)" in found.sentence


def test_controls_that_get_worse_do_not_make_an_improvement() -> None:
    found = looked(a_scope(after=0.2, bad=0.2), controls(5, after=0.34))
    assert found.verdict is Verdict.NOT_ATTRIBUTABLE
    assert found.reason == "controls_made_it"


def test_controls_that_disagree_among_themselves_widen_the_interval() -> None:
    torn = controls(3, after=0.1) | {f"up-{n}": s for n, s in controls(3, after=0.36, seed=300).items()}
    found = looked(a_scope(after=0.12, bad=0.2), torn)
    assert (found.verdict, found.reason) == (Verdict.NOT_ATTRIBUTABLE, "controls_disagree")
    assert "differ among themselves by a factor of" in found.sentence
    assert "weichen untereinander um den Faktor" in found.sentence_de
    assert found.link_se > found.control_tau > guard(found, 5).figures["se"]  # type: ignore[operator]
    low, _, high = interval(found)
    assert low < 1 < high


def test_worse_against_controls_that_disagree_cannot_be_told() -> None:
    torn = controls(3, after=0.1) | {f"up-{n}": s for n, s in controls(3, after=0.36, seed=300).items()}
    found = looked(a_scope(after=0.3, bad=0.2), torn)
    assert (found.verdict, found.reason) == (Verdict.NOT_ENOUGH_DATA, "worse_not_attributable")


def test_an_effect_that_is_gone_in_the_last_weeks_has_faded() -> None:
    scope = weekly((HISTORY, 0.2), (TRIGGER + CONFIRMATION, 0.3), (8, 0.05), (5, 0.19))
    assert looked(scope, controls()).verdict is Verdict.FADED


def test_a_scope_that_was_improving_before_is_not_credited() -> None:
    falling = [(1, float(rate)) for rate in np.linspace(0.36, 0.14, HISTORY + TRIGGER + CONFIRMATION + AFTER)]
    found = looked(weekly(*falling, volume=150, noise=0.02), controls())
    assert (found.verdict, found.reason) == (Verdict.NOT_ATTRIBUTABLE, "pre_trend")
    assert "had that trend gone on, the effect would be odds ratio " in found.sentence
    assert "hätte dieser Trend angehalten, wäre die Wirkung Odds Ratio " in found.sentence_de


def test_easier_tickets_are_no_improvement() -> None:
    """Within each stratum nothing changes; the share of hard tickets halves."""
    rng = np.random.default_rng(4)
    weeks = HISTORY + TRIGGER + CONFIRMATION + AFTER
    hard_n = np.where(np.arange(weeks) < weeks - AFTER, 60, 15)
    parts = [(hard_n, 0.4, "hard"), (100 - hard_n, 0.05, "soft")]
    week = np.tile(START + np.arange(weeks), 2)
    n = np.concatenate([part[0] for part in parts]).astype(float)
    y = np.concatenate([rng.binomial(part[0], part[1]) for part in parts]).astype(float)
    names = np.repeat(np.array(["hard", "soft"], dtype=object), weeks)
    found = looked(Series(week, y, n, names), controls())
    assert (found.verdict, found.reason) == (Verdict.NOT_ATTRIBUTABLE, "mix")
    assert "ith the mix held constant the effect is odds ratio 1.12" in found.sentence
    assert "ei gleicher Zusammensetzung ist die Wirkung Odds Ratio 1,12" in found.sentence_de
    assert looked(Series(week, y, n), controls()).verdict is Verdict.IMPROVED


def test_a_new_kind_of_ticket_is_expected_to_be_like_the_others() -> None:
    scope = a_scope(after=0.08)
    names = np.where(scope.week < LIVE, "old", "new").astype(object)
    names[:5] = "older"
    found = looked(Series(scope.week, scope.numerator, scope.denominator, names), controls())
    assert guard(found, 6).status is Status.PASSED


@pytest.mark.parametrize(
    ("change", "plan", "said"),
    [
        ({"other_actions": (OtherAction("ACT-3", "country=CH"),)}, {}, "Another action worked on the same scope"),
        ({"other_actions": (INSIDE,)}, {}, "overlaps this one (ACT-4: customer=Acme,service=Mail)"),
        ({"high_risk_changes": ("CHG1",)}, {}, "CHG1"),
        ({}, {"is_late": True}, "frozen after the go-live"),
    ],
)
def test_what_else_was_going_on_takes_the_credit(change: dict, plan: dict, said: str) -> None:
    found = looked(a_scope(after=0.08), controls(), a_plan(**plan), **change)
    assert (found.verdict, found.reason) == (Verdict.NOT_ATTRIBUTABLE, "not_alone")
    assert said in found.sentence


def test_the_guard_and_the_record_name_the_other_action() -> None:
    found = looked(a_scope(after=0.08), controls(), other_actions=(INSIDE,))
    assert guard(found, 8).figures["other_actions"] == "ACT-4: customer=Acme,service=Mail"
    assert "der sich mit diesem überschneidet (ACT-4: customer=Acme,service=Mail)" in found.sentence_de
    assert found.as_dict()["other_actions"] == ["ACT-4: customer=Acme,service=Mail"]


def test_an_effect_too_small_to_be_worth_it_is_no_change() -> None:
    plan = a_plan(goal=Goal.parse("-80%"), min_effect=Goal.parse("-75%"))
    found = looked(a_scope(after=0.08), controls(), plan)
    assert (found.verdict, found.reason) == (Verdict.NO_CHANGE, "below_minimum")


def test_nothing_happened_and_the_goal_is_excluded() -> None:
    plan = a_plan(windows=replace(WINDOWS, confirmation=None), goal=Goal.parse("-60%"))
    found = looked(a_scope(after=0.2, bad=0.2, volume=300), controls(), plan)
    assert (found.verdict, found.reason) == (Verdict.NO_CHANGE, "goal_excluded")


def test_what_cannot_be_told_says_from_when_on() -> None:
    found = looked(a_scope(0.2, 0.18, bad=0.2, volume=20), controls())
    assert (found.verdict, found.reason) == (Verdict.NOT_ENOUGH_DATA, "inconclusive")
    assert found.conclusive_by > found.windows["after"].last_day  # type: ignore[union-attr]
    assert f"It can be conclusive by {found.conclusive_by}" in found.sentence


def test_what_nobody_can_know_is_no_passed_guard() -> None:
    """A file of numbers tells of no other change: the verdict stands, and the sentence says what was not asked."""
    found = looked(a_scope(0.2, 0.05, volume=60), controls(), are_changes_known=False)
    assert found.verdict is Verdict.IMPROVED
    assert found.guards[7].status is Status.NOT_COMPUTED
    assert "what else changed is not known here" in found.sentence
    assert "was sich sonst änderte, ist hier nicht bekannt" in found.sentence_de


def test_no_event_at_all_is_the_best_possible_action() -> None:
    """And not a lack of data: twenty-six were expected."""
    found = looked(a_scope(0.2, 1e-12, volume=10), controls())
    assert found.verdict is Verdict.IMPROVED
    assert "half an event" in found.sentence
    assert found.absolute["rate_without"] > 0.1  # type: ignore[operator]


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (a_scope(volume=1, before=0.1), "few_reference_events"),
        (weekly((20, 0.2), (7, 0.3), (13, 0.2), first=START + 32), "few_reference_weeks"),
        (weekly((52, 0.2), (7, 0.3), (9, 0.1)), "few_after_weeks"),
        (weekly((52, 0.05), (7, 0.05), (13, 0.05), volume=10), "few_expected_events"),
    ],
)
def test_least_data_is_asked_for_before_anything_is_fitted(scope: Series, why: str) -> None:
    found = looked(scope, controls())
    assert (found.verdict, found.reason, found.effect) == (Verdict.NOT_ENOUGH_DATA, why, None)


def scores(before: float, after: float, *, responses: int = 10, seed: int = 1) -> Series:
    rng = np.random.default_rng(seed)
    level = np.concatenate([np.full(HISTORY + TRIGGER + CONFIRMATION, before), np.full(AFTER, after)])
    n = np.full(len(level), float(responses))
    return Series(START + np.arange(len(level)), n * (level + 0.25 * rng.standard_normal(len(level))), n)


def test_satisfaction_is_told_in_points() -> None:
    plan = a_plan(
        metric="csat_mean", family="score", direction=Direction.HIGHER, unit="points", goal=Goal.parse("+0.25")
    )
    found = looked(scores(3.8, 4.4), {f"c{n}": scores(3.8, 3.8, seed=n) for n in range(10, 14)}, plan)
    assert found.verdict is Verdict.IMPROVED
    assert (found.unit, found.effect) == ("points", pytest.approx(0.6, abs=0.2))


def test_a_net_promoter_score_needs_a_hundred_responses() -> None:
    plan = a_plan(metric="nps", family="score", direction=Direction.HIGHER, unit="points", goal=Goal.parse("+0.25"))
    assert looked(scores(0.1, 0.2, responses=5), {}, plan).reason == "few_nps_responses"
    assert looked(scores(0.1, 0.2, responses=8), {}, plan).reason != "few_nps_responses"


def test_a_metric_without_a_family_is_not_computed() -> None:
    found = looked(a_scope(), controls(), a_plan(metric="backlog_open", family=None))
    assert (found.verdict, found.reason) == (Verdict.NOT_COMPUTED, "no_family")
    assert not_due(a_plan(family=None)).reason == "no_family"


def test_before_the_first_look_there_is_no_verdict() -> None:
    found = not_due(a_plan())
    assert (found.verdict, found.reason, found.look) == (Verdict.NOT_ENOUGH_DATA, "before_first_look", None)
    assert found.conclusive_by in found.sentence


def test_an_early_look_is_provisional_and_its_bound_is_high() -> None:
    found = looked(a_scope(after=0.08), controls(), look=4, kind="look", last_week=LIVE + 3)
    assert found.is_provisional
    assert found.bound == pytest.approx(3.597, abs=1e-3)
    assert found.sentence.startswith("So far (provisional)")
    assert not guard(found, 2).is_asked


def test_weeks_after_the_look_do_not_count() -> None:
    scope, others = a_scope(after=0.08), controls()
    early = looked(scope, others, look=4, kind="look", last_week=LIVE + 3)
    cut = replace(
        scope,
        week=scope.week[: -AFTER + 4],
        numerator=scope.numerator[: -AFTER + 4],
        denominator=scope.denominator[: -AFTER + 4],
    )
    assert looked(cut, others, look=4, kind="look", last_week=LIVE + 3).effect == early.effect


def test_the_trigger_window_is_never_used_for_the_estimate() -> None:
    calm, wild = a_scope(after=0.1, bad=0.2), a_scope(after=0.1, bad=0.2)
    in_trigger = (wild.week >= START + HISTORY) & (wild.week < LIVE)
    wild.numerator[in_trigger] = wild.denominator[in_trigger]
    assert looked(wild, controls()).effect == looked(calm, controls()).effect


def test_a_control_without_enough_weeks_is_left_out_with_its_reason() -> None:
    late = weekly((20, 0.2), first=LIVE - 7)
    found = looked(a_scope(after=0.08), controls(3) | {"new": late})
    assert "new" not in found.controls
    assert ("new", "fewer than 26 weeks with volume before the trigger") in found.controls_excluded


def sustained(*since: tuple[int, float], bad: float = 0.3) -> tuple[CheckResult, CheckResult]:
    """The final look of an action and the sustaining one 13 weeks later."""
    long = weekly((HISTORY, 0.2), (7, bad), *since)
    others = {f"c{n}": weekly((HISTORY + 7 + 26, 0.2), seed=n) for n in range(200, 204)}
    final = looked(long, others)
    last = LIVE + 25
    later = compute_look(a_plan(), long, others, look=13, kind="sustain", last_week=last, final=final.as_dict())
    return final, later


def test_an_effect_that_lasts_is_still_improved_at_a_sustaining_look() -> None:
    _, later = sustained((26, 0.08))
    assert later.verdict is Verdict.IMPROVED
    assert later.bound == pytest.approx(1.95996, abs=1e-5)
    assert later.windows["after"].weeks == 13  # type: ignore[union-attr]
    assert not guard(later, 3).is_asked


def test_what_the_final_look_could_not_credit_is_not_credited_later() -> None:
    long = weekly((HISTORY, 0.2), (7, 0.3), (26, 0.08))
    others = {f"c{n}": weekly((HISTORY + 7 + 26, 0.2), seed=n) for n in range(200, 204)}
    late = looked(long, others, replace(a_plan(), is_late=True))
    assert (late.verdict, late.reason) == (Verdict.NOT_ATTRIBUTABLE, "not_alone")
    was = late.as_dict()
    later = compute_look(a_plan(), long, others, look=13, kind="sustain", last_week=LIVE + 25, final=was)
    assert (later.verdict, later.reason) == (Verdict.NOT_ATTRIBUTABLE, "not_alone")


def test_an_effect_half_gone_at_a_sustaining_look_has_faded() -> None:
    final, later = sustained((13, 0.06), (13, 0.16))
    assert (final.verdict, later.verdict) == (Verdict.IMPROVED, Verdict.FADED)


def test_a_recovered_action_has_no_effect_to_lose() -> None:
    final, later = sustained((26, 0.2), bad=0.34)
    assert final.verdict is Verdict.RECOVERED
    assert later.verdict is not Verdict.FADED


def test_the_result_holds_every_number_of_the_record() -> None:
    found = looked(a_scope(after=0.08), controls()).as_dict()
    for name in (
        "metric_version", "metric_unit", "direction", "goal", "min_effect", "phi", "rho", "df", "control_tau", "bound",
        "quantile", "p_value", "link_effect", "link_se", "naive", "absolute", "method", "versions", "data_sha256",
    ):  # fmt: skip
        assert found[name] not in (None, "", {}), name
    assert found["windows"]["reference"]["first_day"] == "2023-08-28"
    assert [entry["number"] for entry in found["guards"]] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_the_digest_changes_with_any_cell() -> None:
    scope, others = a_scope(), controls()
    before = looked(scope, others).data_sha256
    others["control-0"].numerator[3] += 1
    assert looked(scope, others).data_sha256 != before


def test_a_goal_that_cannot_be_reached_is_not_computed() -> None:
    plan = a_plan(direction=Direction.HIGHER, goal=Goal.parse("+600%"))
    found = looked(a_scope(), controls(), plan)
    assert (found.verdict, found.reason) == (Verdict.NOT_COMPUTED, "no_plan_goal")
    assert "ist für diese Kennzahl oder ihr Niveau nicht möglich" in found.sentence_de


def test_an_empty_scope_is_not_computed() -> None:
    empty = Series(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    assert looked(empty, controls()).reason == "no_series"


def test_windows_with_104_weeks_before_them_ask_for_the_trend_twice() -> None:
    long = weekly((104, 0.2), (7, 0.3), (13, 0.08), first=START - 52)
    others = {f"c{n}": weekly((124, 0.2), first=START - 52, seed=n) for n in range(200, 204)}
    assert "t_104" in guard(looked(long, others), 3).figures
    assert "t_104" not in guard(looked(a_scope(after=0.08), controls()), 3).figures


def test_windows_of_a_short_history_begin_where_it_begins() -> None:
    windows = Windows((START + 12, START + 51), (START + 52, START + 55), None, LIVE)
    found = looked(weekly((40, 0.2), (7, 0.3), (13, 0.08), first=START + 12), controls(), a_plan(windows=windows))
    assert found.windows["reference"].weeks == 40  # type: ignore[union-attr]
    assert found.verdict is Verdict.IMPROVED


def test_other_changes_are_listed_by_number_and_are_no_gate() -> None:
    found = looked(a_scope(after=0.08), controls(), concurrent_changes=("CHG0030001", "CHG0030002"))
    assert found.verdict is Verdict.IMPROVED
    assert found.as_dict()["concurrent_change_numbers"] == ["CHG0030001", "CHG0030002"]
    assert found.concurrent_changes == 2
