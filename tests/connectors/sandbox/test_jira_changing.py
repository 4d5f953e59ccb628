"""The Jira sandbox over HTTP: what writers may do, what is refused, and what the changelog says of it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.sandbox.testing import RunningSandbox, running_sandbox

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
FLAVOURS = ("jira_cloud", "jira_dc")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=FLAVOURS, now=NOW) as running:
        yield running


def a_client(sandbox: RunningSandbox, flavour: str, user: str = "claudia.braun") -> JIRA:
    login = f"{user}@example.com" if flavour == "jira_cloud" else user
    return JIRA(sandbox.urls[flavour], basic_auth=(login, "sandbox"), max_retries=0)  # type: ignore[index]


@pytest.fixture(params=FLAVOURS)
def client(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> JIRA:
    return a_client(sandbox, request.param)


def a_task(client: JIRA, **fields: Any) -> Any:
    return client.create_issue(
        fields={"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "Fewer breaches", **fields}
    )


def test_a_library_client_lives_through_an_issue(client: JIRA) -> None:
    issue = a_task(client, labels=["rk-act-1"], description="Why", customfield_10012={"value": "Telephony"})
    assert issue.fields.status.name == "To Do"
    assert issue.fields.customfield_10012.value == "Telephony"
    ways = {way["to"]["name"]: way["id"] for way in client.transitions(issue)}
    assert "Done" not in ways
    client.transition_issue(issue, ways["In Progress"])
    client.add_comment(issue, "On it")
    attached = client.add_attachment(issue.key, io.BytesIO(b"{}"), filename="review-1a2b.json")
    client.add_issue_property(issue.key, "regelkreis", {"id": "ACT-1"})
    client.add_simple_link(issue.key, {"url": "https://example.com/1", "title": "Page"})
    issue.update(fields={"summary": "Far fewer breaches"})
    done = {way["to"]["name"]: way for way in client.transitions(issue, expand="transitions.fields")}["Done"]
    assert done["fields"]["resolution"]["required"] is True
    client.transition_issue(issue, done["id"], fields={"resolution": {"name": "Done"}})

    read = client.issue(issue.key, expand="changelog")
    assert (read.fields.status.name, read.fields.resolution.name) == ("Done", "Done")
    assert read.fields.comment.comments[0].body == "On it"
    assert read.fields.attachment[0].filename == attached.filename
    assert client.issue_property(issue.key, "regelkreis").value.id == "ACT-1"
    assert [link.object.title for link in client.remote_links(issue.key)] == ["Page"]
    changes = [(item.field, item.toString) for entry in read.changelog.histories for item in entry.items]
    assert ("status", "In Progress") in changes
    assert ("summary", "Far fewer breaches") in changes
    assert {entry.author.displayName for entry in read.changelog.histories} == {"Claudia Braun"}


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"summary": "x" * 256}, "summary", "less than 255 characters"),
        ({"summary": "two\nlines"}, "summary", "newline"),
        ({"labels": ["two words"]}, "labels", "contains spaces"),
        ({"description": "x" * 32_768}, "description", "too long"),
        ({"duedate": "tomorrow"}, "duedate", "Error parsing date"),
        ({"customfield_10012": {"value": "Nothing"}}, "customfield_10012", "is not valid"),
        ({"customfield_99999": "x"}, "customfield_99999", "not on the appropriate screen, or unknown"),
        ({"status": {"name": "Done"}}, "status", "not on the appropriate screen"),
    ],
)
def test_a_create_is_refused_field_by_field(client: JIRA, fields: dict[str, Any], field: str, words: str) -> None:
    before = client.issue(a_task(client).key)
    with pytest.raises(JIRAError) as refused:
        a_task(client, **fields)
    assert refused.value.status_code == 400
    assert words in refused.value.response.json()["errors"][field]
    after = client.search_issues("project = CIP ORDER BY key DESC", maxResults=1)[0]
    assert after.key == before.key


def test_a_required_field_of_a_transition_is_demanded(client: JIRA) -> None:
    issue = a_task(client)
    client.transition_issue(issue, "121")
    with pytest.raises(JIRAError) as refused:
        client.transition_issue(issue, "151")
    assert refused.value.response.json()["errors"] == {"resolution": "Resolution is required."}
    with pytest.raises(JIRAError, match="not valid for this issue"):
        client.transition_issue(issue, "111111")


def test_a_remote_link_is_updated_in_place_and_forgets_what_is_left_out(client: JIRA) -> None:
    issue = a_task(client)
    for body in (
        {"globalId": "rk=1", "relationship": "is measured by", "object": {"url": "https://a", "title": "A"}},
        {"globalId": "rk=1", "object": {"url": "https://b", "title": "B"}},
    ):
        client._session.post(client._get_url(f"issue/{issue.key}/remotelink"), json=body)
    (link,) = client._session.get(client._get_url(f"issue/{issue.key}/remotelink")).json()
    assert link["object"]["url"] == "https://b"
    assert link["relationship"] is None


def test_repeating_a_link_adds_none(client: JIRA) -> None:
    first, second = a_task(client), a_task(client)
    for _ in range(2):
        client.create_issue_link("Relates", first.key, second.key)
    assert len(client.issue(first.key).fields.issuelinks) == 1


def test_an_attachment_needs_the_xsrf_header(sandbox: RunningSandbox, client: JIRA) -> None:
    issue = a_task(client)
    answer = requests.post(
        client._get_url(f"issue/{issue.key}/attachments"),
        files={"file": ("a.txt", b"a")},
        auth=("claudia.braun@example.com" if client._is_cloud else "claudia.braun", "sandbox"),
        timeout=30,
    )
    assert (answer.status_code, answer.json()["errorMessages"]) == (403, ["XSRF check failed"])


def test_a_property_holds_32768_characters_and_no_more(client: JIRA) -> None:
    issue = a_task(client)
    client.add_issue_property(issue.key, "big", "x" * 32_766)
    with pytest.raises(JIRAError, match="32768"):
        client.add_issue_property(issue.key, "big", "x" * 32_767)


def test_a_reader_may_not_write(sandbox: RunningSandbox) -> None:
    reader = a_client(sandbox, "jira_dc", "reader")
    with pytest.raises(JIRAError) as refused:
        a_task(reader)
    assert refused.value.status_code == 403
    issue = a_task(a_client(sandbox, "jira_dc"))
    assert reader.transitions(issue.key) == []


def test_version_three_speaks_documents_and_version_two_wiki_text(sandbox: RunningSandbox) -> None:
    url = sandbox.jira_cloud_url
    auth = ("claudia.braun@example.com", "sandbox")
    fields = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "s"}
    refused = requests.post(
        f"{url}/rest/api/3/issue", json={"fields": fields | {"description": "text"}}, auth=auth, timeout=30
    )
    assert "Atlassian Document" in refused.json()["errors"]["description"]
    made = requests.post(
        f"{url}/rest/api/2/issue", json={"fields": fields | {"description": "one\n\ntwo"}}, auth=auth, timeout=30
    )
    shown = requests.get(f"{url}/rest/api/3/issue/{made.json()['key']}", auth=auth, timeout=30).json()["fields"][
        "description"
    ]
    assert shown["type"] == "doc"
    assert [node["content"][0]["text"] for node in shown["content"]] == ["one", "two"]


def test_bulk_create_lists_what_failed_beside_what_was_made(client: JIRA) -> None:
    good = {"fields": {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": "good"}}
    bad = {"fields": {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}}}
    answer = client._session.post(client._get_url("issue/bulk"), json={"issueUpdates": [good, bad]}).json()
    assert len(answer["issues"]) == 1
    assert answer["errors"][0]["failedElementNumber"] == 1


def test_a_deleted_issue_is_gone_and_its_key_is_not_given_again(client: JIRA) -> None:
    issue = a_task(client)
    client.issue(issue.key).delete()
    with pytest.raises(JIRAError):
        client.issue(issue.key)
    assert int(a_task(client).key.split("-")[1]) > int(issue.key.split("-")[1])


def test_a_search_may_ask_for_the_past(client: JIRA) -> None:
    issue = a_task(client, labels=["rk-past"])
    for assignee in (client.myself(), None):
        given = assignee and {name: assignee[name] for name in ("accountId", "name") if name in assignee}
        issue.update(fields={"assignee": given})
    client.transition_issue(issue, "121")

    def found(past: str) -> bool:
        return bool(client.search_issues(f"labels = rk-past AND {past}"))

    assert found("assignee was currentUser() AND assignee is EMPTY")
    assert found('status was "To Do" AND status changed to "In Progress" by currentUser()')
    assert not found('status changed from "In Progress"')
    assert found('assignee changed from currentUser() to EMPTY after "2024-07-29 11:00"')
    assert not found('assignee changed before "2024-07-29 11:00"')


def test_the_index_may_lag_behind_a_create(sandbox: RunningSandbox) -> None:
    client = a_client(sandbox, "jira_cloud")
    sandbox.set_options("jira_cloud", index_lag=1)
    issue = a_task(client, labels=["rk-lagging"])
    sandbox.set_options("jira_cloud", index_lag=0)
    query = "labels = rk-lagging"
    assert client.enhanced_search_issues(query, reconcileIssues=[int(issue.id)])[0].key == issue.key
    assert client.enhanced_search_issues(query)[0].key == issue.key


def test_writes_are_dated_by_the_sandbox_clock() -> None:
    with running_sandbox(platforms=("jira_dc",), now=NOW) as sandbox:
        sandbox.set_clock(NOW + timedelta(days=3))
        issue = a_task(a_client(sandbox, "jira_dc", "admin"))
        assert issue.fields.created == "2024-08-01T12:00:00.000+0000"
