"""Small drawings the pages make themselves from stored numbers; every one has a text alternative."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from workflows.web.words import number

WIDTH, HEIGHT = 120, 28
STRIP = 200


def sparkline(values: Sequence[float | None], target: float | None = None, label: str = "") -> SafeString:
    """A line of the last values with the newest one marked and the target dashed; ``label`` says it in words."""
    shown = [value for value in values if value is not None]
    if len(shown) < 2:
        return format_html('<span class="muted" aria-label="{}">–</span>', label)
    ends = [*shown, target] if target is not None else shown
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def height(value: float) -> str:
        return f"{HEIGHT - 4 - (HEIGHT - 8) * (value - low) / span:.1f}"

    step = WIDTH / (len(shown) - 1)
    path = " ".join(f"{index * step:.1f},{height(value)}" for index, value in enumerate(shown))
    rule = SafeString("")
    if target is not None:
        rule = format_html('<line x1="0" x2="{}" y1="{}" y2="{}" class="spark-target"/>', WIDTH, *[height(target)] * 2)
    return format_html(
        '<svg class="spark" viewBox="-2 0 126 28" width="126" height="28" role="img" aria-label="{}">{}'
        '<polyline points="{}"/><circle cx="{}" cy="{}" r="2.6"/></svg>',
        label,
        rule,
        path,
        WIDTH,
        height(shown[-1]),
    )


def effect_strip(result: Mapping[str, Any] | None, extent: float, sign: int) -> SafeString:
    """A look's estimate and interval on a line, better to the right, with what else may be claimed of the same weeks.

    Behind it lies the band of past firings that nobody acted on (their mean as a line), where the look cites one, and
    as a hollow mark the plain before–after figure that the band is to be held against. ``extent`` is the largest
    distance from *no effect* on the link scale, ``sign`` +1 where higher is better.
    """
    ends = _ends(result)
    if result is None or ends is None:
        return SafeString('<span class="muted">–</span>')
    low, middle, high = ends

    def place(value: float) -> str:
        return f"{STRIP / 2 + (STRIP / 2 - 8) * max(-1.0, min(1.0, sign * value / extent)):.1f}"

    return format_html(
        '<svg class="strip" viewBox="0 0 200 24" width="200" height="24" role="img" aria-label="{}">{}'
        '<line class="strip-zero" x1="100" x2="100" y1="1" y2="23"/>{}'
        '<line class="strip-span" x1="{}" x2="{}" y1="12" y2="12"/><circle cx="{}" cy="12" r="4"/></svg>',
        _told(result),
        _band(result, place),
        _plain(result, place),
        place(low),
        place(high),
        place(middle),
    )


def extent_of(results: Sequence[Mapping[str, Any] | None]) -> float:
    """The largest distance from *no effect* in these results, so that their strips share a scale."""
    distances = [abs(value) for result in results for value in _all_values(result)]
    return max(distances, default=1.0) or 1.0


def cited_lines(results: Sequence[Mapping[str, Any] | None]) -> int:
    """How many of these results cite what past firings came to that nobody acted on."""
    return sum(_line(result) is not None for result in results if result is not None)


def _band(result: Mapping[str, Any], place: Callable[[float], str]) -> SafeString:
    """The band of past firings and their mean; nothing where none is cited."""
    mean = _line(result)
    if mean is None:
        return SafeString("")
    line = format_html('<line class="strip-untreated" x1="{0}" x2="{0}" y1="2" y2="22"/>', place(mean))
    low, high = (_link(result, result["untreated"].get(end)) for end in ("low", "high"))
    if low is None or high is None:
        return line
    left, right = sorted((float(place(low)), float(place(high))))
    width = f"{max(right - left, 1.0):.1f}"
    band = format_html('<rect class="strip-band" x="{}" y="2" width="{}" height="20"/>', left, width)
    return format_html("{}{}", band, line)


def _plain(result: Mapping[str, Any], place: Callable[[float], str]) -> SafeString:
    """The plain before–after figure as a hollow diamond."""
    plain = _link(result, (result.get("naive") or {}).get("effect"))
    if plain is None:
        return SafeString("")
    x = float(place(plain))
    points = f"{x - 5:.1f},12 {x:.1f},7 {x + 5:.1f},12 {x:.1f},17"
    return format_html('<polygon class="strip-plain" points="{}"/>', points)


def _told(result: Mapping[str, Any]) -> str:
    """The strip in words."""
    estimate, low, high = (number(float(result[key]), 2) for key in ("effect", "low", "high"))
    parts = [_("Estimate and interval: %(figures)s") % {"figures": f"{estimate} ({low} … {high})"}]
    plain = (result.get("naive") or {}).get("effect")
    if plain is not None:
        parts.append(_("plain before–after comparison: %(figure)s") % {"figure": number(float(plain), 2)})
    line = result.get("untreated") or {}
    if _line(result) is None:
        parts.append(_("no line of past firings is cited"))
    else:
        figures = number(float(line["effect"]), 2)
        if line.get("low") is not None and line.get("high") is not None:
            figures += f" ({number(float(line['low']), 2)} … {number(float(line['high']), 2)})"
        parts.append(_("past firings that nobody acted on: %(figures)s") % {"figures": figures})
    return "; ".join(parts)


def _line(result: Mapping[str, Any] | None) -> float | None:
    """What past firings came to on average, on the link scale; None where the look cites none."""
    line = (result or {}).get("untreated") or {}
    return _link(result or {}, line.get("effect"))


def _ends(result: Mapping[str, Any] | None) -> tuple[float, float, float] | None:
    """Low, estimate, high on the link scale, where zero is *no effect*."""
    if result is None:
        return None
    low, middle, high = (_link(result, result.get(key)) for key in ("low", "effect", "high"))
    return None if low is None or middle is None or high is None else (low, middle, high)


def _all_values(result: Mapping[str, Any] | None) -> list[float]:
    """All that a strip shows of a result, on the link scale; nothing where it shows none."""
    ends = _ends(result)
    if result is None or ends is None:
        return []
    line, plain = result.get("untreated") or {}, (result.get("naive") or {}).get("effect")
    beside = [plain, *(line.get(key) for key in ("low", "effect", "high"))]
    return [*ends, *(value for figure in beside if (value := _link(result, figure)) is not None)]


def _link(result: Mapping[str, Any], figure: object) -> float | None:
    """A figure in a result's unit on the link scale; None where it has none there."""
    if isinstance(figure, bool) or not isinstance(figure, int | float):
        return None
    if "ratio" not in str(result.get("unit", "")):
        return float(figure)
    return math.log(figure) if figure > 0 else None


def mood_gauge(score: float, target: float | None, label: str) -> SafeString:
    """Satisfaction from 1 to 5 as a bar with a pointer, and a tick where the target lies."""

    def place(value: float) -> str:
        return f"{(min(5.0, max(1.0, value)) - 1) / 4 * 200:.1f}"

    tick = SafeString("")
    if target is not None:
        tick = format_html('<line class="gauge-target" x1="{0}" x2="{0}" y1="2" y2="22"/>', place(target))
    return format_html(
        '<svg class="gauge" viewBox="-8 0 216 24" width="216" height="24" role="img" aria-label="{}">'
        '<rect x="0" y="9" width="200" height="6" rx="3"/><rect class="gauge-fill" x="0" y="9" width="{}" height="6" '
        'rx="3"/>{}<circle cx="{}" cy="12" r="7"/></svg>',
        label,
        place(score),
        tick,
        place(score),
    )
