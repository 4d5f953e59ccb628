"""What a platform holds, field by field: read by plain HTTP as an administrator, told by a mapping of our own.

And the same of a warehouse. The connectors have no part in it, so whatever they misread on a good day shows as well.
Clocks are compared in what stands once they have stopped; a running one in its start, goal and breach.
"""

from __future__ import annotations

from collections import Counter

from bench.faults import at_jira, at_servicenow
from bench.faults.facts import Facts
from bench.faults.places import CONNECTION
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.records import RecordKind
from workflows.warehouse import Warehouse
from workflows.warehouse.schema import TABLE_OF

_STOPPED = ("end_at", "breach_at", "elapsed_s")
COLUMNS: dict[RecordKind, tuple[str, ...]] = {  # SQL of what is compared
    RecordKind.TICKET: (
        *(
            "id",
            "number",
            "title",
            "priority",
            "opened_at",
            "resolved_at",
            "customer",
            "country",
            "service",
            "supplier",
        ),
        *("category", "assignment_group", "kind", "state", "is_major", "risk", "is_successful", "closed_at"),
        *("reopen_count", "reassignment_count", "created_at"),
    ),
    RecordKind.SLA: (
        *("ticket_id", "target", "agreement", "sla_id", "sla_name", "supplier", "is_breached", "stage = 'cancelled'"),
        *("start_at", "goal_s", *(f"CASE WHEN end_at IS NOT NULL THEN {name} END" for name in _STOPPED)),
    ),
    RecordKind.SURVEY: (
        *("id", "kind", "ticket_id", "customer", "country", "service", "sent_at", "answered_at", "score"),
        *("scale_min", "scale_max"),
    ),
    RecordKind.CONTACT: ("id", "kind", "customer", "country", "service", '"at"'),
    RecordKind.OUTAGE: ("id", "kind", "service", "customer", "country", "begin_at", "end_at"),
}


def of_warehouse(warehouse: Warehouse, connection: str = CONNECTION) -> Facts:
    """What the warehouse takes for being there on a connection."""
    found: Facts = {}
    there = f"vanished_at IS NULL AND connection = '{connection}'"
    for kind, columns in COLUMNS.items():
        named = ", ".join(f"{sql} AS c{number}" for number, sql in enumerate(columns))
        rows = warehouse.arrow(f"SELECT {named} FROM {TABLE_OF[kind]} WHERE {there}").to_pylist()
        found[kind] = Counter(tuple(row.values()) for row in rows)
    return found


def of_platform(running: RunningSandbox, flavour: Flavour, *, user: str = "admin", within: str = "") -> Facts:
    """What the platform shows a user; of incidents those within a filter."""
    if flavour == "servicenow":
        return at_servicenow.facts(running, user, within)
    return at_jira.facts(running, flavour, within)
