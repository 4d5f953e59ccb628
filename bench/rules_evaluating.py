"""A hundred rules over 26 weeks beside the same numbers by hand: same file, same threads, same run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.rules_asked import EVALUATED, Asked, hundred
from bench.rules_world import AS_OF, CONNECTION, LAST_WEEK

Values = dict[tuple[Any, ...], float]


def rules(asked: Sequence[Asked]) -> list[Any]:
    """The rules, ready to be evaluated."""
    from improvement.rules import rule_from_document

    return [rule_from_document(one.document(number)) for number, one in enumerate(asked)]


def queries_of(some: Sequence[Any]) -> list[tuple[Any, Any]]:
    """What the rules need counted: queries, and the cells to ask for."""
    from improvement.metrics import CATALOGUE, CellQuery
    from improvement.rules import plan_queries
    from workflows.warehouse import CellsAsked

    found = []
    for query in plan_queries(some):
        key = query.key
        cells = CellQuery(key.metric, CONNECTION, where=key.where, by=key.by, tau_h=CATALOGUE[key.metric].tau_h)
        first = LAST_WEEK - EVALUATED + 1 - query.weeks_needed + 1
        found.append((query, CellsAsked(cells, first, LAST_WEEK)))
    return found


def counted(warehouse: Any, asked: Sequence[Any], *, is_shared: bool = True) -> list[Any]:
    """The cells, in the way a cycle counts them."""
    ahead = warehouse.cells_ahead(asked, as_of=AS_OF, shared_from=0 if is_shared else math.inf)
    try:
        return list(ahead)
    finally:
        ahead.close()


def judged(found: Sequence[tuple[Any, Any]], tables: Iterable[Any], weeks: range) -> list[Any]:
    """Every point of every rule in these weeks."""
    from improvement.rules import Cells, points

    result = []
    for (query, _), table in zip(found, tables, strict=True):
        cells = Cells.of(table, query.by)
        for rule in query.rules:
            for week in weeks:
                result += points(rule, cells, connection=CONNECTION, week=week)
    return result


def measure(warehouse: Any) -> dict[str, Any]:
    """Ours and by hand, in turns, the better of two; and whether the numbers are the same."""
    asked = hundred()
    some = rules(asked)
    found = queries_of(some)
    cells = [one for _, one in found]
    weeks = range(LAST_WEEK - EVALUATED + 1, LAST_WEEK + 1)
    runs: dict[str, Callable[[], Any]] = {
        "counting": lambda: counted(warehouse, cells),
        "counting, a query each": lambda: counted(warehouse, cells, is_shared=False),
        "by hand": lambda: by_hand(warehouse, asked),
    }
    best, busy, kept = dict.fromkeys(runs, math.inf), dict.fromkeys(runs, math.inf), {}
    for turn in range(3):  # the first warms up
        for name, run in runs.items():
            begin, worked = time.perf_counter(), time.process_time()
            kept[name] = run()
            if turn:
                best[name] = min(best[name], time.perf_counter() - begin)
                busy[name] = min(busy[name], time.process_time() - worked)
    judging = judging_cpu = math.inf
    for _ in range(3):
        begin, worked = time.perf_counter(), time.process_time()
        points = judged(found, kept["counting"], weeks)
        judging = min(judging, time.perf_counter() - begin)
        judging_cpu = min(judging_cpu, time.process_time() - worked)
    passes = len(warehouse.passes(cells, shared_from=0))
    ours = best["counting"] + judging
    return {
        "rules": len(some),
        "queries": len(found),
        "passes": passes,
        "points": len(points),
        "counting_s": round(best["counting"], 3),
        "judging_s": round(judging, 3),
        "evaluation_s": round(ours, 3),
        "evaluation_cpu_s": round(busy["counting"] + judging_cpu, 3),
        "counting_a_query_each_s": round(best["counting, a query each"], 3),
        "by_hand_s": round(best["by hand"], 3),
        "ratio": round(ours / best["by hand"], 3),
        "different_rules": different(asked, some, points, kept["by hand"]),
        "different_alone": sum(
            not one.table().equals(other.table())
            for one, other in zip(kept["counting"], kept["counting, a query each"], strict=True)
        ),
    }


def by_hand(warehouse: Any, asked: Sequence[Asked]) -> list[Any]:
    """The answers of the statements one would write, one after the other."""
    found = []
    for sql, bound in (one.by_hand() for one in asked):
        found.append(warehouse.arrow(sql, {name: value for name, value in bound.items() if f"${name}" in sql}))
    return found


def different(asked: Sequence[Asked], some: Sequence[Any], points: Sequence[Any], answers: Sequence[Any]) -> int:
    """How many rules have other values, or values in other scopes and weeks, than by hand."""
    ours: dict[str, Values] = {rule.id: {} for rule in some}
    for point in points:
        if point.value is not None:
            scope = point.scope.as_dict()
            rule_by = some[int(point.rule_id[-3:])].by
            ours[point.rule_id][(*(scope[name] for name in rule_by), point.week)] = point.value
    wrong = 0
    for one, rule, table in zip(asked, some, answers, strict=True):
        columns = [table[name].to_pylist() for name in (*one.by, "week", "numerator", "denominator")]
        theirs = {row[:-2]: row[-2] / row[-1] for row in zip(*columns, strict=True)}
        mine = ours[rule.id]
        # Ours add whole billionths, so that a sum is the same in whatever order threads add.
        is_same = mine.keys() == theirs.keys() and all(
            math.isclose(value, theirs[key], rel_tol=1e-9, abs_tol=2e-9) for key, value in mine.items()
        )
        wrong += not is_same
    return wrong
