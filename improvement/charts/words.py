"""The words on the charts, English and German."""

from __future__ import annotations

WORDS = {
    "en": {
        "reference": "Reference",
        "trigger": "Trigger",
        "confirmation": "Confirmation",
        "after": "After",
        "between": "In between",
        "week": "Week",
        "value": "Value",
        "window": "Window",
        "n": "n",
        "target": "Target",
        "limits": "Limits of the reference",
        "trial": "trial limits, fewer than 12 weeks",
        "expected": "Expected without the action",
        "mean": "mean",
        "weeks": "weeks",
        "beyond_bad": "beyond the limit on the bad side",
        "beyond_good": "beyond the limit on the good side",
        "beyond": "{count} of {total} weeks of the trigger lie beyond the limit on the bad side.",
        "data_to": "Data to {day}.",
        "P": "opened",
        "D": "plan approved",
        "C": "live",
        "A": "decided",
    },
    "de": {
        "reference": "Referenz",
        "trigger": "Auslöser",
        "confirmation": "Bestätigung",
        "after": "Danach",
        "between": "Dazwischen",
        "week": "Woche",
        "value": "Wert",
        "window": "Fenster",
        "n": "n",
        "target": "Ziel",
        "limits": "Grenzen der Referenz",
        "trial": "vorläufige Grenzen, weniger als 12 Wochen",
        "expected": "Erwartet ohne die Maßnahme",
        "mean": "Mittel",
        "weeks": "Wochen",
        "beyond_bad": "jenseits der Grenze auf der schlechten Seite",
        "beyond_good": "jenseits der Grenze auf der guten Seite",
        "beyond": "{count} von {total} Wochen des Auslösers liegen jenseits der Grenze auf der schlechten Seite.",
        "data_to": "Daten bis {day}.",
        "P": "eröffnet",
        "D": "Plan genehmigt",
        "C": "live",
        "A": "entschieden",
    },
}
UNITS_DE = {"h": "Std.", "points": "Punkte", "days": "Tage", "open tickets": "offene Tickets", "share": "Anteil"}


def unit_in(unit: str, language: str) -> str:
    """A unit in the reader's language."""
    return UNITS_DE.get(unit, unit) if language == "de" else unit


def number(value: float, language: str, *, digits: int = 1) -> str:
    """A number as the language writes it, with a real minus sign."""
    text = f"{value:.{digits}f}".replace("-", "−")
    return text.replace(".", ",") if language == "de" else text
