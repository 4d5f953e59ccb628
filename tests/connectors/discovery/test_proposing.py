"""What stands stays; what is broken or much emptier than something else is replaced; all with its coverage."""

from __future__ import annotations

from typing import Any

from connectors.discovery import Candidate, FieldProposal, SourceProposal, SourceSample, propose
from connectors.mapping import SourceMap
from improvement.records import RecordKind

ROWS = 100


def texts(*values: str, filled: int = ROWS) -> tuple[str | None, ...]:
    """These values in turn in the first rows, nothing in the rest."""
    return tuple(values[row % len(values)] if row < filled else None for row in range(ROWS))


def a_candidate(path: str, *values: str, filled: int = ROWS, hops: int = 0, **parts: Any) -> Candidate:
    names = parts.pop("names", (path.rpartition(".name")[0].split(".")[-1] or path.split(".")[-1],))
    return Candidate(
        path=path, label=path, type="string", names=names, hops=hops, texts=texts(*values, filled=filled), **parts
    )


def proposal(*candidates: Candidate, now: dict[str, Any] | None = None, **parts: Any) -> SourceProposal:
    """For incidents that are mapped as ``now`` says."""
    current = SourceMap.model_validate({"kind": "ticket", "source": "incident", "fields": now or {}})
    constants = parts.pop("constants", None)
    sample = SourceSample(
        name="incident", kind=RecordKind.TICKET, source="incident", rows=ROWS, candidates=candidates, **parts
    )
    return propose(sample, current, constants)


def field(name: str, *candidates: Candidate, **parts: Any) -> FieldProposal:
    (found,) = [one for one in proposal(*candidates, **parts).fields if one.name == name]
    return found


def test_what_is_mapped_stays_with_its_coverage_and_values() -> None:
    found = field(
        "country",
        a_candidate("location.country", "CH", "DE", "CH", filled=93, hops=1),
        a_candidate("company.country", "CH", hops=1),
        now={"country": "location.country"},
    )
    assert (found.said, found.filled, found.is_change) == ("location.country", 0.93, False)
    assert found.examples == ("CH", "DE")
    assert [(other.path, other.filled) for other in found.others] == [("company.country", 1.0)]


def test_what_may_be_missing_still_may_once_it_is_written_down() -> None:
    optional = {"supplier": {"field": "vendor.name", "is_optional": True}}
    stands = field("supplier", a_candidate("vendor.name", "Hoster", hops=1), now=optional)
    assert (stands.said, stands.is_change) == ({"field": "vendor.name", "is_optional": True}, False)
    either = {"supplier": {"field": ["vendor.name", "u_none.name"], "is_optional": True}}
    missing = {"u_none.name": "incident has no field “u_none”."}
    partly = field("supplier", a_candidate("vendor.name", "Hoster", hops=1), now=either, wrong=missing)
    assert partly.said == either["supplier"]
    filled_up = field(
        "supplier",
        a_candidate("vendor.name", "Hoster", filled=40, hops=1),
        a_candidate("u_supplier.name", "Hoster", "Carrier", hops=1),
        now=optional,
    )
    assert filled_up.said == {"field": ["vendor.name", "u_supplier.name"], "is_optional": True}
    replaced = field(
        "supplier",
        a_candidate("vendor.name", filled=0, hops=1),
        a_candidate("u_lieferant", "Hoster", filled=30),
        now=optional,
    )
    assert replaced.said == "u_lieferant"


def test_a_much_emptier_field_is_filled_up_by_another() -> None:
    found = field(
        "customer",
        a_candidate("company.name", "Acme", filled=40, hops=1),
        a_candidate("u_customer.name", "Acme", "Globex", filled=100, hops=1),
        now={"customer": "company.name"},
    )
    assert found.said == ["company.name", "u_customer.name"]
    assert (found.filled, found.is_change) == (1.0, True)


def test_a_field_that_is_always_empty_gives_way() -> None:
    found = field(
        "supplier",
        a_candidate("vendor.name", filled=0, hops=1),
        a_candidate("u_lieferant", "Hoster", filled=30),
        now={"supplier": "vendor.name"},
    )
    assert (found.said, found.note) == ("u_lieferant", "instead of vendor.name")


def test_a_path_that_is_not_there_is_told_and_replaced() -> None:
    found = field(
        "customer",
        a_candidate("company.name", "Acme", hops=1),
        now={"customer": "compny.name"},
        wrong={"compny.name": "incident has no field “compny”."},
    )
    assert (found.said, found.is_change) == ("company.name", True)
    assert "no field “compny”" in found.note


def test_where_nothing_fits_a_required_field_becomes_optional_so_that_the_pull_goes_on() -> None:
    found = field("service", now={"service": "gone.name"}, wrong={"gone.name": "incident has no field “gone”."})
    assert found.said == {"field": "gone.name", "is_optional": True}
    assert "stays empty" in found.note


def test_countries_in_words_get_a_table_of_values() -> None:
    found = field("country", a_candidate("u_land", "Schweiz", "Österreich", "DE", "Mond"), now={})
    assert found.said == {"field": "u_land", "values": {"Schweiz": "CH", "Österreich": "AT"}}
    assert found.unknown == ("Mond",)
    assert "Schweiz = CH" in found.examples


def test_a_table_of_values_that_a_person_wrote_is_kept_and_completed() -> None:
    now = {"country": {"field": "u_land", "values": {"Confoederatio": "CH"}}}
    found = field("country", a_candidate("u_land", "Confoederatio", "Austria"), now=now)
    assert found.said == {"field": "u_land", "values": {"confoederatio": "CH", "Austria": "AT"}}


def test_a_field_called_country_that_holds_none_is_not_taken() -> None:
    found = field("country", a_candidate("u_country", "yes", "no"), now={})
    assert (found.said, found.filled) == (None, None)


def test_free_text_is_no_category() -> None:
    many = Candidate(path="u_category_note", label="Category note", type="string", names=("Category note",),
                     texts=tuple(f"note {row}" for row in range(ROWS)))  # fmt: skip
    assert field("category", many, now={}).said is None
    assert field("category", a_candidate("u_category", "Mail", "Net"), now={}).said == "u_category"


def test_a_constant_that_was_asked_for_counts_more_than_any_field() -> None:
    found = field("country", a_candidate("u_country", "DE"), now={}, constants={"country": "CH"})
    assert (found.said, found.examples, found.is_change) == ({"constant": "CH"}, ("CH",), True)


def test_states_nobody_explained_are_guessed_by_their_labels_or_told() -> None:
    now = {"state": {"field": "state", "values": {"1": "new"}, "otherwise": "in_progress"}}
    choices = {"state": {"1": "New", "9": "Awaiting vendor", "12": "Quux"}}
    found = field("state", a_candidate("state", "1", "9", "12", "44"), now=now, choices=choices)
    assert found.said == {"field": "state", "values": {"1": "new", "9": "on_hold"}, "otherwise": "in_progress"}
    assert "9 (Awaiting vendor) = on_hold" in found.note
    assert found.unknown == ("12 (Quux)", "44")


def test_a_question_with_yes_and_no_has_no_unexplained_values() -> None:
    now = {"is_major": {"field": "u_major", "values": {"accepted": "true"}, "otherwise": "false"}}
    assert field("is_major", a_candidate("u_major", "accepted", "proposed"), now=now).unknown == ()


def test_a_table_that_is_not_there_is_switched_off_and_one_that_is_hidden_is_not() -> None:
    assert proposal(problem="Invalid table", is_absent=True).switch_off
    hidden = proposal(problem="forbidden", mend="Give a right.")
    assert (hidden.switch_off, hidden.mend) == (False, "Give a right.")


def test_titles_are_not_shown_as_examples() -> None:
    found = field(
        "title", a_candidate("short_description", "Mr Smith cannot log in"), now={"title": "short_description"}
    )
    assert (found.filled, found.examples) == (1.0, ())
