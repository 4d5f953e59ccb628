"""What the platform's record carries comes home with who changed it, and so does what was emptied or taken away."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from django.utils.translation import override

from improvement.records import PlatformComment, PlatformTask
from tests.workflows.build import OPENED, a_person, an_action, an_approver, an_owner, live, looked
from tests.workflows.steps.test_follow import Record, answers, read
from workflows.actions import commands
from workflows.deliveries import outbox
from workflows.evidence import ledger, verifying
from workflows.models import Action, LedgerEntry, LookKind, Person, Role
from workflows.steps.follow import REOPENED
from workflows.web import reasons

pytestmark = pytest.mark.django_db
TASK = PlatformTask(id="t1", number="CIMT1", title="Hire", is_done=False, assignee="olga", due=date(2025, 9, 1))


@pytest.fixture
def olga(home: object) -> Person:
    return an_owner()


@pytest.fixture
def otto(olga: Person) -> Person:
    return a_person("otto", Role.SERVICE_OWNER)


@pytest.fixture
def record() -> Record:
    return Record()


def entries(action: Action, kind: str) -> list[dict[str, Any]]:
    found = LedgerEntry.objects.filter(type=kind, subject=action.code).order_by("index")
    return [json.loads(bytes(entry.data)) for entry in found]


def test_owner_and_due_date_are_logged_with_who_changed_them_there(record: Record, olga: Person, otto: Person) -> None:
    action = an_action(olga)
    record.shown |= {"owner": "otto", "owner_changed_by": "otto", "due": date(2025, 9, 30), "due_changed_by": "olga"}
    read(record, action, 1)
    assert (action.owner, action.due) == (otto, date(2025, 9, 30))
    assert [entry["actor"] for entry in entries(action, "action.owner")] == [otto.uid]
    assert [entry["actor"] for entry in entries(action, "action.due")] == [olga.uid]
    record.shown |= {"due": date(2025, 10, 7), "due_changed_by": "a stranger"}
    read(record, action, 2)
    assert entries(action, "action.due")[-1]["actor"] == ledger.PLATFORM


def test_what_is_emptied_there_is_emptied_here(record: Record, olga: Person) -> None:
    action = an_action(olga, due=date(2025, 9, 30))
    read(record, action, 1)
    assert (action.owner, action.due) == (olga, date(2025, 9, 30))  # never carried there: nothing was taken away
    record.shown |= {"owner": "olga", "due": date(2025, 9, 30)}
    read(record, action, 2)
    assert entries(action, "action.owner") == []
    record.shown |= {"owner": None, "owner_changed_by": "olga", "due": None, "due_changed_by": "olga"}
    read(record, action, 3)
    assert (action.owner, action.due) == (None, None)
    assert [(entry["actor"], entry["payload"]) for entry in entries(action, "action.owner")] == [
        (olga.uid, {"owner": ""})
    ]
    assert verifying.verify().failures == []


def test_what_is_changed_here_is_not_undone_by_what_stands_there_since_before(
    record: Record, olga: Person, otto: Person
) -> None:
    action = an_action(olga)
    record.shown |= {"owner": "olga"}
    read(record, action, 1)
    commands.assign(olga, action.code, otto, at=OPENED + timedelta(days=2))
    read(record, action, 3)
    assert action.owner == otto
    record.shown |= {"owner": "otto", "owner_changed_by": "regelkreis"}  # our own update arrived
    read(record, action, 4)
    assert len(entries(action, "action.owner")) == 1


def test_an_update_that_still_waits_does_not_undo_what_was_changed_there(
    record: Record, olga: Person, otto: Person
) -> None:
    ida = a_person("ida", Role.SERVICE_OWNER)
    action = an_action(olga)
    record.shown |= {"owner": "olga"}
    read(record, action, 1)
    commands.assign(olga, action.code, otto, at=OPENED + timedelta(days=2))
    record.shown |= {"owner": "ida"}
    read(record, action, 3)
    assert action.owner == ida
    waiting = action.deliveries.get(verb="update", state="waiting")
    assert outbox.content(waiting).fields["owner"] == "ida"


def test_an_owner_without_an_account_there_is_not_taken_away(record: Record, olga: Person, otto: Person) -> None:
    action = an_action(olga)
    record.shown |= {"owner": "olga"}
    read(record, action, 1)
    otto.identities.all().delete()
    commands.assign(olga, action.code, otto, at=OPENED + timedelta(days=2))
    record.shown |= {"owner": None}  # our update said so
    read(record, action, 3)
    assert action.owner == otto


def test_tasks_and_comments_are_entries_without_their_texts(record: Record, olga: Person) -> None:
    action = an_action(olga)
    comment = PlatformComment(id="c1", author="olga", at=OPENED, text="We start on Monday.")
    record.shown |= {"tasks": (TASK,), "comments": (comment,)}
    read(record, action, 1)
    later = msgspec.structs.replace(TASK, due=date(2025, 9, 8))
    for task in (later, msgspec.structs.replace(later, is_done=True), later):
        record.shown["tasks"] = (task,)
        read(record, action, 2)
    record.shown["tasks"] = ()
    read(record, action, 3)
    read(record, action, 4)
    told = [entry["payload"] for entry in entries(action, "action.task_changed")]
    assert [payload["change"] for payload in told] == ["new", "changed", "done", "reopened", "gone"]
    assert [payload["is_done"] for payload in told] == [False, False, True, False, False]
    assert action.tasks.count() == 0
    (said,) = entries(action, "action.comment")
    assert (said["actor"], said["payload"]["comment"]) == (olga.uid, "c1")
    assert b"Monday" not in b"".join(bytes(entry.data) for entry in LedgerEntry.objects.all())


def stopped(olga: Person, verdict: str = "not enough data", decision: str = "stop") -> Action:
    action = live(an_action(olga), an_approver())
    for kind in (LookKind.LOOK, LookKind.LOOK, LookKind.FINAL):
        looked(action, verdict=verdict, kind=kind)
    return commands.decide(olga, action.code, decision, at=OPENED + timedelta(weeks=30), reason="Enough.")


def closed_there(record: Record, by: str = "olga", *, code: str = "successful") -> None:
    record.set("closed", by=by)
    record.shown |= {"close_code": code, "is_closed_as_success": code == "successful"}


def test_a_success_that_no_verdict_bears_is_a_gap_until_it_is_taken_back(record: Record, olga: Person) -> None:
    action = stopped(olga)
    closed_there(record)
    for day in (215, 222):
        read(record, action, day)
        assert action.diverged == ("a verdict that bears the closure “successful”: the verdict is not enough data")
    assert len(answers(action)) == 1
    assert [entry["payload"] for entry in entries(action, "action.close_code")] == [
        {"close_code": "successful", "is_success": True}
    ]
    closed_there(record, code="withdrawn")
    read(record, action, 229)
    assert action.diverged == ""


@pytest.mark.parametrize(
    ("verdict", "decision", "by"), [("recovered", "standardise", "olga"), ("no change", "stop", "regelkreis")]
)
def test_a_success_that_the_verdict_bears_or_that_we_closed_is_none(
    record: Record, olga: Person, verdict: str, decision: str, by: str
) -> None:
    action = stopped(olga, verdict, decision)
    closed_there(record, by)
    read(record, action, 215)
    assert "closure" not in action.diverged


def test_what_happens_after_closing_comes_home_for_half_a_year(record: Record, olga: Person) -> None:
    action = stopped(olga)
    record.set("closed", by="olga")
    read(record, action, 211)
    record.shown["comments"] = (PlatformComment(id="c1", author="olga", at=OPENED, text="It came back."),)
    record.set("in_progress", by="olga")
    for day in (218, 225):
        read(record, action, day)
        assert (action.state, action.diverged) == ("closed", "a new action: what is closed here stays closed")
    assert [comment.text for comment in action.comments.all()] == ["It came back."]
    assert len(answers(action)) == 1
    record.set("closed", by="olga")
    assert read(record, action, 232).read == 1
    assert action.diverged == ""
    assert read(record, action, 210 + 26 * 7).read == 0


def test_a_record_that_is_still_in_review_when_we_close_is_not_reopened(record: Record, olga: Person) -> None:
    action = live(an_action(olga), an_approver())
    record.set("review", by="olga")
    read(record, action, 40)
    for kind in (LookKind.LOOK, LookKind.LOOK, LookKind.FINAL):
        looked(action, verdict="no change", kind=kind)
    commands.decide(olga, action.code, "stop", at=OPENED + timedelta(weeks=30), reason="Enough.")
    read(record, action, 211)
    assert (action.state, action.diverged) == ("closed", "")


@pytest.mark.parametrize(
    ("gap", "german"),
    [
        (REOPENED, "eine neue Maßnahme: was hier abgeschlossen ist, bleibt es"),
        (
            "a verdict that bears the closure “successful”: the verdict is not enough data",
            "ein Befund, der den Abschluss „successful“ trägt: der Befund ist „zu wenig Daten“",
        ),
        ("whoever approved the plan cannot own the action", "wer den Plan genehmigt hat, kann nicht Eigner"),
    ],
)
def test_what_is_missing_is_told_in_german_too(gap: str, german: str) -> None:
    with override("de"):
        assert reasons.translated(gap).startswith(german)
