"""Why an action was opened: a control chart of the weeks before, its limits frozen on the reference."""

from __future__ import annotations

from typing import Any

from improvement.charts import layers
from improvement.charts.data import Trigger
from improvement.charts.layers import COLOURS, Frame, Layer
from improvement.charts.limits import Limits, ShareLimits, natural_limits, share_limits
from improvement.charts.palette import BLUE, GREY, ORANGE
from improvement.charts.words import number, unit_in

ControlLimits = Limits | ShareLimits
LOOKS = {"common": (GREY, "circle"), "bad": (ORANGE, "triangle-up"), "good": (BLUE, "diamond")}
FIRM, TRIAL = (1, 0), (5, 4)  # the dash of their lines


def trigger(data: Trigger, *, language: str = "en", width: int = 700) -> dict[str, Any]:
    """The Vega-Lite spec in the light theme. ``language`` is en or de, ``width`` that of the plot in pixels."""
    unit = unit_in(data.unit, language)
    frame = layers.frame_of(data.points, data.bands, [], width, language)
    limits = reference_limits(data)
    main = [*layers.windows(data.bands, frame)]
    if limits is not None:
        main += _limits(data, limits, frame)
    main += layers.series(data.points, kinds(data, limits), LOOKS, unit=unit, frame=frame)
    if data.target is not None:
        label = f"{frame.words['target']} {number(data.target, language)} {unit}"
        main += layers.level(data.target, COLOURS["target"], dash=(6, 4), name=label, frame=frame)
    return layers.with_volume(main, data.points, frame)


def reference_limits(data: Trigger) -> ControlLimits | None:
    """The limits of the reference, which the trigger cannot move: of shares p′, of all else natural process limits."""
    band = next((band for band in data.bands if band.name == "reference"), None)
    if band is None:
        return None
    inside = [point for point in data.points if band.start <= point.monday < band.end]
    values = [point.value for point in inside]
    found = share_limits(values, [point.n for point in inside]) if data.is_proportion else None
    return found or natural_limits(values, has_floor=data.has_floor)


def kinds(data: Trigger, limits: ControlLimits | None) -> list[str]:
    """Of each week: common cause, or beyond a limit on the bad or the good side."""
    if limits is None:
        return ["common"] * len(data.points)
    above, below = ("bad", "good") if data.is_lower_better else ("good", "bad")
    found = []
    for point in data.points:
        low, high = limits.at(point.n)
        found.append(above if point.value > high else below if point.value < low else "common")
    return found


def _limits(data: Trigger, limits: ControlLimits, frame: Frame) -> list[Layer]:
    """Mean and limits as lines, named at the right end; trial limits are dashed and called so."""
    colour, dash = COLOURS["muted"], TRIAL if limits.is_trial else FIRM
    trial = f" {frame.words['trial_label']}" if limits.is_trial else ""
    weeks = f" ({limits.n} {frame.words['weeks']})" if limits.is_trial else ""
    days = [point.monday for point in data.points]
    names = [(f"Ø {number(limits.mean, frame.language)}{weeks}", limits.mean)]
    lines = [[limits.at(point.n)[side] for point in data.points] for side in (0, 1)]
    shown = [line for line in lines if any(line) or not data.has_floor]  # a lower limit at zero is none
    names += [(f"{number(line[-1], frame.language)}{trial}", line[-1]) for line in shown]
    return [
        layers.rule(limits.mean, colour, dash=dash, frame=frame),
        *(layers.steps(days, line, colour, dash=dash, frame=frame) for line in shown),
        layers.ends(names, colour, frame),
    ]
