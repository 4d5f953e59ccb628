"""An answer that was asked for in an order comes in that order."""

from __future__ import annotations

from pathlib import Path

from bench.canonical import ZONES, batches
from improvement.records import RecordKind
from tests.improvement.metrics.build import LATER, a_warehouse
from workflows.warehouse import Zones
from workflows.warehouse.asking import tables_of


def test_many_rows_come_in_the_order_they_were_asked_for(tmp_path: Path) -> None:
    """More than fit one of DuckDB's vectors, from a table that was just written: pieces of it used to change places."""
    with a_warehouse(tmp_path) as warehouse:
        for kind, batch in batches(6000):
            if kind is RecordKind.TICKET:
                warehouse.load(kind, batch, seen_at=LATER, zones=Zones(ZONES))
        for sql in (
            "SELECT id FROM tickets ORDER BY id",
            "SELECT id FROM tickets WHERE connection = ? ORDER BY id",
            "SELECT id FROM tickets ORDER BY concat(id, '')",
        ):
            for _ in range(25):
                ids = warehouse.arrow(sql, ["bench"] if "?" in sql else None)["id"].to_pylist()
                assert ids == sorted(ids)
                assert len(ids) == 6000


def test_statements_asked_at_once_are_told_apart_by_their_places(tmp_path: Path) -> None:
    with a_warehouse(tmp_path) as warehouse:
        texts = [f"SELECT count(*) AS n, {place} AS place FROM range({10**place})" for place in range(6)]
        found = {place: answer.to_pylist() for place, answer in tables_of(warehouse._raw, texts)}
        assert found == {place: [{"n": 10**place, "place": place}] for place in range(6)}
        assert list(tables_of(warehouse._raw, [])) == []
