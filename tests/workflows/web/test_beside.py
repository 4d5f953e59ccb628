"""Beside an effect a page tells who answered, what stayed open, and what else went live."""

from __future__ import annotations

from django.utils import translation

from workflows.web.rooms.beside import facts_beside


def told(result: dict[str, object], language: str = "en") -> dict[str, str]:
    with translation.override(language):
        return {str(fact.name): fact.text for fact in facts_beside(result)}


def test_a_score_is_told_with_its_response_rate_also_where_nobody_knows_it() -> None:
    known = {"response_rate": {"reference": 0.214, "after": 0.18}}
    assert told(known) == {"Response rate": "21 % in the reference, 18 % after"}
    assert told(known, "de") == {"Rücklaufquote": "21 % in der Referenz, 18 % danach"}
    assert told({"response_rate": {"reference": None, "after": None}}) == {"Response rate": "not known"}


def test_a_time_is_told_with_tau_and_what_was_still_open_then() -> None:
    assert told({"tau_weeks": 1})["Times count up to (τ)"] == "1 week"
    found = told({"tau_weeks": 2, "open_share": {"reference": 0.031, "after": 0.02}})
    assert found == {
        "Times count up to (τ)": "2 weeks",
        "Still open then": "3.1 % in the reference, 2.0 % after",
    }


def test_a_count_is_told_with_what_it_is_counted_per() -> None:
    found = {"exposure": {"text": "per 1 000 users", "reference": 2000.0, "after": 3140.0}}
    assert told(found) == {"Counted": "per 1 000 users: 2 000 in the reference, 3 140 after"}
    assert told(found, "de") == {"Gezählt": "je 1 000 Nutzer: 2 000 in der Referenz, 3 140 danach"}
    assert told({"exposure": {"text": "", "reference": None, "after": None, "known_from": "2025-03-01"}}) == {}


def test_other_actions_are_named_with_their_scope() -> None:
    found = {"other_actions": ["ACT-3: country=CH", "ACT-4: customer=Acme,service=Mail"]}
    assert told(found) == {"Other actions meanwhile": "ACT-3: country=CH; ACT-4: customer=Acme,service=Mail"}
    assert list(told(found, "de")) == ["Andere Maßnahmen währenddessen"]


def test_other_changes_are_listed_by_number_and_long_lists_cut() -> None:
    assert told({"concurrent_change_numbers": ["CHG1", "CHG2"]}) == {"Other changes meanwhile": "CHG1, CHG2"}
    many = told({"concurrent_change_numbers": [f"CHG{number}" for number in range(40)]})["Other changes meanwhile"]
    assert many.endswith("CHG11 …")
    assert told({}) == {}
