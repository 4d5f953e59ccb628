"""The library jira, a client that nobody here wrote, makes its ordinary calls on both flavours."""

from __future__ import annotations

import io
import warnings
from typing import Any

import pytest
from jira import JIRA, JIRAError

from tests.connectors.sandbox.foreign_jira.clients import NOW


@pytest.fixture
def task(jira: JIRA) -> Any:
    return jira.create_issue(project="CIP", summary="Fewer breaches", issuetype={"name": "Task"})


def test_comments_come_change_and_go(jira: JIRA, task: Any) -> None:
    jira.add_comment(task, "First")
    (comment,) = jira.comments(task)
    comment.update(body="Second")
    assert jira.comment(task, comment.id).body == "Second"
    comment.delete()
    assert jira.comments(task) == []


def test_attachments(jira: JIRA, task: Any) -> None:
    attached = jira.add_attachment(task.key, io.BytesIO(b"abc"), filename="a.txt")
    assert (attached.get(), jira.attachment(attached.id).filename) == (b"abc", "a.txt")
    assert jira.attachment_meta()["enabled"] is True
    jira.delete_attachment(attached.id)
    assert jira.issue(task.key).fields.attachment == []


def test_issue_links(jira: JIRA, task: Any) -> None:
    other = jira.create_issue(project="CIP", summary="Other", issuetype={"name": "Task"})
    jira.create_issue_link("Relates", task.key, other.key)
    (link,) = jira.issue(task.key).fields.issuelinks
    assert jira.issue_link(link.id).type.name == "Relates"
    assert {kind.name for kind in jira.issue_link_types()} >= {jira.issue_link_type("10000").name}
    jira.delete_issue_link(link.id)
    assert jira.issue(task.key).fields.issuelinks == []


def test_remote_links(jira: JIRA, task: Any) -> None:
    jira.add_simple_link(task, {"url": "https://example.com/1", "title": "One"})
    (link,) = jira.remote_links(task)
    link.update({"url": "https://example.com/2", "title": "Two"})
    assert jira.remote_link(task, link.id).object.title == "Two"
    jira.delete_remote_link(task.key, internal_id=link.id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for application links first and says so
        jira.add_remote_link(task, {"url": "https://example.com/3", "title": "Three"}, globalId="g-3")
    assert [one.globalId for one in jira.remote_links(task)] == ["g-3"]
    jira.delete_remote_link(task.key, global_id="g-3")
    assert jira.remote_links(task) == []


def test_watchers_and_votes(jira: JIRA, task: Any, me: str) -> None:
    jira.add_watcher(task, me)
    assert jira.watchers(task).watchCount == 1
    jira.remove_watcher(task, me)
    assert jira.watchers(task).watchCount == 0
    jira.add_vote(task)
    assert jira.votes(task).votes == 1
    jira.remove_vote(task)
    assert jira.votes(task).votes == 0


def test_worklogs(jira: JIRA, task: Any) -> None:
    logged = jira.add_worklog(task, timeSpent="2h 30m", comment="Thinking")
    assert jira.worklog(task, logged.id).timeSpentSeconds == 9_000
    logged.update(timeSpent="1h")
    with pytest.raises(JIRAError):
        logged.update(comment="Sleeping", timeSpent="2h", started="yesterday")
    assert [(one.timeSpentSeconds, one.comment) for one in jira.worklogs(task)] == [(3_600, "Thinking")]
    logged.delete()
    assert jira.worklogs(task) == []


def test_properties(jira: JIRA, task: Any) -> None:
    jira.add_issue_property(task.key, "regelkreis", {"id": "ACT-1"})
    assert [one.key for one in jira.issue_properties(task.key)] == ["regelkreis"]
    kept = jira.issue_property(task.key, "regelkreis")
    assert kept.value.id == "ACT-1"
    kept.delete()
    assert jira.issue_properties(task.key) == []


def test_assigning_moving_editing_and_deleting(jira: JIRA, task: Any, me: str) -> None:
    jira.assign_issue(task, me)
    assert jira.find_transitionid_by_name(task, "Start work") == "121"
    jira.transition_issue(task, "Start work")
    task.update(fields={"summary": "Far fewer"}, update={"labels": [{"add": "rk"}]})
    read = jira.issue(task.key, expand="changelog")
    assert (read.fields.status.name, read.fields.labels, read.fields.summary) == ("In Progress", ["rk"], "Far fewer")
    assert {item.field for entry in read.changelog.histories for item in entry.items} >= {"status", "labels"}
    assert "summary" in jira.editmeta(task)["fields"]
    child = jira.create_issue(project="CIP", summary="Child", issuetype={"name": "Sub-task"}, parent={"key": task.key})
    jira.issue(task.key).delete(deleteSubtasks=True)
    found = jira.search_issues(f"project = CIP AND summary ~ Child AND created >= {NOW:%Y-%m-%d}")
    assert child.key not in {one.key for one in found}


def test_creating_several(jira: JIRA) -> None:
    many = jira.create_issues([{"project": "CIP", "summary": f"No. {n}", "issuetype": {"name": "Task"}} for n in "12"])
    assert [one["status"] for one in many] == ["Success", "Success"]


def test_searching_and_counting(jira: JIRA, is_cloud: bool) -> None:
    page = jira.search_issues("issuetype = Incident ORDER BY created", maxResults=20)
    everything = jira.search_issues("issuetype = Incident ORDER BY created", maxResults=False, fields="key")
    assert len(page) == 20
    assert [one.key for one in page] == [one.key for one in everything][:20]
    if is_cloud:
        assert jira.approximate_issue_count("issuetype = Incident") == len(everything)
    else:
        assert page.total == len(everything)


def test_create_screens(jira: JIRA, is_cloud: bool) -> None:
    if is_cloud:
        (project,) = jira.createmeta(projectKeys="CIP", expand="projects.issuetypes.fields")["projects"]
        assert "summary" in project["issuetypes"][0]["fields"]
        return
    kinds = {kind.name: kind.id for kind in jira.project_issue_types("CIP")}
    assert "summary" in {field.fieldId for field in jira.project_issue_fields("CIP", kinds["Task"])}


def test_projects_roles_and_permissions(jira: JIRA) -> None:
    assert {"CIP", "OPS"} <= {project.key for project in jira.projects()}
    role = jira.project_roles("CIP")["Administrators"]
    assert jira.project_role("CIP", role["id"]).name == "Administrators"
    assert jira.my_permissions(projectKey="CIP")["permissions"]["CREATE_ISSUES"]["havePermission"] is True
    assert jira.project_permissionscheme("CIP").name == "Default Permission Scheme"


def test_versions(jira: JIRA) -> None:
    version = jira.create_version("1.0", "CIP", description="First")
    version.update(name="1.1")
    found = jira.get_project_version_by_name("CIP", "1.1")
    assert found is not None
    assert jira.version(version.id).description == "First"
    assert (jira.version_count_related_issues(version.id), jira.version_count_unresolved_issues(version.id)) == (
        {"issuesFixedCount": 0, "issuesAffectedCount": 0},
        0,
    )
    jira.version(version.id).delete()
    assert jira.project_versions("CIP") == []


def test_components(jira: JIRA) -> None:
    component = jira.create_component("Mail", "CIP", description="All of it")
    component.update(name="E-Mail")
    assert [one.name for one in jira.project_components("CIP")] == ["E-Mail"]
    assert jira.component_count_related_issues(component.id) == 0
    jira.delete_component(component.id)
    assert jira.project_components("CIP") == []


def test_filters(jira: JIRA) -> None:
    made = jira.create_filter(name="Mine", description="", jql="project = CIP", favourite=True)
    assert made.id in {one.id for one in jira.favourite_filters()}
    jira.update_filter(made.id, name="Ours", description="", jql="project = OPS", favourite=False)
    assert (jira.filter(made.id).name, jira.filter(made.id).jql) == ("Ours", "project = OPS")
    assert jira.filter("10000").name == "All incidents"


def test_people_and_groups(jira: JIRA, me: str, is_cloud: bool) -> None:
    assert jira.user(me).displayName == "Administrator" or jira.user(me).displayName
    asked: dict[str, Any] = {"query": "claudia"} if is_cloud else {"user": "claudia"}
    assert [person.displayName for person in jira.search_users(**asked)] == ["Claudia Braun"]
    wanted: dict[str, Any] = {"query": "claudia"} if is_cloud else {"username": "claudia"}
    assert jira.search_assignable_users_for_issues(project="CIP", **wanted)
    assert "jira-users" in jira.groups()
    assert len(jira.group_members("jira-users")) > 50


def test_single_values_and_settings(jira: JIRA, is_cloud: bool) -> None:
    assert {jira.priority("3").name} <= {one.name for one in jira.priorities()}
    assert {jira.resolution("10000").name} <= {one.name for one in jira.resolutions()}
    assert {jira.status("1").name} <= {one.name for one in jira.statuses()}
    assert {jira.statuscategory(2).name} <= {one.name for one in jira.statuscategories()}
    assert jira.issue_type("10002").name == jira.issue_type_by_name("Task").name
    assert {field["name"] for field in jira.fields()} >= {"Customer", "Time to resolution"}
    assert jira.custom_field_option("20000").value
    assert jira.server_info()["deploymentType"] == ("Cloud" if is_cloud else "Server")
    assert jira.session().name == "admin"
    assert jira.dashboards() == []


def test_a_customer_request(jira: JIRA) -> None:
    assert jira.supports_service_desk()
    desk = next(one for one in jira.service_desks() if one.projectKey == "OPS")
    kind = next(one for one in jira.request_types(desk) if one.name == "Service Request")
    values = {"summary": "A new mailbox", "description": "Please"}
    made = jira.create_customer_request(
        {"serviceDeskId": desk.id, "requestTypeId": int(kind.id), "requestFieldValues": values}
    )
    assert jira.issue(made.key).fields.summary == "A new mailbox"
