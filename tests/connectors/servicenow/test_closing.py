"""How an ended action's record may be closed: proposed, and written only where the connection says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.servicenow.cim import state_value
from connectors.sandbox.testing import RunningSandbox
from connectors.servicenow.writing import IS_CLOSED, IS_PROPOSED
from improvement.records import Outbound, RecordRef, Verb

from .conftest import Connect, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]
TITLE = {"title": "Fewer breaches"}
CREATE = Outbound(verb=Verb.CREATE, key="ACT-7/create", action_id="ACT-7", fields=TITLE)
COLUMNS = ("closure_code", "achieved_outcome_category", "close_notes")
SENT = ("closure_code", "achieved_outcome_category", "close_notes")


def closing(closure: str = "successful", gain: str | None = "time", notes: str = "Improved: 24 % → 16 %.") -> Outbound:
    fields = {**TITLE, "state": "closed", "closure": closure, "gain": gain, "close_notes": notes}
    return Outbound(verb=Verb.UPDATE, key="ACT-7/update/1", action_id="ACT-7", fields=fields)


@pytest.fixture
def running(serve: Serve) -> RunningSandbox:
    return serve(a_world(a_ticket()))


def standing(admin: Person, ref: RecordRef) -> tuple[str, ...]:
    (row,) = admin.find("sn_cim_register", f"sys_id={ref.id}")
    return tuple(row[name] for name in COLUMNS)


def test_nothing_of_it_is_written_unless_the_connection_says_so(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref = connector.write(CREATE, None).ref
    assert connector.preview(closing(), ref) == []
    receipt = connector.write(closing(), ref)
    assert {receipt.unwritten[name] for name in ("closure", "gain", "close_notes")} == {IS_PROPOSED}
    assert standing(admin, ref) == ("", "", "")


@pytest.mark.parametrize("closure", ["successful", "unsuccessful", "withdrawn"])
def test_switched_on_code_category_and_notes_are_written_once_and_the_state_never(
    running: RunningSandbox, connect: Connect, admin: Person, closure: str
) -> None:
    connector = connect(running, write_closure=True)
    ref = connector.write(CREATE, None).ref
    (shown,) = connector.preview(closing(closure), ref)
    assert json.loads(shown.body) == dict(zip(SENT, (closure, "time_savings", "Improved: 24 % → 16 %."), strict=True))
    receipt = connector.write(closing(closure), ref)
    assert (receipt.differences, set(receipt.unwritten)) == ({}, {"state"})
    assert standing(admin, ref) == (closure, "time_savings", "Improved: 24 % → 16 %.")
    assert connector.write(closing(closure), ref).was_found
    (state,) = connector.states([ref])
    assert (state.state, state.close_code, state.close_code_changed_by) == ("new", closure, "regelkreis")
    assert state.is_closed_as_success == (closure == "successful")


def test_labels_are_resolved_by_the_choices_and_the_connection_may_name_others(serve: Serve, connect: Connect) -> None:
    labels = {
        "sn_cim_register.closure_code": {"7": "Achieved", "successful": "Old"},
        "sn_cim_register.achieved_outcome_category": {"8": "Faster", "time_savings": "Old too"},
    }
    running = serve(a_world(a_ticket()), renamed_choices=labels)
    admin = Person(running.servicenow_url, "admin")
    named = {"resolutions": {"success": "Achieved"}, "gains": {"time": "Faster"}}
    connector = connect(running, write_closure=True, **named)
    ref = connector.write(CREATE, None).ref
    connector.write(closing(), ref)
    assert standing(admin, ref)[:2] == ("7", "8")
    (state,) = connector.states([ref])
    assert (state.close_code, state.is_closed_as_success) == ("7", True)


def test_a_choice_that_is_not_there_stays_unwritten_with_the_choices_there_are(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running, write_closure=True, resolutions={"success": "Great"})
    ref = connector.write(CREATE, None).ref
    receipt = connector.write(closing(), ref)
    assert "“Great” is no choice of closure_code" in receipt.unwritten["closure"]
    assert standing(admin, ref)[0] == ""


def test_doctor_names_labels_that_are_no_choices_here(serve: Serve, connect: Connect) -> None:
    labels = {"sn_cim_register.closure_code": {"successful": "Erreicht"}}
    running = serve(a_world(a_ticket()), renamed_choices={**labels, "sn_cim_register.state": {"1": "New"}})
    fine = {"write_closure": True, "resolutions": {"success": "Erreicht"}}

    def told(**parts: Any) -> list[str]:
        return [item.detail for item in connect(running, **parts).describe().findings if "of sn_cim" in item.check]

    assert told() == told(**fine) == told(write_closure=True) == []  # its stored value is still the usual one
    (detail,) = told(write_closure=True, resolutions={"success": "Great"})
    assert detail.startswith("“Great” is no choice of closure_code; there are Erreicht, Unsuccessful, Withdrawn")
    (detail,) = told(write_closure=True, gains={"time": "Speed"})
    assert "“Speed” is no choice of achieved_outcome_category" in detail


def test_what_a_person_chose_stays_and_a_closed_record_is_left_alone(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running, write_closure=True)
    ref = connector.write(CREATE, None).ref
    olga = Person(running.servicenow_url, "olga.owner")
    olga.change("sn_cim_register", ref.id, closure_code="withdrawn")
    receipt = connector.write(closing(), ref)
    assert receipt.unwritten["closure"] == "olga.owner changed it there last"
    assert standing(admin, ref) == ("withdrawn", "time_savings", "Improved: 24 % → 16 %.")
    olga.change("sn_cim_register", ref.id, state=state_value("Canceled"))
    left: dict[str, Any] = connector.write(closing(notes="Later."), ref).unwritten
    assert left["close_notes"] == IS_CLOSED
    assert standing(admin, ref)[2] == "Improved: 24 % → 16 %."


@pytest.mark.parametrize("mode", ["problem", "task_min"])
def test_a_mode_without_a_closure_code_says_so(serve: Serve, connect: Connect, mode: str) -> None:
    running = serve(a_world(a_ticket()), cim=False)
    connector = connect(running, write_closure=True, fallback_modes=[mode])
    ref = connector.write(CREATE, None).ref
    assert ref.mode == mode
    unwritten = connector.write(closing(), ref).unwritten
    assert {unwritten[name] for name in ("closure", "gain", "close_notes")} == {"this platform has no column for it"}
