"""Asking a Jira for its fields: by name and type, in a few requests; what is called otherwise is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import pytest
import requests

from connectors.discovery import Discovers, SourceProposal, propose
from connectors.jira.client import BulkSession
from connectors.jira.connector import JiraConnector
from connectors.jira.fields import Fields
from connectors.jira.wire import FieldInfo, FieldSchema, TypeValue
from connectors.sandbox.plugin import Flavour
from improvement.records import RecordKind

from .conftest import Connect

Rename = dict[str, str]
ASSETS = FieldSchema(
    type="array", items="cmdb-object-field", custom="com.atlassian.jira.plugins.cmdb:cmdb-object-cftype"
)


def proposals(connector: JiraConnector, sample: int = 150) -> dict[str, SourceProposal]:
    found = connector.discover(sample=sample)
    return {one.name: propose(one, connector.mapping.sources.get(one.name)) for one in found}


def called_otherwise(connector: JiraConnector, names: Rename, *more: dict[str, Any]) -> JiraConnector:
    """The same Jira with other visible names of fields and issue types, and some fields more."""
    site = connector.site
    infos = [msgspec.structs.replace(info, name=names.get(info.name, info.name)) for info in site.fields.infos]
    infos = [msgspec.structs.replace(info, clause_names=[info.id]) for info in infos]
    infos += msgspec.convert(list(more), list[FieldInfo])
    types = tuple(TypeValue(id=kind.id, name=names.get(kind.name or "", kind.name)) for kind in site.types)
    changed = replace(site, fields=Fields(infos, connection=connector.name), types=types)
    connector.__dict__["site"] = changed
    return connector


def test_an_ordinary_jira_keeps_the_default_mapping(connect: Connect, flavour: Flavour) -> None:
    connector = connect(flavour)
    assert isinstance(connector, Discovers)
    found = proposals(connector)
    incident = {field.name: field for field in found["incident"].fields}
    assert incident["customer"].said == {"field": "Customer", "is_optional": True}
    assert incident["customer"].filled == 1.0
    assert 0 < (incident["supplier"].filled or 0) < 1
    assert not any(field.is_change for source in found.values() for field in source.fields)
    assert not any(source.switch_off or source.is_new or source.renamed_from for source in found.values())
    assert 0 < (found["resolution"].filled or 0) < 1
    assert set(found["resolution"].examples) <= {"kept", "breached"}
    assert set(found["satisfaction"].examples) <= {"1", "2", "3", "4", "5"}


def test_a_few_requests_and_searches_only(connect: Connect, flavour: Flavour) -> None:
    connector = connect(flavour)
    _ = connector.site
    before = connector.reader.requests
    asked: list[str] = []
    connector.client._session.hooks["response"].append(lambda answer, **_: asked.append(answer.request.url))
    found = {one.name: one for one in connector.discover(sample=100_000)}
    searches = 3 if flavour == "jira_cloud" else 2
    assert connector.reader.requests - before <= 5 * (searches + 1)  # five issue types, each with a count
    assert all("/search" in url for url in asked)
    most = 300 if flavour == "jira_cloud" else 1_500
    assert (found["incident"].rows, found["incident"].at_most) == (most, most)
    assert found["contact"].at_most is None


def test_german_names_are_found(connect: Connect, flavour: Flavour) -> None:
    names = {"Incident": "Störung", "Country": "Land", "Customer": "Kunde", "Time to resolution": "Lösungszeit"}
    found = proposals(called_otherwise(connect(flavour), names))
    incident = {field.name: field for field in found["incident"].fields}
    assert (found["incident"].source, found["incident"].renamed_from) == ("Störung", "Incident")
    assert (incident["country"].said, incident["customer"].said) == ("Land", "Kunde")
    assert (found["resolution"].source, found["resolution"].renamed_from) == ("Lösungszeit", "Time to resolution")


def test_two_fields_of_one_name_are_told_apart_by_id_and_the_filled_one_is_taken(
    connect: Connect, flavour: Flavour
) -> None:
    twin = {
        "id": "customfield_77777",
        "name": "Country",
        "custom": True,
        "schema": {"type": "string", "custom": "x:text"},
    }
    found = proposals(called_otherwise(connect(flavour), {}, twin))
    (country,) = [field for field in found["incident"].fields if field.name == "country"]
    assert country.said == "customfield_10011"
    assert "2 fields are called “Country”: customfield_10011 (option), customfield_77777 (string)" in country.note


def test_what_this_jira_does_not_have_is_switched_off(connect: Connect, flavour: Flavour) -> None:
    names = {"Change": "Rollout", "OLA time to resolution": "Something"}
    found = proposals(called_otherwise(connect(flavour), names))
    assert (found["change"].switch_off, "no issue type “Change”" in found["change"].problem) == (True, True)
    assert found["ola_resolution"].switch_off
    assert found["something"].is_new
    assert found["something"].whole["fields"] == {}  # neither response nor resolution: a person has to say


def test_a_filter_that_jira_refuses_is_told_and_the_other_sources_are_looked_at(
    connect: Connect, flavour: Flavour
) -> None:
    found = proposals(connect(flavour, mapping={"incident": {"filter": "project = NOPE"}}))
    assert "NOPE" in found["incident"].problem
    assert not found["incident"].switch_off
    assert found["request"].rows > 0


def test_an_sla_nobody_mapped_is_proposed_with_target_and_agreement(connect: Connect, flavour: Flavour) -> None:
    sla = "com.atlassian.servicedesk:sd-sla-field"
    more = {"id": "customfield_88888", "name": "Lieferant: Zeit bis Lösung", "schema": {"type": "x", "custom": sla}}
    found = proposals(called_otherwise(connect(flavour), {}, more))["lieferant_zeit_bis_losung"]
    assert found.is_new
    assert found.whole == {
        "kind": "sla",
        "source": "Lieferant: Zeit bis Lösung",
        "fields": {"target": {"constant": "resolution"}, "agreement": {"constant": "uc"}},
    }


def test_a_field_that_holds_no_text_is_told_instead_of_being_called_empty(
    connect: Connect, flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Assets objects of Jira Service Management, of which a search shows the ids alone."""
    connector = connect(flavour)
    found = connector.site.fields.value_field("Customer", source="incident", used_for="customer")
    infos = connector.site.fields.infos
    changed = [msgspec.structs.replace(info, schema=ASSETS) if info.id == found.id else info for info in infos]
    connector.__dict__["site"] = replace(connector.site, fields=Fields(changed, connection=connector.name))
    request = BulkSession.request

    def with_assets(self: BulkSession, *arguments: Any, **options: Any) -> requests.Response:
        answer = request(self, *arguments, **options)
        if isinstance(page := msgspec.json.decode(answer.content), dict) and "issues" in page:
            for issue in page["issues"]:
                issue["fields"][found.id] = [{"workspaceId": "5f2", "id": "5f2:88", "objectId": "88"}]
            answer._content = msgspec.json.encode(page)
        return answer

    monkeypatch.setattr(BulkSession, "request", with_assets)
    customer = next(field for field in proposals(connector)["incident"].fields if field.name == "customer")
    assert customer.filled == 0
    assert customer.note == "The values of “Customer” (cmdb-object-field) hold no text that could be read."


def test_a_search_that_fails_once_is_asked_again(
    connect: Connect, flavour: Flavour, faults: Callable[..., None]
) -> None:
    connector = connect(flavour)
    _ = connector.site
    faults({"kind": "cut_body", "times": 1})
    assert proposals(connector)["incident"].rows > 0


def ratings(connector: JiraConnector, now: datetime) -> list[dict[str, Any]]:
    return [row for page in connector.pull(RecordKind.SURVEY, None, until=now) for row in page.batch.to_pylist()]


def test_what_is_proposed_for_two_fields_of_one_name_can_be_read(
    connect: Connect, flavour: Flavour, now: datetime
) -> None:
    twin = {"id": "customfield_77777", "name": "Country", "custom": True, "schema": {"type": "string"}}
    found = proposals(called_otherwise(connect(flavour), {}, twin))
    mapping = {
        name: {"fields": {field.name: field.said for field in one.fields if field.name == "country"}}
        for name, one in found.items()
        if one.fields
    }
    read = ratings(called_otherwise(connect(flavour, mapping=mapping), {}, twin), now)
    assert {row["country"] for row in read} == {None}  # the ticket's, which the mapping names
    assert all(row["customer"] for row in read)


def test_a_default_country_is_not_that_of_ratings_whose_tickets_name_another(
    connect: Connect, flavour: Flavour, now: datetime
) -> None:
    mapping = {name: {"fields": {"country": "Land"}} for name in ("incident", "request", "problem", "change")}
    connector = connect(flavour, mapping=mapping, default_country="FR")
    assert {row["country"] for row in ratings(called_otherwise(connector, {"Country": "Land"}), now)} == {None}
