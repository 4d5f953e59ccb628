"""A supplier's action serves the customer-facing one that its supplier endangers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from improvement.rules import Rule
from tests.improvement.rules.build import a_rule
from tests.workflows.build import an_action, an_owner
from workflows.actions import loop, opening
from workflows.models import Finding

pytestmark = pytest.mark.django_db


@pytest.fixture
def supplier_rule(tmp_path: Path) -> Rule:
    return replace(a_rule(tmp_path), id="sla@supplier", derived_from="sla")


def a_finding(**scope: str) -> Finding:
    return Finding(rule_id="sla@supplier", connection="snow", scope=scope)


def facing(customer: str, *, n: int, **changes: Any) -> Any:
    scope = {"country": "CH", "customer": customer}
    return an_action(None, scope=scope, trigger={"from_week": 2900, "to_week": 2904, "n": n}, **changes)


def test_it_rolls_up_to_the_largest_open_action_it_endangers(supplier_rule: Rule) -> None:
    facing("Acme", n=40)
    largest = facing("Globex", n=90)
    facing("Initech", n=500, state="closed")
    facing("Hooli", n=400, rule_id="reopen")
    assert opening._served(a_finding(supplier="Fixers", country="CH"), supplier_rule) == largest


def test_it_rolls_up_to_none_where_no_customer_is_endangered(supplier_rule: Rule) -> None:
    facing("Acme", n=40)
    assert opening._served(a_finding(supplier="Fixers", country="DE"), supplier_rule) is None
    assert opening._served(a_finding(country="CH"), replace(supplier_rule, derived_from=None)) is None


def test_what_it_serves_is_published() -> None:
    parent = facing("Acme", n=40)
    action = an_action(an_owner(), rolls_up_to=parent)
    assert loop.detail(action)["rolls_up_to"] == parent.code
    assert loop.detail(parent)["rolls_up_to"] is None


def test_a_trigger_is_published_with_dates_instead_of_week_numbers() -> None:
    trigger = loop.detail(facing("Acme", n=40))["trigger"]
    assert trigger == {"n": 40, "from": "2025-07-28", "to": "2025-08-31"}
