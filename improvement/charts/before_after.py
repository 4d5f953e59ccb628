"""The before/after chart: four windows, what was expected without the action, and the P, D, C, A of its life."""

from __future__ import annotations

from typing import Any

from improvement.charts import layers
from improvement.charts.data import BeforeAfter
from improvement.charts.layers import COLOURS, Frame, Layer
from improvement.charts.palette import BLUE, GREY, ORANGE
from improvement.charts.words import number, unit_in

DISC_ROW, DISC_STEP, DISC_WIDTH = 16, 21, 20  # pixels below the plot; discs that would touch go a step down


def before_after(data: BeforeAfter, *, language: str = "en", width: int = 700) -> dict[str, Any]:
    """The Vega-Lite spec in the light theme. ``language`` is en or de, ``width`` that of the plot in pixels."""
    unit = unit_in(data.unit, language)
    frame = layers.frame_of(data.points, data.bands, [marker.day for marker in data.markers], width, language)
    main = [
        *layers.windows(data.bands, frame),
        *_series(data, unit, frame),
        *_target(data, unit, frame),
        *_expected(data, unit, frame),
        *_markers(data, frame),
    ]
    return layers.with_volume(main, data.points, frame)


def _series(data: BeforeAfter, unit: str, frame: Frame) -> list[Layer]:
    after = next((band for band in data.bands if band.name == "after"), None)
    kinds = ["after" if after is not None and point.monday >= after.start else "before" for point in data.points]
    looks = {
        "before": (GREY, "circle"),
        "after": {
            True: (BLUE, "diamond"),
            False: (ORANGE, "triangle-down"),
            None: (COLOURS["neutral"], "square"),
        }[data.is_improved],
    }
    return layers.series(data.points, kinds, looks, unit=unit, frame=frame)


def _target(data: BeforeAfter, unit: str, frame: Frame) -> list[Layer]:
    if data.target is None:
        return []
    label = f"{frame.words['target']} {number(data.target, frame.language)} {unit}"
    return layers.level(data.target, COLOURS["target"], dash=(6, 4), name=label, frame=frame)


def _expected(data: BeforeAfter, unit: str, frame: Frame) -> list[Layer]:
    if not data.expected:
        return []
    rows = [
        {
            "day": day.isoformat(),
            "value": round(value, 4),
            "label": f"{frame.words['expected']}: {number(value, frame.language)} {unit}",
        }
        for day, value in data.expected
    ]
    return [
        {
            "data": frame.rows(rows),
            "mark": {"type": "line", "color": COLOURS["text"], "strokeDash": [2, 3], "strokeWidth": 2},
            "encoding": {
                "x": layers.axis_x(frame),
                "y": {"field": "value", "type": "quantitative"},
                "description": {"field": "label", "type": "nominal"},
            },
        }
    ]


def _markers(data: BeforeAfter, frame: Frame) -> list[Layer]:
    """Lettered discs below the plot."""
    by_step: dict[int, list[dict[str, str]]] = {}
    step, last = 0, -1e9
    for marker in sorted(data.markers, key=lambda marker: marker.day):
        pixel = frame.pixel(marker.day)
        step = step + 1 if pixel - last < DISC_WIDTH else 0
        last = pixel
        label = f"{marker.letter}: {frame.words[marker.letter]}, {marker.day.isoformat()}"
        by_step.setdefault(step, []).append({"day": marker.day.isoformat(), "letter": marker.letter, "label": label})
    return [layer for step, rows in by_step.items() for layer in _discs(rows, step, frame)]


def _discs(rows: list[dict[str, str]], step: int, frame: Frame) -> list[Layer]:
    data, x = frame.rows(rows), layers.axis_x(frame)
    height = {"value": layers.HEIGHT + DISC_ROW + DISC_STEP * step}
    rule = {"type": "rule", "color": COLOURS["muted"], "strokeWidth": 0.9, "aria": False}
    disc = {"type": "point", "shape": "circle", "filled": True, "size": 290, "color": COLOURS["text"], "opacity": 1}
    letter = {"type": "text", "fontSize": 11, "fontWeight": "bold", "color": COLOURS["paper"], "aria": False}
    said = {"field": "label", "type": "nominal"}
    return [
        {"data": data, "mark": rule, "encoding": {"x": x, "y": {"value": 0}, "y2": height}},
        {"data": data, "mark": disc, "encoding": {"x": x, "y": height, "description": said}},
        {"data": data, "mark": letter, "encoding": {"x": x, "y": height, "text": {"field": "letter"}}},
    ]
