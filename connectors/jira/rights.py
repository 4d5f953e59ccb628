"""The project permissions and OAuth scopes a Jira must grant us: for reading, and for writing improvement issues.

Scopes are the classic ones of Atlassian's page *Scopes for OAuth 2.0 (3LO) and Forge apps*; they matter on Cloud with
OAuth only: with an API token or a personal access token the permissions of the user decide alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from connectors.base import Finding
from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira.opened import Jira
from connectors.jira.site import ServerInfo, Site, ask
from connectors.mapping import PlatformMapping
from connectors.rights import EVERYTHING, Operation, Right
from connectors.transport import LOOPBACK
from improvement.errors import RegelkreisError
from improvement.records import RecordKind

USER, READ, WRITE = "read:jira-user", "read:jira-work", "write:jira-work"
DESK = "read:servicedesk-request"
MEASURED = "the projects to be measured"
ADOPTED = "the projects of adopted issues"
MODE = "write jira"
ADOPT = "adopt"
ATLASSIAN_HOSTS = (".atlassian.net", ".atlassian.com")
BROWSE = "Give our user Browse Projects."
SHOWN, PAGE = 12, 100
_SCOPES = re.compile(r" \(OAuth: [^)]*\)")
_PROJECT = re.compile(r"\bproject\s*(?:=|\bin\b)\s*(?P<names>\([^)]*\)|\"[^\"]+\"|'[^']+'|[\w-]+)", re.IGNORECASE)


class _Project(msgspec.Struct, frozen=True):
    id: str = ""
    key: str = ""
    name: str = ""


class _Projects(msgspec.Struct, frozen=True, rename="camel"):
    values: list[_Project] = []
    is_last: bool = True


class Endpoints(NamedTuple):
    """What the two flavours call differently."""

    search: str
    history: str
    projects: str


CLOUD = Endpoints(
    "POST /search/jql, /search/approximate-count",
    "POST /changelog/bulkfetch, GET /issue/{id}, /issue/{id}/changelog",
    "GET /project/search",
)
DATA_CENTER = Endpoints("GET /search", "GET /issue/{id}", "GET /project")
#: (permission, endpoints, operations, why) in the improvement project.
WRITES: tuple[tuple[str, str, tuple[Operation, ...], str], ...] = (
    (
        "Browse Projects",
        "GET /project/{key}, /project/{key}/statuses, /mypermissions, /issue/createmeta/{key}/issuetypes, "
        "/issue/createmeta/{key}/issuetypes/{id}, /issue/{id}/comment, /issue/{id}/remotelink",
        ("read",),
        "find a record before it is created, read it back, follow what people do on it",
    ),
    ("Create Issues", "POST /issue", ("create",), "an issue for an action, a sub-task for a task"),
    (
        "Edit Issues",
        "GET /issue/{id}/editmeta, PUT /issue/{id}, /issue/{id}/properties/regelkreis",
        ("read", "update"),
        "fields, labels, and our entity property",
    ),
    ("Transition Issues", "GET, POST /issue/{id}/transitions", ("read", "update"), "follow the action's state"),
    ("Add Comments", "POST /issue/{id}/comment", ("create",), "notes at approval, verdict and addendum"),
    ("Create Attachments", "POST /issue/{id}/attachments", ("create",), "the review record and its chart as files"),
    (
        "Link Issues",
        "GET /issueLinkType, POST /issueLink, /issue/{id}/remotelink",
        ("read", "create"),
        "links to triggering tickets and to our page",
    ),
)


def rights(config: ConnectionConfig, mapping: PlatformMapping, site: Site | None, reader: Reader) -> Sequence[Right]:
    """Every right, in the order in which they are needed. ``site``: None where it was not asked what it is."""
    host = urlsplit(config.url).hostname or ""
    is_at_atlassian = config.auth_kind == "oauth" or host.endswith(ATLASSIAN_HOSTS)
    if site is not None:
        is_cloud = site.is_cloud
    else:
        is_cloud = is_at_atlassian or (host in LOOPBACK and _says_it_is_cloud(reader))
    found = _all(config, mapping, CLOUD if is_cloud else DATA_CENTER)
    if is_at_atlassian:
        return found
    return [msgspec.structs.replace(right, least=_SCOPES.sub("", right.least)) for right in found]


def _says_it_is_cloud(reader: Reader) -> bool:
    """What a Jira says of itself; False where it does not answer."""
    try:
        info: ServerInfo = ask(reader, "/serverInfo", ServerInfo)
    except RegelkreisError:
        return False
    return info.is_cloud


def _all(config: ConnectionConfig, mapping: PlatformMapping, here: Endpoints) -> list[Right]:
    found = [
        Right(
            use=EVERYTHING,
            where=f"GET /myself, /serverInfo, /field, /issuetype, /status, /priority, {here.projects}",
            operations=("read",),
            least=_least("any signed-in user", USER, READ),
            why="who we are, our time zone, which fields, types, statuses and projects there are",
        )
    ]
    kinds = mapping.kinds()
    for kind, what in _READ.items():
        if kind in kinds:
            found.append(_reading(f"pull {kind.value}s", f"{here.search}, {here.history}", what))
    found.append(_agent())
    found.append(_reading("deletions", f"{here.search}, GET /issue/{{id}}", "which issues are gone, by counts and ids"))
    if RecordKind.TICKET in kinds:
        found.append(
            _reading(
                "whose minutes", f"{here.search}, {here.history}", "when late issues were on hold, by their history"
            )
        )
    found += _writing(config, here)
    found += _adopting(here)
    if config.oauth is not None:
        found.append(
            Right(
                use=EVERYTHING,
                where="the OAuth app",
                operations=("read",),
                least="scope offline_access",
                why="a refresh token; without it access would end after an hour",
            )
        )
    return found


def ungranted(jira: Jira) -> list[Finding]:
    """What the report does not look at: which projects we may browse, and whether we may name an issue's owner."""
    seen, is_complete = _projects(jira)
    names = ", ".join(project.key for project in seen[:SHOWN])
    more = "" if is_complete and len(seen) <= SHOWN else " and more"
    found = [Finding(check="projects", is_ok=bool(seen), detail=f"we may browse {names or 'none'}{more}",
                     mend="" if seen else BROWSE)]  # fmt: skip
    if is_complete:
        known = {word.casefold() for project in seen for word in (project.id, project.key, project.name)}
        found += [_unseen(name) for name in _named(jira.mapping) if name.casefold() not in known]
    return [*found, *_assigning(jira)]


def _unseen(name: str) -> Finding:
    return Finding(
        check=f"permission project {name}",
        is_ok=False,
        detail=f"the mapping names {name}; we do not see it",
        mend=f"{BROWSE[:-1]} in {name}, or correct the filter.",
    )


def _projects(jira: Jira) -> tuple[list[_Project], bool]:
    """The projects we see, and whether these are all: Cloud pages them, and one page is enough for a report."""
    if not jira.site.is_cloud:
        everything: list[_Project] = ask(jira.reader, "/project", list[_Project], what="projects")
        return everything, True
    page: _Projects = ask(jira.reader, "/project/search", _Projects, what="projects", params={"maxResults": PAGE})
    return page.values, page.is_last


def _named(mapping: PlatformMapping) -> list[str]:
    """The projects that the mapping's filters ask for, by key, name or id."""
    found: list[str] = []
    for source in mapping.sources.values():
        for match in _PROJECT.finditer(source.filter if source.is_enabled else ""):
            found += [word.strip().strip("\"'") for word in match["names"].strip("()").split(",")]
    return list(dict.fromkeys(word for word in found if word))


def _assigning(jira: Jira) -> list[Finding]:
    try:
        project = jira.project
    except RegelkreisError:
        return []  # told already, with its remedy
    params = {"projectKey": project.key, "permissions": "ASSIGN_ISSUES"}
    answer: dict[str, Any] = ask(jira.reader, "/mypermissions", dict[str, Any], params=params)
    held = (answer.get("permissions") or {}).get("ASSIGN_ISSUES") or {}
    is_held = bool(held.get("havePermission"))
    detail = f"in project {project.key}" + ("" if is_held else ": issues stay unassigned")
    return [Finding(check="Assign Issues", is_ok=True, detail=detail)]


_READ: dict[RecordKind, str] = {
    RecordKind.TICKET: "issues of the mapped types with their history: reopenings, reassignments, time in status",
    RecordKind.SLA: "SLA fields of these issues",
    RecordKind.SURVEY: "satisfaction ratings of these issues",
    RecordKind.CONTACT: "issues of the mapped contact types",
}


def _agent() -> Right:
    return Right(
        use="pull slas",
        where="Jira Service Management",
        operations=("read",),
        least="a licence as agent in the measured service projects",
        why="SLA fields and ratings are shown to agents",
        without="SLA clocks and ratings stay empty",
    )


def _reading(use: str, endpoints: str, why: str) -> Right:
    where = f"{MEASURED}: {endpoints}"
    return Right(use=use, where=where, operations=("read",), least=_least("Browse Projects", READ), why=why)


def _adopting(here: Endpoints) -> list[Right]:
    """Improvements that people began themselves, in whatever project (docs/decisions/021)."""
    lost = "issues of other projects than the improvement project cannot be adopted"
    written = (
        "PUT /issue/{id}, /issue/{id}/properties/regelkreis, "
        "POST /issue/{id}/comment, /issue/{id}/attachments, /issue/{id}/remotelink"
    )
    return [
        Right(
            use=ADOPT,
            where=f"{ADOPTED}: GET /issue/{{id}}, /issue/{{id}}/remotelink, /issue/{{id}}/comment, {here.search}",
            operations=("read",),
            least=_least("Browse Projects", READ),
            why="the issue that `actions adopt` names, and what people do on it",
            without=lost,
        ),
        Right(
            use=ADOPT,
            where=f"{ADOPTED}: GET /issue/{{id}}/editmeta, {written}",
            operations=("read", "update", "create"),
            least=_least("Edit Issues, Add Comments, Create Attachments, Link Issues", WRITE),
            why="measured fields where nobody else wrote, notes, files, our entity property, the link to our page",
            without=lost,
        ),
    ]


def _writing(config: ConnectionConfig, here: Endpoints) -> list[Right]:
    project = f"project {config.improvement_project}"
    finding = f", {here.history.removeprefix('GET ')}, {here.search}"
    found = [
        Right(
            use=MODE,
            where=f"{project}: {endpoints}{finding if operations == ('read',) else ''}",
            operations=operations,
            least=_least(permission, READ if operations == ("read",) else WRITE),
            why=why,
        )
        for permission, endpoints, operations, why in WRITES
    ]
    other_end = Right(
        use=MODE,
        where=f"{MEASURED}: POST /issueLink",
        operations=("update",),
        least=_least("Link Issues", WRITE),
        why="the other end of a link: up to ten triggering tickets of an action",
        without="no links to the triggering tickets",
    )
    return [
        *found,
        *((other_end,) if config.links_triggers else ()),
        Right(
            use=MODE,
            where=project,
            operations=("update",),
            least=_least("Assign Issues", WRITE),
            why="name the owner",
            without="issues stay unassigned",
        ),
        Right(
            use=MODE,
            where=f"{project}: GET /rest/servicedeskapi/request/{{id}}/approval",
            operations=("read",),
            least=_least("agent in the project, where it is one of Service Management", DESK),
            why="approvals as Service Management holds them",
            without="approvals are given in Regelkreis",
        ),
    ]


def _least(permission: str, *scopes: str) -> str:
    """The permission and, where scopes are granted, at Atlassian itself, these."""
    return f"{permission} (OAuth: {', '.join(scopes)})"
