"""A hundred rules give the numbers that somebody would ask DuckDB for by hand, and that engines per ticket count."""

from __future__ import annotations

from pathlib import Path

from bench import rules_asked, rules_cycle, rules_engines, rules_evaluating, rules_world
from bench.rules_world import LAST_WEEK
from workflows.warehouse import Warehouse


def test_a_hundred_rules_over_half_a_year_are_the_numbers_by_hand(tmp_path: Path) -> None:
    path, asked = tmp_path / "bench.duckdb", rules_asked.hundred()
    rules_world.build(path, 3_000)
    some = rules_evaluating.rules(asked)
    found = rules_evaluating.queries_of(some)
    weeks = range(LAST_WEEK - rules_asked.EVALUATED + 1, LAST_WEEK + 1)
    with Warehouse.open(path) as warehouse:
        tables = rules_evaluating.counted(warehouse, [one for _, one in found])
        points = rules_evaluating.judged(found, tables, weeks)
        by_hand = rules_evaluating.by_hand(warehouse, asked)
        assert len(points) > 10_000
        assert rules_evaluating.different(asked, some, points, by_hand) == 0
        by_hand[0] = by_hand[0].slice(1)  # the comparison is not blind
        assert rules_evaluating.different(asked, some, points, by_hand) == 1


def test_engines_per_ticket_find_what_the_conditions_say(tmp_path: Path) -> None:
    path = tmp_path / "bench.duckdb"
    rules_world.build(path, 500)
    with Warehouse.open(path) as warehouse:
        found = rules_engines.measure(warehouse)
    assert found["conditions"] == 20
    assert {name: one["is_equal"] for name, one in found["engines"].items()} == dict.fromkeys(
        ("rule-engine", "zen-engine", "JSON Logic"), True
    )


def test_the_next_cycle_counts_the_same_with_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "bench.duckdb"
    rules_world.build(path, 3_000)
    with Warehouse.open(path) as warehouse:
        found = rules_cycle.measure(warehouse)
    assert found["changed_tickets"] > 50
    assert found["different_queries"] == 0
