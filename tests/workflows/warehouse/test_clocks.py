"""The natural key of SLA rows: repairs, resets and reopenings never double or lose a clock."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from improvement.records import RecordKind, SlaRecord
from tests.improvement.metrics.build import CONNECTION, LATER, a_clock, a_ticket, a_warehouse, at, load
from workflows.warehouse import Warehouse

NINE, TEN, NOON = at("2026-03-02T09:00"), at("2026-03-02T10:00"), at("2026-03-02T12:00")


def clocks(warehouse: Warehouse) -> list[tuple[str, str, int]]:
    found = warehouse.arrow("SELECT id, stage, n FROM live_slas ORDER BY ticket_id, sla_id, start_at, n").to_pylist()
    return [(row["id"], row["stage"], row["n"]) for row in found]


def test_a_repair_under_new_ids_doubles_nothing_and_lists_what_changed(tmp_path: Path) -> None:
    before = [a_clock("a", is_breached=True, breach_at=NINE), a_clock("b", sla_id="silver")]
    after = [a_clock("x", breach_at=NOON), a_clock("y", sla_id="silver")]
    with a_warehouse(tmp_path, a_ticket(), *before) as warehouse:
        report = load(warehouse, *after)
        assert (report.new, report.changed, report.unchanged) == (0, 2, 0)
        assert clocks(warehouse) == [("x", "completed", 1), ("y", "completed", 1)]
        changes = warehouse.changes(CONNECTION, since=at("2026-01-01")).to_pylist()
    assert {(row["key"].split("/")[1], row["field"], row["old"], row["new"]) for row in changes} == {
        ("gold", "is_breached", "true", "false"),
        ("gold", "breach_at", "2026-03-02T09:00:00Z", "2026-03-02T12:00:00Z"),
    }


def test_a_running_clock_that_was_repaired_stays_one(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_clock("a", stage="in_progress", end_at=None)) as warehouse:
        load(warehouse, a_clock("x"))
        assert clocks(warehouse) == [("x", "completed", 1)]


def test_a_cancelled_clock_and_its_successor_share_their_start(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_clock("a", stage="in_progress", end_at=None)) as warehouse:
        load(warehouse, a_clock("a", stage="cancelled", end_at=NINE), a_clock("b", stage="in_progress", end_at=None))
        assert clocks(warehouse) == [("a", "cancelled", -1), ("b", "in_progress", 1)]
        changes = warehouse.changes(CONNECTION, since=at("2026-01-01")).to_pylist()
    assert ("stage", "in_progress", "cancelled") in {(row["field"], row["old"], row["new"]) for row in changes}


def test_a_reset_that_arrives_in_two_batches_ends_the_same(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_clock("a", stage="in_progress", end_at=None)) as warehouse:
        load(warehouse, a_clock("b", stage="in_progress", end_at=None))
        load(warehouse, a_clock("a", stage="cancelled", end_at=NINE))
        assert clocks(warehouse) == [("a", "cancelled", -1), ("b", "in_progress", 1)]


REOPENED = [a_clock("a", end_at=NINE), a_clock("b", end_at=TEN), a_clock("c", stage="in_progress", end_at=None)]


def test_a_reopened_ticket_has_clocks_with_the_same_start_in_the_order_of_their_ends(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket()) as warehouse:
        for clock in REOPENED:  # one pull after another
            load(warehouse, clock)
        assert clocks(warehouse) == [("a", "completed", 1), ("b", "completed", 2), ("c", "in_progress", 3)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_within_a_batch_does_not_matter(tmp_path: Path, order: tuple[int, ...]) -> None:
    with a_warehouse(tmp_path, a_ticket(), *(REOPENED[index] for index in order)) as warehouse:
        assert clocks(warehouse) == [("a", "completed", 1), ("b", "completed", 2), ("c", "in_progress", 3)]
        repaired = [_renamed(REOPENED[index]) for index in order]
        report = load(warehouse, *repaired)
        assert (report.new, report.changed) == (0, 3)
        assert clocks(warehouse) == [("new-a", "completed", 1), ("new-b", "completed", 2), ("new-c", "in_progress", 3)]


def test_a_clock_that_turns_out_to_be_earlier_moves_the_others_on(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_clock("a", end_at=NINE), a_clock("b", end_at=TEN)) as warehouse:
        load(warehouse, a_clock("a", end_at=NOON))
        assert clocks(warehouse) == [("b", "completed", 1), ("a", "completed", 2)]


@pytest.mark.parametrize("beside", [[], [a_clock("b", end_at=TEN)]], ids=["alone", "with the other as it was"])
def test_a_clock_that_is_left_alone_with_its_start_is_the_first(tmp_path: Path, beside: list[SlaRecord]) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_clock("a", end_at=NINE), a_clock("b", end_at=TEN)) as warehouse:
        load(warehouse, a_clock("a", start_at=at("2026-03-02T08:30"), end_at=NINE), *beside)  # a retroactive start
        assert clocks(warehouse) == [("b", "completed", 1), ("a", "completed", 1)]


def test_the_clock_that_a_repair_dropped_is_buried_by_its_id(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_clock("a"), a_clock("b", sla_id="silver")) as warehouse:
        load(warehouse, a_clock("x"))
        assert warehouse.tombstones.bury(RecordKind.SLA, CONNECTION, ["b"], seen_at=LATER) == 1
        assert clocks(warehouse) == [("x", "completed", 1)]
        load(warehouse, a_clock("z", sla_id="silver"))
        assert clocks(warehouse) == [("x", "completed", 1), ("z", "completed", 1)]


def test_clocks_of_a_vanished_ticket_do_not_count(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_clock()) as warehouse:
        warehouse.tombstones.bury(RecordKind.TICKET, CONNECTION, ["t1"], seen_at=LATER)
        assert clocks(warehouse) == []


def _renamed(clock: SlaRecord) -> SlaRecord:
    return a_clock(f"new-{clock.id}", stage=clock.stage, end_at=clock.end_at)
