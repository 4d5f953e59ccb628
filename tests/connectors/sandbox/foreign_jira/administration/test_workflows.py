"""Workflows are read, with the schemes that give them to projects."""

from __future__ import annotations

from typing import Any

from jira import JIRA

from tests.connectors.sandbox.foreign_jira.clients import refused


def test_a_project_has_a_workflow(atlassian: Any, nobody: Any, jira: JIRA, project: str, is_cloud: bool) -> None:
    assert {one["name"] for one in atlassian.get_all_workflows()} >= {"Improvement workflow", "Operations workflow"}
    assert refused(nobody.get_all_workflows) == 403
    if is_cloud:
        (found,) = atlassian.get_workflows_paginated(
            workflow_name="Improvement workflow", expand="transitions,statuses"
        )["values"]
        assert "Start work" in {way["name"] for way in found["transitions"]}
        assert {"To Do", "Done"} <= {status["name"] for status in found["statuses"]}
        id = atlassian.get_project(project)["id"]
        told = atlassian.get("rest/api/3/workflowscheme/project", params={"projectId": id})["values"]
        shown = told[0]["workflowScheme"]
    else:
        shown = jira.project_workflow_scheme(project).raw
    assert shown["defaultWorkflow"] == "Improvement workflow"
    assert atlassian.get(f"rest/api/2/workflowscheme/{shown['id']}")["name"] == shown["name"]
    assert refused(atlassian.get, "rest/api/2/workflowscheme/1") == 404
