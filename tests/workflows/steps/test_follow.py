"""What people change on the platform's record comes home; what a guard forbids is a gap that both sides can see."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from improvement.records import PlatformApproval, PlatformComment, PlatformState, PlatformTask
from tests.workflows.build import GOLIVE, OPENED, a_person, an_action, an_approver, an_owner, live, planned
from tests.workflows.platform import MemoryPlatform
from workflows import access
from workflows.actions import commands, loop
from workflows.cli.story import story_of
from workflows.deliveries import outbox
from workflows.models import Action, LedgerEntry, Person, Role
from workflows.steps import follow as follow_module
from workflows.steps.follow import FollowResult, follow

pytestmark = pytest.mark.django_db


class Record(MemoryPlatform):
    """A platform with one improvement record, changed at will."""

    def __init__(self) -> None:
        super().__init__(scopes={})
        self.shown: dict[str, Any] = {"state": "new", "state_changed_by": None, "owner": None, "due": None}

    def set(self, state: str, *, by: str | None = None) -> None:
        self.shown |= {"state": state, "state_changed_by": by}

    def states(self, refs: Any) -> list[PlatformState]:
        return [
            PlatformState(**{"state_changed_at": None, "close_code": None, **self.shown, "ref": ref}) for ref in refs
        ]


@pytest.fixture
def olga(home: object) -> Person:
    return an_owner()


@pytest.fixture
def paul(olga: Person) -> Person:
    return an_approver()


@pytest.fixture
def record() -> Record:
    return Record()


def read(record: Record, action: Action, day: float) -> FollowResult:
    """Follow so many days after the opening."""
    found = follow(record, as_of=OPENED + timedelta(days=day))
    action.refresh_from_db()
    return found


def approved(by: str, *, day: float, id: str = "a1", state: str = "approved") -> PlatformApproval:
    return PlatformApproval(id=id, approver=by, state=state, at=OPENED + timedelta(days=day))


def answers(action: Action) -> list[str]:
    return list(action.deliveries.filter(key__contains="/note/diverged").values_list("key", flat=True))


def test_work_begun_before_approval_is_a_gap_until_the_plan_is_approved(
    record: Record, olga: Person, paul: Person
) -> None:
    action = planned(an_action(olga))
    record.set("in_progress", by="olga")
    for day in (7, 14):
        read(record, action, day)
        assert action.state == "planned"
        assert action.diverged == "the plan is not approved"
    assert len(answers(action)) == 1
    commands.approve(paul, action.code, at=OPENED + timedelta(days=15))
    read(record, action, 21)
    assert (action.state, action.diverged) == ("doing", "")
    assert LedgerEntry.objects.filter(type="action.agrees").count() == 1


def test_a_rule_of_the_platform_moves_what_a_guard_allows_and_the_rest_is_a_gap(
    record: Record, olga: Person, paul: Person
) -> None:
    """It passes for nobody: it cannot submit for the owner, nor begin before the approval, but it can cancel."""
    action = an_action(olga)
    record.set("assess")
    read(record, action, 5)
    assert (action.state, action.diverged) == (
        "proposed",
        "only the owner can do this, and the platform names somebody else",
    )
    planned(action)
    record.set("in_progress")
    read(record, action, 7)
    assert (action.state, action.diverged) == ("planned", "the plan is not approved")
    commands.approve(paul, action.code, at=OPENED + timedelta(days=8))
    read(record, action, 9)
    assert (action.state, action.diverged) == ("doing", "")
    record.set("cancelled")
    read(record, action, 10)
    assert (action.state, action.diverged) == ("cancelled", "")


def test_a_state_that_nobody_explained_moves_nothing_and_is_flagged_without_a_note(
    record: Record, olga: Person
) -> None:
    action = planned(an_action(olga))
    record.set("unknown", by="olga")
    read(record, action, 7)
    assert action.state == "planned"
    assert "the meaning of its state there" in action.diverged
    assert answers(action) == []
    record.set("new", by="olga")
    read(record, action, 8)
    assert action.diverged == ""


def test_a_record_in_review_moves_nothing_and_is_asked_once_when_it_went_live(
    record: Record, olga: Person, paul: Person
) -> None:
    action = planned(an_action(olga))
    commands.approve(paul, action.code, at=OPENED + timedelta(days=1))
    commands.start(olga, action.code, at=OPENED + timedelta(days=2))
    record.set("review", by="olga")
    for day in (7, 14):
        read(record, action, day)
        assert (action.state, action.diverged) == ("doing", "")
    assert action.deliveries.filter(key__endswith="/note/ask-golive-1").count() == 1


def test_the_owner_hands_a_plan_in_by_moving_the_record_and_hears_all_that_is_missing(
    record: Record, olga: Person
) -> None:
    action = an_action(olga)
    record.set("assess", by="olga")
    read(record, action, 1)
    assert action.state == "proposed"
    assert {"the hypothesis is missing", "the planned go-live is missing"} <= set(action.diverged.split("; "))
    commands.plan(olga, action.code, at=OPENED + timedelta(days=2), hypothesis="A second shift.", golive=GOLIVE)
    read(record, action, 3)
    assert (action.state, action.diverged) == ("planned", "")
    assert action.transitions.get(event="submit").actor == olga.uid


def test_nobody_else_hands_a_plan_in(record: Record, olga: Person, paul: Person) -> None:
    action = an_action(olga)
    commands.plan(olga, action.code, at=OPENED, hypothesis="A second shift.", golive=GOLIVE)
    record.set("assess", by="paul")
    read(record, action, 1)
    assert action.state == "proposed"
    assert "only the owner" in action.diverged


def test_reassessing_what_is_being_done_needs_a_new_plan_version(record: Record, olga: Person, paul: Person) -> None:
    action = live(an_action(olga), paul)
    record.set("in_progress", by="olga")
    read(record, action, 28)
    record.set("assess", by="olga")
    read(record, action, 35)
    assert (action.state, [plan.version for plan in action.plans.all()]) == ("planned", [1, 2])


def test_our_own_account_moves_and_approves_nothing(record: Record, olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    record.set("cancelled", by="regelkreis")
    record.shown["approvals"] = (approved("regelkreis", day=1),)
    record.shown["comments"] = (
        PlatformComment(id="c1", author="regelkreis", at=OPENED, text="ours"),
        PlatformComment(id="c2", author="olga", at=OPENED, text="hers"),
    )
    read(record, action, 2)
    assert action.state == "planned"
    assert not action.plans.get().sha256
    assert [comment.text for comment in action.comments.all()] == ["hers"]


def test_an_approval_counts_from_when_it_was_given_not_from_when_we_read_it(
    record: Record, olga: Person, paul: Person
) -> None:
    action = planned(an_action(olga))
    given = (GOLIVE - OPENED.date()).days - 1
    commands.golive(olga, action.code, at=OPENED + timedelta(days=given + 2), on=GOLIVE)
    record.shown["approvals"] = (approved("paul", day=given),)
    read(record, action, given + 5)
    assert (action.state, action.is_late) == ("checking", False)
    assert action.plans.get().frozen_at == OPENED + timedelta(days=given)


def test_an_approval_holds_where_the_plan_was_saved_without_a_change_since(
    record: Record, olga: Person, paul: Person
) -> None:
    action = planned(an_action(olga))
    record.shown["approvals"] = (approved("paul", day=1),)
    later = OPENED + timedelta(days=2)
    commands.plan(olga, action.code, at=later, hypothesis=action.hypothesis, due=date(2026, 12, 24))
    read(record, action, 3)
    assert action.plans.get().approved_by == paul
    drafted = LedgerEntry.objects.filter(subject=action.code, type="plan.drafted")
    assert drafted.count() == 1


def test_an_approval_of_another_draft_does_not_hold(record: Record, olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    record.shown["approvals"] = (approved("paul", day=1),)
    commands.plan(olga, action.code, at=OPENED + timedelta(days=2), goal="-40%")
    read(record, action, 3)
    assert not action.plans.get().sha256
    record.shown["approvals"] = (approved("paul", day=4),)
    read(record, action, 5)
    assert action.plans.get().document["goal"] == "-40%"
    assert action.plans.get().sha256


def test_the_owner_who_approves_on_the_platform_is_refused_and_told_once(record: Record, olga: Person) -> None:
    action = planned(an_action(olga))
    record.shown["approvals"] = (approved("olga", day=1),)
    for day in (2, 9):
        read(record, action, day)
        assert action.diverged == "the owner cannot approve their own plan"
    assert len(answers(action)) == 1


def test_a_stranger_approves_nothing_until_the_account_is_known(record: Record, olga: Person) -> None:
    action = planned(an_action(olga))
    record.shown["approvals"] = (approved("adam", day=1),)
    read(record, action, 2)
    assert "nobody we know" in action.diverged
    adam = an_approver("adam")
    read(record, action, 3)
    assert (action.plans.get().approved_by, action.diverged) == (adam, "")


def test_a_rejection_returns_the_plan_and_a_lapse_asks_again_once(record: Record, olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    record.shown["approvals"] = (approved("paul", day=7, state="cancelled"),)
    read(record, action, 8)
    read(record, action, 9)
    assert action.state == "planned"
    assert action.transitions.filter(event="lapse").count() == 1
    assert action.deliveries.filter(key__contains="/note/lapsed").count() == 1
    record.shown["approvals"] = (approved("paul", day=10, state="rejected"),)
    read(record, action, 11)
    assert action.state == "proposed"
    commands.submit(olga, action.code, at=OPENED + timedelta(days=12))
    read(record, action, 13)
    assert action.state == "planned"


def test_a_platform_without_approvals_is_told_to_ask_ours(record: Record, olga: Person) -> None:
    action = planned(an_action(olga))
    record.set("approved", by="olga")
    read(record, action, 1)
    read(record, action, 2)
    assert not action.plans.get().sha256
    assert action.deliveries.filter(key__endswith="/note/ask-approval-1").count() == 1


def test_a_record_closed_without_a_verdict_is_a_gap_until_it_is_opened_again(record: Record, olga: Person) -> None:
    action = planned(an_action(olga))
    record.set("closed", by="olga")
    first, second = read(record, action, 1), read(record, action, 2)
    assert (len(first.diverged), len(second.diverged)) == (1, 0)
    assert action.state == "planned"
    assert "verdict" in action.diverged
    record.set("assess", by="olga")
    read(record, action, 3)
    assert (action.state, action.diverged) == ("planned", "")


def test_a_hold_on_the_platform_is_a_hold_with_us_and_ends_with_it(record: Record, olga: Person, paul: Person) -> None:
    action = live(an_action(olga), paul)
    record.set("on_hold", by="paul")
    read(record, action, 30)
    assert (action.state, action.held_from) == ("on hold", "checking")
    record.set("in_progress", by="paul")
    read(record, action, 31)
    assert action.state == "checking"


def test_a_cancelled_record_cancels_the_action_and_drops_its_looks(record: Record, olga: Person, paul: Person) -> None:
    action = live(an_action(olga), paul)
    record.set("cancelled", by="olga")
    read(record, action, 30)
    assert action.state == "cancelled"
    assert {look.is_dropped for look in action.looks.all()} == {True}


def test_what_people_change_here_while_a_platform_is_read_is_kept_and_delivered(olga: Person) -> None:
    action, otto = an_action(olga), a_person("otto", Role.SERVICE_OWNER)
    loop.queue_update(action, OPENED)

    class Slow(Record):
        def states(self, refs: Any) -> list[PlatformState]:
            at = OPENED + timedelta(days=1)
            commands.plan(olga, action.code, at=at, hypothesis="Written while it was read.")
            commands.assign(olga, action.code, otto, at=at)
            return super().states(refs)

    slow = Slow()
    slow.shown["due"] = date(2026, 12, 24)
    read(slow, action, 2)
    assert (action.owner, action.due) == (otto, date(2026, 12, 24))
    waiting = outbox.content(action.deliveries.get()).fields
    assert (waiting["hypothesis"], waiting["due"]) == ("Written while it was read.", "2026-12-24")


def test_so_is_what_they_change_while_another_record_is_followed(olga: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    otto = a_person("otto", Role.SERVICE_OWNER)
    first, second = an_action(olga), an_action(olga, scope_key="customer=Bolt", scope={"customer": "Bolt"})
    record = Record()
    record.shown["due"] = date(2026, 12, 24)
    settle = follow_module._settle

    def settled(action: Action, *others: Any) -> None:
        settle(action, *others)
        if action == first:
            commands.assign(olga, second.code, otto, at=OPENED + timedelta(days=1))

    monkeypatch.setattr(follow_module, "_settle", settled)
    read(record, second, 2)
    assert (second.owner, second.due) == (otto, date(2026, 12, 24))


def test_what_was_moved_here_while_a_platform_was_read_follows_it_with_the_next_cycle(
    olga: Person, paul: Person
) -> None:
    """Neither side forbids anything: nothing is flagged, and no note is written there."""

    class Slow(Record):
        def states(self, refs: Any) -> list[PlatformState]:
            found = super().states(refs)
            if self.shown["due"] is None:
                self.shown["due"] = date(2026, 12, 24)
                commands.approve(paul, action.code, at=OPENED + timedelta(days=7, minutes=5))
            return found

    slow, action = Slow(), planned(an_action(olga))
    slow.set("on_hold", by="olga")
    read(slow, action, 7)
    assert (action.state, action.diverged, answers(action)) == ("planned", "", [])
    read(slow, action, 8)
    assert (action.state, action.due, answers(action)) == ("on hold", date(2026, 12, 24), [])


def test_a_clock_that_was_ahead_is_flagged(record: Record, olga: Person, paul: Person) -> None:
    action = planned(an_action(olga))
    Action.objects.filter(pk=action.pk).update(last_moved_at=datetime.now(UTC) + timedelta(days=365))
    record.set("on_hold", by="olga")
    read(record, action, 7)
    assert (action.state, "that is later" in action.diverged) == ("planned", True)


def test_the_owner_due_date_and_tasks_of_the_platform_count(record: Record, olga: Person, paul: Person) -> None:
    action = an_action(olga)
    access.grant(paul, Role.SERVICE_OWNER, at=OPENED, by=access.local_admin())
    task = PlatformTask(id="t1", number="CIMT1", title="Hire", is_done=True, assignee="olga", due=date(2025, 9, 1))
    record.shown |= {"owner": "paul", "due": date(2025, 9, 30), "tasks": (task,)}
    read(record, action, 1)
    assert (action.owner, action.due) == (paul, date(2025, 9, 30))
    assert (action.tasks.get().number, action.tasks.get().is_done) == ("CIMT1", True)
    record.shown |= {"owner": "regelkreis", "tasks": (msgspec.structs.replace(task, is_done=False),)}
    read(record, action, 2)
    assert action.owner == paul
    assert action.tasks.get().is_done is False


def test_an_owner_nobody_knows_is_flagged_with_how_to_mend_it_until_somebody_does(record: Record, olga: Person) -> None:
    action = an_action(olga)
    record.shown["owner"] = "maria.keller"
    for day in (1, 2):
        found = read(record, action, day)
        assert "regelkreis users link NAME snow maria.keller" in found.unknown_owners[0]
    assert (action.owner, action.unknown_owner) == (olga, "maria.keller")
    assert LedgerEntry.objects.filter(type="action.unknown_owner").count() == 1  # told once, and without the name
    assert "maria" not in str(LedgerEntry.objects.get(type="action.unknown_owner").data)
    assert "maria.keller on snow is nobody we know" in str(story_of(action))
    maria = a_person("maria", Role.SERVICE_OWNER)
    access.link_account(maria, "snow", "maria.keller", at=OPENED, by=access.local_admin())
    assert read(record, action, 3).unknown_owners == []
    assert (action.owner, action.unknown_owner) == (maria, "")


@pytest.mark.parametrize("is_both", [False, True])
def test_who_may_not_own_an_action_does_not_become_its_owner_by_the_platform(
    record: Record, olga: Person, paul: Person, is_both: bool
) -> None:
    action = planned(an_action(olga))
    commands.approve(paul, action.code, at=OPENED)
    if is_both:
        access.grant(paul, Role.SERVICE_OWNER, at=OPENED, by=access.local_admin())
    record.set("approved")
    record.shown["owner"] = "paul"
    for day in (1, 8):
        read(record, action, day)
        assert action.owner == olga
        assert ("whoever approved the plan" if is_both else "paul is no service owner") in action.diverged
    assert len(answers(action)) == 1
    record.shown["owner"] = "olga"
    read(record, action, 15)
    assert action.diverged == ""


def test_a_record_that_is_gone_is_shown_and_not_written_to(record: Record, olga: Person) -> None:
    action = an_action(olga)
    record.shown["is_missing"] = True
    read(record, action, 1)
    assert "no longer on the platform" in action.diverged
    assert answers(action) == []
