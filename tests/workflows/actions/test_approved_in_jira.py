"""A plan approved, or declined, by Jira Service Management's own approval comes home with whoever answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from tests.workflows.beginnings import Beginnings
from workflows import access, cycle
from workflows.actions import adopting, commands
from workflows.models import Action, Connection, Person, Role
from workflows.steps import deliver, follow

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(180)]
FLAVOURS: tuple[Flavour, ...] = ("jira_cloud", "jira_dc")
APPROVER = "petra.huber"


@dataclass
class Desk:
    """People who work in Jira with plain requests, each as themselves."""

    running: RunningSandbox
    flavour: Flavour

    @property
    def url(self) -> str:
        return self.running.urls[self.flavour]

    def answer(self, who: str, method: str, path: str, body: Any = None) -> requests.Response:
        login = f"{who}@example.com" if self.flavour == "jira_cloud" else who
        return requests.request(method, self.url + path, json=body, auth=(login, "sandbox"), timeout=30)

    def send(self, who: str, method: str, path: str, body: Any = None) -> Any:
        found = self.answer(who, method, path, body)
        assert found.ok, found.text
        return found.json() if found.content else None

    def account(self, who: str) -> str:
        me = self.send(who, "GET", "/rest/api/2/myself")
        return str(me.get("accountId") or me["name"])

    def begin(self) -> str:
        fields = {"project": {"key": "IMP"}, "issuetype": {"name": "Task"}, "summary": "Slow network"}
        return str(self.send("admin", "POST", "/rest/api/2/issue", {"fields": fields})["key"])

    def push(self, key: str, name: str) -> None:
        path = f"/rest/api/2/issue/{key}/transitions"
        way = next(way for way in self.send("admin", "GET", path)["transitions"] if way["name"] == name)
        self.send("admin", "POST", path, {"transition": {"id": way["id"]}})

    def approvals(self, key: str, who: str = "admin") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.send(who, "GET", self.path(key))["values"]
        return found

    def path(self, key: str) -> str:
        return f"/rest/servicedeskapi/request/{key}/approval"

    def status(self, key: str) -> str:
        return str(self.send("admin", "GET", f"/rest/api/2/issue/{key}")["fields"]["status"]["name"])


@pytest.fixture(scope="module", params=FLAVOURS)
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    world = generate("jira", size="small")
    world.tickets, world.contacts = world.tickets[::16], []
    with running_sandbox(platforms=(request.param,), worlds={"jira": world}) as running:
        yield Desk(running, request.param)


@pytest.fixture
def now(desk: Desk) -> datetime:
    return desk.running.clock()


@pytest.fixture
def olga(home: Any, settings: Any, desk: Desk, now: datetime, beginnings: Beginnings) -> Person:
    """A service owner on a Jira whose improvements are requests; Petra, who approves there, is linked."""
    from config.settings import load

    login = "regelkreis@example.com" if desk.flavour == "jira_cloud" else "regelkreis"
    (home / "regelkreis.toml").write_text(
        f'[connections.acme]\nplatform = "jira"\nurl = "{desk.url}"\nuser = "{login}"\npassword = "sandbox"\n'
        'improvement_project = "IMP"\n',
        encoding="utf-8",
    )
    settings.REGELKREIS = load()

    def pulled() -> Person:
        cycle.pull_all(as_of=now)
        Connection.objects.filter(name="acme").update(may_write=True, integration_account=desk.account("regelkreis"))
        admin = access.local_admin()
        people = {}
        for name, role in (("olga", Role.SERVICE_OWNER), ("petra", Role.APPROVER)):
            people[name] = access.add_person(name, at=now, by=admin)
            access.grant(people[name], role, at=now, by=admin)
        access.link_account(people["petra"], "acme", desk.account(APPROVER), at=now, by=admin)
        return people["olga"]

    person = beginnings.begin(desk.flavour, home, pulled)
    settings.REGELKREIS = load()
    return person


def handed_in(desk: Desk, olga: Person, now: datetime) -> tuple[Action, str]:
    """Adopted, planned and handed in here, and put up for approval there."""
    key = desk.begin()
    action = adopting.adopt(
        olga, f"{desk.url}/browse/{key}", at=now, metric="sla_breach_rate", scope="service=Network", goal="-50%",
        where="kind=incident,sla.target=resolution",
    )  # fmt: skip
    commands.plan(
        olga, action.code, at=now, hypothesis="A second line", golive=now.date() + timedelta(weeks=3),
        accept_detectable="We have to.",
    )  # fmt: skip
    action = commands.submit(olga, action.code, at=now)
    desk.push(key, "Ask for approval")
    return action, key


def a_cycle(action: Action, at: datetime) -> Action:
    with cycle.connectors() as opened:
        follow.follow(opened[0], as_of=at)
        assert deliver.deliver(opened[0], as_of=at).errors == []
    action.refresh_from_db()
    return action


def test_an_answer_in_jira_approves_the_plan_as_whoever_gave_it(desk: Desk, olga: Person, now: datetime) -> None:
    action, key = handed_in(desk, olga, now)
    assert a_cycle(action, now).state == "planned"
    (asked,) = desk.approvals(key, APPROVER)
    assert (asked["finalDecision"], asked["canAnswerApproval"]) == ("pending", True)
    assert desk.approvals(key)[0]["canAnswerApproval"] is False
    desk.send(APPROVER, "POST", f"{desk.path(key)}/{asked['id']}", {"decision": "approve"})
    assert desk.status(key) == "Approved"
    a_cycle(action, now + timedelta(hours=1))
    plan = action.plans.get()
    assert (plan.approved_by.username if plan.approved_by else "", bool(plan.sha256)) == ("petra", True)
    assert plan.approval_source == f"acme:{asked['id']}:{desk.account(APPROVER)}"
    assert (action.state, action.diverged) == ("planned", "")
    desk.push(key, "Start work")
    assert a_cycle(action, now + timedelta(hours=2)).state == "doing"


def test_a_decline_sends_the_plan_back_to_its_owner(desk: Desk, olga: Person, now: datetime) -> None:
    action, key = handed_in(desk, olga, now)
    (asked,) = desk.approvals(key)
    desk.send(APPROVER, "POST", f"{desk.path(key)}/{asked['id']}", {"decision": "decline"})
    assert desk.status(key) == "To Do"
    assert a_cycle(action, now + timedelta(hours=1)).state == "proposed"
    desk.push(key, "Ask for approval")
    assert [one["finalDecision"] for one in desk.approvals(key)] == ["declined", "pending"]
    desk.push(key, "Withdraw")
    assert [one["finalDecision"] for one in desk.approvals(key)] == ["declined"]


def test_only_who_is_asked_answers_and_once(desk: Desk, olga: Person, now: datetime) -> None:
    _action, key = handed_in(desk, olga, now)
    (asked,) = desk.approvals(key)
    path = f"{desk.path(key)}/{asked['id']}"
    assert desk.answer("admin", "POST", path, {"decision": "approve"}).status_code == 403
    assert desk.answer("regelkreis", "POST", path, {"decision": "approve"}).status_code == 403
    assert desk.answer(APPROVER, "POST", path, {"decision": "perhaps"}).status_code == 400
    assert desk.answer(APPROVER, "POST", path, {"decision": "approve"}).status_code == 200
    assert desk.answer(APPROVER, "POST", path, {"decision": "decline"}).status_code == 403
    assert desk.answer(APPROVER, "GET", f"{desk.path(key)}/999999").status_code == 404


def test_an_answer_of_somebody_we_do_not_know_is_a_gap(desk: Desk, olga: Person, now: datetime) -> None:
    action, key = handed_in(desk, olga, now)
    (asked,) = desk.approvals(key)
    desk.send("stefan.koch", "POST", f"{desk.path(key)}/{asked['id']}", {"decision": "approve"})
    a_cycle(action, now + timedelta(hours=1))
    assert (action.state, action.diverged) == ("planned", "the approver's account belongs to nobody we know")


def test_notes_on_a_request_are_internal(desk: Desk, olga: Person, now: datetime) -> None:
    action, key = handed_in(desk, olga, now)
    a_cycle(action, now)
    comments = desk.send("admin", "GET", f"/rest/api/2/issue/{key}/comment")["comments"]
    assert [comment["jsdPublic"] for comment in comments] == [False]
