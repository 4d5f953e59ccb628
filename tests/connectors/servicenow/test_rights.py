"""The rights that are asked for are those that are used: no table is touched that the list does not name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from connectors.rights import Right, TellsRights
from connectors.sandbox.testing import RunningSandbox
from connectors.servicenow.connector import ServiceNowConnector
from improvement.records import Outbound, OutboundFile, RecordKind, Verb

from .conftest import END, Connect, a_ticket, a_world

Serve = Callable[..., RunningSandbox]
MODES: dict[str, dict[str, Any]] = {
    "cim": {},
    "custom": {"custom_table": "u_improvement_action", "fallback_modes": ("custom",)},
    "problem": {"fallback_modes": ("problem",)},
    "task_min": {"fallback_modes": ("task_min",)},
}


def touched(connector: ServiceNowConnector) -> set[tuple[str, str]]:
    """(table, operation) of every request from now on."""
    found: set[tuple[str, str]] = set()

    def note(answer: Any, **_: Any) -> None:
        path = answer.request.path_url.partition("?")[0]
        match = re.match(r"/api/now/(?:table|stats)/(\w+)", path)
        table = match[1] if match else "sys_attachment" if path.startswith("/api/now/attachment") else path
        found.add((table, {"GET": "read", "POST": "create", "PATCH": "update"}[answer.request.method]))

    connector._instance.session.hooks["response"].append(note)
    return found


def granted(rights: list[Right], *uses: str) -> set[tuple[str, str]]:
    named = [right for right in rights if right.use in uses or not right.use.startswith("write")]
    return {(right.where.partition(" ")[0], operation) for right in named for operation in right.operations}


def test_reading_touches_no_table_that_is_not_listed(serve: Serve, connect: Connect) -> None:
    connector = connect(serve(a_world(a_ticket())))
    assert isinstance(connector, TellsRights)
    rights = list(connector.rights())
    asked = touched(connector)
    connector.describe()
    connector.discover(sample=10)
    for kind in connector.kinds():
        list(connector.pull(kind, None, until=END))
        connector.count(kind, until=END)
        connector.deleted(kind, since=END, until=END)
        connector.keys(kind)
    written = granted(rights, "write cim", "write problem", "write task_min")  # describe looks whether modes are there
    assert asked - written == set()
    assert {operation for _, operation in asked} == {"read"}
    assert {("task_sla", "read"), ("core_company", "read"), ("asmt_metric", "read")} <= asked
    assert "asmt_metric_type" in {right.where for right in rights}  # the filter of surveys leads there


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_writes_and_reads_only_what_is_listed_for_it(serve: Serve, connect: Connect, mode: str) -> None:
    running = serve(
        a_world(*(a_ticket(number) for number in (1, 2, 3))), cim=mode == "cim", custom_table=mode == "custom"
    )
    connector = connect(running, link_triggers=True, **MODES[mode])
    rights = list(connector.rights())
    pages = connector.pull(RecordKind.TICKET, None, until=END)
    tickets = tuple(str(id) for page in pages for id in page.batch["id"].to_pylist())
    assert len(tickets) == 3
    connector._writer(None)  # the mode is looked for with reads of every mode's table
    asked = touched(connector)
    ref = connector.write(
        Outbound(verb=Verb.CREATE, key="ACT-1/create", action_id="ACT-1", fields={"title": "t", "service": "Mail"}),
        None,
    ).ref
    assert ref.mode == mode
    file = OutboundFile(name="review-abc.json", media_type="application/json", content=b"{}")
    for outbound in (
        Outbound(verb=Verb.UPDATE, key="ACT-1/update", action_id="ACT-1", fields={"title": "u", "owner": "olga.owner"}),
        Outbound(verb=Verb.NOTE, key="ACT-1/note", action_id="ACT-1", text="hello"),
        Outbound(verb=Verb.ATTACH, key="ACT-1/file", action_id="ACT-1", file=file),
    ):
        connector.write(outbound, ref)
    if mode == "cim":
        connector.write(Outbound(verb=Verb.TASK, key="ACT-1/task/1", action_id="ACT-1", fields={"title": "x"}), ref)
        connector.write(Outbound(verb=Verb.LINK, key="ACT-1/link", action_id="ACT-1", trigger_ids=tickets), ref)
        assert ("/api/now/v1/batch", "create") in asked
    connector.states([ref])
    if mode != "task_min":  # an address below task.do may be of any ticket
        assert connector.existing(ref.url) is not None
    assert asked - granted(rights, f"write {mode}") == set()


def test_tables_behind_dot_walks_come_from_the_dictionary_or_from_experience(serve: Serve, connect: Connect) -> None:
    mapping = {"incident": {"fields": {"customer": "caller_id.company.name"}}}
    running = serve(a_world(a_ticket()))
    known = {right.where for right in connect(running, mapping=mapping).rights() if right.use == "pull tickets"}
    assert {"incident", "sys_user", "core_company"} <= known
    away = connect(running, mapping=mapping, url="http://127.0.0.1:9", max_attempts=1)
    guessed = {right.where for right in away.rights() if right.use == "pull tickets"}
    assert guessed == known
    contacts = {right.where for right in away.rights() if right.use == "pull contacts"}
    assert not [right.where for right in away.rights() if "refers to" in right.where]
    assert "customer_account" in contacts  # an ordinary instance may have it, this one has not
    assert "customer_account" not in {right.where for right in connect(running).rights()}


def test_a_table_that_is_not_pulled_needs_no_right(serve: Serve, connect: Connect) -> None:
    mapping = {"survey": {"is_enabled": False}, "outage": {"is_enabled": False}}
    uses = {right.use for right in connect(serve(a_world(a_ticket())), mapping=mapping).rights()}
    assert not uses & {"pull surveys", "pull outages"}
    assert {"pull tickets", "deletions", "write cim", "write problem", "write task_min"} <= uses
    assert "write custom" not in uses  # no custom_table is configured


def test_a_table_behind_a_reference_that_we_may_not_read_is_told(serve: Serve, connect: Connect) -> None:
    denied = {"regelkreis": ("core_company:read", "sys_audit_delete:read")}
    found = {item.check: item for item in connect(serve(a_world(a_ticket()), denied=denied)).ungranted()}
    assert not found["permission core_company"].is_ok
    assert "company.name" in found["permission core_company"].detail
    assert "core_company" not in found["permission core_company"].mend
    assert "permission sys_audit_delete" not in found  # `describe` tells it, once
    assert [item for item in connect(serve(a_world(a_ticket()))).ungranted() if not item.is_ok] == []
