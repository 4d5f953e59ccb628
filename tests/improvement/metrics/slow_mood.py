"""The mood once more, slow and obvious: seven values a scope and week, their scores, and the weighted mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.improvement.metrics.slow import Row, Slow

# part → weight, worst value, best value, weeks late, fewest rows
PARTS = {
    "csat": (30, 1, 5, 0, 5),
    "nps": (15, -1, 1, 0, 5),
    "response_rate": (10, 0, 0.4, 1, 5),
    "contact_gap": (15, 90, 14, 0, 0),
    "complaints": (10, 0.05, 0, 0, 1),
    "escalations": (10, 0.05, 0, 0, 1),
    "reopened": (10, 0.15, 0, 0, 1),
}


def slow_mood(slow: Slow) -> list[tuple[object, ...]]:
    """``(by…, week, Σ score · weight, Σ weight)`` where the known parts have half of all weights."""
    first, last = slow.first, slow.last
    rows: dict[str, Callable[[], Iterable[Row]]] = {
        "csat": slow._csat_mean,
        "nps": slow._nps,
        "response_rate": slow._survey_response_rate,
        "complaints": lambda: slow.per_ticket("complaint"),
        "escalations": lambda: slow.per_ticket("escalation"),
        "reopened": slow._reopen_rate,
    }
    scores: dict[tuple[Any, ...], list[tuple[float, float]]] = defaultdict(list)
    for name, (weight, worst, best, late, fewest) in PARTS.items():
        values: dict[tuple[Any, ...], float] = {}
        if name == "contact_gap":
            values = {tuple(row[:-2]): row[-2] / row[-1] for row in slow._contact_gap()}  # type: ignore[operator, misc]
        else:
            found = list(rows[name]())
            for scope in {row[0] for row in found}:
                for week in range(first, last + 1):
                    mine = [row for row in found if row[0] == scope and week - 3 - late <= row[1] <= week - late]
                    volume = sum(row[3] for row in mine)
                    if len(mine) >= fewest and volume > 0:
                        values[*scope, week] = sum(row[2] for row in mine) / volume
        for key, value in values.items():
            score = min(max((value - worst) / (best - worst), 0), 1) * 100
            scores[key].append((score, weight))
    moods = []
    for key, parts in scores.items():
        weights = sum(weight for _, weight in parts)
        if weights >= 50:
            moods.append((*key, float(sum(score * weight for score, weight in parts)), float(weights)))
    return moods
