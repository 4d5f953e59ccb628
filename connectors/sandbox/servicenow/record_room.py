"""``/nav_to.do?uri=TABLE.do?sys_id=…``: a record's page, where links to records lead."""

from __future__ import annotations

import re
from collections.abc import Iterable

from aiohttp import web

from connectors.sandbox.record_page import File, Note, no_such_page, record_page
from connectors.sandbox.servicenow.instance import Instance, labels
from connectors.sandbox.store import Row, Table

PLATFORM = "ServiceNow"
ADDRESS = re.compile(r"^/?(?P<table>\w+)\.do\?sys_id=(?P<sys_id>[0-9a-f]{32})$")
INNER = frozenset({"sys_id", "sys_class_name", "sys_mod_count", "number", "short_description"})


class RecordRoom:
    """Shows any record of the instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The one address a deep link has."""
        return [web.get("/nav_to.do", self.show)]

    async def show(self, request: web.Request) -> web.Response:
        """``GET /nav_to.do?uri=…``."""
        uri = request.query.get("uri", "")
        asked = ADDRESS.match(uri)
        found = None
        if asked is not None and self.instance.has_table(asked["table"]):
            found = self.instance.find(asked["table"], asked["sys_id"])
        if found is None:
            return no_such_page(PLATFORM, uri)
        table, row = found
        value = self.instance.value
        title = f"{value(table, row, 'number')} {value(table, row, 'short_description')}".strip() or row[0]
        return record_page(
            PLATFORM, title, facts=list(self._facts(table, row)), notes=list(self._notes(row)), files=self._files(row)
        )

    def _facts(self, table: Table, row: Row) -> Iterable[tuple[str, str]]:
        for name in table.position:
            column, stored = self.instance.schema.column(table.name, name), self.instance.value(table, row, name)
            if not stored or column is None or name in INNER:
                continue
            if column.type == "reference":
                stored = self.instance.display(column.reference, stored) or stored
            yield column.label, labels(column).get(stored, stored)

    def _notes(self, row: Row) -> Iterable[Note]:
        journal = self.instance.tables["sys_journal_field"]
        for sys_id in reversed(self.instance.journal.get(row[0], [])):
            author, at, text = (
                self.instance.value(journal, journal.rows[sys_id], name)
                for name in ("sys_created_by", "sys_created_on", "value")
            )
            yield Note(author, at, text)

    def _files(self, row: Row) -> list[File]:
        table, value = self.instance.tables["sys_attachment"], self.instance.value
        return [
            File(value(table, file, "file_name"), value(table, file, "content_type"), self.instance.contents[file[0]])
            for file in table.rows.values()
            if value(table, file, "table_sys_id") == row[0]
        ]
