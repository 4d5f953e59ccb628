"""Project roles: people and groups get them, lose them, and administer by them."""

from __future__ import annotations

from typing import Any

from jira import JIRA

from tests.connectors.sandbox.foreign_jira.clients import refused

TEAM = "10101"


def actors(client: Any, project: str) -> set[str]:
    return {one["displayName"] for one in client.get_project_actors_for_role_project(project, TEAM) or ()}


def test_people_and_groups_get_a_role_and_lose_it(atlassian: Any, nobody: Any, project: str, claudia: str) -> None:
    atlassian.add_user_into_project_role(project, TEAM, claudia)
    atlassian.add_group_into_project_role(project, TEAM, "jira-users")
    assert actors(atlassian, project) == {"Claudia Braun", "jira-users"}
    assert refused(atlassian.add_user_into_project_role, project, TEAM, claudia) == 400
    assert refused(atlassian.add_user_into_project_role, project, TEAM, "nobody.known") == 404
    assert refused(nobody.add_group_into_project_role, project, TEAM, "jira-users") == 403
    atlassian.delete_project_actors(project, TEAM, claudia, "user")
    atlassian.delete_project_actors(project, TEAM, "jira-users", "group")
    assert actors(atlassian, project) == set()
    assert refused(atlassian.delete_project_actors, project, TEAM, claudia, "user") == 404


def test_a_role_is_set_whole(jira: JIRA, atlassian: Any, project: str, claudia: str, me: str) -> None:
    role = jira.project_role(project, TEAM)
    role.add_user(users=[me], groups=None)
    role.update(users=[claudia], groups=["jira-users"])
    assert actors(atlassian, project) == {"Claudia Braun", "jira-users"}


def test_each_flavour_shows_actors_its_own_way(jira: JIRA, project: str, claudia: str, is_cloud: bool) -> None:
    jira.project_role(project, TEAM).add_user(users=[claudia], groups=["jira-users"])
    person, group = jira.project_role(project, TEAM).raw["actors"]
    assert (person["type"], group["type"]) == ("atlassian-user-role-actor", "atlassian-group-role-actor")
    if is_cloud:
        assert (person["actorUser"]["accountId"], group["actorGroup"]["name"]) == (claudia, "jira-users")
    else:
        assert (person["name"], group["name"]) == (claudia, "jira-users")


def test_a_role_of_ones_own(atlassian: Any, nobody: Any, jira: JIRA, project: str, name: str) -> None:
    path = "rest/api/2/role"
    made = atlassian.post(path, data={"name": name, "description": "Watches"})
    assert name in jira.project_roles(project)
    assert refused(atlassian.post, path, data={"name": name}) == 409
    assert refused(nobody.post, path, data={"name": f"{name}x"}) == 403
    atlassian.put(f"{path}/{made['id']}", data={"name": f"{name}y", "description": ""})
    assert atlassian.get(f"{path}/{made['id']}")["name"] == f"{name}y"
    atlassian.post(f"{path}/{made['id']}/actors", data={"group": ["jira-users"]})
    assert [one["name"] for one in atlassian.get(f"{path}/{made['id']}/actors")["actors"]] == ["jira-users"]
    atlassian.delete(f"{path}/{made['id']}")
    assert f"{name}y" not in jira.project_roles(project)
    assert refused(atlassian.get, f"{path}/{made['id']}") == 404
