"""Tasks below a problem, where improvement records are problems; and a plain task, which has none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta

import pytest

from connectors.sandbox.testing import RunningSandbox
from connectors.servicenow.connector import ServiceNowConnector
from improvement.errors import ConnectionFailed, WriteRefused
from improvement.records import Outbound, PlatformTask, RecordRef, Verb

from .conftest import END, Connect, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]
CREATE = Outbound(verb=Verb.CREATE, key="ACT-7/create", action_id="ACT-7", fields={"title": "Fewer breaches"})
HIRE = Outbound(verb=Verb.TASK, key="ACT-7/task/1", action_id="ACT-7", fields={"title": "Hire", "due": "2025-07-01"})


@pytest.fixture
def running(serve: Serve) -> RunningSandbox:
    return serve(a_world(a_ticket()), cim=False)


@pytest.fixture
def olga(running: RunningSandbox) -> Person:
    return Person(running.servicenow_url, "olga.owner")


def a_record(connector: ServiceNowConnector, mode: str = "problem") -> RecordRef:
    ref = connector.write(CREATE, None).ref
    assert ref.mode == mode
    return ref


def task_of(connector: ServiceNowConnector, ref: RecordRef) -> PlatformTask:
    (state,) = connector.states([ref])
    (task,) = state.tasks
    return task


def test_a_task_is_made_once_below_its_problem(running: RunningSandbox, connect: Connect, admin: Person) -> None:
    connector = connect(running)
    ref = a_record(connector)
    (shown,) = connector.preview(HIRE, ref)
    assert (shown.method, shown.url) == ("POST", f"{running.servicenow_url}/api/now/table/problem_task")
    assert json.loads(shown.body) == {
        "short_description": "Hire",
        "due_date": "2025-07-01 12:00:00",
        "problem": ref.id,
        "correlation_id": "rk-ACT-7/task/1",
    }
    receipt = connector.write(HIRE, ref)
    assert (receipt.status, receipt.differences, receipt.unwritten) == (201, {}, {})
    assert connector.write(HIRE, ref).was_found
    assert connector.preview(HIRE, ref) == []
    (row,) = admin.find("problem_task", "")
    assert (row["problem"], row["state"], row["number"][:5]) == (ref.id, "151", "PTASK")


@pytest.mark.parametrize("fault", ["reset_after", "cut_body", "error_in_200"])
def test_a_task_whose_answer_was_lost_is_found(
    running: RunningSandbox, connect: Connect, admin: Person, fault: str
) -> None:
    connector = connect(running)
    ref = a_record(connector)
    running.set_faults("servicenow", {"kind": fault, "method": "POST", "times": 1})
    with pytest.raises(ConnectionFailed):
        connector.write(HIRE, ref)
    assert connector.write(HIRE, ref).was_found
    assert len(admin.find("problem_task", "")) == 1


def test_what_people_do_with_it_comes_home_also_weeks_later(
    running: RunningSandbox, connect: Connect, admin: Person, olga: Person
) -> None:
    connector = connect(running)
    ref = a_record(connector)
    connector.write(HIRE, ref)
    before = task_of(connector, ref)
    assert (before.title, before.is_done, before.assignee, before.due) == ("Hire", False, None, date(2025, 7, 1))
    owner = admin.find("sys_user", "user_name=olga.owner")[0]["sys_id"]
    olga.change("problem_task", before.id, state="154", assigned_to=owner, due_date="2025-07-08 10:00:00")
    running.set_clock(END + timedelta(weeks=3))
    begun = task_of(connector, ref)
    assert (begun.is_done, begun.assignee, begun.due) == (False, "olga.owner", date(2025, 7, 8))
    olga.change("problem_task", before.id, state="157")
    assert task_of(connector, ref).is_done
    assert task_of(connector, ref).number == before.number


def test_an_access_control_on_tasks_refuses_and_says_so(serve: Serve, connect: Connect) -> None:
    running = serve(a_world(a_ticket()), cim=False, denied={"regelkreis": ("problem_task:write",)})
    connector = connect(running)
    with pytest.raises(WriteRefused, match="An access control forbids the write"):
        connector.write(HIRE, a_record(connector))


def test_a_closed_problem_takes_no_task_and_the_rule_is_named(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref = a_record(connector)
    admin.change("problem", ref.id, state="107")
    with pytest.raises(WriteRefused, match="Business Rule 'Closed problems"):
        connector.write(HIRE, ref)
    assert admin.find("problem_task", "") == []


def test_a_plain_task_has_no_tasks_and_says_so(running: RunningSandbox, connect: Connect, admin: Person) -> None:
    connector = connect(running, fallback_modes=["task_min"])
    ref = a_record(connector, "task_min")
    before = len(admin.find("task", ""))
    receipt = connector.write(HIRE, ref)
    assert receipt.unwritten == {"task": "mode task_min has no tasks here"}
    assert (receipt.status, receipt.written) == (0, {})
    assert connector.preview(HIRE, ref) == []
    assert len(admin.find("task", "")) == before
    assert connector.states([ref])[0].tasks == ()
