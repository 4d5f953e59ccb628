"""The picture of a back-test: scopes that would have fired, week by week and rule by rule, and actions opened."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from improvement import charts, weeks
from improvement.charts.palette import THEMES
from workflows.rules.backtest_report import Report

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH, HEIGHT, STRIP_HEIGHT = 760, 240, 90
COLOURS = THEMES["light"]
SHADES = ("#00b0f0", "#490092", "#e46c0a", "#5b6773", "#7fbf7b", "#c994c7", "#1d2733", "#d9b365")
RULES_SHOWN = len(SHADES) - 1
OTHERS = "other rules"


def svg(report: Report) -> str:
    """The chart as SVG."""
    return charts.svg(spec(report))


def spec(report: Report) -> dict[str, Any]:
    """The chart as a Vega-Lite spec: bars of firing scopes by rule, below them the actions that would have opened."""
    names = _shown(report)
    span = f"{weeks.label(report.replay.first_week)} to {weeks.label(report.replay.last_week)}"
    firing = _bars(_firing(report, names), "scopes firing", HEIGHT, names)
    opened = _bars(_opened(report, names), "actions opened", STRIP_HEIGHT, names)
    return {
        "$schema": SCHEMA,
        "background": COLOURS["paper"],
        "padding": 12,
        "spacing": 16,
        "title": {"text": f"Back-test, {span}", "anchor": "start", "color": COLOURS["text"]},
        "config": {
            "font": "system-ui, sans-serif",
            "view": {"stroke": None},
            "axis": {"labelColor": COLOURS["muted"], "titleColor": COLOURS["muted"], "gridColor": COLOURS["grid"]},
            "legend": {"labelColor": COLOURS["text"], "titleColor": COLOURS["muted"], "orient": "top", "columns": 3},
        },
        "vconcat": [firing, opened],
    }


def _shown(report: Report) -> list[str]:
    """The rules that fired, the busiest first; more than there are colours become one."""
    tallies = [one for one in report.tallies if one.fired or one.firing_at_start]
    names = [one.rule.id for one in sorted(tallies, key=lambda one: -(one.fired + one.firing_at_start))]
    return names if len(names) <= len(SHADES) else [*names[:RULES_SHOWN], OTHERS]


def _firing(report: Report, names: list[str]) -> list[dict[str, Any]]:
    found = report.replay
    count: Counter[tuple[int, str]] = Counter()
    for one in found.episodes:
        end = one.resolved_week if one.resolved_week is not None else found.last_week + 1
        for week in range(max(one.fired_week, found.first_week), end):
            count[week, one.series.rule_id] += 1
    return _rows(report, count, names)


def _opened(report: Report, names: list[str]) -> list[dict[str, Any]]:
    return _rows(report, Counter((action.week, action.rule_id) for action in report.replay.actions), names)


def _rows(report: Report, count: Counter[tuple[int, str]], names: list[str]) -> list[dict[str, Any]]:
    """A row a week and rule, each on top of the one before; also of weeks without any, so that the axis has them."""
    summed: Counter[tuple[int, str]] = Counter()
    for (week, rule_id), number in count.items():
        summed[week, rule_id if rule_id in names else OTHERS] += number
    rows = []
    for week in range(report.replay.first_week, report.replay.last_week + 1):
        below = 0
        for name in names or [OTHERS]:
            number = summed[week, name]
            monday = weeks.monday(week)
            rows.append(
                {
                    "from": monday.isoformat(),
                    "to": (monday + timedelta(days=6)).isoformat(),
                    "rule": name,
                    "number": number,
                    "low": below,
                    "high": below + number,
                }
            )
            below += number
    return rows


def _bars(rows: list[dict[str, Any]], title: str, height: int, names: list[str]) -> dict[str, Any]:
    return {
        "data": {"values": rows},
        "width": WIDTH,
        "height": height,
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": "from", "type": "temporal", "title": None},
            "x2": {"field": "to"},
            "y": {"field": "low", "type": "quantitative", "title": title, "axis": {"tickMinStep": 1}},
            "y2": {"field": "high"},
            "color": {
                "field": "rule",
                "type": "nominal",
                "sort": names,
                "scale": {"domain": names or [OTHERS], "range": list(SHADES[: max(len(names), 1)])},
                "legend": {"title": None},
            },
        },
    }
