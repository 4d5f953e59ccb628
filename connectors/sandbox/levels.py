"""How bad each week really is: a scope's courses plus noise, and what that means for a single ticket.

Levels are what a reader of the scenario sees (share of breaches, mean score, restricted mean hours). Noise is added
on the link scale: autocorrelated, part shared by all scopes of a platform, part a scope's own; moderate enough that a
quiet scope stays below its target.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit, ndtr, ndtri

from connectors.sandbox.arrivals import Floats, Ints, ar1
from connectors.sandbox.scenario import BREACH, CSAT, HOURS, ScenarioScope

Booleans = npt.NDArray[np.bool_]

GOAL_H: dict[int, int] = {1: 4, 2: 8, 3: 36, 4: 72, 5: 120}  # resolution goal by priority
RESPONSE_GOAL_S: dict[int, int] = {1: 900, 2: 1_800, 3: 7_200, 4: 14_400, 5: 28_800}
PRIORITY_SHARES = np.array([0.02, 0.08, 0.70, 0.17, 0.03])  # 1 … 5; the real log: 2, 4, 85, 10 %
WORK_SIGMA = 1.5  # of log work time; the real log has 2.0 with its waiting
USUAL_BREACH = 0.08  # the share of work times beyond the goal before a scope's own level acts
PAUSE_SHARE = 0.40
PAUSE_SIGMA = 1.1
TAU_H = 336.0
SCORE_SIGMA = 1.05

LINKS: dict[str, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    BREACH: (logit, expit),
    HOURS: (np.log, np.exp),
    CSAT: (np.positive, np.positive),
}


@dataclass(frozen=True, slots=True)
class Levels:
    """One value a week: probability of a breach, centre of the score before rounding, mean pause in hours."""

    breach: Floats
    score_centre: Floats
    pause_h: Floats


@dataclass(frozen=True, slots=True)
class Shared:
    """Noise that all scopes of a platform share, a value a week and metric (link scale)."""

    breach: Floats
    csat: Floats
    hours: Floats


def shared_noise(rng: np.random.Generator, weeks: int) -> Shared:
    """Autocorrelated noise and a mild yearly season that all scopes feel."""
    season = np.cos(2 * np.pi * (np.arange(weeks) / 52.18 - 0.05))
    return Shared(
        breach=0.06 * season + ar1(rng, weeks, rho=0.5, sd=0.05),
        csat=ar1(rng, weeks, rho=0.5, sd=0.02),
        hours=0.02 * season + ar1(rng, weeks, rho=0.5, sd=0.02),
    )


def levels_of(rng: np.random.Generator, scope: ScenarioScope, shared: Shared, *, first_week: int) -> Levels:
    """The scope's weekly levels; ``first_week`` is the scenario's week that the world begins with."""
    weeks = len(shared.breach)
    at = np.arange(first_week, first_week + weeks)
    breach = logit(_course(scope, BREACH, scope.breach, at)) + shared.breach + ar1(rng, weeks, rho=0.4, sd=0.06)
    score = _course(scope, CSAT, scope.csat, at) + shared.csat + ar1(rng, weeks, rho=0.4, sd=0.04)
    hours = np.log(_course(scope, HOURS, scope.hours, at)) + shared.hours + ar1(rng, weeks, rho=0.4, sd=0.03)
    usual = round(scope.breach if scope.metric != BREACH else scope.course[0][1], 3)
    return levels_at(expit(breach), score, np.exp(hours), usual_breach=min(usual, 0.12))


def levels_at(breach: Floats, score: Floats, hours: Floats, *, usual_breach: float) -> Levels:
    """Weekly levels from the share of breaches, the mean score and the restricted mean hours to resolve.

    ``usual_breach``: the share of breaches at which the hours are as they are.
    """
    return Levels(
        breach=breach,
        score_centre=np.interp(score, *_scores()),
        pause_h=np.interp(hours, *_pauses(usual_breach)),
    )


def work_hours(rng: np.random.Generator, goal_h: Floats, is_breached: Booleans) -> Floats:
    """Work time (no pauses) of tickets: lognormal within the goal, a heavy tail of overrun beyond it."""
    quantile = rng.uniform(0.0005, 1.0, size=len(goal_h)) * (1 - USUAL_BREACH)
    within = goal_h * np.exp(WORK_SIGMA * (ndtri(quantile) - ndtri(1 - USUAL_BREACH)))
    overrun = 0.02 + np.exp(rng.normal(-1.3, 1.0, size=len(goal_h)))  # mean 0.47 of the goal
    work: Floats = np.where(is_breached, goal_h * (1 + overrun), np.minimum(within, 0.998 * goal_h))
    return work


def pause_hours(rng: np.random.Generator, mean_h: Floats) -> Floats:
    """Time on hold of each ticket: none for most, lognormal with this mean for the others."""
    length = mean_h * np.exp(rng.normal(-(PAUSE_SIGMA**2) / 2, PAUSE_SIGMA, size=len(mean_h)))
    paused: Floats = np.where(rng.random(len(mean_h)) < PAUSE_SHARE, np.maximum(length, 0.1), 0.0)
    return paused


def scores(rng: np.random.Generator, centre: Floats) -> Ints:
    """Scores 1 to 5 around these centres."""
    drawn: Ints = np.clip(np.rint(rng.normal(centre, SCORE_SIGMA)), 1, 5).astype(np.int64)
    return drawn


def _course(scope: ScenarioScope, metric: str, usual: float, at: Ints) -> Floats:
    if scope.metric != metric:
        return np.full(len(at), usual)
    weeks = [float(week) for week, _ in scope.course]
    to_link, from_link = LINKS[metric]
    values: Floats = from_link(np.interp(at, weeks, to_link(np.array([level for _, level in scope.course]))))
    return values


@lru_cache(maxsize=1)
def _scores() -> tuple[Floats, Floats]:
    """Mean score → centre: rounding and clipping pull the mean towards the middle."""
    centre = np.linspace(1.0, 8.0, 281)
    edges = np.array([1.5, 2.5, 3.5, 4.5])
    mean = 1 + (1 - ndtr((edges[None, :] - centre[:, None]) / SCORE_SIGMA)).sum(axis=1)
    return mean, centre


@lru_cache(maxsize=64)
def _pauses(breach: float) -> tuple[Floats, Floats]:
    """Restricted mean time to resolve (τ 336 h) → mean pause, at this share of breaches."""
    rng = np.random.default_rng(20_240_101)
    count = 20_000
    goal = np.array([float(hours) for hours in GOAL_H.values()])
    goal_h = rng.choice(goal, size=count, p=PRIORITY_SHARES)
    work = work_hours(rng, goal_h, rng.random(count) < breach)
    unit = pause_hours(rng, np.ones(count))
    mean_h = np.concatenate([[0.0], np.geomspace(0.5, 1_500.0, 60)])
    reached = np.array([np.minimum(work + pause * unit, TAU_H).mean() for pause in mean_h])
    return reached, mean_h
