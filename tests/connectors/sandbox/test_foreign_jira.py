"""The library jira, a client that nobody here wrote, makes its ordinary calls on both flavours."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from jira import JIRA

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
FLAVOURS: tuple[Flavour, ...] = ("jira_cloud", "jira_dc")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=FLAVOURS, now=NOW) as running:
        yield running


@pytest.fixture(params=FLAVOURS)
def is_cloud(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "jira_cloud")


@pytest.fixture
def client(sandbox: RunningSandbox, is_cloud: bool) -> JIRA:
    login = "admin@example.com" if is_cloud else "admin"
    return JIRA(
        sandbox.jira_cloud_url if is_cloud else sandbox.jira_dc_url, basic_auth=(login, "sandbox"), max_retries=0
    )


@pytest.fixture
def me(client: JIRA) -> str:
    shown = client.myself()
    return str(shown.get("accountId") or shown["name"])


@pytest.fixture
def task(client: JIRA) -> Any:
    return client.create_issue(project="CIP", summary="Fewer breaches", issuetype={"name": "Task"})


def test_comments_come_change_and_go(client: JIRA, task: Any) -> None:
    client.add_comment(task, "First")
    (comment,) = client.comments(task)
    comment.update(body="Second")
    assert client.comment(task, comment.id).body == "Second"
    comment.delete()
    assert client.comments(task) == []


def test_attachments(client: JIRA, task: Any) -> None:
    attached = client.add_attachment(task.key, io.BytesIO(b"abc"), filename="a.txt")
    assert (attached.get(), client.attachment(attached.id).filename) == (b"abc", "a.txt")
    assert client.attachment_meta()["enabled"] is True
    client.delete_attachment(attached.id)
    assert client.issue(task.key).fields.attachment == []


def test_issue_links(client: JIRA, task: Any) -> None:
    other = client.create_issue(project="CIP", summary="Other", issuetype={"name": "Task"})
    client.create_issue_link("Relates", task.key, other.key)
    (link,) = client.issue(task.key).fields.issuelinks
    assert client.issue_link(link.id).type.name == "Relates"
    assert {kind.name for kind in client.issue_link_types()} >= {client.issue_link_type("10000").name}
    client.delete_issue_link(link.id)
    assert client.issue(task.key).fields.issuelinks == []


def test_remote_links(client: JIRA, task: Any) -> None:
    client.add_simple_link(task, {"url": "https://example.com/1", "title": "One"})
    (link,) = client.remote_links(task)
    link.update({"url": "https://example.com/2", "title": "Two"})
    assert client.remote_link(task, link.id).object.title == "Two"
    client.delete_remote_link(task.key, internal_id=link.id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for application links first and says so
        client.add_remote_link(task, {"url": "https://example.com/3", "title": "Three"}, globalId="g-3")
    assert [one.globalId for one in client.remote_links(task)] == ["g-3"]
    client.delete_remote_link(task.key, global_id="g-3")
    assert client.remote_links(task) == []


def test_watchers_and_votes(client: JIRA, task: Any, me: str) -> None:
    client.add_watcher(task, me)
    assert client.watchers(task).watchCount == 1
    client.remove_watcher(task, me)
    assert client.watchers(task).watchCount == 0
    client.add_vote(task)
    assert client.votes(task).votes == 1
    client.remove_vote(task)
    assert client.votes(task).votes == 0


def test_worklogs(client: JIRA, task: Any) -> None:
    logged = client.add_worklog(task, timeSpent="2h 30m", comment="Thinking")
    assert client.worklog(task, logged.id).timeSpentSeconds == 9_000
    logged.update(timeSpent="1h")
    assert [one.timeSpentSeconds for one in client.worklogs(task)] == [3_600]
    logged.delete()
    assert client.worklogs(task) == []


def test_properties(client: JIRA, task: Any) -> None:
    client.add_issue_property(task.key, "regelkreis", {"id": "ACT-1"})
    assert [one.key for one in client.issue_properties(task.key)] == ["regelkreis"]
    kept = client.issue_property(task.key, "regelkreis")
    assert kept.value.id == "ACT-1"
    kept.delete()
    assert client.issue_properties(task.key) == []


def test_assigning_moving_editing_and_deleting(client: JIRA, task: Any, me: str) -> None:
    client.assign_issue(task, me)
    assert client.find_transitionid_by_name(task, "Start work") == "121"
    client.transition_issue(task, "Start work")
    task.update(fields={"summary": "Far fewer"}, update={"labels": [{"add": "rk"}]})
    read = client.issue(task.key, expand="changelog")
    assert (read.fields.status.name, read.fields.labels, read.fields.summary) == ("In Progress", ["rk"], "Far fewer")
    assert {item.field for entry in read.changelog.histories for item in entry.items} >= {"status", "labels"}
    assert "summary" in client.editmeta(task)["fields"]
    child = client.create_issue(
        project="CIP", summary="Child", issuetype={"name": "Sub-task"}, parent={"key": task.key}
    )
    client.issue(task.key).delete(deleteSubtasks=True)
    found = client.search_issues(f"project = CIP AND summary ~ Child AND created >= {NOW:%Y-%m-%d}")
    assert child.key not in {one.key for one in found}


def test_creating_several(client: JIRA) -> None:
    many = client.create_issues(
        [{"project": "CIP", "summary": f"No. {n}", "issuetype": {"name": "Task"}} for n in "12"]
    )
    assert [one["status"] for one in many] == ["Success", "Success"]


def test_searching_and_counting(client: JIRA, is_cloud: bool) -> None:
    page = client.search_issues("issuetype = Incident ORDER BY created", maxResults=20)
    everything = client.search_issues("issuetype = Incident ORDER BY created", maxResults=False, fields="key")
    assert len(page) == 20
    assert [one.key for one in page] == [one.key for one in everything][:20]
    if is_cloud:
        assert client.approximate_issue_count("issuetype = Incident") == len(everything)
    else:
        assert page.total == len(everything)


def test_create_screens(client: JIRA, is_cloud: bool) -> None:
    if is_cloud:
        (project,) = client.createmeta(projectKeys="CIP", expand="projects.issuetypes.fields")["projects"]
        assert "summary" in project["issuetypes"][0]["fields"]
        return
    kinds = {kind.name: kind.id for kind in client.project_issue_types("CIP")}
    assert "summary" in {field.fieldId for field in client.project_issue_fields("CIP", kinds["Task"])}


def test_projects_roles_and_permissions(client: JIRA) -> None:
    assert {"CIP", "OPS"} <= {project.key for project in client.projects()}
    role = client.project_roles("CIP")["Administrators"]
    assert client.project_role("CIP", role["id"]).name == "Administrators"
    assert client.my_permissions(projectKey="CIP")["permissions"]["CREATE_ISSUES"]["havePermission"] is True
    assert client.project_permissionscheme("CIP").name == "Default Permission Scheme"


def test_versions(client: JIRA) -> None:
    version = client.create_version("1.0", "CIP", description="First")
    version.update(name="1.1")
    found = client.get_project_version_by_name("CIP", "1.1")
    assert found is not None
    assert client.version(version.id).description == "First"
    assert (client.version_count_related_issues(version.id), client.version_count_unresolved_issues(version.id)) == (
        {"issuesFixedCount": 0, "issuesAffectedCount": 0},
        0,
    )
    client.version(version.id).delete()
    assert client.project_versions("CIP") == []


def test_components(client: JIRA) -> None:
    component = client.create_component("Mail", "CIP", description="All of it")
    component.update(name="E-Mail")
    assert [one.name for one in client.project_components("CIP")] == ["E-Mail"]
    assert client.component_count_related_issues(component.id) == 0
    client.delete_component(component.id)
    assert client.project_components("CIP") == []


def test_filters(client: JIRA) -> None:
    made = client.create_filter(name="Mine", description="", jql="project = CIP", favourite=True)
    assert made.id in {one.id for one in client.favourite_filters()}
    client.update_filter(made.id, name="Ours", description="", jql="project = OPS", favourite=False)
    assert (client.filter(made.id).name, client.filter(made.id).jql) == ("Ours", "project = OPS")
    assert client.filter("10000").name == "All incidents"


def test_people_and_groups(client: JIRA, me: str, is_cloud: bool) -> None:
    assert client.user(me).displayName == "Administrator" or client.user(me).displayName
    asked: dict[str, Any] = {"query": "claudia"} if is_cloud else {"user": "claudia"}
    assert [person.displayName for person in client.search_users(**asked)] == ["Claudia Braun"]
    wanted: dict[str, Any] = {"query": "claudia"} if is_cloud else {"username": "claudia"}
    assert client.search_assignable_users_for_issues(project="CIP", **wanted)
    assert "jira-users" in client.groups()
    assert len(client.group_members("jira-users")) > 50


def test_single_values_and_settings(client: JIRA, is_cloud: bool) -> None:
    assert {client.priority("3").name} <= {one.name for one in client.priorities()}
    assert {client.resolution("10000").name} <= {one.name for one in client.resolutions()}
    assert {client.status("1").name} <= {one.name for one in client.statuses()}
    assert {client.statuscategory(2).name} <= {one.name for one in client.statuscategories()}
    assert client.issue_type("10002").name == client.issue_type_by_name("Task").name
    assert {field["name"] for field in client.fields()} >= {"Customer", "Time to resolution"}
    assert client.custom_field_option("20000").value
    assert client.server_info()["deploymentType"] == ("Cloud" if is_cloud else "Server")
    assert client.session().name == "admin"
    assert client.dashboards() == []


def test_a_customer_request(client: JIRA) -> None:
    assert client.supports_service_desk()
    desk = next(one for one in client.service_desks() if one.projectKey == "OPS")
    kind = next(one for one in client.request_types(desk) if one.name == "Service Request")
    values = {"summary": "A new mailbox", "description": "Please"}
    made = client.create_customer_request(
        {"serviceDeskId": desk.id, "requestTypeId": int(kind.id), "requestFieldValues": values}
    )
    assert client.issue(made.key).fields.summary == "A new mailbox"
