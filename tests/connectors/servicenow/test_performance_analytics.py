"""Records whose target Performance Analytics measures: left to it, or written with the value kept that stood there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox
from connectors.servicenow.writing import LEFT_TO_PA
from improvement.errors import ConnectionFailed
from improvement.records import RecordRef, Verb

from .an_action import CREATE, FIELDS, outbound
from .conftest import Connect, Person, a_world

UPDATE = outbound(Verb.UPDATE, "update/1", fields={**FIELDS, "title": "Fewer breaches"})


@pytest.fixture
def running(serve: Callable[..., RunningSandbox]) -> RunningSandbox:
    return serve(a_world())


def a_record_of_pa(connector: Any, admin: Person, **values: str) -> RecordRef:
    ref: RecordRef = connector.write(CREATE, None).ref
    measured = {"success_measurement_method": "automated", "base_value": "80", "target_value": "99", **values}
    admin.change("sn_cim_register", ref.id, **measured)
    return ref


def standing(admin: Person, ref: RecordRef) -> tuple[str, str]:
    (row,) = admin.find("sn_cim_register", f"sys_id={ref.id}")
    return row["base_value"], row["target_value"]


def test_what_performance_analytics_measures_is_left_to_it_and_the_receipt_says_so(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref = a_record_of_pa(connector, admin)
    (shown,) = connector.preview(UPDATE, ref)
    assert "target_value" not in shown.body
    receipt = connector.write(UPDATE, ref)
    assert standing(admin, ref) == ("80", "99")
    assert receipt.written == {"short_description": "Fewer breaches"}
    assert {receipt.unwritten[name] for name in ("baseline", "target")} == {LEFT_TO_PA}
    assert receipt.replaced == {}
    admin.change("sn_cim_register", ref.id, success_measurement_method="manual")
    assert set(connector.write(UPDATE, ref).written) == {"base_value", "target_value"}  # measured by us again
    assert standing(admin, ref) == ("24.3", "17")


def test_an_empty_target_of_performance_analytics_is_left_to_it_on_an_adopted_record_too(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running)
    ref = a_record_of_pa(connector, admin, target_value="")
    write = outbound(Verb.UPDATE, "update/1", fields={"target": "17 %"}, is_adopted=True)
    assert connector.write(write, ref).unwritten == {"target": LEFT_TO_PA}
    assert standing(admin, ref) == ("80", "")


def test_a_method_is_known_by_its_label_where_its_value_is_another(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    labels = {"sn_cim_register.success_measurement_method": {"4": "Automated: PA Indicator"}}
    running.set_options("servicenow", renamed_choices=labels)
    connector = connect(running)
    ref = a_record_of_pa(connector, admin, success_measurement_method="4")
    assert connector.write(UPDATE, ref).unwritten["target"] == LEFT_TO_PA


def test_with_pa_targets_the_value_that_stood_there_is_kept_in_receipt_and_work_note(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running, pa_targets=True)
    ref = a_record_of_pa(connector, admin)
    receipt = connector.write(UPDATE, ref)
    assert standing(admin, ref) == ("24.3", "17")
    assert receipt.replaced == {"base_value": "80", "target_value": "99"}
    assert receipt.differences == {}
    (note,) = admin.find("sys_journal_field", f"element_id={ref.id}")
    assert note["value"].splitlines()[:2] == ["Base value: 80 → 24.3", "Target value: 99 → 17"]
    assert connector.states([ref])[0].comments == ()  # ours, and no person's
    assert connector.write(UPDATE, ref).status == 0  # nothing differs: no second note
    assert len(admin.find("sys_journal_field", f"element_id={ref.id}")) == 1


def test_the_value_that_stood_there_is_kept_where_the_answer_is_lost(
    running: RunningSandbox, connect: Connect, admin: Person
) -> None:
    connector = connect(running, pa_targets=True)
    ref = a_record_of_pa(connector, admin)
    running.set_faults("servicenow", {"kind": "reset_after", "method": "PATCH", "times": 1})
    with pytest.raises(ConnectionFailed):
        connector.write(UPDATE, ref)
    assert connector.write(UPDATE, ref).replaced == {}
    (note,) = admin.find("sys_journal_field", f"element_id={ref.id}")
    assert "Target value: 99 → 17" in note["value"]
