"""How the world's tickets and contacts show as issues, and what their events change."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.sandbox.jira import catalogue
from connectors.sandbox.jira.accounts import AUTOMATION, Account
from connectors.sandbox.jira.catalogue import IssueType, Project
from connectors.sandbox.jira.model import Issue
from connectors.sandbox.world import TicketEvent, Value, World, WorldContact, WorldTicket

MAX_SUMMARY = 255


def issue_of_ticket(ticket: WorldTicket, project: Project, kind: IssueType, id: int, number: int) -> Issue:
    """The issue that shows a ticket, as it was opened."""
    return Issue(
        id=id,
        project=project,
        number=number,
        type=kind,
        summary=ticket.title[:MAX_SUMMARY],
        status=catalogue.OPEN,
        created=ticket.opened,
        updated=ticket.opened,
        reporter=ticket.caller,
        priority=str(ticket.priority),
        customer=ticket.customer,
        country=ticket.country,
        service=ticket.service,
        supplier=ticket.supplier,
        category=ticket.category,
        major="Yes" if ticket.is_major else None,
        risk=catalogue.RISK_OPTION[ticket.risk] if ticket.risk else None,
        ticket=ticket,
    )


def issue_of_contact(contact: WorldContact, project: Project, kind: IssueType, id: int, number: int) -> Issue:
    """The issue that shows a contact with a customer: closed when it appears."""
    return Issue(
        id=id,
        project=project,
        number=number,
        type=kind,
        summary=f"{catalogue.CONTACT_OPTION[contact.kind]} with {contact.customer}",
        status=catalogue.CLOSED,
        created=contact.at,
        updated=contact.at,
        reporter=AUTOMATION,
        resolved=contact.at,
        resolution="10000",
        customer=contact.customer,
        country=contact.country,
        service=contact.service,
        contact_kind=catalogue.CONTACT_OPTION[contact.kind],
    )


def has_clock_after(issue: Issue, now: int) -> bool:
    """Whether a clock of the issue stops after ``now``, or not at all."""
    return issue.ticket is not None and any(clock.stop is None or clock.stop > now for clock in issue.ticket.slas)


def apply(issue: Issue, event: TicketEvent, ticket: WorldTicket) -> None:
    """Show one event of a ticket on its issue."""
    changes = event.changes
    at = event.at
    issue.updated = at
    state = changes.get("state")
    if isinstance(state, str):
        issue.status = catalogue.TICKET_STATUS[state]
        if state in ("resolved", "closed", "cancelled"):
            if issue.resolved is None:
                issue.resolved = at
                issue.resolution = "10002" if state == "cancelled" else "10000"
            if state == "closed" and ticket.is_successful is not None:
                issue.outcome = "Successful" if ticket.is_successful else "Unsuccessful"
        else:
            issue.resolved = issue.resolution = None
    if "assignment_group" in changes:
        issue.group = _text(changes["assignment_group"])
    if "assignee" in changes:
        issue.assignee = _text(changes["assignee"])
    if "priority" in changes:
        issue.priority = _text(changes["priority"])
    if "is_major" in changes:
        issue.major = "Yes" if changes["is_major"] else None


def _text(value: str | int | bool | None) -> str | None:
    return str(value) if value else None


def agents_of(world: World) -> Iterator[Account]:
    """Accounts of everybody the world's tickets name, once each; people and users come after and win."""
    names = {ticket.caller for ticket in world.tickets}
    known: dict[int, dict[str, Value]] = {}
    for ticket in world.tickets:
        for event in ticket.events:
            if "assignee" in event.changes:
                known[id(event.changes)] = event.changes
    names.update(str(changes["assignee"]) for changes in known.values() if changes["assignee"])
    for name in sorted(name for name in names if name):
        yield Account(name, name.replace(".", " ").title(), f"{name}@example.com", "Etc/UTC")
