"""Our fields as columns that exist on this instance, with values as it stores them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.config import ConnectionConfig
from connectors.mapping import merged
from connectors.servicenow.defaults import DEFAULT
from connectors.servicenow.records import AUTOMATED, NEVER, NEVER_WRITTEN, NO_PLACE, Mode
from connectors.servicenow.tables import Column, Instance, literal
from improvement.records import OUTBOUND_FIELDS, RecordKind

Value = str | int | float | None
OFFERING = "service_offering"  # a table below the services, and the column of a task
AS_MANY_AS_MATTER = 4
NUMBERS = frozenset({"decimal", "integer", "float", "longint", "percent_complete", "currency2"})
MIDDAY = "12:00:00"  # a date written as instant stays the same date in every zone from −12 to +11
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


class Columns:
    """Resolves our words on one table of an instance: configured name first, then the usual one, then the label."""

    def __init__(self, instance: Instance, mode: Mode) -> None:
        self.instance = instance
        self.mode = mode
        self._choices: dict[str, dict[str, str]] | None = None

    def column(self, name: str) -> Column | None:
        """The column that one of our fields is written to; those of :data:`NEVER_WRITTEN` are never ours."""
        found = self.shown(name)
        return None if found is None or found.element in NEVER_WRITTEN else found

    def shown(self, name: str) -> Column | None:
        """The column in which one of our fields stands, whether or not it is ever written."""
        known = self.instance.known(self.mode.table)
        configured = self.instance.config.columns.get(name)
        wanted = (configured,) if configured else self.mode.columns.get(name, ())
        by_label = {column.label.casefold(): column for column in known.values()}
        tried = ((known.get(word) or by_label.get(word.casefold())) for word in wanted)
        return next((column for column in tried if column is not None), None)

    def resolved(self) -> tuple[dict[str, str], dict[str, str]]:
        """Every outbound field → its column, and those without one → why they stay unwritten."""
        columns: dict[str, str] = {}
        missing: dict[str, str] = {}
        for name in OUTBOUND_FIELDS:
            column = self.column(name)
            if column is None:
                missing[name] = self._why(name)
            else:
                columns[name] = column.element
        return columns, missing

    def body(self, fields: Mapping[str, Value]) -> tuple[dict[str, str], dict[str, str]]:
        """Columns and values of one write, and what stays unwritten with the reason. None is not written."""
        body: dict[str, str] = {}
        unwritten: dict[str, str] = {}
        for name, value in fields.items():
            if value is None:
                continue
            column = self.column(name)
            if column is None:
                unwritten[name] = self._why(name)
                continue
            if name == "service" and column.reference:
                found, reason = self._service(column, str(value))
            else:
                stored, reason = self._stored(column, str(value))
                found = {} if stored is None else {column.element: stored}
            body |= found
            if not found:
                unwritten[name] = reason
        return body, unwritten

    @property
    def service_columns(self) -> frozenset[str]:
        """The columns that say together which service a record is about."""
        return frozenset(column.element for name in ("service", "offering") if (column := self.column(name)))

    def field_of(self, element: str, names: Mapping[str, Value]) -> str:
        """Which of our fields a column carries."""
        if "service" in names and element in self.service_columns:
            return "service"
        return next((name for name in names if (column := self.column(name)) and column.element == element), element)

    def by_indicator(self, method: str) -> dict[str, Column]:
        """Columns that Performance Analytics fills in, by element, where a record's stored method says that it does."""
        column = self.column("method")
        label = self._choices_of(column.element).get(method, "") if column is not None and method else ""
        if not any(word.casefold().startswith(AUTOMATED) for word in (method, label)):
            return {}
        filled = (self.column(name) for name in self.mode.by_indicator)
        return {column.element: column for column in filled if column is not None}

    def _why(self, name: str) -> str:
        configured = self.instance.config.columns.get(name)
        if configured and configured.casefold() in NEVER_WRITTEN:
            return NEVER["state"]
        if configured:
            return f"{self.mode.table} has no column “{configured}”"
        return NEVER.get(name, NO_PLACE)

    def _stored(self, column: Column, text: str) -> tuple[str | None, str]:
        """The value as the platform stores it, or None and the reason."""
        if column.reference:
            return self._reference(column, text)
        if column.type in NUMBERS:
            return _number(text)
        if column.type in ("glide_date_time", "due_date"):
            return (f"{text} {MIDDAY}" if len(text) == 10 else text), ""
        choices = self._choices_of(column.element)
        if not choices or text in choices:
            return text, ""
        known = {value.casefold(): value for value in choices}  # a label may have been changed, its value stays
        known |= {label.casefold(): value for value, label in choices.items()}
        if text.casefold() in known:
            return known[text.casefold()], ""
        return None, f"“{text[:60]}” is no choice of {column.element}; there are {', '.join(sorted(choices.values()))}"

    def _service(self, column: Column, text: str) -> tuple[dict[str, str], str]:
        """The service of this name; where it is that of an offering, the offering and the service it belongs to.

        Where a name is a service's and an offering's, the one counts that tickets are mapped to.
        """
        fields = ("sys_id", "sys_class_name")
        named = self.instance.rows(column.reference, f"name={literal(text)}", fields, limit=AS_MANY_AS_MATTER)
        offering = self.column("offering")
        offered = [row for row in named if row.get("sys_class_name") == OFFERING]
        services = [row for row in named if row.get("sys_class_name") != OFFERING]
        is_offering = bool(offered) and (not services or reads_offerings(self.instance.config))
        chosen = offered if is_offering else services
        if len(chosen) != 1:
            return {}, f"“{text[:60]}” ({column.label}) is not {'unique' if chosen else 'known'} there"
        if offering is None or not is_offering:
            return {column.element: chosen[0]["sys_id"]}, ""
        wanted = chosen[0]["sys_id"]
        rows = self.instance.rows(OFFERING, f"sys_id={wanted}", ("sys_id", "parent"), limit=1)
        parent = rows[0].get("parent", "") if rows and rows[0]["sys_id"] == wanted else ""
        return {offering.element: wanted, **({column.element: parent} if parent else {})}, ""

    def _reference(self, column: Column, text: str) -> tuple[str | None, str]:
        key = {"sys_user": "user_name"}.get(column.reference, "name")
        rows = self.instance.rows(column.reference, f"{key}={literal(text)}", ["sys_id"], limit=2)
        if len(rows) == 1:
            return rows[0]["sys_id"], ""
        reason = "is not known there" if not rows else "is not unique there"
        return None, f"“{text[:60]}” ({column.label}) {reason}"

    def _choices_of(self, element: str) -> dict[str, str]:
        """Stored value → label of a column's choice list; empty where it has none."""
        if self._choices is None:
            self._choices = self.instance.choices(self.mode.table)
        return self._choices.get(element, {})


def reads_offerings(config: ConnectionConfig) -> bool:
    """Whether the service of tickets is read from their offering, so that the name of a service is one's name."""
    mapping = merged(DEFAULT, config.mapping, connection=config.name)
    read = (source.fields.get("service") for source in mapping.of_kind(RecordKind.TICKET) if source.is_enabled)
    return any(field is not None and field.fields[:1] and field.fields[0].startswith(OFFERING) for field in read)


def _number(text: str) -> tuple[str | None, str]:
    """The number a shown value begins with (``24.3 %``). A signed one is a change, and no value of the metric."""
    plain = text.strip().replace(",", "")
    if plain.startswith(("+", "-", "−")):
        if re.fullmatch(r"[-−]\d+(\.\d+)?", plain):
            return plain.replace("−", "-"), ""
        return None, f"“{text[:60]}” is a change, not a value"
    match = _NUMBER.search(plain)
    return (match[0], "") if match else (None, f"“{text[:60]}” is no number")
