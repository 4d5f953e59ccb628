"""The plain before–after figure of a metric on its model's scale: what an arrow claims, made comparable.

The same for a scope that somebody acted on and for firings that nobody acted on: one can stand beside the other.
"""

from __future__ import annotations

import math

UNITS = {"proportion": "odds ratio", "count": "rate ratio", "time": "time ratio", "score": "points"}


def level(family: str, events: float, n: float) -> float | None:
    """Where some weeks lie on the link scale (half an event added to shares and counts); None where they hold nothing.

    ``events`` of ``n``: breaches of decided clocks, incidents of exposure, hours of tickets, points of answers.
    """
    if n <= 0:
        return None
    if family == "score":
        return events / n
    if family == "proportion":
        return math.log((events + 0.5) / (n - events + 0.5))
    if family == "count":
        return math.log((events + 0.5) / n)
    return math.log(events / n) if events > 0 else None


def natural(family: str, link: float) -> float:
    """A difference of levels in the metric's unit: a ratio, or points."""
    return link if family == "score" else math.exp(link)
