"""The noise budget, the queue and its reasons, the safe first day, grouping under a parent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from improvement.rules import Candidate, Choice, Rule, Scope, choose, priority, size_of
from tests.improvement.rules.build import a_pack, a_rule


@pytest.fixture(scope="module")
def rule(tmp_path_factory: pytest.TempPathFactory) -> Rule:
    """A rule in mode open."""
    return a_rule(tmp_path_factory.mktemp("rules"), "mode: open")


def a_candidate(rule: Rule, customer: str = "Acme", **more: Any) -> Candidate:
    scope = Scope.of(
        {"customer": customer, "country": more.pop("country", "DE"), "service": more.pop("service", customer)}
    )
    values: dict[str, Any] = {"connection": "snow", "week": 100, "size": 0.5, "n": 100} | more
    return Candidate(rule=rule, scope=scope, **values)


def chosen(
    candidates: list[Candidate],
    *,
    owners: Mapping[str, str | None] | None = None,
    busy: dict[str | None, int] | None = None,
    budget: int = 7,
    new: int = 5,
) -> Choice:
    """``owners`` by customer; anna owns all others, and what is of no customer nobody does."""

    def owner_of(_connection: str, scope: Scope, _role: str) -> str | None:
        customer = scope.get("customer")
        return None if customer is None else (owners or {}).get(customer, "anna")

    return choose(candidates, owner_of=owner_of, open_per_owner=busy or {}, budget=budget, max_new=new)


def test_the_largest_open_first_and_the_rest_wait_with_a_reason(rule: Rule) -> None:
    sizes = {"A": 0.1, "B": 0.9, "C": 0.5}
    choice = chosen([a_candidate(rule, name, size=size) for name, size in sizes.items()], new=2)
    assert [proposal.scope.get("customer") for proposal in choice.opened] == ["B", "C"]
    assert [waiting.reason for waiting in choice.queued] == ["2 new actions in this cycle are enough"]


def test_an_owner_with_enough_on_the_desk_gets_no_more(rule: Rule) -> None:
    candidates = [a_candidate(rule, name) for name in "ABC"]
    choice = chosen(candidates, owners={"B": "ben", "C": None}, busy={"anna": 7})
    assert [proposal.owner for proposal in choice.opened] == ["ben", None]
    assert choice.queued[0].reason == "anna has 7 open actions; the budget is 7"


def test_the_first_evaluation_opens_nothing(rule: Rule) -> None:
    choice = chosen([a_candidate(rule, is_first_evaluation=True)])
    assert choice.opened == ()
    assert "back-filled history" in choice.queued[0].reason


def test_after_closing_a_scope_cools_down(rule: Rule) -> None:
    assert rule.cooldown_weeks == 8
    assert "cooling down until" in chosen([a_candidate(rule, closed_week=92)]).queued[0].reason
    assert len(chosen([a_candidate(rule, closed_week=91)]).opened) == 1


def test_an_open_action_or_an_observing_rule_opens_nothing(rule: Rule, tmp_path: Path) -> None:
    observing = a_rule(tmp_path, "mode: observe", rule_id="observing")
    choice = chosen([a_candidate(rule, has_open_action=True), a_candidate(observing)])
    assert choice == Choice((), ())


def test_many_scopes_of_one_service_become_one_proposal(rule: Rule) -> None:
    candidates = [
        a_candidate(rule, name, service="Mail", size=size)
        for name, size in zip("ABCD", (0.1, 0.4, 0.3, 0.2), strict=True)
    ]
    choice = chosen([*candidates, a_candidate(rule, "Z")])
    group = next(proposal for proposal in choice.opened if proposal.is_group)
    assert group.scope == Scope.of({"service": "Mail"})
    assert [member.scope.get("customer") for member in group.members] == list("BCDA")
    assert len(choice.opened) == 2
    assert len(chosen(candidates[:3]).opened) == 3  # three are not yet too many


def test_a_group_is_owned_by_whoever_owns_its_parent_not_by_the_owner_of_one_scope(rule: Rule) -> None:
    services = [a_candidate(rule, "Acme", service=name) for name in ("Mail", "ERP", "Shop", "Net")]
    (group,) = chosen(services, owners={"Acme": "olga"}).opened
    assert (group.scope, group.owner) == (Scope.of({"customer": "Acme"}), "olga")
    customers = [a_candidate(rule, name, service="Mail") for name in "ABCD"]
    (of_service,) = chosen(customers).opened
    assert (of_service.scope, of_service.owner) == (Scope.of({"service": "Mail"}), None)
    assert chosen(customers, busy={None: 7}).queued[0].reason == (
        "no one person's rights fit all of service=Mail, so it has no owner; actions without an owner: 7 open actions; "
        "the budget is 7"
    )
    (alone,) = chosen([a_candidate(rule, "A")], owners={"A": None}, busy={None: 7}).queued
    assert alone.reason == "actions without an owner: 7 open actions; the budget is 7"


@pytest.mark.parametrize(
    ("value", "target", "size"),
    [(0.3, 0.2, 0.5), (0.1, 0.2, 0.5), (0.4, 0.0, 1.0), (0.0, 0.0, 0.0), (None, 0.2, 0.0), (0.2, None, 0.0)],
)
def test_how_far_a_value_lies_from_its_target(value: float | None, target: float | None, size: float) -> None:
    assert size_of(value, target) == pytest.approx(size)


def test_priority_follows_scope_and_size(rule: Rule, tmp_path: Path) -> None:
    narrow, wide = Scope.of({"customer": "Acme", "country": "DE", "service": "Mail"}), Scope.of({"customer": "Acme"})
    assert priority(rule, narrow, 1.0) == (3, 1)  # a service of a customer in a country; twice the target
    assert priority(rule, wide, 0.3) == (1, 2)
    fixed = a_rule(tmp_path, more="action: {priority: {impact: high, urgency: low}}\n")
    assert priority(fixed, narrow, 1.0) == (1, 3)


@given(st.permutations(range(8)), st.integers(0, 4), st.integers(0, 6))
def test_the_order_of_candidates_does_not_matter(rule: Rule, order: list[int], budget: int, new: int) -> None:
    candidates = [
        a_candidate(rule, f"C{number}", size=number % 3, service="M" if number < 5 else f"S{number}")
        for number in range(8)
    ]
    owners = {f"C{number}": "ab"[number % 2] for number in range(8)}
    choice = chosen([candidates[number] for number in order], owners=owners, budget=budget, new=new)
    assert choice == chosen(candidates, owners=owners, budget=budget, new=new)
    assert len(choice.opened) <= new
    assert all(sum(proposal.owner == owner for proposal in choice.opened) <= budget for owner in "ab")
    scopes = [
        member.scope
        for proposal in [*choice.opened, *(waiting.proposal for waiting in choice.queued)]
        for member in proposal.members
    ]
    assert sorted(scopes) == sorted(candidate.scope for candidate in candidates)  # nothing lost, nothing twice


FLOWING = """
    apiVersion: regelkreis/v1
    kind: Rule
    metadata: {id: kept, title: Kept}
    spec:
      metric: METRIC
      by: [customer, country]
      target: TARGET
      overrides: [{when: {country: CH}, target: TARGET}]
      flow_down: {by: supplier, EXTRA}
    """


def flowing(tmp_path: Path, metric: str, target: str, extra: str) -> tuple[Rule, ...]:
    text = FLOWING.replace("METRIC", metric).replace("TARGET", target).replace("EXTRA", extra)
    return a_pack(tmp_path, text).rules


def test_a_demand_flows_down_to_suppliers(tmp_path: Path) -> None:
    rule, below = flowing(tmp_path, "sla_breach_rate", "{max: 5%}", "tighten: 0.8")
    assert (below.id, below.derived_from, below.by) == ("kept@supplier", "kept", ("supplier",))
    assert below.where["sla.agreement"] == ("ola", "uc")
    assert below.target.value == pytest.approx(0.04)
    assert below.overrides == ()  # they speak of countries
    assert below.sha256 != rule.sha256


def test_a_mean_needs_a_target_of_its_own_for_suppliers(tmp_path: Path) -> None:
    _, below = flowing(tmp_path, "csat_mean", "{min: 3.8}", "target: {min: 4}")
    assert below.target.value == 4
    with pytest.raises(Exception, match=r"No factor can tighten"):
        flowing(tmp_path, "csat_mean", "{min: 3.8}", "tighten: 0.8")
