"""What people use instead of the check, each as its users run it: does it say *improved*?

Each takes a world as the rule left it and answers for the 13 weeks after go-live. None of them is made to lose: they
get the same weeks the check gets, and look at the weeks before go-live because that is what their users do.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from bench.worlds import AFTER_WEEKS, World

ALPHA = 0.05
BETTER = -1  # breaches and counts: lower is better
REFERENCE_WEEKS = 52
Array = np.ndarray
Rule = Callable[["Weeks"], bool]


@dataclass(frozen=True, slots=True)
class Weeks:
    """The scope's weekly events and volume around the go-live, and the pooled controls' rate."""

    events: Array
    volume: Array
    controls: Array  # rate
    live: int  # index of the first week of A
    trigger: int  # index of the first week of the trigger window
    is_count: bool

    @property
    def rate(self) -> Array:
        """Events per unit of volume."""
        return self.events / self.volume

    @property
    def link(self) -> Array:
        """The rate on the scale a model works on, one half added so that it is finite."""
        if self.is_count:
            return np.log(self.events + 0.5) - np.log(self.volume)
        return np.log((self.events + 0.5) / (self.volume - self.events + 0.5))

    @property
    def controls_link(self) -> Array:
        """The controls' rate on the same scale."""
        return np.log(self.controls) if self.is_count else np.log(self.controls / (1 - self.controls))


def weeks_of(world: World) -> Weeks:
    """A world as these methods see it."""
    scope = world.scope.weekly()
    series = [control.weekly() for control in world.controls.values()]
    size = int(max(part.week.max() for part in [scope, *series]) - scope.week.min() + 1)
    events, volume = np.zeros(size), np.zeros(size)
    np.add.at(events, scope.week - scope.week.min(), scope.numerator)
    np.add.at(volume, scope.week - scope.week.min(), scope.denominator)
    others_y, others_n = np.zeros(size), np.zeros(size)
    for part in series:
        np.add.at(others_y, part.week - scope.week.min(), part.numerator)
        np.add.at(others_n, part.week - scope.week.min(), part.denominator)
    first = int(scope.week.min())
    return Weeks(
        events,
        volume,
        (others_y + 0.5) / (others_n + 1),
        world.after_from - first,
        world.trigger[0] - first,
        world.metric == "count",
    )


def arrow(w: Weeks) -> bool:
    """The 28 days the rule complained about against the first 28 after go-live."""
    return bool(_pooled(w, w.live, 4) < _pooled(w, w.trigger, 4))


def tested(size: int) -> Rule:
    """A two-sample test, so many weeks before go-live against so many after."""
    return lambda w: _p_of(w, w.live - size, size, w.live, size) < ALPHA and _is_lower(w, size)


def tested_weekly(w: Weeks) -> bool:
    """The same test looked at every week for 13 weeks: 28 days before go-live against the weeks since."""
    return any(
        _p_of(w, w.live - 4, 4, w.live, k) < ALPHA and _pooled(w, w.live, k) < _pooled(w, w.live - 4, 4)
        for k in range(1, AFTER_WEEKS + 1)
    )


def xmr(first: Callable[[Weeks], int], size: int) -> Rule:
    """XmR chart with run rules: a point beyond 3σ, 8 in a row on one side, 2 of 3 beyond 2σ; limits from some weeks."""

    def says(w: Weeks) -> bool:
        base = w.rate[first(w) : first(w) + size]
        sigma = np.abs(np.diff(base)).mean() / 1.128
        z = BETTER * (w.rate[w.live : w.live + AFTER_WEEKS] - base.mean()) / sigma
        return bool((z > 3).any()) or _has_run(z > 0, 8, 8) or _has_run(z > 2, 2, 3)

    return says


def segmented(w: Weeks) -> bool:
    """Interrupted time series: level, trend, change of both; Newey–West errors; is the change of level significant?"""
    import statsmodels.api as sm

    y = w.link[w.live - REFERENCE_WEEKS : w.live + AFTER_WEEKS]
    t = np.arange(len(y))
    is_after = (t >= REFERENCE_WEEKS).astype(float)
    design = np.column_stack([np.ones(len(y)), t, is_after, is_after * (t - REFERENCE_WEEKS)])
    found = sm.OLS(y, design).fit(cov_type="HAC", cov_kwds={"maxlags": 4})
    return bool(found.pvalues[2] < ALPHA and BETTER * found.params[2] > 0)


def causal_impact(**setting: object) -> Rule:
    """A structural model of the year before go-live forecasts 13 weeks; is their mean outside 95 % of its draws?"""

    def says(w: Weeks) -> bool:
        from statsmodels.tsa.statespace.structural import UnobservedComponents

        options = dict(setting)
        has_controls = bool(options.pop("controls"))
        before, after = slice(w.live - REFERENCE_WEEKS, w.live), slice(w.live, w.live + AFTER_WEEKS)
        exog = w.controls_link[:, None] - w.controls_link[before].mean() if has_controls else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = UnobservedComponents(w.link[before], exog=exog[before] if exog is not None else None, **options)
            found = model.fit(disp=False, maxiter=50, cov_type="none")
            draws = found.simulate(
                AFTER_WEEKS,
                anchor="end",
                repetitions=500,
                exog=exog[after] if exog is not None else None,
                rng=np.random.default_rng(1),
            )
        means = np.asarray(draws).reshape(AFTER_WEEKS, -1).mean(axis=0)
        return bool((means <= w.link[after].mean()).mean() < ALPHA / 2)

    return says


COMPETITORS: dict[str, Rule] = {
    "arrow, 28 days against 28": arrow,
    "test, 28 days": tested(4),
    "test, 91 days": tested(AFTER_WEEKS),
    "test, looked at weekly": tested_weekly,
    "XmR run rules, limits from 26 weeks": xmr(lambda w: w.live - 26, 26),
    "XmR run rules, limits from the reference": xmr(lambda w: w.trigger - REFERENCE_WEEKS, REFERENCE_WEEKS),
    "segmented regression, Newey–West": segmented,
    "CausalImpact-like, local level, controls": causal_impact(level="llevel", controls=True),
    "CausalImpact-like, constant + AR(1), controls": causal_impact(level="dconstant", autoregressive=1, controls=True),
    "CausalImpact-like, local level, no controls": causal_impact(level="llevel", controls=False),
}


def _pooled(w: Weeks, first: int, size: int) -> float:
    return float(w.events[first : first + size].sum() / w.volume[first : first + size].sum())


def _is_lower(w: Weeks, size: int) -> bool:
    return _pooled(w, w.live, size) < _pooled(w, w.live - size, size)


def _p_of(w: Weeks, before: int, before_size: int, after: int, after_size: int) -> float:
    """Two-sided p of two proportions or two Poisson rates."""
    spans = [slice(before, before + before_size), slice(after, after + after_size)]
    y = np.array([w.events[span].sum() for span in spans])
    n = np.array([w.volume[span].sum() for span in spans])
    if w.is_count:
        from statsmodels.stats.rates import test_poisson_2indep

        return float(test_poisson_2indep(y[1], n[1], y[0], n[0], method="score").pvalue)
    from statsmodels.stats.proportion import proportions_ztest

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = float(proportions_ztest(y, n)[1])
    return p if np.isfinite(p) else 1.0


def _has_run(is_out: Array, hits: int, span: int) -> bool:
    return any(is_out[i : i + span].sum() >= hits for i in range(len(is_out) - span + 1))
