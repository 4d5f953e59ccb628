"""The untreated line beside the plain before–after figure, in words."""

from __future__ import annotations

import pytest

from improvement.check import Goal, PastFirings
from improvement.check.words import untreated
from improvement.plain_change import level, natural
from tests.improvement.check.build import a_plan, a_scope, controls, looked

PAST = PastFirings(12, 0.68, "odds ratio", 5, 13, "2024-W30", "2025-W29", "2025-07-21T12:00:00+00:00")


def test_it_stands_beside_the_plain_figure_in_the_same_unit() -> None:
    found = looked(a_scope(after=0.2, bad=0.34), controls(), a_plan(rule="sla"), past_firings=PAST)
    assert found.untreated["firings"] == 12
    assert "12 past firings of sla that nobody acted on came to odds ratio 0.68 by themselves" in found.untreated_text
    before, after = found.naive["before"], found.naive["after"]
    ours = (after / (1 - after)) / (before / (1 - before))  # type: ignore[operator]
    assert found.naive["effect"] == pytest.approx(ours, rel=0.02)
    assert found.untreated_text.endswith(f"counted the same way, to odds ratio {found.naive['effect']:.2f}")
    assert found.untreated_text_de.endswith(f"auf Odds Ratio {found.naive['effect']:.2f}".replace(".", ","))


def test_it_is_information_and_no_gate() -> None:
    plan = a_plan(rule="sla")
    with_line = looked(a_scope(after=0.08), controls(), plan, past_firings=PAST)
    without = looked(a_scope(after=0.08), controls(), plan)
    assert (with_line.verdict, with_line.reason, with_line.effect) == (without.verdict, without.reason, without.effect)


@pytest.mark.parametrize(
    ("past", "rule", "english", "german"),
    [
        (None, "", "no rule opened this action", "keine Regel eröffnete"),
        (None, "sla", "regelkreis rules backtest sla", "regelkreis rules backtest sla"),
        (PastFirings(0, None, "odds ratio", 5, 13, "2024-W30", "2025-W29", ""), "sla", "old enough", "alt genug"),
        (PastFirings(1, 0.7, "odds ratio", 5, 13, "2024-W30", "2025-W29", ""), "sla", "came to odds", "kam von selbst"),
        (
            PastFirings(2, 0.7, "odds ratio", 5, 13, "2024-W30", "2025-W29", "", is_same_version=False),
            "sla",
            "by another version",
            "in anderer Fassung",
        ),
    ],
)
def test_every_case_is_told(past: PastFirings | None, rule: str, english: str, german: str) -> None:
    said, said_de = untreated("proportion", past, {"before": 0.3, "after": 0.2, "effect": 0.6}, rule=rule)
    assert english in said
    assert german in said_de


def test_metrics_without_a_verdict_have_no_line() -> None:
    assert untreated(None, PAST, {}, rule="backlog") == ("", "")


def test_scores_are_told_in_points() -> None:
    past = PastFirings(3, 0.2, "points", 5, 13, "2024-W30", "2025-W29", "")
    said, said_de = untreated("score", past, {"effect": -0.1}, rule="csat")
    assert "came to +0.20 points" in said
    assert said.endswith("to −0.10 points")
    assert "+0,20 Punkte" in said_de


def test_a_count_is_compared_by_its_exposure() -> None:
    before, after = level("count", 40, 4), level("count", 30, 6)
    assert before is not None
    assert after is not None
    assert natural("count", after - before) == pytest.approx(0.5, rel=0.02)
    plan = a_plan(rule="volume", metric="incident_count", family="count", goal=Goal.parse("-30%"))
    assert looked(a_scope(), controls(), plan).naive["effect"] is not None
