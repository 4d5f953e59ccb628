"""Asking an instance for its fields: few requests, a bounded sample, values as a pull would read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.discovery import Discovers, SourceProposal, propose
from connectors.sandbox.testing import RunningSandbox
from connectors.servicenow.connector import ServiceNowConnector
from improvement.records import RecordKind

from .conftest import HOUR, START, Connect, a_ticket, a_world, pulled

Serve = Callable[..., RunningSandbox]


def proposals(connector: ServiceNowConnector, sample: int = 200) -> dict[str, SourceProposal]:
    found = connector.discover(sample=sample)
    return {one.name: propose(one, connector.mapping.sources.get(one.name)) for one in found}


def test_coverage_and_values_are_those_of_the_pull(sandbox: RunningSandbox, connect: Connect) -> None:
    connector = connect(sandbox)
    assert isinstance(connector, Discovers)
    incident = proposals(connector, sample=10_000)["incident"]
    rows = pulled(connector, RecordKind.TICKET, until=sandbox.clock()).rows
    incidents = [row for row in rows if row["kind"] == "incident"]
    assert incident.rows == incident.total == len(incidents)
    for found in incident.fields:
        if found.name in ("customer", "country", "service", "supplier", "category"):
            values = [row[found.name] for row in incidents]
            assert found.filled == sum(value is not None for value in values) / len(values)
            known = Counter(value for value in values if value is not None).most_common()
            assert found.examples == tuple(sorted(dict(known), key=lambda text: (-dict(known)[text], text))[:3])


def test_it_reads_only_and_one_page_a_table(sandbox: RunningSandbox, connect: Connect) -> None:
    connector = connect(sandbox)
    asked: list[tuple[str, str]] = []
    hooks = connector._instance.session.hooks["response"]
    hooks.append(lambda answer, **_: asked.append((answer.request.method, answer.request.url)))
    connector.discover(sample=100)
    assert {method for method, _ in asked} == {"GET"}
    samples = [url for _, url in asked if "ORDERBYDESC" in url]
    assert len(samples) == 8  # one a table
    assert {parse_qs(urlsplit(url).query)["sysparm_limit"][0] for url in samples} == {"100"}
    assert len(asked) <= 45


def test_other_ways_to_a_country_are_offered(sandbox: RunningSandbox, connect: Connect) -> None:
    incident = proposals(connect(sandbox))["incident"]
    (country,) = [found for found in incident.fields if found.name == "country"]
    assert country.said == "location.country"
    assert "company.country" in {other.path for other in country.others}


def test_a_wrong_path_is_replaced_by_what_the_instance_has(sandbox: RunningSandbox, connect: Connect) -> None:
    mapping: dict[str, Any] = {"incident": {"fields": {"customer": "compny.name", "service": "u_gone.name"}}}
    incident = proposals(connect(sandbox, mapping=mapping))["incident"]
    said = {found.name: (found.said, found.is_change) for found in incident.fields}
    assert said["customer"] == ("company.name", True)
    assert said["service"] == ("business_service.name", True)
    assert "Did you mean company" in next(found.note for found in incident.fields if found.name == "customer")


def test_a_table_that_is_not_there_or_not_shown_stops_nothing(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), denied={"regelkreis": ("task_sla:read",)})
    mapping = {"visit": {"kind": "contact", "source": "u_visit", "fields": {"at": "u_at"}}}
    found = proposals(connect(running, mapping=mapping))
    assert found["visit"].switch_off
    assert "Invalid table" in found["visit"].problem
    assert (found["sla"].switch_off, "may not do this" in found["sla"].problem) == (False, True)
    assert found["incident"].rows == 1


def test_hidden_rows_do_not_count_as_empty(serve: Serve, connect: Connect) -> None:
    running = serve(
        a_world(a_ticket(1), a_ticket(2, priority=1)), hidden_rows={"regelkreis": {"incident": "priority=1"}}
    )
    incident = proposals(connect(running))["incident"]
    assert (incident.rows, incident.total) == (1, 2)
    assert next(found.filled for found in incident.fields if found.name == "customer") == 1.0


def test_a_filter_with_an_unknown_field_is_not_asked(sandbox: RunningSandbox, connect: Connect) -> None:
    connector = connect(sandbox, mapping={"incident": {"filter": "u_gone=1"}})
    asked: list[str] = []
    connector._instance.session.hooks["response"].append(lambda answer, **_: asked.append(answer.request.url))
    connector.discover(sample=10)
    assert not [url for url in asked if "u_gone" in url]


def test_a_sample_that_takes_too_long_is_asked_for_in_smaller_parts(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(*(a_ticket(uid) for uid in range(1, 301))))
    running.set_faults(
        "servicenow", {"kind": "error_in_200", "path": "table/incident", "min_limit": 200, "times": None}
    )
    incident = proposals(connect(running, max_attempts=1), sample=300)["incident"]
    assert (incident.rows, incident.total) == (300, 300)


def test_a_page_whose_rows_are_hidden_is_not_taken_for_the_last(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.servicenow.discovery.ROWS_PER_REQUEST", 10)
    opened = [a_ticket(uid, priority=1 if uid > 20 else 3, opened=START + uid * HOUR) for uid in range(1, 41)]
    running = serve(a_world(*opened), hidden_rows={"regelkreis": {"incident": "priority=1"}})
    incident = proposals(connect(running), sample=40)["incident"]
    assert (incident.rows, incident.total) == (20, 40)
