"""Filters are their owners'; sharing shows them to others."""

from __future__ import annotations

from typing import Any

import pytest
from jira import JIRA

from tests.connectors.sandbox.foreign_jira.clients import refused


def test_a_filter_is_seen_by_those_it_is_shared_with(atlassian: Any, nobody: Any, name: str) -> None:
    made = atlassian.create_filter(name, "project = CIP")["id"]
    assert refused(nobody.get_filter, made) == 400
    (share,) = atlassian.add_filter_share_permission(made, "group", groupname="jira-users")
    assert nobody.get_filter(made)["name"] == name
    assert refused(nobody.edit_filter, made, "Mine", "project = OPS") == 403
    assert refused(atlassian.add_filter_share_permission, made, "group", groupname="jira-users") == 400
    assert refused(atlassian.add_filter_share_permission, made, "group", groupname="no such group") == 400
    assert refused(nobody.add_filter_share_permission, made, "global") == 403
    atlassian.delete_filter_share_permission(made, share["id"])
    assert atlassian.get_filter_share_permissions(made) == []
    assert refused(nobody.get_filter, made) == 400
    assert refused(atlassian.delete_filter_share_permission, made, share["id"]) == 404


def test_shared_with_a_project_a_role_a_person_and_everybody(
    atlassian: Any, nobody: Any, project: str, name: str, claudia: str, is_cloud: bool
) -> None:
    id = atlassian.get_project(project)["id"]
    made = atlassian.create_filter(name, "")["id"]
    atlassian.add_filter_share_permission(made, "projectRole", project_id=id, project_role_id="10101")
    assert refused(nobody.get_filter, made) == 400
    atlassian.add_user_into_project_role(project, "10101", claudia)
    assert nobody.get_filter(made)["id"] == made
    person = {"type": "user", "accountId": claudia} if is_cloud else {"type": "user", "userKey": claudia}
    atlassian.post(f"rest/api/2/filter/{made}/permission", data=person)
    atlassian.add_filter_share_permission(made, "project", project_id=id)
    assert [one["type"] for one in atlassian.get_filter_share_permissions(made)] == ["project", "user", "project"]
    assert [one["type"] for one in atlassian.add_filter_share_permission(made, "authenticated")] == ["loggedin"]


def test_a_role_may_be_a_groups(atlassian: Any, nobody: Any, project: str, name: str) -> None:
    made = atlassian.create_filter(name, "")["id"]
    id = atlassian.get_project(project)["id"]
    atlassian.add_filter_share_permission(made, "projectRole", project_id=id, project_role_id="10101")
    assert refused(nobody.get_filter, made) == 400
    atlassian.add_group_into_project_role(project, "10101", "jira-users")
    assert nobody.get_filter(made)["id"] == made


def test_favourites_are_each_persons_own(atlassian: Any, nobody: Any, jira: JIRA, name: str) -> None:
    share = [{"type": "authenticated"}]
    made = jira.create_filter(name=name, jql="project = CIP", favourite=True).id
    assert made in {one.id for one in jira.favourite_filters()}
    atlassian.put(f"rest/api/2/filter/{made}", data={"sharePermissions": share})
    assert nobody.get_filter(made)["favourite"] is False
    assert made not in {one["id"] for one in nobody.get("rest/api/2/filter/favourite")}


def test_a_filter_needs_a_name_and_a_query(atlassian: Any, name: str) -> None:
    atlassian.create_filter(name, "")
    assert refused(atlassian.create_filter, name, "") == 400
    assert refused(atlassian.create_filter, "", "") == 400
    assert refused(atlassian.create_filter, f"{name}x", "project = (") == 400


def test_columns_and_the_scope_of_new_filters(atlassian: Any, name: str) -> None:
    made = atlassian.create_filter(name, "")["id"]
    path = f"rest/api/2/filter/{made}/columns"
    atlassian.put(path, params={"columns": "summary,status"})
    assert [one["value"] for one in atlassian.get(path)] == ["summary", "status"]
    assert refused(atlassian.put, path, params={"columns": "nothing"}) == 400
    atlassian.delete(path)
    assert len(atlassian.get(path)) == 5
    assert atlassian.put("rest/api/2/filter/defaultShareScope", data={"scope": "GLOBAL"}) == {"scope": "GLOBAL"}
    assert refused(atlassian.put, "rest/api/2/filter/defaultShareScope", data={"scope": "SOME"}) == 400


@pytest.mark.parametrize("flavour", ["jira_cloud"])
def test_cloud_gives_filters_away(atlassian: Any, nobody: Any, name: str, claudia: str) -> None:
    made = atlassian.create_filter(name, "")["id"]
    atlassian.put(f"rest/api/3/filter/{made}/favourite")
    assert atlassian.get_filter(made)["favourite"] is True
    assert atlassian.delete(f"rest/api/3/filter/{made}/favourite")["favourite"] is False
    atlassian.put(f"rest/api/3/filter/{made}/owner", data={"accountId": claudia})
    assert made in {one["id"] for one in nobody.get("rest/api/3/filter/my")}
    assert made in {one["id"] for one in nobody.get("rest/api/3/filter/search", params={"filterName": name})["values"]}
    nobody.delete_filter(made)
    assert refused(atlassian.get_filter, made) == 400
