"""Custom fields are found by name and type; what is ambiguous or absent says so, with the ids or near names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.jira.fields import FEEDBACK_TYPE, SLA_TYPE, Fields
from connectors.jira.wire import FieldInfo
from improvement.errors import MappingError

SELECT = "com.atlassian.jira.plugin.system.customfieldtypes:select"


def a_field(id: str, name: str, type: str = "string", **schema: Any) -> dict[str, Any]:
    return {"id": id, "name": name, "clauseNames": [id, name], "schema": {"type": type, **schema}}


def fields(*infos: dict[str, Any]) -> Fields:
    return Fields(msgspec.convert(list(infos), list[FieldInfo]), connection="acme")


SITE = fields(
    a_field("summary", "Summary"),
    a_field("customfield_1", "Country", "option", custom=SELECT),
    a_field("customfield_2", "Time to resolution", "sd-servicelevelagreement", custom=SLA_TYPE),
    a_field("customfield_3", "Time to resolution", "number", custom="x:float"),
    a_field("customfield_4", "Region", "string", custom="x:text"),
    a_field("customfield_5", "Region", "option", custom=SELECT),
    a_field("customfield_6", "Teams", "array", items="option", custom="x:multiselect"),
    a_field("customfield_7", "Site", "option-with-child", custom="x:cascading"),
    a_field("customfield_9", "Customer number", "number", custom="x:float"),
    a_field("customfield_8", "Oddity", "never-heard-of", custom="x:odd"),
)


def value_of(name: str, raw: Any) -> str | None:
    """A raw value of a field, decoded and read as text."""
    found = SITE.value_field(name, source="incident", used_for="country")
    return found.read(msgspec.convert(raw, found.decoded))


def test_a_field_is_found_by_name_in_any_case_by_id_and_by_clause() -> None:
    for name in ("Country", "country", "customfield_1"):
        assert SITE.value_field(name, source="incident", used_for="country").id == "customfield_1"
    assert SITE.clause("customfield_1") == "cf[1]"
    assert SITE.clause("summary") == "summary"


def test_of_two_fields_with_one_name_the_type_decides() -> None:
    assert SITE.typed_field("Time to resolution", SLA_TYPE, source="resolution").id == "customfield_2"
    assert SITE.value_field("Time to resolution", source="incident", used_for="elapsed_s").id == "customfield_3"


def test_a_name_with_its_type_means_one_of_two() -> None:
    assert SITE.value_field("Region (option)", source="incident", used_for="country").id == "customfield_5"
    assert SITE.value_field("region (string)", source="incident", used_for="country").id == "customfield_4"
    assert "Region (option)" in SITE
    assert "Region (number)" not in SITE
    with pytest.raises(MappingError, match=r"has no field “Region \(number\)”"):
        SITE.value_field("Region (number)", source="incident", used_for="country")


def test_two_fields_that_both_fit_are_told_with_their_ids() -> None:
    with pytest.raises(
        MappingError, match=r"2 fields are called “Region”: customfield_4 \(string\), customfield_5"
    ) as e:
        SITE.value_field("Region", source="incident", used_for="country")
    assert e.value.mend == "Give the id instead of the name, or the type too: “Region (string)”."
    assert str(e.value.where) == "connection acme, mapping.incident.fields.country"


def test_a_field_that_is_not_there_is_named_with_near_ones() -> None:
    with pytest.raises(MappingError, match=r"Did you mean Country\?"):
        SITE.value_field("Contry", source="incident", used_for="country")


def test_a_field_of_the_wrong_type_says_which_there_are() -> None:
    with pytest.raises(MappingError, match="“Country” exists but is no sd-sla-field") as caught:
        SITE.typed_field("Country", SLA_TYPE, source="resolution")
    assert "Time to resolution" in caught.value.mend
    with pytest.raises(MappingError, match="no field “Rating” that is a sd-request-feedback") as nothing:
        SITE.typed_field("Rating", FEEDBACK_TYPE, source="satisfaction")
    assert nothing.value.mend == "Fields of this type here: none."


@pytest.mark.parametrize(
    ("name", "raw", "text"),
    [
        ("Summary", "=1+1 مرحبا 🚑", "=1+1 مرحبا 🚑"),
        ("Summary", "", None),
        ("Country", {"value": "CH", "id": "1"}, "CH"),
        ("Time to resolution", 3.0, "3"),
        ("Teams", [{"value": None}, {"value": "Desk"}], "Desk"),
        ("Teams", [], None),
        ("Site", {"value": "Bern", "child": {"value": "North"}}, "Bern"),
        ("Oddity", {"title": "Asset 7"}, "Asset 7"),
        ("Oddity", [{"name": "first"}], "first"),
        ("Oddity", {"nothing": 1}, None),
        ("Oddity", 12, "12"),
    ],
)
def test_every_type_is_read_as_text(name: str, raw: Any, text: str | None) -> None:
    assert value_of(name, raw) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [(1234561, "1234561"), (1234562.0, "1234562"), (10000001, "10000001"), (0.1, "0.1"), (1234567.25, "1234567.25")],
)
def test_a_number_keeps_all_its_digits(raw: float, text: str) -> None:
    assert value_of("Customer number", raw) == text
