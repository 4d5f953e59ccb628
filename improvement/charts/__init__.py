"""Charts that explain, and do not decide: one Vega-Lite spec serves page, report and bundle.

Colours follow the NHS *Making Data Count* convention (common cause grey, improvement blue, concern orange, neutral
purple, target red; never red against green), and every meaning has a shape, a dash or a word as well. Every chart
carries its weekly n, the day its data end, and its own telling in words and as a table.
"""

from __future__ import annotations

from improvement.charts.answers import answers, answers_alternative, answers_table
from improvement.charts.before_after import before_after
from improvement.charts.data import (
    Answers,
    Band,
    BeforeAfter,
    Funnel,
    Marker,
    Period,
    StillOpen,
    Table,
    Trigger,
    Unit,
    WeekPoint,
)
from improvement.charts.funnel import funnel, funnel_alternative, funnel_table, limits_of
from improvement.charts.limits import Limits, ShareLimits, natural_limits, share_limits
from improvement.charts.palette import THEMES, in_theme
from improvement.charts.rendering import svg
from improvement.charts.still_open import still_open, still_open_alternative, still_open_table
from improvement.charts.survival import Curve, kaplan_meier
from improvement.charts.telling import alternative, table, trigger_alternative, trigger_table
from improvement.charts.trigger import reference_limits, trigger

__all__ = [
    "THEMES",
    "Answers",
    "Band",
    "BeforeAfter",
    "Curve",
    "Funnel",
    "Limits",
    "Marker",
    "Period",
    "ShareLimits",
    "StillOpen",
    "Table",
    "Trigger",
    "Unit",
    "WeekPoint",
    "alternative",
    "answers",
    "answers_alternative",
    "answers_table",
    "before_after",
    "funnel",
    "funnel_alternative",
    "funnel_table",
    "in_theme",
    "kaplan_meier",
    "limits_of",
    "natural_limits",
    "reference_limits",
    "share_limits",
    "still_open",
    "still_open_alternative",
    "still_open_table",
    "svg",
    "table",
    "trigger",
    "trigger_alternative",
    "trigger_table",
]
