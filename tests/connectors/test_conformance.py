"""Our own connectors keep what the conformance tests ask of everybody's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.conformance import Conformance
from connectors.registry import connector
from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import FLAVOURS, Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World

NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)


def a_part_of(platform: str) -> World:
    """Every sixth ticket of the small world."""
    world = generate(platform, size="small")  # type: ignore[arg-type]
    world.tickets = world.tickets[::6]
    return world


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    worlds = {platform: a_part_of(platform) for platform in ("servicenow", "jira")}
    with running_sandbox(worlds=worlds, now=NOW) as running:
        yield running


class OnTheSandbox(Conformance):
    """The integration user of one sandbox flavour."""

    until: ClassVar[datetime] = NOW
    flavour: ClassVar[Flavour]
    settings: ClassVar[dict[str, Any]]

    @pytest.fixture(autouse=True)
    def _running(self, sandbox: RunningSandbox) -> Iterator[None]:
        self.sandbox = sandbox
        self.opened: list[Connector] = []
        yield
        for one in self.opened:
            one.close()

    def connect(self) -> Connector:
        raw = {"name": "acme", "url": self.sandbox.urls[self.flavour], "password": "sandbox", **self.settings}
        self.opened.append(connector(ConnectionConfig.model_validate(raw)))
        return self.opened[-1]


class TestServiceNow(OnTheSandbox):
    flavour = "servicenow"
    settings: ClassVar[dict[str, Any]] = {"platform": "servicenow", "user": "regelkreis", "page_size": 400}


class TestJiraCloud(OnTheSandbox):
    flavour = "jira_cloud"
    settings: ClassVar[dict[str, Any]] = {"platform": "jira", "user": "regelkreis@example.com"}


class TestJiraDataCenter(OnTheSandbox):
    flavour = "jira_dc"
    settings: ClassVar[dict[str, Any]] = {"platform": "jira", "user": "regelkreis"}


def test_every_flavour_is_tested() -> None:
    assert {kind.flavour for kind in OnTheSandbox.__subclasses__()} == set(FLAVOURS)
