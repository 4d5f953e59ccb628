"""The outbox: order within an action, outages, refusals, newer content while one is being sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import pytest
import structlog
from django.db import OperationalError

from connectors.config import ConnectionConfig
from connectors.doubt import never_send_again
from connectors.http import writing
from improvement.errors import (
    ConnectionFailed,
    MappingError,
    OutcomeUnknown,
    StillUnknown,
    Unreachable,
    WriteRefused,
)
from improvement.records import Outbound, Receipt, RecordRef, Verb
from tests.workflows.build import OPENED, a_person, an_action, an_owner
from tests.workflows.platform import MemoryPlatform
from workflows.actions import planning
from workflows.deliveries import dead_letters, outbox
from workflows.models import Action, Connection, Delivery, DeliveryState, LedgerEntry, Role
from workflows.steps import deliver

pytestmark = pytest.mark.django_db


class Desk(MemoryPlatform):
    """A platform that answers each write as it is told to."""

    def __init__(self) -> None:
        super().__init__(scopes={})
        self.answers: Callable[[Outbound], None] = lambda outbound: None

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        self.answers(outbound)
        return super().write(outbound, ref)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def action(home: object) -> Action:
    action = an_action(an_owner(), platform_id="")
    Action.objects.update(platform_id="")
    fields = planning.outbound_fields(action)
    for verb, name in ((Verb.CREATE, "create"), (Verb.NOTE, "note/one"), (Verb.NOTE, "note/two")):
        outbound = Outbound(verb=verb, key=f"{action.code}/{name}", action_id=action.code, text=name, fields=fields)
        outbox.queue(action, outbound, at=OPENED)
    return action


def sent(desk: Desk, day: int) -> deliver.DeliverResult:
    return deliver.deliver(desk, as_of=OPENED + timedelta(days=day))


def states() -> list[str]:
    return list(Delivery.objects.order_by("id").values_list("state", flat=True))


def raises(error: Exception, *, on: str) -> Callable[[Outbound], None]:
    def answer(outbound: Outbound) -> None:
        if outbound.key.endswith(on):
            raise error

    return answer


def test_an_outage_loses_nothing_however_long_it_lasts(desk: Desk, action: Action) -> None:
    desk.answers = raises(ConnectionFailed("It is down."), on="create")
    for day in range(deliver.MAX_FAILURES + 3):
        assert sent(desk, day).waiting == 3
    desk.answers = raises(MappingError("There is no such field."), on="create")  # one failure is no dead letter
    assert sent(desk, 39).waiting == 3
    assert states() == ["waiting"] * 3
    desk.answers = lambda outbound: None
    assert sent(desk, 40).sent == 3
    assert desk.requests == [f"{action.code}/create", f"{action.code}/note/one", f"{action.code}/note/two"]


def test_nothing_overtakes_a_write_that_waits(desk: Desk, action: Action) -> None:
    desk.answers = raises(ConnectionFailed("It was reset."), on="note/one")
    sent(desk, 1)
    assert states() == ["sent", "waiting", "waiting"]


def test_nothing_more_is_sent_as_soon_as_writing_is_switched_off(desk: Desk, action: Action) -> None:
    desk.answers = lambda outbound: Connection.objects.update(may_write=False) and None
    result = sent(desk, 1)
    assert (result.sent, result.waiting, result.is_write_off) == (1, 2, True)
    assert states() == ["sent", "waiting", "waiting"]


def test_a_refused_note_is_a_dead_letter_with_its_reason_and_the_next_goes_on(desk: Desk, action: Action) -> None:
    desk.answers = raises(WriteRefused("aborted by Business Rule"), on="note/one")
    assert sent(desk, 1).refused == 1
    assert states() == ["sent", "dead", "sent"]
    assert "Business Rule" in Delivery.objects.get(state=DeliveryState.DEAD).last_error


def test_what_belongs_to_a_refused_record_waits_and_says_for_what(desk: Desk, action: Action) -> None:
    desk.answers = raises(WriteRefused("no right to insert"), on="create")
    for day in range(deliver.MAX_FAILURES + 3):
        sent(desk, day)
    assert states() == ["dead", "waiting", "waiting"]
    assert "no right to insert" in Delivery.objects.get(key__endswith="note/one").last_error
    assert desk.requests == []


def test_an_error_that_is_no_outage_ends_after_some_attempts(desk: Desk, action: Action) -> None:
    desk.answers = raises(MappingError("There is no such field."), on="note/one")
    for day in range(deliver.MAX_FAILURES - 1):
        assert sent(desk, day).waiting == 2
    last = sent(desk, deliver.MAX_FAILURES)
    assert (last.refused, last.waiting, last.sent) == (1, 0, 1)  # what comes after it is held back no more
    assert states() == ["sent", "dead", "sent"]


def test_content_that_changes_while_it_is_sent_is_sent_once_more(desk: Desk, action: Action) -> None:
    sent(desk, 1)
    key = f"{action.code}/update/1"

    def update(text: str) -> None:
        outbound = Outbound(verb=Verb.UPDATE, key=key, action_id=action.code, fields={"title": text})
        outbox.queue(action, outbound, at=OPENED)

    update("first")
    desk.answers = lambda outbound: update("second")
    sent(desk, 2)
    assert states()[-1] == "waiting"
    desk.answers = lambda outbound: None
    desk.effects.pop(key)
    sent(desk, 3)
    assert (states()[-1], desk.effects[key].fields) == ("sent", {"title": "second"})


def test_content_that_changes_while_it_is_refused_is_not_buried_with_it(desk: Desk, action: Action) -> None:
    sent(desk, 1)
    key = f"{action.code}/update/1"

    def update(text: str) -> None:
        outbound = Outbound(verb=Verb.UPDATE, key=key, action_id=action.code, fields={"title": text})
        outbox.queue(action, outbound, at=OPENED)

    def mended(outbound: Outbound) -> None:
        update("good")
        raise WriteRefused("The title is no good.")

    update("bad")
    desk.answers = mended
    told = sent(desk, 2)
    assert (states()[-1], told.refused, told.waiting) == ("waiting", 0, 1)
    desk.answers = lambda outbound: None
    sent(desk, 3)
    assert (states()[-1], desk.effects[key].fields) == ("sent", {"title": "good"})


def test_what_is_given_up_while_it_is_refused_stays_given_up(desk: Desk, action: Action) -> None:
    key = f"{action.code}/note/one"
    desk.answers = raises(ConnectionFailed("It was reset."), on="note/one")
    sent(desk, 1)

    def given_up(outbound: Outbound) -> None:
        if outbound.key == key:
            dead_letters.discard(a_person("root", Role.ADMIN), key, reason="too long", at=OPENED)
            raise WriteRefused("It is too long.")

    desk.answers = given_up
    assert sent(desk, 2).refused == 0
    assert states() == ["sent", "discarded", "sent"]


# --- a write that got no answer ---------------------------------------------------------------------------------


class Hours:
    """A wall clock that somebody turns."""

    def __init__(self) -> None:
        self.now = OPENED

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)


def doubts(outbound: Outbound) -> None:
    """What a Jira Data Center says of a creation that it does not find."""
    never_send_again(outbound, "snow", look_for="its label")


def tried(desk: Desk, clock: Hours) -> deliver.DeliverResult:
    return deliver.deliver(desk, as_of=OPENED, clock=clock)


def test_what_got_no_answer_is_not_sent_again_and_is_a_dead_letter_after_a_day(desk: Desk, action: Action) -> None:
    clock, key = Hours(), f"{action.code}/create"
    desk.answers = raises(OutcomeUnknown("It was reset."), on="create")
    assert tried(desk, clock).waiting == 3
    desk.answers = doubts
    for _ in range(3):
        clock.pass_by(hours=7)
        assert (tried(desk, clock).refused, states(), desk.requests) == (0, ["waiting"] * 3, [])
    clock.pass_by(hours=3)
    assert (tried(desk, clock).refused, states(), desk.requests) == (1, ["dead", "waiting", "waiting"], [])
    reason = Delivery.objects.get(key=key).last_error
    assert "sent without an answer" in reason
    assert f"deliveries replay {key}" in reason
    assert f"deliveries discard {key}" in reason


def test_whoever_looked_sends_it_again_and_then_it_is_made(desk: Desk, action: Action) -> None:
    clock, key = Hours(), f"{action.code}/create"
    desk.answers = raises(OutcomeUnknown("It was reset."), on="create")
    tried(desk, clock)
    desk.answers = doubts
    clock.pass_by(hours=25)
    tried(desk, clock)
    admin = a_person("root", Role.ADMIN)
    dead_letters.replay(admin, key, reason="I looked: it is not there.", at=OPENED)
    assert tried(desk, clock).sent == 3
    assert desk.requests.count(key) == 1


def test_what_was_refused_or_never_sent_is_in_no_doubt(desk: Desk, action: Action) -> None:
    told: list[float | None] = []
    clock = Hours()
    for error in (ConnectionFailed("429"), Unreachable("nobody at home"), MappingError("no such field")):
        desk.answers = raises(error, on="create")
        tried(desk, clock)
        clock.pass_by(minutes=1)
    desk.answers = lambda outbound: told.append(outbound.unanswered_s)
    tried(desk, clock)
    assert told == [None, None, None]


def test_a_process_killed_while_it_sends_leaves_the_doubt_behind(desk: Desk, action: Action) -> None:
    """Whatever ends the process is no error of ours, so nobody comes to note how the attempt ended."""
    clock, told = Hours(), list[float | None]()

    def killed(outbound: Outbound) -> None:
        raise KeyboardInterrupt

    desk.answers = killed
    with pytest.raises(KeyboardInterrupt):
        tried(desk, clock)
    clock.pass_by(minutes=5)
    desk.answers = lambda outbound: told.append(outbound.unanswered_s)
    tried(desk, clock)
    assert told == [300.0, None, None]


def test_a_look_that_could_not_be_had_keeps_the_first_doubt(desk: Desk, action: Action) -> None:
    clock, told = Hours(), list[float | None]()
    for error in (OutcomeUnknown("reset"), ConnectionFailed("the search failed"), StillUnknown("not found")):
        desk.answers = raises(error, on="create")
        tried(desk, clock)
        clock.pass_by(minutes=10)
    desk.answers = lambda outbound: told.append(outbound.unanswered_s)
    tried(desk, clock)
    assert told[0] == 1800.0


def test_a_second_attempt_without_an_answer_begins_the_doubt_anew(desk: Desk, action: Action) -> None:
    clock, told = Hours(), list[float | None]()
    for _ in range(2):
        desk.answers = raises(OutcomeUnknown("reset"), on="create")
        tried(desk, clock)
        clock.pass_by(minutes=20)
    desk.answers = lambda outbound: told.append(outbound.unanswered_s)
    tried(desk, clock)
    assert told[0] == 1200.0


def test_the_doubt_counts_from_the_end_of_an_attempt_that_looked_for_long(desk: Desk, action: Action) -> None:
    clock, told = Hours(), list[float | None]()

    def looked_first(outbound: Outbound) -> None:
        clock.pass_by(minutes=15)
        raise OutcomeUnknown("It was sent, and reset.")

    desk.answers = looked_first
    tried(desk, clock)
    clock.pass_by(seconds=5)
    desk.answers = lambda outbound: told.append(outbound.unanswered_s)
    tried(desk, clock)
    assert told[0] == 5.0


def test_whoever_is_killed_after_a_long_look_leaves_behind_when_a_request_left(desk: Desk, action: Action) -> None:
    clock, told = Hours(), list[float | None]()

    def killed_while_sending(outbound: Outbound) -> None:
        clock.pass_by(minutes=15)
        with writing(ConnectionConfig(name="snow", platform="servicenow", url="https://snow.example"), outbound.key):
            raise SystemExit

    desk.answers = killed_while_sending
    with pytest.raises(SystemExit):
        tried(desk, clock)
    clock.pass_by(seconds=5)
    desk.answers = lambda outbound: told.append(outbound.unanswered_s)
    tried(desk, clock)
    assert told[0] == 5.0


def test_a_clock_that_was_a_year_ahead_keeps_nothing_in_doubt_for_a_year(desk: Desk, action: Action) -> None:
    clock, told = Hours(), list[float | None]()
    clock.pass_by(days=365)
    desk.answers = raises(OutcomeUnknown("It was reset."), on="create")
    tried(desk, clock)
    clock.pass_by(days=-365)

    def doubting(outbound: Outbound) -> None:
        told.append(outbound.unanswered_s)
        never_send_again(outbound, "snow", look_for="its label")

    desk.answers = doubting
    tried(desk, clock)
    clock.pass_by(minutes=11)
    tried(desk, clock)
    assert told == [0.0, 660.0]


def test_nothing_is_written_after_a_change_of_fields_that_may_still_take_effect(desk: Desk, action: Action) -> None:
    """It would undo what is written meanwhile, the same change with newer content too."""
    clock, names = Hours(), [f"{action.code}/update/{n}" for n in (1, 2)]
    sent(desk, 0)
    for name, title in zip(names, ("older", "newer"), strict=True):
        update = Outbound(verb=Verb.UPDATE, key=name, action_id=action.code, fields={"title": title})
        outbox.queue(action, update, at=OPENED)
    desk.answers = raises(OutcomeUnknown("No answer."), on="update/1")
    tried(desk, clock)
    desk.answers = lambda outbound: None
    clock.pass_by(minutes=9)
    told = tried(desk, clock)
    assert (told.waiting, states()[-2:], desk.effects.keys() & set(names)) == (2, ["waiting", "waiting"], set())
    assert "was sent 540 s ago without an answer, and may still take effect" in told.errors[0]
    clock.pass_by(minutes=2)
    assert (tried(desk, clock).sent, desk.requests[-2:]) == (2, names)


def test_what_is_discarded_while_it_fails_waits_no_more_and_holds_nothing_up(desk: Desk, action: Action) -> None:
    key, admin = f"{action.code}/note/one", a_person("ada", Role.ADMIN)
    desk.answers = raises(ConnectionFailed("Cut off."), on="note/one")
    assert sent(desk, 0).waiting == 2  # the other note stands behind it

    def discarded(outbound: Outbound) -> None:
        if outbound.key == key:
            dead_letters.discard(admin, key, reason="It is not needed.", at=OPENED)
            raise ConnectionFailed("Cut off.")

    desk.answers = discarded
    result = sent(desk, 1)
    assert (result.waiting, result.refused, states()) == (0, 0, ["sent", "discarded", "sent"])


def test_what_a_write_replaced_stands_in_the_ledger_so_that_it_can_be_put_back(desk: Desk, action: Action) -> None:
    class Replacing(Desk):
        def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
            replaced = {"target_value": "99"} if outbound.key.endswith("/one") else {}
            return msgspec.structs.replace(super().write(outbound, ref), replaced=replaced)

    assert sent(Replacing(), 0).sent == 3
    entries = LedgerEntry.objects.filter(type="delivery.receipt").order_by("index")
    told = [json.loads(bytes(row.data))["payload"].get("replaced") for row in entries]
    assert told == [None, {"target_value": "99"}, None]
    assert Delivery.objects.get(key=f"{action.code}/note/one").receipt["replaced"] == {"target_value": "99"}


# --- an error that nobody foresaw -------------------------------------------------------------------------------


def test_a_defect_stops_its_own_action_only_is_told_and_logged_and_ends_as_a_dead_letter(
    desk: Desk, action: Action
) -> None:
    other = an_action(a_person("ida", Role.SERVICE_OWNER), scope={"service": "Chat"}, scope_key="service=Chat")
    outbox.note(other, "one", "Of another action.", at=OPENED)

    def answer(outbound: Outbound) -> None:
        if outbound.key == f"{action.code}/note/one":
            raise KeyError("written")

    desk.answers = answer
    with structlog.testing.capture_logs() as logged:
        result = sent(desk, 1)
    assert (result.sent, result.waiting) == (2, 2)
    (told,) = result.errors
    assert told.startswith(f"{action.code}/note/one: connection snow: Nobody foresaw this error")
    assert "KeyError" in told
    assert "The log has its traceback" in told
    (line,) = logged
    assert (line["event"], line["log_level"], line["exc_info"]) == ("unforeseen", "error", True)
    row = Delivery.objects.get(key=f"{action.code}/note/one")
    assert (row.state, row.attempts, row.begun_at is not None) == ("waiting", 1, True)  # it may have taken effect
    for day in range(2, deliver.MAX_FAILURES):
        sent(desk, day)
    assert states() == ["sent", "waiting", "waiting", "sent"]
    assert sent(desk, 40).sent == 1
    assert states() == ["sent", "dead", "sent", "sent"]


def test_newer_content_has_failures_of_its_own_and_no_outage_ends_it(desk: Desk, action: Action) -> None:
    def renewed(outbound: Outbound) -> None:
        if outbound.key.endswith("note/one"):
            outbox.queue(action, msgspec.structs.replace(outbound, text="newer"), at=OPENED)
            raise MappingError("There is no such field.")

    desk.answers = raises(MappingError("There is no such field."), on="note/one")
    for day in range(deliver.MAX_FAILURES - 1):
        sent(desk, day)
    desk.answers = renewed
    assert sent(desk, 20).waiting == 2
    desk.answers = raises(ConnectionFailed("It is down."), on="note/one")
    assert (sent(desk, 21).refused, states()) == (0, ["sent", "waiting", "waiting"])


def test_what_is_wrong_with_the_state_is_no_deliverys(desk: Desk, action: Action) -> None:
    desk.answers = raises(OperationalError("database is locked"), on="create")
    with pytest.raises(OperationalError):
        sent(desk, 1)
