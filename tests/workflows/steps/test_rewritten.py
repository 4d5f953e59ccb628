"""Clocks that a platform recalculated without touching their tickets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from improvement.records import RecordKind
from tests.improvement.metrics.build import CONNECTION, ZONES, a_clock, arrow, at
from tests.workflows.steps.departing import SLA, WEEK, Reader, Story, a_story
from workflows.steps.rewritten import SAMPLE


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with a_story(tmp_path) as told:
        told.platform.parts = (SLA,)
        yield told


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


# --- a few of those that stopped, by their ids ----------------------------------------------------------------------


def reading(story: Story, monkeypatch: pytest.MonkeyPatch, elapsed_s: int, clocks: int = 1) -> list[Sequence[str]]:
    """Let the platform show its clocks with another time; what is asked for by ids."""
    asked: list[Sequence[str]] = []

    def read(ids: Sequence[str]) -> int:
        asked.append(ids)
        shown = [a_clock(f"s{number}", elapsed_s=elapsed_s) for number in range(clocks)]
        story.warehouse.load(SLA, arrow(SLA, shown), seen_at=story.now, zones=ZONES)
        return 0

    monkeypatch.setattr(story, "read_by_ids", read)
    story.platform = Reader(parts=(SLA,))
    return asked


def test_another_time_of_a_clock_that_stopped_is_a_reason_to_read_all_of_the_last_weeks_again(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.warehouse.load(SLA, arrow(SLA, [a_clock("s0", elapsed_s=60)]), seen_at=story.now, zones=ZONES)
    asked, asked_at = reading(story, monkeypatch, elapsed_s=61), story.now
    told = story.look(SLA)
    assert [len(ids) for ids in asked] == [1]
    assert story.read_again == [asked_at - timedelta(weeks=13)]
    assert "recalculated on the platform, without a trace" in told.notes[0]
    told = story.look(SLA)  # now they are as we have them
    assert (len(asked), len(story.read_again), told.notes) == (2, 1, [])


def test_a_clock_that_runs_beside_one_that_stopped_goes_on_and_is_no_difference(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: dict[str, Any] = {"stage": "in_progress", "end_at": None}
    asked: list[Sequence[str]] = []

    def load() -> None:
        elapsed = int((story.now - at("2026-03-02T08:00")).total_seconds())
        clocks = [a_clock(), a_clock("s1", sla_id="silver", elapsed_s=elapsed, **beside)]
        story.warehouse.load(SLA, arrow(SLA, clocks), seen_at=story.now, zones=ZONES)

    def read(ids: Sequence[str]) -> int:
        asked.append(ids)
        load()
        return 0

    load()
    story.now += WEEK
    monkeypatch.setattr(story, "read_by_ids", read)
    story.platform = Reader(parts=(SLA,))
    assert story.look(SLA).notes == []
    beside = {"stage": "completed", "end_at": story.now}  # it stops, which is no recalculation either
    assert story.look(SLA).notes == []
    assert (asked, story.read_again) == ([["t1"], ["t1"]], [])


def test_the_sample_is_small_and_another_one_each_week(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    many = [a_clock(f"s{number}", ticket_id=f"t{number}", elapsed_s=60) for number in range(SAMPLE + 50)]
    story.warehouse.load(SLA, arrow(SLA, many), seen_at=story.now, zones=ZONES)
    asked = reading(story, monkeypatch, elapsed_s=60, clocks=0)
    story.look(SLA)
    story.look(SLA)
    first, second = map(set, asked)
    assert len(first) == len(second) == SAMPLE
    assert first != second
    assert all(id.startswith("t") for id in first)  # clocks inside tickets are read with their tickets


@pytest.mark.parametrize("change", [{"end_at": None}, {"id": "import:1"}, {"weeks": 20}])
def test_what_still_runs_came_from_a_file_or_is_too_old_is_not_asked_for(
    change: dict[str, object], story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.now += WEEK * int(str(change.pop("weeks", 0)))
    story.warehouse.tombstones.bury(SLA, CONNECTION, [a_clock().id], seen_at=story.now)
    clock = a_clock(**{"id": "s0", **change})  # type: ignore[arg-type]
    story.warehouse.load(SLA, arrow(SLA, [clock]), seen_at=story.now, zones=ZONES)
    asked = reading(story, monkeypatch, elapsed_s=60)
    story.look(SLA)
    assert asked == []


def test_a_connector_that_cannot_read_by_ids_is_not_asked_to(story: Story) -> None:
    story.look(SLA)
    assert (story.read, story.read_again) == ([], [])
    assert RecordKind.SLA in story.platform.inside_tickets()
