"""What is offered as somebody types, preferences, and messages about an issue."""

from __future__ import annotations

from typing import Any

from jira import JIRA

from tests.connectors.sandbox.foreign_jira.clients import refused


def test_people_groups_and_issues_are_picked(atlassian: Any, key: str, claudia: str, is_cloud: bool) -> None:
    (person,) = atlassian.get("rest/api/2/user/picker", params={"query": "claudia"})["users"]
    assert person["accountId" if is_cloud else "name"] == claudia
    both = atlassian.get("rest/api/2/groupuserpicker", params={"query": "jira-adm"})
    assert (both["users"]["total"], both["groups"]["groups"][0]["name"]) == (0, "jira-administrators")
    for text in (key.lower(), "slow"):
        (section,) = atlassian.get("rest/api/2/issue/picker", params={"query": text})["sections"]
        assert section["issues"][0]["key"] == key


def test_a_message_needs_somebody_to_get_it(atlassian: Any, key: str, claudia: str, is_cloud: bool) -> None:
    path = f"rest/api/2/issue/{key}/notify"
    atlassian.post(path, data={"subject": "Look", "to": {"reporter": True}})
    atlassian.post(path, data={"to": {"users": [{"accountId" if is_cloud else "name": claudia}]}})
    assert refused(atlassian.post, path, data={"subject": "Look"}) == 400
    assert refused(atlassian.post, path, data={"to": {"groups": [{"name": "none"}]}}) == 400


def test_preferences_are_ones_own(atlassian: Any, nobody: Any, name: str) -> None:
    path = f"rest/api/2/mypreferences?key={name}"
    atlassian.put(path, data="compact")
    assert atlassian.get(path) == "compact"
    assert refused(nobody.get, path) == 404
    atlassian.delete(path)
    assert refused(atlassian.get, path) == 404


def test_data_center_lists_sub_tasks(atlassian: Any, jira: JIRA, project: str, key: str, is_cloud: bool) -> None:
    path = f"rest/api/2/issue/{key}/subtask"
    if is_cloud:
        assert refused(atlassian.get, path) == 404
        return
    below = jira.create_issue(project=project, summary="Part", issuetype={"name": "Sub-task"}, parent={"key": key})
    assert [one["key"] for one in atlassian.get(path)] == [below.key]
