"""What of an action goes to ServiceNow, what comes back from there, and who wins: over HTTP, against the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.servicenow.cim import state_value
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import WorldPerson
from improvement.records import Outbound, Verb
from tests.connectors.servicenow.conftest import a_ticket, a_world
from tests.workflows.build import OPENED, a_person, an_action, an_approver, live, looked
from workflows import access, cycle
from workflows.actions import commands, loop, planning
from workflows.deliveries import outbox
from workflows.evidence import verifying
from workflows.models import Action, Connection, LedgerEntry, LookKind, Person, Role
from workflows.steps import deliver, follow

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(180)]
NOW = datetime(2026, 4, 1, tzinfo=UTC)
REGISTER = "sn_cim_register"


@pytest.fixture
def there() -> Iterator[There]:
    world = a_world(a_ticket(1), a_ticket(2))
    world.people.append(WorldPerson("olga", "Olga", "olga@example.com", "Europe/Zurich", ("owner",)))
    with running_sandbox(
        platforms=("servicenow",), worlds={"servicenow": world}, now=NOW, need_approval=False
    ) as running:
        yield There(running)


class There:
    """The instance, and people who work on it."""

    def __init__(self, running: RunningSandbox) -> None:
        self.running = running

    def send(self, method: str, path: str, body: Any = None, *, by: str = "admin", **params: str) -> Any:
        url = f"{self.running.servicenow_url}/api/now/table/{path}"
        params = {"sysparm_exclude_reference_link": "true", **params}
        answer = requests.request(method, url, json=body, params=params, auth=(by, "sandbox"), timeout=30)
        assert answer.ok, answer.text
        return answer.json()["result"]

    def find(self, table: str, query: str = "") -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.send("GET", table, sysparm_query=query)
        return found

    def id_of(self, table: str, query: str) -> str:
        return self.find(table, query)[0]["sys_id"]

    @property
    def record(self) -> dict[str, str]:
        (row,) = self.find(REGISTER)
        return row

    def change(self, by: str = "olga", **values: str) -> None:
        self.send("PATCH", f"{REGISTER}/{self.record['sys_id']}", values, by=by)

    def close(self, code: str) -> None:
        """Through every button, to the end."""
        strategy = self.send("POST", "sn_cim_strategic_objective", {"name": "Reliable service"})["sys_id"]
        group = self.send("POST", "sys_user_group", {"name": "Board"})["sys_id"]
        owner = self.id_of("sys_user", "user_name=olga")
        self.change(state=state_value("Accepted"), coordinator=owner, strategic_objective=strategy)
        self.change(state=state_value("Assess"), approver_group=group)
        for label in ("Approved", "In Progress"):
            self.change(state=state_value(label))
        self.change(state=state_value("Closed"), close_notes="Done.", closure_code=code)

    def notes(self) -> list[str]:
        return [row["value"] for row in self.find("sys_journal_field", f"element_id={self.record['sys_id']}")]


def configure(home: Path, settings: Any, there: There, *lines: str) -> None:
    from config.settings import load

    url = there.running.servicenow_url
    told = [
        "[connections.snow]", 'platform = "servicenow"', f'url = "{url}"', 'user = "regelkreis"',
        'password = "sandbox"', *lines,
    ]  # fmt: skip
    (home / "regelkreis.toml").write_text("\n".join(told), encoding="utf-8")
    settings.REGELKREIS = load()


@pytest.fixture
def olga(home: Path, settings: Any, there: There) -> Person:
    configure(home, settings, there)
    return a_person("olga", Role.SERVICE_OWNER)


def begun(olga: Person, **changes: Any) -> Action:
    """An action whose record is still to be made."""
    action = an_action(olga, scope={"service": "Mail"}, scope_key="service=Mail", **changes)
    Action.objects.filter(pk=action.pk).update(platform_id="", platform_number="", platform_mode="")
    action.refresh_from_db()
    fields = planning.outbound_fields(action)
    create = Outbound(verb=Verb.CREATE, key=f"{action.code}/create", action_id=action.code, fields=fields)
    outbox.queue(action, create, at=OPENED)
    return action


def a_cycle(action: Action, at: datetime = NOW) -> None:
    """What a cycle does with records: follow, then deliver."""
    with cycle.connectors() as opened:
        follow.follow(opened[0], as_of=at)
        sent = deliver.deliver(opened[0], as_of=at)
    assert sent.errors == []
    action.refresh_from_db()


def dry_run() -> dict[str, Any]:
    """Every request that a cycle would send, by delivery; files are left out."""
    with cycle.connectors() as opened:
        shown = deliver.preview(opened[0])
    return {
        one.delivery.key: [
            (asked.method, json.loads(asked.body)) for asked in one.requests if asked.body.startswith("{")
        ]
        for one in shown
    }


def entries(action: Action, kind: str) -> list[dict[str, Any]]:
    found = LedgerEntry.objects.filter(type=kind, subject=action.code).order_by("index")
    return [json.loads(bytes(entry.data)) for entry in found]


def stopped(olga: Person, verdict: str) -> Action:
    """On its platform, judged, and stopped by its owner."""
    action = begun(olga)
    a_cycle(action)
    live(action, an_approver())
    for kind in (LookKind.LOOK, LookKind.LOOK, LookKind.FINAL):
        looked(action, verdict=verdict, kind=kind)
    commands.decide(olga, action.code, "stop", at=NOW, reason="Enough.")
    action.refresh_from_db()
    return action


@pytest.mark.parametrize(("lines", "linked"), [((), 0), (("link_triggers = true",), 2)])
def test_triggers_are_linked_only_where_wanted_also_those_that_were_queued_before(
    home: Path, settings: Any, there: There, olga: Person, lines: tuple[str, ...], linked: int
) -> None:
    configure(home, settings, there, *lines)
    action = begun(olga)
    tickets = tuple(row["sys_id"] for row in there.find("incident"))
    link = Outbound(verb=Verb.LINK, key=f"{action.code}/triggers", action_id=action.code, trigger_ids=tickets)
    outbox.queue(action, link, at=OPENED)
    assert len(dry_run()[f"{action.code}/triggers"]) == min(linked, 1)
    a_cycle(action)
    assert len(there.find("sn_cim_inbound_m2m")) == linked
    delivery = action.deliveries.get(verb="link")
    assert delivery.state == "sent"
    said = {} if linked else {"triggers": "links to them are switched off (link_triggers)"}
    assert delivery.receipt["unwritten"] == said


def test_what_people_edit_there_becomes_ours_and_no_delivery_undoes_it(there: There, olga: Person) -> None:
    action = begun(olga, hypothesis="A second shift.")
    a_cycle(action)
    there.change(short_description="Acme waits too long", business_justification="Hire.", priority="2")
    other = there.send("POST", "cmdb_ci_service", {"name": "Messaging"})["sys_id"]
    there.change(business_service=other)
    a_cycle(action, NOW + timedelta(days=7))
    assert (action.title, action.hypothesis) == ("Acme waits too long", "Hire.")
    assert action.scope == {"service": "Mail"}
    commands.plan(olga, action.code, at=NOW + timedelta(days=8), goal="-40%", due=date(2026, 9, 1))
    a_cycle(action, NOW + timedelta(days=14))
    record = there.record
    assert (record["short_description"], record["business_justification"]) == ("Acme waits too long", "Hire.")
    assert (record["business_service"], record["due_date"][:10]) == (other, "2026-09-01")
    edited = {entry["payload"]["field"]: entry["actor"] for entry in entries(action, "action.edited")}
    assert edited == dict.fromkeys(("title", "hypothesis", "service"), olga.uid)
    assert [entry["payload"] for entry in entries(action, "action.set_there")] == [
        {"field": "priority", "value": "2 - High"}
    ]
    assert verifying.verify().failures == []


def test_due_date_and_owner_go_both_ways_and_the_later_change_counts(there: There, olga: Person) -> None:
    action = begun(olga, due=date(2026, 5, 1))
    a_cycle(action)
    ida = a_person("ida", Role.SERVICE_OWNER)
    there.send("POST", "sys_user", {"user_name": "ida", "name": "Ida"})
    there.change(due_date="2026-06-01 00:00:00", coordinator=there.id_of("sys_user", "user_name=ida"))
    a_cycle(action, NOW + timedelta(days=7))
    assert (action.owner, action.due) == (ida, date(2026, 6, 1))
    commands.plan(ida, action.code, at=NOW + timedelta(days=8), due=date(2026, 7, 1))
    commands.assign(ida, action.code, olga, at=NOW + timedelta(days=8))
    a_cycle(action, NOW + timedelta(days=14))
    record = there.record
    assert record["due_date"][:10] == "2026-07-01"
    assert record["coordinator"] == there.id_of("sys_user", "user_name=olga")
    a_cycle(action, NOW + timedelta(days=21))
    assert (action.owner, action.due, len(entries(action, "action.due"))) == (olga, date(2026, 7, 1), 1)


def test_a_closure_is_proposed_and_written_only_where_wanted_and_no_person_closed_anything(
    home: Path, settings: Any, there: There, olga: Person
) -> None:
    action = stopped(olga, "no change")
    update = action.deliveries.filter(verb="update", state="waiting").order_by("-id")[0]
    assert all("closure_code" not in body for _, body in dry_run()[update.key])
    configure(home, settings, there, "write_closure = true")
    ((method, body),) = dry_run()[update.key]
    assert (method, body["closure_code"]) == ("PATCH", "unsuccessful")
    assert "state" not in body
    a_cycle(action)
    record = there.record
    assert (record["closure_code"], record["achieved_outcome_category"]) == ("unsuccessful", "")
    assert record["close_notes"].startswith(f"{action.code}, verdict: no change.")
    assert record["state"] == state_value("New")
    assert any("Regelkreis proposes: Unsuccessful." in note for note in there.notes())
    a_cycle(action, NOW + timedelta(days=7))
    assert entries(action, "action.close_code") == []
    assert action.diverged == ""


@pytest.mark.parametrize("verdict", ["not enough data", "not computed", "no change"])
def test_a_success_that_a_person_claims_without_a_verdict_that_bears_it_is_a_gap(
    there: There, olga: Person, verdict: str
) -> None:
    action = stopped(olga, verdict)
    a_cycle(action)
    there.close("successful")
    a_cycle(action, NOW + timedelta(days=7))
    assert action.diverged == f"a verdict that bears the closure “successful”: the verdict is {verdict}"
    (entry,) = entries(action, "action.close_code")
    assert (entry["actor"], entry["payload"]) == (olga.uid, {"close_code": "successful", "is_success": True})
    assert len(entries(action, "action.diverged")) == 1
    assert any("What is missing: a verdict that bears the closure" in note for note in there.notes())
    there.change(closure_code="withdrawn")
    a_cycle(action, NOW + timedelta(days=14))
    assert action.diverged == ""
    assert len(entries(action, "action.agrees")) == 1


def test_a_success_claimed_before_any_look_is_a_gap_too(there: There, olga: Person) -> None:
    action = begun(olga)
    a_cycle(action)
    there.close("successful")
    a_cycle(action, NOW + timedelta(days=7))
    assert "a verdict that bears the closure “successful”: the verdict is missing" in action.diverged


def test_our_own_closure_code_is_no_claim_of_a_person(home: Path, settings: Any, there: There, olga: Person) -> None:
    """Whoever only pushes the button closes with what we proposed and wrote: the verdict bears it."""
    configure(home, settings, there, "write_closure = true")
    action = stopped(olga, "improved")
    a_cycle(action)
    assert there.record["closure_code"] == "successful"
    assert there.record["achieved_outcome_category"] == "time_savings"
    there.close("successful")
    a_cycle(action, NOW + timedelta(days=7))
    assert action.diverged == ""
    assert access.is_integration_account("snow", "regelkreis")


# --- what a dry run says ------------------------------------------------------------------------------------------


def shown_dry() -> dict[str, tuple[list[str], str, bool]]:
    """By delivery: the methods of its requests, why there are none, and whether that is an error."""
    with cycle.connectors() as opened:
        shown = deliver.preview(opened[0])
    return {one.delivery.key: ([asked.method for asked in one.requests], one.why, one.is_wrong) for one in shown}


def delivered() -> deliver.DeliverResult:
    with cycle.connectors() as opened:
        return deliver.deliver(opened[0], as_of=NOW)


def test_a_dry_run_shows_no_creation_that_may_be_there(there: There, olga: Person) -> None:
    action = begun(olga)
    outbox.note(action, "x", "hello", at=NOW)
    there.running.set_faults("servicenow", {"kind": "reset_before", "method": "POST", "path": f"/table/{REGISTER}$"})
    delivered()
    there.running.set_faults("servicenow")
    shown = shown_dry()
    methods, why, is_wrong = shown[f"{action.code}/create"]
    assert (methods, is_wrong) == ([], False)
    assert "ago without an answer, and is not found" in why
    assert shown[f"{action.code}/note/x"] == ([], f"it waits for {action.code}/create", False)
    assert delivered().sent == 0


def test_nor_a_change_that_may_still_take_effect_and_what_comes_after_it(there: There, olga: Person) -> None:
    action = begun(olga)
    a_cycle(action)
    action.hypothesis = "Another"
    action.save()
    loop.queue_update(action, NOW)
    outbox.note(action, "x", "hello", at=NOW)
    there.running.set_faults("servicenow", {"kind": "reset_before", "method": "PATCH", "path": f"/table/{REGISTER}"})
    delivered()
    there.running.set_faults("servicenow")
    methods, why, is_wrong = shown_dry()[f"{action.code}/update/1"]
    assert (methods, is_wrong) == ([], False)
    assert "ago without an answer, and may still take effect" in why
    assert shown_dry()[f"{action.code}/note/x"] == ([], f"it waits for {action.code}/update/1", False)
    assert delivered().sent == 0


def test_nor_what_belongs_to_a_record_that_was_refused(there: There, olga: Person) -> None:
    action = begun(olga)
    outbox.note(action, "x", "hello", at=NOW)
    refusing = [{"table": REGISTER, "effect": "reject", "name": "No robots"}]
    there.running.set_options("servicenow", rules=refusing)
    assert delivered().refused == 1
    there.running.set_options("servicenow", rules=[])
    (only,) = shown_dry().values()
    assert (only[0], only[2]) == ([], False)
    assert "so there is no record to write to" in only[1]
    assert delivered().sent == 0


def test_a_dry_run_goes_on_behind_a_record_that_is_gone_and_tells_it(there: There, olga: Person) -> None:
    gone = begun(olga)
    a_cycle(gone)
    url = f"{there.running.servicenow_url}/api/now/table/{REGISTER}/{there.record['sys_id']}"
    requests.delete(url, auth=("admin", "sandbox"), timeout=30)
    outbox.note(gone, "x", "hello", at=NOW)
    gone.hypothesis = "Another"
    gone.save()
    loop.queue_update(gone, NOW)
    other = begun(olga)
    shown = cycle.preview_all()
    (error,) = shown.errors
    assert "is gone or hidden" in error
    assert [(line["key"], line["method"]) for line in shown.lines if line["method"]] == [
        (f"{gone.code}/note/x", "PATCH"),
        (f"{other.code}/create", "POST"),
    ]
    why = {line["key"]: line["why"] for line in shown.lines}
    assert why[f"{other.code}/create"] == ""
    Connection.objects.update(may_write=False)
    assert "writing is off" in {line["key"]: line["why"] for line in cycle.preview_all().lines}[f"{other.code}/create"]
