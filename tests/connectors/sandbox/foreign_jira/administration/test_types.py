"""Issue types, their schemes, and types of links."""

from __future__ import annotations

from typing import Any

import pytest
from jira import JIRA
from jira.exceptions import JIRAError

from tests.connectors.sandbox.foreign_jira.clients import refused


def give(client: Any, is_cloud: bool, scheme: str, project: str) -> None:
    if is_cloud:
        id = client.get_project(project)["id"]
        client.put("rest/api/3/issuetypescheme/project", data={"issueTypeSchemeId": scheme, "projectId": id})
    else:
        client.add_issue_type_scheme(scheme, project)


def test_a_new_type_comes_to_a_project_with_its_scheme(
    atlassian: Any, jira: JIRA, project: str, name: str, is_cloud: bool
) -> None:
    kind = atlassian.create_issue_type(name, "An idea")
    assert jira.issue_type(kind["id"]).description == "An idea"
    idea = {"project": {"key": project}, "issuetype": {"name": name}, "summary": "Slow"}
    assert refused(atlassian.create_issue, idea) == 400
    made = atlassian.create_issuetype_scheme(f"Scheme {name}", "", kind["id"], [kind["id"], "10002", "10003"])
    give(atlassian, is_cloud, str(made.get("issueTypeSchemeId") or made["id"]), project)
    key = atlassian.create_issue(idea)["key"]
    assert [one.key for one in jira.search_issues(f"issuetype = {name}")] == [key]
    assert refused(give, atlassian, is_cloud, "10101", project) == 409  # the project has an idea


def test_issues_follow_a_renamed_and_a_deleted_type(
    atlassian: Any, jira: JIRA, project: str, name: str, is_cloud: bool
) -> None:
    kind = atlassian.create_issue_type(name)
    made = atlassian.create_issuetype_scheme(f"Scheme {name}", "", "10002", ["10002", kind["id"]])
    give(atlassian, is_cloud, str(made.get("issueTypeSchemeId") or made["id"]), project)
    issue = jira.create_issue(project=project, summary="Slow", issuetype={"name": name})
    path = f"rest/api/2/issuetype/{kind['id']}"
    atlassian.put(path, data={"name": f"{name}x"})
    assert jira.issue(issue.key).fields.issuetype.name == f"{name}x"
    assert refused(atlassian.delete, path) == 409
    atlassian.delete(path, params={"alternativeIssueTypeId": "10002"})
    assert jira.issue(issue.key).fields.issuetype.name == "Task"
    assert refused(atlassian.get, path) == 404
    assert [one["name"] for one in atlassian.get_project(project)["issueTypes"]] == ["Task"]


def test_a_type_is_named_once_and_by_administrators(atlassian: Any, nobody: Any, name: str) -> None:
    assert refused(atlassian.create_issue_type, "Task") == 409
    assert refused(atlassian.create_issue_type, "") == 400
    assert refused(nobody.create_issue_type, name) == 403
    assert refused(nobody.create_issuetype_scheme, name, "", "10002", ["10002"]) == 403
    assert refused(atlassian.create_issuetype_scheme, name, "", "10002", ["1"]) == 400


def test_a_scheme_is_changed_and_deleted(atlassian: Any, jira: JIRA, project: str, name: str, is_cloud: bool) -> None:
    made = atlassian.create_issuetype_scheme(name, "", "10002", ["10002"])
    id = made.get("issueTypeSchemeId") or made["id"]
    path = f"rest/api/2/issuetypescheme/{id}"
    give(atlassian, is_cloud, str(id), project)
    assert refused(atlassian.delete, path) == 400
    if is_cloud:
        atlassian.put(f"{path}/issuetype", data={"issueTypeIds": ["10003"]})
        assert len(atlassian.get_project(project)["issueTypes"]) == 2
        atlassian.delete(f"{path}/issuetype/10003")
        shown = atlassian.get(
            "rest/api/3/issuetypescheme/project", params={"projectId": atlassian.get_project(project)["id"]}
        )
        assert shown["values"][0]["issueTypeScheme"]["name"] == name
    else:
        atlassian.put(path, data={"issueTypeIds": ["10002", "10003"]})
        assert [one["key"] for one in jira.get_issue_type_scheme_associations(id)] == [project]
    give(atlassian, is_cloud, "10101", project)
    atlassian.delete(path)
    assert refused(atlassian.get, path) == 404


def test_types_of_links(atlassian: Any, nobody: Any, jira: JIRA, project: str, key: str, name: str) -> None:
    kind = atlassian.create_issue_link_type(name, "is caused by", "causes")
    assert refused(atlassian.create_issue_link_type_by_json, {"name": name, "inward": "a", "outward": "b"}) == 409
    assert refused(nobody.create_issue_link_type, f"{name}x", "a", "b") == 403
    other = jira.create_issue(project=project, summary="Other", issuetype={"name": "Task"}).key
    jira.create_issue_link(name, key, other)
    atlassian.update_issue_link_type(kind["id"], {"outward": "leads to"})
    (link,) = jira.issue(key).fields.issuelinks
    assert (link.type.outward, jira.issue_link_type(kind["id"]).name) == ("leads to", name)
    atlassian.delete_issue_link_type(kind["id"])
    assert jira.issue(key).fields.issuelinks == []
    with pytest.raises(JIRAError, match=f"'{name}'"):
        jira.create_issue_link(name, key, other)
