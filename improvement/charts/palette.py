"""Colours: the NHS convention for data, and a light and a dark theme for everything around them."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

GREY, BLUE, ORANGE, RED, PURPLE = "#a6a6a6", "#00b0f0", "#e46c0a", "#de1b1b", "#490092"
LIKERT = ("#e46c0a", "#f2b787", "#c9c9c9", "#86d5f7", "#00b0f0")  # answers from the worst to the best
LIKERT_TEXT = "#151515"  # on all of them, in both themes

# Each theme has the same names; no two names share a colour within a theme, so one can be turned into the other.
THEMES: dict[str, dict[str, str]] = {
    "light": {
        "text": "#1d2733",
        "paper": "#fefefe",
        "muted": "#5b6773",
        "grid": "#e3e8ee",
        "volume": "#c3ccd6",
        "target": "#de1b1b",
        "neutral": "#490092",
        "reference": "#f1f4f8",
        "trigger": "#fdeedd",
        "hatch": "#efc79b",
        "confirmation": "#e9ecf1",
        "after": "#e4f4fb",
    },
    "dark": {
        "text": "#e6ebf1",
        "paper": "#10161d",
        "muted": "#9aa7b5",
        "grid": "#2a343f",
        "volume": "#4b5967",
        "target": "#ff6b6b",
        "neutral": "#b79be8",
        "reference": "#1c242d",
        "trigger": "#3a2a18",
        "hatch": "#6f4d26",
        "confirmation": "#27313c",
        "after": "#12303c",
    },
}
Drawing = TypeVar("Drawing", str, dict[str, Any])


def in_theme(drawing: Drawing, theme: str) -> Drawing:
    """A spec or an SVG that was made in the light theme, in another one: the same drawing with exchanged colours.

    Rendering takes a hundred times as long as exchanging colours, so every chart is rendered once.
    """
    if theme == "light":
        return drawing
    exchange = {THEMES["light"][name]: colour for name, colour in THEMES[theme].items()}
    pattern = re.compile("|".join(map(re.escape, exchange)), re.IGNORECASE)
    if isinstance(drawing, str):
        return pattern.sub(lambda found: exchange[found[0].lower()], drawing)
    changed: dict[str, Any] = json.loads(in_theme(json.dumps(drawing), theme))
    return changed
