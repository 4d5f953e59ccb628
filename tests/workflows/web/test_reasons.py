"""What the engine says of what waits, and of what fired again, in the reader's language."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils.translation import override

from improvement.pdca import Event
from improvement.rules import Candidate, Rule, Scope, choose
from tests.improvement.rules.build import a_rule
from workflows.web import reasons, words


def waiting(rule: Rule, number: int, owner: str | None) -> list[str]:
    """Why scopes of one customer wait, alone and as a group, where so many actions are the most there can be."""
    scopes = [{"customer": "Acme", "country": country, "service": "Mail"} for country in ("AT", "CH", "DE", "FR")]
    fired = [Candidate(rule, "snow", Scope.of(scope), 2900, 1.0, 40) for scope in scopes]
    group = choose(fired, owner_of=lambda *_: owner, open_per_owner={owner: number}, budget=number, max_new=9)
    single = choose(fired[:1], owner_of=lambda *_: owner, open_per_owner={owner: number}, budget=number, max_new=9)
    enough = choose(fired[:3], owner_of=lambda *_: owner, open_per_owner={}, budget=9, max_new=number)
    return [one.reason for one in (*group.queued, *single.queued, *enough.queued)]


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("owner", ["olga", None])
def test_why_a_finding_waits_is_told_in_german_of_one_and_of_many(
    tmp_path: Path, number: int, owner: str | None
) -> None:
    told = waiting(a_rule(tmp_path), number, owner)
    assert len(told) >= 3
    with override("de"):
        for reason in told:
            german = reasons.translated(reason)
            assert not {"open", "budget", "actions", "action", "enough"} & set(german.split()), german


@pytest.mark.parametrize(
    ("english", "german"),
    [
        (
            "fired again: 31.2 % on 160 records [country=CH,customer=Acme,service=Mail]",
            "erneut ausgelöst: 31,2 % bei 160 Datensätzen [Acme · CH · Mail]",
        ),
        (
            "fired again: Time to resolve 7.75 h on 1 record [customer=Acme\\, Inc.]",
            "erneut ausgelöst: Lösungszeit 7,75 Std. bei 1 Datensatz [Acme, Inc.]",
        ),
        ("fired again: 31.2 % on 1,160 records []", "erneut ausgelöst: 31,2 % bei 1.160 Datensätzen []"),
        ("fired again: what a person typed on 2 records [here]",
         "erneut ausgelöst: what a person typed bei 2 Datensätzen [here]"),
        ("more than 1 control", "mehr als 1 Vergleichsgruppe"),
        ("override {country: CH} from 2025-01-01 to 2025-12-31", "abweichend für Land CH, 2025-01-01 – 2025-12-31"),
        ("override {country: CH, customer: Auto*}", "abweichend für Land CH, Kunde Auto*"),
    ],
)  # fmt: skip
def test_notes_are_told_in_german(english: str, german: str) -> None:
    with override("de"):
        assert reasons.translated(english) == german
    with override("en"):
        assert reasons.translated("fired again: 31.2 % on 1 record [customer=Acme]") == (
            "fired again: 31.2 % on 1 record [Acme]"
        )


def test_every_line_of_a_history_has_a_word() -> None:
    """Also of what moves no state: evidence and marks (steps/open.py, actions/marking.py)."""
    assert {*Event, "open", "evidence", "change_marked", "change_taken_back"} == set(words.EVENTS)
    with override("de"):
        assert words.said(words.EVENTS, "evidence") == "neuer Nachweis"
