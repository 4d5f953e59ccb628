"""Run rule tests: made-up weeks in, findings out, compared with what the test expects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from improvement.errors import InputError, RegelkreisError
from improvement.metrics import CATALOGUE, CellQuery
from improvement.rules.documents import ExpectedFinding, GivenWeeks, Rule, RuleTest, TestCase
from improvement.rules.evaluate import FindingMemory, FindingState, Point, Series, advance, points
from improvement.rules.scope import Scope
from improvement.weeks import parse_label

CONNECTION = "test"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one test case went; ``differences`` is empty when it passed."""

    rule: str
    name: str
    differences: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


def run_test(rule: Rule, test: RuleTest) -> list[CaseResult]:
    """Run every case of a rule test."""
    return [_run_case(rule, case) for case in test.tests]


def _run_case(rule: Rule, case: TestCase) -> CaseResult:
    try:
        differences = _differences(rule, case)
    except RegelkreisError as error:
        differences = [str(error)]
    return CaseResult(rule.id, case.name, tuple(differences))


def _differences(rule: Rule, case: TestCase) -> list[str]:
    main = rule.query(CONNECTION)
    series = {main: Series(main, _cells(main, case.given))}
    for condition, query in rule.while_queries(CONNECTION):
        series[query] = Series(query, _cells(query, case.while_given.get(condition.metric, [])))
    first = min(_span(given)[0] for given in case.given)
    last = max(parse_label(expected.as_of) for expected in case.expect)
    history = _history(rule, series, first, last)
    found = []
    for expected in case.expect:
        found.extend(_compare(rule, expected, history))
    return found


def _history(
    rule: Rule, series: dict[CellQuery, Series], first: int, last: int
) -> dict[tuple[str, int], tuple[FindingMemory, Point]]:
    memories: dict[str, FindingMemory] = {}
    history: dict[tuple[str, int], tuple[FindingMemory, Point]] = {}
    for week in range(first, last + 1):
        for point in points(rule, CONNECTION, series, week):
            memory = advance(memories.get(point.scope.key), point, rule)
            memories[point.scope.key] = memory
            history[point.scope.key, week] = (memory, point)
    return history


def _compare(
    rule: Rule, expected: ExpectedFinding, history: dict[tuple[str, int], tuple[FindingMemory, Point]]
) -> list[str]:
    week = parse_label(expected.as_of)
    keys = sorted({key for key, at in history if at == week})
    if expected.scope is not None:
        keys = [key for key in keys if key == Scope.of(expected.scope).key]
    if not keys:
        return [f"{expected.as_of}: expected {expected.finding}, found no such scope"]
    differences = []
    for key in keys:
        memory, point = history[key, week]
        if memory.state.value != expected.finding:
            differences.append(f"{expected.as_of} [{key}]: expected {expected.finding}, found {memory.state.value}")
        has_fired = any(
            history[key, at][0].state is FindingState.FIRING for at in range(week + 1) if (key, at) in history
        )
        action = "opened" if has_fired and rule.spec.mode != "observe" else "none"
        if expected.action is not None and action != expected.action:
            differences.append(f"{expected.as_of} [{key}]: expected action {expected.action}, found {action}")
        if expected.value is not None and (point.value is None or abs(point.value - expected.value) > 5e-4):
            differences.append(f"{expected.as_of} [{key}]: expected value {expected.value:g}, found {point.value}")
    return differences


def _span(given: GivenWeeks) -> tuple[int, int]:
    first, _, last = given.weeks.partition("..")
    return parse_label(first), parse_label(last or first)


def _cells(query: CellQuery, given: Sequence[GivenWeeks]) -> pa.Table:
    metric = CATALOGUE[query.metric]
    columns: dict[str, list[object]] = {name: [] for name in (*query.by, "week", "numerator", "denominator", "n")}
    for row in given:
        numerator, denominator, n = _amounts(metric.family, row, is_snapshot=metric.is_snapshot)
        first, last = _span(row)
        for week in range(first, last + 1):
            for name in query.by:
                columns[name].append(row.scope.get(name, "(none)"))
            columns["week"].append(week)
            columns["numerator"].append(numerator)
            columns["denominator"].append(denominator)
            columns["n"].append(n)
    types = {"week": pa.int64(), "numerator": pa.float64(), "denominator": pa.float64(), "n": pa.int64()}
    return pa.table({name: pa.array(values, types.get(name, pa.string())) for name, values in columns.items()})


def _amounts(family: str | None, row: GivenWeeks, *, is_snapshot: bool) -> tuple[float, float, int]:
    if is_snapshot or (row.value is not None and row.tickets is None and row.responses is None):
        return row.value or 0.0, 1.0, 1
    if family == "count":
        count = row.count if row.count is not None else row.tickets
        if count is None:
            raise InputError("A count needs `count`.")
        return count, 1.0, int(count)
    if family == "score":
        if row.responses is None or row.score is None:
            raise InputError("A score needs `responses` and the mean `score`.")
        return row.responses * row.score, row.responses, int(row.responses)
    if row.tickets is None:
        raise InputError("Given weeks need `tickets`.")
    if row.hours is not None:
        return row.tickets * row.hours, row.tickets, int(row.tickets)
    return row.breached or 0.0, row.tickets, int(row.tickets)
