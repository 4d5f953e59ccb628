"""The shapes Jira sends, as typed structs: decoding a page into these is ten times faster than into dicts.

Unknown members are ignored and missing ones are None, so that a new Jira release does not stop a pull.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec


class Named(msgspec.Struct, frozen=True, gc=False):
    """A status, priority, resolution, group, component, version …"""

    name: str | None = None
    id: str | None = None


class StatusCategory(msgspec.Struct, frozen=True, gc=False):
    """``new``, ``indeterminate`` or ``done``."""

    key: str | None = None


class StatusValue(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A status with its category."""

    id: str
    name: str | None = None
    status_category: StatusCategory | None = None


class TypeValue(msgspec.Struct, frozen=True, gc=False):
    """An issue type."""

    id: str
    name: str | None = None


class Option(msgspec.Struct, frozen=True, gc=False):
    """The value of a select field."""

    value: str | None = None


class UserValue(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A person: Cloud tells accountId, Data Center name."""

    account_id: str | None = None
    name: str | None = None
    display_name: str | None = None

    @property
    def account(self) -> str | None:
        """What we call this person's account."""
        return self.account_id or self.name


class Instant(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A time in an SLA cycle."""

    epoch_millis: int


class Millis(msgspec.Struct, frozen=True, gc=False):
    """A duration in an SLA cycle."""

    millis: int


class Cycle(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One completed or ongoing run of an SLA clock."""

    start_time: Instant | None = None
    stop_time: Instant | None = None
    breach_time: Instant | None = None
    breached: bool = False
    paused: bool = False
    goal_duration: Millis | None = None
    elapsed_time: Millis | None = None


class SlaValue(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """An SLA field."""

    id: str = ""
    name: str | None = None
    completed_cycles: list[Cycle] = []
    ongoing_cycle: Cycle | None = None


class Feedback(msgspec.Struct, frozen=True, gc=False):
    """The satisfaction field."""

    rating: float | None = None


class HistoryItem(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One changed field in the history of an issue."""

    field: str = ""
    fieldtype: str | None = msgspec.field(default=None, name="fieldtype")
    field_id: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    from_string: str | None = None
    to: str | None = None
    to_string: str | None = None


class HistoryEntry(msgspec.Struct, frozen=True, gc=False):
    """One change of an issue."""

    id: str = "0"
    created: str = ""
    items: list[HistoryItem] = []
    author: UserValue | None = None


class RawEntry(msgspec.Struct, frozen=True, gc=False):
    """One change of an issue whose items stay undecoded, because most of them came before."""

    id: str = "0"
    created: str = ""
    items: msgspec.Raw = msgspec.Raw(b"[]")


E = TypeVar("E", HistoryEntry, RawEntry)


class Changelog(msgspec.Struct, Generic[E], frozen=True, gc=False):
    """The history as search and issue show it: possibly only a part of ``total``."""

    histories: list[E]
    total: int = 0


class ChangelogPage(msgspec.Struct, Generic[E], frozen=True, gc=False, rename="camel"):
    """A page of ``GET /issue/{id}/changelog``."""

    values: list[E]
    is_last: bool = True


class FieldSchema(msgspec.Struct, frozen=True, gc=False):
    """What type a field has."""

    type: str = "any"
    items: str | None = None
    custom: str | None = None
    system: str | None = None


class FieldInfo(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A field as ``GET /field`` lists it."""

    id: str
    name: str
    custom: bool = False
    clause_names: list[str] = []
    schema: FieldSchema | None = None


class RawPage(msgspec.Struct, frozen=True):
    """A search page whose issues stay undecoded: to find the one that cannot be read."""

    issues: list[msgspec.Raw] = []


class IssueHead(msgspec.Struct, frozen=True):
    """What identifies an issue, whatever its fields."""

    id: str = ""


def issue_type(fields: list[tuple[str, Any]], changelog: Any) -> type[msgspec.Struct]:
    """The struct of an issue that carries these fields as (field id, type), and its history or none.

    Only its update time must be there: paging goes by it.
    """
    optional = [(field_id, kind | None, None) for field_id, kind in fields if field_id != "updated"]
    values = msgspec.defstruct("Fields", [("updated", str), *optional], frozen=True, gc=False)
    members: list[Any] = [("id", str), ("key", str), ("fields", values)]
    if changelog is not None:
        members.append(("changelog", changelog | None, None))
    return msgspec.defstruct("Issue", members, frozen=True, gc=False)
