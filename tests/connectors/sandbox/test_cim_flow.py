"""Continual Improvement Management: buttons, approvals, tasks, and what each demands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox, running_sandbox

STRATEGY = "Keep what we promise"


@dataclass
class Flow:
    """An initiative, and the people who move it."""

    sandbox: RunningSandbox
    admin: Any
    register: str

    def by(self, user: str) -> Any:
        return self.admin.as_user(user)

    def id_of(self, table: str, query: str) -> str:
        return str(self.admin.list(table, query, fields="sys_id")[0]["sys_id"])

    def state_value(self, label: str) -> str:
        rows = self.admin.list("sys_choice", f"name=sn_cim_register^element=state^label={label}")
        return str(rows[0]["value"])

    def state(self) -> str:
        record = self.admin.read("sn_cim_register", self.register, display_value="true")
        return str(record["state"])

    def move(self, user: str, label: str, **fields: str) -> Any:
        return self.by(user).patch("sn_cim_register", self.register, state=self.state_value(label), **fields)

    def to_assess(self) -> None:
        coordinator = self.id_of("sys_user", "user_name=olga.owner")
        strategy = self.id_of("sn_cim_strategic_objective", f"name={STRATEGY}")
        group = self.id_of("sys_user_group", "name=CIM Approvers")
        accepted = self.move("olga.owner", "Accepted", coordinator=coordinator, strategic_objective=strategy)
        assessed = self.move("olga.owner", "Assess", approver_group=group)
        assert (accepted.status_code, assessed.status_code) == (200, 200), assessed.text

    def approvals(self) -> list[dict[str, str]]:
        rows = self.admin.list(
            "sysapproval_approver", f"document_id={self.register}", fields="sys_id,state,approver.user_name"
        )
        return sorted(rows, key=lambda row: row["approver.user_name"])

    def decide(self, user: str, state: str) -> Any:
        mine = next(
            row for row in self.approvals() if row["approver.user_name"] == user and row["state"] == "requested"
        )
        return self.by(user).patch("sysapproval_approver", mine["sys_id"], state=state)


@pytest.fixture
def flow(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> Flow:
    sandbox, admin = serve(a_world(a_ticket()))
    record = admin.as_user("regelkreis").create("sn_cim_register", short_description="Fewer breaches", state="22")
    return Flow(sandbox, admin, record["sys_id"])


def test_an_initiative_starts_new_whatever_was_sent(flow: Flow) -> None:
    assert flow.state() == "New"


def test_the_integration_users_state_is_dropped(flow: Flow) -> None:
    response = flow.move("regelkreis", "Canceled", description="kept")

    assert response.status_code == 200
    assert response.json()["result"]["description"] == "kept"
    assert flow.state() == "New"


def test_buttons_demand_their_fields(flow: Flow) -> None:
    refused = flow.move("olga.owner", "Accepted")

    assert refused.status_code == 403
    detail = refused.json()["error"]["detail"]
    assert "aborted by Business Rule 'CIM mandatory fields^" in detail
    assert "coordinator, strategic_objective" in detail


def test_no_button_skips_a_state(flow: Flow) -> None:
    refused = flow.move("olga.owner", "In Progress")

    assert refused.status_code == 403
    assert "No button leads from New to In Progress" in refused.json()["error"]["detail"]


def test_assess_asks_every_approver_and_one_suffices(flow: Flow) -> None:
    flow.to_assess()
    assert [row["state"] for row in flow.approvals()] == ["requested", "requested"]

    assert flow.decide("paul.prover", "approved").status_code == 200

    assert flow.state() == "Approved"
    assert {r["approver.user_name"]: r["state"] for r in flow.approvals()} == {
        "paul.prover": "approved",
        "petra.prover": "not_required",
    }
    audit = flow.admin.list("sys_audit", f"documentkey={flow.register}^fieldname=state^ORDERBYDESCsys_updated_on")
    assert {row["user"] for row in audit if row["newvalue"] == flow.state_value("Approved")} == {"paul.prover"}


def test_a_rejection_returns_to_accepted(flow: Flow) -> None:
    flow.to_assess()

    flow.decide("petra.prover", "rejected")

    assert flow.state() == "Accepted"
    assert sorted(row["state"] for row in flow.approvals()) == ["cancelled", "rejected"]


def test_only_the_approver_decides_and_only_once(flow: Flow) -> None:
    flow.to_assess()
    of_paul = flow.approvals()[0]["sys_id"]

    assert flow.by("petra.prover").patch("sysapproval_approver", of_paul, state="approved").status_code == 403
    assert flow.by("regelkreis").patch("sysapproval_approver", of_paul, state="approved").status_code == 403
    assert flow.move("olga.owner", "Approved").status_code == 403
    assert flow.decide("paul.prover", "approved").status_code == 200
    assert flow.by("paul.prover").patch("sysapproval_approver", of_paul, state="rejected").status_code == 403


def test_pending_approvals_lapse_after_seven_business_days(flow: Flow) -> None:
    flow.to_assess()
    asked = flow.sandbox.clock()

    flow.sandbox.set_clock(asked + timedelta(days=8))
    assert [row["state"] for row in flow.approvals()] == ["requested", "requested"]
    flow.sandbox.set_clock(asked + timedelta(days=14))

    assert [row["state"] for row in flow.approvals()] == ["cancelled", "cancelled"]
    assert flow.state() == "Assess"
    assert flow.move("olga.owner", "Accepted").status_code == 200


def test_without_the_property_people_approve_by_button(serve: Callable[..., Any], a_world: Any, a_ticket: Any) -> None:
    sandbox, admin = serve(a_world(a_ticket()), need_approval=False)
    flow = Flow(sandbox, admin, admin.create("sn_cim_register")["sys_id"])
    flow.to_assess()

    assert flow.approvals() == []
    assert flow.move("paul.prover", "Approved").status_code == 200
    assert flow.state() == "Approved"


def test_tasks_of_the_plan_open_with_the_work_and_later_ones_stay_pending(flow: Flow) -> None:
    regelkreis = flow.by("regelkreis")
    flow.to_assess()
    planned = regelkreis.create("sn_cim_task", cim_register=flow.register, short_description="planned")
    flow.decide("paul.prover", "approved")
    flow.sandbox.set_clock(flow.sandbox.clock() + timedelta(hours=1))
    late = regelkreis.create("sn_cim_task", cim_register=flow.register, short_description="late")

    flow.move("olga.owner", "In Progress")

    states = {row["short_description"]: row["state"] for row in flow.admin.list("sn_cim_task")}
    assert states == {"planned": "1", "late": "-5"}
    flow.by("olga.owner").change("sn_cim_task", planned["sys_id"], state="3")
    assert flow.admin.read("sn_cim_register", flow.register)["percent_complete"] == "50"
    assert late["number"] > planned["number"]


def test_closing_demands_notes_and_ends_the_record(flow: Flow) -> None:
    flow.to_assess()
    flow.decide("paul.prover", "approved")
    flow.move("olga.owner", "In Progress")
    flow.move("olga.owner", "Monitor/Review")

    assert flow.move("olga.owner", "Closed").status_code == 403
    closed = flow.move("olga.owner", "Closed", close_notes="done", closure_code="successful")

    assert closed.json()["result"]["active"] == "false"
    assert closed.json()["result"]["closure_code"] == "successful"


def test_a_plan_can_be_approved_again(flow: Flow) -> None:
    flow.to_assess()
    flow.decide("paul.prover", "approved")

    assert flow.move("olga.owner", "Assess").status_code == 403
    assert flow.move("olga.owner", "Assess", work_notes="the goal has changed").status_code == 200
    assert [row["state"] for row in flow.approvals()].count("requested") == 2


def test_an_instance_without_the_plugin_has_no_such_tables(
    serve: Callable[..., Any], a_world: Any, a_ticket: Any
) -> None:
    _, admin = serve(a_world(a_ticket()), cim=False)

    refused = admin.send("GET", "/api/now/table/sn_cim_register")
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == "Invalid table sn_cim_register"
    assert admin.list("sys_db_object", "nameSTARTSWITHsn_cim") == []
    assert admin.list("v_plugin", "id=com.sn_cim") == []
    assert admin.as_user("regelkreis").create("problem", short_description="instead")["number"].startswith("PRB")


@pytest.fixture(scope="module")
def generated() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=("servicenow",), now=datetime(2024, 3, 4, 12, tzinfo=UTC)) as sandbox:
        yield sandbox


def test_the_generated_worlds_people_have_their_roles(generated: RunningSandbox) -> None:
    import requests

    for user in ("anna.frei", "martin.keller"):
        answer = requests.get(
            f"{generated.servicenow_url}/api/now/table/sys_user_has_role",
            params={"sysparm_query": f"user.user_name={user}", "sysparm_fields": "role.name"},
            auth=("admin", "sandbox"),
            timeout=30,
        )
        assert any(row["role.name"].startswith("sn_cim.improvement_") for row in answer.json()["result"])
