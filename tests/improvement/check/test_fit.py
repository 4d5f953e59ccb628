"""The fit: what statsmodels gives, the traps around it, and the inflation for autocorrelation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm

from improvement.check.estimate import Data, estimate
from improvement.check.fit import FitFailed, control_offset, fit, inflation, spread, with_half_event
from improvement.check.model import Family, Series
from tests.improvement.check.build import weekly


def cells(numerator: list[float], denominator: list[float], first: int = 0) -> Series:
    week = first + np.arange(len(numerator), dtype=np.int64)
    return Series(week, np.array(numerator, dtype=float), np.array(denominator, dtype=float))


def overdispersed() -> Series:
    return weekly((40, 0.2), (13, 0.12), noise=0.5, seed=3)


def test_the_two_column_binomial_ignores_the_trials_in_its_scale() -> None:
    """The trap: ``np.c_[y, n - y]`` with scale="X2" gives a scale that has lost the trial counts; var_weights does not.

    When this fails statsmodels has changed, and the weights of the fit want another look.
    """
    made = overdispersed()
    y, n = made.numerator, made.denominator
    design = np.ones((len(y), 1))
    binomial = sm.families.Binomial()
    pearson = ((y - n * y.sum() / n.sum()) ** 2 / (n * (y.sum() / n.sum()) * (1 - y.sum() / n.sum()))).sum()
    chi2_df = pearson / (len(y) - 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trapped = sm.GLM(np.c_[y, n - y], design, family=binomial).fit(scale="X2")
        weighted = sm.GLM(y / n, design, family=binomial, var_weights=n).fit(scale="X2")
    assert chi2_df > 2
    assert trapped.scale < 0.1
    assert weighted.scale == pytest.approx(chi2_df, rel=1e-8)


def test_our_scale_is_pearsons_chi2_over_df() -> None:
    made = overdispersed()
    design = np.column_stack([np.ones(53), np.arange(53) >= 40]).astype(float)
    found = fit("proportion", made, design, np.zeros(53))
    binomial = sm.families.Binomial()
    theirs = sm.GLM(made.numerator / made.denominator, design, family=binomial, var_weights=made.denominator)
    expected = theirs.fit(scale="X2")
    assert found.params == pytest.approx(expected.params, rel=1e-6)
    assert found.phi == pytest.approx(expected.scale, rel=1e-6)
    assert found.se(1) == pytest.approx(expected.bse[1], rel=1e-6)


def test_underdispersed_events_do_not_shrink_the_error() -> None:
    made = cells([10.0] * 30, [100.0] * 30)
    assert fit("proportion", made, np.ones((30, 1)), np.zeros(30)).phi == 1.0


@pytest.mark.parametrize(
    ("family", "response", "expected"),
    [("time", (10.0, 5.0), np.log(0.5)), ("score", (4.0, 4.5), 0.5), ("count", (40.0, 20.0), np.log(0.5))],
)
def test_each_family_gives_the_effect_in_its_own_scale(
    family: Family, response: tuple[float, float], expected: float
) -> None:
    rng = np.random.default_rng(5)
    n = np.full(65, 50.0) if family != "count" else np.ones(65)
    level = np.where(np.arange(65) >= 52, response[1], response[0])
    y = level * n * (1 + 0.01 * rng.standard_normal(65))
    data = Data(family, Series(np.arange(65), y, n), np.arange(65) >= 52, np.zeros(65))
    assert estimate(data).delta == pytest.approx(expected, rel=0.1)


def test_autocorrelation_is_that_of_neighbouring_weeks_corrected_and_clipped() -> None:
    values = [1.0, 2, 1, 3, 2, 4, 3, 5]
    found = fit("score", cells(values, [1] * 8), np.ones((8, 1)), np.zeros(8))
    r = np.array(values) - np.mean(values)
    raw = (r[1:] * r[:-1]).sum() / (r**2).sum()
    assert found.rho == pytest.approx(raw + (1 + 3 * raw) / 8)
    alternating = fit("score", cells([1, -1] * 10, [1] * 20), np.ones((20, 1)), np.zeros(20))
    assert alternating.rho == 0.0
    slow = fit("score", cells(list(range(200)), [1] * 200), np.ones((200, 1)), np.zeros(200))
    assert slow.rho == 0.8


def test_weeks_with_a_gap_between_them_are_no_neighbours() -> None:
    made = cells([1, 2, 3, 4, 5, 6, 7, 8], [1] * 8)
    apart = Series(made.week * 2, made.numerator, made.denominator)
    assert fit("score", apart, np.ones((8, 1)), np.zeros(8)).rho == 0.0


def test_the_inflation_is_that_of_the_mean_of_an_autoregression() -> None:
    """V(k)/k is the variance of the mean of k weeks of AR(1) noise with unit variance."""
    rho, weeks = 0.6, 13
    lag = np.abs(np.subtract.outer(np.arange(weeks), np.arange(weeks)))
    assert spread(rho, weeks) / weeks == pytest.approx((rho**lag).mean())
    assert spread(0.0, weeks) == 1.0
    assert inflation(0.6, 52, 13) == pytest.approx(
        np.sqrt((spread(0.6, 52) / 52 + spread(0.6, 13) / 13) / (1 / 52 + 1 / 13))
    )


def test_a_window_without_events_gets_half_an_event_in_proportion_to_volume() -> None:
    made = cells([3, 2, 0, 0], [10, 10, 30, 10])
    span = np.array([False, False, True, True])
    mended, has_half = with_half_event("proportion", made, [span, ~span])
    assert has_half
    assert list(mended.numerator) == [3, 2, 0.375, 0.125]


def test_a_window_of_events_only_gets_half_a_non_event() -> None:
    made = cells([3, 2, 30, 10], [10, 10, 30, 10])
    span = np.array([False, False, True, True])
    assert with_half_event("proportion", made, [span])[0].numerator[2:] == pytest.approx([29.625, 9.875])
    assert not with_half_event("score", cells([0, 0], [1, 1]), [np.array([True, True])])[1]


def test_the_best_possible_action_can_be_fitted() -> None:
    """Twelve events expected, none seen: without the half event the standard error runs to thousands."""
    made = cells([1] * 52 + [0] * 13, [10] * 65)
    found = estimate(Data("proportion", made, np.arange(65) >= 52, np.zeros(65)))
    assert found.has_half_event
    assert -2.6 < found.t < -1.9


def test_controls_are_pooled_with_one_half_added_and_centred() -> None:
    one, two = cells([0, 5], [10, 10]), cells([2, 5], [10, 30])
    rate = np.array([2.5 / 21, 10.5 / 41])
    logit = np.log(rate / (1 - rate))
    assert control_offset("proportion", [one, two], np.array([0, 1])) == pytest.approx(logit - logit.mean())


def test_a_week_without_controls_gets_their_mean() -> None:
    offset = control_offset("count", [cells([4, 9], [1, 1])], np.array([0, 1, 2]))
    assert offset[2] == 0.0
    assert offset.sum() == pytest.approx(0.0)


def test_scores_on_a_large_scale_do_not_run_away() -> None:
    rng = np.random.default_rng(2)
    score = 5000 * (80 + 30 * rng.standard_normal(65))
    made = Series(np.arange(65), score * np.ones(65), np.ones(65))
    assert np.isfinite(estimate(Data("score", made, np.arange(65) >= 52, np.zeros(65))).se)


def test_weeks_that_do_not_vary_have_no_error_to_tell_chance_by() -> None:
    with pytest.raises(FitFailed, match="vary"):
        fit("score", cells([4.0] * 30, [1.0] * 30), np.ones((30, 1)), np.zeros(30))
