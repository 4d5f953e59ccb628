"""How long fields of incidents held their values: rows of ``metric_instance``, made of the audit when a query asks.

The instance's metrics work on audited fields; here a row begins and ends where the audit of ``sys_audit`` says so, and
the first one when the incident was created. ``metric_fields`` of the options says which fields have a definition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.sandbox.query import Query
from connectors.sandbox.servicenow.audit import AUDIT, TaskAudit
from connectors.sandbox.servicenow.instance import SYSTEM, Instance, labels, sys_id_of
from connectors.sandbox.servicenow.moments import epoch_of, stored_duration
from connectors.sandbox.store import Row

DEFINITIONS, MEASURED = "metric_definition", "metric_instance"
OF_TABLE = "incident"
AUDITED = ("sys_created_on", "fieldname", "oldvalue", "newvalue")
AUDITED_AS = {"incident_state": "state"}  # the platform keeps both alike


@dataclass(frozen=True, slots=True)
class _Held:
    """A value, from when to when; ``end`` "": it still holds."""

    value: str
    start: str
    end: str


class FieldMetrics:
    """Definitions by the options, and their instances of the incidents that a query names by ``id``."""

    def __init__(self, instance: Instance, audit: TaskAudit) -> None:
        self._instance, self._audit = instance, audit

    def define(self, query: Query) -> None:
        """Let ``metric_definition`` hold what the options say now."""
        table = self._instance.tables[DEFINITIONS]
        wanted = {_definition(field): field for field in self._instance.config.metric_fields}
        for id in [id for id in table.rows if id not in wanted]:
            table.remove(id)
        for id, field in wanted.items():
            if id not in table.rows:
                name = f"{field.replace('_', ' ').capitalize()} duration"
                values = {"name": name, "table": OF_TABLE, "field": field, "type": "field_value_duration"}
                self._instance.insert(DEFINITIONS, values, sys_id=id)

    def write(self, query: Query) -> None:
        """Put the rows into ``metric_instance`` that a query asks for."""
        self.define(query)
        asked = {id for id in _named(query) if id in self._instance.tables[OF_TABLE].rows}
        for id in asked:
            self._audit.write_of(id)
        audit = self._instance.tables[AUDIT]
        key = audit.position["documentkey"]
        changes: defaultdict[str, list[Row]] = defaultdict(list)
        for row in audit:
            if row[key] in asked:
                changes[row[key]].append(row)
        for id in sorted(asked):
            for field in self._instance.config.metric_fields:
                for number, held in enumerate(self._held(id, AUDITED_AS.get(field, field), changes[id])):
                    self._put(id, field, number, held)

    def _held(self, id: str, field: str, changes: list[Row]) -> Iterator[_Held]:
        """Each value the field had, oldest first; none for the time in which it was empty."""
        instance = self._instance
        table, audit = instance.tables[OF_TABLE], instance.tables[AUDIT]
        told = [[instance.value(audit, row, name) for name in AUDITED] for row in changes]
        moves = sorted((at, old, new) for at, name, old, new in told if name == field)
        row = table.rows[id]
        start, value = (instance.value(table, row, name) for name in ("sys_created_on", field))
        value = moves[0][1] if moves else value
        for at, _, new in moves:
            if value:
                yield _Held(value, start, at)
            start, value = at, new
        if value:
            yield _Held(value, start, "")

    def _put(self, id: str, field: str, number: int, held: _Held) -> None:
        instance, sys_id = self._instance, sys_id_of(MEASURED, id, field, str(number))
        table = instance.tables[MEASURED]
        column = instance.schema.column(OF_TABLE, AUDITED_AS.get(field, field))
        ends = {
            "end": held.end,
            "duration": stored_duration(epoch_of(held.end) - epoch_of(held.start)) if held.end else "",
            "calculation_complete": "true" if held.end else "false",
        }
        if (known := table.rows.get(sys_id)) is not None:
            instance.update(table, known, ends, by=SYSTEM, at=held.end)
            return
        values = {
            "definition": _definition(field),
            "table": OF_TABLE,
            "id": id,
            "field": field,
            "field_value": held.value,
            "value": labels(column).get(held.value, held.value) if column is not None else held.value,
            "start": held.start,
        }
        instance.insert(MEASURED, values | ends, sys_id=sys_id, at=held.end or held.start)


def _named(query: Query) -> Iterator[str]:
    """The records that a query's conditions name."""
    for group in query.groups:
        for one in (alternatives[0] for alternatives in group if len(alternatives) == 1):
            if one.field == "id" and one.operator in ("=", "IN"):
                yield from one.value.split(",")


def _definition(field: str) -> str:
    return sys_id_of(DEFINITIONS, OF_TABLE, field)
