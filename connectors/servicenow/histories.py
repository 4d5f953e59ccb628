"""Rows that tell what became of tickets: all of a ticket's, or none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from connectors.servicenow.tables import MAX_ROWS, Instance, Row

BATCH = 50  # tickets
REASON = "hold_reason"
ON_HOLD = "on_hold"

Labels = Mapping[str, str]  # of stored values


def histories(
    instance: Instance,
    table: str,
    ticket: str,
    ids: Sequence[str],
    asked: Mapping[str, Collection[str]],
    *,
    order: str,
    fields: Iterable[str],
) -> dict[str, list[Row]]:
    """The rows of each ticket in the order of a column, none of tickets whose rows may be cut short.

    ``ticket`` is the column that names the ticket, ``asked`` which values other columns must have.
    """
    found: defaultdict[str, list[Row]] = defaultdict(list)
    condition = "".join(f"^{name}IN{','.join(sorted(values))}" for name, values in asked.items())
    names = tuple(fields)
    for start in range(0, len(ids), BATCH):
        wanted = set(ids[start : start + BATCH])
        query = f"{ticket}IN{','.join(sorted(wanted))}{condition}^ORDERBY{order}"
        rows = instance.rows(table, query, names)
        if len(rows) >= MAX_ROWS:
            continue
        for row in rows:
            # A condition may have been ignored: what was not asked for is no answer.
            if row[ticket] in wanted and all(row[name] in values for name, values in asked.items()):
                found[row[ticket]].append(row)
    return found
