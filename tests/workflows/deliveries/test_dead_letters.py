"""A write that a platform refused is shown with its reason, and sent again once somebody mended the cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from improvement.errors import GuardRefused, InputError, OutcomeUnknown, PermissionMissing, WriteRefused
from improvement.records import Outbound, Verb
from tests.workflows.build import OPENED, an_action, an_owner
from tests.workflows.deliveries.test_deliver import Desk, raises, sent
from workflows import access
from workflows.actions import loop, planning
from workflows.deliveries import dead_letters, outbox
from workflows.models import Action, DeliveryState, LedgerEntry
from workflows.steps import deliver

pytestmark = pytest.mark.django_db
AT = OPENED + timedelta(days=9)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def action(home: object) -> Action:
    made = an_action(an_owner(), platform_id="")
    Action.objects.update(platform_id="")
    fields = planning.outbound_fields(made)
    for verb, name in ((Verb.CREATE, "create"), (Verb.NOTE, "note/one")):
        outbound = Outbound(verb=verb, key=f"{made.code}/{name}", action_id=made.code, text=name, fields=fields)
        outbox.queue(made, outbound, at=OPENED)
    return made


@pytest.fixture
def dead(desk: Desk, action: Action) -> str:
    """The key of a creation that a rule refused."""
    desk.answers = raises(WriteRefused("aborted by Business Rule No robots"), on="create")
    sent(desk, 1)
    return f"{action.code}/create"


def test_what_was_refused_is_shown_with_its_reason_and_what_waits_for_it_too(dead: str) -> None:
    letters = {letter.key: letter for letter in dead_letters.undelivered()}
    (only,) = dead_letters.undelivered(DeliveryState.DEAD)
    assert only == letters[dead]
    assert (only.state, "No robots" in only.reason) == ("dead", True)
    assert [letter.state for letter in letters.values()] == ["dead", "waiting"]
    assert dead_letters.undelivered(connection="elsewhere") == []


def test_once_the_cause_is_mended_it_is_sent_again_and_so_is_what_waited(desk: Desk, dead: str) -> None:
    desk.answers = lambda outbound: None
    assert sent(desk, 2).sent == 0
    letter = dead_letters.replay(access.local_admin(), dead, reason="the rule spares us now", at=AT)
    assert (letter.state, letter.attempts) == ("waiting", 0)
    assert sent(desk, 10).sent == 2
    assert dead_letters.undelivered() == []


def test_sending_again_is_on_record_without_its_words(dead: str) -> None:
    dead_letters.replay(access.local_admin(), dead, reason="Mr Smith changed the rule", at=AT)
    (entry,) = LedgerEntry.objects.filter(type="delivery.replayed")
    assert b"Smith" not in bytes(entry.data)
    assert dead.encode() in bytes(entry.data)


def test_a_refused_note_is_discarded_alone_and_told_in_the_ledger(desk: Desk, action: Action) -> None:
    desk.answers = raises(WriteRefused("too long"), on="note/one")
    sent(desk, 1)
    key = f"{action.code}/note/one"
    (gone,) = dead_letters.discard(access.local_admin(), key, reason="Mr Smith said it there", at=AT)
    assert (gone.key, gone.state, gone.reason) == (key, "discarded", "too long")
    assert dead_letters.undelivered() == []
    (entry,) = LedgerEntry.objects.filter(type="delivery.discarded")
    assert b"Smith" not in bytes(entry.data)
    assert key.encode() in bytes(entry.data)


def test_with_a_record_goes_what_waited_for_it_and_what_comes_later_says_so(
    desk: Desk, action: Action, dead: str
) -> None:
    gone = dead_letters.discard(access.local_admin(), dead, reason="it stands in a spreadsheet", at=AT)
    assert [letter.key for letter in gone] == [dead, f"{action.code}/note/one"]
    later = Outbound(verb=Verb.NOTE, key=f"{action.code}/note/two", action_id=action.code, text="two")
    outbox.queue(action, later, at=AT)
    result = sent(desk, 11)
    assert (result.sent, result.waiting, result.errors) == (0, 1, [])
    (waiting,) = dead_letters.undelivered()
    assert f"{dead} was discarded, so there is no record to write to" in waiting.reason


def test_what_was_discarded_can_be_sent_after_all(desk: Desk, dead: str) -> None:
    for letter in dead_letters.discard(access.local_admin(), dead, reason="by mistake", at=AT):
        dead_letters.replay(access.local_admin(), letter.key, reason="it was the wrong one", at=AT)
    desk.answers = lambda outbound: None
    assert sent(desk, 12).sent == 2


def test_what_nothing_lets_through_is_given_up_and_what_waited_behind_it_goes_on(desk: Desk, action: Action) -> None:
    key = f"{action.code}/note/one"
    outbox.queue(action, Outbound(verb=Verb.NOTE, key=f"{key}-more", action_id=action.code, text="more"), at=OPENED)
    desk.answers = raises(OutcomeUnknown("Not the platform answered 403, but a web page did."), on="note/one")
    for day in range(1, 20):
        sent(desk, day)
    assert [letter.state for letter in dead_letters.undelivered()] == ["waiting", "waiting"]
    (gone,) = dead_letters.discard(access.local_admin(), key, reason="the firewall dislikes it", at=AT)
    assert (gone.key, gone.state) == (key, "discarded")
    assert sent(desk, 20).sent == 1
    assert desk.requests[-1] == f"{key}-more"


def test_what_was_sent_just_now_is_not_sent_again_at_once_whoever_gives_it_up_and_takes_it_back(
    desk: Desk, action: Action
) -> None:
    key, told = f"{action.code}/note/one", list[float | None]()
    desk.answers = raises(OutcomeUnknown("No answer."), on="note/one")
    now = datetime.now(UTC)
    deliver.deliver(desk, as_of=AT, clock=lambda: now)
    for again in (dead_letters.discard, dead_letters.replay):
        again(access.local_admin(), key, reason="by mistake", at=AT)
    desk.answers = lambda outbound: told.append(outbound.unanswered_s)
    deliver.deliver(desk, as_of=AT, clock=lambda: now + timedelta(minutes=1))
    assert told[0] == 60.0


def supposing(action: Action, hypothesis: str) -> None:
    """Its owner writes another hypothesis."""
    action.hypothesis = hypothesis
    action.save(update_fields=["hypothesis"])
    loop.queue_update(action, AT)


def test_nothing_follows_a_change_of_fields_that_was_given_up_before_it_can_take_effect(
    desk: Desk, action: Action
) -> None:
    sent(desk, 1)
    key, now = f"{action.code}/update/1", datetime.now(UTC)
    supposing(action, "Of the beginning.")
    desk.answers = raises(OutcomeUnknown("No answer."), on="update/1")
    deliver.deliver(desk, as_of=AT, clock=lambda: now)
    dead_letters.discard(access.local_admin(), key, reason="the firewall dislikes it", at=AT)
    supposing(action, "Of today.")
    desk.answers, soon = lambda outbound: None, now + timedelta(minutes=9)
    (shown,) = deliver.preview(desk, clock=lambda: soon)
    told = deliver.deliver(desk, as_of=AT, clock=lambda: soon)
    assert (told.waiting, told.sent, shown.requests) == (1, 0, [])
    assert f"{key}, which was given up, was sent 540 s ago" in shown.why
    assert shown.why in told.errors[0]
    assert deliver.deliver(desk, as_of=AT, clock=lambda: now + timedelta(minutes=11)).sent == 1


def test_what_was_before_is_written_again_where_a_change_that_was_given_up_may_have_taken_effect(
    desk: Desk, action: Action
) -> None:
    before = action.hypothesis
    sent(desk, 1)
    supposing(action, "Of the beginning.")
    desk.answers = raises(OutcomeUnknown("No answer."), on="update/1")
    sent(desk, 2)
    dead_letters.discard(access.local_admin(), f"{action.code}/update/1", reason="not that", at=AT)
    supposing(action, before)
    assert [letter.key for letter in dead_letters.undelivered()] == [f"{action.code}/update/2"]


@pytest.mark.parametrize("is_discarded", [False, True])
def test_an_older_update_that_is_sent_again_undoes_nothing(desk: Desk, action: Action, is_discarded: bool) -> None:
    sent(desk, 1)
    supposing(action, "Of the beginning.")
    desk.answers = raises(WriteRefused("aborted by Business Rule"), on="update/1")
    assert sent(desk, 2).refused == 1
    supposing(action, "Of today.")
    assert sent(desk, 3).sent == 1
    desk.answers = lambda outbound: None
    key = f"{action.code}/update/1"
    if is_discarded:
        dead_letters.discard(access.local_admin(), key, reason="by mistake", at=AT)
    dead_letters.replay(access.local_admin(), key, reason="the rule spares us now", at=AT)
    assert sent(desk, 4).sent == 1
    assert desk.effects[key].fields["hypothesis"] == "Of today."


def test_what_changed_since_a_creation_was_given_up_follows_it(desk: Desk, action: Action, dead: str) -> None:
    supposing(action, "Of today.")
    dead_letters.discard(access.local_admin(), dead, reason="by mistake", at=AT)
    dead_letters.replay(access.local_admin(), dead, reason="it was the wrong one", at=AT)
    desk.answers = lambda outbound: None
    assert sent(desk, 12).sent == 2
    assert desk.requests[0] == dead
    assert desk.effects[desk.requests[1]].fields["hypothesis"] == "Of today."


def test_only_dead_letters_by_administrators_with_a_reason(action: Action, dead: str) -> None:
    admin, owner = access.local_admin(), action.owner
    assert owner is not None
    with pytest.raises(PermissionMissing, match="is no administrator"):
        dead_letters.replay(owner, dead, reason="please", at=AT)
    with pytest.raises(InputError, match="takes a reason"):
        dead_letters.replay(admin, dead, reason=" ", at=AT)
    with pytest.raises(PermissionMissing, match="is no administrator"):
        dead_letters.discard(owner, dead, reason="please", at=AT)
    with pytest.raises(InputError, match="takes a reason"):
        dead_letters.discard(admin, dead, reason=" ", at=AT)
    for again in (dead_letters.replay, dead_letters.discard):
        with pytest.raises(GuardRefused, match="no dead letter"):
            again(admin, f"{action.code}/note/one", reason="x", at=AT)
    with pytest.raises(InputError, match="There is no delivery") as caught:
        dead_letters.replay(admin, "ACT-0/create", reason="x", at=AT)
    assert dead in caught.value.mend
