"""A rule in words: one of anything is told as one, in both languages."""

from __future__ import annotations

import pytest
from django.utils import translation

from workflows.web import rule_words

RULE = {
    "spec": {
        "metric": "sla_breach_rate",
        "trigger": {"for": "1w", "min_samples": 1},
        "clear": {"ratio": 1, "for": "1w"},
        "cooldown": "1w",
    },
    "action": {"due": "1d"},
    "check": {"looks": ["1w"]},
}
ENGLISH = {
    "1 week beyond its target, each value on at least 1 record",
    "due in 1 day; looked at 1 week after go-live; then 1 week of rest",
}
GERMAN = {
    "1 Woche jenseits des Ziels, jeder Wert aus mindestens 1 Datensatz",
    "fällig in 1 Tag; Blick 1 Woche nach dem Go-live; dann 1 Woche Ruhe",
}


@pytest.mark.parametrize(("language", "words"), [("en", ENGLISH), ("de", GERMAN)])
def test_one_of_anything_is_told_as_one(language: str, words: set[str]) -> None:
    with translation.override(language):
        assert words <= {str(fact.text) for fact in rule_words.facts(RULE, lambda scope: True)}


def test_a_while_tells_on_how_many_records_it_can_be_told() -> None:
    told = {**RULE["spec"], "while": [{"metric": "csat_mean", "max": 4.2, "min_samples": 5}]}
    with translation.override("en"):
        texts = [str(fact.text) for fact in rule_words.facts({**RULE, "spec": told}, lambda scope: True)]
    assert "Customer satisfaction is at most 4.20 points, on at least 5 records" in texts


@pytest.mark.parametrize(
    ("flow_down", "words"),
    [
        ({"by": ["supplier"], "tighten": 0.8}, "the same demand, made stricter, to every supplier"),
        (
            {"by": ["supplier"], "tighten": 1, "target": {"max": 0.05}},
            "the same demand, made stricter, to every supplier",
        ),
        ({"by": ["supplier"], "tighten": 1}, "the same demand, to every supplier"),
    ],
)
def test_a_demand_is_said_to_be_stricter_only_where_it_is(flow_down: dict[str, object], words: str) -> None:
    spec = {**RULE["spec"], "flow_down": flow_down}
    with translation.override("en"):
        assert words in [str(fact.text) for fact in rule_words.facts({**RULE, "spec": spec}, lambda scope: True)]
