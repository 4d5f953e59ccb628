"""The projects of one site as its administrators leave them: names, keys, people with roles, bin and archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.catalogue import Project

MAX_PROJECTS = 64
ADMINISTRATORS = "10002"
ADMIN_GROUP = "jira-administrators"


@dataclass(slots=True)
class Actors:
    """Who has a role: people by first user name, groups by name."""

    users: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


def _first_roles() -> dict[str, Actors]:
    return {ADMINISTRATORS: Actors(groups=[ADMIN_GROUP])}


@dataclass(slots=True)
class Details:
    """What a project shows of itself beside its name, and its schemes by id."""

    description: str = ""
    lead: str = "admin"
    url: str = ""
    assignee_type: str = "UNASSIGNED"
    category: str | None = None
    avatar: str = "10200"
    schemes: dict[str, int] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)
    roles: dict[str, Actors] = field(default_factory=_first_roles)

    def actors(self, role: str) -> Actors:
        """Who has this role."""
        return self.roles.setdefault(role, Actors())


class Projects:
    """Found by id, key or former key. Those in the bin are kept apart; archived ones are found, but not listed."""

    def __init__(self) -> None:
        self._by_id = {project.id: project for project in catalogue.PROJECTS}
        self._ids = {project.key: project.id for project in catalogue.PROJECTS}
        self._details: dict[str, Details] = {}
        self.bin: dict[str, Project] = {}
        self.archived: dict[str, int] = {}  # id → since when

    def __iter__(self) -> Iterator[Project]:
        return (project for project in self._by_id.values() if project.id not in self.archived)

    def named(self, id_or_key: str) -> Project | None:
        """The project of an id, a key or a former key."""
        key = id_or_key.upper()
        return self._by_id.get(self._ids.get(key, key))

    def everything(self) -> list[Project]:
        """All, archived ones too."""
        return list(self._by_id.values())

    def details(self, project: Project) -> Details:
        """What is kept of it beside its name."""
        return self._details.setdefault(project.id, Details())

    def keep_details(self, project: Project, details: Details) -> None:
        """Keep these of it from now on."""
        self._details[project.id] = details

    def put(self, project: Project) -> None:
        """Add a project, or replace the one of its id; a former key still leads to it."""
        self._by_id[project.id] = project
        self._ids[project.key] = project.id

    def drop(self, project: Project, *, to_bin: bool) -> None:
        """Take it away, for good or into the bin."""
        self._by_id.pop(project.id, None)
        self.archived.pop(project.id, None)
        if to_bin:
            self.bin[project.id] = project
            return
        self.bin.pop(project.id, None)
        self._details.pop(project.id, None)
        self._ids = {key: id for key, id in self._ids.items() if id != project.id}

    def binned(self, id_or_key: str) -> Project | None:
        """The project in the bin of this id or key."""
        return self.bin.get(self._ids.get(id_or_key.upper(), id_or_key))

    def free_rank(self) -> int | None:
        """A place in the order of keys; None when the site is full."""
        taken = {project.rank for project in (*self._by_id.values(), *self.bin.values())}
        return next((rank for rank in range(MAX_PROJECTS) if rank not in taken), None)
