"""Fields that a right hides from us: what is written all the same, and what receipts tell of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.sandbox.testing import RunningSandbox
from connectors.servicenow.writing import NOT_SHOWN, PEOPLES_OWN
from improvement.errors import PermissionMissing
from improvement.records import Verb

from .an_action import CREATE, NOTE, outbound
from .conftest import Connect, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]


@pytest.fixture
def running(serve: Serve) -> RunningSandbox:
    return serve(a_world(a_ticket()))


def test_a_note_whose_text_is_hidden_from_us_is_told_and_not_written_again(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    ref = connect(running).write(CREATE, None).ref
    running.set_options("servicenow", denied={"regelkreis": ["sys_journal_field.value:read"]})
    for _ in range(3):
        with pytest.raises(PermissionMissing, match=r"leaves sys_journal_field\.value out"):
            connect(running).write(NOTE, ref)
    running.set_options("servicenow", denied={})
    assert len(admin.find("sys_journal_field", f"element_id={ref.id}")) == 1


def test_of_what_is_hidden_from_us_is_told_that_it_is_hidden_and_not_that_it_is_empty(
    running: RunningSandbox, connect: Connect
) -> None:
    running.set_options("servicenow", denied={"regelkreis": ["sn_cim_register.description:read"]})
    for _ in range(2):  # made, then found
        receipt = connect(running).write(CREATE, None)
        assert receipt.differences == {"description": NOT_SHOWN}
        assert "description" not in receipt.written


def test_what_people_filled_and_is_hidden_from_us_is_kept_on_a_record_of_theirs(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    ref = connect(running).write(CREATE, None).ref
    admin.change("sn_cim_register", ref.id, target_value="77")
    running.set_options("servicenow", denied={"regelkreis": ["sn_cim_register.target_value:read"]})
    update = outbound(Verb.UPDATE, "update/1", fields={"target": "5 %"}, is_adopted=True)
    receipt = connect(running).write(update, ref)
    assert receipt.unwritten == {"target": PEOPLES_OWN}
    (row,) = admin.find("sn_cim_register", f"sys_id={ref.id}")
    assert row["target_value"] == "77"
