"""Workflows and the schemes that give them to projects, to be read: this site's are its own and stay as they are."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import Flavour, Project, Transition
from connectors.sandbox.jira.meta_calls import project_named
from connectors.sandbox.jira.times import iso

#: Id of the scheme → name of its workflow, and a project that has it.
WORKFLOWS: dict[str, tuple[str, Project]] = {
    "10200": ("Operations workflow", catalogue.OPS),
    "10201": ("Improvement workflow", catalogue.CIP),
    "10202": ("Improvement with approval", catalogue.IMP),
}


def workflows(call: Call) -> Answer:
    """``GET /workflow``: all, or the one of ``workflowName``."""
    call.administrator()
    wanted = call.param("workflowName")
    shown = [
        {
            "name": name,
            "description": "",
            "lastModifiedDate": iso(call.site.world.start, UTC),
            "steps": len(project.statuses),
            "default": False,
        }
        for name, project in WORKFLOWS.values()
        if not wanted or name == wanted
    ]
    return json_answer(shown[0] if wanted and shown else shown)


def search(call: Call) -> Answer:
    """``GET /workflow/search`` (Cloud), paged, with ``expand`` transitions and statuses."""
    call.administrator()
    wanted = call.names("workflowName")
    found = [_workflow(call, id) for id, (name, _) in WORKFLOWS.items() if not wanted or name in wanted]
    return json_answer(call.page(found))


def schemes(call: Call) -> Answer:
    """``GET /workflowscheme`` (Cloud), paged."""
    call.administrator()
    return json_answer(call.page([_scheme(call, id) for id in WORKFLOWS]))


def scheme(call: Call, id: str) -> Answer:
    """``GET /workflowscheme/{id}``."""
    call.administrator()
    if id not in WORKFLOWS:
        raise ApiError(404, f"The workflow scheme with id '{id}' does not exist.")
    return json_answer(_scheme(call, id))


def scheme_of(call: Call, key: str) -> Answer:
    """``GET /project/{key}/workflowscheme`` (Data Center)."""
    project = project_named(call, key)
    call.project_administrator(project)
    return json_answer(_scheme(call, _scheme_id(project)))


def schemes_of_projects(call: Call) -> Answer:
    """``GET /workflowscheme/project?projectId=…`` (Cloud)."""
    call.only_on(Flavour.CLOUD)
    call.administrator()
    wanted = [project_named(call, id) for id in call.params.get("projectId", ())]
    shown = [
        {"workflowScheme": _scheme(call, id), "projectIds": [one.id for one in wanted if _scheme_id(one) == id]}
        for id in WORKFLOWS
        if any(_scheme_id(one) == id for one in wanted)
    ]
    return json_answer({"values": shown})


def _scheme_id(project: Project) -> str:
    return next(id for id, (_, known) in WORKFLOWS.items() if known.workflow is project.workflow)


def _scheme(call: Call, id: str) -> dict[str, Any]:
    name = WORKFLOWS[id][0]
    return {
        "id": int(id),
        "name": f"{name} scheme",
        "description": "",
        "defaultWorkflow": name,
        "issueTypeMappings": {},
        "draft": False,
        "self": f"{call.parts.api}/workflowscheme/{id}",
    }


def _workflow(call: Call, id: str) -> dict[str, Any]:
    name, project = WORKFLOWS[id]
    expand = {part.partition(".")[0] for part in call.names("expand")}
    shown: dict[str, Any] = {"id": {"name": name, "entityId": id}, "description": "", "isDefault": False}
    if "transitions" in expand:
        shown["transitions"] = [_way(way) for way in call.site.quirks.ways(project.workflow)]
    if "statuses" in expand:
        shown["statuses"] = [{"id": status.id, "name": status.name} for status in project.statuses]
    return shown


def _way(way: Transition) -> dict[str, Any]:
    return {"id": way.id, "name": way.name, "from": list(way.sources or ()), "to": way.to.id, "type": "directed"}
