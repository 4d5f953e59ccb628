"""The parts all charts are made of: the time axis, windows with their names, the series, the strip of weekly n.

The parts are Vega-Lite, written down directly: the Altair API takes longer to assemble a chart than Vega takes to
draw it, and a cycle draws many. A test holds every spec against Altair's copy of the Vega-Lite schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from improvement import weeks
from improvement.charts.data import Band, WeekPoint
from improvement.charts.palette import GREY, THEMES
from improvement.charts.words import WORDS, number

Layer = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
HEIGHT, STRIP_HEIGHT = 280, 36
PIXELS_PER_CHARACTER = 6.4  # of an 11 px label, generously
SHORT_DAYS = 180  # of a time axis that names days, not months
HATCHED, HATCH_STEP = ("trigger",), 8  # windows, pixels between lines
LABEL_ROWS = (-8, -22)  # above the plot, so that no value can lie under a label
COLOURS = THEMES["light"]  # every chart is drawn in it; palette.in_theme makes the others
LABEL_SIZE = 11  # pixels
LABEL_LOOK = {"baseline": "middle", "align": "left", "fontSize": LABEL_SIZE, "fontWeight": 600}
LABEL_TEXT = {"type": "text", **LABEL_LOOK, "aria": False}


@dataclass(frozen=True, slots=True)
class Frame:
    """The time shown and how wide it is drawn; it collects the data of the layers laid out in it."""

    start: date
    end: date
    width: int
    language: str
    datasets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def words(self) -> dict[str, str]:
        """The words of the reader's language."""
        return WORDS[self.language]

    def rows(self, items: Sequence[dict[str, Any]]) -> dict[str, str]:
        """The data of one or more layers, kept once and referred to by name."""
        name = f"rows-{len(self.datasets)}"
        self.datasets[name] = list(items)
        return {"name": name}

    def pixel(self, day: date) -> float:
        """Where a day lies, from the left edge."""
        return (day - self.start).days / max(1, (self.end - self.start).days) * self.width


def frame_of(
    points: Sequence[WeekPoint], bands: Sequence[Band], days: Sequence[date], width: int, language: str
) -> Frame:
    """The frame that holds all weeks, windows and further days."""
    starts = [point.monday for point in points] + [band.start for band in bands] + list(days)
    ends = [point.monday + timedelta(days=7) for point in points] + [band.end for band in bands] + list(days)
    return Frame(min(starts), max(ends), width, language)


def middle(monday: date) -> str:
    """Where a week's value is drawn: in its middle, clear of the edges of windows."""
    return (monday + timedelta(days=3)).isoformat()


def axis_x(frame: Frame, *, has_labels: bool = False) -> Layer:
    """The time axis; its months stand only below the lowest strip."""
    is_short = (frame.end - frame.start).days < SHORT_DAYS
    form = "%d %b" if is_short else "%b %y"
    axis = {"format": form, "grid": False, "labelPadding": 8, "labels": has_labels, "tickCount": 10}
    domain = [frame.start.isoformat(), frame.end.isoformat()]
    return {
        "field": "day",
        "type": "temporal",
        "title": None,
        "axis": {**axis, "labelOverlap": True},
        "scale": {"domain": domain, "nice": False},
    }


def axis_y(unit: str) -> Layer:
    """The value axis; the unit stands flat above it."""
    axis = {"title": unit, "titleAngle": 0, "titleAlign": "right", "titleY": -12, "titleX": -8, "tickCount": 6}
    return {"field": "value", "type": "quantitative", "axis": axis, "scale": {"zero": False}}


def windows(bands: Sequence[Band], frame: Frame) -> list[Layer]:
    """The windows as shades, each with its name above the plot."""
    if not bands:
        return []
    shades = [{"day": band.start.isoformat(), "end": band.end.isoformat(), "kind": band.name} for band in bands]
    names = [band.name for band in bands]
    scale = {"domain": names, "range": [COLOURS[name] for name in names]}
    rectangles = {
        "data": frame.rows(shades),
        "mark": {"type": "rect", "aria": False},
        "encoding": {
            "x": axis_x(frame),
            "x2": {"field": "end"},
            "color": {"field": "kind", "type": "nominal", "scale": scale, "legend": None},
        },
    }
    return [rectangles, *_hatching(bands, frame), *_names(bands, frame)]


def _hatching(bands: Sequence[Band], frame: Frame) -> list[Layer]:
    """Thin slanting lines over the trigger: its weeks were chosen for being bad and are never used for estimation.

    The renderer knows no patterns, so the lines are the shape of one mark, in pixels from the window's left top.
    """
    found = []
    for band in bands:
        width = round(frame.pixel(band.end) - frame.pixel(band.start))
        if band.name not in HATCHED or width < 2:
            continue
        lines = {
            "type": "point",
            "shape": hatching(width, HEIGHT),
            "size": 4,  # at this size a shape's units are pixels
            "filled": False,
            "color": COLOURS["hatch"],
            "strokeWidth": 1.2,
            "opacity": 1,
            "aria": False,
        }
        place = {"x": axis_x(frame), "y": {"value": 0}}
        found.append({"data": frame.rows([{"day": band.start.isoformat()}]), "mark": lines, "encoding": place})
    return found


def hatching(width: int, height: int) -> str:
    """Lines at 45° across a rectangle of these pixels, as an SVG path."""
    lines = []
    for foot in range(HATCH_STEP - height, width, HATCH_STEP):
        left, right = max(foot, 0), min(foot + height, width)
        lines.append(f"M{left},{height - (left - foot)}L{right},{height - (right - foot)}")
    return "".join(lines)


def _names(bands: Sequence[Band], frame: Frame) -> list[Layer]:
    """Names in the first row that is free where they begin."""
    taken = [0.0 for _ in LABEL_ROWS]
    by_row: dict[int, list[dict[str, str]]] = {}
    for band in bands:
        text, left = frame.words[band.name], frame.pixel(band.start)
        row = next((index for index, end in enumerate(taken) if end <= left), len(taken) - 1)
        taken[row] = left + PIXELS_PER_CHARACTER * (len(text) + 1)
        by_row.setdefault(row, []).append({"day": band.start.isoformat(), "label": text})
    return [
        {
            "data": frame.rows(items),
            "mark": {**LABEL_TEXT, "dx": 2, "color": COLOURS["muted"]},
            "encoding": {"x": axis_x(frame), "y": {"value": LABEL_ROWS[row]}, "text": {"field": "label"}},
        }
        for row, items in by_row.items()
    ]


def series(
    points: Sequence[WeekPoint], kinds: Sequence[str], looks: dict[str, tuple[str, str]], *, unit: str, frame: Frame
) -> list[Layer]:
    """The weekly values: a thin line, and a mark per week whose colour and shape say its kind (``looks``)."""
    data = frame.rows(
        [
            {
                "day": middle(point.monday),
                "value": round(point.value, 4),
                "kind": kind,
                "label": _label(point, unit, frame),
            }
            for point, kind in zip(points, kinds, strict=True)
        ]
    )
    place = {"x": axis_x(frame), "y": axis_y(unit)}
    names = list(looks)

    def by_kind(part: int) -> Layer:
        scale = {"domain": names, "range": [looks[name][part] for name in names]}
        return {"field": "kind", "type": "nominal", "scale": scale, "legend": None}

    return [
        {"data": data, "mark": {"type": "line", "strokeWidth": 1.3, "color": GREY, "aria": False}, "encoding": place},
        {
            "data": data,
            "mark": {"type": "point", "filled": True, "size": 46, "opacity": 1},
            "encoding": {
                **place,
                "color": by_kind(0),
                "shape": by_kind(1),
                "description": {"field": "label", "type": "nominal"},
            },
        },
    ]


def _label(point: WeekPoint, unit: str, frame: Frame) -> str:
    week = weeks.label(weeks.week_of(point.monday))
    return f"{week}: {number(point.value, frame.language)} {unit}, n = {point.n}"


def level(value: float, colour: str, *, dash: Sequence[int], name: str, frame: Frame) -> list[Layer]:
    """A horizontal line over the whole chart, named at its right end."""
    return [rule(value, colour, dash=dash, frame=frame), ends([(name, value)], colour, frame)]


def rule(value: float, colour: str, *, dash: Sequence[int], frame: Frame) -> Layer:
    """A horizontal line over the whole chart."""
    line = {"type": "rule", "color": colour, "strokeDash": list(dash), "strokeWidth": 1.5, "aria": False}
    height = {"y": {"field": "value", "type": "quantitative"}}
    return {"data": frame.rows([{"value": round(value, 4)}]), "mark": line, "encoding": height}


def steps(days: Sequence[date], values: Sequence[float], colour: str, *, dash: Sequence[int], frame: Frame) -> Layer:
    """A line that holds each value until it changes; the last one for a week.

    One layer a line: several in a layer need groups, which take Vega three times as long.
    """
    kept = [round(value, 4) for value in values]
    changes = [place for place, value in enumerate(kept) if not place or value != kept[place - 1]]
    rows = [{"day": days[place].isoformat(), "value": kept[place]} for place in changes]
    rows.append({"day": (days[-1] + timedelta(days=7)).isoformat(), "value": kept[-1]})
    line = {"type": "line", "interpolate": "step-after", "strokeWidth": 1, "strokeDash": list(dash), "aria": False}
    return {
        "data": frame.rows(rows),
        "mark": {**line, "color": colour},
        "encoding": {"x": axis_x(frame), "y": {"field": "value", "type": "quantitative"}},
    }


def ends(names: Sequence[tuple[str, float]], colour: str, frame: Frame) -> Layer:
    """Names beside the right ends of lines, at their heights."""
    data = frame.rows([{"value": round(value, 4), "label": name} for name, value in names])
    place = {"y": {"field": "value", "type": "quantitative"}, "x": {"value": frame.width}, "text": {"field": "label"}}
    return {"data": data, "mark": {**LABEL_TEXT, "dx": 5, "color": colour}, "encoding": place}


def with_volume(main: list[Layer], points: Sequence[WeekPoint], frame: Frame) -> dict[str, Any]:
    """The finished spec: the chart, and below it how many records each week rests on."""
    top = {
        "layer": main,
        "width": frame.width,
        "height": HEIGHT,
        "resolve": {"scale": {"color": "independent", "shape": "independent"}},
    }
    return whole([top, _volume(points, frame)], frame.datasets)


def whole(
    parts: Sequence[Layer], datasets: dict[str, list[dict[str, Any]]], *, room: tuple[int, int] = (5, 26)
) -> dict[str, Any]:
    """The finished spec of parts that stand below each other.

    ``room``: pixels left and right of what the renderer measured: a browser's font may be wider than its own.
    """
    return {
        "$schema": SCHEMA,
        "background": "transparent",
        "padding": {"left": room[0], "top": 5, "right": room[1], "bottom": 5},
        "spacing": 14,
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {
                "labelColor": COLOURS["muted"],
                "titleColor": COLOURS["muted"],
                "titleFontWeight": 600,
                "gridColor": COLOURS["grid"],
                "domain": False,
                "tickSize": 0,
            },
        },
        "vconcat": list(parts),
        "datasets": datasets,
    }


def _volume(points: Sequence[WeekPoint], frame: Frame) -> Layer:
    rows = [
        {
            "day": point.monday.isoformat(),
            "end": (point.monday + timedelta(days=6)).isoformat(),
            "n": point.n,
            "zero": 0,
        }
        for point in points
    ]
    axis = {"title": "n", "titleAngle": 0, "titleAlign": "right", "titleX": -8, "titleY": -8, "tickCount": 2}
    return {
        "data": frame.rows(rows),
        "width": frame.width,
        "height": STRIP_HEIGHT,
        "mark": {"type": "rect", "color": COLOURS["volume"], "aria": False},
        "encoding": {
            "x": axis_x(frame, has_labels=True),
            "x2": {"field": "end"},
            "y": {"field": "n", "type": "quantitative", "axis": axis},
            "y2": {"field": "zero"},
        },
    }
