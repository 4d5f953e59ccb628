"""Rows of the state that are edited behind the log's back are found: what pages show is what the log says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import rfc8785
from typer.testing import CliRunner

from tests.workflows.actions.test_loop import BAD, a_platform, run
from tests.workflows.beginnings import Beginnings
from tests.workflows.build import OPENED, an_action, an_approver, an_owner, live, looked
from workflows.actions import commands
from workflows.cli.main import build
from workflows.evidence import pinning, verifying
from workflows.models import Action, ErasableText, Finding, LedgerEntry, Look, LookKind, PinnedRows, Transition

pytestmark = pytest.mark.django_db


@pytest.fixture
def story(home: Path, beginnings: Beginnings) -> Action:
    """An action from its opening to the decision, as two people and the engine lived it."""

    def lived() -> Action:
        action = live(an_action(an_owner()), an_approver())
        for _ in range(2):
            looked(action, kind=LookKind.LOOK)
        action, _ = looked(action, verdict="no change")
        assert action.owner is not None
        return commands.decide(action.owner, action.code, "stop", at=OPENED + timedelta(weeks=30), reason="No use.")

    return beginnings.begin("story", home, lived)


def failures() -> list[str]:
    found = verifying.verify()
    assert found.is_ok is not bool(found.failures)
    return found.failures


def test_an_untouched_state_is_what_the_log_says(story: Action) -> None:
    found = verifying.verify()
    assert found.failures == []
    assert any("3 computed looks" in fact and "1 action with 7 steps" in fact for fact in found.facts)


def of_final() -> Look:
    return Look.objects.get(kind=LookKind.FINAL)


def a_better_result() -> None:
    look = of_final()
    look.result = {**look.result, "verdict": "improved"}
    look.save()


def a_later_trigger() -> None:
    """Bad weeks that were never looked at would leave the good ones as reference."""
    action = Action.objects.get()
    action.trigger = {**action.trigger, "to_week": int(action.trigger["to_week"]) + 4}
    action.save()


TAMPERED: list[tuple[Callable[[], object], str]] = [
    (a_better_result, "The final look of ACT-1, week 13 has another result than entry"),
    (lambda: Look.objects.filter(kind="final").update(verdict="improved"), "week 13 has another verdict"),
    (lambda: Look.objects.filter(kind="final").update(inputs_sha256="e" * 64), "week 13 has another verdict or other"),
    (lambda: Look.objects.filter(kind="look", week_no=4).update(computed_at=None), "week 4, pinned by entry"),
    (lambda: Look.objects.filter(week_no=4).update(week_no=6), "week 6 is in the database as computed, but no entry"),
    (lambda: Transition.objects.filter(event="approve").update(actor="p-x"), "by p-x, 2025-08-19T12:00:00Z”"),
    (lambda: Transition.objects.filter(event="approve").update(at=OPENED), "approve, planned → planned"),
    (lambda: Transition.objects.filter(event="stop").update(note="It worked."), "The reason in the history of"),
    (lambda: Transition.objects.filter(event="start").delete(), "The history of ACT-1 says"),
    (lambda: Transition.objects.filter(event="stop").delete(), "The history of ACT-1 lacks the step of entry"),
    (
        lambda: Transition.objects.create(
            action_id=1, at=OPENED, event="resume", from_state="closed", to_state="doing", actor="engine"
        ),
        "has a step that no entry tells: resume",
    ),
    (lambda: Action.objects.update(verdict="improved"), "ACT-1 has verdict “improved”, but entry"),
    (lambda: Action.objects.update(implemented_on=date(2025, 9, 8)), "ACT-1 has implemented_on “2025-09-08”"),
    (lambda: Action.objects.update(state="sustaining"), "ACT-1 has state “sustaining”"),
    (lambda: Action.objects.update(is_late=True), "ACT-1 has is_late “True”"),
    (lambda: Action.objects.update(is_overridden=True), "ACT-1 has is_overridden “True”"),
    (lambda: Action.objects.update(owner=None), "ACT-1 has owner “”"),
    (lambda: Action.objects.update(metric="csat_mean"), "ACT-1 has metric “csat_mean”, but entry"),
    (lambda: Action.objects.update(scope={"customer": "Other"}), "ACT-1 has scope"),
    (a_later_trigger, "ACT-1 has trigger"),
    (lambda: Action.objects.update(implemented_ref="CHG2"), "The reference with which ACT-1 went live"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(TAMPERED)))
def test_an_edited_row_is_named_with_the_entry_that_knows_better(story: Action, number: int) -> None:
    tamper, named = TAMPERED[number]
    tamper()
    assert any(named in text.replace(story.code, "ACT-1") for text in failures()), failures()


def test_an_action_that_no_entry_opened_is_named(story: Action) -> None:
    forged = Action.objects.get(pk=story.pk)
    forged.pk, forged.platform_id = None, ""
    forged.save()
    assert failures() == [f"{forged.code} is in the database, but no entry of the log opened it."]


def test_a_reason_that_was_erased_proves_nothing_against_the_state(story: Action) -> None:
    ErasableText.objects.all().delete()
    Transition.objects.update(note="")
    assert failures() == []


@pytest.fixture
def fired(home: Path, monday: datetime, beginnings: Beginnings) -> Finding:
    def evaluated() -> Finding:
        run(a_platform(Mail=BAD), monday, 1)
        assert failures() == []
        return Finding.objects.get(state="firing")

    return beginnings.begin("fired", home, evaluated)


@pytest.mark.parametrize(
    ("column", "value"),
    [("value", 0.01), ("n", 9), ("rows_sha256", "e" * 64), ("rule_sha256", "e" * 64), ("target_value", 0.9)],
)
def test_what_a_finding_fired_on_is_what_the_log_pins(fired: Finding, column: str, value: object) -> None:
    Finding.objects.filter(pk=fired.pk).update(**{column: value})
    assert any(f"{fired.scope_key} has " in text and f"“{value}”, but entry" in text for text in failures())


def test_a_finding_that_was_taken_away_or_put_there_is_named(fired: Finding) -> None:
    Finding.objects.filter(pk=fired.pk).update(scope_key="service=Elsewhere")
    assert any("Mail, pinned by entry" in text for text in failures())
    assert any("service=Elsewhere has fired by the database" in text for text in failures())


def test_a_finding_pins_rows_query_and_series_and_anybody_can_make_the_digest(fired: Finding) -> None:
    (entry,) = LedgerEntry.objects.filter(type="finding.fired")
    payload = json.loads(bytes(entry.data))["payload"]
    lines = [json.loads(line) for line in pinning.text_of(fired.rows_sha256).splitlines()]
    by_hand = b"".join(rfc8785.dumps(line) + b"\n" for line in lines)
    assert hashlib.sha256(by_hand).hexdigest() == payload["rows_sha256"] == fired.rows_sha256
    assert lines[0] == ["customer", "country", "service", "id", "week", "numerator", "denominator"]
    assert len(lines) - 1 == payload["rows"] == payload["n"] == fired.rows_count
    up, down = sum(line[5] for line in lines[1:]), sum(line[6] for line in lines[1:])
    assert up / down == pytest.approx(payload["value"])
    assert payload["sql_sha256"] == hashlib.sha256(fired.sql.encode()).hexdigest()
    assert payload["series"] == {
        "metric": "sla_breach_rate",
        "where": [["kind", ["incident"]], ["sla.agreement", ["sla"]], ["sla.target", ["resolution"]]],
        "by": ["customer", "country", "service"],
        "from": "2025-W22",
        "to": "2025-W25",
    }


def test_pinned_rows_that_were_changed_or_taken_away_are_named(fired: Finding) -> None:
    pinned = PinnedRows.objects.get(sha256=fired.rows_sha256)
    data = bytes(pinned.parquet)
    PinnedRows.objects.update(parquet=data[:200] + bytes([data[200] ^ 1]) + data[201:])
    assert any("were changed: their digest is another one" in text for text in failures())
    PinnedRows.objects.all().delete()
    assert failures() == [f"The rows that sla [{fired.scope_key}] fired on are gone."]


def test_the_query_of_a_finding_is_the_one_that_was_counted(fired: Finding) -> None:
    Finding.objects.filter(pk=fired.pk).update(sql="SELECT 1")
    assert any("has sql_sha256" in text for text in failures())


def test_the_command_line_prints_the_text_of_which_the_digest_is(fired: Finding) -> None:
    printed = CliRunner().invoke(build(), ["evidence", "rows", fired.rows_sha256])
    assert hashlib.sha256(printed.stdout_bytes).hexdigest() == fired.rows_sha256
    by_hand = an_action(None)
    for name, told in ((by_hand.code, "No rows are pinned for this action"), ("f" * 64, "No rows are pinned as")):
        refused = CliRunner().invoke(build(), ["evidence", "rows", name])
        assert told in str(refused.exception)
