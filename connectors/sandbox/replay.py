"""A real event log as a world: the *Incident management process enriched event log* of a ServiceNow instance.

Source: C. Amaral, M. Fantinato, S. Peres, UCI Machine Learning Repository, CC BY 4.0. Each line of the CSV is one
update of an incident (``sys_updated_at``); encoding latin-1, times ``DD-MM-YYYY hh:mm`` read as UTC, ``?`` missing.

The columns ``resolved_at`` and ``closed_at`` carry their *final* values from an incident's first line on. They are
not used as they stand: where an incident was resolved at all, its last line in state Resolved and its line in state
Closed are from exactly these instants, so the events in time order show them when a live instance would have, and
not before. 29 incidents were in state Resolved without ever getting a ``resolved_at``; it stays empty.

The log has no customer, country or service; ``location``, ``category`` and ``assignment_group`` are there and can be
mapped in their place. It has no SLA goals either: one resolution clock per incident tells what ``made_sla`` tells.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.sandbox.world import TicketEvent, Value, World, WorldPerson, WorldSla, WorldTicket
from improvement.errors import InputError, Place

STATES: dict[str, str] = {
    "New": "new",
    "Active": "in_progress",
    "Awaiting User Info": "on_hold",
    "Awaiting Vendor": "on_hold",
    "Awaiting Problem": "on_hold",
    "Awaiting Evidence": "on_hold",
    "Resolved": "resolved",
    "Closed": "closed",
}
COLUMNS = (
    "number",
    "incident_state",
    "reassignment_count",
    "reopen_count",
    "made_sla",
    "caller_id",
    "opened_at",
    "sys_updated_at",
    "resolved_at",
    "location",
    "category",
    "u_symptom",
    "priority",
    "assignment_group",
    "assigned_to",
)
MISSING = "?"
SLA_NAME = "Incident resolution"
PEOPLE = (
    WorldPerson("log.owner", "Log Owner", "log.owner@example.com", "UTC", ("owner",)),
    WorldPerson("log.approver", "Log Approver", "log.approver@example.com", "UTC", ("approver",)),
)

Line = dict[str, str]


def replay(path: Path) -> World:
    """The world of the event log in ``path``.

    Raises :class:`InputError` with file, line and field where the file is not such a log.
    """
    lines: dict[str, list[tuple[int, Line]]] = {}
    try:
        with path.open(encoding="latin-1", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"The columns {', '.join(missing)} are missing.",
                    where=Place(file=str(path), line=1),
                    mend="Give the CSV of the incident event log, with its header line.",
                )
            for line in reader:
                at = _instant(line, "sys_updated_at", path, reader.line_num)
                lines.setdefault(line["number"], []).append((at, line))
    except OSError as error:
        raise InputError(
            f"The event log cannot be read: {error.strerror}.", where=Place(file=str(path)), mend="Check the path."
        ) from error
    tickets = [_ticket(sorted(updates, key=lambda update: update[0]), path) for updates in lines.values()]
    tickets.sort(key=lambda ticket: (ticket.opened, ticket.number or ""))
    for uid, ticket in enumerate(tickets, start=1):
        ticket.uid = uid
    start = _monday(min((ticket.opened for ticket in tickets), default=0))
    end = max((event.at for ticket in tickets for event in ticket.events), default=start)
    return World(
        platform="servicenow",
        start=start,
        weeks=(end - start) // (7 * 86_400) + 1,
        tickets=tickets,
        people=[*PEOPLE, *_agents(tickets)],
    )


def _ticket(updates: list[tuple[int, Line]], path: Path) -> WorldTicket:
    first = updates[0][1]
    opened = _instant(first, "opened_at", path, None)
    return WorldTicket(
        uid=0,
        kind="incident",
        title=f"{_text(first, 'u_symptom') or 'Incident'} ({_text(first, 'category') or 'no category'})",
        customer=None,
        country=None,
        service=None,
        supplier=None,
        category=_text(updates[-1][1], "category"),
        caller=_account(first, "caller_id") or "unknown",
        priority=_priority(first, path),
        is_major=False,
        opened=opened,
        events=list(_events(updates, path)),
        slas=[_sla(opened, updates)],
        survey=None,
        risk=None,
        is_successful=None,
        number=first["number"],
        location=_text(updates[-1][1], "location"),
    )


def _events(updates: Iterable[tuple[int, Line]], path: Path) -> Iterable[TicketEvent]:
    """What changed from line to line; a line in state Resolved or Closed always says so, it moves the instant."""
    known: dict[str, Value] = {}
    for at, line in updates:
        now: dict[str, Value] = {
            "state": _state(line, path),
            "assignment_group": _text(line, "assignment_group"),
            "assignee": _account(line, "assigned_to"),
            "reopen_count": int(line["reopen_count"]),
            "reassignment_count": int(line["reassignment_count"]),
            "priority": _priority(line, path),
        }
        if not known:
            now["is_major"] = False
        is_ending = now["state"] in ("resolved", "closed")
        changes = {
            name: value
            for name, value in now.items()
            if name not in known or known[name] != value or (name == "state" and is_ending)
        }
        known.update(now)
        if changes.get("state") == "resolved" and _text(line, "resolved_at") is None:
            changes["resolved_at"] = None
        if changes:
            yield TicketEvent(at, changes)


def _sla(opened: int, updates: list[tuple[int, Line]]) -> WorldSla:
    """The one clock ``made_sla`` tells of: breached at its first FALSE, met at the resolution otherwise.

    The goal is not in the log. It is set to what the log allows: the time to the breach, or the time it took.
    """
    closed = updates[-1][0]
    breach = next((at for at, line in updates if line["made_sla"] == "FALSE"), None)
    resolved = max(
        (at for at, line in updates if line["incident_state"] == "Resolved" and _text(line, "resolved_at")),
        default=closed,
    )
    stop = max(closed if breach is not None else resolved, opened + 60)
    breach_at = max(breach, opened + 60) if breach is not None else stop
    return WorldSla(
        target="resolution",
        agreement="sla",
        name=SLA_NAME,
        goal_s=breach_at - opened,
        start=opened,
        stop=stop,
        breach_at=breach_at,
        breached=breach is not None,
        elapsed_s=stop - opened,
        supplier=None,
    )


def _agents(tickets: list[WorldTicket]) -> list[WorldPerson]:
    accounts = {str(event.changes["assignee"]) for t in tickets for event in t.events if event.changes.get("assignee")}
    return [
        WorldPerson(account, account.replace("-", " ").title(), f"{account}@example.com", "UTC", ("agent",))
        for account in sorted(accounts)
    ]


def _state(line: Line, path: Path) -> str:
    state = STATES.get(line["incident_state"])
    if state is None:
        raise InputError(
            f"“{line['incident_state']}” is no state of this log.",
            where=Place(file=str(path), record=line["number"], field="incident_state"),
            mend=f"Known states: {', '.join(STATES)}.",
        )
    return state


def _priority(line: Line, path: Path) -> int:
    """``3 - Moderate`` → 3."""
    digit = line["priority"][:1]
    if not digit.isdigit():
        raise InputError(
            f"“{line['priority']}” is no priority.",
            where=Place(file=str(path), record=line["number"], field="priority"),
            mend="It begins with its number, as in “3 - Moderate”.",
        )
    return int(digit)


def _instant(line: Line, column: str, path: Path, number: int | None) -> int:
    try:
        return int(datetime.strptime(line[column], "%d-%m-%Y %H:%M").replace(tzinfo=UTC).timestamp())
    except ValueError as error:
        raise InputError(
            f"“{line[column]}” is no time.",
            where=Place(file=str(path), line=number, record=line["number"], field=column),
            mend="Times are written DD-MM-YYYY hh:mm.",
        ) from error


def _text(line: Line, column: str) -> str | None:
    value = line[column].strip()
    return None if value in ("", MISSING) else value


def _account(line: Line, column: str) -> str | None:
    """``Resolver 31`` → ``resolver-31``."""
    value = _text(line, column)
    return value.lower().replace(" ", "-") if value is not None else None


def _monday(at: int) -> int:
    """The Monday 00:00 UTC of this instant's week."""
    day = datetime.fromtimestamp(at, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((day - timedelta(days=day.weekday())).timestamp())
