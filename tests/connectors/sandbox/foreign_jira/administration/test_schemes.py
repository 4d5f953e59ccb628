"""Schemes that projects share: permissions, priorities, notifications, issue security."""

from __future__ import annotations

from typing import Any

from jira import JIRA

from tests.connectors.sandbox.foreign_jira.clients import refused

BROWSE = {"holder": {"type": "group", "parameter": "jira-users"}, "permission": "BROWSE_PROJECTS"}
DELETE = {"holder": {"type": "reporter"}, "permission": "DELETE_ISSUES"}


def test_a_permission_scheme_lives_and_serves_a_project(
    atlassian: Any, nobody: Any, jira: JIRA, project: str, name: str
) -> None:
    made = atlassian.create_permission_scheme(name, "Few", [BROWSE])
    grant = atlassian.set_permissionscheme_grant(made["id"], DELETE)
    shown = atlassian.get_permissionscheme(made["id"], expand="permissions")
    assert [one["permission"] for one in shown["permissions"]] == ["BROWSE_PROJECTS", "DELETE_ISSUES"]
    assert refused(atlassian.set_permissionscheme_grant, made["id"], DELETE) == 400
    assert refused(atlassian.set_permissionscheme_grant, made["id"], {**DELETE, "permission": "FLY"}) == 400
    assert refused(nobody.create_permission_scheme, name, "", [BROWSE]) == 403

    path = f"rest/api/2/permissionscheme/{made['id']}"
    atlassian.put(path, data={"name": f"{name}x"})
    atlassian.delete(f"{path}/permission/{grant['id']}")
    assert len(atlassian.get(f"{path}/permission")["permissions"]) == 1

    atlassian.assign_project_permission_scheme(project, made["id"])
    assert jira.project_permissionscheme(project).name == f"{name}x"
    assert refused(atlassian.delete, path) == 400
    atlassian.assign_project_permission_scheme(project, 0)
    atlassian.delete(path)
    assert refused(atlassian.get_permissionscheme, made["id"]) == 404
    assert refused(atlassian.assign_project_permission_scheme, project, made["id"]) == 404


def test_a_priority_scheme_of_data_center(atlassian: Any, nobody: Any, project: str, name: str, is_cloud: bool) -> None:
    sent = {"name": name, "description": "", "optionIds": ["1", "3"], "defaultOptionId": "3"}
    if is_cloud:
        assert refused(atlassian.create_priority_scheme, sent) == 404
        return
    made = atlassian.create_priority_scheme(sent)
    assert made["id"] in {one["id"] for one in atlassian.get_all_priority_schemes()["schemes"]}
    assert refused(atlassian.create_priority_scheme, {**sent, "name": f"{name}x", "optionIds": ["99"]}) == 400
    assert refused(nobody.create_priority_scheme, sent) == 403
    atlassian.assign_priority_scheme_for_project(project, made["id"])
    shown = atlassian.get_priority_scheme_of_project(project)
    assert (shown["name"], shown["projectKeys"]) == (name, [project])
    path = f"rest/api/2/priorityschemes/{made['id']}"
    assert refused(atlassian.delete, path) == 400
    atlassian.put(path, data={"name": f"{name}y"})
    assert atlassian.get(path)["name"] == f"{name}y"
    atlassian.assign_priority_scheme_for_project(project, 10000)
    atlassian.delete(path)
    assert refused(atlassian.get, path) == 404


def test_notifications_and_issue_security_are_read(atlassian: Any, nobody: Any, jira: JIRA, project: str) -> None:
    (scheme,) = atlassian.get_notification_schemes()["values"]
    assert atlassian.get_notification_scheme(scheme["id"])["name"] == scheme["name"]
    assert atlassian.get_notification_scheme_for_project(project)["id"] == scheme["id"]
    (security,) = jira.issuesecurityschemes()
    assert atlassian.get_issue_security_scheme(security["id"])["levels"] == []
    assert atlassian.get_project_issue_security_scheme(project)["id"] == security["id"]
    atlassian.assign_project_notification_scheme(project, str(scheme["id"]))
    assert refused(atlassian.assign_project_notification_scheme, project, "99") == 400
    assert refused(nobody.get_notification_scheme_for_project, project) == 403
