"""A running Jira sandbox of both flavours, connectors to it, and small worlds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from jira import JIRA

from connectors.config import ConnectionConfig
from connectors.jira.connector import JiraConnector
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import TicketEvent, World, WorldPerson, WorldSla, WorldSurvey, WorldTicket

HOUR = 3600
FLAVOURS: tuple[Flavour, ...] = ("jira_cloud", "jira_dc")
Connect = Callable[..., JiraConnector]


@pytest.fixture(scope="session")
def now() -> datetime:
    """Where the shared sandbox's clock stands: the end of its small world."""
    return datetime(2024, 7, 29, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def sandbox(now: datetime) -> Iterator[RunningSandbox]:
    """The generated small world on both flavours."""
    with running_sandbox(platforms=FLAVOURS, now=now) as running:
        yield running


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Each test runs on Cloud and on Data Center."""
    chosen: Flavour = request.param
    return chosen


@pytest.fixture
def connect(sandbox: RunningSandbox) -> Iterator[Connect]:
    """Open connectors: ``connect(flavour, user="honolulu", page_size=7)``; they never wait between retries."""
    with ExitStack() as stack:

        def open_one(
            flavour: Flavour, *, user: str = "regelkreis", at: RunningSandbox = sandbox, **settings: Any
        ) -> JiraConnector:
            login = f"{user}@example.com" if flavour == "jira_cloud" else user
            config = ConnectionConfig(
                **{
                    "name": "acme",
                    "platform": "jira",
                    "url": at.urls[flavour],
                    "user": login,
                    "password": "sandbox",
                    **settings,
                }
            )
            connector = JiraConnector(config)
            connector.reader.sleep = lambda seconds: None
            stack.callback(connector.close)
            return connector

        yield open_one


@pytest.fixture
def faults(sandbox: RunningSandbox, flavour: Flavour) -> Iterator[Callable[..., None]]:
    """Make the shared sandbox misbehave, until the end of the test."""
    yield lambda *rules: sandbox.set_faults(flavour, *rules)
    sandbox.set_faults(flavour)


@pytest.fixture
def person(sandbox: RunningSandbox, flavour: Flavour) -> Callable[..., JIRA]:
    """Somebody who works in Jira with an ordinary client."""

    def sign_in(user: str = "claudia.braun", at: RunningSandbox = sandbox) -> JIRA:
        login = f"{user}@example.com" if flavour == "jira_cloud" else user
        return JIRA(at.urls[flavour], basic_auth=(login, "sandbox"), max_retries=0)

    return sign_in


@pytest.fixture
def serve(flavour: Flavour) -> Iterator[Callable[..., RunningSandbox]]:
    """Serve a world of the test's own on the test's flavour: ``serve(tickets, now=…)``."""
    with ExitStack() as stack:

        def start(tickets: list[WorldTicket], *, now: datetime, **options: Any) -> RunningSandbox:
            begin = min((ticket.opened for ticket in tickets), default=int(now.timestamp()))
            world = World(
                "jira",
                begin,
                1,
                tickets=tickets,
                customers=[("Acme", "CH")],
                services=["Mail"],
                people=[WorldPerson("olga.owner", "Olga Owner", "olga.owner@example.com", "Europe/Zurich", ("owner",))],
            )
            return stack.enter_context(
                running_sandbox(platforms=(flavour,), worlds={"jira": world}, now=now, **options)
            )

        yield start


def _an_incident(uid: int, opened: datetime, *, resolved_after_h: int | None = 5, **parts: Any) -> WorldTicket:
    at = int(opened.timestamp())
    events = [TicketEvent(at, {"state": "new", "assignment_group": "Desk"})]
    stop = None
    if resolved_after_h is not None:
        stop = at + resolved_after_h * HOUR
        events.append(TicketEvent(stop, {"state": "resolved"}))
    clock = WorldSla(
        "resolution",
        "sla",
        "4h",
        4 * HOUR,
        at,
        stop,
        at + 4 * HOUR,
        stop is None or stop > at + 4 * HOUR,
        5 * HOUR,
        None,
    )
    given: dict[str, Any] = {
        "uid": uid,
        "kind": "incident",
        "title": f"Mail is slow {uid}",
        "customer": "Acme",
        "country": "CH",
        "service": "Mail",
        "supplier": None,
        "category": None,
        "caller": "carl.caller",
        "priority": 3,
        "is_major": False,
        "opened": at,
        "events": events,
        "slas": [clock],
        "survey": None,
        "risk": None,
        "is_successful": None,
    }
    return WorldTicket(**{**given, **parts})


@pytest.fixture
def an_incident() -> Callable[..., WorldTicket]:
    """An incident opened at a time, resolved after some hours (None: never), with a four-hour goal."""
    return _an_incident


@pytest.fixture
def a_survey() -> Callable[[datetime, int], WorldSurvey]:
    """A survey answered at a time with a score."""
    return lambda at, score: WorldSurvey(int(at.timestamp()) - HOUR, int(at.timestamp()), score)
