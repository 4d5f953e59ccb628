"""Service Management as clients that nobody here wrote use it: what customers and agents do stays, and is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from atlassian import ServiceDesk
from jira import JIRAError

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from tests.connectors.sandbox.foreign_jira.clients import a_jira, an_atlassian, login, refusal

IMPROVEMENTS, TASK = "2", "10002"


class Clients:
    """The clients, signed in as one user, and how this flavour names people."""

    def __init__(self, sandbox: RunningSandbox, flavour: Flavour, user: str) -> None:
        self.is_cloud = flavour == "jira_cloud"
        self.url, self.auth = sandbox.urls[flavour], (login(flavour, user), "sandbox")
        self.desk: Any = an_atlassian(sandbox, flavour, user, kind=ServiceDesk)
        self.jira: Any = an_atlassian(sandbox, flavour, user)
        self.me = str(self.jira.myself()["accountId" if self.is_cloud else "name"])

    def people(self, *names: str) -> dict[str, list[str]]:
        return {"account_list" if self.is_cloud else "users_list": list(names)}

    def customers(self, *names: str) -> dict[str, list[str]]:
        return {"list_of_accountids" if self.is_cloud else "list_of_usernames": list(names)}

    def ids_of(self, people: list[dict[str, Any]]) -> list[str]:
        return [str(one["accountId" if self.is_cloud else "name"]) for one in people]

    def a_request(self, **more: Any) -> str:
        made = self.desk.create_customer_request(IMPROVEMENTS, TASK, {"summary": "Faster mail"}, **more)
        return str(made["issueKey"])


@pytest.fixture
def admin(sandbox: RunningSandbox, flavour: Flavour) -> Clients:
    return Clients(sandbox, flavour, "admin")


@pytest.fixture
def hana(sandbox: RunningSandbox, flavour: Flavour) -> Clients:
    return Clients(sandbox, flavour, "honolulu")


def refused_with(status: int, call: Any, *args: Any, **named: Any) -> str:
    """What the vendor's error of this status says, in the form of Service Management."""
    answer = refusal(call, *args, **named)
    body = answer.json()
    assert (answer.status_code, set(body)) == (status, {"errorMessage", "i18nErrorMessage"})
    return str(body["errorMessage"])


def test_an_organisation_is_made_filled_served_and_deleted(admin: Clients, hana: Clients, flavour: Flavour) -> None:
    desk, name = admin.desk, f"Mill {flavour}"
    made = desk.create_organization(name)
    assert desk.create_organization(name)["id"] == made["id"]  # a name that is taken answers with who has it
    assert desk.get_organization(made["id"])["name"] == name
    assert made["id"] in {one["id"] for one in desk.get_organisations()["values"]}

    desk.add_users_to_organization(made["id"], **admin.people(admin.me, hana.me))
    desk.remove_users_from_organization(made["id"], **admin.people(admin.me))
    assert admin.ids_of(desk.get_users_in_organization(made["id"])["values"]) == [hana.me]
    assert "does not exist" in refused_with(400, desk.add_users_to_organization, made["id"], **admin.people("nobody"))

    desk.add_organization(IMPROVEMENTS, int(made["id"]))
    assert [one["id"] for one in desk.get_organisations(service_desk_id="IMP")["values"]] == [made["id"]]
    desk.remove_organization(IMPROVEMENTS, int(made["id"]))
    assert desk.get_organisations(service_desk_id=IMPROVEMENTS)["values"] == []

    assert "administrator" in refused_with(403, hana.desk.delete_organization, made["id"])
    desk.delete_organization(made["id"])
    assert "doesn't exist" in refused_with(404, desk.get_organization, made["id"])
    assert "between 1 and 200" in refused_with(400, desk.create_organization, "")


def test_a_participant_shows_on_the_request_and_has_it_among_theirs(admin: Clients, hana: Clients) -> None:
    key = admin.a_request()
    admin.desk.add_request_participants(key, **admin.people(hana.me))

    assert admin.ids_of(admin.desk.get_request_participants(key)) == [hana.me]
    assert key in {one["issueKey"] for one in hana.desk.get_my_customer_requests()}
    address = f"{admin.url}/rest/servicedeskapi/request/{key}"
    shown = requests.get(address, params={"expand": "participant"}, auth=admin.auth, timeout=30).json()
    assert admin.ids_of(shown["participants"]["values"]) == [hana.me]
    assert requests.get(f"{address}/notification", auth=hana.auth, timeout=30).json() == {"subscribed": True}
    assert requests.delete(f"{address}/notification", auth=hana.auth, timeout=30).status_code == 204
    assert requests.get(f"{address}/notification", auth=hana.auth, timeout=30).json() == {"subscribed": False}

    admin.desk.remove_request_participants(key, **admin.people(hana.me))
    assert admin.desk.get_request_participants(key) == []
    assert key not in {one["issueKey"] for one in hana.desk.get_my_customer_requests()}
    refused_with(400, admin.desk.add_request_participants, key, **admin.people("nobody"))
    refused_with(404, admin.desk.get_request_participants, "CIP-99999")


def test_a_request_is_raised_for_somebody_with_others_taking_part(admin: Clients, hana: Clients) -> None:
    key = admin.a_request(raise_on_behalf_of=hana.me, request_participants=[admin.me])
    shown = hana.desk.get_customer_request(key)

    assert admin.ids_of([shown["reporter"]]) == [hana.me]
    assert (shown["serviceDeskId"], shown["requestTypeId"]) == (IMPROVEMENTS, TASK)
    assert admin.ids_of(admin.desk.get_request_participants(key)) == [admin.me]
    assert key in {one["issueKey"] for one in hana.desk.get_my_customer_requests()}

    make = admin.desk.create_customer_request
    assert "summary" in refused_with(400, make, IMPROVEMENTS, TASK, {"description": "Slow"})
    refused_with(400, make, IMPROVEMENTS, TASK, {"summary": "Slow"}, raise_on_behalf_of="nobody")
    refused_with(404, make, IMPROVEMENTS, "77", {"summary": "Slow"})
    refused_with(404, make, "77", TASK, {"summary": "Slow"})


def test_files_are_sent_first_and_hung_on_the_request_with_a_comment(admin: Clients, tmp_path: Path) -> None:
    key = admin.a_request()
    first, second = tmp_path / "one.txt", tmp_path / "two.txt"
    first.write_bytes(b"one")
    second.write_bytes(b"second")

    made = admin.desk.create_attachments(IMPROVEMENTS, key, [str(first), str(second)], comment="As asked")
    assert [file["filename"] for file in made["attachments"]["values"]] == ["one.txt", "two.txt"]
    (comment,) = admin.desk.get_request_comments(key)
    assert comment["body"].startswith("As asked")
    assert comment["id"] == made["comment"]["id"]
    found = admin.jira.get_attachments_ids_from_issue(key)
    assert [admin.jira.get_attachment_content(one["attachment_id"]) for one in found] == [b"one", b"second"]
    of_comment = f"{admin.url}/rest/servicedeskapi/request/{key}/comment/{comment['id']}/attachment"
    assert requests.get(of_comment, auth=admin.auth, timeout=30).json()["size"] == 2

    waiting = admin.desk.attach_temporary_file(IMPROVEMENTS, str(first))
    admin.desk.add_attachment(key, waiting, public=False)
    assert [one["public"] for one in admin.desk.get_request_comments(key)] == [True, False]
    assert len(admin.desk.get_request_comments(key, internal=False)) == 1
    assert "no temporary file" in refused_with(400, admin.desk.add_attachment, key, waiting)  # it is used up
    refused_with(404, admin.desk.attach_temporary_file, "77", str(first))


def test_a_customer_is_created_once_and_belongs_to_service_desks(admin: Clients, hana: Clients) -> None:
    made = admin.desk.create_customer("Fred Miller", "fred@example.org")
    (fred,) = admin.ids_of([made])
    assert (made["displayName"], made["emailAddress"]) == ("Fred Miller", "fred@example.org")
    assert "already exists" in refused_with(400, admin.desk.create_customer, "Fred", "Fred@example.org")
    refused_with(403, hana.desk.create_customer, "Eve", "eve@example.org")

    admin.desk.add_customers(IMPROVEMENTS, **admin.customers(fred, hana.me))
    assert admin.ids_of(admin.desk.get_customers(IMPROVEMENTS)["values"]) == [fred, hana.me]
    assert admin.ids_of(admin.desk.get_customers(IMPROVEMENTS, query="miller")["values"]) == [fred]
    admin.desk.remove_customers(IMPROVEMENTS, **admin.customers(fred))
    assert admin.ids_of(admin.desk.get_customers(IMPROVEMENTS)["values"]) == [hana.me]

    key = admin.a_request(raise_on_behalf_of=fred)
    assert admin.desk.get_customer_request(key)["reporter"]["displayName"] == "Fred Miller"
    address = f"{admin.url}/rest/servicedeskapi/customer?strictConflictStatusCode=true"
    again = requests.post(address, json={"email": "fred@example.org"}, auth=admin.auth, timeout=30)
    assert again.status_code == (409 if admin.is_cloud else 400)


def test_queues_show_what_is_to_be_done(admin: Clients, hana: Clients) -> None:
    key = admin.a_request()
    queues = {one["name"]: one for one in admin.desk.get_queues(IMPROVEMENTS, include_count=True)["values"]}

    def shown(name: str) -> list[str]:
        page = admin.desk.get_issues_in_queue(IMPROVEMENTS, queues[name]["id"])
        return [issue["key"] for issue in page["values"]]

    assert queues["All open"]["issueCount"] == len(shown("All open"))
    assert key in shown("Unassigned")
    admin.jira.assign_issue(key, admin.me)
    assert (key in shown("Unassigned"), key in shown("Assigned to me")) == (False, True)
    admin.jira.set_issue_status(key, "Cancelled")
    assert key not in shown("All open")
    refused_with(404, admin.desk.get_issues_in_queue, IMPROVEMENTS, "1")  # the queue of another desk


def test_one_clock_of_a_request_by_itself(admin: Clients) -> None:
    key = admin.jira.enhanced_jql if admin.is_cloud else admin.jira.jql
    found = key('issuetype = Incident AND "Time to resolution" = everBreached()', limit=1, fields=["summary"])
    issue = found["issues"][0]["key"]
    listed = admin.desk.get_sla(issue)

    assert admin.desk.get_sla_by_id(issue, "10031") in listed
    assert {one["id"] for one in listed} >= {"10031"}
    refused_with(404, admin.desk.get_sla_by_id, issue, "99")


def test_a_desk_goes_by_its_project_and_request_types_are_added(admin: Clients) -> None:
    assert admin.desk.get_service_desk_by_id("IMP")["id"] == IMPROVEMENTS
    made = admin.desk.create_request_type("IMP", TASK, "An idea", "What could be better?", "In a sentence.")
    assert admin.desk.get_request_type(IMPROVEMENTS, made["id"])["helpText"] == "In a sentence."
    asked = admin.desk.get_request_type_fields(IMPROVEMENTS, made["id"])["requestTypeFields"]
    assert [(field["fieldId"], field["required"]) for field in asked] == [("summary", True), ("description", False)]

    key = admin.desk.create_customer_request(IMPROVEMENTS, made["id"], {"summary": "Mine"})["issueKey"]
    assert admin.desk.get_customer_request(key)["requestTypeId"] == made["id"]
    assert admin.jira.issue(key)["fields"]["issuetype"]["id"] == TASK
    address = f"{admin.url}/rest/servicedeskapi/servicedesk/{IMPROVEMENTS}/requesttype/{made['id']}"
    assert requests.delete(address, auth=admin.auth, timeout=30).status_code == 204
    refused_with(404, admin.desk.get_request_type, IMPROVEMENTS, made["id"])
    refused_with(400, admin.desk.create_request_type, IMPROVEMENTS, "10100", "Broken", "", "")  # an issue type of OPS


def test_the_client_jira_finds_a_desk_and_raises_a_request(
    sandbox: RunningSandbox, admin: Clients, flavour: Flavour
) -> None:
    jira = a_jira(sandbox, flavour)
    (desk,) = (one for one in jira.service_desks() if one.projectKey == "IMP")
    about = {"serviceDeskId": desk.id, "requestTypeId": "Task", "requestFieldValues": {"summary": "Via jira"}}
    assert jira.create_customer_request(about).fields.summary == "Via jira"
    assert jira.create_customer(f"gerd@{flavour}.example", "Gerd").displayName == "Gerd"
    with pytest.raises(JIRAError) as twice:
        jira.create_customer(f"gerd@{flavour}.example", "Gerd")
    assert twice.value.status_code == 400


def test_feedback_is_the_reporters_and_shows_in_field_and_search(admin: Clients, hana: Clients) -> None:
    key = admin.a_request(raise_on_behalf_of=hana.me)
    address = f"{admin.url}/rest/servicedeskapi/request/{key}/feedback"
    given = {"type": "csat", "rating": 4, "comment": {"body": "Quick"}}
    jql = f'key = {key} AND "Satisfaction date" >= -1d'
    search = admin.jira.enhanced_jql if admin.is_cloud else admin.jira.jql

    assert requests.get(address, auth=admin.auth, timeout=30).status_code == 404
    assert requests.post(address, json=given, auth=admin.auth, timeout=30).status_code == 403
    assert requests.post(address, json=given | {"rating": 6}, auth=hana.auth, timeout=30).status_code == 400
    assert requests.post(address, json=given, auth=hana.auth, timeout=30).status_code == 201
    assert requests.get(address, auth=admin.auth, timeout=30).json() == given
    assert admin.jira.issue_field_value(key, "customfield_10040") == {"rating": 4}
    assert [one["key"] for one in search(jql, fields=["summary"])["issues"]] == [key]
    assert requests.delete(address, auth=hana.auth, timeout=30).status_code == 204
    assert admin.jira.issue_field_value(key, "customfield_10040") is None
    assert search(jql, fields=["summary"])["issues"] == []
