"""How far an effect must lie from zero at each look: O'Brien–Fleming bounds for several looks at one question."""

from __future__ import annotations

from functools import cache

import numpy as np

ALPHA = 0.05


@cache
def bounds(looks: tuple[int, ...]) -> dict[int, float]:
    """|z| needed at each look (weeks), two-sided 5 % over all of them together.

    The bound is c / √(look / last look); c solves P(max over looks exceeds) = 5 % for the joint normal whose
    correlations are √(earlier / later) (O'Brien & Fleming 1979). For 4, 8, 13 weeks: 3.597, 2.544, 1.995.
    """
    from scipy.optimize import brentq

    share = np.array(looks, dtype=float) / looks[-1]
    if len(looks) == 1:
        return {looks[0]: two_sided(ALPHA)}
    correlation = np.sqrt(np.minimum.outer(share, share) / np.maximum.outer(share, share))

    def exceeds(c: float) -> float:
        limit = c / np.sqrt(share)
        return 1 - _inside(limit, correlation) - ALPHA

    c = float(brentq(exceeds, 1.6, 4.0, xtol=1e-6))
    return {look: c / float(np.sqrt(part)) for look, part in zip(looks, share, strict=True)}


def two_sided(alpha: float) -> float:
    """|z| of a single test."""
    from scipy.stats import norm

    return float(norm.ppf(1 - alpha / 2))


def _inside(limit: np.ndarray, correlation: np.ndarray) -> float:
    """P(all |z| within their limits)."""
    from scipy.stats import multivariate_normal

    law = multivariate_normal(mean=np.zeros(len(limit)), cov=correlation, seed=1)
    return float(law.cdf(limit, lower_limit=-limit))


def quantile(bound: float, df: int) -> float:
    """The t quantile with the same tail as a z bound."""
    from scipy.stats import norm, t

    return float(t.ppf(norm.cdf(bound), df))
