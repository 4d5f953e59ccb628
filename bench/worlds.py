"""Simulated worlds in which the truth is known: ten scopes, noise, season, a rule that fires, a go-live, an effect.

Weeks count from 0 (and are moved to real ISO weeks for the check). Latent *badness* u drives every metric; a variant
bends u, the volume or the controls in one way, so that each guard of the check meets the case it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm

from improvement.check import Series

Metric = Literal["breach", "count", "time", "csat"]
Array = np.ndarray

SCOPES = 10
BASE_WEEK = 2800  # the ISO week (improvement.weeks) that a world's week 0 stands for
AFTER_WEEKS = 13
TAIL_WEEKS = 78  # weeks of a world beyond its history: room for the rule to fire and for the looks
TAU_H = 240.0
SHARED_SD, PRIVATE_SD = 0.15, 0.25
RULE_WEEKS = 4
FIRES_AT = {"breach": 1.35, "count": 1.25, "time": 1.25, "csat": -0.25}
EFFECT_ON_U = {"breach": np.log(0.5), "count": np.log(0.7) / 0.7, "time": np.log(0.7) / 0.6, "csat": -1.0}


@dataclass(frozen=True, slots=True)
class Variant:
    """How a world differs from the plain one. Shifts are on u."""

    rho: float | None = None  # autocorrelation of shared and private noise
    season: float = 0.25
    drift: float = 0.0  # a week, in every scope; the level is what it has come to when the rule begins to look
    own_weeks: int | None = None  # the rule compares with the scope's own last weeks
    pre_trend: float = 0.0  # a week, in the scope only, into A; it is laid over a world whose rule has fired
    trend_weeks: int | None = None  # … for so long before the trigger (None: all along)
    volume: tuple[float, float] = (25.0, 150.0)
    healing: tuple[float, int] | None = None  # a shift in one scope, gone after so many weeks
    controls: int = SCOPES - 1
    bad_controls: int = 0  # controls that get worse by `shock` in A
    shock: float = 0.6
    shock_on_all: bool = False  # every scope by its load, the acting one too
    load: tuple[float, float] = (0.7, 1.3)
    mix: tuple[float, float] | None = None  # share of hard tickets before and in A
    ramp_weeks: int = 0


@dataclass(frozen=True, slots=True)
class World:
    """One world after the rule has fired: what the check gets to see, and what the competitors see."""

    metric: Metric
    scope: Series
    controls: dict[str, Series]
    trigger: tuple[int, int]  # ISO weeks, both included
    after_from: int  # ISO week


def ar1(rng: np.random.Generator, rho: float, sd: float, shape: tuple[int, ...]) -> Array:
    """Stationary AR(1) noise along the last axis with this marginal standard deviation."""
    noise = rng.standard_normal(shape) * sd * np.sqrt(1 - rho**2)
    noise[..., 0] = rng.standard_normal(shape[:-1]) * sd
    for t in range(1, shape[-1]):
        noise[..., t] += rho * noise[..., t - 1]
    return noise


def make(metric: Metric, variant: Variant, *, history: int, has_effect: bool, seed: tuple[int, ...]) -> World | None:
    """One world, or None where the rule never fired in time. The same seed gives the same world."""
    rng = np.random.default_rng(seed)
    weeks = TAIL_WEEKS + history
    t = np.arange(weeks)
    load = rng.uniform(*variant.load, SCOPES)
    wave = variant.season * np.cos(2 * np.pi * t / 52.18 + rng.uniform(0, 2 * np.pi))
    shared = wave + ar1(rng, variant.rho if variant.rho is not None else 0.5, SHARED_SD, (weeks,))
    private = ar1(rng, variant.rho if variant.rho is not None else 0.4, PRIVATE_SD, (SCOPES, weeks))
    u = load[:, None] * shared + private + variant.drift * (t - history)
    if variant.healing is not None:
        size, length = variant.healing
        # When the rule begins to look, in the scope that wins ties: so that the rule fires on what heals by itself.
        begin = history + int(rng.integers(RULE_WEEKS))
        u[0, begin : begin + length] += size
    low, high = np.log(variant.volume[0]), np.log(variant.volume[1])
    volume = np.exp(rng.uniform(low, high, SCOPES))
    level = rng.uniform(-2.3, -1.4, SCOPES) if metric != "time" else rng.uniform(1.8, 2.8, SCOPES)
    n = rng.poisson(volume[:, None], (SCOPES, weeks)).astype(float)
    y, d = _observe(metric, rng, n, u, level, volume, variant)
    target = long_run(metric, variant, level, volume, load)
    fired = _first_firing(metric, y, d, target, first=history + RULE_WEEKS, own_weeks=variant.own_weeks)
    if fired is None:
        return None
    who, when = fired
    live = when + 1 + int(rng.integers(1, 6))
    return _after(metric, variant, rng, who, when, live, u, n, level, volume, y, d, load, has_effect=has_effect)


def _observe(
    metric: Metric, rng: np.random.Generator, n: Array, u: Array, level: Array, volume: Array, variant: Variant
) -> tuple[Array, Array]:
    """Weekly numerators and denominators for all scopes given."""
    a, v = level[:, None], volume[:, None]
    if metric == "breach":
        if variant.mix is not None:
            hard = rng.binomial(n.astype(int), variant.mix[0])
            bad = rng.binomial(hard, _expit(a + 1.0 + u)) + rng.binomial(n.astype(int) - hard, _expit(a - 0.5 + u))
            return bad.astype(float), n
        return rng.binomial(n.astype(int), _expit(a + u)).astype(float), n
    if metric == "count":
        return rng.poisson(v * np.exp(0.7 * u) * rng.gamma(30, 1 / 30, u.shape)).astype(float), np.ones_like(n)
    if metric == "time":
        return _sums(rng, n, lambda size, place: np.minimum(
            np.exp((a + 0.6 * u).ravel()[place] + 1.5 * rng.standard_normal(size)), TAU_H
        )), n  # fmt: skip
    answers = rng.binomial(n.astype(int), 0.2).astype(float)
    return _sums(rng, answers, lambda size, place: np.clip(
        np.round(4.2 - 0.5 * u.ravel()[place] + 1.1 * rng.standard_normal(size)), 1, 5
    )), answers  # fmt: skip


def _sums(rng: np.random.Generator, n: Array, draw: object) -> Array:
    """Draw one value per ticket and add them up by cell."""
    counts = n.astype(int).ravel()
    place = np.repeat(np.arange(len(counts)), counts)
    values = draw(len(place), place)  # type: ignore[operator]
    return np.bincount(place, weights=values, minlength=len(counts)).reshape(n.shape)


def _expit(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def long_run(metric: Metric, variant: Variant, level: Array, volume: Array, load: Array) -> Array:
    """The weekly value each scope has on average over its seasons and noise: what the rule's target is made of."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(21)
    sd = np.hypot(load * np.hypot(variant.season / np.sqrt(2), SHARED_SD), PRIVATE_SD)
    u = sd[:, None] * nodes
    return np.asarray(_expected(metric, variant, level[:, None], volume[:, None], u) @ weights / weights.sum())


def _expected(metric: Metric, variant: Variant, a: Array, volume: Array, u: Array) -> Array:
    """The expected weekly value given u: :func:`_observe` without its noise."""
    if metric == "breach":
        if variant.mix is not None:
            return variant.mix[0] * _expit(a + 1.0 + u) + (1 - variant.mix[0]) * _expit(a - 0.5 + u)
        return _expit(a + u)
    if metric == "count":
        return volume * np.exp(0.7 * u)
    if metric == "time":
        mu, sd, log_tau = a + 0.6 * u, 1.5, np.log(TAU_H)
        below = np.exp(mu + sd**2 / 2) * norm.cdf((log_tau - mu - sd**2) / sd)
        return below + TAU_H * norm.sf((log_tau - mu) / sd)
    mean = 4.2 - 0.5 * u
    return 1 + sum(norm.sf((edge - mean) / 1.1) for edge in (1.5, 2.5, 3.5, 4.5))


def _first_firing(
    metric: Metric, y: Array, d: Array, target: Array, *, first: int, own_weeks: int | None
) -> tuple[int, int] | None:
    """The first scope whose 4-week value is too far from its long-run level, and in which week.

    With ``own_weeks`` the rule compares with the scope's own last weeks before the window instead.
    """
    cy = np.cumsum(np.pad(y, ((0, 0), (1, 0))), axis=1)
    cd = np.cumsum(np.pad(d, ((0, 0), (1, 0))), axis=1)
    limit = FIRES_AT[metric]
    for t in range(first, y.shape[1] - AFTER_WEEKS - 6):
        begin = t - RULE_WEEKS
        base = target
        with np.errstate(divide="ignore", invalid="ignore"):
            value = (cy[:, t] - cy[:, begin]) / (cd[:, t] - cd[:, begin])
            if own_weeks is not None:
                base = (cy[:, begin] - cy[:, begin - own_weeks]) / (cd[:, begin] - cd[:, begin - own_weeks])
            is_bad = value <= base + limit if metric == "csat" else value >= base * limit
        if is_bad.any():
            return int(np.flatnonzero(is_bad)[0]), t - 1
    return None


def _after(
    metric: Metric,
    variant: Variant,
    rng: np.random.Generator,
    who: int,
    when: int,
    live: int,
    u: Array,
    n: Array,
    level: Array,
    volume: Array,
    y: Array,
    d: Array,
    load: Array,
    *,
    has_effect: bool,
) -> World:
    """Bend what the variant bends and draw those scopes again; keep the weeks that fired the rule as they were."""
    weeks = u.shape[1]
    t = np.arange(weeks)
    moved = u.copy()
    in_after = t >= live
    if has_effect:
        ramp = np.clip((t - live + 1) / variant.ramp_weeks, 0, 1) if variant.ramp_weeks else 1.0
        moved[who] += in_after * ramp * EFFECT_ON_U[metric]
    if variant.pre_trend:
        since = when if variant.trend_weeks is None else variant.trend_weeks
        moved[who] += variant.pre_trend * np.maximum(t - when, -since)
    others = [index for index in range(SCOPES) if index != who]
    chosen = [int(index) for index in rng.permutation(others)[: variant.controls]]
    for index in chosen[: variant.bad_controls]:
        moved[index, in_after] += variant.shock
    if variant.shock_on_all:
        moved[:, in_after] += variant.shock * load[:, None]
    y2, d2 = _observe(metric, rng, n, moved, level, volume, variant)
    strata = None
    touched = (moved != u) & ~((t >= when - RULE_WEEKS + 1) & (t <= when))[None, :]
    y, d = np.where(touched, y2, y), np.where(touched, d2, d)
    if variant.mix is not None:
        y, d, strata = _strata(variant.mix, rng, who, live, moved, n, level, y, d)
    series = {f"s{index}": _series(y[index], d[index]) for index in chosen}
    scope = strata if strata is not None else _series(y[who], d[who])
    trigger = (BASE_WEEK + when - RULE_WEEKS + 1, BASE_WEEK + when)
    return World(metric, scope, series, trigger, BASE_WEEK + live)


def _strata(
    mix: tuple[float, float],
    rng: np.random.Generator,
    who: int,
    live: int,
    u: Array,
    n: Array,
    level: Array,
    y: Array,
    d: Array,
) -> tuple[Array, Array, Series]:
    """The acting scope by stratum; its share of hard tickets changes with the go-live."""
    weeks = n.shape[1]
    share = np.where(np.arange(weeks) >= live, mix[1], mix[0])
    total = n[who].astype(int)
    hard = rng.binomial(total, share)
    bad_hard = rng.binomial(hard, _expit(level[who] + 1.0 + u[who]))
    bad_soft = rng.binomial(total - hard, _expit(level[who] - 0.5 + u[who]))
    week = np.tile(np.arange(weeks) + BASE_WEEK, 2)
    names = np.array(["hard"] * weeks + ["soft"] * weeks, dtype=object)
    numerator, denominator = np.concatenate([bad_hard, bad_soft]), np.concatenate([hard, total - hard])
    scope = Series(week.astype(np.int64), numerator.astype(float), denominator.astype(float), names)
    return y, d, scope


def _series(y: Array, d: Array) -> Series:
    return Series(np.arange(len(y), dtype=np.int64) + BASE_WEEK, y.astype(float), d.astype(float))
