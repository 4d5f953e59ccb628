"""Two platforms are loaded side by side: neither loses a record, nor keeps one twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from improvement.records import RecordKind
from tests.improvement.metrics.build import LATER, ZONES, a_ticket, arrow
from workflows.warehouse import Warehouse, loading
from workflows.warehouse.loading import LoadReport

TICKETS, LOADS = 3_000, 25


def test_what_is_replaced_side_by_side_stands_once(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path / "warehouse.duckdb") as warehouse:
        warehouse.use_zones(ZONES)
        warehouse.arrow("SET checkpoint_threshold = '64KB'")  # with every load, as it happens to large ones

        def load_again_and_again(connection: str) -> None:
            with warehouse.sibling() as own:
                for number in range(LOADS):
                    changed = [
                        a_ticket(f"t{n}", connection=connection, priority=1 + (n + number) % 5)
                        for n in range(number % 3, TICKETS, 1 + number % 3)
                    ]
                    own.load(RecordKind.TICKET, arrow(RecordKind.TICKET, changed), seen_at=LATER, zones=ZONES)

        with ThreadPoolExecutor() as threads:
            list(threads.map(load_again_and_again, ("jira", "snow")))
        found = warehouse.arrow(
            "SELECT connection, count(*) AS rows, count(DISTINCT id) AS ids FROM tickets GROUP BY 1 ORDER BY 1"
        )
    assert found.to_pylist() == [
        {"connection": "jira", "rows": TICKETS, "ids": TICKETS},
        {"connection": "snow", "rows": TICKETS, "ids": TICKETS},
    ]


def threads(warehouse: Warehouse) -> int:
    found: int = warehouse.arrow("SELECT current_setting('threads') AS n")["n"][0].as_py()
    return found


def test_while_anybody_loads_a_query_takes_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = arrow(RecordKind.TICKET, [a_ticket("t1")])
    seen: list[int] = []
    with Warehouse.open(tmp_path / "warehouse.duckdb", threads=3) as warehouse, warehouse.sibling() as other:

        def load(raw: object, *what: object, **more: object) -> dict[str, LoadReport]:
            seen.append(threads(warehouse))
            if len(seen) == 1:  # another one begins and ends while this one is under way
                other.load(RecordKind.TICKET, batch, seen_at=LATER, zones=ZONES)
                seen.append(threads(warehouse))
                raise ValueError("broken off")
            return {}

        monkeypatch.setattr(loading, "load", load)
        with pytest.raises(ValueError, match="broken off"):
            warehouse.load(RecordKind.TICKET, batch, seen_at=LATER, zones=ZONES)
        assert seen == [1, 1, 1]
        assert threads(warehouse) == 3
