"""A record that people made is found by its address and told apart from ours; what stands in it is never taken over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.sandbox.servicenow.cim import state_value
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.servicenow.connector import ServiceNowConnector
from improvement.errors import InputError
from improvement.records import Outbound, RecordRef, Verb

from .conftest import END, Connect, Person, a_ticket, a_world

MEASURED = {"baseline": "12.0 %", "target": "6.0 %", "next_review": "2025-09-01", "verdict": None, "url": "https://rk/"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    """A small world of this file's own, because its people write: what the others read has to stay as it is."""
    with running_sandbox(platforms=("servicenow",), worlds={"servicenow": a_world(a_ticket())}, now=END) as running:
        yield running


@pytest.fixture
def claudia(sandbox: RunningSandbox) -> Person:
    """Somebody who keeps the register on the platform."""
    return Person(sandbox.servicenow_url, "admin")


def form(running: RunningSandbox, table: str, sys_id: str) -> str:
    return f"{running.servicenow_url}/{table}.do?sys_id={sys_id}"


def update(ref: RecordRef, fields: dict[str, Any], name: str = "update/0") -> tuple[Outbound, RecordRef]:
    return Outbound(verb=Verb.UPDATE, key=f"ACT-7/{name}", action_id="ACT-7", fields=fields, is_adopted=True), ref


def test_a_record_tells_its_service_when_it_was_opened_and_what_stands_in_it(
    sandbox: RunningSandbox, connect: Connect, claudia: Person
) -> None:
    service = claudia.find("cmdb_ci_service", "name=Mail")[0]["sys_id"]
    row = claudia.create("sn_cim_register", short_description="Slow", business_service=service, base_value="9")
    found = connect(sandbox).existing(form(sandbox, "sn_cim_register", row["sys_id"]))
    assert found is not None
    assert (found.title, found.service, found.mark, found.standing) == ("Slow", "Mail", "", {"baseline": "9"})
    assert (found.ref.mode, found.ref.id, found.ref.number) == ("cim", row["sys_id"], row["number"])
    assert found.opened_at == datetime.fromisoformat(row["opened_at"]).replace(tzinfo=UTC)
    assert found.state.state == "new"
    by_number = f"{sandbox.servicenow_url}/nav_to.do?uri=sn_cim_register.do?sysparm_query=number={row['number']}"
    again = connect(sandbox).existing(by_number)
    assert again is not None
    assert again.ref == found.ref
    assert connect(sandbox).existing("https://elsewhere.example/sn_cim_register.do?sys_id=" + row["sys_id"]) is None


def test_a_record_of_ours_carries_the_mark_of_its_action(sandbox: RunningSandbox, connect: Connect) -> None:
    connector = connect(sandbox)
    create = Outbound(verb=Verb.CREATE, key="ACT-41/create", action_id="ACT-41", fields={"title": "Ours"})
    ref = connector.write(create, None).ref
    found = connector.existing(ref.url)
    assert found is not None
    assert (found.mark, found.ref) == ("ACT-41", ref)


def test_a_problem_is_adopted_only_where_it_may_stand_for_an_improvement(
    sandbox: RunningSandbox, connect: Connect, claudia: Person
) -> None:
    address = form(sandbox, "problem", claudia.create("problem", short_description="Often")["sys_id"])
    found = connect(sandbox).existing(address)
    assert found is not None
    assert found.ref.mode == "problem"
    with pytest.raises(InputError, match="“problem” is no table of improvement records"):
        connect(sandbox, fallback_modes=()).existing(address)


def test_an_incident_is_no_improvement(sandbox: RunningSandbox, connect: Connect, claudia: Person) -> None:
    incident = claudia.find("incident", "ORDERBYnumber")[0]["sys_id"]
    with pytest.raises(InputError, match="“incident” is no table of improvement records"):
        connect(sandbox).existing(form(sandbox, "incident", incident))


def test_what_is_not_there_or_hidden_is_said(sandbox: RunningSandbox, connect: Connect, claudia: Person) -> None:
    with pytest.raises(InputError, match=r"There is no record 0{32} in sn_cim_register, or it is hidden"):
        connect(sandbox).existing(form(sandbox, "sn_cim_register", "0" * 32))
    with pytest.raises(InputError, match="is not the address of one record"):
        connect(sandbox).existing(f"{sandbox.servicenow_url}/sn_cim_register_list.do")


def test_a_cancelled_record_says_so(sandbox: RunningSandbox, connect: Connect, claudia: Person) -> None:
    row = claudia.create("sn_cim_register", short_description="Given up")
    claudia.change("sn_cim_register", row["sys_id"], state=state_value("Canceled"))
    found = connect(sandbox).existing(form(sandbox, "sn_cim_register", row["sys_id"]))
    assert found is not None
    assert found.state.state == "cancelled"


def adopted(connector: ServiceNowConnector, address: str) -> RecordRef:
    found = connector.existing(address)
    assert found is not None
    return found.ref


def test_values_of_its_creation_have_no_audit_and_stay(
    sandbox: RunningSandbox, connect: Connect, claudia: Person
) -> None:
    row = claudia.create("sn_cim_register", short_description="Slow", base_value="9", target_value="4")
    connector = connect(sandbox)
    ref = adopted(connector, form(sandbox, "sn_cim_register", row["sys_id"]))
    receipt = connector.write(*update(ref, MEASURED))
    assert {"baseline", "target"} <= set(receipt.unwritten)
    assert "people made this record" in receipt.unwritten["baseline"]
    (now,) = claudia.find("sn_cim_register", f"sys_id={ref.id}")
    assert (now["base_value"], now["target_value"]) == ("9", "4")
    assert now["target_review_date"].startswith("2025-09-01")


def test_our_own_value_is_kept_current_until_a_person_changes_it(
    sandbox: RunningSandbox, connect: Connect, claudia: Person
) -> None:
    row = claudia.create("sn_cim_register", short_description="Slow")
    connector = connect(sandbox)
    ref = adopted(connector, form(sandbox, "sn_cim_register", row["sys_id"]))

    def target() -> str:
        (now,) = claudia.find("sn_cim_register", f"sys_id={ref.id}")
        return str(now["target_value"])

    connector.write(*update(ref, MEASURED))
    connector.write(*update(ref, MEASURED | {"target": "5.0 %"}, "update/1"))
    assert float(target()) == 5
    claudia.change("sn_cim_register", ref.id, target_value="2")
    receipt = connector.write(*update(ref, MEASURED | {"target": "4.0 %"}, "update/2"))
    assert ("target" in receipt.unwritten, float(target())) == (True, 2)


def test_without_a_right_to_read_the_audit_nothing_that_is_filled_is_touched(
    sandbox: RunningSandbox, connect: Connect, claudia: Person
) -> None:
    row = claudia.create("sn_cim_register", short_description="Slow")
    connector = connect(sandbox)
    ref = adopted(connector, form(sandbox, "sn_cim_register", row["sys_id"]))
    connector.write(*update(ref, MEASURED))
    sandbox.set_options("servicenow", denied={"regelkreis": ["sys_audit"]})
    try:
        receipt = connector.write(*update(ref, MEASURED | {"target": "4.0 %"}, "update/1"))
    finally:
        sandbox.set_options("servicenow", denied={})
    assert "target" in receipt.unwritten
    (now,) = claudia.find("sn_cim_register", f"sys_id={ref.id}")
    assert float(now["target_value"]) == 6
