"""An issue and everything that hangs on it. All instants are epoch seconds UTC."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any

from connectors.sandbox.jira.catalogue import IssueType, Project, Status
from connectors.sandbox.world import WorldTicket

NUMBER_BITS = 22  # four million issues a project, 64 projects


@dataclass(slots=True)
class Comment:
    """A comment; ``body`` is wiki text, ``is_internal`` hides it from customers."""

    id: str
    author: str
    body: str
    created: int
    updated: int
    is_internal: bool = False


@dataclass(slots=True)
class Attachment:
    """A file on an issue."""

    id: str
    author: str
    name: str
    media_type: str
    content: bytes
    created: int


@dataclass(slots=True)
class Link:
    """A link between two issues, seen from one of them."""

    id: str
    type_id: str
    other: int
    is_outward: bool


@dataclass(slots=True)
class RemoteLink:
    """A link to a page elsewhere; ``document`` is what the caller sent, with nulls where fields were left out."""

    id: int
    document: dict[str, Any]


@dataclass(slots=True)
class HistoryItem:
    """One field that changed."""

    field: str
    field_id: str
    is_custom: bool
    old: str | None
    old_text: str | None
    new: str | None
    new_text: str | None


@dataclass(slots=True)
class History:
    """One change of an issue by one person."""

    id: str
    author: str
    at: int
    items: list[HistoryItem]


@dataclass(slots=True)
class Worklog:
    """Time that somebody spent on an issue."""

    id: str
    issue: int
    author: str
    text: str
    started: int
    seconds: int
    created: int
    updated: int = 0


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the reporter of a request said of it through the API."""

    rating: int
    at: int
    body: str


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What an administrator did, and to what; ``details`` is the whole record where a client stored one."""

    id: int
    author: str
    at: int
    summary: str
    category: str
    about: str
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Approval:
    """A question to several people; ``decisions``: user name → pending, approved or declined."""

    id: str
    created: int
    decisions: dict[str, str]
    completed: int | None = None
    final: str = "pending"


@dataclass(slots=True)
class Extras:
    """What only few issues have; made when first needed."""

    comments: list[Comment] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    remote_links: list[RemoteLink] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    histories: list[History] = field(default_factory=list)
    watchers: list[str] = field(default_factory=list)
    voters: list[str] = field(default_factory=list)
    pins: dict[str, tuple[str, int]] = field(default_factory=dict)  # comment id → who pinned it, when
    subtasks: list[int] = field(default_factory=list)
    worklogs: list[Worklog] = field(default_factory=list)
    approvals: list[Approval] = field(default_factory=list)
    comment_properties: dict[str, dict[str, Any]] = field(default_factory=dict)  # comment id → key → value
    values: dict[str, Any] = field(default_factory=dict)  # custom values that world tickets never have


@dataclass(slots=True, eq=False)
class Issue:
    """One issue. ``ticket`` is what the world knows of it; ``applied`` counts the world's events already shown."""

    id: int
    project: Project
    number: int
    type: IssueType
    summary: str
    status: Status
    created: int
    updated: int
    reporter: str
    priority: str | None = "3"
    resolved: int | None = None
    resolution: str | None = None
    description: str = ""
    labels: tuple[str, ...] = ()
    assignee: str | None = None
    due: str | None = None
    parent: int | None = None
    customer: str | None = None
    country: str | None = None
    service: str | None = None
    supplier: str | None = None
    category: str | None = None
    group: str | None = None
    major: str | None = None
    risk: str | None = None
    outcome: str | None = None
    contact_kind: str | None = None
    ticket: WorldTicket | None = None
    applied: int = 0
    extras: Extras | None = None

    @property
    def key(self) -> str:
        """What people call it: ``OPS-17``."""
        return f"{self.project.key}-{self.number}"

    @property
    def order(self) -> int:
        """Position in ``ORDER BY updated, key``: updated, project, number in one integer."""
        return (self.updated << 28) | (self.project.rank << NUMBER_BITS) | self.number

    def more(self) -> Extras:
        """The rarely used parts, made on first use."""
        if self.extras is None:
            self.extras = Extras()
        return self.extras

    def as_it_is(self) -> Issue:
        """A copy that later changes do not reach."""
        found = replace(self)
        if self.extras is not None:
            kept = {member.name: copy(getattr(self.extras, member.name)) for member in fields(Extras)}
            found.extras = Extras(**kept)
        return found

    def value(self, attribute: str) -> Any:
        """A custom value by the attribute that keeps it."""
        if hasattr(self, attribute):
            return getattr(self, attribute)
        return self.extras.values.get(attribute) if self.extras is not None else None

    def set_value(self, attribute: str, value: Any) -> None:
        """Set a custom value by the attribute that keeps it."""
        if hasattr(self, attribute):
            setattr(self, attribute, value)
        else:
            self.more().values[attribute] = value
