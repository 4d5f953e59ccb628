"""A pull that is killed, fails or has to stop goes on from what was read."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.base import Cursor
from connectors.budget import BudgetSpent
from connectors.sandbox.testing import RunningSandbox
from improvement.errors import ConnectionFailed
from improvement.records import RecordKind

from .conftest import Connect, Pulled, pulled

TICKET, SLA = RecordKind.TICKET, RecordKind.SLA


def test_what_was_read_in_a_minute_is_handed_on_however_little_it_is(
    sandbox: RunningSandbox, connect: Connect, clocks: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    minutes = itertools.count()
    monkeypatch.setattr("connectors.servicenow.pull.monotonic", lambda: next(minutes) * 15.0)
    found = pulled(connect(sandbox, page_size=500), SLA, until=sandbox.clock())
    assert found.table.equals(clocks)
    assert [page.batch.num_rows for page in found.pages[:5]] == [500, 500, 1_000, 2_000, 2_000]
    assert [page.cursor.updated_at for page in found.pages] == sorted(page.cursor.updated_at for page in found.pages)


def test_a_pull_that_fails_early_each_time_still_comes_to_its_end(
    sandbox: RunningSandbox, connect: Connect, clocks: pa.Table
) -> None:
    found: set[str] = set()
    cursor = None
    for _ in range(4):
        connector = connect(sandbox, page_size=1_000, max_attempts=1)
        sandbox.set_faults("servicenow", {"kind": "reset_before", "path": "/table/task_sla", "after": 3, "times": None})
        try:
            for page in connector.pull(SLA, cursor, until=sandbox.clock()):
                found |= set(page.batch["id"].to_pylist())
                cursor = page.cursor
        except ConnectionFailed:
            continue
        break
    sandbox.set_faults("servicenow")
    assert len(found) > 3_000
    found |= set(pulled(connect(sandbox), SLA, cursor, until=sandbox.clock()).ids)
    assert found == set(clocks["id"].to_pylist())


def test_a_pull_whose_budget_is_spent_early_each_time_still_comes_to_its_end(
    sandbox: RunningSandbox, connect: Connect, tmp_path: Path
) -> None:
    """Then nothing else is answered either: neither groups and companies nor who else records refer to."""
    found: set[str] = set()
    cursor, ends = None, 0
    for hour in range(12):
        budget = {"hourly_points": 30, "points_file": tmp_path / f"{hour}.points"}
        try:
            for page in connect(sandbox, page_size=100, **budget).pull(TICKET, cursor, until=sandbox.clock()):
                found |= set(page.batch["id"].to_pylist())
                cursor = page.cursor
        except BudgetSpent:
            ends += 1
            continue
        break
    assert 2 <= ends < 11
    assert found == set(pulled(connect(sandbox), TICKET, until=sandbox.clock()).ids)


def test_a_pull_killed_between_pages_goes_on_from_its_cursor(
    sandbox: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.servicenow.pull.BATCH_ROWS", 500)
    now = sandbox.clock()
    pages = connect(sandbox, page_size=250).pull(TICKET, None, until=now)
    first = [next(pages), next(pages), next(pages)]
    pages.close()
    rest = pulled(connect(sandbox, page_size=250), TICKET, first[-1].cursor, until=now)
    everything = pulled(connect(sandbox), TICKET, until=now)
    assert {key for page in first for key in page.batch["id"].to_pylist()} | set(rest.ids) == set(everything.ids)
    assert len(rest.ids) < len(everything.ids)


def test_whoever_is_killed_after_one_table_reads_the_others_from_the_same_day_on(
    sandbox: RunningSandbox, connect: Connect
) -> None:
    since = sandbox.clock() - timedelta(days=20)
    pages = connect(sandbox).pull(TICKET, Cursor(updated_at=since), until=sandbox.clock())
    begun = Pulled([next(pages)])
    pages.close()
    rest = pulled(connect(sandbox), TICKET, begun.cursor, until=sandbox.clock())
    whole = pulled(connect(sandbox), TICKET, Cursor(updated_at=since), until=sandbox.clock())
    assert {*begun.ids, *rest.ids} == set(whole.ids)
    assert 0 < len(rest.ids) < len(whole.ids)
