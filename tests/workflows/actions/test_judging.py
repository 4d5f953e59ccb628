"""After a verdict: decide, overrule, follow up; each is an entry that cites the verdict, which stays."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from improvement.errors import GuardRefused, InputError, PermissionMissing
from improvement.review import is_intact
from tests.workflows.build import OPENED, an_action, live, looked, planned
from workflows import access
from workflows.actions import commands
from workflows.checks import measuring, reviewing
from workflows.evidence import verifying
from workflows.models import Action, LedgerEntry, LookKind, Person, ReviewRecord, Role
from workflows.steps import deliver
from workflows.steps.check import slip

pytestmark = pytest.mark.django_db
SCHEMA = Path(__file__).resolve().parents[3] / "docs" / "reference" / "review-record.schema.json"
LATER = OPENED + timedelta(weeks=30)
REASON = "The control hospital changed its ticketing, says the auditor."


def judged(olga: Person, paul: Person, verdict: str) -> tuple[Action, ReviewRecord]:
    action = live(an_action(olga), paul)
    for _ in range(2):
        looked(action, verdict=verdict, kind=LookKind.LOOK)
    return looked(action, verdict=verdict)


def test_nobody_decides_before_the_verdict(olga: Person, paul: Person) -> None:
    action = live(an_action(olga), paul)
    with pytest.raises(GuardRefused, match="possible from: acting"):
        commands.decide(olga, action.code, "stop", at=LATER, reason="enough")


def test_a_decision_is_appended_and_the_document_fits_the_published_schema(olga: Person, paul: Person) -> None:
    action, review = judged(olga, paul, "improved")
    before = review.verdict_sha256
    commands.decide(olga, action.code, "standardise", at=LATER, reason="It works.")
    document = reviewing.published(ReviewRecord.objects.get(pk=review.pk))
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["decision"]["decision"] == "standardise"
    assert document["decision"]["verdict_sha256"] == before == document["verdict_sha256"]
    assert document["held_at"].startswith("2026-03-16")
    assert is_intact(document)


def test_a_bad_verdict_becomes_the_standard_only_when_two_people_overrule_it(olga: Person, paul: Person) -> None:
    action, review = judged(olga, paul, "no change")
    with pytest.raises(GuardRefused, match="only improved or recovered"):
        commands.decide(olga, action.code, "standardise", at=LATER)
    commands.override(olga, action.code, at=LATER, reason=REASON)
    with pytest.raises(GuardRefused, match="only improved or recovered"):
        commands.decide(olga, action.code, "standardise", at=LATER)
    commands.second_override(paul, action.code, at=LATER)
    commands.decide(olga, action.code, "standardise", at=LATER)
    document = reviewing.published(review)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert document["verdict"] == "no change"
    assert (document["override"]["by"], document["override"]["second_by"]) == (olga.uid, paul.uid)
    assert document["override"]["reason"] == REASON
    action.refresh_from_db()
    assert (action.state, action.verdict) == ("sustaining", "no change")


def test_one_person_cannot_overrule_a_verdict_alone(olga: Person, paul: Person) -> None:
    action, _ = judged(olga, paul, "no change")
    with pytest.raises(InputError, match="reason"):
        commands.override(olga, action.code, at=LATER, reason=" ")
    with pytest.raises(GuardRefused, match="nobody proposed it"):
        commands.second_override(paul, action.code, at=LATER)
    access.grant(olga, Role.APPROVER, at=OPENED, by=access.local_admin())
    commands.override(olga, action.code, at=LATER, reason=REASON)
    with pytest.raises(GuardRefused, match="two different people"):
        commands.second_override(olga, action.code, at=LATER)
    with pytest.raises(PermissionMissing):
        commands.second_override(access.local_admin(), action.code, at=LATER)
    action.refresh_from_db()
    assert not action.is_overridden


def test_only_a_verdict_that_waits_for_a_decision_is_overruled(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    with pytest.raises(GuardRefused) as refused:
        commands.override(olga, action.code, at=LATER, reason=REASON)
    assert len(refused.value.reasons) == 2


def test_follow_ups_are_noted_changed_and_done(olga: Person, paul: Person) -> None:
    _, review = judged(olga, paul, "no change")
    commands.follow_up(olga, review.code, at=LATER, what="Ask the supplier", who="paul", due=date(2026, 4, 1))
    commands.follow_up(olga, review.code, at=LATER, what="Read the logs")
    commands.follow_up(olga, review.code, at=LATER, no=1, done_ref="CHG7")
    document = reviewing.published(review)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    told = [(entry["what"], entry["done_ref"]) for entry in document["follow_ups"]]
    assert told == [("Ask the supplier", "CHG7"), ("Read the logs", "")]
    with pytest.raises(InputError, match="no follow-up 9"):
        commands.follow_up(olga, review.code, at=LATER, no=9, done_ref="CHG8")


def test_no_name_and_no_free_text_enters_the_log(olga: Person, paul: Person) -> None:
    action, review = judged(olga, paul, "no change")
    commands.override(olga, action.code, at=LATER, reason=REASON)
    commands.second_override(paul, action.code, at=LATER)
    commands.follow_up(olga, review.code, at=LATER, what="Ask the supplier", who="Paula Muster")
    commands.add_task(olga, action.code, "Phone Mrs Muster", at=LATER)
    commands.decide(olga, action.code, "stop", at=LATER, reason="Not worth it.")
    log = b"\n".join(bytes(entry.data) for entry in LedgerEntry.objects.all())
    for text in ("olga", "paul", "A second shift", REASON, "supplier", "Muster", "Not worth it"):
        assert text.encode() not in log, text
    assert olga.uid.encode() in log
    assert verifying.verify().is_ok


def test_the_check_of_an_adjusted_action_speaks_of_all_cycles(olga: Person, paul: Person) -> None:
    action = live(an_action(olga), paul)
    first = action.plans.get()
    assert not measuring.check_plan(action, first).is_adjusted
    action.cycle_no = 2
    assert measuring.check_plan(action, None).is_adjusted
    assert not measuring.check_plan(action, first).is_adjusted  # a look of the first cycle, read once more


def test_the_record_an_adjusted_action_lives_in_stays_the_same(olga: Person, paul: Person) -> None:
    action, _ = judged(olga, paul, "no change")
    record = action.platform_id
    commands.decide(olga, action.code, "adjust", at=LATER, reason="Another try.")
    action.refresh_from_db()
    assert (action.state, action.cycle_no, action.platform_id) == ("proposed", 2, record)
    assert (action.implemented_on, str(action.first_implemented_on), action.verdict) == (None, "2025-09-15", "")
    with pytest.raises(GuardRefused, match="planned go-live is missing"):
        commands.submit(olga, action.code, at=LATER)
    commands.plan(olga, action.code, at=LATER, golive=date(2026, 5, 4))
    commands.submit(olga, action.code, at=LATER)
    assert [(plan.version, plan.cycle_no) for plan in action.plans.all()] == [(1, 1), (2, 2)]
    assert action.plans.get(version=2).document["windows"]["confirmation"] is None


def test_a_small_team_may_approve_its_own_plan_and_the_log_says_so(olga: Person, settings: Any) -> None:
    settings.REGELKREIS = settings.REGELKREIS.model_copy(update={"allow_own_approval": True})
    access.grant(olga, Role.APPROVER, at=OPENED, by=access.local_admin())
    action = planned(an_action(olga))
    commands.approve(olga, action.code, at=OPENED)
    assert action.plans.get().sha256
    assert LedgerEntry.objects.filter(type="approval.waived", subject=action.code).count() == 1


def test_a_proposal_is_written_to_the_platform_once_it_is_accepted_or_handed_in(olga: Person) -> None:
    for name, accept in (("country=CH", commands.accept), ("country=DE", planned_by)):
        action = an_action(olga, is_accepted=False, scope_key=name)
        commands.plan(olga, action.code, at=OPENED, hypothesis="A shift.", golive=date(2025, 9, 15))
        assert not [delivery for delivery in deliver.waiting("snow") if delivery.action_id == action.pk]
        accept(olga, action.code, at=OPENED)
        assert [delivery for delivery in deliver.waiting("snow") if delivery.action_id == action.pk]


def test_whoever_accepts_what_is_accepted_adds_no_entry(olga: Person) -> None:
    action = an_action(olga, is_accepted=False)
    for day in range(2):
        commands.accept(olga, action.code, at=OPENED + timedelta(days=day))
    assert LedgerEntry.objects.filter(type="action.accepted", subject=action.code).count() == 1


def planned_by(olga: Person, code: str, *, at: datetime) -> Action:
    return commands.submit(olga, code, at=at)


def test_a_plan_slips_when_nobody_reports_a_go_live_and_needs_a_new_approval(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    commands.approve(paul, action.code, at=OPENED)
    latest = datetime(2025, 9, 15, tzinfo=UTC) + timedelta(weeks=4)
    for at, state, versions in ((latest, "planned", 1), (latest + timedelta(days=1), "planned", 2)):
        slip("snow", at)
        action.refresh_from_db()
        assert (action.state, action.plans.count()) == (state, versions)
    assert not action.plans.get(version=2).sha256
    assert action.deliveries.filter(key__contains="/note/slip").count() == 1
    with pytest.raises(GuardRefused, match="plan a new date first"):
        commands.approve(paul, action.code, at=latest + timedelta(days=2))
    commands.plan(olga, action.code, at=latest + timedelta(days=2), golive=date(2025, 11, 3))
    commands.approve(paul, action.code, at=latest + timedelta(days=3))
    assert action.plans.get(version=2).sha256


def test_time_does_not_run_backward(olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    with pytest.raises(GuardRefused, match="later"):
        commands.approve(paul, action.code, at=OPENED - timedelta(days=1))


def test_every_change_of_the_fields_is_one_update_and_the_newest_wins_while_it_waits(
    olga: Person, paul: Person
) -> None:
    action = an_action(olga)
    commands.plan(olga, action.code, at=OPENED, hypothesis="First thought.", golive=date(2025, 9, 15))
    commands.plan(olga, action.code, at=OPENED, hypothesis="Second thought.")
    waiting = action.deliveries.get(verb="update")
    assert b"Second thought" in bytes(waiting.outbound)
    for at, step in enumerate((commands.hold, commands.resume)):
        action.deliveries.filter(verb="update").update(state="sent")
        step(olga, action.code, at=OPENED + timedelta(days=at), reason="holiday")
    assert action.deliveries.filter(verb="update").count() == 3  # back where it was, and the platform is told
