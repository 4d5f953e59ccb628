"""Conditions on other tables become conditions on the record: the ids that the other rows name are listed."""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from connectors.sandbox.query import Condition, Query, Related
from connectors.sandbox.servicenow.instance import Instance
from connectors.sandbox.store import Row, Table

Matching = Callable[[str, Query], Iterator[tuple[Table, Row]]]
COMPARED: dict[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def resolved(instance: Instance, table: str, query: Query, matching: Matching) -> Query:
    """The same query without conditions on other tables; those that name no such table or field are ignored."""
    added: list[tuple[Condition, ...]] = []
    ignored: list[str] = []
    for related in query.related:
        if _makes_sense(instance, table, related):
            added.append((_listed(instance, related, matching),))
        else:
            ignored.append(related.text)
    groups = tuple((*group, *added) for group in query.groups)
    return replace(query, groups=groups, ignored=(*query.ignored, *ignored), related=())


def _makes_sense(instance: Instance, table: str, related: Related) -> bool:
    if not instance.has_table(related.table) or instance.get(related.table, related.field) is None:
        return False
    is_ours = not related.own_table or (related.own_table in instance.tables and _is_in(instance, table, related))
    return is_ours and instance.get(table, related.own_field) is not None


def _is_in(instance: Instance, table: str, related: Related) -> bool:
    return table in (member.name for member in instance.families[related.own_table])


def _listed(instance: Instance, related: Related, matching: Matching) -> Condition:
    """The records so many rows refer to; where none is enough, all but those that too many or too few refer to."""
    counts: Counter[str] = Counter()
    for member, row in matching(related.table, related.where):
        value = instance.value(member, row, related.field)
        if value:
            counts[value] += 1
    fits = COMPARED[related.operator]
    is_with_none = fits(0, related.count)
    named = [value for value, count in counts.items() if fits(count, related.count) is not is_with_none]
    return Condition(related.own_field, "NOT IN" if is_with_none else "IN", ",".join(sorted(named)))
