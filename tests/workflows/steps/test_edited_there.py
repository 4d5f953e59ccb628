"""What people edit or set on the platform's record comes home with its author, and no later delivery undoes it."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest

from improvement.errors import GuardRefused
from improvement.records import PlatformField
from tests.workflows.build import OPENED, an_action, an_owner, planned
from tests.workflows.steps.test_follow import Record, read
from workflows.actions import commands, loop
from workflows.deliveries import outbox
from workflows.evidence import as_it_was, ledger, verifying
from workflows.models import Action, Delivery, LedgerEntry, Person

pytestmark = pytest.mark.django_db
TITLE = "Late resolutions for Acme"


@pytest.fixture
def olga(home: object) -> Person:
    return an_owner()


@pytest.fixture
def record() -> Record:
    return Record()


def show(record: Record, by: str | None = None, **values: str) -> None:
    """These fields stand there now, changed last by this account."""
    told = {name: PlatformField(value=value, changed_by=by) for name, value in values.items()}
    record.shown["fields"] = {**record.shown.get("fields", {}), **told}


def entries(action: Action, kind: str) -> list[dict[str, Any]]:
    found = LedgerEntry.objects.filter(type=kind, subject=action.code).order_by("index")
    return [json.loads(bytes(entry.data)) for entry in found]


def test_a_title_and_a_hypothesis_edited_there_become_ours_with_their_author(record: Record, olga: Person) -> None:
    action = planned(an_action(olga))
    show(record, title=TITLE, hypothesis="A second shift.")
    read(record, action, 1)
    assert entries(action, "action.edited") == []
    show(record, "olga", title="Acme waits too long")
    show(record, "a stranger", hypothesis="A third shift.")
    for day in (2, 3):
        read(record, action, day)
        assert (action.title, action.hypothesis) == ("Acme waits too long", "A third shift.")
    told = [(entry["payload"]["field"], entry["actor"]) for entry in entries(action, "action.edited")]
    assert told == [("title", olga.uid), ("hypothesis", ledger.PLATFORM)]
    assert b"Acme waits" not in b"".join(bytes(entry.data) for entry in LedgerEntry.objects.all())
    loop.queue_update(action, OPENED + timedelta(days=3))
    fields = outbox.content(action.deliveries.filter(verb="update").order_by("-id")[0]).fields
    assert (fields["title"], fields["hypothesis"]) == ("Acme waits too long", "A third shift.")
    assert verifying.verify().failures == []


def test_a_register_that_never_read_them_takes_over_what_was_edited_before(record: Record, olga: Person) -> None:
    """Of an earlier version nothing was read: the audit tells what is a person's, and all else is ours."""
    action = an_action(olga, hypothesis="A second shift.")
    show(record, title=TITLE[:10], service="Mail")  # cut there, as no audit tells otherwise
    show(record, "olga", hypothesis="Hire somebody.")
    read(record, action, 1)
    assert (action.title, action.hypothesis) == (TITLE, "Hire somebody.")
    assert len(entries(action, "action.edited")) == 1


def test_what_we_sent_ourselves_is_no_edit_where_nobody_tells_authors(record: Record, olga: Person) -> None:
    action = an_action(olga)
    show(record, title=TITLE, hypothesis="")
    read(record, action, 1)
    commands.plan(olga, action.code, at=OPENED + timedelta(days=2), hypothesis="A second shift, at night.")
    Delivery.objects.filter(action=action).update(state="sent")
    commands.plan(olga, action.code, at=OPENED + timedelta(days=3), hypothesis="Better: a third one.")
    show(record, hypothesis="A second shift, at")  # what was sent first, cut
    read(record, action, 4)
    assert action.hypothesis == "Better: a third one."
    show(record, hypothesis="Somebody's own words")
    read(record, action, 5)
    assert action.hypothesis == "Somebody's own words"
    assert entries(action, "action.edited")[0]["actor"] == ledger.PLATFORM


def test_our_own_account_edits_nothing(record: Record, olga: Person) -> None:
    action = an_action(olga)
    show(record, "regelkreis", title="As a rule of theirs wrote it", priority="1 - Critical")
    read(record, action, 1)
    assert action.title == TITLE
    assert entries(action, "action.edited") == entries(action, "action.set_there") == []


def test_an_empty_title_is_not_taken_over_but_an_empty_hypothesis_is(record: Record, olga: Person) -> None:
    action = planned(an_action(olga))
    show(record, "olga", title=" ", hypothesis="")
    read(record, action, 1)
    assert (action.title, action.hypothesis) == (TITLE, "")


def test_a_hypothesis_that_comes_from_there_is_not_changed_here(record: Record, olga: Person) -> None:
    action = an_action(olga)
    show(record, "olga", hypothesis="Hers.\nAll of it.")
    read(record, action, 1)
    at = OPENED + timedelta(days=2)
    with pytest.raises(GuardRefused, match="edited it on snow, so it is changed there"):
        commands.plan(olga, action.code, at=at, hypothesis="Ours.")
    commands.plan(
        olga, action.code, at=at, hypothesis="Hers.\r\nAll of it.", goal="-40%"
    )  # a form sends what it showed
    action.refresh_from_db()
    assert (action.hypothesis, action.goal) == ("Hers.\nAll of it.", "-40%")


def test_another_service_there_is_kept_and_shown_and_moves_nothing_that_is_measured(
    record: Record, olga: Person
) -> None:
    scope = {"service": "Mail", "customer": "Acme"}
    action = an_action(olga, scope=scope)
    show(record, service="Mail")
    read(record, action, 1)
    show(record, "olga", service="Payments")
    read(record, action, 2)
    assert action.scope == scope
    assert action.platform_seen["service"] == "Payments"
    (entry,) = entries(action, "action.edited")
    assert (entry["payload"]["field"], entry["actor"]) == ("service", olga.uid)
    assert loop.detail(action)["edited_there"] == ["service"]
    assert verifying.verify().failures == []


def test_of_an_adopted_record_only_the_title_is_ours_to_follow(record: Record, olga: Person) -> None:
    action = an_action(olga, origin="adopted")
    show(record, "olga", title="Renamed", hypothesis="Theirs.", service="Payments")
    read(record, action, 1)
    assert (action.title, action.hypothesis) == ("Renamed", "")
    assert [entry["payload"]["field"] for entry in entries(action, "action.edited")] == ["title"]


def test_what_the_platform_sets_is_kept_shown_and_told_once_it_changes(record: Record, olga: Person) -> None:
    action = an_action(olga)
    show(record, priority="4 - Low", percent_complete="0", approver_group="", strategies="")
    read(record, action, 1)
    assert entries(action, "action.set_there") == []  # as it was created
    show(record, "olga", priority="2 - High", approver_group="Board")
    show(record, percent_complete="50")
    for day in (2, 3):
        read(record, action, day)
    told = {entry["payload"]["field"]: entry for entry in entries(action, "action.set_there")}
    assert (told["priority"]["actor"], told["priority"]["payload"]["value"]) == (olga.uid, "2 - High")
    assert (told["percent_complete"]["actor"], told["percent_complete"]["payload"]["value"]) == ("platform", "50")
    assert set(told["approver_group"]["payload"]) == {"field", "value_sha256"}
    assert len(entries(action, "action.set_there")) == 3
    assert loop.detail(action)["set_there"] == {
        "priority": "2 - High", "approver_group": "Board", "percent_complete": "50",
    }  # fmt: skip


def test_an_action_is_told_as_it_was_before_and_after_an_edit(record: Record, olga: Person) -> None:
    action = an_action(olga, hypothesis="A second shift.")
    show(record, "olga", title="Acme waits too long", hypothesis="Hire.")
    read(record, action, 3)
    before = as_it_was.action_at(action, OPENED + timedelta(days=2)).as_dict()
    after = as_it_was.action_at(action, OPENED + timedelta(days=4)).as_dict()
    assert (before["title"], before["hypothesis"]) == (TITLE, "A second shift.")
    assert (after["title"], after["hypothesis"]) == ("Acme waits too long", "Hire.")


def test_a_title_changed_in_the_database_alone_is_found_out(record: Record, olga: Person) -> None:
    action = an_action(olga)
    show(record, "olga", title="Acme waits too long")
    read(record, action, 1)
    Action.objects.filter(pk=action.pk).update(title="Something else")
    assert any("The title of" in failure for failure in verifying.verify().failures)


def test_an_update_that_still_waits_carries_the_edit(record: Record, olga: Person) -> None:
    action = planned(an_action(olga))
    show(record, "olga", title="Acme waits too long")
    read(record, action, 1)
    (waiting,) = action.deliveries.filter(verb="update", state="waiting")
    assert outbox.content(waiting).fields["title"] == "Acme waits too long"


def test_an_update_tells_what_was_read_of_fields_that_both_sides_change(record: Record, olga: Person) -> None:
    action = an_action(olga)
    record.shown |= {"owner": "olga", "due": date(2025, 9, 30), "due_changed_by": "olga"}
    read(record, action, 1)
    commands.plan(olga, action.code, at=OPENED + timedelta(days=2), due=date(2025, 10, 31))
    write = outbox.content(action.deliveries.filter(verb="update").order_by("-id")[0])
    assert (write.fields["due"], write.known) == ("2025-10-31", {"owner": "olga", "due": "2025-09-30"})
