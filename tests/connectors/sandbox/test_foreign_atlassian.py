"""atlassian-python-api, a client that nobody here wrote, makes its ordinary calls on both flavours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from atlassian import Jira

from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)
FLAVOURS: tuple[Flavour, ...] = ("jira_cloud", "jira_dc")
TASK = {"project": {"key": "CIP"}, "summary": "Fewer breaches", "issuetype": {"name": "Task"}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=FLAVOURS, now=NOW) as running:
        yield running


@pytest.fixture(params=FLAVOURS)
def is_cloud(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "jira_cloud")


@pytest.fixture
def client(sandbox: RunningSandbox, is_cloud: bool) -> Any:
    login = "admin@example.com" if is_cloud else "admin"
    url = sandbox.jira_cloud_url if is_cloud else sandbox.jira_dc_url
    return Jira(url=url, username=login, password="sandbox", cloud=is_cloud)


@pytest.fixture
def me(client: Any) -> str:
    shown = client.myself()
    return str(shown.get("accountId") or shown["name"])


@pytest.fixture
def key(client: Any) -> str:
    return str(client.issue_create(TASK)["key"])


def test_issues_are_created_read_and_changed(client: Any, key: str, me: str) -> None:
    client.update_issue_field(key, {"summary": "Far fewer"})
    client.label_issue(key, ["rk-1"])
    client.issue_field_value_append(key, "labels", "rk-2")
    client.unlabel_issue(key, ["rk-1"])
    client.assign_issue(key, me)
    assert client.issue_field_value(key, "summary") == "Far fewer"
    assert client.get_issue_labels(key) == ["rk-2"]
    assert client.issue_exists(key)
    assert "summary" in client.issue_editmeta(key)["fields"]
    client.delete_issue(key)
    assert client.issue_deleted(key)


def test_the_workflow_and_its_history(client: Any, key: str) -> None:
    assert {way["to"] for way in client.get_issue_transitions(key)} == {"In Progress", "On Hold", "Cancelled"}
    client.set_issue_status(key, "In Progress")
    assert client.get_issue_status(key) == "In Progress"
    assert [change["to"] for change in client.get_issue_status_changelog(key)] == ["In Progress"]
    assert client.get_issue_changelog(key)


def test_searching_and_counting(client: Any, is_cloud: bool) -> None:
    jql = "issuetype = Incident"
    found = client.enhanced_jql(jql, limit=20) if is_cloud else client.jql(jql, limit=20)
    assert len(found["issues"]) == 20
    if is_cloud:
        total = client.approximate_issue_count(jql)["count"]
        listed = client.enhanced_jql_get_list_of_tickets(jql, limit=100)
        assert client.match_jql([int(found["issues"][0]["id"])], [jql])["matches"][0]["matchedIssues"]
    else:
        total = found["total"]
        listed = client.jql_get_list_of_tickets(jql, limit=1_000)
        assert client.get_project_issues_count("OPS") == 50  # what this client calls a count is its first page
    assert len({one["key"] for one in listed}) == min(total, len(listed)) > 20


def test_comments_and_their_properties(client: Any, key: str) -> None:
    made = client.issue_add_comment(key, "First")["id"]
    client.issue_edit_comment(key, made, "Second")
    client.set_comment_property(made, "rk", {"x": 1})
    assert client.issue_get_comment(key, made)["id"] == made
    assert client.issue_get_comments(key)["total"] == 1
    assert client.get_comment_property(made, "rk")["value"]
    client.delete_comment_property(made, "rk")
    assert client.get_comment_properties_keys(made)["keys"] == []


def test_attachments(client: Any, key: str) -> None:
    client.add_attachment_object(key, io.BytesIO(b"abc"))
    (attached,) = client.get_attachments_ids_from_issue(key)
    number = attached["attachment_id"]
    assert client.get_attachment(number)["size"] == 3
    assert client.get_attachment_content(number) == b"abc"
    assert client.get_attachment_meta()["enabled"] is True
    client.remove_attachment(number)
    assert client.get_attachments_ids_from_issue(key) == []


def test_links_of_both_kinds(client: Any, key: str) -> None:
    other = client.create_issue(TASK)["key"]
    client.create_issue_link({"type": {"name": "Relates"}, "inwardIssue": {"key": key}, "outwardIssue": {"key": other}})
    (link,) = client.issue(key)["fields"]["issuelinks"]
    assert client.get_issue_link(link["id"])["outwardIssue"]["key"] == other
    client.remove_issue_link(link["id"])
    assert "Relates" in client.get_issue_link_types_names()
    assert client.get_issue_link_type("10000")["name"] == "Blocks"
    client.create_or_update_issue_remote_links(key, "https://example.com", "One", global_id="g")
    (remote,) = client.get_issue_remote_links(key)
    client.update_issue_remote_link_by_id(key, remote["id"], "https://example.com", "Two")
    assert client.get_issue_remote_link_by_id(key, remote["id"])["object"]["title"] == "Two"
    client.delete_issue_remote_link_by_id(key, remote["id"])
    assert client.get_issue_remote_links(key) == []


def test_watchers_worklogs_and_properties(client: Any, key: str, me: str, is_cloud: bool) -> None:
    client.issue_add_watcher(key, me)
    assert client.issue_get_watchers(key)["watchCount"] == 1
    client.issue_delete_watcher(key, **({"account_id": me} if is_cloud else {"user": me}))
    assert client.issue_get_watchers(key)["watchCount"] == 0
    client.issue_worklog(key, "2024-07-29T10:00:00.000+0000", 3_600, "Thinking")
    (logged,) = client.issue_get_worklog(key)["worklogs"]
    assert logged["timeSpentSeconds"] == 3_600
    if is_cloud:
        assert int(logged["id"]) in {one["worklogId"] for one in client.get_updated_worklogs(0)["values"]}
        assert client.get_worklogs([int(logged["id"])])
    client.set_issue_property(key, "regelkreis", {"id": "ACT-1"})
    assert client.get_issue_property(key, "regelkreis")["value"]
    client.delete_issue_property(key, "regelkreis")
    assert client.get_issue_property_keys(key)["keys"] == []


def test_versions_components_and_filters(client: Any) -> None:
    client.add_version("CIP", "10000", "1.0")
    (version,) = client.get_project_versions("CIP")
    assert client.get_project_versions_paginated("CIP")["total"] == 1
    client.update_version(version["id"], name="2.0")
    assert client.get_version(version["id"])["name"] == "2.0"
    client.delete_version(version["id"])
    component = client.create_component({"project": "CIP", "name": "Mail"})["id"]
    client.update_component({"name": "E-Mail"}, component)
    assert client.component(component)["name"] == "E-Mail"
    assert client.get_component_related_issues(component)["issueCount"] == 0
    client.delete_component(component)
    assert client.get_project_components("CIP") == []
    made = client.create_filter("Mine", "project = CIP")["id"]
    client.edit_filter(made, "Ours", "project = OPS")
    assert client.get_filter(made)["name"] == "Ours"
    assert client.get_filter_share_permissions(made) == []
    client.delete_filter(made)


def test_people_groups_and_projects(client: Any, me: str, is_cloud: bool) -> None:
    assert client.user(account_id=me) if is_cloud else client.user(me)
    asked = {"query": "claudia"} if is_cloud else {"username": "claudia"}
    assert client.user_find_by_user_string(**asked)
    assert client.users_get_all()
    assert client.get_all_assignable_users_for_project("CIP")
    assert client.get_users_with_browse_permission_to_a_project("claudia", project_key="CIP")
    assert client.get_groups()["groups"]
    assert client.get_all_users_from_group("jira-users")
    assert {"CIP", "OPS"} <= {project["key"] for project in client.get_all_projects()}
    assert client.get_project("CIP")["issueTypes"]
    assert client.get_status_for_project("CIP")
    assert "Administrators" in client.get_project_roles("CIP")
    assert client.get_project_validated_key("NEWKEY")["errors"] == {}


def test_what_a_site_is(client: Any) -> None:
    assert client.get_all_fields()
    assert client.get_all_statuses()
    assert client.get_resolution_by_id("10000")["name"] in {one["name"] for one in client.get_all_resolutions()}
    assert client.get_priority_by_id("3")["name"] in {one["name"] for one in client.get_all_priorities()}
    assert client.get_issue_types()
    assert client.get_all_permissions()["permissions"]
    assert client.get_server_info()["deploymentType"]
    assert client.get_configurations_of_jira()["issueLinkingEnabled"] is True
    assert client.get_autocomplete_data()["visibleFieldNames"]
    assert client.get_time_tracking_settings()["workingDaysPerWeek"] == 5
    assert client.get_all_permissionschemes()
    assert client.get_dashboards()["total"] == 0
