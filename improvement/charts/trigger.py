"""Why an action was opened: an XmR chart of the weeks before, its limits frozen on the reference."""

from __future__ import annotations

from typing import Any

from improvement.charts import layers
from improvement.charts.data import Trigger
from improvement.charts.layers import COLOURS
from improvement.charts.limits import Limits, natural_limits
from improvement.charts.palette import BLUE, GREY, ORANGE
from improvement.charts.words import number, unit_in

LOOKS = {"common": (GREY, "circle"), "bad": (ORANGE, "triangle-up"), "good": (BLUE, "diamond")}


def trigger(data: Trigger, *, language: str = "en", width: int = 700) -> dict[str, Any]:
    """The Vega-Lite spec in the light theme. ``language`` is en or de, ``width`` that of the plot in pixels."""
    unit = unit_in(data.unit, language)
    frame = layers.frame_of(data.points, data.bands, [], width, language)
    limits = reference_limits(data)
    main = [*layers.windows(data.bands, frame)]
    if limits is not None:
        for value, dash in ((limits.mean, (1, 0)), (limits.low, (2, 3)), (limits.high, (2, 3))):
            label = f"Ø {number(value, language)}" if value == limits.mean else number(value, language)
            main += layers.level(value, COLOURS["muted"], dash=dash, label=label, frame=frame)
    main += layers.series(data.points, kinds(data, limits), LOOKS, unit=unit, frame=frame)
    if data.target is not None:
        label = f"{frame.words['target']} {number(data.target, language)} {unit}"
        main += layers.level(data.target, COLOURS["target"], dash=(6, 4), label=label, frame=frame)
    return layers.with_volume(main, data.points, frame)


def reference_limits(data: Trigger) -> Limits | None:
    """The natural process limits of the reference, which the trigger cannot move."""
    band = next((band for band in data.bands if band.name == "reference"), None)
    if band is None:
        return None
    values = [point.value for point in data.points if band.start <= point.monday < band.end]
    return natural_limits(values, has_floor=data.has_floor)


def kinds(data: Trigger, limits: Limits | None) -> list[str]:
    """Of each week: common cause, or beyond a limit on the bad or the good side."""
    if limits is None:
        return ["common"] * len(data.points)
    above, below = ("bad", "good") if data.is_lower_better else ("good", "bad")
    return [
        above if point.value > limits.high else below if point.value < limits.low else "common" for point in data.points
    ]
