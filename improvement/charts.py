"""The before/after chart of an action: one Vega-Lite spec serves page, work note and report.

Colours follow the NHS *Making Data Count* convention (never red against green), and every meaning has a shape or a
word as well: common cause grey, improvement blue, concern orange, target red dashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

GREY, BLUE, ORANGE, RED, PURPLE = "#a6a6a6", "#00b0f0", "#e46c0a", "#de1b1b", "#490092"


@dataclass(frozen=True, slots=True)
class WeekPoint:
    """One ISO week of the series: its Monday, the value in display units, how many records it rests on."""

    monday: date
    value: float
    n: int


@dataclass(frozen=True, slots=True)
class Band:
    """A window of the measurement plan, from its first Monday to the Monday after its last week."""

    name: str  # reference | trigger | confirmation | after
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Marker:
    """A P, D, C or A marker: what happened on which day."""

    letter: str
    day: date
    what: str


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Everything the before/after chart shows. Values are in ``unit`` (percentages already multiplied by 100)."""

    title: str
    unit: str
    points: Sequence[WeekPoint]
    bands: Sequence[Band]
    markers: Sequence[Marker]
    target: float | None
    expected: Sequence[tuple[date, float]]  # the counterfactual: what the reference and the controls expect in A
    is_improved: bool | None  # None: no verdict yet
    as_of: date


WORDS = {
    "en": {
        "reference": "Reference",
        "trigger": "Trigger",
        "confirmation": "Confirmation",
        "after": "After",
        "week": "Week",
        "value": "Value",
        "n": "n",
        "target": "Target",
        "expected": "Expected without the action",
        "measured": "Measured",
    },
    "de": {
        "reference": "Referenz",
        "trigger": "Auslöser",
        "confirmation": "Bestätigung",
        "after": "Danach",
        "week": "Woche",
        "value": "Wert",
        "n": "n",
        "target": "Ziel",
        "expected": "Erwartet ohne die Maßnahme",
        "measured": "Gemessen",
    },
}

THEMES = {
    "light": {
        "text": "#1d2733",
        "muted": "#5b6773",
        "grid": "#e3e8ee",
        "bands": ["#f1f4f8", "#fdeedd", "#eceff3", "#e4f4fb"],
    },
    "dark": {
        "text": "#e6ebf1",
        "muted": "#9aa7b5",
        "grid": "#2a343f",
        "bands": ["#1b232c", "#3a2a18", "#222c36", "#12303c"],
    },
}
BAND_ORDER = ("reference", "trigger", "confirmation", "after")


def before_after(data: BeforeAfter, *, theme: str = "light", language: str = "en", width: int = 820) -> dict[str, Any]:
    """The Vega-Lite v5 spec of the before/after chart. ``theme`` is light or dark, ``language`` en or de."""
    import altair as alt

    words, colours = WORDS[language], THEMES[theme]
    layers = [
        _bands(alt, data, words, colours),
        *([_target(alt, data)] if data.target is not None else []),
        _series(alt, data, words),
        *([_expected(alt, data, words, colours)] if data.expected else []),
        *_markers(alt, data, colours),
    ]
    chart = (
        alt.layer(*layers)
        .properties(width=width, height=300)
        .configure(background="transparent", font="system-ui, sans-serif")
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=colours["muted"],
            titleColor=colours["muted"],
            gridColor=colours["grid"],
            domain=False,
            tickSize=0,
        )
    )
    spec: dict[str, Any] = chart.to_dict()
    return spec


def _axis_x(alt: Any) -> Any:
    return alt.X("day:T", title=None, axis=alt.Axis(format="%b %y", grid=False, labelPadding=8))


def _rows(items: Sequence[dict[str, Any]]) -> Any:
    import altair as alt

    return alt.Data(values=list(items))


def _bands(alt: Any, data: BeforeAfter, words: dict[str, str], colours: dict[str, Any]) -> Any:
    rows = [
        {
            "day": band.start.isoformat(),
            "end": band.end.isoformat(),
            "kind": band.name,
            "label": words[band.name] if (band.end - band.start).days > 60 or band.name == "trigger" else "",
        }
        for band in data.bands
    ]
    base = alt.Chart(_rows(rows))
    rect = base.mark_rect().encode(
        x=_axis_x(alt),
        x2="end:T",
        color=alt.Color("kind:N", scale=alt.Scale(domain=list(BAND_ORDER), range=colours["bands"]), legend=None),
    )
    text = base.mark_text(align="left", baseline="bottom", dx=4, dy=-2, fontSize=11, color=colours["muted"]).encode(
        x="day:T", y=alt.value(300), text="label:N"
    )
    return alt.layer(rect, text)


def _series(alt: Any, data: BeforeAfter, words: dict[str, str]) -> Any:
    after = next((band for band in data.bands if band.name == "after"), None)
    rows = [
        {
            "day": point.monday.isoformat(),
            "value": point.value,
            "n": point.n,
            "part": "after" if after is not None and point.monday >= after.start else "before",
        }
        for point in data.points
    ]
    tone = {True: BLUE, False: ORANGE, None: PURPLE}[data.is_improved]
    base = alt.Chart(_rows(rows)).encode(
        x=_axis_x(alt), y=alt.Y("value:Q", title=data.unit, scale=alt.Scale(zero=False))
    )
    line = base.mark_line(strokeWidth=1.4, color=GREY)
    dots = base.mark_point(filled=True, size=34, opacity=1).encode(
        color=alt.condition("datum.part == 'after'", alt.value(tone), alt.value(GREY)),
        shape=alt.condition("datum.part == 'after'", alt.value("diamond"), alt.value("circle")),
        tooltip=[
            alt.Tooltip("day:T", title=words["week"], format="%G-W%V"),
            alt.Tooltip("value:Q", title=words["value"], format=".2f"),
            alt.Tooltip("n:Q", title=words["n"]),
        ],
    )
    return alt.layer(line, dots)


def _target(alt: Any, data: BeforeAfter) -> Any:
    return (
        alt.Chart(_rows([{"target": data.target}]))
        .mark_rule(color=RED, strokeDash=[6, 4], strokeWidth=1.4)
        .encode(y="target:Q")
    )


def _expected(alt: Any, data: BeforeAfter, words: dict[str, str], colours: dict[str, Any]) -> Any:
    rows = [{"day": day.isoformat(), "value": value, "label": words["expected"]} for day, value in data.expected]
    line = alt.Chart(_rows(rows)).mark_line(color=colours["text"], strokeDash=[3, 3], strokeWidth=1.6)
    return line.encode(
        x=_axis_x(alt), y="value:Q", tooltip=[alt.Tooltip("label:N"), alt.Tooltip("value:Q", format=".2f")]
    )


def _markers(alt: Any, data: BeforeAfter, colours: dict[str, Any]) -> list[Any]:
    rows = [{"day": marker.day.isoformat(), "letter": marker.letter, "what": marker.what} for marker in data.markers]
    if not rows:
        return []
    base = alt.Chart(_rows(rows)).encode(x=_axis_x(alt))
    rule = base.mark_rule(color=colours["muted"], strokeWidth=0.8)
    disc = base.mark_point(shape="circle", filled=True, size=260, color=colours["text"], opacity=1).encode(
        y=alt.value(10), tooltip=[alt.Tooltip("what:N"), alt.Tooltip("day:T", format="%Y-%m-%d")]
    )
    letter = base.mark_text(
        fontSize=11, fontWeight="bold", color="#ffffff" if colours is THEMES["light"] else "#10161d"
    )
    return [rule, disc, letter.encode(y=alt.value(10), text="letter:N")]


def alternative(data: BeforeAfter, *, language: str = "en") -> str:
    """The chart in words, for people who do not see it."""
    words = WORDS[language]
    parts = [f"{data.title}."]
    for band in data.bands:
        values = [point.value for point in data.points if band.start <= point.monday < band.end]
        if values:
            mean = sum(values) / len(values)
            parts.append(f"{words[band.name]} {band.start}–{band.end}: Ø {mean:.1f} {data.unit}.")
    if data.target is not None:
        parts.append(f"{words['target']}: {data.target:.1f} {data.unit}.")
    return " ".join(parts)


def svg(spec: dict[str, Any]) -> str:
    """Render a spec (0.1 s); only ever called by the cycle, never by the web process."""
    import vl_convert

    rendered: str = vl_convert.vegalite_to_svg(spec)
    return rendered
