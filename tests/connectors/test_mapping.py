"""Mappings: shorthand, value tables, overrides, and errors that help."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from connectors.mapping import FieldMap, PlatformMapping, SourceMap, digest_of, merged, near_matches
from connectors.servicenow.defaults import DEFAULT
from improvement.errors import MappingError
from improvement.records import RecordKind


def a_field(raw: Any) -> FieldMap:
    return FieldMap.model_validate(raw)


def test_a_field_may_be_a_name_several_names_or_a_constant() -> None:
    assert a_field("company.name").fields == ("company.name",)
    assert a_field(["u_a", "u_b"]).fields == ("u_a", "u_b")
    assert a_field({"field": "u_a"}).fields == ("u_a",)
    assert a_field({"constant": "CH"}).translate("anything") == "CH"


def test_values_are_compared_without_regard_to_case_and_otherwise_catches_the_rest() -> None:
    field = a_field({"field": "state", "values": {"New": "new"}, "otherwise": "in_progress"})
    assert [field.translate(text) for text in ("new", " NEW ", "weird", "", None)] == [
        "new",
        "new",
        "in_progress",
        None,
        None,
    ]


def test_without_otherwise_unknown_values_stay_as_they_are() -> None:
    field = a_field({"field": "state", "values": {"1": "new"}})
    assert field.translate("42") == "42"


def test_a_column_is_translated_like_its_values_one_by_one() -> None:
    field = a_field({"field": "p", "values": {"P1": 1, "P2": 2, "yes": True}, "otherwise": 4})
    raw = pa.array(["P1", "p2", "", "yes", "P9", None])
    assert field.translate_column(raw).to_pylist() == ["1", "2", None, "true", "4", None]


def test_an_override_changes_one_field_and_leaves_the_others() -> None:
    mapping = merged(DEFAULT, {"incident": {"fields": {"customer": "u_client.name"}}}, connection="acme")
    assert mapping.sources["incident"].fields["customer"].fields == ("u_client.name",)
    assert mapping.sources["incident"].fields["service"] == DEFAULT.sources["incident"].fields["service"]


def read_by(overrides: dict[str, Any]) -> str:
    mapping = merged(DEFAULT, overrides, connection="acme")
    return digest_of(mapping.of_kind(RecordKind.TICKET), default_country="CH")


@pytest.mark.parametrize(
    "fields",
    [
        {"customer": "company.name"},
        {"supplier": ["vendor.name"]},
        {"supplier": {"field": "vendor.name", "is_optional": True}},
        {"state": {**DEFAULT.sources["incident"].fields["state"].model_dump(exclude={"is_optional"})}},
    ],
)
def test_what_means_the_same_is_read_by_the_same(fields: dict[str, Any]) -> None:
    assert read_by({"incident": {"fields": fields}}) == read_by({})


@pytest.mark.parametrize(
    "incident",
    [
        {"fields": {"customer": "u_client.name"}},
        {"fields": {"customer": ["company.name", "u_client.name"]}},
        {"fields": {"customer": {"constant": "company.name"}}},
        {"fields": {"priority": {"field": "priority", "values": {"1": 2}}}},
        {"fields": {"priority": {"field": "priority", "otherwise": 4}}},
        {"filter": "priority=1"},
        {"source": "u_incident"},
        {"is_enabled": False},
    ],
)
def test_what_means_something_else_is_not(incident: dict[str, Any]) -> None:
    assert read_by({"incident": incident}) != read_by({})


def test_a_source_can_be_switched_off() -> None:
    mapping = merged(DEFAULT, {"survey": {"is_enabled": False}}, connection="acme")
    assert RecordKind.SURVEY not in mapping.kinds()


def test_a_new_source_is_complete_or_refused() -> None:
    visit = {"kind": "contact", "source": "u_visit", "fields": {"kind": {"constant": "visit"}, "at": "u_at"}}
    mapping = merged(DEFAULT, {"visit": visit}, connection="acme")
    assert [source.source for source in mapping.of_kind(RecordKind.CONTACT)] == ["interaction", "u_visit"]
    with pytest.raises(MappingError, match="kind, source and fields"):
        merged(DEFAULT, {"visit": {"fields": {"at": "u_at"}}}, connection="acme")


def test_a_misspelt_canonical_field_names_the_place_and_the_near_match() -> None:
    with pytest.raises(MappingError) as caught:
        merged(DEFAULT, {"incident": {"fields": {"custmer": "company.name"}}}, connection="acme")
    assert "connection acme" in str(caught.value)
    assert "mapping.incident" in str(caught.value)
    assert "Did you mean customer" in str(caught.value)


def test_a_misspelt_source_names_the_near_match() -> None:
    with pytest.raises(MappingError, match="Did you mean incident"):
        merged(DEFAULT, {"incidents": {"fields": {}}}, connection="acme")


def test_near_matches_say_nothing_when_nothing_is_near() -> None:
    assert near_matches("xyzzy", ["company", "location"]) == ""


def test_paths_lists_every_platform_field_once() -> None:
    source = SourceMap.model_validate(
        {"kind": "contact", "source": "t", "fields": {"kind": "a", "customer": ["b", "a"], "at": {"constant": None}}}
    )
    assert source.paths() == ["a", "b"]
    assert PlatformMapping(sources={"x": source}).kinds() == [RecordKind.CONTACT]
