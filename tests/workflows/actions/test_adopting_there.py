"""Adopted end to end, on every platform the sandbox speaks: measured, followed, written to, and nothing overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.servicenow.cim import state_value
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World
from improvement.errors import GuardRefused
from improvement.pdca import State
from tests.workflows.beginnings import Beginnings
from workflows import access, cycle
from workflows.actions import adopting, commands, loop
from workflows.evidence import verifying
from workflows.models import Action, Connection, Delivery, LedgerEntry, Person, Role
from workflows.steps import deliver, follow

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(180)]
FLAVOURS: tuple[Flavour, ...] = ("servicenow", "jira_cloud", "jira_dc")
MEASURE: dict[str, Any] = {
    "metric": "sla_breach_rate", "where": "kind=incident,sla.target=resolution,sla.agreement=sla", "goal": "-50%",
}  # fmt: skip


def a_part_of(platform: str) -> World:
    world = generate(platform, size="small")  # type: ignore[arg-type]
    world.tickets, world.contacts = world.tickets[::7], []
    return world


@pytest.fixture(scope="module", params=FLAVOURS)
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    flavour: Flavour = request.param
    platform = "servicenow" if flavour == "servicenow" else "jira"
    with running_sandbox(platforms=(flavour,), worlds={platform: a_part_of(platform)}) as running:
        yield There(running, flavour)


@dataclass
class There:
    """The platform, and an administrator who works on it with plain requests."""

    running: RunningSandbox
    flavour: Flavour

    @property
    def is_servicenow(self) -> bool:
        return self.flavour == "servicenow"

    @property
    def url(self) -> str:
        return self.running.urls[self.flavour]

    def send(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        login = "admin@example.com" if self.flavour == "jira_cloud" else "admin"
        answer = requests.request(
            method, self.url + path, json=body, params=params, auth=(login, "sandbox"), timeout=30
        )
        assert answer.ok, answer.text
        return answer.json() if answer.content else None

    def record(self, title: str, *, service: str | None = "Network", **standing: str) -> Record:
        """An improvement that somebody began on the platform itself: title, text, due date, a figure, a comment."""
        if self.is_servicenow:
            values = {"short_description": title, "description": "Since spring.", "due_date": "2024-12-01 12:00:00"}
            if service:
                (found,) = self.send("GET", "/api/now/table/cmdb_ci_service", sysparm_query=f"name={service}")["result"]
                values["business_service"] = found["sys_id"]
            values |= {"base_value": standing["baseline"]} if "baseline" in standing else {}
            row = self.send("POST", "/api/now/table/sn_cim_register", values)["result"]
            record = Record(self, row["sys_id"], f"{self.url}/sn_cim_register.do?sys_id={row['sys_id']}")
        else:
            fields = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}, "summary": title,
                      "description": "Since spring.", "duedate": "2024-12-01", "labels": ["ours"]}  # fmt: skip
            fields |= {self.field("Affected service"): {"value": service}} if service else {}
            fields |= {self.field("Baseline"): standing["baseline"]} if "baseline" in standing else {}
            issue = self.send("POST", "/rest/api/2/issue", {"fields": fields})
            record = Record(self, issue["id"], f"{self.url}/browse/{issue['key']}")
        record.comment("Please go on.")
        return record

    def field(self, name: str) -> str:
        return next(str(one["id"]) for one in self.send("GET", "/rest/api/2/field") if one["name"] == name)


@dataclass
class Record:
    """One record, as people see and change it."""

    there: There
    id: str
    url: str

    @property
    def path(self) -> str:
        table = "/api/now/table/sn_cim_register/" if self.there.is_servicenow else "/rest/api/2/issue/"
        return table + self.id

    def shown(self) -> dict[str, Any]:
        """Every field, without what any write changes (when, by whom, how often)."""
        found = self.there.send("GET", self.path)
        fields: dict[str, Any] = found["result"] if self.there.is_servicenow else found["fields"]
        moving = ("updated", "sys_updated_on", "sys_updated_by", "sys_mod_count", "comment", "work_notes", "comments")
        return {name: value for name, value in fields.items() if name not in moving}

    def value(self, name: str) -> Any:
        columns = {"baseline": ("base_value", "Baseline"), "target": ("target_value", "Target value")}
        theirs, field = columns[name]
        return self.shown().get(theirs if self.there.is_servicenow else self.there.field(field))

    def set_target(self, text: str) -> None:
        if self.there.is_servicenow:
            self.there.send("PATCH", self.path, {"target_value": text})
        else:
            self.there.send("PUT", self.path, {"fields": {self.there.field("Target value"): text}})

    def comment(self, text: str) -> None:
        if self.there.is_servicenow:
            self.there.send("PATCH", self.path, {"work_notes": text})
        else:
            self.there.send("POST", f"{self.path}/comment", {"body": text})

    def close(self) -> None:
        if self.there.is_servicenow:
            self.there.send("PATCH", self.path, {"state": state_value("Canceled")})
            return
        ways = self.there.send("GET", f"{self.path}/transitions")["transitions"]
        way = next(way for way in ways if way["to"]["name"] == "Cancelled")
        self.there.send("POST", f"{self.path}/transitions", {"transition": {"id": way["id"]}})

    def notes(self) -> list[str]:
        if self.there.is_servicenow:
            query = f"element_id={self.id}^ORDERBYsys_created_on"
            rows = self.there.send("GET", "/api/now/table/sys_journal_field", sysparm_query=query)["result"]
            return [row["value"] for row in rows]
        return [one["body"] for one in self.there.send("GET", f"{self.path}/comment")["comments"]]


@pytest.fixture
def now(there: There) -> datetime:
    return there.running.clock()


@pytest.fixture
def olga(home: Path, settings: Any, there: There, now: datetime, beginnings: Beginnings) -> Person:
    """A service owner; the connection is configured, allowed to write, and pulled."""
    from config.settings import load

    platform = "servicenow" if there.is_servicenow else "jira"
    login = "regelkreis@example.com" if there.flavour == "jira_cloud" else "regelkreis"
    (home / "regelkreis.toml").write_text(
        f'[connections.there]\nplatform = "{platform}"\nurl = "{there.url}"\nuser = "{login}"\npassword = "sandbox"\n',
        encoding="utf-8",
    )
    settings.REGELKREIS = load()

    def pulled() -> Person:
        cycle.pull_all(as_of=now)
        Connection.objects.filter(name="there").update(may_write=True, integration_account="regelkreis")
        admin = access.local_admin()
        person = access.add_person("olga", at=now, by=admin)
        access.grant(person, Role.SERVICE_OWNER, at=now, by=admin)
        return person

    person = beginnings.begin(there.flavour, home, pulled)
    settings.REGELKREIS = load()
    return person


def a_cycle(at: datetime) -> None:
    """What a cycle does with records: follow, then deliver."""
    with cycle.connectors() as opened:
        follow.follow(opened[0], as_of=at)
        sent = deliver.deliver(opened[0], as_of=at)
    assert sent.errors == []
    assert not Delivery.objects.exclude(state="sent").exists()


def test_a_record_of_people_is_measured_and_nothing_on_it_is_overwritten(
    there: There, olga: Person, now: datetime
) -> None:
    record = there.record("Late resolutions", baseline="9")
    before = record.shown()
    action = adopting.adopt(olga, record.url, at=now, **MEASURE)
    assert (action.origin, action.owner, action.due) == ("adopted", olga, date(2024, 12, 1))
    assert (action.scope, action.title) == ({"service": "Network"}, "Late resolutions")
    assert action.measurement["baseline"] > 0
    assert [comment.text for comment in action.comments.all()] == ["Please go on."]

    a_cycle(now)
    after = record.shown()
    changed = {name for name in after if after[name] != before.get(name)}
    target = "target_value" if there.is_servicenow else there.field("Target value")
    computed = {"percentage_improvement"} if there.is_servicenow else set()
    assert changed - computed == {target}
    assert record.value("baseline") == "9"
    assert record.value("target")
    (told,) = [note for note in record.notes() if note != "Please go on."]
    assert told.startswith(f"Regelkreis has taken this record into its loop as {action.code}.")


def test_a_target_that_a_person_wrote_stays_and_the_state_is_never_moved(
    there: There, olga: Person, now: datetime
) -> None:
    admin = access.local_admin()
    paul = access.add_person("paul", at=now, by=admin)
    access.grant(paul, Role.APPROVER, at=now, by=admin)
    record = there.record("Slow")
    action = adopting.adopt(olga, record.url, at=now, **MEASURE)
    a_cycle(now)
    ours, before = record.value("target"), record.shown()
    commands.plan(
        olga, action.code, at=now, goal="-60%", hypothesis="A second shift", golive=now.date() + timedelta(weeks=3),
        accept_detectable="It has to be done.",
    )  # fmt: skip
    a_cycle(now)
    assert record.value("target") != ours
    record.set_target("1")
    commands.submit(olga, action.code, at=now)
    commands.approve(paul, action.code, at=now)
    commands.start(olga, action.code, at=now)
    Action.objects.filter(pk=action.pk).update(goal="-70%")
    action.refresh_from_db()
    loop.queue_update(action, now)
    a_cycle(now)
    action.refresh_from_db()
    assert (action.state, record.value("target")) == (State.DOING, "1")
    state = "state" if there.is_servicenow else "status"
    assert record.shown()[state] == before[state]


def test_a_record_is_adopted_once(there: There, olga: Person, now: datetime) -> None:
    record = there.record("Once")
    action = adopting.adopt(olga, record.url, at=now, **MEASURE)
    with pytest.raises(GuardRefused, match=f"was adopted as {action.code} already") as refusal:
        adopting.adopt(olga, record.url, at=now, **MEASURE)
    assert len(refusal.value.reasons) == 2  # and its metric and scope have an open action
    assert Action.objects.count() == 1


def test_a_record_without_service_is_kept_unmeasured_and_never_planned(
    there: There, olga: Person, now: datetime
) -> None:
    record = there.record("Better mood", service=None)
    before = record.shown()
    action = adopting.adopt(olga, record.url, at=now, metric="sla_breach_rate")
    assert (action.metric, action.scope) == ("", {})
    assert action.measurement == {"unmeasured": "its record names no service, and no scope was given"}
    a_cycle(now)
    assert record.shown() == before
    assert any("measures nothing for it" in note for note in record.notes())
    commands.plan(
        olga, action.code, at=now, hypothesis="Call them", golive=now.date() + timedelta(weeks=2), goal="-10%"
    )
    with pytest.raises(GuardRefused, match="the metric is missing"):
        commands.submit(olga, action.code, at=now)
    adopting.measure(olga, action.code, at=now, scope="service=Network", **MEASURE)
    action.refresh_from_db()
    commands.plan(olga, action.code, at=now, accept_detectable="Small.")
    assert commands.submit(olga, action.code, at=now).state == "planned"
    assert LedgerEntry.objects.filter(subject=action.code, type="action.measured").count() == 1
    assert verifying.verify().is_ok


def test_a_closed_record_is_refused(there: There, olga: Person, now: datetime) -> None:
    record = there.record("Over")
    record.close()
    with pytest.raises(GuardRefused, match="only what is open can be taken into the loop"):
        adopting.adopt(olga, record.url, at=now, **MEASURE)
    assert not Action.objects.exists()
