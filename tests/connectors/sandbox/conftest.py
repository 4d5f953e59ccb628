"""Running sandboxes and a small client for the tests of the ServiceNow sandbox."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import TicketEvent, World, WorldPerson, WorldSla, WorldSurvey, WorldTicket

HOUR = 3600
START = int(datetime(2025, 6, 2, tzinfo=UTC).timestamp())
PEOPLE = [
    WorldPerson("olga.owner", "Olga Owner", "olga.owner@example.com", "Europe/Zurich", ("owner",)),
    WorldPerson("paul.prover", "Paul Prover", "paul.prover@example.com", "Europe/Berlin", ("approver",)),
    WorldPerson("petra.prover", "Petra Prover", "petra.prover@example.com", "Europe/Berlin", ("approver",)),
    WorldPerson("agent.ada", "Agent Ada", "agent.ada@example.com", "Asia/Tokyo", ("agent",)),
]


@dataclass
class Api:
    """The Table API as one user sees it."""

    url: str
    user: str = "admin"
    password: str = "sandbox"

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            session.auth = (self.user, self.password)
            return session.request(method, f"{self.url}{path}", timeout=30, **options)

    def list(self, table: str, query: str = "", **sysparm: Any) -> list[dict[str, Any]]:
        response = self.page(table, query, **sysparm)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    def page(self, table: str, query: str = "", **sysparm: Any) -> requests.Response:
        params = {f"sysparm_{name}": str(value).lower() for name, value in sysparm.items()} | {"sysparm_query": query}
        return self.send("GET", f"/api/now/table/{table}", params=params)

    def read(self, table: str, sys_id: str, **sysparm: Any) -> dict[str, Any]:
        params = {f"sysparm_{name}": value for name, value in sysparm.items()}
        response = self.send("GET", f"/api/now/table/{table}/{sys_id}", params=params)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    def create(self, table: str, **values: Any) -> dict[str, Any]:
        response = self.send("POST", f"/api/now/table/{table}", json=values)
        assert response.status_code == 201, response.text
        return response.json()["result"]

    def patch(self, table: str, sys_id: str, **values: Any) -> requests.Response:
        return self.send("PATCH", f"/api/now/table/{table}/{sys_id}", json=values)

    def change(self, table: str, sys_id: str, **values: Any) -> dict[str, Any]:
        response = self.patch(table, sys_id, **values)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    def count(self, table: str, query: str = "") -> int:
        params = {"sysparm_count": "true", "sysparm_query": query}
        response = self.send("GET", f"/api/now/stats/{table}", params=params)
        return int(response.json()["result"]["stats"]["count"])

    def as_user(self, user: str) -> Api:
        return Api(self.url, user)


@pytest.fixture(scope="session")
def small() -> Iterator[RunningSandbox]:
    """The generated small world; tests must not change it in ways others see."""
    with running_sandbox(platforms=("servicenow",)) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def api(small: RunningSandbox) -> Api:
    """The small world as the administrator sees it."""
    return Api(small.servicenow_url)


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[RunningSandbox, Api]]]:
    """Start a sandbox of the test's own: ``serve(world, now=…, cim=False)``."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(world: World, **options: Any) -> tuple[RunningSandbox, Api]:
            sandbox = stack.enter_context(
                running_sandbox(platforms=("servicenow",), worlds={"servicenow": world}, **options)
            )
            return sandbox, Api(sandbox.servicenow_url)

        yield start


@pytest.fixture
def a_world() -> Callable[..., World]:
    """A world of one week with these tickets and four people."""

    def build(*tickets: WorldTicket, **parts: Any) -> World:
        return World(
            platform="servicenow",
            start=START,
            weeks=1,
            tickets=list(tickets),
            customers=[("Acme", "CH")],
            services=["Mail"],
            suppliers=["Hoster"],
            people=PEOPLE,
            **parts,
        )

    return build


@pytest.fixture
def a_ticket() -> Callable[..., WorldTicket]:
    """An incident opened an hour after the start, in progress after one hour more, resolved after ten, closed later."""

    def build(uid: int = 1, **parts: Any) -> WorldTicket:
        opened = START + HOUR
        sla = WorldSla(
            "resolution",
            "sla",
            "Resolve P3",
            4 * HOUR,
            opened,
            opened + 10 * HOUR,
            opened + 4 * HOUR,
            True,
            36_000,
            None,
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
                TicketEvent(opened + HOUR, {"state": "in_progress", "assignee": "agent.ada"}),
                TicketEvent(opened + 10 * HOUR, {"state": "resolved"}),
                TicketEvent(opened + 48 * HOUR, {"state": "closed"}),
            ],
            "slas": [sla],
            "survey": WorldSurvey(opened + 11 * HOUR, opened + 20 * HOUR, 4),
            "risk": None,
            "is_successful": None,
        }
        return WorldTicket(**{**defaults, **parts})

    return build
