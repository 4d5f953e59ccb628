"""A small world on each platform, connectors to it, and plain requests of its administrator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import requests

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.http import Reader
from connectors.jira.connector import JiraConnector
from connectors.sandbox.generator import generate
from connectors.sandbox.jira.oauth import CLIENT_ID, CLIENT_SECRET, CLOUD_ID
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import TicketEvent, World, WorldSla, WorldTicket
from connectors.servicenow.connector import ServiceNowConnector
from improvement.records import Outbound, Verb

ROOT = Path(__file__).resolve().parents[2]
CONNECTION = "acme"
TICKETS = 420
INSTALLATION = "k7m2qd4x"
UNRESOLVED = 8
PASSED_ON = 120  # times: more changes than Jira Cloud shows with an issue
FURTHER = 5  # of each of the things that few tickets of the generated weeks do
HOUR_S = 3600
PAGE = 40


@cache
def world(flavour: Flavour, until: datetime | None = None) -> World:
    """Some weeks of the generator's small world, the first or the last before ``until``. Of their incidents some that
    breached are never resolved, some are reopened after they were closed, some are major, at once or later on, and one
    is passed on again and again.
    """
    made = generate("servicenow" if flavour == "servicenow" else "jira", size="small")
    if until is None:
        made.tickets = made.tickets[:TICKETS]
    else:
        made.tickets = [ticket for ticket in made.tickets if ticket.opened < until.timestamp()][-TICKETS:]
    last = made.tickets[-1].opened
    made.contacts = [contact for contact in made.contacts if contact.at <= last]
    made.outages = [outage for outage in made.outages if outage.begin <= last]
    if made.outages:
        made.outages[-1].kind = "degradation"  # beside the planned ones
    breached = [ticket for ticket in made.tickets if any(_runs_over(clock) for clock in ticket.slas)]
    for ticket in breached[-UNRESOLVED:]:
        _leave_unresolved(ticket)
    closed = [ticket for ticket in made.tickets if ticket.kind == "incident" and _is_closed_before(ticket, last)]
    for number, ticket in enumerate(closed[: 2 * FURTHER]):
        _reopen(ticket, is_closed_again=number % 2 == 0)
    groups = sorted({str(ticket.events[0].changes["assignment_group"]) for ticket in made.tickets})
    _pass_on(next(ticket for ticket in closed[2 * FURTHER :] if _waits_long(ticket)), groups[:2])
    for number, ticket in enumerate(closed[-2 * FURTHER :]):
        ticket.is_major = number % 2 == 0
        if not ticket.is_major:
            ticket.events.append(TicketEvent(ticket.events[-1].at, {"is_major": True}))
    return made


def _is_closed_before(ticket: WorldTicket, last: int) -> bool:
    """Whether it was closed so long before that it can have been reopened and closed again since."""
    end = ticket.events[-1]
    return end.changes.get("state") == "closed" and end.at + 4 * HOUR_S < last


def _reopen(ticket: WorldTicket, *, is_closed_again: bool) -> None:
    at = ticket.events[-1].at
    ticket.events.append(TicketEvent(at + HOUR_S, {"state": "in_progress", "reopen_count": 1}))
    if is_closed_again:
        ticket.events.append(TicketEvent(at + 2 * HOUR_S, {"state": "resolved"}))
        ticket.events.append(TicketEvent(at + 3 * HOUR_S, {"state": "closed"}))


def _waits_long(ticket: WorldTicket) -> bool:
    """Whether nothing happens to it for so long after it was opened that it can be passed on often."""
    return ticket.events[1].at > ticket.events[0].at + 2 * PASSED_ON


def _pass_on(ticket: WorldTicket, groups: Sequence[str]) -> None:
    """To and fro between two groups."""
    first, *others = ticket.events
    passed = [
        TicketEvent(first.at + number, {"assignment_group": groups[number % 2], "reassignment_count": number})
        for number in range(1, PASSED_ON + 1)
    ]
    ticket.events = [first, *passed, *others]


def _runs_over(clock: WorldSla) -> bool:
    return clock.target == "resolution" and clock.breached and not clock.cancelled


def _leave_unresolved(ticket: WorldTicket) -> None:
    """Nobody ever puts it on hold or resolves it: its clocks run on over their time."""
    ticket.events = ticket.events[:1]
    ticket.survey = None
    for clock in filter(_runs_over, ticket.slas):
        clock.stop, clock.breach_at = None, clock.start + clock.goal_s
        clock.elapsed_s = 400 * 86_400


def first_now(flavour: Flavour, until: datetime | None = None) -> datetime:
    """The clock's first instant: ``until``, else when the last ticket is open and others still run."""
    if until is not None:
        return until
    return datetime.fromtimestamp(world(flavour).tickets[-1].opened, UTC) + timedelta(hours=1)


@contextmanager
def serving(flavour: Flavour, until: datetime | None = None, **options: Any) -> Iterator[RunningSandbox]:
    """The small world on one platform."""
    name = "servicenow" if flavour == "servicenow" else "jira"
    served, now = {name: world(flavour, until)}, first_now(flavour, until)
    with running_sandbox(platforms=(flavour,), worlds=served, now=now, **options) as running:
        yield running


@contextmanager
def connected(
    running: RunningSandbox,
    flavour: Flavour,
    user: str = "regelkreis",
    *,
    within: str = "",
    timeout_s: float = 5,
    signs_in: bool = False,
    **settings: Any,
) -> Iterator[Connector]:
    """A connector with small pages that does not wait between attempts.

    ``within`` is its filter of incidents; ``signs_in``: it has a token that expires, in place of a password.
    """
    credentials = _signing_in(running, flavour, user) if signs_in else _by_password(running, flavour, user)
    config = ConnectionConfig(
        name=CONNECTION,
        platform="servicenow" if flavour == "servicenow" else "jira",
        page_size=PAGE,
        timeout_s=timeout_s,
        mapping={"incident": {"filter": within}} if within else {},
        **credentials,
        **settings,
    )
    connector: Connector = ServiceNowConnector(config) if flavour == "servicenow" else JiraConnector(config)
    reader_of(connector).sleep = lambda seconds: None
    try:
        yield connector
    finally:
        connector.close()


def reader_of(connector: Connector) -> Reader:
    """What reads for a connector, and waits."""
    if isinstance(connector, ServiceNowConnector):
        return connector._instance.reader
    assert isinstance(connector, JiraConnector)
    return connector.reader


def _by_password(running: RunningSandbox, flavour: Flavour, user: str) -> dict[str, Any]:
    login = f"{user}@example.com" if flavour == "jira_cloud" else user
    return {"url": running.urls[flavour], "user": login, "password": "sandbox"}


def _signing_in(running: RunningSandbox, flavour: Flavour, user: str) -> dict[str, Any]:
    """On ServiceNow as the client itself, on Jira Cloud by what the user granted."""
    url, client = running.urls[flavour], {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    if flavour == "servicenow":
        return {"url": url, "oauth": client}
    asking = {"grant_type": "authorization_code", "code": f"sandbox-{user}", **client}
    granted = requests.post(f"{url}/oauth/token", json=asking, timeout=60).json()
    client |= {"grant": "refresh_token", "refresh_token": granted["refresh_token"], "token_url": f"{url}/oauth/token"}
    return {"url": f"{url}/ex/jira/{CLOUD_ID}", "oauth": client, "hourly_points": 0}


def asked(running: RunningSandbox, flavour: Flavour, method: str, path: str, **options: Any) -> Any:
    """One plain request as the administrator."""
    login = "admin@example.com" if flavour == "jira_cloud" else "admin"
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (login, "sandbox")
        response = session.request(method, f"{running.urls[flavour]}{path}", timeout=60, **options)
    response.raise_for_status()
    return response.json()


def outbound(verb: Verb, action: str, key: str, **parts: Any) -> Outbound:
    """A write of an action's, as this installation makes it."""
    return Outbound(verb=verb, key=f"{action}/{key}", action_id=action, installation=INSTALLATION, **parts)
