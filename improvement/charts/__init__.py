"""Charts that explain, and do not decide: one Vega-Lite spec serves page, report and bundle.

Colours follow the NHS *Making Data Count* convention (common cause grey, improvement blue, concern orange, neutral
purple, target red; never red against green), and every meaning has a shape, a dash or a word as well. Every chart
carries its weekly n, the day its data end, and its own telling in words and as a table.
"""

from __future__ import annotations

from improvement.charts.before_after import before_after
from improvement.charts.data import Band, BeforeAfter, Marker, Table, Trigger, WeekPoint
from improvement.charts.limits import Limits, natural_limits
from improvement.charts.palette import THEMES, in_theme
from improvement.charts.rendering import svg
from improvement.charts.telling import alternative, table, trigger_alternative, trigger_table
from improvement.charts.trigger import trigger

__all__ = [
    "THEMES",
    "Band",
    "BeforeAfter",
    "Limits",
    "Marker",
    "Table",
    "Trigger",
    "WeekPoint",
    "alternative",
    "before_after",
    "in_theme",
    "natural_limits",
    "svg",
    "table",
    "trigger",
    "trigger_alternative",
    "trigger_table",
]
