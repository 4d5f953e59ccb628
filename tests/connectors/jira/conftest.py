"""A running Jira sandbox of both flavours, connectors to it, and small worlds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from jira import JIRA

from connectors.config import ConnectionConfig
from connectors.jira.connector import JiraConnector
from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import TicketEvent, World, WorldPerson, WorldSla, WorldSurvey, WorldTicket
from improvement.records import SCHEMAS, Outbound, OutboundFile, PlatformState, Receipt, RecordRef, Verb

HOUR = 3600
FLAVOURS: tuple[Flavour, ...] = ("jira_cloud", "jira_dc")
Connect = Callable[..., JiraConnector]
FILE = OutboundFile(name="review-abc123.json", media_type="application/json", content=b'{"verdict":"improved"}')
OURS = "k7m2qd4x"  # this installation
_numbers = itertools.count(1)


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
def connect(sandbox: RunningSandbox, tmp_path: Path) -> Iterator[Connect]:
    """Open connectors: ``connect(flavour, user="honolulu", page_size=7)``; they never wait between retries."""
    with ExitStack() as stack:

        def open_one(
            flavour: Flavour, *, user: str | None = "regelkreis", at: RunningSandbox = sandbox, **settings: Any
        ) -> JiraConnector:
            login = f"{user}@example.com" if user and flavour == "jira_cloud" else user
            config = ConnectionConfig(
                **{
                    "name": "acme",
                    "platform": "jira",
                    "url": at.urls[flavour],
                    "user": login,
                    "password": "sandbox",
                    "points_file": tmp_path / "acme.points",
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


@dataclass
class Desk:
    """One improvement action of its own: our connector, and Claudia, who works on the same issue in Jira."""

    flavour: Flavour
    running: RunningSandbox
    connector: JiraConnector
    claudia: JIRA
    connect: Callable[..., JiraConnector]
    action: str = field(default_factory=lambda: f"ACT-{next(_numbers)}")

    def another(self) -> Desk:
        """The desk of another action."""
        return Desk(self.flavour, self.running, self.connector, self.claudia, self.connect)

    @property
    def fields(self) -> dict[str, Any]:
        """What a fresh action says."""
        return {
            "title": "Fewer breaches at Acme",
            "description": "SLA breach rate 24.3 %",
            "hypothesis": "A second engineer at night",
            "owner": self.account("claudia.braun"),
            "due": "2024-09-01",
            "baseline": "24.3 %",
            "target": "17 %",
            "next_review": "2024-08-20",
            "state": "proposed",
            "verdict": None,
            "url": f"https://rk.example.com/actions/{self.action}/",
        }

    def account(self, name: str) -> str:
        """What this Jira calls a person."""
        if self.flavour == "jira_dc":
            return name
        (found,) = self.claudia._session.get(
            f"{self.running.urls[self.flavour]}/rest/api/2/user/search", params={"query": name}
        ).json()
        return str(found["accountId"])

    def outbound(self, verb: Verb, name: str, **parts: Any) -> Outbound:
        """A write of this action."""
        return Outbound(verb=verb, key=f"{self.action}/{name}", action_id=self.action, installation=OURS, **parts)

    @property
    def label(self) -> str:
        """By which the action's issue is found again."""
        return f"rk-{OURS}-{self.action.lower()}"

    @property
    def creation(self) -> Outbound:
        """The write that creates the issue."""
        return self.outbound(Verb.CREATE, "create", fields=self.fields)

    def create(self, **fields: Any) -> Receipt:
        """Create the issue."""
        return self.connector.write(self.outbound(Verb.CREATE, "create", fields={**self.fields, **fields}), None)

    def update(self, ref: RecordRef, **fields: Any) -> Receipt:
        """Send the action's fields again, some of them changed."""
        return self.connector.write(self.outbound(Verb.UPDATE, "update", fields={**self.fields, **fields}), ref)

    def note(self, ref: RecordRef, text: str = "Improved: 24.3 % → 16.1 %.", name: str = "note/final") -> Receipt:
        """Write a note."""
        return self.connector.write(self.outbound(Verb.NOTE, name, text=text), ref)

    def seen(self, ref: RecordRef) -> Any:
        """The issue as Claudia sees it, property included."""
        return self.claudia.issue(ref.id, properties="regelkreis")

    def labelled(self) -> list[str]:
        """Keys of the issues that carry the action's label."""
        query = f'labels = "{self.label}"'
        return [issue.key for issue in self.claudia.search_issues(query)]

    def state(self, ref: RecordRef) -> PlatformState:
        """The issue as follow reads it."""
        (found,) = self.connector.states([ref])
        return found

    def move(self, ref: RecordRef, transition: str, **fields: Any) -> None:
        """Claudia pushes a button of the workflow."""
        self.claudia.transition_issue(ref.id, transition, fields=fields or None)

    def faults(self, *rules: dict[str, Any]) -> None:
        """Make Jira misbehave; none ends it."""
        self.running.set_faults(self.flavour, *rules)


@pytest.fixture(scope="session")
def desks(now: datetime) -> Iterator[RunningSandbox]:
    """A Jira of both flavours to write to; what is only read keeps its own, which nobody changes."""
    world = generate("jira", size="small")
    world.tickets = world.tickets[::20]
    with running_sandbox(platforms=FLAVOURS, worlds={"jira": world}, now=now) as running:
        yield running


@pytest.fixture
def desk(flavour: Flavour, desks: RunningSandbox, connect: Connect, person: Callable[..., JIRA]) -> Iterator[Desk]:
    """A desk on the Jira to write to, on Cloud and on Data Center."""
    here = partial(connect, flavour, at=desks)
    yield Desk(flavour, desks, here(), person(at=desks), here)
    desks.set_faults(flavour)
    desks.set_options(flavour, index_lag=0)


def rows(pages: Any) -> list[dict[str, Any]]:
    """All rows of a pull; every page has the canonical schema and nothing is rejected."""
    found: list[dict[str, Any]] = []
    for page in pages:
        assert page.batch.schema == SCHEMAS[page.kind]
        assert page.rejected == ()
        found += page.batch.to_pylist()
    return found


def by_id(pages: Any) -> dict[str, dict[str, Any]]:
    """The rows of a pull by their ids."""
    return {row["id"]: row for row in rows(pages)}
