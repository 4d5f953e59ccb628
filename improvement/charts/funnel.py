"""Suppliers or countries side by side without ranking them: a funnel plot of one share over the same weeks."""

from __future__ import annotations

from typing import Any

from improvement.charts import layers
from improvement.charts.data import Funnel, Table, Unit
from improvement.charts.funnel_limits import INNER, OUTER, FunnelLimits, funnel_limits
from improvement.charts.layers import COLOURS, LABEL_TEXT, Layer
from improvement.charts.palette import BLUE, GREY, ORANGE
from improvement.charts.words import WORDS, number

CURVE_POINTS = 60
MOUTH = 0.6  # of the smallest unit's n: how far to the left the funnel is shown
NAME_ROW, MARK_HALF = 13, 7.0  # pixels
NAME_SIDES = {"above": -13, "below": 14}  # pixels from the mark
#: By where a unit lies: colour, shape, size. Between 95 % and 99.8 % the shape is larger, beyond it another one.
LOOKS = {
    "inside": (GREY, "circle", 60),
    "bad_95": (ORANGE, "circle", 130),
    "good_95": (BLUE, "circle", 130),
    "bad_998": (ORANGE, "triangle-up", 150),
    "good_998": (BLUE, "diamond", 150),
}
LIMIT_DASHES = {INNER: (5, 4), OUTER: (1, 0)}


def funnel(data: Funnel, *, language: str = "en", width: int = 640) -> dict[str, Any]:
    """The Vega-Lite spec in the light theme. ``language`` is en or de, ``width`` that of the plot in pixels."""
    limits = limits_of(data)
    largest = max(unit.n for unit in data.units)
    datasets: dict[str, list[dict[str, Any]]] = {"units": _units(data, limits, language)}
    y_ends = _heights(data, limits)
    x, y = _axis_x(largest, WORDS[language]["funnel_n"]), _axis_y(data.unit, y_ends)
    plot: list[Layer] = []
    if limits is not None:
        datasets |= _limit_rows(limits, largest, language)
        plot += [_curve(f"limit-{index}", dash, x, y) for index, dash in enumerate(LIMIT_DASHES.values())]
        plot += [_centre(y, width), _limit_names(width)]
    plot.append(_marks(x, y))
    for side, names in _names(data, limits, (width, y_ends)).items():
        datasets[f"names-{side}"] = names
        plot.append(_name_layer(side, x, y))
    return layers.whole([{"layer": plot, "width": width, "height": layers.HEIGHT}], datasets)


def funnel_alternative(data: Funnel, *, language: str = "en") -> str:
    """The funnel in a few sentences: centre, spread, and which lie outside; names in alphabetical order."""
    words, limits = WORDS[language], limits_of(data)
    parts = [f"{data.title}."]
    if limits is not None:
        centre = number(100 * limits.centre, language)
        tau = number(100 * limits.tau, language)
        rough = f"; {words['funnel_few']}" if limits.is_rough else ""
        parts.append(f"{words['all']}: {centre} {data.unit}; {words['funnel_limits'].format(tau=tau)}{rough}.")
    for unit in sorted(data.units, key=lambda unit: unit.name):
        place = _said(unit, data, limits, language)
        parts.append(f"{unit.name}: {number(unit.value, language)} {data.unit}, n = {unit.n}, {place}.")
    return " ".join([*parts, words["data_to"].format(day=data.as_of.isoformat())])


def funnel_table(data: Funnel, *, language: str = "en") -> Table:
    """The funnel as a table in alphabetical order, because a ranking would be read as one."""
    words, limits = WORDS[language], limits_of(data)
    rows = []
    for unit in sorted(data.units, key=lambda unit: unit.name):
        spans = []
        for quantile in LIMIT_DASHES:
            low, high = limits.at(unit.n, quantile) if limits is not None else (None, None)
            spans.append("–" if low is None or high is None else _span(low, high, language))
        place = _said(unit, data, limits, language)
        rows.append((unit.name, number(unit.value, language), str(unit.n), *spans, place))
    columns = (words["name"], f"{words['value']} ({data.unit})", words["n"], "95 %", _outer(language), "")
    return Table(columns, tuple(rows))


def limits_of(data: Funnel) -> FunnelLimits | None:
    """The funnel's limits; None where too few units are compared."""
    return funnel_limits([unit.value / 100 * unit.n for unit in data.units], [unit.n for unit in data.units])


def place_of(unit: Unit, data: Funnel, limits: FunnelLimits | None) -> str:
    """Where a unit lies: inside, or beyond 95 % or 99.8 % on the bad or the good side; without limits inside."""
    if limits is None:
        return "inside"
    share = unit.value / 100
    side = "bad" if (share > limits.centre) == data.is_lower_better else "good"
    for name, quantile in (("998", OUTER), ("95", INNER)):
        low, high = limits.at(unit.n, quantile)
        if not low <= share <= high:
            return f"{side}_{name}"
    return "inside"


def _said(unit: Unit, data: Funnel, limits: FunnelLimits | None, language: str) -> str:
    """Where a unit lies, in words. Without limits nobody can say what chance explains."""
    words, place = WORDS[language], place_of(unit, data, limits)
    if limits is None:
        return words["no_limits"]
    if place == "inside":
        return words["inside"]
    side, limit = place.split("_")
    return f"{words[f'outside_{limit}']}, {words[f'{side}_side']}"


def _span(low: float, high: float, language: str) -> str:
    return f"{number(100 * low, language)} … {number(100 * high, language)}"


def _outer(language: str) -> str:
    return f"{number(99.8, language)} %"


def _units(data: Funnel, limits: FunnelLimits | None, language: str) -> list[dict[str, Any]]:
    rows = []
    for unit in data.units:
        place = _said(unit, data, limits, language)
        told = f"{unit.name}: {number(unit.value, language)} {data.unit}, n = {unit.n}, {place}"
        kind = place_of(unit, data, limits)
        rows.append({"n": unit.n, "value": round(unit.value, 4), "kind": kind, "name": unit.name, "label": told})
    return rows


def _limit_rows(limits: FunnelLimits, largest: int, language: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    ends = []
    for index, quantile in enumerate(LIMIT_DASHES):
        rows = []
        for place in range(CURVE_POINTS + 1):
            n = max(1.0, _reach(largest) * (place / CURVE_POINTS) ** 2)  # dense where the funnel is steep
            low, high = limits.at(n, quantile)
            rows += [
                {"n": round(n, 2), "value": round(100 * share, 4), "side": side}
                for side, share in (("low", low), ("high", high))
            ]
        found[f"limit-{index}"] = rows
        name = "95 %" if quantile == INNER else _outer(language)
        ends.append({"value": rows[-1]["value"], "label": name})
    centre = round(100 * limits.centre, 4)
    found["centre"] = [{"value": centre, "label": f"Ø {number(centre, language)}"}]
    found["ends"] = ends
    return found


def _reach(largest: int) -> float:
    """The right end of the axis: past the largest unit, so that its mark lies inside."""
    return 1.08 * largest


def _axis_x(largest: int, title: str) -> Layer:
    axis = {"title": title, "grid": False, "tickCount": 8, "labelPadding": 6, "titlePadding": 8}
    scale = {"domain": [0, round(_reach(largest), 2)], "nice": False}
    return {"field": "n", "type": "quantitative", "axis": axis, "scale": scale}


def _heights(data: Funnel, limits: FunnelLimits | None) -> tuple[float, float]:
    """The ends of the value axis: all units, and the funnel's mouth as far as the smallest unit reaches."""
    values = [unit.value for unit in data.units]
    if limits is not None:
        mouth = limits.at(MOUTH * min(unit.n for unit in data.units), OUTER)
        values += [100 * share for share in mouth]
    room = 0.08 * (max(values) - min(values) or 1.0)
    return max(0.0, min(values) - room), min(100.0, max(values) + room)


def _axis_y(unit: str, ends: tuple[float, float]) -> Layer:
    axis = {"title": unit, "titleAngle": 0, "titleAlign": "right", "titleY": -12, "titleX": -8, "tickCount": 6}
    scale = {"domain": [round(end, 3) for end in ends], "nice": False}
    return {"field": "value", "type": "quantitative", "axis": axis, "scale": scale}


def _curve(name: str, dash: tuple[int, int], x: Layer, y: Layer) -> Layer:
    line = {"type": "line", "color": COLOURS["muted"], "strokeWidth": 1.2, "strokeDash": list(dash), "aria": False}
    place = {"x": x, "y": y, "detail": {"field": "side", "type": "nominal"}}
    return {"data": {"name": name}, "mark": {**line, "clip": True}, "encoding": place}


def _centre(y: Layer, width: int) -> Layer:
    rule = {"mark": {"type": "rule", "color": COLOURS["text"], "strokeWidth": 1.3, "aria": False}}
    name = {
        "mark": {**LABEL_TEXT, "dx": 6, "color": COLOURS["text"]},
        "encoding": {"x": {"value": width}, "text": {"field": "label"}},
    }
    return {"data": {"name": "centre"}, "encoding": {"y": y}, "layer": [rule, name]}


def _limit_names(width: int) -> Layer:
    place = {"x": {"value": width}, "y": {"field": "value", "type": "quantitative"}, "text": {"field": "label"}}
    return {"data": {"name": "ends"}, "mark": {**LABEL_TEXT, "dx": 6, "color": COLOURS["muted"]}, "encoding": place}


def _marks(x: Layer, y: Layer) -> Layer:
    def by_kind(part: int) -> Layer:
        scale = {"domain": list(LOOKS), "range": [look[part] for look in LOOKS.values()]}
        return {"field": "kind", "type": "nominal", "scale": scale, "legend": None}

    return {
        "data": {"name": "units"},
        "mark": {"type": "point", "filled": True, "opacity": 1},
        "encoding": {
            "x": x,
            "y": y,
            "color": by_kind(0),
            "shape": by_kind(1),
            "size": by_kind(2),
            "description": {"field": "label", "type": "nominal"},
        },
    }


def _names(
    data: Funnel, limits: FunnelLimits | None, size: tuple[int, tuple[float, float]]
) -> dict[str, list[dict[str, Any]]]:
    """Each name above or below its mark, where it covers no other; those that stand out first.

    A name without room is left out: pointing at the mark tells it, and so does the table.
    """
    width, (low, high) = size
    largest = _reach(max(unit.n for unit in data.units))
    place = {
        unit.name: (unit.n / largest * width, (high - unit.value) / (high - low) * layers.HEIGHT) for unit in data.units
    }
    taken = [(x, y, MARK_HALF) for x, y in place.values()]  # middle, height, half a width: in pixels
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in NAME_SIDES}
    for unit in sorted(data.units, key=lambda unit: (place_of(unit, data, limits) == "inside", -unit.n)):
        x, y = place[unit.name]
        half = len(unit.name) * layers.PIXELS_PER_CHARACTER / 2
        for side, shift in NAME_SIDES.items():
            if all(abs(x - other) >= half + wide or abs(y + shift - row) >= NAME_ROW for other, row, wide in taken):
                taken.append((x, y + shift, half))
                found[side].append({"n": unit.n, "value": round(unit.value, 4), "name": unit.name})
                break
    return found


def _name_layer(side: str, x: Layer, y: Layer) -> Layer:
    mark = {**LABEL_TEXT, "align": "center", "dy": NAME_SIDES[side], "fontWeight": 400, "color": COLOURS["text"]}
    return {"data": {"name": f"names-{side}"}, "mark": mark, "encoding": {"x": x, "y": y, "text": {"field": "name"}}}
