"""Departures: what is gone is buried, what may only be hidden is not, and the cheap questions come first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.base import DeleteLog, Gone, Keys
from tests.improvement.metrics.build import CONNECTION
from tests.workflows.steps.departing import RECORDS, SLA, TICKET, WEEK, Story, a_story
from workflows.steps.departures import MOST_ASKED


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with a_story(tmp_path) as told:
        yield told


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
    assert found.notes[0].endswith("it was kept.")
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


# --- what is there and matches no longer ----------------------------------------------------------------------------


def test_what_left_the_filter_is_told_as_that(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.platform.there -= {"t1", "t2"}
    monkeypatch.setattr(story.platform, "gone", lambda kind, ids: Gone(ids, outside=["t2"]))
    found = story.look()
    assert found.by == {"by the list of keys": 1, "outside the filter": 1}
    (note,) = found.notes
    assert "1 record is there, but no longer matches the mapping" in note


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
