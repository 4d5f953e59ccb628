"""Finding fields by the name people see *and* by type, and reading their values as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from connectors.jira import plain
from connectors.jira.wire import Feedback, FieldInfo, Named, Option, SlaValue, StatusValue, TypeValue, UserValue
from connectors.mapping import near_matches, unknown_field
from improvement.errors import MappingError, Place

SLA_TYPE = "com.atlassian.servicedesk:sd-sla-field"
FEEDBACK_TYPE = "com.atlassian.servicedesk:sd-request-feedback"
TEXT_AREA = "com.atlassian.jira.plugin.system.customfieldtypes:textarea"
TEXT_AREAS = frozenset({"description", "environment"})  # people write markup there, in a field of one line they do not

Reading = Callable[[Any], str | None]


def _text(value: str | None) -> str | None:
    return value or None


def _markup(value: Any) -> str | None:
    """What people wrote into a field of several lines: wiki text, or a document."""
    return (plain.document(value).strip() if plain.is_document(value) else plain.wiki(str(value))) or None


def _number(value: float) -> str:
    """A customer's number stays that number: no digit is rounded away."""
    return str(int(value)) if value.is_integer() else repr(value)


def _first(read: Reading) -> Reading:
    return lambda values: next((text for value in values if (text := read(value))), None)


def _anything(value: Any) -> str | None:
    """A value whose type we do not know: its text, or the member that names it."""
    if isinstance(value, list):
        return next((text for member in value if (text := _anything(member))), None)
    if isinstance(value, dict):
        for member in ("value", "name", "displayName", "label", "key", "title"):
            if isinstance(value.get(member), str):
                return str(value[member])
        return None
    return None if value is None else str(value)


#: Type of a field (or of an array's items) → the struct to decode, and how its text is read.
READERS: dict[str, tuple[Any, Reading]] = {
    "string": (str, _text),
    "date": (str, _text),
    "datetime": (str, _text),
    "number": (float, _number),
    "option": (Option, attrgetter("value")),
    "option-with-child": (Option, attrgetter("value")),
    "group": (Named, attrgetter("name")),
    "priority": (Named, attrgetter("name")),
    "resolution": (Named, attrgetter("name")),
    "project": (Named, attrgetter("name")),
    "component": (Named, attrgetter("name")),
    "version": (Named, attrgetter("name")),
    "issuetype": (TypeValue, attrgetter("name")),
    "status": (StatusValue, attrgetter("name")),
    "user": (UserValue, attrgetter("account")),
}


@dataclass(frozen=True, slots=True)
class FoundField:
    """A field of this Jira: its id, its names, what to decode it as, and how to read a decoded value as text."""

    id: str
    names: tuple[str, ...]
    decoded: Any
    read: Reading


class Fields:
    """All fields of one Jira, found by id, clause name or visible name."""

    def __init__(self, infos: Sequence[FieldInfo], *, connection: str) -> None:
        self._connection = connection
        self._infos = [*infos]
        self._by_id = {info.id: info for info in infos}

    @property
    def infos(self) -> Sequence[FieldInfo]:
        """Every field as Jira lists it."""
        return self._infos

    @property
    def names(self) -> list[str]:
        """Every name a mapping may use."""
        return [info.name for info in self._infos]

    def __contains__(self, name: str) -> bool:
        return bool(self._named(name))

    def is_ambiguous(self, name: str) -> bool:
        """Whether several fields of this name hold a plain value."""
        return len(self._plain(name)) > 1

    def value_field(self, name: str, *, source: str, used_for: str) -> FoundField:
        """The field of this name that holds a plain value; “Region (option)” means the one of that type.

        Raises :class:`MappingError` when there is none (with near matches) or more than one (with their ids).
        """
        fitting = self._plain(name)
        if not fitting:
            raise unknown_field(name, self.names, connection=self._connection, source=source, used_for=used_for)
        info = self._only(fitting, name, f"mapping.{source}.fields.{used_for}")
        decoded, read = _reader_of(info)
        return FoundField(info.id, (info.name, *info.clause_names), decoded, read)

    def typed_field(self, name: str, custom_type: str, *, source: str) -> FoundField:
        """The field of this name and custom type (an SLA, a satisfaction rating); errors as above."""
        named = self._named(name)
        fitting = [info for info in named if info.schema is not None and info.schema.custom == custom_type]
        if not fitting:
            of_type = [
                info.name for info in self._infos if info.schema is not None and info.schema.custom == custom_type
            ]
            what = f"The field “{name}” exists but is no" if named else f"There is no field “{name}” that is a"
            raise MappingError(
                f"{what} {custom_type.rpartition(':')[2]}.{near_matches(name, of_type)}",
                where=Place(connection=self._connection, field=f"mapping.{source}.source"),
                mend=f"Fields of this type here: {', '.join(sorted(of_type)) or 'none'}.",
            )
        info = self._only(fitting, name, f"mapping.{source}.source")
        decoded = SlaValue if custom_type == SLA_TYPE else Feedback
        return FoundField(info.id, (info.name, *info.clause_names), decoded, _anything)

    def clause(self, field_id: str) -> str:
        """How JQL names the field without doubt: ``cf[10030]`` for a custom one."""
        number = field_id.removeprefix("customfield_")
        return f"cf[{number}]" if number != field_id else field_id

    def _plain(self, name: str) -> list[FieldInfo]:
        return [info for info in self._named(name) if (info.schema and info.schema.custom) not in _NO_VALUE]

    def _named(self, name: str) -> list[FieldInfo]:
        if name in self._by_id:
            return [self._by_id[name]]
        wanted = name.casefold()
        found = [info for info in self._infos if info.name.casefold() == wanted]
        found = found or [info for info in self._infos if wanted in (one.casefold() for one in info.clause_names)]
        typed = _TYPED_NAME.fullmatch(name)
        if found or typed is None:
            return found
        return [info for info in self._named(typed["name"]) if type_of(info) == typed["type"].casefold()]

    def _only(self, fitting: list[FieldInfo], name: str, place: str) -> FieldInfo:
        if len(fitting) > 1:
            ids = ", ".join(f"{info.id} ({type_of(info)})" for info in fitting)
            types = {type_of(info) for info in fitting}
            by_type = f", or the type too: “{name} ({type_of(fitting[0])})”" if len(types) == len(fitting) else ""
            raise MappingError(
                f"{len(fitting)} fields are called “{name}”: {ids}.",
                where=Place(connection=self._connection, field=place),
                mend=f"Give the id instead of the name{by_type}.",
            )
        return fitting[0]


_NO_VALUE = frozenset({SLA_TYPE, FEEDBACK_TYPE})
_TYPED_NAME = re.compile(r"(?P<name>.+?) \((?P<type>[\w-]+)\)")


def type_of(info: FieldInfo) -> str:
    """A field's type as a mapping may say it behind the name: that of an array is what it holds."""
    if info.schema is None:
        return "?"
    return (info.schema.items if info.schema.type == "array" and info.schema.items else info.schema.type).casefold()


def _reader_of(info: FieldInfo) -> tuple[Any, Reading]:
    schema = info.schema
    if schema is None:
        return object, _anything
    if schema.custom == TEXT_AREA or info.id in TEXT_AREAS:
        return object, _markup
    if schema.type == "array":
        member, read = READERS.get(schema.items or "", (None, _anything))
        return (list.__class_getitem__(member), _first(read)) if member is not None else (object, _anything)
    return READERS.get(schema.type, (object, _anything))


def texts(found: Sequence[FoundField]) -> Callable[[Sequence[Any]], list[str | None]]:
    """A function from the decoded fields of some issues to the text of the first of these fields that has a value."""
    columns = [(attrgetter(field.id), field.read) for field in found]

    def read_all(fields: Sequence[Any]) -> list[str | None]:
        texts: list[str | None] | None = None
        for value_of, read in columns:
            now = [None if (value := value_of(one)) is None else read(value) or None for one in fields]
            texts = now if texts is None else [old or new for old, new in zip(texts, now, strict=True)]
        return texts or []

    return read_all
