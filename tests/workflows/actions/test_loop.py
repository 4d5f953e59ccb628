"""The loop end to end on a platform in memory: one finding, one action, one verdict, one record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.config import ConnectionConfig
from improvement.errors import GuardRefused, PermissionMissing
from improvement.records import PlatformApproval, RecordKind
from tests.workflows.beginnings import Beginnings
from tests.workflows.platform import MemoryPlatform
from workflows import access, cycle
from workflows.actions import commands
from workflows.checks import reviewing
from workflows.evidence import ledger, verifying
from workflows.models import Action, Connection, Delivery, Finding, LedgerEntry, Look, Person, ReviewRecord, Role

pytestmark = pytest.mark.django_db

QUIET = {0: 0.08}
BAD = {0: 0.1, 74: 0.26, 86: 0.03}


def a_platform(**scopes: dict[int, float]) -> MemoryPlatform:
    quiet = {f"Quiet{number}": QUIET for number in range(6)}
    platform = MemoryPlatform(scopes={**scopes, **quiet})
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    return platform


def a_person(name: str, role: Role, at: datetime) -> Person:
    admin = access.local_admin()
    person = access.add_person(name, at=at, by=admin)
    access.grant(person, role, at=at, by=admin)
    access.link_account(person, "snow", name, at=at, by=admin)
    return person


@dataclass
class Proposed:
    """Who meets about an action, on which platform, and when."""

    platform: MemoryPlatform
    owner: Person
    approver: Person
    action: Action
    at: datetime


def run(platform: MemoryPlatform, first: datetime, weeks: int) -> datetime:
    """So many weekly cycles; returns the moment of the last."""
    for number in range(weeks):
        now = first + timedelta(weeks=number)
        summary = cycle.run_with([platform], as_of=now)
        assert summary.errors == []
    return now


@pytest.fixture
def proposed(home: Path, monday: datetime, beginnings: Beginnings) -> Proposed:
    """An owner, an approver, and the action that two cycles opened."""

    def made() -> Proposed:
        platform = a_platform(Mail=BAD)
        owner, approver = a_person("olga", Role.SERVICE_OWNER, monday), a_person("paul", Role.APPROVER, monday)
        at = run(platform, monday, 2)
        return Proposed(platform, owner, approver, Action.objects.get(), at)

    return beginnings.begin("proposed", home, made)


def test_the_first_evaluation_opens_nothing_and_the_second_opens_one_action(home: Path, monday: datetime) -> None:
    platform = a_platform(Mail=BAD)
    run(platform, monday, 1)
    assert Finding.objects.get(state="firing").scope["service"] == "Mail"
    assert Action.objects.count() == 0
    run(platform, monday + timedelta(weeks=1), 3)
    action = Action.objects.get()
    assert (action.state, action.scope["service"], action.platform_number) == ("proposed", "Mail", "CIM-" + action.code)
    assert len(action.measurement["controls"]) == 6
    assert 0.08 < action.measurement["baseline"] < 0.12
    clocks = {row["ticket_id"]: row["is_breached"] for row in platform._tables[RecordKind.SLA].to_pylist()}
    linked = platform.effects[f"{action.code}/triggers"].trigger_ids
    assert len(linked) == 10
    assert all(ticket.startswith("Mail-") and clocks[ticket] for ticket in linked)


@pytest.mark.parametrize(("said", "queued"), [({}, 0), ({"link_triggers": True}, 1)])
def test_triggers_are_queued_for_servicenow_only_where_its_connection_says_so(
    home: Path, monday: datetime, settings: Any, said: dict[str, bool], queued: int
) -> None:
    raw = {"name": "snow", "platform": "servicenow", "url": "https://a.example", "user": "u", "password": "p", **said}
    snow = ConnectionConfig.model_validate(raw)
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"connections": {"snow": snow}})
    run(a_platform(Mail=BAD), monday, 2)
    assert Action.objects.get().deliveries.filter(verb="link").count() == queued


def test_an_action_that_works_is_improved_and_its_review_reaches_the_platform(proposed: Proposed) -> None:
    platform, owner, action, at = proposed.platform, proposed.owner, proposed.action, proposed.at
    assert action.owner == owner
    commands.plan(owner, action.code, at=at, hypothesis="A second shift.", golive=date(2025, 8, 25))
    commands.submit(owner, action.code, at=at)
    commands.approve(proposed.approver, action.code, at=at)
    commands.start(owner, action.code, at=at)
    live = datetime(2025, 8, 25, 12, tzinfo=at.tzinfo)
    run(platform, at + timedelta(weeks=1), 7)
    commands.golive(owner, action.code, at=live, on=live.date(), ref="CHG1")
    run(platform, live + timedelta(weeks=1), 15)
    action.refresh_from_db()
    assert (action.state, action.verdict) == ("acting", "improved"), action.looks.get(kind="final").result["sentence"]
    review = ReviewRecord.objects.get(kind="final")
    assert review.document["results"]["goal_met"] is True
    assert f"{action.code}/note/final-1-13" in platform.effects
    assert attached(platform, "final") == ["application/json", "image/svg+xml"]
    told = " ".join(reviewing.appended_text(review))
    assert all(f"({written})" in told for written in ("note", "attachment json", "attachment chart"))
    told_early = [key for key in platform.effects if key.split("/", 1)[1].startswith(("note/look", "attach/look"))]
    assert (action.looks.filter(kind="look", verdict="improved").count() > 0, told_early) == (
        True,
        [],
    )  # before the last look
    commands.decide(owner, action.code, "standardise", at=live + timedelta(weeks=16), reason="It works.")
    assert commands.find(action.code).state == "sustaining"
    run(platform, live + timedelta(weeks=17), 5)
    assert ReviewRecord.objects.get(kind="sustain").document["look_no"] == 4
    assert attached(platform, "sustain") == ["application/json", "image/svg+xml"]
    assert verifying.verify().is_ok


def attached(platform: MemoryPlatform, look: str) -> list[str]:
    """What kinds of files hang on the record for the looks of this kind."""
    return [write.file.media_type for key, write in platform.effects.items() if f"/attach/{look}" in key and write.file]


def test_the_platforms_own_approval_freezes_the_plan(proposed: Proposed) -> None:
    platform, owner, action, at = proposed.platform, proposed.owner, proposed.action, proposed.at
    commands.plan(owner, action.code, at=at, hypothesis="A second shift.", golive=date(2025, 8, 25))
    commands.submit(owner, action.code, at=at)
    approval = PlatformApproval(id="a1", approver="paul", state="approved", at=at + timedelta(days=1))
    platform.approvals[action.code] = [approval]
    platform.state[action.code] = "approved"
    run(platform, at + timedelta(weeks=1), 1)
    plan = action.plans.get()
    assert (plan.approved_by.username, plan.approval_source, len(plan.sha256)) == ("paul", "snow:a1", 64)


def test_the_owner_cannot_approve_and_a_missing_plan_is_refused_with_all_reasons(proposed: Proposed) -> None:
    owner, code, at = proposed.owner, proposed.action.code, proposed.at
    with pytest.raises(GuardRefused) as refused:
        commands.submit(owner, code, at=at)
    assert {"the hypothesis is missing", "the planned go-live is missing"} <= set(refused.value.reasons)
    access.grant(owner, Role.APPROVER, at=at, by=access.local_admin())
    commands.plan(owner, code, at=at, hypothesis="A second shift.", golive=date(2025, 8, 25))
    commands.submit(owner, code, at=at)
    with pytest.raises(GuardRefused, match="the owner cannot approve"):
        commands.approve(owner, code, at=at)
    with pytest.raises(PermissionMissing):
        commands.approve(access.local_admin(), code, at=at)


def test_a_delivery_that_broke_after_the_write_is_found_and_not_repeated(home: Path, monday: datetime) -> None:
    platform = a_platform(Mail=BAD)
    run(platform, monday, 1)
    platform.fails_after_write = True
    cycle.run_with([platform], as_of=monday + timedelta(weeks=1))
    create = Delivery.objects.get(verb="create")
    assert create.state == "waiting"
    run(platform, monday + timedelta(weeks=2), 1)
    create.refresh_from_db()
    assert (create.state, create.receipt["was_found"]) == ("sent", True)
    assert platform.requests.count(create.key) == 1


def test_a_finding_that_fires_again_adds_evidence_to_the_open_action_and_opens_no_second(
    home: Path, monday: datetime
) -> None:
    """It gets bad, gets better by itself, and gets bad once more while nobody has acted."""
    platform = a_platform(Mail={0: 0.1, 74: 0.3, 78: 0.02, 83: 0.4})
    run(platform, monday, 2)
    action, finding = Action.objects.get(), Finding.objects.get(scope__service="Mail")
    first = finding.rows_sha256
    assert not LedgerEntry.objects.filter(type="action.evidence").exists()
    at = run(platform, monday + timedelta(weeks=2), 7)
    finding.refresh_from_db()
    assert (finding.state, finding.times_fired) == ("firing", 2)
    assert finding.rows_sha256 != first
    assert Action.objects.get() == action
    entry = json.loads(bytes(LedgerEntry.objects.get(type="action.evidence").data))
    assert (entry["subject"], entry["actor"]) == (action.code, ledger.ENGINE)
    assert datetime.fromisoformat(entry["at"]) == finding.fired_at == at
    assert entry["payload"] == {"rows_sha256": finding.rows_sha256, "n": finding.n, "times_fired": 2}
    line = action.transitions.get(event="evidence")
    assert (line.from_state, line.to_state, line.at) == (action.state, action.state, finding.fired_at)
    assert f"on {finding.n} records [{finding.scope_key}]" in line.note
    cycle.run_with([platform], as_of=at)
    assert action.transitions.filter(event="evidence").count() == 1
    assert verifying.verify().is_ok


def test_running_the_same_cycle_twice_changes_nothing(home: Path, monday: datetime) -> None:
    platform = a_platform(Mail=BAD)
    run(platform, monday, 3)
    before = (Action.objects.count(), Delivery.objects.count(), LedgerEntry.objects.count(), len(platform.requests))
    cycle.run_with([platform], as_of=monday + timedelta(weeks=2))
    after = (Action.objects.count(), Delivery.objects.count(), LedgerEntry.objects.count(), len(platform.requests))
    assert before == after


def test_with_write_off_nothing_is_sent(home: Path, monday: datetime) -> None:
    platform = a_platform(Mail=BAD)
    Connection.objects.update(may_write=False)
    run(platform, monday, 3)
    assert Action.objects.count() == 1
    assert platform.requests == []
    (note,) = cycle.run_with([platform], as_of=monday + timedelta(weeks=2)).notes
    assert "writing is off, 2 to deliver; `regelkreis connect snow --write on`" in note
    commands.set_write(access.local_admin(), "snow", True, at=monday)
    run(platform, monday + timedelta(weeks=3), 1)
    assert any(key.endswith("/create") for key in platform.requests)


def test_a_record_closed_without_a_verdict_diverges_and_is_answered_once(proposed: Proposed) -> None:
    platform, action = proposed.platform, proposed.action
    platform.state[action.code] = "closed"
    run(platform, proposed.at + timedelta(weeks=1), 3)
    action.refresh_from_db()
    assert action.state == "proposed"
    assert "verdict" in action.diverged
    notes = [key for key in platform.requests if "/note/diverged" in key]
    assert len(notes) == 1


def test_a_look_nobody_held_becomes_a_missed_record(proposed: Proposed) -> None:
    platform, owner, code, at = proposed.platform, proposed.owner, proposed.action.code, proposed.at
    commands.plan(owner, code, at=at, hypothesis="A second shift.", golive=date(2025, 8, 25))
    commands.submit(owner, code, at=at)
    commands.approve(proposed.approver, code, at=at)
    commands.golive(owner, code, at=at + timedelta(weeks=8), on=date(2025, 8, 25))
    run(platform, at + timedelta(weeks=24), 2)
    missed = ReviewRecord.objects.filter(kind="missed").order_by("id")
    assert [review.look.week_no for review in missed] == [4, 8, 13]  # the first two were computed, but months late
    assert Look.objects.filter(is_missed=True, computed_at__isnull=False).count() == 3
    assert ReviewRecord.objects.exclude(kind="missed").count() == 3


def test_a_changed_ledger_entry_is_refused_by_the_database(home: Path, monday: datetime) -> None:
    from django.db import DatabaseError, connection, transaction

    platform = a_platform(Mail=BAD)
    run(platform, monday, 1)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute("UPDATE workflows_ledgerentry SET type = 'x'")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute("DELETE FROM workflows_ledgerentry")


def test_a_broken_rule_file_is_reported_and_the_others_go_on(home: Path, monday: datetime) -> None:
    platform = a_platform(Mail=BAD)
    (home / "rules" / "broken.yaml").write_text("kind: Rule\n  bad: [", encoding="utf-8")
    summary = cycle.run_with([platform], as_of=monday)
    assert any("broken.yaml" in error for error in summary.errors)
    assert summary.rules == 1
    assert summary.points > 0
