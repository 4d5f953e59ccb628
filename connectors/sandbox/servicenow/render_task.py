"""Incidents, requested items, problems and changes of the world as rows of their tables."""

from __future__ import annotations

from connectors.sandbox.servicenow.masterdata import MasterData
from connectors.sandbox.servicenow.moments import stored
from connectors.sandbox.world import WorldTicket

TABLE_OF_KIND = {"incident": "incident", "request": "sc_req_item", "problem": "problem", "change": "change_request"}

STATES: dict[str, dict[str, str]] = {
    "incident": {"new": "1", "in_progress": "2", "on_hold": "3", "resolved": "6", "closed": "7", "cancelled": "8"},
    "sc_req_item": {"new": "1", "in_progress": "2", "on_hold": "-5", "resolved": "3", "closed": "3", "cancelled": "4"},
    "problem": {
        "new": "101",
        "in_progress": "103",
        "on_hold": "102",
        "resolved": "106",
        "closed": "107",
        "cancelled": "107",
    },
    "change_request": {
        "new": "-5",
        "in_progress": "-1",
        "on_hold": "-2",
        "resolved": "0",
        "closed": "3",
        "cancelled": "4",
    },
}
RISKS = {"high": "2", "moderate": "3", "low": "4"}
IMPACT_OF_PRIORITY = {"1": ("1", "1"), "2": ("1", "2"), "3": ("2", "2"), "4": ("2", "3"), "5": ("3", "3")}
CONTACT_TYPES = ("self-service", "phone", "email", "walk-in")
TEXT_LIMIT = 160
AWAITING_CALLER = "1"
ENDED = ("closed", "cancelled")
OVER = ("resolved", *ENDED)


def task_values(
    ticket: WorldTicket, number: str, table: str, master: MasterData, now: int
) -> tuple[str, dict[str, str]]:
    """When the ticket was last updated (stored text) until ``now``, and its column values then."""
    state, priority, group, assignee = "new", str(ticket.priority), "", ""
    reopened = reassigned = 0
    is_major = ticket.is_major
    resolved = closed = ""
    updated = count = 0
    for event in ticket.events:
        if event.at > now:
            break
        changes = event.changes
        updated, count = event.at, count + 1
        if "state" in changes:
            state = str(changes["state"])
            if state == "resolved":
                resolved = "" if "resolved_at" in event.changes else stored(event.at)
            elif state in ENDED:
                closed = stored(event.at)
            else:
                closed = ""
        if "priority" in changes:
            priority = str(changes["priority"])
        if "assignment_group" in changes:
            group = str(changes["assignment_group"] or "")
        if "assignee" in changes:
            assignee = str(changes["assignee"] or "")
        if "reopen_count" in changes:
            reopened = int(changes["reopen_count"] or 0)
        if "reassignment_count" in changes:
            reassigned = int(changes["reassignment_count"] or 0)
        if "is_major" in changes:
            is_major = bool(changes["is_major"])
    if state not in OVER:
        resolved = ""  # reopened
    company, location = master.company(ticket.customer), master.location(ticket.location, ticket.country)
    caller, service = master.person(ticket.caller, company, location), master.service(ticket.service)
    assigned_to = master.person(assignee)
    impact, urgency = IMPACT_OF_PRIORITY.get(priority, ("3", "3"))
    values = {
        "number": number,
        "sys_class_name": table,
        "sys_created_on": stored(min(ticket.opened, ticket.events[0].at)),
        "sys_created_by": ticket.caller,
        "sys_updated_by": assignee or ticket.caller,
        "sys_mod_count": str(count - 1),
        "short_description": ticket.title[:TEXT_LIMIT],
        "description": ticket.title,
        "state": STATES[table][state],
        "active": "false" if state in ENDED else "true",
        "priority": priority,
        "impact": impact,
        "urgency": urgency,
        "company": company,
        "location": location,
        "business_service": service,
        "cmdb_ci": service,
        "vendor": master.supplier(ticket.supplier),
        "assignment_group": master.group(group),
        "assigned_to": assigned_to,
        "opened_by": caller,
        "opened_at": stored(ticket.opened),
        "closed_at": closed,
        "closed_by": assigned_to if closed else "",
        "contact_type": CONTACT_TYPES[ticket.uid % 4],
        "reassignment_count": str(reassigned),
    }
    if table == "incident":
        values |= {
            "caller_id": caller,
            "category": ticket.category or "",
            "hold_reason": hold_reason(table, state),
            "resolved_at": resolved,
            "resolved_by": assigned_to if resolved else "",
            "reopen_count": str(reopened),
            "major_incident_state": "accepted" if is_major else "",
            "close_code": "Solution provided" if resolved else "",
        }
    elif table == "problem":
        values |= {"category": ticket.category or "", "resolved_at": resolved, "reopen_count": str(reopened)}
    elif table == "sc_req_item":
        values |= {"category": ticket.category or "", "requested_for": caller, "closed_at": closed or resolved}
    else:
        values |= _change_values(ticket, caller, state)
    return stored(updated), values


def hold_reason(table: str, state: str) -> str:
    """What a ticket in this state waits for, as stored: incidents on hold await their caller."""
    return AWAITING_CALLER if table == "incident" and state == "on_hold" else ""


def _change_values(ticket: WorldTicket, caller: str, state: str) -> dict[str, str]:
    code = ""
    if state == "closed" and ticket.is_successful is not None:
        code = "successful" if ticket.is_successful else "unsuccessful"
    return {
        "category": ticket.category or "",
        "risk": RISKS.get(ticket.risk or "", "4"),
        "close_code": code,
        "requested_by": caller,
        "start_date": stored(ticket.opened + 86400),
        "end_date": stored(ticket.opened + 2 * 86400),
    }
