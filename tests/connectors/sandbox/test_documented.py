"""What the documentation promises of the sandbox is there: tables, people with their rights and zones, options."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.faults import KINDS
from connectors.sandbox.jira.events import EVENTS as JIRA_EVENTS
from connectors.sandbox.servicenow.events import EVENTS as SERVICENOW_EVENTS
from connectors.sandbox.testing import RunningSandbox
from workflows.cli.sandbox import run

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/sandbox.md").read_text(encoding="utf-8")
FILLED = (
    "incident",
    "sc_req_item",
    "sc_request",
    "problem",
    "change_request",
    "task_sla",
    "contract_sla",
    "cmdb_ci_outage",
    "interaction",
    "asmt_assessment_instance",
    "asmt_metric_result",
    "core_company",
    "cmn_location",
    "sys_user",
    "sys_dictionary",
    "sys_choice",
)
EMPTY_AT_FIRST = (
    "sn_cim_register",
    "sn_cim_task",
    "sysapproval_approver",
    "sys_attachment",
    "sys_audit_delete",
)


@pytest.mark.parametrize("table", FILLED)
def test_a_table_of_the_instance_has_records(api: Any, table: str) -> None:
    assert api.count(table) > 0
    assert api.list(table, limit=1)[0]["sys_id"]


@pytest.mark.parametrize("table", EMPTY_AT_FIRST)
def test_a_table_people_and_writers_fill_is_there(api: Any, table: str) -> None:
    assert api.page(table, limit=1).status_code == 200


@pytest.mark.parametrize(
    ("user", "zone", "may_write"),
    [
        ("admin", "Etc/UTC", True),
        ("regelkreis", "Etc/UTC", True),
        ("reader", "Europe/Zurich", False),
        ("honolulu", "Pacific/Honolulu", True),
        ("auckland", "Pacific/Auckland", True),
        ("martin.keller", "", False),
    ],
)
def test_people_have_their_passwords_tokens_zones_and_rights(
    small: RunningSandbox, api: Any, user: str, zone: str, may_write: bool
) -> None:
    (shown,) = api.list("sys_user", f"user_name={user}", fields="time_zone")
    assert zone in ("", shown["time_zone"])
    token = "sandbox" if user == "admin" else f"sandbox-{user}"
    for credentials in ((user, "sandbox"), (user, token)):
        answer = requests.get(
            f"{small.servicenow_url}/api/now/table/incident?sysparm_limit=1", auth=credentials, timeout=30
        )
        assert answer.status_code == 200
    made = api.as_user(user).send("POST", "/api/now/table/problem", json={"short_description": "May I?"})
    assert made.status_code == (201 if may_write else 403)


def test_the_page_names_every_fault_and_every_event() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)`", PAGE))
    assert set(KINDS) <= told
    assert {*SERVICENOW_EVENTS, *JIRA_EVENTS} <= told


def test_the_command_has_the_documented_options() -> None:
    options = set(inspect.signature(run).parameters)
    assert {"servicenow_port", "jira_cloud_port", "jira_dc_port", "seed", "size", "now", "replay"} <= options
    for name in options:
        assert f"`--{name.replace('_', '-')}" in PAGE or name.endswith("_port"), name
    assert "`--size small|demo|large`" in PAGE
