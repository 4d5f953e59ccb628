"""The conformance tests fail a connector for each thing that is wrong with it, and the right one for nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from unittest import SkipTest

import msgspec
import pytest
import test_ticketdesk
import ticketdesk
from pydantic import SecretStr
from ticketdesk import TicketDesk, moment

from connectors.base import Capabilities, Connector, Cursor, Keys, Page
from connectors.config import ConnectionConfig
from connectors.conformance import Conformance
from improvement.errors import ConnectionFailed, OutcomeUnknown
from improvement.records import (
    Outbound,
    PlatformComment,
    PlatformState,
    PreviewRequest,
    Receipt,
    RecordKind,
    RecordRef,
    Verb,
)


class OnADesk(test_ticketdesk.TestTicketDesk):
    """The example's suite, on a connector of this kind."""

    kind: ClassVar[type[TicketDesk]] = TicketDesk

    def connect(self) -> Connector:
        options = {"folder": str(self.folder)}
        parts: dict[str, Any] = {
            "name": "desk",
            "platform": "ticketdesk",
            "url": "https://desk.example",
            "options": options,
            "token": SecretStr(test_ticketdesk.TOKEN),
        }
        return self.kind(ConnectionConfig.model_construct(**parts))


def fails(suite: type[OnADesk], name: str, folder: Path) -> bool:
    """Whether one test of a suite fails, on a desk of its own; a skip is raised, too."""
    one = suite()
    (folder / name).mkdir()
    one.fill(folder / name)
    try:
        getattr(one, name)()
    except Exception:
        return True
    return False


def failed(suite: type[OnADesk], folder: Path) -> set[str]:
    """The tests of a suite that fail."""
    return {name for name in dir(suite) if name.startswith("test_") and fails(suite, name, folder)}


# --- reading --------------------------------------------------------------------------------------------------


class LosesATicket(TicketDesk):
    """Always the same one, and there is no count and no list of keys to tell it."""

    def _tickets(self) -> list[dict[str, Any]]:
        return [raw for raw in super()._tickets() if raw["id"] != "T-2"]

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        return None

    def keys(self, kind: RecordKind) -> Keys | None:
        return None


class ReadsEachTicketTwice(LosesATicket):
    """Under another id the second time."""

    def _tickets(self) -> list[dict[str, Any]]:
        raws = TicketDesk._tickets(self)
        return [*raws, {**raws[0], "id": "T-1b"}]


class MisreadsTimes(TicketDesk):
    """As if they were of another zone."""

    def _ticket(self, raw: dict[str, Any], updated: datetime) -> dict[str, Any]:
        row = super()._ticket(raw, updated)
        return {**row, "opened_at": row["opened_at"] + timedelta(hours=5)}


class IgnoresCursor(TicketDesk):
    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        return super().pull(kind, None, until=until)


class IgnoresTies(TicketDesk):
    """What was changed in the second in which a page ended is lost."""

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        after = cursor.updated_at if cursor is not None else datetime.min.replace(tzinfo=UTC)
        return super().pull(kind, Cursor(updated_at=after, tiebreak="~") if cursor else None, until=until)


class IgnoresUntil(TicketDesk):
    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        return super().pull(kind, cursor, until=until + timedelta(days=400))


class DropsWhatItCannotRead(TicketDesk):
    def _page(self, kind: RecordKind, due: list[tuple[datetime, str, dict[str, Any]]]) -> Page:
        return msgspec.structs.replace(super()._page(kind, due), rejected=())


class StopsAtWhatItCannotRead(TicketDesk):
    def _page(self, kind: RecordKind, due: list[tuple[datetime, str, dict[str, Any]]]) -> Page:
        page = super()._page(kind, due)
        if page.rejected:
            raise ConnectionFailed("A ticket cannot be read.")
        return page


class KnowsNothingGone(TicketDesk):
    def gone(self, kind: RecordKind, ids: Sequence[str]) -> list[str]:
        return []


class RemembersKeys(TicketDesk):
    """What was there once stays in its list."""

    def keys(self, kind: RecordKind) -> Keys | None:
        keys = super().keys(kind)
        assert keys is not None
        ids = sorted({*keys.ids.to_pylist(), *(f"T-{n}" for n in range(1, 8))})
        return Keys(ids=ticketdesk.pa.array(ids), counted=None)


class CallsKindsByItsOwnWords(TicketDesk):
    def _ticket(self, raw: dict[str, Any], updated: datetime) -> dict[str, Any]:
        return {**super()._ticket(raw, updated), "kind": "banana"}


class CallsStatesByItsOwnWords(TicketDesk):
    def _ticket(self, raw: dict[str, Any], updated: datetime) -> dict[str, Any]:
        return {**super()._ticket(raw, updated), "state": "Neu"}


# --- writing --------------------------------------------------------------------------------------------------


class WritesNotesTwice(TicketDesk):
    """A library repeats its requests."""

    def _body(self, outbound: Outbound) -> dict[str, Any]:
        body = super()._body(outbound)
        return {**body, "notes": body["notes"] * 2} if "notes" in body else body


class LooksForNoNote(TicketDesk):
    def _is_there(self, outbound: Outbound, record: dict[str, Any] | None) -> bool:
        return outbound.verb is not Verb.NOTE and super()._is_there(outbound, record)


class RemembersItsWrites(TicketDesk):
    """In the process, instead of looking on the platform."""

    written: ClassVar[set[str]] = set()

    def _is_there(self, outbound: Outbound, record: dict[str, Any] | None) -> bool:
        return repr(outbound) in self.written

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        receipt = super().write(outbound, ref)
        self.written.add(repr(outbound))
        return receipt


class ReadsNothingBack(TicketDesk):
    """What the platform dropped is claimed to stand there."""

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        return msgspec.structs.replace(super().write(outbound, ref), differences={}, unwritten={})


class ReadsNoDifference(TicketDesk):
    """Only what never has a place is told."""

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        return msgspec.structs.replace(super().write(outbound, ref), differences={})


class TellsAsWrittenWhatItSent(TicketDesk):
    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        return msgspec.structs.replace(super().write(outbound, ref), written=self._values(outbound))


class TellsNothingOfWhatHasNoPlace(TicketDesk):
    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        return msgspec.structs.replace(super().write(outbound, ref), unwritten={})


class ClaimsAColumnItLacks(TicketDesk):
    def describe(self) -> Capabilities:
        said = super().describe()
        unresolved = {name: why for name, why in said.unresolved.items() if name != "baseline"}
        return msgspec.structs.replace(said, columns={**said.columns, "baseline": "base"}, unresolved=unresolved)


class AttachesEmptyFiles(TicketDesk):
    def _body(self, outbound: Outbound) -> dict[str, Any]:
        body = super()._body(outbound)
        return {**body, "files": dict.fromkeys(body["files"], "")} if "files" in body else body


class AttachesOtherContent(TicketDesk):
    """Of the same length."""

    def _body(self, outbound: Outbound) -> dict[str, Any]:
        body = super()._body(outbound)
        if outbound.file is None:
            return body
        return {**body, "files": {outbound.file.name: base64.b64encode(bytes(len(outbound.file.content))).decode()}}


class MakesNoTasksAndLinks(TicketDesk):
    """And claims that it does, each time."""

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        if ref is None or outbound.verb not in (Verb.TASK, Verb.LINK):
            return super().write(outbound, ref)
        return Receipt(ref=ref, status=200, was_found=False, request_sha256="")


class FindsTasksAndLinksItNeverMade(TicketDesk):
    """It keeps their traces, and nothing else."""

    def _body(self, outbound: Outbound) -> dict[str, Any]:
        body = super()._body(outbound)
        return {"keys": body["keys"]} if outbound.verb in (Verb.TASK, Verb.LINK) else body


class MakesATaskOfTheRecord(TicketDesk):
    """The title of a task becomes the record's."""

    def _body(self, outbound: Outbound) -> dict[str, Any]:
        body = super()._body(outbound)
        return {**body, "tasks": [], "fields": self._values(outbound)} if outbound.verb is Verb.TASK else body


class ShowsAnotherRequest(TicketDesk):
    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        shown = super().preview(outbound, ref)
        return [PreviewRequest(method="DELETE", url="https://elsewhere.example/", body="") for _ in shown]


class ShowsAnotherBody(TicketDesk):
    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        return [msgspec.structs.replace(one, body=json.dumps({})) for one in super().preview(outbound, ref)]


class ShowsWhatIsDone(TicketDesk):
    """As if it were still to be sent."""

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        return super().preview(outbound, ref) or [PreviewRequest(method="PUT", url=self.config.url, body="{}")]


class SendsInADryRun(TicketDesk):
    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        shown = super().preview(outbound, ref)
        self.write(outbound, ref)
        return shown


class DeliversToWhatIsGone(TicketDesk):
    """A write to a record that somebody deleted counts as made."""

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        if ref is not None and ref.id not in self.desk.records():
            return Receipt(ref=ref, status=0, was_found=True, request_sha256="")
        return super().write(outbound, ref)


class MakesWhatIsGoneAnew(TicketDesk):
    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        if ref is not None and ref.id not in self.desk.records():
            self.desk.put(ref.url, "{}")
        return super().write(outbound, ref)


class TakesOthersInstallationsForOurs(TicketDesk):
    def _trace(self, outbound: Outbound) -> str:
        return outbound.key

    def _id(self, outbound: Outbound) -> str:
        return outbound.action_id


# --- in doubt -------------------------------------------------------------------------------------------------


class SendsAgainAtOnce(TicketDesk):
    """After a reset, in the same write."""

    def _put(self, id: str, body: dict[str, Any], key: str) -> None:
        try:
            super()._put(id, body, key)
        except OutcomeUnknown:
            super()._put(id, body, key)


class SendsAgainBeforeItIsSettled(TicketDesk):
    """What may still arrive is sent a second time by the next attempt."""

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        return super().write(msgspec.structs.replace(outbound, unanswered_s=None), ref)


class SaysItFailed(TicketDesk):
    """Of what may have taken effect."""

    def _put(self, id: str, body: dict[str, Any], key: str) -> None:
        try:
            super()._put(id, body, key)
        except OutcomeUnknown as error:
            raise ConnectionFailed(error.what) from error


class SaysItSucceeded(TicketDesk):
    """Of what may never have arrived."""

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        try:
            return super().write(outbound, ref)
        except OutcomeUnknown:
            id = ref.id if ref is not None else self._id(outbound)
            target = RecordRef(connection=self.name, mode="desk", id=id, number=id, url=self._url(id))
            return Receipt(ref=target, status=200, was_found=False, request_sha256="")


# --- secrets ---------------------------------------------------------------------------------------------------


class DescribesItsToken(TicketDesk):
    def describe(self) -> Capabilities:
        return msgspec.structs.replace(super().describe(), version=self.config.bearer_token)


class ShowsItsToken(TicketDesk):
    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        url = f"https://desk.example/?token={self.config.bearer_token}"
        return [msgspec.structs.replace(one, url=url) for one in super().preview(outbound, ref)]


class QuotesItsToken(TicketDesk):
    """In the error of a write whose answer was lost."""

    def _put(self, id: str, body: dict[str, Any], key: str) -> None:
        super()._put(id, body, f"{key} ({self.config.bearer_token})")


# --- following ------------------------------------------------------------------------------------------------


class TakesOurNotesForPeoples(TicketDesk):
    def _state(self, ref: RecordRef, record: dict[str, Any] | None) -> PlatformState:
        notes = record["notes"] if record is not None else []
        comments = [
            PlatformComment(id=note["key"], author="somebody", at=moment(note["at"]), text=note["text"])
            for note in notes
        ]
        return msgspec.structs.replace(super()._state(ref, record), comments=tuple(comments))


class BringsNoComments(TicketDesk):
    def _state(self, ref: RecordRef, record: dict[str, Any] | None) -> PlatformState:
        return msgspec.structs.replace(super()._state(ref, record), comments=())


class BringsNoTasks(TicketDesk):
    def _state(self, ref: RecordRef, record: dict[str, Any] | None) -> PlatformState:
        return msgspec.structs.replace(super()._state(ref, record), tasks=())


class ReadsDueDatesADayLate(TicketDesk):
    def _state(self, ref: RecordRef, record: dict[str, Any] | None) -> PlatformState:
        state = super()._state(ref, record)
        return msgspec.structs.replace(state, due=state.due + timedelta(days=1) if state.due else None)


class MissesNothing(TicketDesk):
    """A record that was deleted stays as it was made."""

    def _state(self, ref: RecordRef, record: dict[str, Any] | None) -> PlatformState:
        return msgspec.structs.replace(super()._state(ref, record), is_missing=False)


ONCE = "test_every_write_takes_effect_once_however_often_it_is_sent"
THERE = "test_what_is_there_is_what_was_read"
LEFT = "test_what_is_written_stands_there_once"
LOST = "test_a_write_that_was_lost_is_sent_again_once_it_is_settled"
UNANSWERED = "test_a_write_whose_answer_was_lost_is_found"
UNREADABLE = "test_a_record_that_cannot_be_read_is_handed_on_and_stops_no_other"
WORDS = "test_columns_that_hold_words_of_ours_hold_no_others"
SECRETS = "test_nobody_reads_a_secret"
SHOWN = "test_a_dry_run_shows_what_is_sent"
DELETED = "test_a_record_that_was_deleted_is_missing_and_takes_nothing"

WRONG: dict[type[TicketDesk], str] = {
    LosesATicket: THERE,
    ReadsEachTicketTwice: THERE,
    MisreadsTimes: THERE,
    IgnoresCursor: "test_a_pull_from_the_last_cursor_brings_no_more_than_the_overlap",
    IgnoresTies: "test_a_pull_killed_after_any_page_goes_on_from_its_cursor",
    IgnoresUntil: "test_pages_hold_canonical_records_not_after_the_bound",
    DropsWhatItCannotRead: UNREADABLE,
    StopsAtWhatItCannotRead: UNREADABLE,
    KnowsNothingGone: "test_only_what_is_not_there_is_gone",
    RemembersKeys: "test_a_record_that_was_deleted_is_gone",
    CallsKindsByItsOwnWords: WORDS,
    CallsStatesByItsOwnWords: WORDS,
    WritesNotesTwice: LEFT,
    LooksForNoNote: ONCE,
    RemembersItsWrites: UNANSWERED,
    ReadsNothingBack: "test_what_the_platform_does_not_keep_is_told",
    ReadsNoDifference: "test_what_the_platform_does_not_keep_is_told",
    TellsAsWrittenWhatItSent: "test_what_the_platform_does_not_keep_is_told",
    TellsNothingOfWhatHasNoPlace: "test_what_has_no_place_is_told",
    ClaimsAColumnItLacks: "test_what_has_no_place_is_told",
    AttachesEmptyFiles: LEFT,
    AttachesOtherContent: LEFT,
    MakesNoTasksAndLinks: ONCE,
    FindsTasksAndLinksItNeverMade: LEFT,
    MakesATaskOfTheRecord: "test_a_step_of_ours_is_among_the_tasks",
    ShowsAnotherRequest: SHOWN,
    ShowsAnotherBody: SHOWN,
    ShowsWhatIsDone: ONCE,
    SendsInADryRun: "test_a_dry_run_writes_nothing",
    DeliversToWhatIsGone: DELETED,
    MakesWhatIsGoneAnew: DELETED,
    TakesOthersInstallationsForOurs: "test_another_installation_has_records_and_notes_of_its_own",
    SendsAgainAtOnce: UNANSWERED,
    SendsAgainBeforeItIsSettled: LOST,
    SaysItFailed: UNANSWERED,
    SaysItSucceeded: LOST,
    DescribesItsToken: SECRETS,
    ShowsItsToken: SECRETS,
    QuotesItsToken: SECRETS,
    ReadsDueDatesADayLate: "test_a_due_date_comes_home_as_it_was_written",
    TakesOurNotesForPeoples: "test_a_note_of_ours_is_nobodys_comment",
    BringsNoComments: "test_a_comment_of_a_person_comes_home",
    BringsNoTasks: "test_a_step_of_ours_is_among_the_tasks",
    MissesNothing: DELETED,
}


def test_the_right_one_fails_nothing(tmp_path: Path) -> None:
    assert failed(OnADesk, tmp_path) == set()


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
def test_a_wrong_one_fails_the_test_of_what_it_does(wrong: type[TicketDesk], tmp_path: Path) -> None:
    suite = type("OnAWrongDesk", (OnADesk,), {"kind": wrong})
    assert fails(suite, WRONG[wrong], tmp_path)


class WithoutHooks(OnADesk):
    """As suites were before there were hooks."""

    must_be_whole: ClassVar[bool] = False
    expected = Conformance.expected
    put_bad_record = Conformance.put_bad_record
    delete_record = Conformance.delete_record
    effects = Conformance.effects
    sent = Conformance.sent
    break_next = Conformance.break_next
    drop_description = Conformance.drop_description
    delete_improvement = Conformance.delete_improvement
    comment = Conformance.comment
    secrets = Conformance.secrets


HOOKS = {
    THERE: "expected",
    UNREADABLE: "put_bad_record",
    "test_a_record_that_was_deleted_is_gone": "delete_record",
    LEFT: "effects",
    SHOWN: "sent",
    UNANSWERED: "break_next",
    LOST: "break_next",
    "test_what_the_platform_does_not_keep_is_told": "drop_description",
    DELETED: "delete_improvement",
    "test_a_comment_of_a_person_comes_home": "comment",
    SECRETS: "secrets",
}


@pytest.mark.parametrize(("name", "hook"), HOOKS.items())
def test_a_test_without_its_hook_is_skipped_and_says_why(name: str, hook: str, tmp_path: Path) -> None:
    one = WithoutHooks()
    one.fill(tmp_path)
    with pytest.raises(SkipTest, match=rf"The hook {hook}\(\) is not given: "):
        getattr(one, name)()


def test_without_hooks_all_others_run(tmp_path: Path) -> None:
    assert failed(WithoutHooks, tmp_path) == set(HOOKS)


def test_a_suite_that_must_be_whole_fails_without_a_hook(tmp_path: Path) -> None:
    suite = type("Whole", (WithoutHooks,), {"must_be_whole": True})
    one = suite()
    one.fill(tmp_path)
    with pytest.raises(AssertionError, match=r"The hook expected\(\) is not given"):
        one.test_what_is_there_is_what_was_read()
