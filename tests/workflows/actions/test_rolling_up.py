"""A supplier's action serves a customer-facing one of those that its supplier works for."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from improvement.errors import InputError
from improvement.records import RecordKind
from tests.improvement.metrics.build import a_clock, a_ticket
from tests.workflows.build import an_action, an_owner
from tests.workflows.conftest import RULE
from tests.workflows.versioned_platform import VersionedPlatform
from workflows import cycle
from workflows.actions import loop, serving
from workflows.evidence import verifying
from workflows.models import Action, Connection, LedgerEntry

pytestmark = pytest.mark.django_db
FLOWING = RULE.replace("by: [customer, country, service]", "by: [customer]").replace("{service}", "{customer}")
FLOWING = FLOWING.replace("  trigger:", "  flow_down: {by: supplier, agreement: [uc]}\n  trigger:")
WEEKS = 40


def records(customer: str, supplier: str | None, begin: datetime, *, bad_from: int, theirs_from: int) -> Any:
    """40 tickets a week, a few breached until a week and 12 from then on; the supplier's clocks likewise."""
    tickets, clocks = [], []
    for week in range(WEEKS):
        for number in range(40):
            id, at = f"{customer}-{week}-{number}", begin + timedelta(weeks=week, hours=8 + number)
            told: dict[str, Any] = {"start_at": at, "breach_at": at + timedelta(hours=10), "updated_at": at}
            tickets.append(
                a_ticket(id, customer=customer, supplier=supplier, opened_at=at, created_at=at, updated_at=at)
            )
            for kind, first in (("sla", bad_from), ("uc", theirs_from)):
                is_breached = number < (12 if week >= first else 1)
                told["end_at"] = at + timedelta(hours=20 if is_breached else 5)
                if kind == "sla" or supplier is not None:
                    clock = {**told, "ticket_id": id, "is_breached": is_breached, "agreement": kind}
                    clocks.append(a_clock(f"{kind}{id}", supplier=supplier if kind == "uc" else None, **clock))
    return tickets, clocks


def lived(home: Path, monday: datetime, *, theirs_from: int) -> VersionedPlatform:
    """Acme works with nobody, Bolt with Nimbus; both go bad in week 20, the larger Acme by itself."""
    (home / "rules" / "sla.yaml").write_text(FLOWING, encoding="utf-8")
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    begin = monday - timedelta(weeks=24, hours=12)
    both = [
        records("Acme", None, begin, bad_from=20, theirs_from=WEEKS),
        records("Bolt", "Nimbus", begin, bad_from=20, theirs_from=theirs_from),
    ]
    rows = {
        kind: [msgspec.structs.asdict(one) for part in both for one in part[number]]
        for number, kind in enumerate((RecordKind.TICKET, RecordKind.SLA))
    }
    platform = VersionedPlatform(name="snow", versions=rows)
    for week in range(8):
        assert cycle.run_with([platform], as_of=monday + timedelta(weeks=week)).errors == []
    return platform


def of(**scope: str) -> Action:
    return Action.objects.get(scope=scope)


def test_it_serves_the_customer_its_supplier_works_for(home: Path, monday: datetime) -> None:
    lived(home, monday, theirs_from=26)
    nimbus = of(supplier="Nimbus")
    assert nimbus.trigger["endangers"] == ["customer=Bolt"]
    assert nimbus.rolls_up_to == of(customer="Bolt")
    assert of(customer="Acme").opened_at < nimbus.opened_at


def test_one_that_is_opened_first_serves_the_one_that_comes_after(home: Path, monday: datetime) -> None:
    lived(home, monday, theirs_from=18)
    nimbus, bolt = of(supplier="Nimbus"), of(customer="Bolt")
    assert nimbus.opened_at <= bolt.opened_at
    assert nimbus.rolls_up_to == bolt
    entry = json.loads(bytes(LedgerEntry.objects.get(type="action.served").data))
    assert (entry["subject"], entry["payload"]) == (nimbus.code, {"rolls_up_to": bolt.code})
    assert verifying.verify().is_ok


def test_what_it_serves_is_published() -> None:
    parent = an_action(None)
    action = an_action(an_owner(), rolls_up_to=parent)
    assert loop.detail(action)["rolls_up_to"] == parent.code
    assert loop.detail(parent)["rolls_up_to"] is None


def test_a_trigger_is_published_with_dates_instead_of_week_numbers() -> None:
    trigger = loop.detail(an_action(None, trigger={"from_week": 2900, "to_week": 2904, "n": 40}))["trigger"]
    assert trigger == {"n": 40, "from": "2025-07-28", "to": "2025-08-31"}


def test_whom_it_serves_is_looked_up_when_one_opens_and_never_again(
    home: Path, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[datetime] = []
    counted = serving._worked_for

    def counting(*arguments: Any, at: datetime) -> Any:
        looked.append(at)
        return counted(*arguments, at=at)

    monkeypatch.setattr(serving, "_worked_for", counting)
    platform = lived(home, monday, theirs_from=18)
    Action.objects.filter(scope={"supplier": "Nimbus"}).update(rolls_up_to=None)  # as one that serves nobody
    before = len(looked)
    assert before > 0
    assert cycle.run_with([platform], as_of=monday + timedelta(weeks=8)).errors == []
    assert len(looked) == before


def test_killed_while_it_is_linked_neither_is_there_and_the_next_cycle_does_both(
    home: Path, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    linked = serving.link_to
    killed: list[bool] = []

    def breaking_off(parent: Action, *arguments: Any, at: datetime) -> None:
        if parent.scope == {"customer": "Bolt"} and not killed:
            killed.append(True)
            raise InputError("Killed here.", mend="")
        linked(parent, *arguments, at=at)

    monkeypatch.setattr(serving, "link_to", breaking_off)
    lived(home, monday, theirs_from=18)
    assert killed
    assert of(supplier="Nimbus").rolls_up_to == of(customer="Bolt")
    assert verifying.verify().is_ok
