"""Groups come and go, and with the administrators' group the right to administer."""

from __future__ import annotations

from typing import Any

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from tests.connectors.sandbox.foreign_jira.clients import refused


def join(client: Any, is_cloud: bool, person: str, group: str) -> Any:
    """Both clients send user names, which Cloud does not know any more."""
    if is_cloud:
        return client.post("rest/api/2/group/user", params={"groupname": group}, data={"accountId": person})
    return client.add_user_to_group(person, group)


def leave(client: Any, is_cloud: bool, person: str, group: str) -> None:
    if is_cloud:
        client.delete("rest/api/2/group/user", params={"groupname": group, "accountId": person})
    else:
        client.remove_user_from_group(person, group)


def test_a_group_is_filled_emptied_and_deleted(
    atlassian: Any, jira: JIRA, claudia: str, name: str, is_cloud: bool
) -> None:
    assert atlassian.create_group(name)["name"] == name
    assert refused(atlassian.create_group, name) == 400
    assert name in jira.groups()
    assert join(atlassian, is_cloud, claudia, name)["users"]["size"] == 1
    assert refused(join, atlassian, is_cloud, claudia, name) == 400
    (member,) = atlassian.get_all_users_from_group(name)["values"]
    assert member["displayName"] == "Claudia Braun"
    leave(atlassian, is_cloud, claudia, name)
    assert jira.group_members(name) == {}
    assert refused(leave, atlassian, is_cloud, claudia, name) == 400
    assert jira.remove_group(name)
    assert name not in jira.groups()
    assert refused(atlassian.get_all_users_from_group, name) == 404


def test_a_user_name_says_nothing_to_cloud(jira: JIRA, claudia: str, name: str, is_cloud: bool) -> None:
    jira.add_group(name)
    if is_cloud:
        with pytest.raises(JIRAError) as caught:
            jira.add_user_to_group("claudia.braun", name)
        assert caught.value.status_code == 400
    else:
        assert jira.add_user_to_group("claudia.braun", name)
        assert jira.remove_user_from_group("claudia.braun", name)


def test_whoever_joins_the_administrators_administers(
    atlassian: Any, nobody: Any, claudia: str, name: str, is_cloud: bool
) -> None:
    assert refused(nobody.create_group, name) == 403
    join(atlassian, is_cloud, claudia, "jira-administrators")
    try:
        assert nobody.create_group(name)["name"] == name
    finally:
        leave(atlassian, is_cloud, claudia, "jira-administrators")
    assert refused(nobody.remove_group, name) == 403


def test_groups_by_name_and_id(atlassian: Any, name: str, is_cloud: bool) -> None:
    made = atlassian.create_group(name)
    if is_cloud:
        (found,) = atlassian.get("rest/api/3/group/bulk", params={"groupId": made["groupId"]})["values"]
        assert found == {"name": name, "groupId": made["groupId"]}
    assert atlassian.get("rest/api/2/group/member", params={"groupname": name})["total"] == 0
    assert refused(atlassian.remove_group, "jira-administrators") == 400
