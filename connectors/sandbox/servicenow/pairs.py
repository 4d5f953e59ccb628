"""Filters as pairs of names and values (``?active=true&state=closed``), beside an encoded query or in place of it.

Of a choice or a reference the shown value counts, too. Source: the vendor's pages *Table API* and *Aggregate API*
(name-value pairs).
"""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from connectors.sandbox.query import Condition, Query, parse
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.servicenow.schema import Column

OWN = "sysparm_"


def query_of(instance: Instance, table: str, request: web.Request) -> Query:
    """What a request asks for; a name that is no field is an invalid condition like any other."""
    query = parse(request.query.get("sysparm_query", ""))
    pairs = tuple(
        (_condition(instance, table, name, value),) for name, value in request.query.items() if not name.startswith(OWN)
    )
    if not pairs:
        return query
    return replace(query, groups=tuple((*group, *pairs) for group in query.groups or ((),)))


def _condition(instance: Instance, table: str, name: str, value: str) -> Condition:
    found = instance.get(table, name)
    if found is not None and value:
        column = found[1]
        labels = {label.casefold(): stored for stored, label in column.choices}
        if value.casefold() in labels:
            return Condition(name, "=", labels[value.casefold()])
        if column.type == "reference" and (ids := _shown_as(instance, column, value)):
            return Condition(name, "IN", ",".join(ids))
    return Condition(name, "=", value)


def _shown_as(instance: Instance, column: Column, value: str) -> list[str]:
    """The records that a reference shows by this name."""
    return [
        row[0]
        for table in instance.family(column.reference)
        for row in table
        if instance.value(table, row, instance.schema.tables[table.name].display) == value
    ]
