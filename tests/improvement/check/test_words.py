"""What the check says, in English and German."""

from __future__ import annotations

from improvement.check.guards import NAMES, NAMES_DE
from improvement.check.verdict import REASON_OF_GUARD
from improvement.check.words import REASONS, effect_text, interval_text, naive_text, sentences
from improvement.vocabulary import Verdict

GROUND = {"difference": -0.065, "amount": -49.9}


def test_an_effect_is_told_on_the_ground_and_as_a_ratio() -> None:
    text = effect_text("proportion", -1.117, GROUND, unit="share")
    assert text == "−6.5 percentage points (odds ratio 0.33, −50 in all)"
    assert effect_text("time", -0.357, {"difference": -4.2, "amount": -99.0}, unit="h") == "−30 % (−4.2 h)"
    assert effect_text("score", 0.25, {"difference": 0.25, "amount": 9.0}, unit="points") == "+0.25 points"
    assert effect_text("count", 0.0953, {"difference": 4.0, "amount": 52.0}, unit="tickets").startswith("+10 %")


def test_an_interval_is_told_from_small_to_large() -> None:
    assert interval_text("proportion", -0.5, -1.5, "share") == "odds ratio 0.22 … 0.61"
    assert interval_text("score", 0.1, -0.2, "points") == "−0.20 … +0.10 points"


def test_the_naive_figure_is_what_an_arrow_would_show() -> None:
    assert naive_text("proportion", 0.2, 0.1, "share") == "20.0 % → 10.0 % (−50 %)"
    assert naive_text("count", 0.0, 3.0, "tickets") == "0.0 → 3.0 tickets"
    assert naive_text("score", None, 4.0, "points") == ""


def test_german_nouns_keep_their_capitals() -> None:
    _, german = sentences(Verdict.NOT_ENOUGH_DATA, "inconclusive", notes_de=("entscheidbar kann es sein",))
    assert german.startswith("Zu wenig Daten: die Daten erlauben beides")
    assert german.endswith("Entscheidbar kann es sein.")


def test_german_figures_use_a_comma() -> None:
    _, german = sentences(Verdict.IMPROVED, "improved", effect="−6.5 percentage points (odds ratio 0.33)", interval="x")
    assert "−6,5 Prozentpunkte (Odds Ratio 0,33)" in german


def test_every_guard_has_its_reason_and_its_names() -> None:
    assert set(REASON_OF_GUARD.values()) <= set(REASONS)
    assert set(NAMES) == set(NAMES_DE) == set(range(1, 9))
