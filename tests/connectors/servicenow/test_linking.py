"""Links to triggering tickets travel in one batch: each has its own outcome, and none is made twice."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.config import ConnectionConfig
from connectors.sandbox.testing import RunningSandbox
from connectors.servicenow import batching
from connectors.servicenow.connector import ServiceNowConnector
from improvement.errors import ConnectionFailed, WriteRefused
from improvement.records import Outbound, RecordRef, Verb

from .conftest import Connect, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]
BATCH = {"method": "POST", "path": "/v1/batch$"}
LINK = {"method": "POST", "path": "/table/sn_cim_inbound_m2m$"}
CONFIG = ConnectionConfig.model_validate(
    {
        "name": "acme",
        "platform": "servicenow",
        "url": "https://acme.example",
        "user": "rk",
        "password": "hunter22-s3cret",
    }
)


@pytest.fixture
def running(serve: Serve) -> RunningSandbox:
    return serve(a_world(*(a_ticket(number) for number in range(1, 5))))


def an_action(connector: ServiceNowConnector) -> RecordRef:
    create = Outbound(verb=Verb.CREATE, key="ACT-7/create", action_id="ACT-7", fields={"title": "Fewer breaches"})
    return connector.write(create, None).ref


def triggers(admin: Person) -> Outbound:
    tickets = tuple(row["sys_id"] for row in admin.find("incident", ""))
    return Outbound(verb=Verb.LINK, key="ACT-7/triggers", action_id="ACT-7", trigger_ids=tickets)


def links(admin: Person) -> list[str]:
    return sorted(row["source_id"] for row in admin.find("sn_cim_inbound_m2m", ""))


@pytest.mark.parametrize(
    "rules",
    [
        [{"kind": "unserviced", "records": 0, **BATCH}],
        [{"kind": "unserviced", "records": 1, "times": 2, **BATCH}],
        [{"kind": "unserviced", "records": 3, **BATCH}, {"kind": "reset_after", "times": 1, **BATCH}],
        [{"kind": "reset_before", **BATCH}],
        [{"kind": "reset_after", **BATCH}],
        [{"kind": "cut_body", **BATCH}],
        [{"kind": "error_in_200", **BATCH}],
        [{"kind": "unavailable", "after": 1, "times": 2, **LINK}],
        [{"kind": "rate_limit", "seconds": 0, **LINK}],
        [{"kind": "unauthorised", "after": 3, **LINK}],
        [{"kind": "server_error", "after": 2, **LINK}],
        [{"kind": "html_page", **LINK}],
        [{"kind": "html_page", "after": 2, "times": 2, **LINK}],
        [{"kind": "error_in_200", **LINK}],
    ],
    ids=lambda rules: "+".join(rule["kind"] for rule in rules),
)
def test_whatever_part_of_a_batch_was_lost_is_sent_again_and_nothing_twice(
    running: RunningSandbox, connect: Connect, admin: Person, rules: list[dict[str, Any]]
) -> None:
    connector = connect(running)
    ref, wanted = an_action(connector), triggers(admin)
    running.set_faults("servicenow", *rules)
    for _ in range(5):
        try:
            connector.write(wanted, ref)
            break
        except ConnectionFailed:
            continue
    assert links(admin) == sorted(wanted.trigger_ids)
    running.set_faults("servicenow")
    assert connector.write(wanted, ref).was_found


def test_a_link_that_is_refused_stands_in_the_receipt_beside_those_that_were_made(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref, wanted = an_action(connector), triggers(admin)
    refused = wanted.trigger_ids[1]
    rule = {"table": "sn_cim_inbound_m2m", "effect": "reject", "name": "No robots", "when": {"source_id": refused}}
    running.set_options("servicenow", rules=[rule])
    receipt = connector.write(wanted, ref)
    assert set(receipt.written) == set(wanted.trigger_ids) - {refused}
    assert set(receipt.differences) == {refused}
    assert "answered 403" in receipt.differences[refused]
    assert "aborted by Business Rule 'No robots" in receipt.differences[refused]


def test_links_that_are_all_refused_are_no_write_that_took_effect(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref, wanted = an_action(connector), triggers(admin)
    running.set_options("servicenow", rules=[{"table": "sn_cim_inbound_m2m", "effect": "reject", "name": "No robots"}])
    with pytest.raises(WriteRefused, match=r"No link was made: 4 refused\. A business rule .*No robots") as refused:
        connector.write(wanted, ref)
    assert "Ask the owner of the rule" in refused.value.mend
    assert links(admin) == []
    running.set_options("servicenow", rules=[])
    assert set(connector.write(wanted, ref).written) == set(wanted.trigger_ids)


def test_a_link_that_was_answered_but_is_not_there_is_told(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref, wanted = an_action(connector), triggers(admin)
    rule = {"table": "sn_cim_inbound_m2m", "effect": "change", "set": {"source_id": wanted.trigger_ids[0]}}
    running.set_options("servicenow", rules=[rule])
    receipt = connector.write(wanted, ref)
    assert set(receipt.differences) == set(wanted.trigger_ids[1:])
    assert "answered 201, not found" in receipt.differences[wanted.trigger_ids[1]]


def test_links_that_are_hidden_from_us_are_not_made_again(serve: Serve, connect: Connect) -> None:
    running = serve(
        a_world(a_ticket(1), a_ticket(2)), hidden_rows={"regelkreis": {"sn_cim_inbound_m2m": "sys_idISNOTEMPTY"}}
    )
    admin, connector = Person(running.servicenow_url, "admin"), connect(running)
    ref, wanted = an_action(connector), triggers(admin)
    connector.write(wanted, ref)
    with pytest.raises(WriteRefused, match="hides links of this record from us"):
        connector.write(wanted, ref)
    assert links(admin) == sorted(wanted.trigger_ids)


def test_a_dry_run_shows_the_one_batch_with_its_bodies_in_the_clear(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref, wanted = an_action(connector), triggers(admin)
    (request,) = connector.preview(wanted, ref)
    assert (request.method, request.url) == ("POST", f"{running.servicenow_url}/api/now/v1/batch")
    shown = json.loads(request.body)["rest_requests"]
    assert {item["url"] for item in shown} == {"/api/now/table/sn_cim_inbound_m2m"}
    assert {item["body"]["source_id"] for item in shown} == set(wanted.trigger_ids)
    assert links(admin) == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({}, batching.Outcome(None)),
        (None, batching.Outcome(None)),
        ({"serviced_requests": None, "unserviced_requests": ["a"]}, batching.Outcome(None)),
        ({"serviced_requests": [{"id": "b", "status_code": 201}]}, batching.Outcome(None)),
        ({"serviced_requests": [{"id": "a", "status_code": 201}]}, batching.Outcome(201)),
        ({"serviced_requests": [{"id": "a", "status_code": 403, "error_message": "no"}]}, batching.Outcome(403, "no")),
        ({"serviced_requests": [{"id": "a", "status_code": 500, "body": "bm8ganNvbg=="}]}, batching.Outcome(500)),
        ({"serviced_requests": [{"id": "a"}]}, batching.Outcome(0)),
    ],
)
def test_an_item_that_no_answer_names_was_not_served(answer: Any, expected: batching.Outcome) -> None:
    assert batching.outcomes(answer, ["a"], CONFIG) == {"a": expected}


@pytest.mark.parametrize("said", ["error_message", "body"])
def test_credentials_that_an_item_quotes_are_not_kept(said: str) -> None:
    header = "Authorization: Basic " + base64.b64encode(b"rk:hunter22-s3cret").decode()
    body = base64.b64encode(json.dumps({"error": {"message": "no robots", "detail": header}}).encode()).decode()
    item = {"id": "a", "status_code": 403, said: {"error_message": header, "body": body}[said]}
    (told,) = batching.outcomes({"serviced_requests": [item]}, ["a"], CONFIG).values()
    assert told.said.endswith("Authorization: Basic •••")


def test_tickets_that_are_gone_or_hidden_are_told(running: RunningSandbox, connect: Connect, admin: Person) -> None:
    connector = connect(running)
    ref, write = an_action(connector), triggers(admin)
    first, *others = write.trigger_ids
    admin.send_away("incident", first)
    receipt = connector.write(write, ref)
    assert receipt.unwritten == {f"trigger {first}": "it is gone or hidden from us"}
    assert links(admin) == sorted(others)
    assert connector.write(write, ref).unwritten == receipt.unwritten  # nothing was left to be made
