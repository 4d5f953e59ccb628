"""A running ServiceNow sandbox, connectors to it, and small worlds with bad input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
import requests

from connectors.base import Cursor, Page
from connectors.config import ConnectionConfig
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import TicketEvent, World, WorldPerson, WorldSla, WorldSurvey, WorldTicket
from connectors.servicenow.connector import ServiceNowConnector
from improvement.records import RecordKind

HOUR = 3600
START = int(datetime(2025, 6, 2, tzinfo=UTC).timestamp())
END = datetime(2025, 6, 9, tzinfo=UTC)
PEOPLE = [
    WorldPerson("olga.owner", "Olga Owner", "olga.owner@example.com", "Europe/Zurich", ("owner",)),
    WorldPerson("paul.prover", "Paul Prover", "paul.prover@example.com", "Europe/Berlin", ("approver",)),
]
Connect = Callable[..., ServiceNowConnector]


@dataclass
class Pulled:
    """Everything one pull of a kind delivered."""

    pages: list[Page]

    @property
    def table(self) -> pa.Table:
        return pa.concat_tables([page.batch for page in self.pages])

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.table.to_pylist()

    @property
    def ids(self) -> list[str]:
        return self.table["id"].to_pylist()

    @property
    def cursor(self) -> Cursor:
        return self.pages[-1].cursor

    @property
    def rejected(self) -> list[tuple[str, str, str]]:
        return [(item.id, item.field, item.reason) for page in self.pages for item in page.rejected]

    @property
    def requests(self) -> int:
        return sum(page.requests for page in self.pages)

    @property
    def retries(self) -> int:
        return sum(page.retries for page in self.pages)


def pulled(
    connector: ServiceNowConnector, kind: RecordKind, cursor: Cursor | None = None, *, until: datetime = END
) -> Pulled:
    """Pull a kind to its end."""
    return Pulled(list(connector.pull(kind, cursor, until=until)))


@dataclass
class Person:
    """Somebody who works on the platform itself."""

    url: str
    user: str

    def send(self, method: str, path: str, **options: Any) -> Any:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (self.user, "sandbox")
            response = session.request(method, f"{self.url}/api/now/table/{path}", timeout=30, **options)
        assert response.ok, response.text
        return response.json()["result"] if response.content else None

    def send_away(self, table: str, sys_id: str) -> None:
        self.send("DELETE", f"{table}/{sys_id}")

    def create(self, table: str, **values: str) -> dict[str, Any]:
        return self.send("POST", table, json=values)

    def change(self, table: str, sys_id: str, **values: str) -> dict[str, Any]:
        return self.send("PATCH", f"{table}/{sys_id}", json=values)

    def find(self, table: str, query: str) -> list[dict[str, Any]]:
        params = {"sysparm_query": query, "sysparm_exclude_reference_link": "true"}
        return self.send("GET", table, params=params)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    """The generated small world, which all files read and none may write to; faults are cleared after each test."""
    with running_sandbox(platforms=("servicenow",)) as running:
        held = running.stats("servicenow")["records"]
        yield running
        assert running.stats("servicenow")["records"] == held, "a test wrote to the world that all read"


@pytest.fixture(autouse=True)
def _no_faults_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "sandbox" in request.fixturenames:
        request.getfixturevalue("sandbox").set_faults("servicenow")


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Connectors as the integration user: ``connect(sandbox, page_size=7, …)``; never sleeps long."""
    with ExitStack() as stack:

        def build(running: RunningSandbox, **parts: Any) -> ServiceNowConnector:
            raw = {
                "name": "sn",
                "platform": "servicenow",
                "url": running.servicenow_url,
                "user": "regelkreis",
                "password": "sandbox",
                "timeout_s": 20,
                **parts,
            }
            connector = ServiceNowConnector(ConnectionConfig.model_validate(raw))
            connector._instance.reader.sleep = lambda seconds: None
            stack.callback(connector.close)
            return connector

        yield build


@pytest.fixture
def serve() -> Iterator[Callable[..., RunningSandbox]]:
    """A sandbox of the test's own: ``serve(a_world(…), cim=False)``; its clock stands at the week's end."""
    with ExitStack() as stack:

        def start(world: World, **options: Any) -> RunningSandbox:
            return stack.enter_context(
                running_sandbox(platforms=("servicenow",), worlds={"servicenow": world}, **{"now": END, **options})
            )

        yield start


def a_ticket(uid: int = 1, **parts: Any) -> WorldTicket:
    """An incident opened an hour after the start, resolved ten hours later, breached, with an answered survey."""
    opened = START + HOUR
    sla = WorldSla(
        "resolution", "sla", "Resolve P3", 4 * HOUR, opened, opened + 10 * HOUR, opened + 4 * HOUR, True, 36_000, None
    )
    defaults: dict[str, Any] = {
        "uid": uid,
        "kind": "incident",
        "title": "Mail is slow",
        "customer": "Acme",
        "country": "CH",
        "service": "Mail",
        "supplier": "Hoster",
        "category": "Software",
        "caller": "carl.caller",
        "priority": 3,
        "is_major": False,
        "opened": opened,
        "events": [
            TicketEvent(opened, {"state": "new", "assignment_group": "Service Desk", "reopen_count": 0}),
            TicketEvent(opened + 10 * HOUR, {"state": "resolved"}),
            TicketEvent(opened + 48 * HOUR, {"state": "closed"}),
        ],
        "slas": [sla],
        "survey": WorldSurvey(opened + 11 * HOUR, opened + 20 * HOUR, 4),
        "risk": None,
        "is_successful": None,
    }
    return WorldTicket(**{**defaults, **parts})


def a_world(*tickets: WorldTicket) -> World:
    """One week with these tickets, an owner and an approver."""
    return World(
        platform="servicenow",
        start=START,
        weeks=1,
        tickets=list(tickets),
        customers=[("Acme", "CH")],
        services=["Mail"],
        suppliers=["Hoster"],
        people=PEOPLE,
    )


@pytest.fixture
def admin(running: RunningSandbox) -> Person:
    """The administrator of the instance that a story runs."""
    return Person(running.servicenow_url, "admin")


def hour_by_hour(count: int, *, of_priority_1: int) -> World:
    """Tickets opened one after the other, and not touched since; the first of them are of priority 1."""
    tickets = []
    for uid in range(1, count + 1):
        at = START + uid * HOUR
        events = [TicketEvent(at, {"state": "new", "assignment_group": "Service Desk", "reopen_count": 0})]
        tickets.append(a_ticket(uid, opened=at, events=events, priority=1 if uid <= of_priority_1 else 3))
    return a_world(*tickets)


@pytest.fixture(scope="module")
def read_clocks() -> list[pa.Table]:
    """What was read on a good day, for all stories of the file."""
    return []


@pytest.fixture
def clocks(sandbox: RunningSandbox, connect: Connect, read_clocks: list[pa.Table]) -> pa.Table:
    """All clocks of the shared world, read on a good day."""
    if not read_clocks:
        read_clocks.append(pulled(connect(sandbox), RecordKind.SLA, until=sandbox.clock()).table)
    return read_clocks[0]
