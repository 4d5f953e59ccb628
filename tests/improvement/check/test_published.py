"""Published numbers, recomputed: the fit of the check, the intervals of its benchmark, the survival functions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from bench.check_rows import Row
from bench.check_worlds import Tally
from improvement.check.estimate import Data, estimate
from improvement.check.fit import fit
from improvement.check.guards import controls_spread
from improvement.check.model import Floats, Series
from tests.improvement.check import published


def test_star98_as_in_the_statsmodels_documentation() -> None:
    """Gill, *Generalized Linear Models* (2001): 303 California school districts, binomial with 20 regressors."""
    found = sm.datasets.star98.load_pandas()
    passed, failed = found.endog.to_numpy(dtype=float).T
    design = sm.add_constant(found.exog.to_numpy(dtype=float), prepend=False)
    made = Series(np.arange(len(passed)), passed, passed + failed)
    ours = fit("proportion", made, design, np.zeros(len(passed)))
    assert ours.params[:3] == pytest.approx([-0.01682, 0.00993, -0.01872], abs=5e-6)
    n, mu = made.denominator, ours.fitted
    terms = passed * np.log(passed / (n * mu)) + failed * np.log(failed / (n * (1 - mu)))
    assert 2 * terms.sum() == pytest.approx(4078.77, abs=0.01)


def test_montgomerys_orange_juice_cans() -> None:
    """Montgomery, *Introduction to Statistical Quality Control*, p chart: .23133 (.05243, .41024), 15 and 23 out.

    A point beyond its 3σ limits is a Pearson residual beyond 3.
    """
    cans = np.array(published.ORANGE_JUICE, dtype=float)
    found = fit("proportion", Series(np.arange(30), cans, np.full(30, 50.0)), np.ones((30, 1)), np.zeros(30))
    mean = float(found.fitted[0])
    reach = 3 * np.sqrt(mean * (1 - mean) / 50)
    assert (mean, mean - reach, mean + reach) == pytest.approx((0.23133, 0.05243, 0.41024), abs=1e-5)
    assert list(np.flatnonzero(np.abs(found.residuals) > 3) + 1) == [15, 23]


def test_the_smoking_ban_in_sicily() -> None:
    """Lopez Bernal, Cummins & Gasparrini (2017): rate ratio .8944 (.8647–.9251), quasi-Poisson .8392–.9532."""
    cases, population = np.array(published.SICILY_CASES), np.array(published.SICILY_POPULATION)
    month = np.arange(1, 60)
    design = np.column_stack([np.ones(59), month >= 37, month]).astype(float)
    found = fit("count", Series(month, cases.astype(float), population), design, np.zeros(59))
    effect, quasi = found.params[1], found.se(1)
    plain = quasi / np.sqrt(found.phi)
    assert np.exp(effect) == pytest.approx(0.8944, abs=1e-4)
    assert np.exp([effect - 1.96 * plain, effect + 1.96 * plain]) == pytest.approx([0.8647, 0.9251], abs=1e-4)
    assert np.exp([effect - 1.96 * quasi, effect + 1.96 * quasi]) == pytest.approx([0.8392, 0.9532], abs=1e-4)


def test_the_spread_of_the_bcg_trials() -> None:
    """DerSimonian & Laird (1986): τ² .3088, Q 152.23 on 12 degrees of freedom, from the log risk ratios.

    As metafor prints ``rma(yi, vi, method="DL", data=dat.bcg)`` (Viechtbauer's course for the Cochrane Statistical
    Methods Group, 2016). Each trial stands in a control's place with its own effect and error.
    """
    ill, well, ill_else, well_else = np.array(published.BCG_TRIALS, dtype=float).T
    assert ill.sum() + well.sum() + ill_else.sum() + well_else.sum() == 357_347
    ratio = np.log(ill / (ill + well)) - np.log(ill_else / (ill_else + well_else))
    variance = 1 / ill - 1 / (ill + well) + 1 / ill_else - 1 / (ill_else + well_else)
    mean = (ratio / variance).sum() / (1 / variance).sum()
    assert ((ratio - mean) ** 2 / variance).sum() == pytest.approx(152.233, abs=1e-3)
    trials = {str(number): a_control(*trial) for number, trial in enumerate(zip(ratio, np.sqrt(variance), strict=True))}
    found = [estimate(trial) for trial in trials.values()]
    assert [one.delta for one in found] == pytest.approx(ratio)
    assert [one.se for one in found] == pytest.approx(np.sqrt(variance))
    tau = controls_spread(trials)
    assert tau is not None
    assert tau**2 == pytest.approx(0.3088, abs=5e-5)


def a_control(delta: float, se: float) -> Data:
    """Weeks whose estimated effect and error are these: the error of a score grows as its noise does."""
    is_after = np.arange(20) >= 10
    noise = np.tile([1.0, -1.0], 10)
    unit = _scored(noise, is_after)
    return _scored(delta * is_after + noise * se / estimate(unit).se, is_after)


def _scored(score: Floats, is_after: np.ndarray) -> Data:
    weight = np.full(len(score), 50.0)
    return Data("score", Series(np.arange(len(score)), score * weight, weight), is_after, np.zeros(len(score)))


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_intervals_of_newcombe_1998(hits: int, of: int, low: float, high: float) -> None:
    tally = Tally(Row("a row", "breach"), said=Counter({"improved": hits}), worlds=of)
    assert tally.share("improved") == pytest.approx((hits / of, low, high), abs=5e-5)


def test_waltons_flies() -> None:
    time, event, group = published.waltons()
    chi2, _ = survdiff(time, event, group)
    assert chi2 == pytest.approx(122.249, abs=1e-3)
    assert SurvfuncRight(time, event).quantile(0.5) == 56


def test_gehans_leukemia() -> None:
    """Freireich et al. (1963): 6-MP against placebo, weeks in remission."""
    time, event, group = published.leukemia()
    chi2, _ = survdiff(time, event, group)
    assert chi2 == pytest.approx(16.793, abs=1e-3)
    medians = [SurvfuncRight(time[group == name], event[group == name]).quantile(0.5) for name in (0, 1)]
    assert medians == [8, 23]


def test_advanced_lung_cancer() -> None:
    time, event = published.lung()
    assert len(time) == 228
    assert SurvfuncRight(time, event).quantile(0.5) == 310
