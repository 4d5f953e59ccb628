"""The creation of an issue whose answer was lost, from the outbox to a real Jira Data Center over HTTP and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors.config import ConnectionConfig
from connectors.jira.connector import JiraConnector
from connectors.sandbox.generator import generate
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from improvement.records import Outbound, Verb
from tests.workflows.build import OPENED, a_person, an_action, an_owner
from tests.workflows.deliveries.test_deliver import Hours
from workflows.deliveries import dead_letters, outbox
from workflows.models import Action, Delivery, DeliveryState, Role, our_installation
from workflows.steps import deliver

pytestmark = pytest.mark.django_db
FIELDS = {"title": "Fewer breaches", "url": "https://rk.example.com/actions/ACT-1/"}


@pytest.fixture
def jira() -> Iterator[RunningSandbox]:
    world = generate("jira", size="small")
    world.tickets = world.tickets[:5]
    with running_sandbox(platforms=("jira_dc",), worlds={"jira": world}, now=datetime(2024, 7, 29, tzinfo=UTC)) as one:
        yield one


@pytest.fixture
def connector(jira: RunningSandbox) -> Iterator[JiraConnector]:
    config = ConnectionConfig(
        name="snow",
        platform="jira",
        url=jira.jira_dc_url,
        user="regelkreis",
        password="sandbox",  # type: ignore[arg-type]
    )
    made = JiraConnector(config)
    made.reader.sleep = lambda seconds: None
    yield made
    made.close()


@pytest.fixture
def key(home: object) -> str:
    """The delivery of an action's creation."""
    action = an_action(an_owner(), platform_id="")
    Action.objects.update(platform_id="")
    outbound = Outbound(verb=Verb.CREATE, key=f"{action.code}/create", action_id=action.code, fields=FIELDS)
    return outbox.queue(action, outbound, at=OPENED).key


def issues(jira: RunningSandbox) -> int:
    return sum(count for name, count in jira.stats("jira_dc").items() if name.startswith("CIP "))


def lose(jira: RunningSandbox, kind: str) -> None:
    jira.set_faults("jira_dc", {"kind": kind, "method": "POST", "path": "/issue$"})


def test_one_that_never_arrived_is_made_once_a_person_has_looked(
    jira: RunningSandbox, connector: JiraConnector, key: str
) -> None:
    clock = Hours()
    lose(jira, "reset_before")
    for hours in (0, 1, 8, 14):
        clock.pass_by(hours=hours)
        result = deliver.deliver(connector, as_of=OPENED, clock=clock)
        assert (result.waiting, result.refused, issues(jira)) == (1, 0, 0)
    clock.pass_by(hours=2)
    assert deliver.deliver(connector, as_of=OPENED, clock=clock).refused == 1
    (letter,) = dead_letters.undelivered(DeliveryState.DEAD)
    assert f'labels = "rk-{our_installation()}-act-1"' in letter.reason
    dead_letters.replay(a_person("root", Role.ADMIN), key, reason="It is not there.", at=OPENED)
    assert deliver.deliver(connector, as_of=OPENED, clock=clock).sent == 2  # and what else its action says by now
    assert issues(jira) == 1


def test_one_that_arrived_is_found_and_not_made_again(jira: RunningSandbox, connector: JiraConnector, key: str) -> None:
    clock = Hours()
    jira.set_options("jira_dc", index_lag=1_000_000)
    lose(jira, "reset_after")
    assert deliver.deliver(connector, as_of=OPENED, clock=clock).waiting == 1
    clock.pass_by(minutes=1)
    result = deliver.deliver(connector, as_of=OPENED, clock=clock)
    assert (result.found, issues(jira)) == (1, 1)
    assert Delivery.objects.get().begun_at is None
