"""`rules apply`: tested versions with an author are live, and files alone change nothing any more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from improvement.errors import GuardRefused, InputError, ManyErrors, PermissionMissing
from tests.workflows.build import a_person
from tests.workflows.conftest import RULE
from tests.workflows.platform import MemoryPlatform
from workflows import access, cycle
from workflows.cli.main import build
from workflows.evidence import ledger, verifying
from workflows.models import Action, Connection, LedgerEntry, Role, RuleVersion
from workflows.rules import applying, live

pytestmark = pytest.mark.django_db
PROPOSING = RULE.replace("mode: open", "mode: propose")
TEST = """
---
apiVersion: regelkreis/v1
kind: RuleTest
rule: sla
tests:
  - name: two bad weeks
    given:
      - {weeks: 2026-W01..2026-W04, scope: {customer: A, country: CH, service: Mail}, tickets: 40, breached: 12}
    expect:
      - {as_of: 2026-W04, finding: STATE}
"""


@pytest.fixture
def rules(home: Path) -> Path:
    write(home / "rules", PROPOSING)
    return home / "rules"


def write(folder: Path, text: str, name: str = "sla") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def other(name: str) -> str:
    return PROPOSING.replace("id: sla", f"id: {name}")


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["rules", "apply", *map(str, arguments)])


def applied(*arguments: object) -> dict[str, Any]:
    result = ran(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def whats(told: dict[str, Any]) -> dict[str, str]:
    return {rule["rule"]: rule["what"] for rule in told["rules"]}


def entries(kind: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(row.data)) for row in LedgerEntry.objects.filter(type=kind).order_by("index")]


def test_an_applied_version_is_in_the_ledger_with_who_wrote_and_who_applied_it(rules: Path) -> None:
    ada = a_person("ada")
    told = applied("--author", "ada")
    (entry,) = entries("rule.applied")
    row = RuleVersion.objects.get()
    assert (told["applied"], whats(told)) == (True, {"sla": "new"})
    assert entry["payload"]["author"] == ada.uid
    assert entry["actor"] == access.local_admin().uid == row.applied_by
    assert (entry["payload"]["sha256"], entry["payload"]["limits"]["budget"]) == (row.sha256, 7)
    assert verifying.verify().failures == []


def test_after_the_first_apply_a_file_alone_changes_nothing(rules: Path, monday: datetime) -> None:
    applied()
    write(rules, PROPOSING.replace("max: 15%", "max: 9%"))
    write(rules, other("more"), "more")
    summary = cycle.run_with([], as_of=monday)
    assert [rule.target.value for rule in live.standing_rules().rules] == [0.15]
    assert summary.rules == 1
    assert ["more, sla: the files say something else" in note for note in summary.notes] == [True]
    assert whats(applied()) == {"more": "new", "sla": "changed"}
    assert cycle.run_with([], as_of=monday).notes == []
    assert sorted(rule.target.value for rule in live.standing_rules().rules) == [0.09, 0.15]


def test_until_somebody_applies_files_are_live_and_are_taken_over(rules: Path, monday: datetime) -> None:
    write(rules, other("more"), "more")
    cycle.run_with([], as_of=monday)
    assert not live.is_applied()
    assert whats(applied(rules / "more.yaml")) == {"more": "taken over"}
    assert {rule.id for rule in live.standing_rules().rules} == {"sla", "more"}  # what was live stays so
    (rules / "sla.yaml").unlink()
    assert whats(applied()) == {"more": "unchanged", "sla": "removed"}
    assert [rule.id for rule in live.standing_rules().rules] == ["more"]


def test_a_rule_whose_test_fails_is_not_applied(rules: Path) -> None:
    write(rules, PROPOSING + TEST.replace("STATE", "ok"))
    result = ran()
    assert isinstance(result.exception, GuardRefused)
    assert result.exception.exit_code == 1
    assert "- finding: ok   (expected)" in result.stdout
    told = json.loads(ran("--json").stdout)
    assert (told["applied"], told["tests"]["failed"]) == (False, 1)
    assert not RuleVersion.objects.exists()
    write(rules, PROPOSING + TEST.replace("STATE", "firing"))
    assert applied()["tests"] == {"passed": 1, "failed": 0}


def test_an_invalid_file_applies_nothing(rules: Path) -> None:
    write(rules, PROPOSING.replace("max: 15%", "max: a lot"), "broken")
    assert isinstance(ran().exception, ManyErrors)
    assert not RuleVersion.objects.exists()


def test_a_dry_run_tells_what_would_change(rules: Path) -> None:
    applied()
    write(rules, PROPOSING.replace("max: 15%", "max: 9%"))
    lines = ran("--dry-run").stdout.splitlines()
    assert any(line.split() == ["spec.target.max", "0.15", "→", "0.09"] for line in lines)
    assert lines[-1] == "1 rule would change. Nothing was applied (--dry-run)."
    assert RuleVersion.objects.count() == 1


def test_whoever_wrote_a_rule_does_not_let_it_open_by_itself(rules: Path, settings: Any) -> None:
    write(rules, RULE)
    refused = ran().exception
    assert isinstance(refused, GuardRefused)
    assert "admin both wrote and applies it" in str(refused)
    a_person("ada")
    assert applied("--author", "ada")["applied"]
    write(rules, RULE.replace("max: 15%", "max: 9%"))
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"allow_own_approval": True})
    assert applied()["applied"]
    assert entries("rule.applied")[-1]["payload"]["second_person"] == "waived"
    assert "second_person" not in entries("rule.applied")[0]["payload"]


def test_only_administrators_apply(rules: Path) -> None:
    olga = a_person("olga", Role.SERVICE_OWNER)
    with pytest.raises(PermissionMissing, match="olga is no administrator"):
        applying.apply(olga, None, at=datetime.fromisoformat("2025-06-30T12:00Z"))


def test_open_actions_of_a_changed_or_removed_rule_run_on(rules: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = MemoryPlatform(scopes={"Mail": {0: 0.05, 74: 0.26}, "Quiet": {0: 0.05}})
    applied()
    for week in range(2):
        assert cycle.run_with([platform], as_of=monday + timedelta(weeks=week)).errors == []
    opened_by = Action.objects.get().rule_sha256
    write(rules, PROPOSING.replace("max: 15%", "max: 14%"))
    text = ran().stdout
    assert "changed, propose  1 open action runs on with the version that opened them" in text
    assert Action.objects.get().rule_sha256 == opened_by
    (rules / "sla.yaml").unlink()
    write(rules, other("more"), "more")
    told = applied()
    (removed,) = [rule for rule in told["rules"] if rule["what"] == "removed"]
    assert (removed["rule"], removed["open_actions"]) == ("sla", 1)
    summary = cycle.run_with([platform], as_of=monday + timedelta(weeks=2))
    assert summary.rules == 1
    code = Action.objects.get().code
    sentence = (
        f"more counts the same as sla, which is live no more and whose {code} is open: it opens another action on the "
        "same scope. Close the first, or keep the id sla."
    )
    assert sentence in told["warnings"]
    assert sentence in summary.notes


def test_a_rule_that_only_observes_or_counts_otherwise_opens_no_second_action(rules: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = MemoryPlatform(scopes={"Mail": {0: 0.05, 74: 0.26}, "Quiet": {0: 0.05}})
    for week in range(2):
        assert cycle.run_with([platform], as_of=monday + timedelta(weeks=week)).notes == []
    assert Action.objects.count() == 1
    write(rules, other("more"), "more")
    write(rules, PROPOSING + "nonsense: 1\n")  # a file that cannot be read removes nothing
    assert cycle.run_with([platform], as_of=monday + timedelta(weeks=2)).notes == []
    (rules / "sla.yaml").unlink()
    write(rules, other("more").replace("mode: propose", "mode: observe"), "more")
    write(rules, other("wider").replace("by: [customer, country, service]", "by: [service]"), "wider")
    assert cycle.run_with([platform], as_of=monday + timedelta(weeks=3)).notes == []


def test_limits_are_applied_with_the_whole_folder(rules: Path, tmp_path: Path) -> None:
    applied()
    limits = "apiVersion: regelkreis/v1\nkind: Defaults\nspec: {limits: {budget: 2, group_above: 4}}\n"
    write(rules, limits, "defaults")
    assert live.standing_rules().limits.budget == 7
    alone = tmp_path / "elsewhere"
    alone.mkdir()
    applied(write(alone, other("more"), "more"))
    assert live.standing_rules().limits.budget == 7  # a file from elsewhere brings none
    write(rules, other("more"), "more")
    assert whats(applied()) == {"sla": "limits changed", "more": "limits changed"}
    standing = live.standing_rules()
    assert (standing.limits.budget, {rule.limits.group_above for rule in standing.rules}) == (2, {4})


def test_a_flow_down_that_is_dropped_takes_its_derived_rule_along(rules: Path) -> None:
    flowing = PROPOSING.replace("  trigger:", "  flow_down: {by: supplier}\n  trigger:")
    path = write(rules, flowing)
    assert set(whats(applied())) == {"sla", "sla@supplier"}
    write(rules, PROPOSING)
    assert whats(applied(path)) == {"sla": "changed", "sla@supplier": "removed"}
    assert whats(applied()) == {"sla": "unchanged"}
    assert applied()["applied"] is False


def test_neither_ahead_nor_before_what_was_applied_last(rules: Path, monday: datetime) -> None:
    first = monday.isoformat()
    applied("--as-of", first)
    write(rules, PROPOSING.replace("max: 15%", "max: 14%"))
    for moment, why in (("2030-01-01", "is later than now"), ("2025-01-01", "Rules were applied at 2025-06-30")):
        refused = ran("--as-of", moment).exception
        assert isinstance(refused, InputError)
        assert why in refused.what
    assert len(entries("rule.applied")) == 1
    applied("--as-of", (monday + timedelta(weeks=1)).isoformat())
    assert len(entries("rule.applied")) == 2


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], object]]]:
    """What somebody else does while the tests of the rules run, between the plan and its effect; once each."""
    acts: list[Callable[[], object]] = []
    runs = applying.run

    def run(tests: Any) -> Any:
        while acts:
            acts.pop()()
        return runs(tests)

    monkeypatch.setattr(applying, "run", run)
    yield acts
    assert acts == []


def test_whoever_plans_on_what_another_just_changed_looks_again(
    rules: Path, tmp_path: Path, meanwhile: list[Callable[[], object]]
) -> None:
    applied()
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    write(theirs, PROPOSING.replace("max: 15%", "max: 9%"))
    write(rules, PROPOSING.replace("max: 15%", "max: 12%"))
    meanwhile.append(lambda: applied(theirs / "sla.yaml"))
    refused = ran()
    assert isinstance(refused.exception, applying.AppliedMeanwhile)
    assert refused.exception.exit_code == 1
    assert "somebody applied rules meanwhile" in str(refused.exception)
    theirs_now = RuleVersion.objects.get(is_live=True)
    assert f"sla is live as {theirs_now.sha256[:12]}, applied by admin (it was " in str(refused.exception)
    assert [rule.target.value for rule in live.standing_rules().rules] == [0.09]  # theirs, not overwritten
    assert whats(applied()) == {"sla": "changed"}
    assert [rule.target.value for rule in live.standing_rules().rules] == [0.12]


def test_two_who_remove_the_same_rule_do_not_remove_it_twice(
    rules: Path, meanwhile: list[Callable[[], object]]
) -> None:
    write(rules, other("more"), "more")
    applied()
    (rules / "sla.yaml").unlink()
    meanwhile.append(applied)
    refused = ran().exception
    assert isinstance(refused, applying.AppliedMeanwhile)
    assert "sla is live no more." in str(refused)
    assert [entry["subject"] for entry in entries("rule.removed")] == ["sla"]
    assert verifying.verify().failures == []


def test_of_two_who_apply_for_the_first_time_the_second_looks_again(
    rules: Path, tmp_path: Path, meanwhile: list[Callable[[], object]]
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    write(theirs, PROPOSING.replace("max: 15%", "max: 9%"))
    meanwhile.append(lambda: applied(theirs / "sla.yaml"))
    assert isinstance(ran().exception, applying.AppliedMeanwhile)
    assert [rule.target.value for rule in live.standing_rules().rules] == [0.09]


def test_files_do_not_undo_what_somebody_applies_while_a_cycle_begins(
    rules: Path, tmp_path: Path, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    write(theirs, PROPOSING.replace("max: 15%", "max: 9%"))
    hold = ledger.hold

    def waited() -> None:
        monkeypatch.setattr(ledger, "hold", hold)
        applied(theirs / "sla.yaml")
        hold()

    monkeypatch.setattr(ledger, "hold", waited)
    assert cycle.run_with([], as_of=monday).rules == 1
    assert [rule.target.value for rule in live.standing_rules().rules] == [0.09]
    assert [entry["actor"] for entry in entries("rule.applied")] == [access.local_admin().uid]
