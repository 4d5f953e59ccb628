"""Figures in German: effects, intervals and plain comparisons are composed in English, and told in German from that.

One table for the check's sentence, the work note and the pages. Records keep the English text, so that old ones are
told in German as well.
"""

from __future__ import annotations

import re

WORDS = (
    ("percentage points", "Prozentpunkte"),
    (" in all", " insgesamt"),
    ("odds ratio", "Odds Ratio"),
    ("rate ratio", "Ratenverhältnis"),
    ("time ratio", "Zeitverhältnis"),
    ("points", "Punkte"),
    ("tickets", "Tickets"),
    ("users", "Nutzer"),
    ("assets", "Assets"),
    ("devices", "Geräte"),
    (" per ", " je "),
    ("days", "Tage"),
    (" h)", " Std.)"),
    (" h ", " Std. "),
)
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")


def in_german(text: str) -> str:
    """``−6.5 percentage points (odds ratio 0.33)`` → ``−6,5 Prozentpunkte (Odds Ratio 0,33)``."""
    for english, german in WORDS:
        text = text.replace(english, german)
    return _DECIMAL.sub(",", text)
