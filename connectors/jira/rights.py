"""The project permissions and OAuth scopes a Jira must grant us: for reading, and for writing improvement issues.

Scopes are the classic ones of Atlassian's page *Scopes for OAuth 2.0 (3LO) and Forge apps*; they matter on Cloud with
OAuth only: with an API token or a personal access token the permissions of the user decide alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from connectors.base import Finding
from connectors.config import ConnectionConfig
from connectors.jira.site import ask
from connectors.mapping import PlatformMapping
from connectors.rights import EVERYTHING, Operation, Right
from improvement.errors import RegelkreisError
from improvement.records import RecordKind

if TYPE_CHECKING:
    from connectors.jira.connector import JiraConnector

USER, READ, WRITE = "read:jira-user", "read:jira-work", "write:jira-work"
DESK = "read:servicedesk-request"
MEASURED = "the projects to be measured"
MODE = "write jira"

#: (permission, endpoints, operations, why) in the improvement project.
WRITES: tuple[tuple[str, str, tuple[Operation, ...], str], ...] = (
    ("Browse Projects", "GET /project, /issue/createmeta, /search", ("read",), "find a record before it is created"),
    ("Create Issues", "POST /issue", ("create",), "an issue for an action, a sub-task for a task"),
    (
        "Edit Issues",
        "PUT /issue/{id}, PUT /issue/{id}/properties/regelkreis",
        ("update",),
        "fields, labels, and our entity property",
    ),
    ("Transition Issues", "GET, POST /issue/{id}/transitions", ("read", "update"), "follow the action's state"),
    ("Add Comments", "POST /issue/{id}/comment", ("create",), "notes at approval, verdict and addendum"),
    ("Create Attachments", "POST /issue/{id}/attachments", ("create",), "the review record and its chart as files"),
    (
        "Link Issues",
        "POST /issueLink, /issue/{id}/remotelink",
        ("create",),
        "links to triggering tickets and to our page",
    ),
)


def rights(config: ConnectionConfig, mapping: PlatformMapping) -> Sequence[Right]:
    """Every right, in the order in which they are needed."""
    found = [
        Right(
            use=EVERYTHING,
            where="GET /myself, /serverInfo, /field, /issuetype, /status",
            operations=("read",),
            least=_least("any signed-in user", USER, READ),
            why="who we are, our time zone, which fields, types and statuses there are",
        )
    ]
    kinds = mapping.kinds()
    for kind, what in _READ.items():
        if kind in kinds:
            found.append(
                Right(
                    use=f"pull {kind.value}s",
                    where=f"{MEASURED}: /search, /issue/{{id}}/changelog",
                    operations=("read",),
                    least=_least("Browse Projects", READ),
                    why=what,
                )
            )
    found += [_agent(), *_writing(config)]
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


def ungranted(connector: JiraConnector) -> list[Finding]:
    """What the report does not look at: whether we may name the owner of an improvement issue."""
    try:
        project = connector.project
    except RegelkreisError:
        return []  # told already, with its remedy
    params = {"projectKey": project.key, "permissions": "ASSIGN_ISSUES"}
    answer: dict[str, Any] = ask(connector.reader, "/mypermissions", dict[str, Any], params=params)
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


def _writing(config: ConnectionConfig) -> list[Right]:
    project = f"project {config.improvement_project}"
    found = [
        Right(
            use=MODE,
            where=f"{project}: {endpoints}",
            operations=operations,
            least=_least(permission, READ if operations == ("read",) else WRITE),
            why=why,
        )
        for permission, endpoints, operations, why in WRITES
    ]
    return [
        *found,
        Right(
            use=MODE,
            where=MEASURED,
            operations=("update",),
            least=_least("Link Issues", WRITE),
            why="the other end of a link",
            without="no links to the triggering tickets",
        ),
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
    return f"{permission} (OAuth: {', '.join(scopes)})"
