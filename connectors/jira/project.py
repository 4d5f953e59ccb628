"""The improvement project: its issue type, its create screen, and where our fields have a place on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.answers import is_absent
from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira.fields import Fields
from connectors.jira.site import Site, ask
from connectors.jira.wire import FieldSchema
from connectors.mapping import near_matches
from improvement.errors import ConnectionFailed, MappingError, PermissionMissing, Place
from improvement.records import OUTBOUND_FIELDS

#: Our field → the name of the Jira field that carries it, unless the connection's ``columns`` say otherwise.
COLUMNS: dict[str, str] = {
    "title": "summary",
    "description": "description",
    "hypothesis": "description",
    "service": "Affected service",
    "owner": "assignee",
    "due": "duedate",
    "baseline": "Baseline",
    "target": "Target value",
    "next_review": "Next review",
    "planned_start": "Planned start",
    "planned_end": "Planned end",
    "method": "Measurement method",
    "state": "status",
    "verdict": "Verdict",
    "url": "remote link",
}
SAID_BY_RESOLUTION = "the resolution of a closed issue says it"
_ELSEWHERE = frozenset({"status", "remote link"})  # not on a screen: transitions and the remote link carry them
TASK_NAMES = ("task", "aufgabe", "tâche", "tarea")
PAGE = 50


class Allowed(msgspec.Struct, frozen=True):
    """One choice of a select field."""

    id: str | None = None
    value: str | None = None
    name: str | None = None


class ScreenField(msgspec.Struct, frozen=True, rename="camel"):
    """A field of the create screen. Cloud calls its id ``fieldId``, older Data Centers ``key``."""

    required: bool = False
    name: str = ""
    field_id: str | None = None
    key: str | None = None
    schema: FieldSchema | None = None
    has_default_value: bool = False
    allowed_values: list[Allowed] = []

    @property
    def id(self) -> str:
        """The field's id."""
        return self.field_id or self.key or ""


class SubtaskType(msgspec.Struct, frozen=True):
    """An issue type of the project."""

    id: str
    name: str = ""
    subtask: bool = False


class ProjectInfo(msgspec.Struct, frozen=True, rename="camel"):
    """``GET /project/{key}``: what may be read without the right to create anything."""

    id: str
    key: str
    name: str = ""
    project_type_key: str = "software"

    @property
    def is_service_desk(self) -> bool:
        """Whether comments may be internal and requests may carry native approvals."""
        return self.project_type_key == "service_desk"


@dataclass(frozen=True, slots=True)
class Project:
    """Where improvement actions live on this Jira.

    ``columns``: our field → field id it is written to; ``unresolved``: our field → why it has no place.
    """

    id: str
    key: str
    task: SubtaskType
    subtask: SubtaskType | None
    screen: dict[str, ScreenField]
    columns: dict[str, str]
    unresolved: dict[str, str] = field(default_factory=dict)

    @property
    def names(self) -> dict[str, str]:
        """Field id → our field written to it; the description also holds the hypothesis."""
        return {field_id: name for name, field_id in self.columns.items() if name != "hypothesis"}

    def required(self) -> list[ScreenField]:
        """Fields that must be given at create and that we do not give."""
        given = {*self.columns.values(), "project", "issuetype", "summary", "reporter", "labels"}
        return [
            one for one in self.screen.values() if one.required and not one.has_default_value and one.id not in given
        ]


def read_project(reader: Reader, config: ConnectionConfig) -> ProjectInfo:
    """The improvement project as everybody sees it. Raises :class:`MappingError` where there is none."""
    key = config.improvement_project
    try:
        info: ProjectInfo = ask(reader, f"/project/{key}", ProjectInfo)
    except ConnectionFailed as error:
        if not is_absent(error):
            raise
        raise MappingError(
            f"There is no project “{key}”, or our user may not see it.",
            where=Place(connection=config.name, field="improvement_project"),
            mend="Create it, give our user the project permissions, or name another project.",
        ) from None
    return info


def find_project(reader: Reader, config: ConnectionConfig, site: Site, info: ProjectInfo) -> Project:
    """What may be created in the improvement project. Raises :class:`MappingError` or :class:`PermissionMissing`."""
    key = info.key
    types = msgspec.convert(_paged(reader, f"/issue/createmeta/{key}/issuetypes", "issueTypes"), list[SubtaskType])
    task = _task_type(types)
    if task is None:
        raise PermissionMissing(
            f"Our user may not create issues in project {key}.",
            where=Place(connection=config.name, field="improvement_project"),
            mend="Give it the project permission Create Issues.",
        )
    found = _paged(reader, f"/issue/createmeta/{key}/issuetypes/{task.id}", "fields")
    screen = {one.id: one for one in msgspec.convert(found, list[ScreenField])}
    columns, unresolved = _columns(config, site.fields, screen)
    return Project(
        id=info.id,
        key=info.key,
        task=task,
        subtask=next((kind for kind in types if kind.subtask), None),
        screen=screen,
        columns=columns,
        unresolved=unresolved,
    )


def _paged(reader: Reader, path: str, cloud_key: str) -> list[Any]:
    """All entries of a paged createmeta list; Cloud and Data Center name the list differently."""
    found: list[Any] = []
    while True:
        params = {"startAt": len(found), "maxResults": PAGE}
        page: dict[str, Any] = ask(reader, path, dict[str, Any], what="create screen", params=params)
        entries = page.get(cloud_key, page.get("values"))
        if entries is None:
            raise ConnectionFailed(
                f"{reader.config.url} sent no list of what may be created ({path}).",
                where=Place(connection=reader.config.name),
                mend="Try again; if it stays so, `regelkreis doctor` shows what this Jira answers.",
            )
        found.extend(entries)
        if not entries or len(found) >= int(page.get("total", 0)):
            return found


def _task_type(types: list[SubtaskType]) -> SubtaskType | None:
    """The type named Task, else the first that is no sub-task; None where we may create nothing."""
    plain = [kind for kind in types if not kind.subtask]
    return next((kind for kind in plain if kind.name.casefold() in TASK_NAMES), plain[0] if plain else None)


def _columns(
    config: ConnectionConfig, fields: Fields, screen: dict[str, ScreenField]
) -> tuple[dict[str, str], dict[str, str]]:
    columns: dict[str, str] = {}
    unresolved: dict[str, str] = {}
    names = COLUMNS | config.columns
    for ours in config.columns:
        if ours not in OUTBOUND_FIELDS:
            raise MappingError(
                f"“{ours}” is no field we write.{near_matches(ours, OUTBOUND_FIELDS)}",
                where=Place(connection=config.name, field=f"columns.{ours}"),
                mend=f"Fields we write: {', '.join(OUTBOUND_FIELDS)}.",
            )
    for ours in OUTBOUND_FIELDS:
        name = names.get(ours)
        if name is None:
            unresolved[ours] = SAID_BY_RESOLUTION
            continue
        if name in _ELSEWHERE:
            columns[ours] = name
            continue
        if name not in fields:
            unresolved[ours] = f"this Jira has no field “{name}”"
            continue
        found = fields.value_field(name, source="columns", used_for=ours)
        if found.id not in screen:
            unresolved[ours] = f"“{name}” is not on the create screen of project {config.improvement_project}"
            continue
        columns[ours] = found.id
    return columns, unresolved
