"""Builders: weekly numbers of a scope and its controls, and a plan to check them by."""

from __future__ import annotations

from typing import Any

import numpy as np

from improvement.check import CheckPlan, CheckResult, Direction, Goal, Series, Windows, compute_look

START = 2800  # an ISO week (improvement.weeks)
HISTORY, TRIGGER, CONFIRMATION, AFTER = 52, 4, 3, 13
LIVE = START + HISTORY + TRIGGER + CONFIRMATION
WINDOWS = Windows(
    reference=(START, START + HISTORY - 1),
    trigger=(START + HISTORY, START + HISTORY + TRIGGER - 1),
    confirmation=(START + HISTORY + TRIGGER, LIVE - 1),
    after_from=LIVE,
)


def a_plan(**changes: Any) -> CheckPlan:
    """A plan on the breach rate: 30 % fewer breaches."""
    facts: dict[str, Any] = {
        "action": "ACT-1",
        "metric": "sla_breach_rate",
        "family": "proportion",
        "direction": Direction.LOWER,
        "unit": "share",
        "windows": WINDOWS,
        "goal": Goal.parse("-30%"),
    }
    return CheckPlan(**{**facts, **changes})


def weekly(
    *levels: tuple[int, float], seed: int = 1, volume: int = 80, first: int = START, noise: float = 0.15
) -> Series:
    """Events of trials: spans of (weeks, rate), with noise on the logit; the same seed gives the same weeks."""
    rng = np.random.default_rng(seed)
    rate = np.concatenate([np.full(weeks, level) for weeks, level in levels])
    logit = np.log(rate / (1 - rate)) + noise * rng.standard_normal(len(rate))
    trials = rng.poisson(volume, len(rate))
    events = rng.binomial(trials, 1 / (1 + np.exp(-logit)))
    return Series(first + np.arange(len(rate), dtype=np.int64), events.astype(float), trials.astype(float))


def a_scope(before: float = 0.2, after: float = 0.2, *, bad: float = 0.3, seed: int = 1, volume: int = 80) -> Series:
    """A scope that was at one rate, got bad before go-live, and is at another since."""
    return weekly((HISTORY, before), (TRIGGER + CONFIRMATION, bad), (AFTER, after), seed=seed, volume=volume)


def controls(count: int = 4, *, after: float = 0.2, seed: int = 100) -> dict[str, Series]:
    """Scopes in which nothing was done."""
    spans = ((HISTORY + TRIGGER + CONFIRMATION, 0.2), (AFTER, after))
    return {f"control-{n}": weekly(*spans, seed=seed + n) for n in range(count)}


def looked(scope: Series, others: dict[str, Series], plan: CheckPlan | None = None, **changes: Any) -> CheckResult:
    """The final look, 13 weeks after go-live."""
    facts: dict[str, Any] = {"look": 13, "kind": "final", "last_week": LIVE + AFTER - 1}
    return compute_look(plan or a_plan(), scope, others, **{**facts, **changes})
