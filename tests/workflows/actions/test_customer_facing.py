"""A supplier's action tells where its target comes from, whom it works for, and how they fare."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from improvement import weeks
from improvement.rules import rule_from_document
from tests.improvement.rules.build import a_pack
from tests.workflows.build import OPENED, TRIGGER_ENDS, a_person, an_action, an_owner
from tests.workflows.cli.test_people_commands import run, said
from tests.workflows.conftest import RULE
from workflows import access
from workflows.actions import customer_facing
from workflows.evidence import ledger
from workflows.models import Action, Finding, Person, Point, Role, RuleVersion
from workflows.rules import live

pytestmark = pytest.mark.django_db
FLOWING = """
  overrides:
    - {when: {country: CH}, target: {max: 10%}, from: 2025-01-01, to: 2025-12-31}
    - {when: {country: CH}, target: {max: 9%}, from: 2026-01-01}
  flow_down: FLOW_DOWN
  trigger:"""
ACME = {"country": "CH", "customer": "Acme", "service": "Mail"}
BOLT = {"country": "DE", "customer": "Bolt", "service": "Mail"}


def applied(folder: Path, flow_down: str = "{by: supplier, agreement: [uc], tighten: 0.8}") -> None:
    """The rule and the one made of it for suppliers, live."""
    text = RULE.replace("\n  trigger:", FLOWING.replace("FLOW_DOWN", flow_down))
    for rule in a_pack(folder, text).rules:
        RuleVersion.objects.filter(rule_id=rule.id).update(is_live=False)
        RuleVersion.objects.create(
            rule_id=rule.id, sha256=rule.sha256, document=rule.canonical(), mode="open", applied_at=OPENED,
            applied_by="engine",
        )  # fmt: skip


def a_finding(scope: dict[str, str], state: str, *values: float, rule_id: str = "sla") -> Finding:
    """With a published value a week, the last in the week of the trigger's end."""
    key = ",".join(f"{name}={value}" for name, value in sorted(scope.items()))
    finding = Finding.objects.create(
        rule_id=rule_id, rule_sha256="", connection="snow", scope_key=key, scope=scope, state=state, memory={}
    )
    version = RuleVersion.objects.get(rule_id=rule_id, is_live=True)
    for week, value in enumerate(values, start=TRIGGER_ENDS - len(values) + 1):
        Point.objects.create(finding=finding, week=week, value=value, numerator=1, denominator=1, n=40, version=version)
    return finding


def suppliers(owner: Person | None = None) -> Action:
    """Nimbus' action: it serves Acme's, and Bolt was about to fire as well when it was opened."""
    live = RuleVersion.objects.get(rule_id="sla@supplier", is_live=True)
    acme, bolt = a_finding(ACME, "firing", 0.3, 0.2), a_finding(BOLT, "pending", 0.16)
    parent = an_action(None, scope=ACME, scope_key=acme.scope_key, finding=acme)
    parent.findings.set([acme])
    trigger = {
        "value": 0.2, "target": 0.12, "target_kind": "max", "target_source": "target", "value_text": "20.0%",
        "target_text": "12.0%", "n": 90, "endangers": [acme.scope_key, bolt.scope_key],
        "from_week": TRIGGER_ENDS - 4, "to_week": TRIGGER_ENDS,
    }  # fmt: skip
    return an_action(
        owner, rule_id=live.rule_id, rule_sha256=live.sha256, scope={"supplier": "Nimbus"}, title="Nimbus is late",
        scope_key="supplier=Nimbus", rolls_up_to=parent, trigger=trigger,
        finding=a_finding({"supplier": "Nimbus"}, "firing", rule_id=live.rule_id),
    )  # fmt: skip


def test_it_is_told_with_the_target_it_is_made_from_and_those_it_works_for(home: Path, tmp_path: Path) -> None:
    applied(tmp_path)
    action = suppliers()
    parent = action.rolls_up_to
    assert parent is not None
    told = said("admin", "actions", "show", action.code)
    sunday = str(weeks.sunday(TRIGGER_ENDS))
    made_from = RuleVersion.objects.get(rule_id="sla", is_live=True).sha256
    assert told["flow_down"] == {"rule": "sla", "rule_sha256": made_from, "factor": 0.8, "target": "max 15%"}
    assert told["serves"] == [
        {
            "scope": ACME, "finding": "firing", "action": parent.code, "target": "max 10%",
            "target_from": "override {country: CH} from 2025-01-01 to 2025-12-31", "value": 0.2, "window_ends": sunday,
        },
        {
            "scope": BOLT, "finding": "pending", "action": None, "target": "max 15%", "target_from": "target",
            "value": 0.16, "window_ends": sunday,
        },
    ]  # fmt: skip
    lines = run("admin", "actions", "show", action.code).stdout.splitlines()
    assert "its target\tmax 12.0%, made by flow_down from max 15% of sla with the factor 0.8" in lines
    assert any(line.startswith(f"{parent.code} (proposed)\t{parent.scope_key}\tmax 10%\t") for line in lines)
    assert f"none yet\tcountry=DE,customer=Bolt,service=Mail\tmax 15%\ttarget\t16%\t{sunday}\tpending" in lines


def test_no_other_action_serves_anybody(home: Path, tmp_path: Path) -> None:
    applied(tmp_path)
    told = said("admin", "actions", "show", an_action(None).code)
    assert (told["flow_down"], told["serves"]) == (None, [])


def test_it_stays_with_the_version_it_was_made_from_while_the_target_in_force_is_todays(
    home: Path, tmp_path: Path
) -> None:
    applied(tmp_path)
    action = suppliers()
    applied(tmp_path, "{by: supplier, agreement: [uc], tighten: 0.5}")
    document = RuleVersion.objects.get(rule_id="sla", is_live=True).document
    document["spec"]["target"] = {"max": 0.05}
    changed = rule_from_document(document)
    RuleVersion.objects.filter(rule_id="sla", is_live=True).update(sha256=changed.sha256, document=document)
    told = said("admin", "actions", "show", action.code)
    assert (told["flow_down"]["factor"], told["flow_down"]["target"]) == (0.8, "max 15%")
    assert [one["target"] for one in told["serves"]] == ["max 10%", "max 5%"]


def test_of_versions_that_ask_the_same_of_suppliers_the_one_of_then_is_told(home: Path, tmp_path: Path) -> None:
    written = RULE.replace("\n  trigger:", FLOWING.replace("FLOW_DOWN", "{by: supplier, target: {max: 2%}}"))
    for days, target in ((-7, "15%"), (7, "5%")):
        for rule in a_pack(tmp_path, written.replace("max: 15%", f"max: {target}")).rules:
            live.record(rule, actor=ledger.ENGINE, at=OPENED + timedelta(days=days))
    assert RuleVersion.objects.filter(rule_id="sla@supplier").count() == 1
    action = suppliers()
    Action.objects.filter(pk=action.pk).update(opened_at=OPENED)
    told = said("admin", "actions", "show", action.code)["flow_down"]
    assert (told["factor"], told["target"]) == (None, "max 15%")


def test_a_version_that_an_earlier_release_spelled_otherwise_is_found(home: Path, tmp_path: Path) -> None:
    applied(tmp_path)
    RuleVersion.objects.filter(rule_id="sla@supplier").update(sha256="0" * 64)
    assert said("admin", "actions", "show", suppliers().code)["flow_down"]["factor"] == 0.8


def test_a_target_that_was_written_for_suppliers_has_no_factor(home: Path, tmp_path: Path) -> None:
    applied(tmp_path, "{by: supplier, agreement: [uc], target: {max: 12%}}")
    found = customer_facing.flown_down(suppliers())
    assert found is not None
    assert (found.factor, found.text) == (None, "written in flow_down of sla, which promises customers max 15%")


def test_of_a_removed_rule_only_the_scopes_are_told(home: Path, tmp_path: Path) -> None:
    applied(tmp_path)
    action = suppliers()
    RuleVersion.objects.update(is_live=False)
    told = said("admin", "actions", "show", action.code)
    assert told["flow_down"]["factor"] == 0.8
    assert [(one["scope"], one["target"], one["value"]) for one in told["serves"]] == [
        (ACME, None, None), (BOLT, None, None),
    ]  # fmt: skip


def test_whom_it_serves_stays_told_when_their_action_is_closed(home: Path, tmp_path: Path) -> None:
    applied(tmp_path)
    action = suppliers()
    Action.objects.filter(pk=action.rolls_up_to_id).update(state="closed")
    assert [one.action for one in customer_facing.served(action)] == [action.rolls_up_to, None]


def test_the_page_shows_both_targets_as_far_as_rights_reach(home: Path, tmp_path: Path) -> None:
    applied(tmp_path)
    action = suppliers(an_owner())
    parent = action.rolls_up_to
    assert parent is not None
    page = seen(action.owner, action)
    assert "made from “at most 15.0 %” for customers, with the factor 0.8" in page
    for words in (
        "Acme",
        "<b>20.0 %</b>",
        "at most 10.0 %",
        "for the country, 2025-01-01 – 2025-12-31",
        f"/actions/{parent.code}/",
        "Bolt",
        "16.0 %",
    ):
        assert words in page, words
    assert "aus „höchstens 15,0 %“ für Kunden gebildet, mit dem Faktor 0,8" in seen(action.owner, action, "de")
    limited = a_person("ben")
    access.grant(limited, Role.SERVICE_OWNER, at=OPENED, by=access.local_admin(), customer="Bolt")
    Action.objects.filter(pk=action.pk).update(owner=limited)  # theirs, though no right covers the supplier
    page = seen(limited, action)
    assert "Bolt" in page
    assert "Acme" not in page
    assert "Only what your rights cover." in page


def test_at_an_earlier_moment_its_target_is_told_as_well(home: Path, tmp_path: Path) -> None:
    applied(tmp_path)
    action = suppliers()
    at = (OPENED + timedelta(days=1)).isoformat()
    told = json.loads(run("admin", "actions", "show", action.code, "--as-of", at, "--json").stdout)
    assert told["flow_down"]["factor"] == 0.8
    assert "made by flow_down from max 15% of sla" in run("admin", "actions", "show", action.code, "--as-of", at).stdout


def seen(person: Any, action: Action, language: str = "en") -> str:
    """The page as a person sees it."""
    client = Client()
    client.force_login(person)
    client.cookies["django_language"] = language
    return client.get(f"/actions/{action.code}/").content.decode().replace("\xa0", " ")
