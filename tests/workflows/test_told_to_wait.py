"""A platform that asks to wait for long is left alone until then: by a pull, by deliveries, by the next cycle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from requests.adapters import HTTPAdapter

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import FLAVOURS, Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from improvement.records import Outbound, Verb
from tests.workflows.build import OPENED, a_person, an_action
from workflows.deliveries import outbox
from workflows.models import Action, Delivery, DeliveryState, Role
from workflows.steps import deliver, pull
from workflows.warehouse import our_warehouse

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(180)]
NOW = datetime(2024, 7, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    worlds = {platform: generate(platform, size="small") for platform in ("servicenow", "jira")}
    for world in worlds.values():
        world.tickets = world.tickets[:5]
    with running_sandbox(worlds=worlds, now=NOW, need_approval=False) as running:
        yield running


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest, sandbox: RunningSandbox) -> Iterator[Flavour]:
    chosen: Flavour = request.param
    yield chosen
    sandbox.set_faults(chosen)


@pytest.fixture
def opened(sandbox: RunningSandbox, flavour: Flavour, tmp_path: Path) -> Iterator[Callable[..., Connector]]:
    """The connector as the next process opens it; ``later_s`` after now."""
    with ExitStack() as stack:

        def open_one(later_s: float = 0.0) -> Connector:
            config = ConnectionConfig(
                name="snow",
                platform="servicenow" if flavour == "servicenow" else "jira",
                url=sandbox.urls[flavour],
                user="regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis",
                password="sandbox",  # type: ignore[arg-type]
                hold_file=tmp_path / "tokens" / "snow.hold",
            )
            made: Any = connector(config)
            reader = made._instance.reader if flavour == "servicenow" else made.reader
            reader.now = lambda: datetime.now(UTC) + timedelta(seconds=later_s)
            stack.callback(made.close)
            found: Connector = made
            return found

        yield open_one


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Every request that reached the platform, with its status."""
    seen: list[tuple[str, int]] = []
    unhindered = HTTPAdapter.send

    def send(self: HTTPAdapter, request: Any, *arguments: Any, **options: Any) -> Any:
        answer = unhindered(self, request, *arguments, **options)
        if "/sandbox/" not in request.url:
            seen.append((request.method, answer.status_code))
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return seen


def five_creations() -> None:
    olga = a_person("olga", Role.SERVICE_OWNER)
    for number in range(5):
        action = an_action(olga, scope_key=f"customer={number}", title=f"Title {number}", is_accepted=True)
        Action.objects.filter(pk=action.pk).update(platform_id="", platform_number="", platform_mode="")
        key = f"{action.code}/create"
        outbound = Outbound(verb=Verb.CREATE, key=key, action_id=action.code, fields={"title": action.title})
        outbox.queue(action, outbound, at=OPENED)


def test_one_write_hears_it_and_the_others_are_not_sent(
    home: Path,
    sandbox: RunningSandbox,
    flavour: Flavour,
    opened: Callable[..., Connector],
    asked: list[tuple[str, int]],
) -> None:
    five_creations()
    rule = {"kind": "rate_limit", "method": "POST", "path": "/issue$|/table/", "seconds": 600, "times": None}
    sandbox.set_faults(flavour, rule)
    first = deliver.deliver(opened(), as_of=OPENED)
    assert [status for _, status in asked if status == 429] == [429]
    assert (first.sent, first.waiting, len(first.errors), first.is_shut_out) == (0, 5, 1, True)
    assert "asks to wait 600 s" in first.errors[0]

    asked.clear()
    second = deliver.deliver(opened(later_s=60), as_of=OPENED)
    assert asked == []
    assert (second.sent, second.waiting, len(second.errors)) == (0, 5, 1)
    assert "asked not to be asked before" in second.errors[0]
    assert not Delivery.objects.exclude(state=DeliveryState.WAITING, begun_at=None).exists()

    sandbox.set_faults(flavour)
    third = deliver.deliver(opened(later_s=601), as_of=OPENED)
    assert (third.sent, third.waiting, third.errors) == (5, 0, [])


def test_a_pull_asks_for_no_other_kind_and_tells_it_once(
    home: Path,
    sandbox: RunningSandbox,
    flavour: Flavour,
    opened: Callable[..., Connector],
    asked: list[tuple[str, int]],
) -> None:
    an_action(None)  # makes the connection known
    sandbox.set_faults(flavour, {"kind": "rate_limit", "seconds": 600, "times": None})
    with our_warehouse() as warehouse:
        result = pull.pull(opened(), warehouse, as_of=NOW)
        assert asked == [("GET", 429)]
        assert result.is_shut_out
        assert len(result.errors) == 1
        assert [report.requests for report in result.reports] == [1] + [0] * (len(result.reports) - 1)
        asked.clear()
        pull.pull(opened(later_s=60), warehouse, as_of=NOW)
    assert asked == []
