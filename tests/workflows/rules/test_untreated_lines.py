"""The untreated line: a back-test counts it, it is kept, and every review since states it beside the plain figure."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.workflows.build import an_action, an_approver, an_owner
from tests.workflows.conftest import RULE
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.actions import commands
from workflows.checks import past_firings, reviewing
from workflows.cli.main import build
from workflows.evidence import verifying
from workflows.models import Action, Connection, LedgerEntry, Person, ReviewRecord, RuleVersion, UntreatedLine

pytestmark = pytest.mark.django_db

GOLIVE = date(2025, 8, 25)
COURSES = {
    "Mail": {0: 0.1, 74: 0.26, 86: 0.03},
    "Spell": {0: 0.1, 32: 0.3, 40: 0.1},  # bad for eight weeks, then as before: nobody did anything
    **{f"Quiet{number}": {0: 0.08} for number in range(5)},
}


@pytest.fixture
def people() -> tuple[Person, Person]:
    return an_owner(), an_approver()


@pytest.fixture
def platform(home: Path, people: tuple[Person, Person]) -> MemoryPlatform:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    return MemoryPlatform(scopes=COURSES)


def run(platform: MemoryPlatform, first: datetime, weeks: int) -> datetime:
    """So many weekly cycles; returns the moment of the last."""
    for number in range(weeks):
        now = first + timedelta(weeks=number)
        assert cycle.run_with([platform], as_of=now).errors == []
    return now


def backtest(at: datetime, *arguments: str) -> dict[str, Any]:
    ran = CliRunner().invoke(build(), ["rules", "backtest", "--as-of", at.isoformat(), "--json", *arguments])
    assert ran.exit_code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def shown(*arguments: str) -> str:
    ran = CliRunner().invoke(build(), list(arguments), env={"COLUMNS": "200"})
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def worked_on(platform: MemoryPlatform, people: tuple[Person, Person], at: datetime) -> Action:
    """Planned, approved, live, and looked at for the last time."""
    owner, approver = people
    code = Action.objects.get().code
    commands.plan(owner, code, at=at, hypothesis="A second shift.", golive=GOLIVE)
    commands.submit(owner, code, at=at)
    commands.approve(approver, code, at=at)
    commands.start(owner, code, at=at)
    live = datetime(2025, 8, 25, 12, tzinfo=at.tzinfo)
    run(platform, at + timedelta(weeks=1), 7)
    commands.golive(owner, code, at=live, on=GOLIVE, ref="CHG1")
    run(platform, live + timedelta(weeks=1), 15)
    return commands.find(code)


def test_a_review_states_what_came_of_a_firing_that_nobody_acted_on(
    platform: MemoryPlatform, people: tuple[Person, Person], monday: datetime
) -> None:
    at = run(platform, monday, 2)
    found = backtest(at)
    assert found["untreated_kept_for"] == ["sla"]
    counted = found["rules"][0]["untreated_by_connection"]["snow"]
    action = worked_on(platform, people, at)
    review = ReviewRecord.objects.get(kind="final")
    results = review.document["results"]
    assert results["untreated"]["firings"] == counted["firings"] == 1
    assert results["untreated"]["effect"] == counted["effect"] < 0.5  # and nobody did anything
    assert results["untreated"]["counted_at"] == at.isoformat()
    assert results["naive"]["effect"] < 0.3
    beside = (
        f"1 past firing of sla that nobody acted on came to odds ratio {counted['effect']:.2f} by itself "
        f"({found['from']} – {found['to']}); this scope, counted the same way, to odds ratio "
        f"{results['naive']['effect']:.2f}"
    )
    assert results["untreated_text"] == beside
    assert (
        "1 frühere Auslösung von sla, auf die niemand reagierte, kam von selbst auf Odds Ratio 0,"
        in (results["untreated_text_de"])
    )
    assert f"Without any action: {beside}." in reviewing.note_text(review)
    assert f"Without any action: {beside}." in shown("checks", "show", action.code)
    assert f"Without any action: {beside}." in shown("reviews", "show", review.code)
    assert f"before–after comparison would have claimed: {results['naive_text']}" in shown(
        "checks", "show", action.code
    )
    assert json.loads(shown("reviews", "show", review.code, "--json"))["results"]["untreated"]["unit"] == "odds ratio"
    entry = LedgerEntry.objects.get(type="untreated.counted")
    assert json.loads(bytes(entry.data))["payload"]["lines"]["snow"]["firings"] == 1
    assert verifying.verify().is_ok


def test_without_a_back_test_the_review_says_which_command_counts_it(
    platform: MemoryPlatform, people: tuple[Person, Person], monday: datetime
) -> None:
    worked_on(platform, people, run(platform, monday, 2))
    results = ReviewRecord.objects.get(kind="final").document["results"]
    assert results["untreated"] == {}
    assert results["untreated_text"].endswith("without any action: regelkreis rules backtest sla")
    assert "noch nicht ausgezählt: regelkreis rules backtest sla" in results["untreated_text_de"]


def test_the_same_count_is_kept_once_and_a_later_one_beside_it(platform: MemoryPlatform, monday: datetime) -> None:
    at = run(platform, monday, 2)
    for _ in range(2):
        backtest(at)
    assert UntreatedLine.objects.count() == LedgerEntry.objects.filter(type="untreated.counted").count() == 1
    later = run(platform, at + timedelta(weeks=1), 1)
    backtest(later)
    assert UntreatedLine.objects.count() == 2


def test_a_back_test_of_chosen_weeks_or_of_a_draft_is_not_kept(platform: MemoryPlatform, monday: datetime) -> None:
    """Else one could look for the weeks, or the target, that make the own action look best."""
    at = run(platform, monday, 2)
    assert backtest(at, "--from", "2025-W10")["untreated_kept_for"] == []
    assert backtest(at, "--to", "2025-W10")["untreated_kept_for"] == []
    draft = platform_rules_beside(RULE.replace("max: 15%", "max: 20%"))
    assert backtest(at, "--rules", str(draft))["untreated_kept_for"] == []
    assert not UntreatedLine.objects.exists()
    text = shown("rules", "backtest", "--as-of", at.isoformat(), "--to", "2025-W10")
    assert "Not kept for reviews" in text


def platform_rules_beside(text: str) -> Path:
    from django.conf import settings

    draft: Path = settings.REGELKREIS.home / "draft.yaml"
    draft.write_text(text, encoding="utf-8")
    return draft


def a_line(at: datetime, *, sha256: str = "a", firings: int = 4, connection: str = "snow") -> UntreatedLine:
    return UntreatedLine.objects.create(
        rule_id="sla", rule_sha256=sha256, connection=connection, counted_at=at, first_week=2800, last_week=2851,
        firings=firings, effect=0.7, unit="odds ratio", delay_weeks=5, weeks=13,
    )  # fmt: skip


def a_version(sha256: str, at: datetime, *, metric: str = "sla_breach_rate") -> None:
    counted = {"metric": metric, "where": {"kind": "incident"}, "by": ["service"], "window": "4w", "every": "1w"}
    RuleVersion.objects.create(
        rule_id="sla", sha256=sha256, document={"spec": counted}, mode="open", is_live=False, applied_at=at,
        applied_by="engine",
    )  # fmt: skip


def test_cited_is_the_newest_that_stands_then_of_the_actions_own_version(monday: datetime) -> None:
    action = an_action(None, rule_sha256="a")
    assert past_firings.standing(action, at=monday) is None
    a_line(monday, firings=3)
    a_line(monday + timedelta(days=7), firings=4)
    a_line(monday + timedelta(days=8), firings=5, sha256="b")
    a_line(monday + timedelta(days=8), firings=6, connection="jira")

    def firings(days: int) -> int | None:
        found = past_firings.standing(action, at=monday + timedelta(days=days))
        return found.firings if found is not None else None

    assert [firings(days) for days in (-1, 0, 6, 7, 9)] == [None, 3, 3, 4, 4]


def test_the_band_is_cited_with_the_mean(monday: datetime) -> None:
    line = a_line(monday)
    action = an_action(None, rule_sha256="a")
    before = past_firings.standing(action, at=monday)
    assert before is not None
    assert (before.effect, before.low, before.high) == (0.7, None, None)  # counted before bands were kept
    line.low, line.high = 0.5, 1.1
    line.save()
    now = past_firings.standing(action, at=monday)
    assert now is not None
    assert (now.low, now.high) == (0.5, 1.1)


def test_a_line_of_another_version_is_cited_as_such(monday: datetime) -> None:
    a_line(monday, sha256="b")
    for sha256 in ("a", "b"):
        a_version(sha256, monday)
    found = past_firings.standing(an_action(None, rule_sha256="a"), at=monday)
    assert found is not None
    assert not found.is_same_version


def test_a_line_of_a_version_that_counts_something_else_is_not_cited(monday: datetime) -> None:
    a_line(monday, sha256="b")
    a_version("a", monday)
    a_version("b", monday, metric="reopen_rate")
    assert past_firings.standing(an_action(None, rule_sha256="a"), at=monday) is None


def test_what_people_opened_has_no_past_firings(monday: datetime) -> None:
    a_line(monday)
    assert past_firings.standing(an_action(None, rule_id=""), at=monday) is None
