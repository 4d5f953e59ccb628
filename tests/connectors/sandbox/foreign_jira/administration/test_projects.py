"""Projects are made, changed, archived, deleted and restored, and their issues with them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from connectors.sandbox.jira.administration.projects import MAX_PROJECTS, Projects
from connectors.sandbox.jira.catalogue import CIP
from tests.connectors.sandbox.foreign_jira.clients import refused


def lead(is_cloud: bool, person: str) -> dict[str, str]:
    return {"leadAccountId": person} if is_cloud else {"lead": person}


def test_issues_live_in_a_new_project(jira: JIRA, atlassian: Any, project: str, me: str) -> None:
    issue = jira.create_issue(project=project, summary="Slow", issuetype={"name": "Task"})
    assert issue.key == f"{project}-1"
    assert [one.key for one in jira.search_issues(f"project = {project}")] == [issue.key]
    shown = atlassian.get_project(project)
    assert {kind["name"] for kind in shown["issueTypes"]} == {"Task", "Sub-task", "Epic"}
    assert me in (shown["lead"].get("accountId"), shown["lead"].get("name"))
    assert issue.fields.assignee.displayName == "System Administrator"  # the client asks for the lead
    jira.assign_issue(issue, None)
    assert jira.issue(issue.key).fields.assignee is None
    jira.assign_issue(issue, "-1")
    assert jira.issue(issue.key).fields.assignee.displayName == "System Administrator"
    assert project in {one.key for one in jira.projects()}
    assert atlassian.get_project_validated_key(project)["errors"]


def test_what_a_project_needs(atlassian: Any, nobody: Any, project: str, me: str, is_cloud: bool) -> None:
    right = {"key": "RIGHT", "name": "Right", "projectTypeKey": "business", **lead(is_cloud, me)}
    wrong: list[dict[str, Any]] = [
        {"key": project},
        {"key": "1"},
        {"name": f"Project {project.lower()}"},
        {"projectTypeKey": "none"},
        {"permissionScheme": 99},
        lead(is_cloud, "nobody.known"),
    ]
    for one in wrong:
        assert refused(atlassian.create_project_from_raw_json, {**right, **one}) == 400
    assert refused(nobody.create_project_from_raw_json, right) == 403
    assert refused(atlassian.get_project, "RIGHT") == 404


def test_issues_follow_a_new_key(jira: JIRA, atlassian: Any, project: str, key: str) -> None:
    new = f"{project}X"
    atlassian.update_project(project, {"key": new, "name": f"Renamed {new}", "description": "Why"})
    assert jira.issue(key).key == f"{new}-1"
    assert jira.issue(f"{new}-1").fields.project.name == f"Renamed {new}"
    assert [one.key for one in jira.search_issues(f'project = "Renamed {new}"')] == [f"{new}-1"]
    assert atlassian.get_project(project)["description"] == "Why"
    assert refused(atlassian.update_project, new, {"key": "CIP"}) == 400


def test_a_projects_administrator_changes_it_and_nobody_else(
    atlassian: Any, nobody: Any, project: str, claudia: str
) -> None:
    assert refused(nobody.update_project, project, {"description": "Mine"}) == 403
    atlassian.add_user_into_project_role(project, "10002", claudia)
    assert nobody.update_project(project, {"description": "Mine"})["description"] == "Mine"
    assert refused(nobody.update_project, project, {"key": "OTHER"}) == 403
    assert refused(nobody.delete_project, project) == 403


def test_a_deleted_project_takes_its_issues_along(jira: JIRA, atlassian: Any, project: str, key: str) -> None:
    assert jira.delete_project(project, enable_undo=False)
    assert project not in {one.key for one in jira.projects()}
    with pytest.raises(JIRAError) as caught:
        jira.issue(key)
    assert caught.value.status_code == 404
    with pytest.raises(JIRAError, match=project):
        jira.search_issues(f"project = {project}")
    jira.create_project(project, f"Again {project}", ptype="business")
    assert jira.search_issues(f"project = {project}") == []


def test_cloud_keeps_a_deleted_project_in_its_bin(
    jira: JIRA, atlassian: Any, project: str, key: str, is_cloud: bool
) -> None:
    jira.delete_project(project)
    if not is_cloud:
        assert refused(atlassian.put, f"rest/api/2/project/{project}/restore") == 404
        return
    (kept,) = atlassian.get("rest/api/3/project/search", params={"status": "deleted", "keys": project})["values"]
    assert kept["deleted"] is True
    right = {"key": project, "name": "Another", "projectTypeKey": "business"}
    assert refused(atlassian.create_project_from_raw_json, right) == 400
    assert atlassian.post(f"rest/api/3/project/{project}/restore")["key"] == project
    assert [one.key for one in jira.search_issues(f"project = {project}")] == [key]
    jira.delete_project(project)
    jira.delete_project(project, enable_undo=False)
    assert refused(atlassian.post, f"rest/api/3/project/{project}/restore") == 404


def test_an_archived_project_is_read_and_not_changed(
    jira: JIRA, atlassian: Any, project: str, key: str, is_cloud: bool
) -> None:
    if is_cloud:
        atlassian.post(f"rest/api/3/project/{project}/archive")
    else:
        atlassian.archive_project(project)
    assert project not in {one.key for one in jira.projects()}
    assert jira.search_issues("summary ~ Slow AND created >= -1d AND key = " + key) == []
    assert jira.issue(key).fields.summary == "Slow"
    assert refused(atlassian.update_issue_field, key, {"summary": "Slower"}) == 403
    with pytest.raises(JIRAError, match="valid project is required"):
        jira.create_issue(project=project, summary="Slow", issuetype={"name": "Task"})
    restore = atlassian.post if is_cloud else atlassian.put
    restore(f"rest/api/2/project/{project}/restore")
    assert [one.key for one in jira.search_issues(f"project = {project}")] == [key]
    assert refused(restore, f"rest/api/2/project/{project}/restore") == 400


def test_a_site_is_full_one_day() -> None:
    projects = Projects()
    while (rank := projects.free_rank()) is not None:
        projects.put(replace(CIP, id=f"9{rank}", key=f"K{rank}", rank=rank))
    assert len(list(projects)) == MAX_PROJECTS
    projects.drop(projects.everything()[-1], to_bin=False)
    assert projects.free_rank() == MAX_PROJECTS - 1


def test_tickets_go_on_when_their_project_is_renamed(jira: JIRA, atlassian: Any) -> None:
    before = jira.search_issues("issuetype = Incident ORDER BY created", maxResults=1)[0]
    atlassian.update_project("OPS", {"name": "Operations and more"})
    try:
        after = jira.search_issues("issuetype = Incident ORDER BY created", maxResults=1)[0]
        assert (after.key, after.fields.project.name) == (before.key, "Operations and more")
    finally:
        atlassian.update_project("OPS", {"name": "Operations"})


def test_categories(atlassian: Any, nobody: Any, project: str, name: str) -> None:
    path = "rest/api/2/projectCategory"
    made = atlassian.post(path, data={"name": name, "description": "All"})
    assert refused(atlassian.post, path, data={"name": name}) == 409
    assert refused(nobody.post, path, data={"name": f"{name}x"}) == 403
    atlassian.update_project_category_for_project(project, made["id"])
    assert atlassian.get_project(project)["projectCategory"]["name"] == name
    assert name in {one["name"] for one in atlassian.get(path)}
    atlassian.put(f"{path}/{made['id']}", data={"name": f"{name} new"})
    assert atlassian.get(f"{path}/{made['id']}")["name"] == f"{name} new"
    atlassian.delete(f"{path}/{made['id']}")
    assert "projectCategory" not in atlassian.get_project(project)
    assert refused(atlassian.update_project_category_for_project, project, made["id"]) == 400


def test_properties_of_a_project(atlassian: Any, nobody: Any, project: str) -> None:
    path = f"rest/api/2/project/{project}/properties"
    atlassian.put(f"{path}/rk", data={"goal": 3})
    assert [one["key"] for one in atlassian.get(path)["keys"]] == ["rk"]
    assert atlassian.get(f"{path}/rk")["value"] == {"goal": 3}
    assert refused(nobody.put, f"{path}/rk", data={"goal": 4}) == 403
    atlassian.delete(f"{path}/rk")
    assert refused(atlassian.get, f"{path}/rk") == 404


def test_versions_and_components_are_the_project_administrators(
    jira: JIRA, atlassian: Any, nobody: Any, project: str
) -> None:
    first, second = (jira.create_version(name, project) for name in ("1.0", "2.0"))
    with pytest.raises(JIRAError, match="already exists"):
        jira.create_version("1.0", project)
    jira.move_version(second.id, position="First")
    assert [one.name for one in jira.project_versions(project)] == ["2.0", "1.0"]
    atlassian.put(f"rest/api/2/version/{first.id}/mergeto/{second.id}")
    assert [one.name for one in jira.project_versions(project)] == ["2.0"]
    assert refused(nobody.create_component, {"project": project, "name": "Mail"}) == 403
    assert refused(nobody.delete_version, second.id) == 403
