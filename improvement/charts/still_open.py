"""How long tickets stay open, before and after: two Kaplan–Meier curves with their 95 % intervals."""

from __future__ import annotations

from typing import Any

from improvement.charts import layers
from improvement.charts.data import StillOpen, Table
from improvement.charts.layers import COLOURS, LABEL_SIZE, LABEL_TEXT, Layer
from improvement.charts.palette import BLUE, ORANGE
from improvement.charts.survival import Curve
from improvement.charts.words import WORDS, number

POINTS = 84  # times at which a curve is drawn: every two hours of a week
TOLD_EVERY = 3  # of them has words for whoever points at it
TICKS = 7
ROW = 17  # pixels of a line of numbers below the axis
BEFORE_DASH, AFTER_DASH = (1, 0), (7, 3)
SAMPLES = {"before": "━", "after": "╍"}  # of the lines, beside their names


def still_open(data: StillOpen, *, language: str = "en", width: int = 700) -> dict[str, Any]:
    """The Vega-Lite spec in the light theme. ``language`` is en or de, ``width`` that of the plot in pixels."""
    words = WORDS[language]
    datasets: dict[str, list[dict[str, Any]]] = {}
    x = _axis_x(data.tau_hours, words["hours"])
    after = {True: BLUE, False: ORANGE, None: COLOURS["neutral"]}[data.is_improved]
    drawn = (
        ("before", data.before, COLOURS["muted"], BEFORE_DASH, words["before_label"]),
        ("after", data.after, after, AFTER_DASH, words["after"]),
    )
    plot: list[Layer] = []
    for name, curve, colour, _, _ in drawn:
        datasets[name] = _rows(curve, data.tau_hours, language)
        datasets[f"{name}-told"] = datasets[name][::TOLD_EVERY]
        plot.append(_interval(name, colour, x))
    for name, curve, colour, dash, label in drawn:
        plot += [_line(name, colour, dash, x), _hover(f"{name}-told", colour, x)]
        datasets[f"{name}-end"] = [
            {"share": 100 * curve.at(data.tau_hours).share, "label": f"{SAMPLES[name]} {label}, n = {curve.n}"}
        ]
    apart = _apart(data)
    plot += [_end(f"{name}-end", width, apart[name]) for name in apart]
    datasets["at-risk"] = _at_risk(data, language)
    top = {"layer": plot, "width": width, "height": layers.HEIGHT}
    return layers.whole([top, _counts(data.tau_hours, width, words["at_risk"])], datasets, room=(14, 36))


def still_open_alternative(data: StillOpen, *, language: str = "en") -> str:
    """The curves in a few sentences."""
    words = WORDS[language]
    parts = [f"{data.title}."]
    for label, curve, band in (
        (words["before_label"], data.before, data.reference),
        (words["after"], data.after, data.after_band),
    ):
        span = f"{band.start.isoformat()} – {band.end.fromordinal(band.end.toordinal() - 1).isoformat()}"
        median = (
            words["median"].format(hours=number(curve.median, language))
            if curve.median is not None
            else words["no_median"].format(hours=data.tau_hours)
        )
        parts.append(f"{label} ({span}): n = {curve.n}, {median}, {_open_at(curve, data.tau_hours, language)}.")
    return " ".join([*parts, words["data_to"].format(day=data.as_of.isoformat())])


def still_open_table(data: StillOpen, *, language: str = "en") -> Table:
    """The curves as a table: at some times the share still open, its interval, and how many were."""
    words = WORDS[language]
    columns = [words["hours"]]
    for label in (words["before_label"], words["after"]):
        columns += [f"{label}: {words['still_open']} (%)", words["interval"], words["n"]]
    rows = []
    for hours in ticks(data.tau_hours):
        cells = [str(hours)]
        for curve in (data.before, data.after):
            step = curve.at(hours)
            cells += [
                number(100 * step.share, language),
                f"{number(100 * step.low, language)} … {number(100 * step.high, language)}",
                str(curve.at_risk(hours)),
            ]
        rows.append(tuple(cells))
    return Table(tuple(columns), tuple(rows))


def ticks(tau_hours: int) -> list[int]:
    """The hours named below the axis: whole days up to τ."""
    days = max(1, round(tau_hours / 24 / TICKS))
    return list(range(0, tau_hours + 1, 24 * days))


def _open_at(curve: Curve, hours: int, language: str) -> str:
    step = curve.at(hours)
    share, low, high = (number(100 * part, language) for part in (step.share, step.low, step.high))
    return WORDS[language]["open_at"].format(hours=hours, share=share, low=low, high=high)


def _rows(curve: Curve, tau_hours: int, language: str) -> list[dict[str, Any]]:
    found = []
    for place in range(POINTS + 1):
        hours = tau_hours * place / POINTS
        step = curve.at(hours)
        told = f"{number(hours, language)} h: {number(100 * step.share, language)} %, n = {curve.at_risk(hours)}"
        found.append(
            {
                "hours": round(hours, 2),
                "share": round(100 * step.share, 3),
                "low": round(100 * step.low, 3),
                "high": round(100 * step.high, 3),
                "label": told,
            }
        )
    return found


def _axis_x(tau_hours: int, title: str) -> Layer:
    axis = {"values": ticks(tau_hours), "title": title, "grid": False, "labelPadding": 6, "titlePadding": 8}
    scale = {"domain": [0, tau_hours], "nice": False}
    return {"field": "hours", "type": "quantitative", "axis": axis, "scale": scale}


def _axis_y() -> Layer:
    axis = {"title": "%", "titleAngle": 0, "titleAlign": "right", "titleY": -12, "titleX": -8, "tickCount": 5}
    return {"field": "share", "type": "quantitative", "axis": axis, "scale": {"domain": [0, 100]}}


def _interval(name: str, colour: str, x: Layer) -> Layer:
    mark = {"type": "area", "interpolate": "step-after", "color": colour, "opacity": 0.18, "aria": False}
    place = {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    return {"data": {"name": name}, "mark": mark, "encoding": place}


def _line(name: str, colour: str, dash: tuple[int, int], x: Layer) -> Layer:
    line = {"type": "line", "interpolate": "step-after", "color": colour, "strokeWidth": 2, "aria": False}
    return {"data": {"name": name}, "mark": {**line, "strokeDash": list(dash)}, "encoding": {"x": x, "y": _axis_y()}}


def _hover(name: str, colour: str, x: Layer) -> Layer:
    """Unseen marks that carry the words of each time, for whoever points at the curve."""
    mark = {"type": "point", "size": 60, "color": colour, "opacity": 0, "filled": True}
    said = {"field": "label", "type": "nominal"}
    return {"data": {"name": name}, "mark": mark, "encoding": {"x": x, "y": _axis_y(), "description": said}}


def _apart(data: StillOpen) -> dict[str, int]:
    """How far the names of two curves that end at the same height are moved apart, in pixels."""
    before, after = (curve.at(data.tau_hours).share for curve in (data.before, data.after))
    gap = layers.HEIGHT * abs(before - after)
    shift = max(0, round((LABEL_SIZE + 4 - gap) / 2))
    return {"before": -shift, "after": shift} if before >= after else {"before": shift, "after": -shift}


def _end(name: str, width: int, shift: int) -> Layer:
    place = {"x": {"value": width}, "y": {"field": "share", "type": "quantitative"}, "text": {"field": "label"}}
    return {
        "data": {"name": name},
        "mark": {**LABEL_TEXT, "dx": 6, "dy": shift, "color": COLOURS["text"]},
        "encoding": place,
    }


def _at_risk(data: StillOpen, language: str) -> list[dict[str, Any]]:
    words = WORDS[language]
    return [
        {"hours": hours, "row": label, "n": str(curve.at_risk(hours))}
        for label, curve in ((words["before_label"], data.before), (words["after"], data.after))
        for hours in ticks(data.tau_hours)
    ]


def _counts(tau_hours: int, width: int, title: str) -> Layer:
    """Below the axis, how many tickets each curve still rests on."""
    x = {"field": "hours", "type": "quantitative", "axis": None, "scale": {"domain": [0, tau_hours], "nice": False}}
    named = {"text": title, "anchor": "start", "fontSize": 11, "fontWeight": 600, "color": COLOURS["muted"]}
    return {
        "title": {**named, "offset": 2},
        "data": {"name": "at-risk"},
        "width": width,
        "height": 2 * ROW,
        "mark": {"type": "text", "fontSize": 11, "color": COLOURS["muted"], "aria": False},
        "encoding": {
            "x": x,
            "y": {
                "field": "row",
                "type": "nominal",
                "sort": None,
                "axis": {"title": None, "labelPadding": 26, "labelFontWeight": 600},
            },
            "text": {"field": "n"},
        },
    }
