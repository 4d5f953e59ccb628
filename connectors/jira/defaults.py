"""Which Jira fields the canonical columns come from, unless a connection says otherwise.

``source`` is an issue type's name for tickets and contacts, a field's name for SLAs and surveys. Field names are
those people see; where two fields share a name, the one whose type fits is taken, and a mapping may give the id.
Names that begin with ``changelog:`` are computed from the history of the issue (see :mod:`.history`).
"""

from __future__ import annotations

from typing import Any

from connectors.mapping import FieldMap, PlatformMapping, SourceMap
from improvement.records import RecordKind

CLOSED_AT = "changelog:closed"
REOPENED = "changelog:reopened"
REASSIGNED = "changelog:reassigned"
COMPUTED = frozenset({CLOSED_AT, REOPENED, REASSIGNED})

#: Status name → canonical state; other statuses follow their category (new, in progress, closed).
STATES: dict[str, Any] = {
    "Open": "new",
    "New": "new",
    "To Do": "new",
    "Reopened": "in_progress",
    "Work in progress": "in_progress",
    "In Progress": "in_progress",
    "Escalated": "in_progress",
    "Pending": "on_hold",
    "On Hold": "on_hold",
    "Waiting for customer": "on_hold",
    "Waiting for support": "in_progress",
    "Waiting for approval": "on_hold",
    "Resolved": "resolved",
    "Done": "closed",
    "Completed": "closed",
    "Closed": "closed",
    "Canceled": "cancelled",
    "Cancelled": "cancelled",
    "Declined": "cancelled",
}

PRIORITIES: dict[str, Any] = {
    "Blocker": 1,
    "Highest": 1,
    "Critical": 1,
    "High": 2,
    "Major": 2,
    "Medium": 3,
    "Normal": 3,
    "Low": 4,
    "Minor": 4,
    "Lowest": 5,
    "Trivial": 5,
}


def _optional(*names: str, **more: Any) -> FieldMap:
    return FieldMap(fields=names, is_optional=True, **more)


DIMENSIONS: dict[str, FieldMap] = {
    "customer": _optional("Customer"),
    "country": _optional("Country"),
    "service": _optional("Affected service"),
}


def _ticket(kind: str, issue_type: str, **more: FieldMap) -> SourceMap:
    return SourceMap(
        kind=RecordKind.TICKET,
        source=issue_type,
        fields={
            "kind": FieldMap(constant=kind),
            "title": FieldMap(fields=("summary",)),
            "state": FieldMap(fields=("status",), values=STATES),
            "priority": FieldMap(fields=("priority",), values=PRIORITIES, otherwise=None, has_otherwise=True),
            "is_major": _optional(
                "Major incident", values={"yes": True, "true": True}, otherwise=False, has_otherwise=True
            ),
            **DIMENSIONS,
            "supplier": _optional("Supplier"),
            "category": _optional("Category"),
            "assignment_group": _optional("Assignment group"),
            "opened_at": FieldMap(fields=("created",)),
            "created_at": FieldMap(fields=("created",)),
            "resolved_at": FieldMap(fields=("resolutiondate",)),
            "closed_at": FieldMap(fields=(CLOSED_AT,)),
            "reopen_count": FieldMap(fields=(REOPENED,)),
            "reassignment_count": FieldMap(fields=(REASSIGNED,)),
            **more,
        },
    )


def _clock(name: str, target: str, agreement: str, **more: FieldMap) -> SourceMap:
    return SourceMap(
        kind=RecordKind.SLA,
        source=name,
        fields={"target": FieldMap(constant=target), "agreement": FieldMap(constant=agreement), **more},
    )


DEFAULT_MAPPING = PlatformMapping(
    sources={
        "incident": _ticket("incident", "Incident"),
        "request": _ticket("request", "Service Request"),
        "problem": _ticket("problem", "Problem"),
        "change": _ticket(
            "change",
            "Change",
            risk=_optional(
                "Change risk", values={"critical": "high", "high": "high", "medium": "moderate", "low": "low"}
            ),
            is_successful=_optional("Change outcome", values={"successful": True, "unsuccessful": False}),
        ),
        "first_response": _clock("Time to first response", "response", "sla"),
        "resolution": _clock("Time to resolution", "resolution", "sla"),
        "ola_first_response": _clock("OLA time to first response", "response", "ola"),
        "ola_resolution": _clock("OLA time to resolution", "resolution", "ola"),
        "supplier_first_response": _clock(
            "Supplier time to first response", "response", "uc", supplier=_optional("Supplier")
        ),
        "supplier_resolution": _clock(
            "Supplier time to resolution", "resolution", "uc", supplier=_optional("Supplier")
        ),
        "satisfaction": SourceMap(
            kind=RecordKind.SURVEY,
            source="Satisfaction",
            fields={
                "kind": FieldMap(constant="csat"),
                "scale_min": FieldMap(constant=1),
                "scale_max": FieldMap(constant=5),
                "answered_at": _optional("Satisfaction date"),
                **DIMENSIONS,
            },
        ),
        "contact": SourceMap(
            kind=RecordKind.CONTACT,
            source="Customer contact",
            fields={
                "kind": _optional(
                    "Contact kind",
                    values={"review": "review", "call": "call", "visit": "visit", "mail": "mail", "chat": "chat"},
                    otherwise="call",
                    has_otherwise=True,
                ),
                "at": FieldMap(fields=("created",)),
                **DIMENSIONS,
            },
        ),
    }
)
#: Sources that not every Jira has: their absence is told by `doctor`, not refused.
OPTIONAL_SOURCES = frozenset(DEFAULT_MAPPING.sources)
