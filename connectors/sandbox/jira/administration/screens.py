"""The screens of one site: which fields may be set at create and afterwards, in tabs, by project."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.sandbox.jira.catalogue import CREATE_REQUIRED, SCREENS, Project


@dataclass(slots=True)
class Tab:
    """A tab of a screen with the ids of its fields."""

    id: str
    name: str
    fields: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Screen:
    """A screen. What every issue must have is on each of them and not listed."""

    id: str
    name: str
    description: str = ""
    tabs: list[Tab] = field(default_factory=list)

    def fields(self) -> list[str]:
        """The ids of all its fields."""
        return [id for tab in self.tabs for id in tab.fields]


class Screens:
    """All screens by id."""

    def __init__(self) -> None:
        self.by_id = {
            id: Screen(id, f"{name} screen", tabs=[Tab(f"{id}00", "Field Tab", list(fields))])
            for id, (name, fields) in SCREENS.items()
        }

    def fields_of(self, project: Project) -> tuple[str, ...]:
        """The fields of a project's issues that may be set at create, required ones first."""
        return (*CREATE_REQUIRED, *self.by_id[project.screen].fields())

    def editable(self, project: Project) -> frozenset[str]:
        """The fields that may be changed afterwards."""
        return frozenset(self.fields_of(project)) - {"project"}
