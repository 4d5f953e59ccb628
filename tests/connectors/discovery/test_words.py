"""Fields are recognised by name in three languages, countries in any spelling, states by their labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.discovery.countries import code_of
from connectors.discovery.words import EXACT, fit, folded, state_of


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("customer", "u_customer"), ("customer", "Kunde"), ("customer", "Organizations"), ("country", "Land"),
        ("country", "u_country"), ("service", "Betroffener Dienst"), ("supplier", "Lieferant"),
        ("supplier", "x_vendor"), ("category", "Kategorie"), ("assignment_group", "assignment_group"),
    ],
)  # fmt: skip
def test_a_name_means_its_field(field: str, name: str) -> None:
    assert fit(field, (name,)) > 55
    assert fit(field, ("Lunch",)) == 0


def test_the_surest_word_fits_best_and_a_word_among_others_less() -> None:
    assert fit("customer", ("Customer",)) == EXACT > fit("customer", ("Mandant",))
    assert fit("country", ("Country",)) > fit("country", ("Reporter country",)) > 0
    assert fit("country", ("Countryside",)) == 0


def test_names_are_words_whatever_their_case_marks_and_accents() -> None:
    assert folded("u_CustomerCountry") == folded("Customer-Country") == folded("customer country")
    assert folded("Störung") == "storung"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("CH", "CH"), ("ch", "CH"), ("Schweiz", "CH"), ("Switzerland", "CH"), ("CHE", "CH"), ("Österreich", "AT"),
        ("U.S.A.", "US"), ("United Kingdom", "GB"), ("Côte d’Ivoire", "CI"), ("Cote d'Ivoire", "CI"),
        ("Türkei", "TR"), ("Deutschland ", "DE"), ("Atlantis", None), ("", None), ("Korea", None),
    ],
)  # fmt: skip
def test_countries_as_people_write_them(text: str, code: str | None) -> None:
    assert code_of(text) == code


@pytest.mark.parametrize(
    ("label", "state"),
    [
        ("Awaiting vendor", "on_hold"), ("Wartet auf Kunde", "on_hold"), ("Work in Progress", "in_progress"),
        ("Closed Complete", "closed"), ("Gelöst", "resolved"), ("Cancelled", "cancelled"), ("Neu", "new"),
        ("Quux", None),
    ],
)  # fmt: skip
def test_states_by_their_labels(label: str, state: str | None) -> None:
    assert state_of(label) == state


@given(st.text())
def test_no_text_breaks_the_recognition(text: str) -> None:
    assert 0 <= fit("country", (text,)) <= EXACT
    assert code_of(text) is None or len(code_of(text) or "") == 2
    assert folded(folded(text)) == folded(folded(folded(text)))
