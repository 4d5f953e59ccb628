"""What people did on the platform comes home: state, owner, tasks, approvals, comments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import msgspec
import pytest

from connectors.sandbox.servicenow.cim import state_value
from connectors.sandbox.testing import RunningSandbox
from improvement.errors import MappingError
from improvement.records import Outbound, PlatformState, RecordRef, Verb

from .conftest import END, Connect, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]
CREATE = Outbound(verb=Verb.CREATE, key="ACT-7/create", action_id="ACT-7", fields={"title": "Fewer breaches"})


class Story:
    """One improvement record and the people around it."""

    def __init__(self, running: RunningSandbox, connect: Connect, **parts: Any) -> None:
        self.running = running
        self.connector = connect(running, **parts)
        self.ref: RecordRef = self.connector.write(CREATE, None).ref
        self.table = {"cim": "sn_cim_register"}.get(self.ref.mode, self.ref.mode)
        self.admin = Person(running.servicenow_url, "admin")
        self.olga = Person(running.servicenow_url, "olga.owner")
        self.paul = Person(running.servicenow_url, "paul.prover")

    @property
    def state(self) -> PlatformState:
        (found,) = self.connector.states([self.ref])
        return found

    def push(self, label: str, **values: str) -> None:
        """Olga pushes the button to a state."""
        self.olga.change(self.table, self.ref.id, state=state_value(label), **values)

    def assess(self) -> None:
        group = self.admin.create("sys_user_group", name="Approvers of the story")
        for person in self.admin.find("sys_user", "user_nameINpaul.prover"):
            self.admin.create("sys_user_grmember", user=person["sys_id"], group=group["sys_id"])
        strategy = self.admin.create("sn_cim_strategic_objective", name="Reliable service")
        olga = self.admin.find("sys_user", "user_name=olga.owner")[0]["sys_id"]
        self.push("Accepted", coordinator=olga, strategic_objective=strategy["sys_id"])
        self.push("Assess", approver_group=group["sys_id"])

    def approve(self) -> None:
        (approval,) = self.admin.find("sysapproval_approver", f"sysapproval={self.ref.id}^state=requested")
        self.paul.change("sysapproval_approver", approval["sys_id"], state="approved")


@pytest.fixture
def story(serve: Serve, connect: Connect) -> Story:
    return Story(serve(a_world(a_ticket())), connect)


def test_a_fresh_record_is_new_and_nobody_has_touched_it(story: Story) -> None:
    state = story.state
    assert (state.state, state.state_changed_by, state.owner, state.approvals, state.comments) == (
        "new",
        None,
        None,
        (),
        (),
    )
    assert not state.is_missing


def test_the_flow_comes_home_with_the_people_who_moved_it(story: Story) -> None:
    story.assess()
    assert (story.state.state, story.state.state_changed_by, story.state.owner) == (
        "assess",
        "olga.owner",
        "olga.owner",
    )
    story.approve()
    state = story.state
    assert state.state == "approved"
    (approval,) = state.approvals
    assert (approval.approver, approval.state, approval.at) == ("paul.prover", "approved", END)
    story.push("In Progress")
    assert story.state.state == "in_progress"
    story.push("Monitor/Review")
    assert story.state.state == "review"
    story.push("Closed", close_notes="done", closure_code="successful")
    state = story.state
    assert (state.state, state.close_code, state.state_changed_at) == ("closed", "successful", END)
    assert state.is_closed_as_success


def test_who_changed_owner_and_due_date_is_told_by_the_audit_each_by_itself(story: Story) -> None:
    story.assess()
    assert (story.state.owner_changed_by, story.state.due_changed_by) == ("olga.owner", None)
    story.paul.change("sn_cim_register", story.ref.id, due_date="2025-10-01 00:00:00")
    state = story.state
    assert (state.owner_changed_by, state.due_changed_by, state.state_changed_by) == (
        "olga.owner",
        "paul.prover",
        "olga.owner",
    )


@pytest.mark.parametrize("code", ["unsuccessful", "withdrawn"])
def test_what_is_closed_without_success_claims_none(story: Story, code: str) -> None:
    story.assess()
    story.approve()
    for label in ("In Progress", "Monitor/Review"):
        story.push(label)
    story.push("Closed", close_notes="done", closure_code=code)
    assert (story.state.close_code, story.state.is_closed_as_success) == (code, False)


@pytest.mark.parametrize(("answer", "state"), [("rejected", "accepted"), ("cancelled", "assess")])
def test_a_rejected_and_a_lapsed_approval_come_home_as_they_are(story: Story, answer: str, state: str) -> None:
    story.assess()
    (row,) = story.admin.find("sysapproval_approver", f"sysapproval={story.ref.id}^state=requested")
    who = story.paul if answer == "rejected" else story.admin  # pending ones lapse by the platform itself
    who.change("sysapproval_approver", row["sys_id"], state=answer)
    (approval,) = story.state.approvals
    assert (approval.approver, approval.state) == ("paul.prover", answer)
    assert story.state.state == state


def test_every_approval_of_a_second_round_comes_home_beside_the_first(story: Story) -> None:
    story.assess()
    story.approve()
    story.push("Assess", work_notes="a new plan")
    approvals = story.state.approvals
    assert sorted(approval.state for approval in approvals) == ["approved", "requested"]
    assert len({approval.id for approval in approvals}) == 2


def test_due_date_tasks_and_comments_come_home_but_our_own_notes_do_not(story: Story) -> None:
    story.connector.write(
        Outbound(verb=Verb.TASK, key="ACT-7/task/1", action_id="ACT-7", fields={"title": "Hire", "due": "2025-07-01"}),
        story.ref,
    )
    story.connector.write(
        Outbound(verb=Verb.NOTE, key="ACT-7/note/opened", action_id="ACT-7", text="opened"), story.ref
    )
    (task,) = story.admin.find("sn_cim_task", "")
    olga = story.admin.find("sys_user", "user_name=olga.owner")[0]["sys_id"]
    story.olga.change("sn_cim_task", task["sys_id"], state="3", assigned_to=olga)
    story.olga.change("sn_cim_register", story.ref.id, due_date="2025-10-01 00:00:00", work_notes="We start on Monday")
    story.paul.change("sn_cim_register", story.ref.id, comments="As you wrote in [rk ACT-7/note/opened]: fine")
    state = story.state
    assert state.due == date(2025, 10, 1)
    (found,) = state.tasks
    assert (found.title, found.is_done, found.assignee, found.due) == ("Hire", True, "olga.owner", date(2025, 7, 1))
    assert [(comment.author, comment.text) for comment in state.comments] == [
        ("olga.owner", "We start on Monday"),
        ("paul.prover", "As you wrote in [rk ACT-7/note/opened]: fine"),
    ]


ON_CREATION = {"table": "sn_cim_register", "effect": "move", "to": "Accepted", "when": {"short_description": "Now"}}
ON_A_NOTE = {"table": "sn_cim_register", "effect": "move", "to": "In Progress", "when": {}}


def test_a_rule_that_moves_a_new_record_is_followed_and_passes_for_nobody(serve: Serve, connect: Connect) -> None:
    """It ran in our session, so the audit has our name; but we never write a state."""
    running = serve(a_world(a_ticket()), rules=[ON_CREATION])
    create = msgspec.structs.replace(CREATE, fields={"title": "Now"})
    receipt = connect(running).write(create, None)
    (state,) = connect(running).states([receipt.ref])
    assert (state.state, state.state_changed_by, receipt.differences) == ("accepted", None, {})
    audited = Person(running.servicenow_url, "admin").find("sys_audit", f"documentkey={receipt.ref.id}")
    assert [(row["user"], row["newvalue"]) for row in audited] == [("regelkreis", state_value("Accepted"))]


def test_a_rule_that_a_note_of_ours_sets_off_is_followed(story: Story, connect: Connect) -> None:
    running = story.running
    running.set_options("servicenow", rules=[ON_A_NOTE])
    note = Outbound(verb=Verb.NOTE, key="ACT-7/note/1", action_id="ACT-7", text="Improved.")
    assert story.connector.write(note, story.ref).differences == {}
    assert (story.state.state, story.state.state_changed_by) == ("in_progress", None)
    running.set_options("servicenow", rules=[])
    story.push("Monitor/Review")
    assert (story.state.state, story.state.state_changed_by) == ("review", "olga.owner")


def test_a_cancelled_record_is_cancelled(story: Story) -> None:
    story.push("Canceled")
    assert story.state.state == "cancelled"


def test_a_deleted_record_is_missing_and_the_others_keep_their_order(story: Story) -> None:
    gone = RecordRef(connection="sn", mode="cim", id="0" * 32, number="CIM1", url="")
    states = story.connector.states([gone, story.ref])
    assert [(state.ref.number, state.is_missing) for state in states] == [("CIM1", True), (story.ref.number, False)]


@pytest.mark.parametrize("hidden", ["sys_audit", "sys_audit.fieldname:read"])
def test_an_audit_we_may_not_read_leaves_the_actor_untold(serve: Serve, connect: Connect, hidden: str) -> None:
    story = Story(serve(a_world(a_ticket()), denied={"regelkreis": (hidden,)}), connect)
    story.push("Canceled")
    assert (story.state.state, story.state.state_changed_by) == ("cancelled", None)


def test_a_fallback_record_is_followed_too(serve: Serve, connect: Connect) -> None:
    story = Story(serve(a_world(a_ticket()), cim=False), connect)
    assert story.ref.mode == "problem"
    olga = story.admin.find("sys_user", "user_name=olga.owner")[0]["sys_id"]
    story.olga.change("problem", story.ref.id, assigned_to=olga, work_notes="mine")
    assert (story.state.state, story.state.owner) == ("new", "olga.owner")
    assert [comment.text for comment in story.state.comments] == ["mine"]


def test_nothing_to_follow_asks_nothing(story: Story) -> None:
    before = story.connector._instance.reader.requests
    assert story.connector.states([]) == []
    assert story.connector._instance.reader.requests == before


def test_a_state_that_we_do_not_know_means_what_the_connection_says(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), cim=False)
    story = Story(running, connect)
    choice = {"name": "problem", "element": "state", "value": "99", "label": "Parked", "language": "en"}
    story.admin.create("sys_choice", **choice)
    told = {item.check: item for item in story.connector.describe().findings if not item.is_ok}
    assert told["states of problem"].detail == "Parked (99): unknown, so they move no action"
    for said in ({"99": "on_hold"}, {"Parked": "on_hold"}):
        findings = connect(running, statuses=said).describe().findings
        assert all(item.check != "states of problem" for item in findings)
    value = story.admin.find("problem", f"sys_id={story.ref.id}")[0]["state"]
    assert story.state.state == "new"
    for said in ({value: "on_hold"}, {"New": "on_hold"}):
        assert connect(running, statuses=said).states([story.ref])[0].state == "on_hold"


def test_records_of_a_table_that_is_no_longer_configured_are_not_called_missing(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), cim=False, custom_table=True)
    story = Story(running, connect, custom_table="u_improvement_action")
    assert story.ref.mode == "custom"
    with pytest.raises(MappingError, match="no table for") as caught:
        connect(running).states([story.ref])
    assert "custom_table" in caught.value.mend


def test_a_state_that_was_renamed_is_unknown_until_somebody_says_what_it_means(serve: Any, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), renamed_choices={"sn_cim_register.state": {"1": "Idea"}})
    ref = connect(running).write(CREATE, None).ref
    (unknown,) = connect(running).states([ref])
    (known,) = connect(running, statuses={"Idea": "new"}).states([ref])
    assert (unknown.state, known.state) == ("unknown", "new")
    (finding,) = [item for item in connect(running).describe().findings if not item.is_ok]
    assert "Idea (1): unknown, so they move no action" in finding.detail
