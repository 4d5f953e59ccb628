"""Departures: what is gone is buried, what may only be hidden is not, and the cheap questions come first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.base import BreachCount, DeleteLog, Gone, Keys, Page, SaysNothingOfDepartures
from improvement.errors import ConnectionFailed
from improvement.records import RecordKind
from tests.improvement.metrics.build import CONNECTION, ZONES, a_clock, a_survey, a_ticket, a_warehouse, arrow, at
from workflows.steps.departures import MOST_ASKED, Departed, Departures, Looked, Schedule
from workflows.warehouse import Warehouse

TICKET, SLA = RecordKind.TICKET, RecordKind.SLA
MONDAY = at("2026-04-06T12:00")
WEEK = timedelta(weeks=1)
RECORDS = 200


@dataclass
class Platform(SaysNothingOfDepartures):
    """Says whatever a story lets it say, and notes what it was asked."""

    name: str = CONNECTION
    there: set[str] = field(default_factory=lambda: {f"t{number}" for number in range(RECORDS)})
    hidden: set[str] = field(default_factory=set)
    log: DeleteLog | None = None
    listed: Keys | None = None
    breached: int | None = 0
    parts: tuple[RecordKind, ...] = ()
    breaks: bool = False
    asked: list[str] = field(default_factory=list)

    def inside_tickets(self) -> Sequence[RecordKind]:
        return self.parts

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        self.asked.append("count")
        return len(self.there)

    def deleted(self, kind: RecordKind, *, since: datetime, until: datetime) -> DeleteLog | None:
        self.asked.append("log")
        return self.log

    def keys(self, kind: RecordKind) -> Keys | None:
        self.asked.append("keys")
        if self.breaks:
            raise ConnectionFailed("The connection broke in the middle.", mend="Try again.")
        if self.listed is not None:
            return self.listed
        shown = sorted(self.there - self.hidden)
        return Keys(ids=pa.array(shown, pa.string()), counted=len(self.there))

    def gone(self, kind: RecordKind, ids: Sequence[str]) -> list[str]:
        self.asked.append(f"gone {len(ids)}")
        return [id for id in ids if id not in self.there]

    def breaches(self, *, since: datetime, until: datetime) -> BreachCount | None:
        self.asked.append("breaches")
        return None if self.breached is None else BreachCount(count=self.breached, of="rows")


@dataclass
class Story:
    """A warehouse with tickets, a platform, and what was looked at so far."""

    platform: Platform
    warehouse: Warehouse
    looked: Looked = field(default_factory=Looked)
    read_again: list[datetime] = field(default_factory=list)
    read: list[str] = field(default_factory=list)  # by their ids
    now: datetime = MONDAY

    def look(self, kind: RecordKind = TICKET, *, is_new: bool = False, **options: bool) -> Departed:
        self.platform.asked.clear()
        departures = Departures(self.platform, self.warehouse, self.now, Schedule(), **options)  # type: ignore[arg-type]
        found = departures.look(
            kind, self.looked, is_new=is_new, read_again=self.read_again.append, read_by_ids=self.read_by_ids
        )
        self.now += WEEK
        return found

    def read_by_ids(self, ids: Sequence[str]) -> int:
        """Load what the platform would deliver: some of it cannot be read."""
        self.read += ids
        shown = [a_ticket(id, title="Read by its id") for id in ids if not id.startswith("odd")]
        self.warehouse.load(TICKET, arrow(TICKET, shown), seen_at=self.now, zones=ZONES)
        return len(ids) - len(shown)

    @property
    def live(self) -> int:
        return self.warehouse.count(TICKET, CONNECTION)


class Reader(Platform):
    """One that can also read records by their ids."""

    def read_by_ids(self, kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        raise AssertionError("the step reads through its own way")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """The first pull is done: everything was read."""
    tickets = [a_ticket(f"t{number}") for number in range(RECORDS)]
    with a_warehouse(tmp_path, *tickets, a_clock(), a_survey()) as warehouse:
        told = Story(Platform(), warehouse)
        told.look(is_new=True)
        yield told


@pytest.fixture
def reading(story: Story) -> Story:
    """The same with a connector that reads by ids, begun at the beginning."""
    story.platform = Reader()
    story.looked.is_whole = True
    return story


def test_a_week_in_which_nothing_went_costs_one_count(story: Story) -> None:
    assert story.look().deleted == 0
    assert story.platform.asked == ["log", "count"]


def test_what_a_smaller_count_tells_is_listed_asked_for_and_buried(story: Story) -> None:
    story.platform.there -= {"t1", "t2"}
    found = story.look()
    assert (found.deleted, found.by, found.notes) == (2, {"by the list of keys": 2}, [])
    assert story.live == RECORDS - 2
    assert story.platform.asked == ["log", "count", "keys", "gone 2"]
    assert story.look().deleted == 0
    assert "keys" not in story.platform.asked


def test_between_the_weeks_only_the_log_is_read(story: Story) -> None:
    story.now -= WEEK - timedelta(days=1)
    story.platform.there -= {"t1"}
    assert story.look().deleted == 0
    assert story.platform.asked == ["log"]


def test_the_log_buries_at_once_but_not_what_was_restored(story: Story) -> None:
    story.now -= WEEK - timedelta(days=1)
    story.platform.log = DeleteLog(ids=("t1", "t2", "elsewhere"))
    story.platform.there -= {"t1"}
    found = story.look()
    assert (found.deleted, found.by) == (1, {"by the log": 1})
    assert "were kept" in found.notes[0]
    assert story.platform.asked == ["log", "gone 2"]


def test_a_log_that_may_not_be_read_is_told_with_its_remedy(story: Story) -> None:
    story.platform.log = DeleteLog(problem="sys_audit_delete may not be read", mend="Give the right.")
    before = story.looked.log_until
    assert story.look().notes == [
        "The log of deletions tells nothing: sys_audit_delete may not be read. Give the right."
    ]
    assert story.looked.log_until == before  # what it did not tell is asked for again


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (Keys(ids=pa.array([], pa.string()), counted=0), "lists no key at all"),
        (Keys(ids=pa.array([], pa.string()), counted=None), "lists no key at all"),
        (Keys(ids=pa.array([f"t{n}" for n in range(150)]), counted=RECORDS), "counts 200 records and lists 150"),
        (Keys(ids=pa.array([f"t{n}" for n in range(150)]), counted=198, is_estimate=True), "counts 198"),
        (Keys(ids=pa.array([f"t{n}" for n in range(120)]), counted=120), "without 80 of our 200 records"),
    ],
)
def test_a_list_that_may_be_incomplete_buries_nothing(listed: Keys, reason: str, story: Story) -> None:
    story.platform.there = {"t0"}  # whatever is asked for would be gone
    story.platform.listed = listed
    found = story.look()
    assert found.deleted == 0
    assert story.live == RECORDS
    assert reason in found.notes[0]
    assert "Nothing was taken for deleted" in found.notes[0]
    assert not [text for text in story.platform.asked if text.startswith("gone")]


def test_an_error_in_the_middle_of_the_list_buries_nothing_and_the_next_pull_asks_again(story: Story) -> None:
    story.platform.there -= {"t1"}
    story.platform.breaks = True
    found = story.look()
    assert (found.deleted, story.live) == (0, RECORDS)
    assert "broke in the middle" in found.notes[0]
    story.platform.breaks = False
    story.now -= WEEK - timedelta(hours=1)  # not a week later: at once
    assert story.look().deleted == 1


def test_most_of_everything_is_only_buried_when_a_person_says_so(story: Story) -> None:
    story.platform.there = {f"t{number}" for number in range(100)}
    refused = story.look()
    assert (refused.deleted, story.live) == (0, RECORDS)
    assert "--reconcile" in refused.notes[0]
    assert story.look(is_forced=True).deleted == 100


def test_nothing_at_all_is_never_believed_not_even_when_forced(story: Story) -> None:
    story.platform.there = set()
    assert story.look(is_forced=True).deleted == 0
    assert story.live == RECORDS


def test_records_that_are_hidden_from_us_are_no_deletions(story: Story) -> None:
    story.platform.hidden = {"t1", "t2"}
    found = story.look(is_forced=True)
    assert (found.deleted, story.live) == (0, RECORDS)
    assert "hidden from us" in found.notes[0]


def test_a_small_difference_to_an_estimate_is_no_reason_to_distrust_a_list(story: Story) -> None:
    story.platform.there -= {"t1"}
    ids = pa.array(sorted(story.platform.there))
    story.platform.listed = Keys(ids=ids, counted=len(ids) + 2, is_estimate=True)
    assert story.look().deleted == 1


def test_what_comes_back_is_revived(story: Story) -> None:
    story.platform.there -= {"t1"}
    story.look()
    story.platform.there |= {"t1"}
    found = story.look(is_forced=True)
    assert (found.revived, story.live) == (1, RECORDS)
    assert "there again" in found.notes[0]


def test_records_we_could_not_read_do_not_hide_what_goes_after_them(story: Story) -> None:
    story.platform.there |= {"unreadable-1", "unreadable-2"}
    story.look(is_forced=True)
    story.look()
    assert "keys" not in story.platform.asked  # the difference is known
    story.platform.there -= {"t1"}
    assert story.look().deleted == 1


def test_all_keys_are_listed_once_in_a_quarter_whatever_the_counts_say(story: Story) -> None:
    story.platform.there = (story.platform.there - {"t1"}) | {"unread"}  # one went, one was never read: counts agree
    weeks = [story.look().deleted for _ in range(13)]
    assert weeks == [0] * 12 + [1]


def test_more_than_can_be_asked_for_in_one_pull_is_asked_for_in_the_next(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.steps.departures.MOST_ASKED", 10)
    assert MOST_ASKED > 10
    story.platform.there -= {f"t{number}" for number in range(15)}
    first = story.look()
    assert first.deleted == 10
    assert "5 more are asked for by the next pull" in first.notes[0]
    assert story.look().deleted == 5


def test_parts_of_a_ticket_go_with_it_and_nobody_is_asked(story: Story) -> None:
    story.platform.parts = (SLA,)
    story.warehouse.tombstones.bury(TICKET, CONNECTION, ["t1"], seen_at=story.now)
    found = story.look(SLA)
    assert (found.deleted, found.by) == (1, {"with their ticket": 1})
    assert story.platform.asked == ["breaches"]


def test_clocks_are_read_again_when_the_platform_counts_other_breaches(story: Story) -> None:
    story.platform.parts = (SLA,)
    story.look(SLA)
    assert story.read_again == []  # it counts what we count
    story.platform.breached = 7
    asked_at = story.now
    story.look(SLA)
    assert story.read_again == [asked_at - timedelta(weeks=13)]
    story.look(SLA)
    assert len(story.read_again) == 1  # what is left is known: read as we read it
    story.platform.breached = 8
    story.look(SLA)
    assert len(story.read_again) == 2


def test_clocks_are_read_again_every_week_where_breaches_cannot_be_counted(story: Story) -> None:
    story.platform.parts, story.platform.breached = (SLA,), None
    story.look(SLA)
    story.look(SLA)
    assert len(story.read_again) == 2
    story.now -= WEEK - timedelta(days=1)
    story.look(SLA)
    assert len(story.read_again) == 2


# --- what is there and not here -------------------------------------------------------------------------------------

GRANTED = {f"secret{number}" for number in range(30)}


def test_what_a_larger_count_tells_is_listed_read_by_its_ids_and_told(reading: Story) -> None:
    reading.platform.there |= GRANTED
    found = reading.look()
    assert sorted(reading.read) == sorted(found.lacked) == sorted(GRANTED)
    assert reading.live == RECORDS + 30
    assert reading.platform.asked == ["log", "count", "keys"]
    (note,) = found.notes
    assert "30 records that the platform has were not here" in note
    reading.read.clear()
    assert (reading.look().notes, reading.read) == ([], [])
    assert "keys" not in reading.platform.asked


def test_what_was_hidden_at_the_first_pull_is_told_then_and_every_week(reading: Story) -> None:
    reading.looked = Looked(is_whole=True)
    reading.platform.there |= GRANTED
    reading.platform.hidden |= GRANTED
    first = reading.look(is_new=True)
    assert "counts 230 records and lists 200 of them" in first.notes[0]
    assert "--reconcile" in first.notes[0]
    second = reading.look()
    assert "counts 230 records, 30 of them are not here" in second.notes[0]
    assert "--reconcile" in second.notes[0]
    assert "keys" not in reading.platform.asked  # the difference is known
    assert reading.read == []


def test_what_is_granted_later_is_read_when_a_person_asks_or_with_the_usual_list(reading: Story) -> None:
    reading.looked = Looked(is_whole=True)
    reading.platform.there |= GRANTED
    reading.platform.hidden |= GRANTED
    reading.look(is_new=True)
    reading.platform.hidden.clear()  # the count says the same as before
    assert reading.look().lacked == []
    weeks = [len(reading.look().lacked) for _ in range(12)]
    assert sum(weeks) == 30
    assert reading.look().notes == []


def test_a_person_need_not_wait_for_the_usual_list(reading: Story) -> None:
    reading.platform.there |= GRANTED
    reading.platform.hidden |= GRANTED
    reading.look()
    reading.platform.hidden.clear()
    assert len(reading.look(is_forced=True).lacked) == 30


def test_a_difference_that_grows_with_everything_is_not_listed_every_week(reading: Story) -> None:
    reading.platform.there |= GRANTED
    reading.platform.hidden |= GRANTED
    listed = 0
    for week in range(10):
        reading.look()
        listed += "keys" in reading.platform.asked
        more = {f"secret{week}-{number}" for number in range(2)}
        reading.platform.there |= more
        reading.platform.hidden |= more
    assert listed <= 3


def test_what_was_created_while_we_read_is_no_reason_to_list(reading: Story) -> None:
    reading.platform.there |= {f"new{number}" for number in range(5)}
    assert reading.look().notes == []
    assert "keys" not in reading.platform.asked


def test_the_slack_of_an_estimate_is_larger(reading: Story) -> None:
    for number in range(RECORDS, 3000):
        reading.platform.there.add(f"t{number}")
    tickets = [a_ticket(f"t{number}") for number in range(RECORDS, 3000)]
    reading.warehouse.load(TICKET, arrow(TICKET, tickets), seen_at=reading.now, zones=ZONES)
    reading.platform.there |= {f"secret{number}" for number in range(20)}
    reading.looked.is_estimate = True
    assert reading.look().lacked == []
    reading.looked.is_estimate = False
    assert len(reading.look().lacked) == 20


def test_more_than_can_be_read_in_one_pull_is_read_by_the_next(reading: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflows.steps.lacking.MOST_READ", 20)
    reading.platform.there |= GRANTED
    first = reading.look()
    assert len(first.lacked) == 20
    assert "10 more are read by the next pull" in first.notes[-1]
    reading.now -= WEEK - timedelta(hours=1)  # not a week later: at once
    assert len(reading.look().lacked) == 10
    assert reading.live == RECORDS + 30


def test_what_cannot_be_read_by_its_id_either_is_not_asked_for_again_and_again(reading: Story) -> None:
    odd = {f"odd{number}" for number in range(12)}
    reading.platform.there |= odd
    found = reading.look()
    assert (found.lacked, found.unreadable, found.is_left) == ([], 12, False)
    assert reading.looked.gap == 0


def test_a_record_rejected_before_is_not_asked_for(reading: Story) -> None:
    reading.platform.there |= {"odd1"}
    departures = Departures(reading.platform, reading.warehouse, reading.now, Schedule(), is_forced=True)
    departures.look(
        TICKET,
        reading.looked,
        is_new=False,
        read_again=reading.read_again.append,
        read_by_ids=reading.read_by_ids,
        unreadable=["odd1"],
    )
    assert reading.read == []


def test_what_comes_back_is_read_anew_where_that_can_be_done(reading: Story) -> None:
    reading.platform.there -= {"t1"}
    reading.look()
    reading.platform.there |= {"t1"}
    found = reading.look(is_forced=True)
    assert (found.revived, found.lacked, reading.live) == (1, [], RECORDS)
    assert found.notes == ["1 records that were taken for gone are there again, and were read anew."]
    assert reading.read == ["t1"]


def test_many_that_come_back_do_not_keep_others_from_being_read(
    reading: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.steps.lacking.MOST_READ", 20)
    away = {f"t{number}" for number in range(25)}
    reading.platform.there -= away
    reading.look()
    reading.platform.there |= away | GRANTED
    first = reading.look()
    assert (first.revived, first.lacked, first.is_left) == (20, [], True)
    assert "were read anew" in first.notes[0]
    assert "35 more are read by the next pull" in first.notes[1]
    second = reading.look()
    assert (second.revived, len(second.lacked)) == (5, 15)
    assert len(reading.look().lacked) == 15


def test_a_failure_while_reading_is_told_and_the_next_pull_goes_on(
    reading: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading.platform.there -= {"t1"}
    reading.look()
    reading.platform.there |= GRANTED | {"t1"}

    def breaks(ids: Sequence[str]) -> int:
        Story.read_by_ids(reading, ids[:11])
        raise ConnectionFailed("The connection broke in the middle.", mend="Try again.")

    monkeypatch.setattr(reading, "read_by_ids", breaks)
    found = reading.look()
    assert (found.revived, len(found.lacked)) == (0, 10)  # so that the ledger keeps it
    assert "broke in the middle" in found.notes[-1]
    monkeypatch.undo()
    reading.now -= WEEK - timedelta(hours=1)
    assert "keys" not in (reading.look(), reading.platform.asked)[1], "not at every pull of a bad day"
    assert len(reading.look().lacked) == 20


def test_an_incomplete_list_buries_nothing_but_what_it_has_is_there(reading: Story) -> None:
    reading.platform.there |= GRANTED | {"hidden1", "hidden2"}
    reading.platform.hidden |= {"hidden1", "hidden2", "t1"}
    found = reading.look()
    assert (found.deleted, len(found.lacked)) == (0, 30)
    assert "hidden from us" in found.notes[0]


def test_a_connector_that_cannot_read_by_ids_says_how_many_are_not_here(story: Story) -> None:
    story.looked.is_whole = True
    story.platform.there |= GRANTED
    (note,) = story.look().notes
    assert "lists 30 records that are not here" in note
    assert "--since" in note
    assert story.read == []


def test_whoever_began_with_a_day_is_not_given_what_is_older(reading: Story) -> None:
    reading.looked = Looked(is_whole=False)
    reading.platform.there |= GRANTED
    assert reading.look(is_new=True).notes == []
    assert reading.look(is_forced=True).notes == []
    assert reading.read == []


def test_where_nobody_wrote_down_how_it_began_a_person_is_asked(reading: Story) -> None:
    reading.looked.is_whole = None
    reading.platform.there |= GRANTED
    (note,) = reading.look().notes
    assert "lists 30 records that are not here; `regelkreis pull" in note
    assert reading.read == []
    assert len(reading.look(is_forced=True).lacked) == 30


# --- what is there and matches no longer ----------------------------------------------------------------------------


def test_what_left_the_filter_is_told_as_that(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.platform.there -= {"t1", "t2"}
    monkeypatch.setattr(story.platform, "gone", lambda kind, ids: Gone(ids, outside=["t2"]))
    found = story.look()
    assert found.by == {"by the list of keys": 1, "outside the filter": 1}
    (note,) = found.notes
    assert "1 records are there, but no longer match the mapping" in note


def test_what_changed_too_recently_is_asked_for_again_the_next_week(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.platform.there -= {"t1"}
    monkeypatch.setattr(story.platform, "gone", lambda kind, ids: Gone(undecided=1))
    found = story.look()
    assert (found.deleted, story.live) == (0, RECORDS)
    (note,) = found.notes
    assert "too recently to be sure" in note
    monkeypatch.setattr(story.platform, "gone", lambda kind, ids: Gone(ids, outside=ids))
    assert story.look().deleted == 1
