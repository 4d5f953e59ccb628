"""What this Jira is and lets us do, found by asking: the report behind `connect` and `doctor`."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from connectors.base import Capabilities, Finding
from connectors.clocks import UNTOLD, beside_ours
from connectors.findings import told
from connectors.jira import filters
from connectors.jira.moving import WANTED, platform_state
from connectors.jira.opened import Jira
from connectors.jira.paging import page_size
from connectors.jira.plan import make_plan
from connectors.jira.project import SAID_BY_RESOLUTION, Project
from connectors.jira.site import Site, ask
from connectors.jira.wire import Named, StatusValue
from connectors.jira.writing import MODE
from connectors.mapping import FieldMap
from improvement.errors import MappingError, RegelkreisError
from improvement.records import RecordKind

RIGHTS = {
    "BROWSE_PROJECTS": "Browse Projects",
    "CREATE_ISSUES": "Create Issues",
    "EDIT_ISSUES": "Edit Issues",
    "TRANSITION_ISSUES": "Transition Issues",
    "ADD_COMMENTS": "Add Comments",
    "CREATE_ATTACHMENTS": "Create Attachments",
    "LINK_ISSUES": "Link Issues",
}
MAX_SKEW_S = 120


class _TypeStatuses(msgspec.Struct, frozen=True):
    id: str
    statuses: list[StatusValue] = []


def describe(jira: Jira) -> Capabilities:
    """Ask and report. Raises only where nothing can be said at all: unreachable, or credentials refused."""
    site = jira.site
    refused = told("filters", partial(_filters, jira, site))
    findings = [
        Finding(check="reachability", is_ok=True, detail=f"Jira {_flavour(site)} {site.info.version}"),
        Finding(check="credentials", is_ok=True, detail=f"signed in as {site.me.display_name} ({site.me.account})"),
        Finding(check="time zone", is_ok=True, detail=f"{site.zone.key}: searches by time are asked in it"),
        _clock(site, jira.reader.now(), jira.config.url),
        *_mapping(jira, site),
        *told("choices priority", partial(_priorities, jira)),
        *(refused or told("permission tickets", partial(_visible, jira))),
    ]
    project, problem = _project(jira)
    rights = _rights(jira, project)
    findings += rights
    lacking = [right.check for right in rights if not right.is_ok]
    if project is None:
        modes = {MODE: problem}
    elif lacking:
        modes = {MODE: f"our user lacks {', '.join(lacking)} in project {project.key}"}
    elif project.required():
        names = ", ".join(one.name for one in project.required())
        modes = {MODE: f"project {project.key} demands fields that we do not know: {names}"}
    else:
        modes = {MODE: "available"}
    if project is not None:
        findings += told(f"workflow of {project.key}", partial(_workflow, jira, project))
    unresolved = project.unresolved if project is not None else {}
    unwritten = ", ".join(sorted(ours for ours, why in unresolved.items() if why != SAID_BY_RESOLUTION))
    detail = f"{MODE}: {modes[MODE]}" + (f"; without a field: {unwritten}" if unwritten else "")
    findings.append(Finding(check="write-back", is_ok=modes[MODE] == "available", detail=detail))
    return Capabilities(
        platform="jira",
        flavour=_flavour(site),
        version=site.info.version,
        user=site.me.account,
        time_zone=site.zone.key,
        mode=MODE if modes[MODE] == "available" else None,
        modes=modes,
        columns=dict(project.columns) if project is not None else {},
        unresolved=dict(project.unresolved) if project is not None else {},
        findings=tuple(findings),
        rows_per_page=page_size(jira.config, site),
    )


def _flavour(site: Site) -> str:
    return "cloud" if site.is_cloud else "datacenter"


def _clock(site: Site, now: datetime, address: str) -> Finding:
    if site.info.present is None:
        return UNTOLD
    return beside_ours(site.info.present, now, address=address, most_s=MAX_SKEW_S)


def _mapping(jira: Jira, site: Site) -> list[Finding]:
    try:
        plan = make_plan(jira.config, jira.mapping, site)
    except MappingError as error:
        return [Finding(check="mapping", is_ok=False, detail=str(error), mend=error.mend)]
    found = [
        Finding(
            check=f"mapping of {kind.value}s",
            is_ok=kind in plan.where,
            detail=plan.where.get(kind, "nothing on this Jira to read it from"),
            mend="" if kind in plan.where else "Name the issue types or fields in the connection's mapping.",
        )
        for kind in jira.mapping.kinds()
    ]
    for missing in dict.fromkeys(plan.missing):
        mend = "Map it to what it is called here, or leave that column empty."
        found.append(Finding(check="mapping", is_ok=False, detail=f"This Jira has no {missing}.", mend=mend))
    return found


def _priorities(jira: Jira) -> list[Finding]:
    """The priorities of this Jira that the mapping does not name: sites rename, add and translate them."""
    fields = {source.source: source.fields.get("priority") for source in jira.mapping.of_kind(RecordKind.TICKET)}
    named = {
        name: field
        for name, field in fields.items()
        if field is not None and field.values and field.otherwise is None and _is_priority(jira, name, field)
    }
    if not named:
        return []
    names = [one.name or "" for one in ask(jira.reader, "/priority", list[Named], what="priorities")]
    sources: dict[tuple[str, ...], list[str]] = {}
    for source, field in named.items():
        unknown = tuple(name for name in names if name.strip().casefold() not in field.values)
        sources.setdefault(unknown, []).append(source)
    return [
        Finding(
            check="choices priority",
            is_ok=False,
            detail=f"{', '.join(unknown)}: not in the mapping of {', '.join(of)}, so such tickets have no priority",
            mend="Say what they mean, 1 to 5: values of priority in the connection's mapping.",
        )
        for unknown, of in sources.items()
        if unknown
    ]


def _is_priority(jira: Jira, source: str, field: FieldMap) -> bool:
    """Whether it is read from Jira's own field, by its id or its name, and from no other."""
    try:
        found = [jira.site.fields.value_field(name, source=source, used_for="priority") for name in field.fields]
    except MappingError:
        return False  # told with the mapping
    return [one.id for one in found] == ["priority"]


def _filters(jira: Jira, site: Site) -> list[Finding]:
    """The filters that Jira refuses."""
    enabled = {name: source for name, source in jira.mapping.sources.items() if source.is_enabled}
    flaws = {name: filters.flaw(jira.reader, site, source) for name, source in enabled.items()}
    return [
        Finding(check=f"filter {name}", is_ok=False, detail=flaw, mend=filters.MEND)
        for name, flaw in flaws.items()
        if flaw
    ]


def _visible(jira: Jira) -> list[Finding]:
    """How many tickets we see: Jira does not refuse what a user may not browse, it leaves it out."""
    if RecordKind.TICKET not in jira.mapping.kinds():
        return []
    try:
        puller = jira.puller
    except MappingError:
        return []  # told already, with its remedy
    try:
        seen = puller.count(RecordKind.TICKET, until=jira.reader.now())
    except MappingError as error:
        return [Finding(check="mapping", is_ok=False, detail=error.what, mend=error.mend)]
    if seen:
        visible = "1 ticket is" if seen == 1 else f"{seen} tickets are"
        return [Finding(check="permission tickets", is_ok=True, detail=f"{visible} visible to us")]
    return [
        Finding(
            check="permission tickets",
            is_ok=False,
            detail="no ticket is visible to us",
            mend="Give our user Browse Projects on the projects to be measured, unless they are really empty.",
        )
    ]


def _project(jira: Jira) -> tuple[Project | None, str]:
    try:
        return jira.project, ""
    except RegelkreisError as error:
        return None, str(error)


def _workflow(jira: Jira, project: Project) -> list[Finding]:
    """What the statuses of the improvement project are taken for, and which of our states none of them stands for."""
    shape = list[_TypeStatuses]
    types: list[_TypeStatuses] = ask(jira.reader, f"/project/{project.key}/statuses", shape, what="workflow")
    statuses = next((kind.statuses for kind in types if kind.id == project.task.id), [])
    taken = {status: platform_state(status, jira.config) for status in statuses}
    shown = ", ".join(f"{status.name} ({status.id}) = {state}" for status, state in taken.items())
    findings = [Finding(check=f"workflow of {project.key}", is_ok=True, detail=shown)]
    absent = sorted(set(WANTED.values()) - set(taken.values()))
    if absent and taken:
        findings.append(
            Finding(
                check=f"workflow of {project.key}",
                is_ok=False,
                detail=f"no status stands for {', '.join(absent)}: there we comment instead of moving the issue",
                mend="Say in the connection's statuses which id or name means it, or add a status.",
            )
        )
    return findings


def _rights(jira: Jira, project: Project | None) -> list[Finding]:
    """Our permissions in the improvement project."""
    if project is None:
        return []
    params = {"projectKey": project.key, "permissions": ",".join(RIGHTS)}
    answer: dict[str, Any] = ask(jira.reader, "/mypermissions", dict[str, Any], params=params)
    held = answer.get("permissions") or {}
    return [
        Finding(
            check=name,
            is_ok=bool((held.get(key) or {}).get("havePermission")),
            detail=f"in project {project.key}",
            mend="" if (held.get(key) or {}).get("havePermission") else f"Give our user the permission {name}.",
        )
        for key, name in RIGHTS.items()
    ]
