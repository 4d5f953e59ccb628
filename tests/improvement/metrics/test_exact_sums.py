"""A digest of what was counted only bears a look if the same records always add up to the same bytes."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

from improvement import weeks
from tests.improvement.metrics.build import LATER, a_clock, a_query, a_ticket, a_warehouse, at

MONDAY = at("2026-03-02")
WEEK = weeks.week_of(MONDAY.date())


@pytest.mark.parametrize("metric", ["time_to_respond", "time_to_resolve"])
def test_hours_add_up_to_the_same_bytes_in_any_order(metric: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    seconds = [chance.randrange(1, 900_000) for _ in range(3_000)]
    sums = set()
    for number in range(4):
        chance.shuffle(seconds)
        records = [
            record
            for n, s in enumerate(seconds)
            for record in (
                a_ticket(f"t{n}", opened_at=MONDAY, state="resolved", resolved_at=MONDAY + timedelta(seconds=s)),
                a_clock(f"k{n}", ticket_id=f"t{n}", target="response", elapsed_s=s),
            )
        ]
        with a_warehouse(tmp_path / str(number), *records) as warehouse:
            (cell,) = warehouse.cells(a_query(metric), as_of=LATER, first_week=WEEK, last_week=WEEK).to_pylist()
        assert cell["n"] == len(seconds)
        sums.add(cell["numerator"])
    assert len(sums) == 1, sums
