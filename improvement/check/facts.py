"""What a review record states beside the verdict: windows, plain figures, effect on the ground, versions, digest."""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from improvement import plain_change
from improvement.check.estimate import Data, Estimate
from improvement.check.fit import with_half_event
from improvement.check.model import Family, Series, WindowFacts
from improvement.check.request import Request
from improvement.weeks import label, monday, sunday

METHOD = "did-quasi-glm/1"


def window_facts(request: Request) -> dict[str, WindowFacts | None]:
    """The four windows: dates, weeks with volume, gaps, events, volume, rate. None: the window is empty."""
    windows, weekly = request.plan.windows, request.scope.weekly()
    spans = {
        "reference": windows.reference,
        "trigger": windows.trigger,
        "confirmation": windows.confirmation,
        "after": (request.after_from, request.last_week),
    }
    return {name: _facts(span, weekly) for name, span in spans.items()}


def _facts(span: tuple[int, int] | None, weekly: Series) -> WindowFacts | None:
    if span is None or span[1] < span[0]:
        return None
    part = weekly.between(*span)
    events, n = float(part.numerator.sum()), float(part.denominator.sum())
    return WindowFacts(
        first_week=label(span[0]),
        last_week=label(span[1]),
        first_day=monday(span[0]).isoformat(),
        last_day=sunday(span[1]).isoformat(),
        weeks=len(part.week),
        gaps=span[1] - span[0] + 1 - len(part.week),
        events=events,
        n=n,
        rate=events / n if n > 0 else None,
    )


def naive(request: Request) -> dict[str, float | None]:
    """The before–after figure a dashboard would show: the trigger window against *after*; as an effect as well."""
    weekly = request.scope.weekly()
    family = request.plan.family or ""
    if request.plan.exposure is not None:  # a dashboard counts by the week, and so do past firings
        weekly = replace(weekly, denominator=np.ones(len(weekly.week)))
    parts = {"before": weekly.between(*request.plan.windows.trigger), "after": request.after_of(weekly)}
    sums = {name: (float(part.numerator.sum()), float(part.denominator.sum())) for name, part in parts.items()}
    found: dict[str, float | None] = {name: y / n if n > 0 else None for name, (y, n) in sums.items()}
    levels = [plain_change.level(family, *both) if family else None for both in sums.values()]
    before, after = levels
    found["effect"] = plain_change.natural(family, after - before) if before is not None and after is not None else None
    return found


def exposure(request: Request) -> dict[str, Any]:
    """What a count is told per, with its mean number in the reference and *after*; empty: all weeks count the same."""
    told = request.plan.exposure
    if told is None:
        return {}
    weekly = request.scope.weekly()

    def mean(part: Series) -> float | None:
        return float(part.denominator.mean()) * told.per if told.per and len(part.week) else None

    return {
        "unit": told.unit,
        "per": told.per,
        "text": told.text,
        "of": list(told.of),
        "reference": mean(request.reference_of(weekly)),
        "after": mean(request.after_of(weekly)),
        "controls_without": [name for name in told.controls_without if name in request.controls],
        "known_from": told.known_from,
    }


def share_beside(request: Request) -> dict[str, float | None]:
    """The share told beside the effect, in the reference and in *after*; None where it is not known."""
    spans = {"reference": request.plan.windows.reference, "after": (request.after_from, request.last_week)}
    known = request.beside.weekly() if request.beside is not None else None

    def share(part: Series) -> float | None:
        return float(part.numerator.sum() / part.denominator.sum()) if len(part.week) else None

    return {name: share(known.between(*span)) if known is not None else None for name, span in spans.items()}


def on_the_ground(family: Family, data: Data, found: Estimate) -> dict[str, float]:
    """*After* as it was and as it would have been without the action: rates, their difference, and the amount.

    ``amount`` is events, tickets, hours or score points over the whole of *after*.
    """
    cells, _ = with_half_event(family, data.cells, [data.is_after, ~data.is_after])
    volume = float(cells.denominator[data.is_after].sum())
    rate = float(cells.numerator[data.is_after].sum()) / volume
    if family == "proportion":
        odds = rate / (1 - rate) * math.exp(-found.delta)
        without = odds / (1 + odds)
    elif family == "score":
        without = rate - found.delta
    else:
        without = rate * math.exp(-found.delta)
    return {
        "rate_observed": rate,
        "rate_without": without,
        "difference": rate - without,
        "amount": (rate - without) * volume,
        "volume": volume,
    }


def data_sha256(scope: Series, controls: Mapping[str, Series]) -> str:
    """The digest of everything the look was given: scope, then controls by name, weeks and cells little-endian."""
    digest = hashlib.sha256()
    for name, series in [("", scope), *sorted(controls.items())]:
        digest.update(f"{name}\0{len(series.week)}\0".encode())
        for column, kind in ((series.week, "<i8"), (series.numerator, "<f8"), (series.denominator, "<f8")):
            digest.update(np.ascontiguousarray(column, dtype=kind).tobytes())
        if series.stratum is not None:
            digest.update("\0".join(str(name) for name in series.stratum).encode())
    return digest.hexdigest()


@cache
def versions() -> dict[str, str]:
    """The libraries the figures were computed with."""
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "scipy", "statsmodels")} | {
        "python": ".".join(str(part) for part in sys.version_info[:3])
    }
