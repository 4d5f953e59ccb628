"""The instance: all its tables, how references are followed, and how rows are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from operator import itemgetter

from connectors.sandbox.plugin import SandboxConfig
from connectors.sandbox.query import Query
from connectors.sandbox.servicenow.moments import STORED
from connectors.sandbox.servicenow.schema import Column, Schema
from connectors.sandbox.servicenow.tables import AROUND_TASKS, TASKS
from connectors.sandbox.servicenow.tables_cim import CIM
from connectors.sandbox.servicenow.tables_csm import CUSTOMER_SERVICE
from connectors.sandbox.servicenow.tables_platform import APPROVALS, DICTIONARY, MASTER_DATA, RECORDS_ABOUT_RECORDS
from connectors.sandbox.store import Row, Table
from connectors.sandbox.users import Account

SYSTEM = "system"
DEFINITIONS = (
    *(*MASTER_DATA, *TASKS, *AROUND_TASKS, *CIM, *CUSTOMER_SERVICE),
    *(*APPROVALS, *DICTIONARY, *RECORDS_ABOUT_RECORDS),
)
OF_CUSTOMER_SERVICE = frozenset(table.name for table in CUSTOMER_SERVICE)

Get = Callable[[Row], str]
MakeRow = Callable[[tuple[str, ...]], Row]


class Instance:
    """Tables, schema and present of one ServiceNow instance.

    ``now`` is the sandbox's clock (UTC). ``has_customer_service``: whether the plugin of complaints and escalations is
    there, as it is where the world has any. ``config`` may be replaced while serving; whether com.sn_cim is there is
    decided by ``config.cim`` at each request, so the tables always exist inside.
    """

    def __init__(self, config: SandboxConfig, now: datetime, *, has_customer_service: bool = False) -> None:
        self.config = config
        self.now = now
        self.has_customer_service = has_customer_service
        self._as_delivered = Schema.of(DEFINITIONS)
        self.schema = self._as_delivered.relabelled(config.renamed_choices)
        self.tables = {name: Table(name, self.schema.names(name)) for name in self.schema.tables}
        self.families = {name: [self.tables[member] for member in self.schema.family(name)] for name in self.tables}
        self.asked: dict[str, Callable[[Query], None]] = {}  # by table: writes the rows that a query asks for
        self.contents: dict[str, bytes] = {}  # attachments by sys_id
        self.users: dict[str, str] = {}  # user name → sys_id
        self.journal: dict[str, list[str]] = {}  # record → its journal entries, oldest first
        self.removed: list[tuple[Table, Row]] = []  # what events took away, the latest last: it may be restored
        self._numbers = {name: definition.first_number - 1 for name, definition in self.schema.tables.items()}
        self._ids = 0
        self._makers: dict[tuple[str, tuple[str, ...]], MakeRow] = {}
        self._defaults = {
            name: tuple(column.default for column, _ in columns.values())
            for name, columns in self.schema.columns.items()
        }

    def relabel(self, renamed: Mapping[str, Mapping[str, str]]) -> None:
        """Take these labels. Raises ValueError for a column that its table does not define."""
        self.schema = self._as_delivered.relabelled(renamed)

    # --- what is there ----------------------------------------------------------------------------------------

    def has_table(self, name: str) -> bool:
        """Whether the instance has this table, given its plugins."""
        if name not in self.tables:
            return False
        if name.startswith("sn_cim_"):
            return self.config.cim
        if name in OF_CUSTOMER_SERVICE:
            return self.has_customer_service
        return name != "u_improvement_action" or self.config.custom_table

    def visible_tables(self) -> list[str]:
        """The tables the instance has."""
        return [name for name in self.tables if self.has_table(name)]

    def family(self, name: str) -> list[Table]:
        """A table and those that extend it, without those of absent plugins."""
        return [table for table in self.families[name] if self.has_table(table.name)]

    def find(self, table: str, sys_id: str) -> tuple[Table, Row] | None:
        """The row of this sys_id in a table or one that extends it."""
        for member in self.families[table]:
            row = member.rows.get(sys_id)
            if row is not None:
                return member, row
        return None

    def value(self, table: Table, row: Row, column: str) -> str:
        """One value of a row; "" where the table has no such column."""
        position = table.position.get(column)
        return row[position] if position is not None else ""

    def get(self, table: str, path: str) -> tuple[Get, Column] | None:
        """How to read a (dot-walked) field from rows of a table, and the column it ends in; None where invalid."""
        name, dot, rest = path.partition(".")
        column = self.schema.column(table, name)
        if column is None:
            return None
        position = self.tables[table].position[name]
        if not dot:
            return (lambda row: row[position]), column
        if column.type != "reference" or not self.has_table(column.reference):
            return None
        return self._walk(position, column.reference, rest)

    def _walk(self, position: int, target: str, rest: str) -> tuple[Get, Column] | None:
        readers: list[tuple[dict[str, Row], Get]] = []
        last: Column | None = None
        for member in self.families[target]:
            found = self.get(member.name, rest)
            if found is not None:
                readers.append((member.rows, found[0]))
                last = found[1] if last is None else last
        if last is None:
            return None

        def get(row: Row) -> str:
            sys_id = row[position]
            if sys_id:
                for rows, read in readers:
                    other = rows.get(sys_id)
                    if other is not None:
                        return read(other)
            return ""

        return get, last

    def display(self, table: str, sys_id: str) -> str:
        """The display value of a referenced record; "" where it does not exist."""
        found = self.find(table, sys_id)
        if found is None:
            return ""
        member, row = found
        name = self.schema.tables[member.name].display
        column = self.schema.column(member.name, name)
        if column is None:
            return sys_id
        shown = row[member.position[name]]
        return self.display(column.reference, shown) if column.type == "reference" and shown else shown

    # --- making rows ------------------------------------------------------------------------------------------

    @property
    def stamp(self) -> str:
        """The present as stored text."""
        return self.now.astimezone(UTC).strftime(STORED)

    def row(self, table: str, sys_id: str, updated: str, values: Mapping[str, str]) -> Row:
        """A new row with defaults and these values; not yet in its table. Raises KeyError for an unknown column."""
        return self.maker(table, tuple(values))((sys_id, updated, *values.values()))

    def maker(self, table: str, names: tuple[str, ...]) -> MakeRow:
        """What makes new rows of a table from (sys_id, sys_updated_on, values of these columns in this order).

        Other columns get their defaults. Worked out once per set of names, as rows are many. Raises KeyError for an
        unknown column.
        """
        known = self._makers.get((table, names))
        if known is None:
            known = self._makers[table, names] = self._new_maker(table, names)
        return known

    def _new_maker(self, table: str, names: tuple[str, ...]) -> MakeRow:
        columns, defaults = self.tables[table].columns, self._defaults[table]
        if columns == ("sys_id", "sys_updated_on", *names):
            return list
        position = self.tables[table].position
        given = {0: 0, 1: 1} | {position[name]: index for index, name in enumerate(names, start=2)}
        first_default = len(names) + 2
        arrange = itemgetter(*(given.get(at, first_default + at) for at in range(len(columns))))
        return lambda values: list(arrange(values + defaults))

    def insert(self, table: str, values: Mapping[str, str], *, by: str = SYSTEM, sys_id: str = "", at: str = "") -> Row:
        """Insert a row now (or ``at``, stored text), numbered where the table numbers its records."""
        moment = at or self.stamp
        full = {"sys_created_on": moment, "sys_created_by": by, "sys_updated_by": by, **values}
        definition = self.schema.tables[table]
        if definition.prefix and not full.get("number"):
            full["number"] = self.next_number(table)
        if self.schema.column(table, "sys_class_name") is not None:
            full["sys_class_name"] = table
        row = self.row(table, sys_id or self.new_id(table), moment, full)
        self.tables[table].put(row)
        return row

    def update(self, table: Table, row: Row, changes: Mapping[str, str], *, by: str, at: str = "") -> Row:
        """Replace a row by one with these changes, now (or ``at``); nothing happens where nothing differs."""
        differing = {name: value for name, value in changes.items() if row[table.position[name]] != value}
        if not differing:
            return row
        new = row.copy()
        for name, value in differing.items():
            new[table.position[name]] = value
        return self._replace(table, row, new, by, at)

    def touch(self, table: Table, row: Row, *, by: str) -> Row:
        """Replace a row by one that differs only in who updated it when (a journal entry was added)."""
        return self._replace(table, row, row.copy(), by, "")

    def _replace(self, table: Table, row: Row, new: Row, by: str, at: str) -> Row:
        new[1] = max(at or self.stamp, row[1])
        new[table.position["sys_updated_by"]] = by
        new[table.position["sys_mod_count"]] = str(int(row[table.position["sys_mod_count"]] or "0") + 1)
        table.put(new)
        return new

    def next_number(self, table: str) -> str:
        """The next number of a table: INC0010001."""
        self._numbers[table] += 1
        return f"{self.schema.tables[table].prefix}{self._numbers[table]:07d}"

    def new_id(self, table: str) -> str:
        """A sys_id for a record made through the API; the same in every run of the same calls."""
        self._ids += 1
        return sys_id_of("made", table, str(self._ids))

    def user_id(self, account: Account) -> str:
        """The sys_id of an account's sys_user row."""
        return self.users.get(account.username, "")


def sys_id_of(*parts: str) -> str:
    """A sys_id (32 hexadecimal digits) that depends only on its parts."""
    return blake2b("/".join(parts).encode(), digest_size=16).hexdigest()


def labels(column: Column) -> dict[str, str]:
    """Stored value → label of a choice column."""
    return dict(column.choices)


def choice_rows(schema: Schema, tables: Iterable[str]) -> list[dict[str, str]]:
    """The rows of sys_choice: each choice once, under the table that defines its column."""
    rows = []
    for table in tables:
        for column, owner in schema.columns[table].values():
            if owner != table:
                continue
            for sequence, (value, label) in enumerate(column.choices):
                rows.append(
                    {"name": table, "element": column.name, "value": value, "label": label, "sequence": str(sequence)}
                )
    return rows
