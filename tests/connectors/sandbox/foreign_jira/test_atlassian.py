"""atlassian-python-api, a client that nobody here wrote, makes its ordinary calls on both flavours."""

from __future__ import annotations

import io
from typing import Any

import pytest

TASK = {"project": {"key": "CIP"}, "summary": "Fewer breaches", "issuetype": {"name": "Task"}}


@pytest.fixture
def key(atlassian: Any) -> str:
    return str(atlassian.issue_create(TASK)["key"])


def test_issues_are_created_read_and_changed(atlassian: Any, key: str, me: str) -> None:
    atlassian.update_issue_field(key, {"summary": "Far fewer"})
    atlassian.label_issue(key, ["rk-1"])
    atlassian.issue_field_value_append(key, "labels", "rk-2")
    atlassian.unlabel_issue(key, ["rk-1"])
    atlassian.assign_issue(key, me)
    assert atlassian.issue_field_value(key, "assignee")
    atlassian.assign_issue(key, "-1")  # the default of this project is nobody
    assert atlassian.issue_field_value(key, "assignee") is None
    assert atlassian.issue_field_value(key, "summary") == "Far fewer"
    assert atlassian.get_issue_labels(key) == ["rk-2"]
    assert atlassian.issue_exists(key)
    assert "summary" in atlassian.issue_editmeta(key)["fields"]
    atlassian.delete_issue(key)
    assert atlassian.issue_deleted(key)


def test_the_workflow_and_its_history(atlassian: Any, key: str) -> None:
    assert {way["to"] for way in atlassian.get_issue_transitions(key)} == {"In Progress", "On Hold", "Cancelled"}
    atlassian.set_issue_status(key, "In Progress")
    assert atlassian.get_issue_status(key) == "In Progress"
    assert [change["to"] for change in atlassian.get_issue_status_changelog(key)] == ["In Progress"]
    assert atlassian.get_issue_changelog(key)


def test_searching_and_counting(atlassian: Any, is_cloud: bool) -> None:
    jql = "issuetype = Incident"
    found = atlassian.enhanced_jql(jql, limit=20) if is_cloud else atlassian.jql(jql, limit=20)
    assert len(found["issues"]) == 20
    if is_cloud:
        total = atlassian.approximate_issue_count(jql)["count"]
        listed = atlassian.enhanced_jql_get_list_of_tickets(jql, limit=100)
        assert atlassian.match_jql([int(found["issues"][0]["id"])], [jql])["matches"][0]["matchedIssues"]
    else:
        total = found["total"]
        listed = atlassian.jql_get_list_of_tickets(jql, limit=1_000)
        assert atlassian.get_project_issues_count("OPS") == 50  # what this client calls a count is its first page
    assert len({one["key"] for one in listed}) == min(total, len(listed)) > 20


def test_comments_and_their_properties(atlassian: Any, key: str) -> None:
    made = atlassian.issue_add_comment(key, "First")["id"]
    atlassian.issue_edit_comment(key, made, "Second")
    atlassian.set_comment_property(made, "rk", {"x": 1})
    assert atlassian.issue_get_comment(key, made)["id"] == made
    assert atlassian.issue_get_comments(key)["total"] == 1
    assert atlassian.get_comment_property(made, "rk")["value"]
    atlassian.delete_comment_property(made, "rk")
    assert atlassian.get_comment_properties_keys(made)["keys"] == []


def test_attachments(atlassian: Any, key: str) -> None:
    atlassian.add_attachment_object(key, io.BytesIO(b"abc"))
    (attached,) = atlassian.get_attachments_ids_from_issue(key)
    number = attached["attachment_id"]
    assert atlassian.get_attachment(number)["size"] == 3
    assert atlassian.get_attachment_content(number) == b"abc"
    assert atlassian.get_attachment_meta()["enabled"] is True
    atlassian.remove_attachment(number)
    assert atlassian.get_attachments_ids_from_issue(key) == []


def test_links_of_both_kinds(atlassian: Any, key: str) -> None:
    other = atlassian.create_issue(TASK)["key"]
    atlassian.create_issue_link(
        {"type": {"name": "Relates"}, "inwardIssue": {"key": key}, "outwardIssue": {"key": other}}
    )
    (link,) = atlassian.issue(key)["fields"]["issuelinks"]
    assert atlassian.get_issue_link(link["id"])["outwardIssue"]["key"] == other
    atlassian.remove_issue_link(link["id"])
    assert "Relates" in atlassian.get_issue_link_types_names()
    assert atlassian.get_issue_link_type("10000")["name"] == "Blocks"
    atlassian.create_or_update_issue_remote_links(key, "https://example.com", "One", global_id="g")
    (remote,) = atlassian.get_issue_remote_links(key)
    atlassian.update_issue_remote_link_by_id(key, remote["id"], "https://example.com", "Two")
    assert atlassian.get_issue_remote_link_by_id(key, remote["id"])["object"]["title"] == "Two"
    atlassian.delete_issue_remote_link_by_id(key, remote["id"])
    assert atlassian.get_issue_remote_links(key) == []


def test_watchers_worklogs_and_properties(atlassian: Any, key: str, me: str, is_cloud: bool) -> None:
    atlassian.issue_add_watcher(key, me)
    assert atlassian.issue_get_watchers(key)["watchCount"] == 1
    atlassian.issue_delete_watcher(key, **({"account_id": me} if is_cloud else {"user": me}))
    assert atlassian.issue_get_watchers(key)["watchCount"] == 0
    atlassian.issue_worklog(key, "2024-07-29T10:00:00.000+0000", 3_600, "Thinking")
    (logged,) = atlassian.issue_get_worklog(key)["worklogs"]
    assert logged["timeSpentSeconds"] == 3_600
    if is_cloud:
        assert int(logged["id"]) in {one["worklogId"] for one in atlassian.get_updated_worklogs(0)["values"]}
        assert atlassian.get_worklogs([int(logged["id"])])
    atlassian.set_issue_property(key, "regelkreis", {"id": "ACT-1"})
    assert atlassian.get_issue_property(key, "regelkreis")["value"]
    atlassian.delete_issue_property(key, "regelkreis")
    assert atlassian.get_issue_property_keys(key)["keys"] == []


def test_versions_components_and_filters(atlassian: Any) -> None:
    atlassian.add_version("CIP", "10000", "1.0")
    (version,) = atlassian.get_project_versions("CIP")
    assert atlassian.get_project_versions_paginated("CIP")["total"] == 1
    atlassian.update_version(version["id"], name="2.0")
    assert atlassian.get_version(version["id"])["name"] == "2.0"
    atlassian.delete_version(version["id"])
    component = atlassian.create_component({"project": "CIP", "name": "Mail"})["id"]
    atlassian.update_component({"name": "E-Mail"}, component)
    assert atlassian.component(component)["name"] == "E-Mail"
    assert atlassian.get_component_related_issues(component)["issueCount"] == 0
    atlassian.delete_component(component)
    assert atlassian.get_project_components("CIP") == []
    made = atlassian.create_filter("Mine", "project = CIP")["id"]
    atlassian.edit_filter(made, "Ours", "project = OPS")
    assert atlassian.get_filter(made)["name"] == "Ours"
    assert atlassian.get_filter_share_permissions(made) == []
    atlassian.delete_filter(made)


def test_people_groups_and_projects(atlassian: Any, me: str, is_cloud: bool) -> None:
    assert atlassian.user(account_id=me) if is_cloud else atlassian.user(me)
    asked = {"query": "claudia"} if is_cloud else {"username": "claudia"}
    assert atlassian.user_find_by_user_string(**asked)
    assert atlassian.users_get_all()
    assert atlassian.get_all_assignable_users_for_project("CIP")
    assert atlassian.get_users_with_browse_permission_to_a_project("claudia", project_key="CIP")
    assert atlassian.get_groups()["groups"]
    assert atlassian.get_all_users_from_group("jira-users")
    assert {"CIP", "OPS"} <= {project["key"] for project in atlassian.get_all_projects()}
    assert atlassian.get_project("CIP")["issueTypes"]
    assert atlassian.get_status_for_project("CIP")
    assert "Administrators" in atlassian.get_project_roles("CIP")
    assert atlassian.get_project_validated_key("NEWKEY")["errors"] == {}


def test_what_a_site_is(atlassian: Any) -> None:
    assert atlassian.get_all_fields()
    assert atlassian.get_all_statuses()
    assert atlassian.get_resolution_by_id("10000")["name"] in {one["name"] for one in atlassian.get_all_resolutions()}
    assert atlassian.get_priority_by_id("3")["name"] in {one["name"] for one in atlassian.get_all_priorities()}
    assert atlassian.get_issue_types()
    assert atlassian.get_all_permissions()["permissions"]
    assert atlassian.get_server_info()["deploymentType"]
    assert atlassian.get_configurations_of_jira()["issueLinkingEnabled"] is True
    assert atlassian.get_autocomplete_data()["visibleFieldNames"]
    assert atlassian.get_time_tracking_settings()["workingDaysPerWeek"] == 5
    assert atlassian.get_all_permissionschemes()
    assert atlassian.get_dashboards()["total"] == 0
