"""The simulated worlds of the benchmark: the truth in them is what they say, and the same seed gives the same world."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench import check_worlds
from bench.check_rows import COLUMNS, ROWS, Row
from bench.check_worlds import Tally, Task, tasks_for, worlds_of
from bench.competitors import COMPETITORS, weeks_of
from bench.worlds import EFFECT_ON_U, Metric, Variant, long_run, make

METRICS: tuple[Metric, ...] = ("breach", "count", "time", "csat")


def a_row(metric: Metric = "breach", **changes: object) -> Row:
    return Row("a row", metric, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", METRICS)
def test_the_same_seed_gives_the_same_world(metric: Metric) -> None:
    one, two = (make(metric, Variant(), history=52, has_effect=True, seed=(1, 2)) for _ in range(2))
    assert one is not None
    assert two is not None
    assert one.trigger == two.trigger
    assert np.array_equal(one.scope.numerator, two.scope.numerator)


def test_the_rule_fires_after_the_history_and_the_change_follows_it() -> None:
    for world in worlds_of(Task(a_row(history=104), 0, 10, 1, is_ours=True)):
        first, last = world.trigger
        assert first - world.scope.week.min() >= 104
        assert 2 <= world.after_from - last <= 6
        assert world.after_from + 12 <= world.scope.week.max()


def test_an_effect_is_what_the_row_says() -> None:
    """Pooled over worlds, with and without: an odds ratio near one half, only in *after*, only in the scope."""
    odds = []
    for has_effect in (False, True):
        y = n = 0.0
        for world in worlds_of(Task(a_row(has_effect=has_effect), 0, 60, 1, is_ours=True)):
            after = world.scope.between(world.after_from, world.after_from + 12)
            y, n = y + after.numerator.sum(), n + after.denominator.sum()
        odds.append(y / (n - y))
    assert odds[1] / odds[0] == pytest.approx(0.5, rel=0.12)
    assert np.exp(EFFECT_ON_U["breach"]) == pytest.approx(0.5)


def test_the_rules_target_is_the_long_run_level() -> None:
    rng = np.random.default_rng(1)
    level, volume, load = np.full(4, -1.8), np.full(4, 80.0), np.ones(4)
    u = 0.25 * np.cos(rng.uniform(0, 2 * np.pi, 200_000)) + np.hypot(0.15, 0.25) * rng.standard_normal(200_000)
    mean = (1 / (1 + np.exp(1.8 - u))).mean()
    assert long_run("breach", Variant(), level, volume, load) == pytest.approx(mean, rel=0.01)


def test_every_bound_of_the_goal_has_its_row() -> None:
    bounded = [row for row in ROWS if row.bound != "known limit"]
    assert len({row.title for row in ROWS}) == len(ROWS)
    assert sum(row.at_least is not None for row in bounded) == 8
    assert {row.at_most for row in bounded if row.at_most is not None} == {0.05, 0.065}
    assert {column.title for column in COLUMNS} <= {row.title for row in ROWS}


def test_a_bound_is_judged_by_the_point_estimate() -> None:
    assert a_row(at_most=0.05).is_met(0.05)
    assert not a_row(at_most=0.05).is_met(0.051)
    assert not a_row(has_effect=True, at_least=0.65).is_met(0.64)
    assert a_row().is_met(1.0)


def test_chunks_make_up_the_worlds_asked_for() -> None:
    tasks = tasks_for((a_row(),), 60, 1, is_ours=True)
    assert sum(task.size for task in tasks) == 60


@pytest.mark.parametrize("name", list(COMPETITORS))
def test_every_competitor_finds_a_huge_effect(name: str) -> None:
    weeks = [weeks_of(world) for world in worlds_of(Task(a_row(has_effect=True), 0, 6, 3, is_ours=False))]
    for found in weeks:
        found.events[found.live :] = np.round(found.events[found.live :] * 0.1)
    assert sum(COMPETITORS[name](found) for found in weeks) >= 5


def test_a_missed_bound_ends_with_1_and_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "figures.json"
    strict = a_row(has_effect=True, at_least=1.01)
    monkeypatch.setattr(check_worlds, "ROWS", (strict,))
    monkeypatch.setattr(check_worlds, "COLUMNS", ())
    monkeypatch.setattr(check_worlds, "simulate", lambda tasks, _: ({strict.title: check_worlds.run(tasks[0])[1]}, {}))
    monkeypatch.setattr("sys.argv", ["check_worlds", "--worlds", "3", "--json", str(out)])
    with pytest.raises(SystemExit) as ended:
        check_worlds.main()
    assert ended.value.code == 1
    found = json.loads(out.read_text(encoding="utf-8"))
    assert found["passed"] is False
    assert found["rows"][0]["worlds"] == 3


def test_tallies_add_up() -> None:
    one, two = (check_worlds.run(Task(a_row(), chunk, 3, 1, is_ours=True))[1] for chunk in (0, 1))
    total = Tally(a_row())
    for part in (one, two):
        total.add(part)
    assert total.worlds == sum(total.said.values()) == 6
