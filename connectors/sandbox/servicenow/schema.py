"""Tables, columns and inheritance of the instance, as its dictionary describes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

TIME_TYPES = frozenset({"glide_date_time", "due_date"})
NUMBER_TYPES = frozenset({"integer", "decimal", "float", "percent_complete", "longint"})
JOURNAL_TYPES = frozenset({"journal_input"})

Choice = tuple[str, str]  # stored value, label


@dataclass(frozen=True, slots=True)
class Column:
    """One dictionary entry.

    ``type`` is the internal type (string, integer, boolean, glide_date_time, glide_duration, reference …).
    ``is_strict``: a value that is no choice is dropped on write; other choice columns store what they are given.
    """

    name: str
    type: str
    label: str
    reference: str = ""
    choices: tuple[Choice, ...] = ()
    default: str = ""
    read_only: bool = False
    mandatory: bool = False
    is_strict: bool = True
    max_length: int = 255

    @property
    def is_time(self) -> bool:
        """Holds an instant (UTC, ``YYYY-MM-DD hh:mm:ss``)."""
        return self.type in TIME_TYPES

    @property
    def is_number(self) -> bool:
        """Compares as a number."""
        return self.type in NUMBER_TYPES


@dataclass(frozen=True, slots=True)
class TableDef:
    """One table: its own columns, its parent, the prefix of its numbers, the column that displays a record."""

    name: str
    label: str
    columns: tuple[Column, ...]
    parent: str = ""
    prefix: str = ""
    display: str = "name"
    first_number: int = 10001


def col(name: str, type_: str = "string", label: str = "", **options: Any) -> Column:
    """A column; the label defaults to the name in words."""
    return Column(name, type_, label or name.replace("_", " ").capitalize(), **options)


def ref(name: str, table: str, label: str = "", **options: Any) -> Column:
    """A reference column."""
    return col(name, "reference", label, reference=table, max_length=32, **options)


SYSTEM_COLUMNS: tuple[Column, ...] = (
    col("sys_id", "GUID", "Sys ID", read_only=True, max_length=32),
    col("sys_updated_on", "glide_date_time", "Updated", read_only=True),
    col("sys_created_on", "glide_date_time", "Created", read_only=True),
    col("sys_created_by", "string", "Created by", read_only=True),
    col("sys_updated_by", "string", "Updated by", read_only=True),
    col("sys_mod_count", "integer", "Updates", read_only=True, default="0"),
)


@dataclass
class Schema:
    """All tables of an instance, with inherited columns resolved.

    ``columns[table]`` maps column names to (column, the table that defines it), system columns first.
    """

    tables: dict[str, TableDef] = field(default_factory=dict)
    columns: dict[str, dict[str, tuple[Column, str]]] = field(default_factory=dict)

    @classmethod
    def of(cls, definitions: Iterable[TableDef]) -> Schema:
        """A schema; parents come before their children."""
        schema = cls()
        for definition in definitions:
            inherited = (
                schema.columns[definition.parent]
                if definition.parent
                else {column.name: (column, definition.name) for column in SYSTEM_COLUMNS}
            )
            own = {column.name: (column, definition.name) for column in definition.columns}
            schema.tables[definition.name] = definition
            schema.columns[definition.name] = {**inherited, **own}
        return schema

    def relabelled(self, renamed: Mapping[str, Mapping[str, str]]) -> Schema:
        """This schema with other labels, ``table.column`` → stored value → label; a new value is one choice more.

        Raises ValueError for a column that its table does not define.
        """
        columns = {table: dict(known) for table, known in self.columns.items()}
        for key, labels in renamed.items():
            owner, _, name = key.partition(".")
            if owner not in columns or columns[owner].get(name, (None, ""))[1] != owner:
                raise ValueError(f"{key} is no column that its table defines.")
            for known in columns.values():
                column, defined_by = known.get(name, (None, ""))
                if column is not None and defined_by == owner:
                    known[name] = (replace(column, choices=tuple((dict(column.choices) | dict(labels)).items())), owner)
        return Schema(self.tables, columns)

    def column(self, table: str, name: str) -> Column | None:
        """A column of a table, own or inherited; None where there is none."""
        found = self.columns[table].get(name)
        return found[0] if found is not None else None

    def names(self, table: str) -> tuple[str, ...]:
        """All columns of a table in row order."""
        return tuple(self.columns[table])

    def family(self, table: str) -> list[str]:
        """A table and all tables that extend it, directly or not."""
        return [name for name in self.tables if table in self.lineage(name)]

    def lineage(self, table: str) -> Iterator[str]:
        """A table and its ancestors, from itself upwards."""
        while table:
            yield table
            table = self.tables[table].parent
