"""What a platform lists and we lack is read by its ids, bounded, and told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from improvement.errors import ConnectionFailed
from tests.improvement.metrics.build import ZONES, a_ticket, arrow
from tests.workflows.steps.departing import RECORDS, TICKET, WEEK, Reader, Story, a_story
from workflows.steps.departures import Departures, Looked, Schedule

GRANTED = {f"secret{number}" for number in range(30)}


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with a_story(tmp_path) as told:
        yield told


@pytest.fixture
def reading(story: Story) -> Story:
    """The same with a connector that reads by ids, begun at the beginning."""
    story.platform = Reader()
    story.looked.is_whole = True
    return story


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


def test_records_that_are_listed_and_never_given_do_not_keep_the_others_waiting(
    reading: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.steps.lacking.MOST_READ", 20)
    ghosts = {f"a{number}" for number in range(40)}  # first in the alphabet
    give = reading.read_by_ids
    monkeypatch.setattr(reading, "read_by_ids", lambda ids: give([id for id in ids if id not in ghosts]))
    reading.platform.there |= ghosts | GRANTED
    for _ in range(30):
        reading.look(is_forced=True)
    assert reading.live == RECORDS + 30


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
    assert found.notes == ["1 record that was taken for gone is there again, and was read anew."]
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
    reading.look()
    assert "keys" not in reading.platform.asked, "not at every pull of a bad day"
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
