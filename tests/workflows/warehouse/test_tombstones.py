"""Tombstones: what is gone keeps its last values and counts no more; and which changes are restatements."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from improvement.records import IMPORTED, RecordKind
from tests.improvement.metrics.build import (
    CONNECTION,
    LATER,
    a_clock,
    a_contact,
    a_survey,
    a_ticket,
    a_warehouse,
    at,
    load,
)
from workflows.warehouse import Warehouse

TICKET, SLA, SURVEY = RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY
MONDAY, TUESDAY = at("2026-04-06"), at("2026-04-07")


def live(warehouse: Warehouse, table: str) -> list[str]:
    return sorted(warehouse.arrow(f"SELECT id FROM {table}")["id"].to_pylist())


def test_only_those_named_are_buried_and_only_once(tmp_path: Path) -> None:
    others = a_ticket("t1", connection="other")
    with a_warehouse(tmp_path, a_ticket("t1"), a_ticket("t2"), others) as warehouse:
        stones = warehouse.tombstones
        assert stones.bury(TICKET, CONNECTION, ["t1", "never"], seen_at=MONDAY) == 1
        assert stones.bury(TICKET, CONNECTION, ["t1"], seen_at=TUESDAY) == 0
        assert stones.bury(TICKET, CONNECTION, [], seen_at=TUESDAY) == 0
        assert live(warehouse, "live_tickets") == ["t1", "t2"]  # t1 of the other connection
        changes = warehouse.changes(CONNECTION, since=MONDAY).to_pylist()
    assert [(row["key"], row["field"], row["new"]) for row in changes] == [
        ("t1", "vanished_at", "2026-04-06T00:00:00Z")
    ]


def test_parts_go_with_their_ticket_and_come_back_with_it(tmp_path: Path) -> None:
    records = (a_ticket("t1"), a_ticket("t2"), a_clock("k1"), a_clock("k2", ticket_id="t2"), a_survey("s1"))
    with a_warehouse(tmp_path, *records) as warehouse:
        stones = warehouse.tombstones
        stones.bury(SLA, CONNECTION, ["k2"], seen_at=MONDAY)
        stones.bury(TICKET, CONNECTION, ["t1", "t2"], seen_at=TUESDAY)
        assert stones.bury_parts(SLA, CONNECTION, seen_at=TUESDAY) == 1
        assert live(warehouse, "live_slas") == []
        assert stones.revive(TICKET, CONNECTION, ["t1", "t2"], (SLA, SURVEY), seen_at=LATER) == 2
        assert live(warehouse, "live_tickets") == ["t1", "t2"]
        assert live(warehouse, "live_slas") == ["k1"]  # k2 was gone before its ticket
        lent = warehouse.arrow("SELECT customer FROM live_slas")["customer"].to_pylist()
    assert lent == ["Acme"]


def test_what_a_whole_leaves_out_is_gone_and_other_tickets_are_left_alone(tmp_path: Path) -> None:
    clocks = [a_clock("k1"), a_clock("k2", start_at=at("2026-03-03")), a_clock("k3", ticket_id="t2")]
    with a_warehouse(tmp_path, a_ticket("t1"), a_ticket("t2"), *clocks) as warehouse:
        gone = warehouse.tombstones.bury_left_out(SLA, CONNECTION, pa.array(["t1"]), pa.array(["k2"]), seen_at=MONDAY)
        assert gone == 1
        assert live(warehouse, "live_slas") == ["k2", "k3"]


def test_what_a_person_imported_is_never_taken_for_deleted(tmp_path: Path) -> None:
    records = (a_ticket("t1"), a_survey(f"{IMPORTED}s1"), a_survey("s2"))
    with a_warehouse(tmp_path, *records) as warehouse:
        stones = warehouse.tombstones
        assert stones.standing(SURVEY, CONNECTION) == 1
        assert stones.unlisted(SURVEY, CONNECTION, pa.array([], pa.string())) == ["s2"]
        stones.bury(TICKET, CONNECTION, ["t1"], seen_at=MONDAY)
        assert stones.bury_parts(SURVEY, CONNECTION, seen_at=MONDAY) == 1
        assert live(warehouse, "live_surveys") == [f"{IMPORTED}s1"]


def test_a_list_of_keys_is_compared_both_ways(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, *(a_ticket(f"t{number}") for number in range(5))) as warehouse:
        stones = warehouse.tombstones
        stones.bury(TICKET, CONNECTION, ["t4"], seen_at=MONDAY)
        keys = pa.array(["t1", "t2", "t4", "t9"])
        assert stones.unlisted(TICKET, CONNECTION, keys) == ["t0", "t3"]
        assert stones.returned(TICKET, CONNECTION, keys) == ["t4"]
        assert stones.live(TICKET, CONNECTION, ["t0", "t4", "t9"]) == ["t0"]


def test_breaches_are_counted_as_platforms_count_them(tmp_path: Path) -> None:
    records = (
        a_ticket("t1", created_at=at("2026-03-02")),
        a_ticket("t2", created_at=at("2026-01-02")),
        a_clock("k1", is_breached=True),
        a_clock("k2", is_breached=True, stage="cancelled"),
        a_clock("k3", ticket_id="t2", is_breached=True, start_at=at("2026-01-02")),
        a_clock("k4", ticket_id="t2"),
    )
    span = {"since": at("2026-03-01"), "until": at("2026-04-01")}
    with a_warehouse(tmp_path, *records) as warehouse:
        stones = warehouse.tombstones
        assert stones.breached(CONNECTION, "rows", **span) == 2
        assert stones.breached(CONNECTION, "tickets", **span) == 1
        stones.bury(SLA, CONNECTION, ["k1"], seen_at=MONDAY)
        assert stones.breached(CONNECTION, "rows", **span) == 1


DONE = {"state": "resolved", "resolved_at": at("2026-03-05"), "service": "Mail"}


@pytest.mark.parametrize(
    ("before", "after", "is_restated"),
    [
        (a_ticket(), a_ticket(**DONE), False),  # an open one was solved
        (a_ticket(), a_ticket(priority=1), False),  # an open one became urgent
        (a_ticket(**DONE), a_ticket(**{**DONE, "state": "closed", "closed_at": at("2026-03-09")}), False),
        (a_ticket(**DONE), a_ticket(**{**DONE, "service": "VPN"}), True),
        (a_ticket(**DONE), a_ticket(state="in_progress"), True),  # reopened
        (a_ticket(**DONE), a_ticket(**DONE, title="Other words"), False),  # no metric reads them
        (a_clock(end_at=None, stage="in_progress"), a_clock(), False),
        (a_clock(), a_clock(is_breached=True), True),  # a repair
        (a_clock(), a_clock(goal_s=60), True),
        (
            a_clock(end_at=None, stage="in_progress", is_breached=True, elapsed_s=1),
            a_clock(is_breached=True, elapsed_s=9),
            False,  # it was counted as breached, and went on
        ),
        (a_survey(answered_at=None, score=None), a_survey(score=5.0), False),
        (a_survey(score=5.0), a_survey(score=1.0), True),
        (a_contact(), a_contact(customer="Globex"), True),
    ],
)
def test_a_restatement_is_a_change_of_what_was_counted(
    before: msgspec.Struct, after: msgspec.Struct, is_restated: bool, tmp_path: Path
) -> None:
    with a_warehouse(tmp_path, before) as warehouse:
        assert load(warehouse, after, seen_at=MONDAY).restated == is_restated
        assert load(warehouse, after, seen_at=MONDAY).restated == 0  # the same again
