"""People at work on the sandbox's platforms, over HTTP, each with their own account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests

from connectors.sandbox.testing import RunningSandbox, running_sandbox
from improvement.errors import ConnectionFailed, WriteRefused
from workflows.demo.jira_desk import JiraDesk
from workflows.demo.servicenow_desk import ServiceNowDesk

PASSWORD = "sandbox"
DUE = date(2026, 9, 1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(size="small") as running:
        yield running


def as_admin(url: str, method: str, path: str, body: Any = None, **params: str) -> Any:
    with requests.Session() as session:
        session.trust_env = False
        user = "admin" if "/api/now/" in path else "admin@example.com"
        answer = session.request(
            method, url + path, json=body, params=params, auth=(user, PASSWORD), headers={"Accept": "application/json"}
        )
    assert answer.status_code < 400, answer.text
    return answer.json()


def an_initiative(sandbox: RunningSandbox) -> str:
    body = {"short_description": "Fewer breaches"}
    created = as_admin(sandbox.servicenow_url, "POST", "/api/now/table/sn_cim_register", body)
    return str(created["result"]["number"])


def initiative(sandbox: RunningSandbox, number: str) -> dict[str, Any]:
    found = as_admin(
        sandbox.servicenow_url,
        "GET",
        "/api/now/table/sn_cim_register",
        sysparm_query=f"number={number}",
        sysparm_display_value="true",
        sysparm_exclude_reference_link="true",
    )
    record: dict[str, Any] = found["result"][0]
    return record


def test_an_initiative_goes_through_its_buttons_by_its_own_people(sandbox: RunningSandbox) -> None:
    desk, number, owner, approver = (
        ServiceNowDesk(sandbox.servicenow_url),
        an_initiative(sandbox),
        "anna.frei",
        "martin.keller",
    )
    desk.take_over(number, owner, due=DUE)
    assert initiative(sandbox, number)["state"] == "Accepted"
    assert initiative(sandbox, number)["coordinator"] == "Anna Frei"
    desk.add_tasks(number, owner, ("Route incidents", "Train the desk"))
    desk.hand_in(number, owner, approver)
    assert initiative(sandbox, number)["state"] == "Assess"
    assert desk.approve(number, approver)
    assert initiative(sandbox, number)["state"] == "Approved"
    assert not desk.approve(number, approver)
    desk.begin(number, owner)
    desk.finish_tasks(number, owner)
    assert float(initiative(sandbox, number)["percent_complete"]) == 100
    desk.comment(number, owner, "Live since Monday.")
    desk.review(number, owner)
    assert initiative(sandbox, number)["state"] == "Monitor/Review"
    desk.close(number, owner, is_success=True, note="It worked.")
    closed = initiative(sandbox, number)
    assert (closed["state"], closed["closure_code"], closed["close_notes"]) == ("Closed", "Successful", "It worked.")


def test_a_button_that_is_not_there_is_a_refusal_in_words(sandbox: RunningSandbox) -> None:
    desk, number = ServiceNowDesk(sandbox.servicenow_url), an_initiative(sandbox)
    with pytest.raises(WriteRefused, match="no record CIM0000000"):
        desk.begin("CIM0000000", "anna.frei")
    with pytest.raises((WriteRefused, ConnectionFailed), match="In Progress"):
        desk.begin(number, "anna.frei")


@pytest.mark.parametrize("flavour", ["jira_cloud", "jira_dc"])
def test_an_issue_moves_over_the_board_by_its_owner(sandbox: RunningSandbox, flavour: str) -> None:
    url = getattr(sandbox, f"{flavour}_url")
    fields = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "Faster answers"}
    key = as_admin(url, "POST", "/rest/api/2/issue", {"fields": fields})["key"]
    desk, owner = JiraDesk(url), "luca.meier"
    desk.take_over(key, owner, due=DUE)
    desk.add_tasks(key, owner, ("Call the wards", "Close after two reminders"))
    desk.hand_in(key, owner, "petra.huber")
    assert not desk.approve(key, "petra.huber")
    desk.begin(key, owner)
    desk.begin(key, owner)
    desk.finish_tasks(key, owner)
    desk.review(key, owner)
    desk.close(key, owner, is_success=False, note="It did not work.")
    found = as_admin(url, "GET", f"/rest/api/2/issue/{key}")["fields"]
    assert found["assignee"]["displayName"] == "Luca Meier"
    assert found["duedate"] == DUE.isoformat()
    assert [task["fields"]["status"]["name"] for task in found["subtasks"]] == ["Done", "Done"]
    assert (found["status"]["name"], found["resolution"]["name"]) == ("Done", "Won't Do")
    assert "Petra Huber" in found["comment"]["comments"][0]["body"]
    with pytest.raises(WriteRefused, match="no way to In Review"):
        desk.review(key, owner)


def test_a_platform_that_is_not_there_is_named() -> None:
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:9 cannot be reached"):
        ServiceNowDesk("http://127.0.0.1:9").begin("CIM0001001", "anna.frei")
