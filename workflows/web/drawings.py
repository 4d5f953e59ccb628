"""Small drawings the pages make themselves from stored numbers; every one has a text alternative."""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def effect_strip(result: dict[str, object] | None, extent: float, sign: int) -> SafeString:
    """A look's estimate and interval on a line, better to the right.

    ``extent`` is the largest distance from *no effect* on the link scale, ``sign`` +1 where higher is better.
    """
    ends = _ends(result)
    if result is None or ends is None:
        return format_html('<span class="muted">–</span>')
    low, middle, high = ends

    def place(value: float) -> str:
        return f"{STRIP / 2 + (STRIP / 2 - 8) * max(-1.0, min(1.0, sign * value / extent)):.1f}"

    estimate, lower, upper = (number(_shown(result, key), 2) for key in ("effect", "low", "high"))
    return format_html(
        '<svg class="strip" viewBox="0 0 200 20" width="200" height="20" role="img" aria-label="{}">'
        '<line class="strip-zero" x1="100" x2="100" y1="1" y2="19"/>'
        '<line class="strip-span" x1="{}" x2="{}" y1="10" y2="10"/><circle cx="{}" cy="10" r="4"/></svg>',
        _("Estimate and interval: %(figures)s") % {"figures": f"{estimate} ({lower} … {upper})"},
        place(low),
        place(high),
        place(middle),
    )


def extent_of(results: Sequence[dict[str, object] | None]) -> float:
    """The largest distance from *no effect* in these results, so that their strips share a scale."""
    distances = [abs(end) for result in results if (ends := _ends(result)) is not None for end in ends]
    return max(distances, default=1.0) or 1.0


def _ends(result: dict[str, object] | None) -> tuple[float, float, float] | None:
    """Low, estimate, high on the link scale, where zero is *no effect*."""
    if result is None or any(not isinstance(result.get(key), int | float) for key in ("low", "effect", "high")):
        return None
    low, middle, high = (_shown(result, key) for key in ("low", "effect", "high"))
    if "ratio" not in str(result.get("unit", "")):
        return low, middle, high
    if min(low, middle, high) <= 0:
        return None
    return math.log(low), math.log(middle), math.log(high)


def _shown(result: dict[str, object], key: str) -> float:
    value = result[key]
    return float(value) if isinstance(value, int | float) else 0.0


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
