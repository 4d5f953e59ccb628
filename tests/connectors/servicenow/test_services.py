"""A scope's service is written as the service it is, or as the offering it is of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox
from improvement.records import Outbound, Verb

from .conftest import Connect, Person, a_ticket, a_world

Serve = Callable[..., RunningSandbox]


def about(service: str, verb: Verb = Verb.CREATE, **parts: Any) -> Outbound:
    fields = {"title": "Fewer breaches", "service": service}
    return Outbound(verb=verb, key=f"ACT-7/{verb}", action_id="ACT-7", fields=fields, **parts)


@pytest.fixture
def running(serve: Serve) -> RunningSandbox:
    return serve(a_world(a_ticket()))


@pytest.fixture
def mail(admin: Person) -> str:
    (row,) = admin.find("cmdb_ci_service", "name=Mail")
    return str(row["sys_id"])


def standing(admin: Person) -> tuple[str, str]:
    (row,) = admin.find("sn_cim_register", "")
    return row["business_service"], row["service_offering"]


def test_a_service_is_written_without_an_offering(
    running: RunningSandbox, connect: Connect, admin: Person, mail: str
) -> None:
    assert connect(running).write(about("Mail"), None).differences == {}
    assert standing(admin) == (mail, "")


def test_an_offering_is_written_with_the_service_it_belongs_to(
    running: RunningSandbox, connect: Connect, admin: Person, mail: str
) -> None:
    gold = admin.create("service_offering", name="Mail Gold", parent=mail)["sys_id"]
    (shown,) = connect(running).preview(about("Mail Gold"), None)
    body = json.loads(shown.body)
    assert (body["business_service"], body["service_offering"]) == (mail, gold)
    receipt = connect(running).write(about("Mail Gold"), None)
    assert (receipt.differences, receipt.unwritten) == ({}, {})
    assert standing(admin) == (mail, gold)


@pytest.mark.parametrize(("is_read_from_offerings", "expected"), [(False, "service"), (True, "offering")])
def test_of_a_service_and_an_offering_of_one_name_the_one_counts_that_tickets_are_mapped_to(
    running: RunningSandbox, connect: Connect, admin: Person, mail: str, is_read_from_offerings: bool, expected: str
) -> None:
    other = admin.create("cmdb_ci_service", name="Messaging")["sys_id"]
    offering = admin.create("service_offering", name="Mail", parent=other)["sys_id"]
    mapping = {"incident": {"fields": {"service": "service_offering.name"}}} if is_read_from_offerings else {}
    connect(running, mapping=mapping).write(about("Mail"), None)
    assert standing(admin) == {"service": (mail, ""), "offering": (other, offering)}[expected]


def test_an_offering_that_two_services_have_is_not_guessed(
    running: RunningSandbox, connect: Connect, admin: Person, mail: str
) -> None:
    for _ in range(2):
        admin.create("service_offering", name="Gold", parent=mail)
    receipt = connect(running).write(about("Gold"), None)
    assert receipt.unwritten == {"service": "“Gold” (Service) is not unique there"}
    assert standing(admin) == ("", "")


def test_where_a_person_chose_another_offering_both_columns_stay(
    running: RunningSandbox, connect: Connect, admin: Person, mail: str
) -> None:
    other = admin.create("cmdb_ci_service", name="Messaging")["sys_id"]
    gold, silver = (
        admin.create("service_offering", name=name, parent=parent)["sys_id"]
        for name, parent in (("Mail Gold", mail), ("Silver", other))
    )
    connector = connect(running)
    ref = connector.write(about("Mail Gold"), None).ref
    assert standing(admin) == (mail, gold)
    olga = Person(running.servicenow_url, "olga.owner")
    olga.change("sn_cim_register", ref.id, service_offering=silver)
    admin.create("service_offering", name="Messaging Gold", parent=other)
    receipt = connector.write(about("Messaging Gold", Verb.UPDATE), ref)
    assert receipt.unwritten == {"service": "olga.owner changed it there last"}
    assert standing(admin) == (mail, silver)
