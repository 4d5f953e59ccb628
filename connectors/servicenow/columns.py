"""Our fields as columns that exist on this instance, with values as it stores them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors.servicenow.records import AUTOMATED, NEVER, NEVER_WRITTEN, NO_PLACE, Mode
from connectors.servicenow.tables import Column, Instance, literal
from improvement.records import OUTBOUND_FIELDS

Value = str | int | float | None
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
        """The column of one of our fields; those of :data:`NEVER_WRITTEN` are never ours."""
        known = self.instance.known(self.mode.table)
        configured = self.instance.config.columns.get(name)
        wanted = (configured,) if configured else self.mode.columns.get(name, ())
        by_label = {column.label.casefold(): column for column in known.values()}
        tried = ((known.get(word) or by_label.get(word.casefold())) for word in wanted)
        found = next((column for column in tried if column is not None), None)
        return None if found is None or found.element in NEVER_WRITTEN else found

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
            stored, reason = self._stored(column, str(value))
            if stored is None:
                unwritten[name] = reason
            else:
                body[column.element] = stored
        return body, unwritten

    def field_of(self, element: str, names: Mapping[str, Value]) -> str:
        """Which of our fields a column carries."""
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


def _number(text: str) -> tuple[str | None, str]:
    """The number a shown value begins with (``24.3 %``). A signed one is a change, and no value of the metric."""
    plain = text.strip().replace(",", "")
    if plain.startswith(("+", "-", "−")):
        if re.fullmatch(r"[-−]\d+(\.\d+)?", plain):
            return plain.replace("−", "-"), ""
        return None, f"“{text[:60]}” is a change, not a value"
    match = _NUMBER.search(plain)
    return (match[0], "") if match else (None, f"“{text[:60]}” is no number")
