"""What Service Management keeps beside requests: organisations, customers, files on their way, own request types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.jira.catalogue import IMP, OPS, Project

#: Service desk → the project it serves, as it is at first.
DESKS: dict[str, Project] = {"1": OPS, "2": IMP}


@dataclass(slots=True)
class Organization:
    """Customers who share their requests; ``members`` are user names."""

    id: str
    name: str
    members: list[str] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class RequestType:
    """A kind of request as the portal offers it: an issue type under a name of its own."""

    id: str
    desk: str
    issue_type: str
    name: str
    description: str = ""
    help: str = ""
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class TemporaryFile:
    """A file that was sent to a service desk and hangs on no request yet."""

    name: str
    media_type: str
    content: bytes


class ServiceOffice:
    """What the service desks of a site keep; at first each offers every issue type of its project."""

    def __init__(self) -> None:
        self.organizations: dict[str, Organization] = {}
        self.organizations_of: dict[str, list[str]] = {id: [] for id in DESKS}
        self.customers_of: dict[str, list[str]] = {id: [] for id in DESKS}
        self.files: dict[str, TemporaryFile] = {}
        self.request_types: dict[str, dict[str, RequestType]] = {
            id: {kind.id: RequestType(kind.id, id, kind.id, kind.name) for kind in project.types if not kind.is_subtask}
            for id, project in DESKS.items()
        }
        self.portal_only: set[str] = set()  # user names of customers made here, whom no other product knows
        self.rated: set[int] = set()  # issues whose reporter answered through the API
