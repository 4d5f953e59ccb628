"""Is it there already? Every write leaves a trace that is searched before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Iterable

from connectors.marks import NOBODYS, Mark, looked_for, named, read
from connectors.servicenow.records import Mode
from connectors.servicenow.tables import Instance, Row, literal
from improvement.errors import PermissionMissing, Place, WriteRefused
from improvement.records import Outbound, OutboundFile

PREFIX = "rk-"
_KEY = re.compile(r"\[rk [^\]\s]+\]")
_LAST_LINE = re.compile(r"\n\[rk (?P<key>[^\]\s]+)\]\s*$")


def correlation(installation: str, key: str) -> str:
    """What stands in ``correlation_id`` of a record or task of ours: ``rk-k7m2qd4x-ACT-7``."""
    return f"{PREFIX}{named(installation, key)}"


def mark_in(correlation_id: str) -> Mark:
    """Whose record carries this ``correlation_id``; ``rk-ACT-7`` is of an earlier version."""
    return read(correlation_id.removeprefix(PREFIX)) if correlation_id.startswith(PREFIX) else NOBODYS


def marker(installation: str, key: str) -> str:
    """The last line of a note of ours: ``[rk k7m2qd4x/ACT-7/note/opened]``."""
    return f"[rk {named(installation, key, between='/')}]"


def mark_in_note(text: str) -> Mark:
    """Whose note ends with such a line."""
    found = _LAST_LINE.search(text)
    return read(found["key"]) if found is not None else NOBODYS


def is_ours(text: str) -> bool:
    """Whether a journal entry carries a marker of ours."""
    return _KEY.search(text) is not None


ORDER_OF_CHANGES = ("sys_created_on", "record_checkpoint")


def in_order(audit: Iterable[Row]) -> list[Row]:
    """Changes of a record as they came: within a second by the record's count of updates, where the audit has it."""

    def place(row: Row) -> tuple[str, int]:
        count = row.get("record_checkpoint", "")
        return row.get("sys_created_on", ""), int(count) if count.isdecimal() else 0

    return sorted(audit, key=place)


class Traces:
    """Searches for the traces of earlier attempts, reads only."""

    def __init__(self, instance: Instance, mode: Mode) -> None:
        self.instance = instance
        self.mode = mode

    def record(self, outbound: Outbound, columns: Iterable[str] = ()) -> Row | None:
        """The improvement record of an action, with these columns: the oldest that carries its correlation id.

        Raises :class:`WriteRefused` where there is one that we may not see: a second would be a duplicate.
        """
        wanted = (correlation(installation, outbound.action_id) for installation in looked_for(outbound))
        found = (self._correlated(one, outbound.action_id, ("number", *columns)) for one in wanted)
        return next((row for row in found if row is not None), None)

    def _correlated(self, wanted: str, action_id: str, columns: tuple[str, ...]) -> Row | None:
        query = f"correlation_id={literal(wanted)}"
        found = self._first(self.mode.table, f"{query}^ORDERBYsys_created_on", columns, correlation_id=wanted)
        if found is None:
            self._refuse_hidden(self.mode.table, query, f"a record of {action_id}", "the records")
        return found

    def note(self, record: str, outbound: Outbound) -> Row | None:
        """Our note on a record. Raises :class:`WriteRefused` where it is hidden from us."""
        markers = (marker(installation, outbound.key) for installation in looked_for(outbound))
        return next((row for one in markers if (row := self._noted(record, one, outbound)) is not None), None)

    def _noted(self, record: str, last_line: str, outbound: Outbound) -> Row | None:
        query = f"element_id={record}^valueLIKE{literal(last_line)}"
        row = self._first("sys_journal_field", query, ("value",), element_id=record)
        if row is not None and last_line in row["value"]:
            return row
        if row is None:
            self._refuse_hidden("sys_journal_field", query, f"the note {outbound.key}", "the notes")
        return None

    def attachment(self, record: str, file: OutboundFile) -> Row | None:
        """A file of ours: its name carries the digest of its content.

        Raises :class:`WriteRefused` where it is hidden from us.
        """
        query = f"table_sys_id={record}^file_name={literal(file.name)}"
        row = self._first("sys_attachment", query, ("size_bytes",), table_sys_id=record, file_name=file.name)
        if row is None:
            self._refuse_hidden("sys_attachment", query, f"the file {file.name}", "the files")
        return row

    def task(self, table: str, record: str, outbound: Outbound, columns: Iterable[str] = ()) -> Row | None:
        """A task of ours, with these columns; one whose trace names no installation is ours only below this record.

        Raises :class:`WriteRefused` where it is hidden from us.
        """
        for installation in looked_for(outbound):
            proof = {"correlation_id": correlation(installation, outbound.key)}
            proof |= {} if installation else {self.mode.task_parent: record}
            query = "^".join(f"{name}={literal(value)}" for name, value in proof.items())
            row = self._first(table, query, ("number", *columns), **proof)
            if row is not None:
                return row
            self._refuse_hidden(table, query, f"the task {outbound.key}", "the tasks")
        return None

    def linked(self, table: str, record: str) -> set[str]:
        """The tickets already linked to a record."""
        rows = self.instance.rows(table, f"cim_register={record}", ("cim_register", "source_id"))
        return {row["source_id"] for row in rows if row.get("cim_register") == record}

    def current(self, record: str, columns: list[str]) -> Row | None:
        """A record's present values; None where it is gone or hidden."""
        return self._first(self.mode.table, f"sys_id={record}", tuple(columns), sys_id=record)

    def edited_by_people(self, record: str, columns: list[str], our_user: str) -> dict[str, str]:
        """Columns whose last change was made by somebody else than us → by whom (from the platform's audit)."""
        query = f"tablename={self.mode.table}^documentkey={record}^fieldnameIN{','.join(columns)}^ORDERBYsys_created_on"
        rows = self.instance.rows("sys_audit", query, ("fieldname", "user", *ORDER_OF_CHANGES))
        last = {row["fieldname"]: row["user"] for row in in_order(rows)}
        return {name: user for name, user in last.items() if user not in (our_user, "system", "")}

    def written_by(self, user: str, record: str, columns: list[str]) -> set[tuple[str, str]]:
        """Every value that a user ever wrote into these columns, as (column, value), as far as the audit tells."""
        query = f"tablename={self.mode.table}^documentkey={record}^fieldnameIN{','.join(columns)}^user={literal(user)}"
        rows = self.instance.rows("sys_audit", query, ("documentkey", "fieldname", "newvalue", "user"))
        return {
            (row["fieldname"], row["newvalue"])
            for row in rows
            if (row["user"], row["documentkey"]) == (user, record)  # a condition may have been ignored
        }

    def links_wanted(self, outbound: Outbound, record: str) -> tuple[list[tuple[str, str]], list[str]]:
        """The triggering tickets not yet linked, as (table, sys_id), and those of them that are gone or hidden.

        Raises :class:`WriteRefused` where the record has links that we may not see: they would be made twice.
        """
        table = self.mode.link_table
        if table is None:
            return [], []
        linked = self.linked(table, record)
        missing = set(outbound.trigger_ids) - linked
        if missing and self._counted(table, f"cim_register={record}") > len(linked):
            raise WriteRefused(
                f"{table} hides links of this record from us ({outbound.key}).",
                where=Place(connection=self.instance.config.name),
                mend="Let the integration user read the links it creates.",
            )
        rows = self.instance.rows_of("task", "sys_id", missing, "", ("sys_id", "sys_class_name"))
        there = sorted((row["sys_class_name"], row["sys_id"]) for row in rows)
        return there, sorted(missing - {id for _, id in there})

    def _first(self, table: str, query: str, fields: tuple[str, ...], **proof: str) -> Row | None:
        """The first row, if it really is what was asked for.

        An instance ignores a condition it does not understand and answers with any row: taken for our own, a foreign
        record would be written to. So what was asked is read back with the row.
        """
        rows = self.instance.rows(table, query, dict.fromkeys(("sys_id", *fields, *proof)), limit=1)
        return rows[0] if rows and all(rows[0].get(name) == value for name, value in proof.items()) else None

    def _refuse_hidden(self, table: str, query: str, what: str, those: str) -> None:
        """Raise :class:`WriteRefused` where the platform counts what it does not show: it would be made twice."""
        if self._counted(table, query):
            raise WriteRefused(
                f"{table} holds {what} already, but hides it from us.",
                where=Place(connection=self.instance.config.name),
                mend=f"Let the integration user read {those} it creates.",
            )

    def _counted(self, table: str, query: str) -> int:
        """How many the platform counts, those hidden from us included; 0 where it does not let us count."""
        try:
            return self.instance.count(table, query)
        except PermissionMissing:
            return 0
