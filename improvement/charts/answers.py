"""The answers to a survey: which share gave each score, window by window, with how many answered at all."""

from __future__ import annotations

from typing import Any

from improvement.charts import layers
from improvement.charts.data import Answers, Period, Table
from improvement.charts.layers import COLOURS, LABEL_TEXT, Layer
from improvement.charts.palette import LIKERT, LIKERT_TEXT
from improvement.charts.words import WORDS, number

BAR, GAP = 34, 20  # pixels
LEAST_LABELLED = 4.0  # percent: a narrower part has no room for its score


def answers(data: Answers, *, language: str = "en", width: int = 600) -> dict[str, Any]:
    """The Vega-Lite spec in the light theme. ``language`` is en or de, ``width`` that of the plot in pixels."""
    words = WORDS[language]
    parts = [row for period in data.periods if period.n for row in _parts(period, data, language)]
    ends = [
        {"window": words[period.band.name], "label": f"n = {period.n}, {_rate(period, language)}" if period.n else ""}
        for period in data.periods
    ]
    empty = [
        {"window": words[period.band.name], "label": words["no_answers"]} for period in data.periods if not period.n
    ]
    datasets = {"parts": parts, "ends": ends, "empty": empty}
    height = (BAR + GAP) * len(data.periods)
    y = {
        "field": "window",
        "type": "nominal",
        "sort": None,
        "scale": {
            "domain": [words[period.band.name] for period in data.periods],
            "paddingInner": GAP / (BAR + GAP),
            "paddingOuter": 0.1,
        },
        "axis": {"title": None, "labelFontWeight": 600, "labelPadding": 8},
    }
    x = {
        "field": "from",
        "type": "quantitative",
        "scale": {"domain": [0, 100], "nice": False},
        "axis": {"title": f"% ({words['answers']})", "tickCount": 5, "grid": False, "titlePadding": 8},
    }
    colour = {
        "field": "score",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": list(data.scores), "range": list(LIKERT[: len(data.scores)])},
    }
    bars: Layer = {
        "data": {"name": "parts"},
        "mark": {"type": "bar", "height": BAR, "stroke": COLOURS["paper"], "strokeWidth": 1},
        "encoding": {
            "y": y,
            "x": x,
            "x2": {"field": "to"},
            "color": colour,
            "description": {"field": "label", "type": "nominal"},
        },
    }
    scores: Layer = {
        "data": {"name": "parts"},
        "mark": {**LABEL_TEXT, "align": "center", "color": LIKERT_TEXT},
        "encoding": {"y": y, "x": {"field": "middle", "type": "quantitative"}, "text": {"field": "said"}},
    }
    sizes: Layer = {
        "data": {"name": "ends"},
        "mark": {**LABEL_TEXT, "dx": 8, "color": COLOURS["muted"]},
        "encoding": {"y": y, "x": {"value": width}, "text": {"field": "label"}},
    }
    nothing: Layer = {
        "data": {"name": "empty"},
        "mark": {**LABEL_TEXT, "dx": 8, "fontWeight": 400, "color": COLOURS["muted"]},
        "encoding": {"y": y, "x": {"value": 0}, "text": {"field": "label"}},
    }
    return layers.whole(
        [{"layer": [bars, scores, sizes, nothing], "width": width, "height": height}], datasets, room=(18, 56)
    )


def answers_alternative(data: Answers, *, language: str = "en") -> str:
    """The bars in a few sentences: of each window the shares from the lowest score to the highest."""
    words = WORDS[language]
    parts = [f"{data.title}."]
    for period in data.periods:
        shares = (
            ", ".join(
                f"{words['score'].format(score=score)}: {number(share, language, digits=0)} %"
                for score, share in zip(data.scores, _shares(period), strict=True)
            )
            if period.n
            else words["no_answers"]
        )
        last = period.band.end.fromordinal(period.band.end.toordinal() - 1)
        span = f"{period.band.start.isoformat()} – {last.isoformat()}"
        parts.append(f"{words[period.band.name]} {span}: {shares}; n = {period.n}, {_rate(period, language)}.")
    return " ".join([*parts, words["data_to"].format(day=data.as_of.isoformat())])


def answers_table(data: Answers, *, language: str = "en") -> Table:
    """The bars as a table: window, share of each score, n, response rate."""
    words = WORDS[language]
    columns = (
        words["window"],
        *(f"{words['score'].format(score=score)} (%)" for score in data.scores),
        words["n"],
        f"{words['response_rate']} (%)",
    )
    rows = []
    for period in data.periods:
        rate = period.response_rate
        rows.append(
            (
                words[period.band.name],
                *(number(share, language) if period.n else "–" for share in _shares(period)),
                str(period.n),
                "–" if rate is None else number(100 * rate, language),
            )
        )
    return Table(columns, tuple(rows))


def _shares(period: Period) -> list[float]:
    return [100 * count / period.n if period.n else 0.0 for count in period.counts]


def _rate(period: Period, language: str) -> str:
    words, rate = WORDS[language], period.response_rate
    if rate is None:
        return words["rate_unknown"]
    return words["answered"].format(share=number(100 * rate, language, digits=0), asked=period.asked)


def _parts(period: Period, data: Answers, language: str) -> list[dict[str, Any]]:
    """A row a score, each beginning where the one below it ends."""
    words = WORDS[language]
    found, start = [], 0.0
    for score, share, count in zip(data.scores, _shares(period), period.counts, strict=True):
        name = words["score"].format(score=score)
        found.append(
            {
                "window": words[period.band.name],
                "score": score,
                "from": round(start, 3),
                "to": round(start + share, 3),
                "middle": round(start + share / 2, 3),
                "said": str(score) if share >= LEAST_LABELLED else "",
                "label": f"{words[period.band.name]}, {name}: {number(share, language)} %, n = {count}",
            }
        )
        start += share
    return found
