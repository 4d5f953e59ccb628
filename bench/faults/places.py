"""A small world on each platform, connectors to it, and what an administrator reads there by plain HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import requests

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.jira.connector import JiraConnector
from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World, WorldSla, WorldTicket
from connectors.servicenow.connector import ServiceNowConnector

CONNECTION = "acme"
TICKETS = 420
UNRESOLVED = 8
PAGE = 40
TASK_TABLES = ("incident", "sc_req_item", "problem", "change_request")
SLA_FIELDS = tuple(f"customfield_{number}" for number in range(10030, 10036))
Facts = dict[str, Counter[tuple[Any, ...]]]


@cache
def world(flavour: Flavour) -> World:
    """The first weeks of the generator's small world, some of whose breached incidents are never resolved."""
    made = generate("servicenow" if flavour == "servicenow" else "jira", size="small")
    made.tickets = made.tickets[:TICKETS]
    last = made.tickets[-1].opened
    made.contacts = [contact for contact in made.contacts if contact.at <= last]
    made.outages = [outage for outage in made.outages if outage.begin <= last]
    breached = [ticket for ticket in made.tickets if any(_runs_over(clock) for clock in ticket.slas)]
    for ticket in breached[-UNRESOLVED:]:
        _leave_unresolved(ticket)
    return made


def _runs_over(clock: WorldSla) -> bool:
    return clock.target == "resolution" and clock.breached and not clock.cancelled


def _leave_unresolved(ticket: WorldTicket) -> None:
    """Nobody ever puts it on hold or resolves it: its clocks run on over their time."""
    ticket.events = ticket.events[:1]
    ticket.survey = None
    for clock in filter(_runs_over, ticket.slas):
        clock.stop, clock.breach_at = None, clock.start + clock.goal_s
        clock.elapsed_s = 400 * 86_400


def first_now(flavour: Flavour) -> datetime:
    """The clock's first instant: when the last ticket is open and others still run."""
    return datetime.fromtimestamp(world(flavour).tickets[-1].opened, UTC) + timedelta(hours=1)


@contextmanager
def serving(flavour: Flavour, **options: Any) -> Iterator[RunningSandbox]:
    """The small world on one platform."""
    name = "servicenow" if flavour == "servicenow" else "jira"
    served = {name: world(flavour)}
    with running_sandbox(platforms=(flavour,), worlds=served, now=first_now(flavour), **options) as running:
        yield running


@contextmanager
def connected(running: RunningSandbox, flavour: Flavour, user: str = "regelkreis") -> Iterator[Connector]:
    """A connector with small pages that does not wait between attempts."""
    is_cloud = flavour == "jira_cloud"
    config = ConnectionConfig(
        name=CONNECTION,
        platform="servicenow" if flavour == "servicenow" else "jira",
        url=running.urls[flavour],
        user=f"{user}@example.com" if is_cloud else user,
        password="sandbox",
        page_size=PAGE,
        timeout_s=5,
    )
    connector: Connector = ServiceNowConnector(config) if flavour == "servicenow" else JiraConnector(config)
    reader = connector._instance.reader if isinstance(connector, ServiceNowConnector) else connector.reader
    reader.sleep = lambda seconds: None
    try:
        yield connector
    finally:
        connector.close()


def asked(running: RunningSandbox, flavour: Flavour, method: str, path: str, **options: Any) -> Any:
    """One plain request as the administrator."""
    login = "admin@example.com" if flavour == "jira_cloud" else "admin"
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (login, "sandbox")
        response = session.request(method, f"{running.urls[flavour]}{path}", timeout=60, **options)
    response.raise_for_status()
    return response.json()


def facts(running: RunningSandbox, flavour: Flavour, *, user: str = "admin") -> Facts:
    """What the platform holds: tickets and clocks, as (id, …) by plain HTTP and a mapping of our own."""
    return _servicenow(running, user) if flavour == "servicenow" else _jira(running, flavour)


def _servicenow(running: RunningSandbox, user: str) -> Facts:
    def rows(table: str, fields: str) -> list[Mapping[str, str]]:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (user, "sandbox")
            params = {"sysparm_fields": fields, "sysparm_exclude_reference_link": "true"}
            answer = session.get(f"{running.servicenow_url}/api/now/table/{table}", params=params, timeout=60)
        found: list[Mapping[str, str]] = answer.json()["result"]
        return found

    tickets: Counter[tuple[Any, ...]] = Counter()
    for table in TASK_TABLES:
        for row in rows(table, "sys_id,number,short_description,priority,opened_at"):
            opened = _stored(row["opened_at"])
            tickets[(row["sys_id"], row["number"], row["short_description"], int(row["priority"]), opened)] += 1
    clocks: Counter[tuple[Any, ...]] = Counter()
    now = running.clock()
    for row in rows("task_sla", "task,start_time,end_time,has_breached,stage,planned_end_time"):
        is_cancelled = row["stage"] == "cancelled"
        is_over = row["stage"] == "in_progress" and _stored(row["planned_end_time"]) <= now  # its row may stand still
        is_breached = row["has_breached"] == "true" or is_over
        clocks[(row["task"], _stored(row["start_time"]), is_breached, is_cancelled)] += 1
    return {"ticket": tickets, "sla": clocks}


def _jira(running: RunningSandbox, flavour: Flavour) -> Facts:
    body = {
        "jql": "issuetype in (Incident, 'Service Request', Problem, Change) ORDER BY created ASC",
        "fields": ["summary", "priority", "created", "status", *SLA_FIELDS],
        "maxResults": 100,
    }
    tickets: Counter[tuple[Any, ...]] = Counter()
    clocks: Counter[tuple[Any, ...]] = Counter()
    for issue in _issues(running, flavour, body):
        shown = issue["fields"]
        created = datetime.fromisoformat(shown["created"]).astimezone(UTC)
        tickets[(issue["id"], issue["key"], shown["summary"], int(shown["priority"]["id"]), created)] += 1
        is_cancelled = shown["status"]["name"] == "Canceled"  # its clocks count nowhere
        for field in SLA_FIELDS:
            cycles = shown[field] or {}
            for cycle in (*cycles.get("completedCycles", ()), *filter(None, [cycles.get("ongoingCycle")])):
                start = datetime.fromtimestamp(cycle["startTime"]["epochMillis"] / 1000, UTC)
                clocks[(issue["id"], start, cycle["breached"], is_cancelled)] += 1
    return {"ticket": tickets, "sla": clocks}


def _issues(running: RunningSandbox, flavour: Flavour, body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    is_cloud = flavour == "jira_cloud"
    path = "/rest/api/2/search/jql" if is_cloud else "/rest/api/2/search"
    more: dict[str, Any] = {}
    seen = 0
    while True:
        answer = asked(running, flavour, "POST", path, json=body | more)
        yield from answer["issues"]
        seen += len(answer["issues"])
        if answer.get("isLast", seen >= answer.get("total", 0)):
            return
        more = {"nextPageToken": answer["nextPageToken"]} if is_cloud else {"startAt": seen}


def _stored(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
