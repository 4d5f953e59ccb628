"""Evaluate: the live rules become a handful of queries; their points are compared with targets and become findings.

A rule that was not evaluated for a while catches up week by week, so a late cycle gives what a punctual one would
have given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import structlog
from django.conf import settings
from django.db import transaction

from improvement import metrics, weeks
from improvement.errors import RegelkreisError
from improvement.rules import FindingMemory, FindingState, Point, Query, Rule, advance, plan_queries, points
from workflows import ledger
from workflows.models import Evaluation, Finding
from workflows.models import Point as PointRow
from workflows.warehouse import Warehouse

log = structlog.get_logger()
BACKFILL_WEEKS = 26  # how far back a rule's first evaluation looks


@dataclass(slots=True)
class EvaluateResult:
    """What one evaluation did on one connection."""

    connection: str
    rules: int = 0
    points: int = 0
    fired: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def last_week(as_of: datetime) -> int:
    """The last ISO week that is over in every zone we count in, so that all scopes show the same weeks."""
    zones = {settings.REGELKREIS.default_zone, *settings.REGELKREIS.zones.values()}
    return min(weeks.last_complete_week(as_of, zone) for zone in zones)


def evaluate(warehouse: Warehouse, rules: list[Rule], connection: str, *, as_of: datetime) -> EvaluateResult:
    """Evaluate the live rules on one connection. A rule that fails is reported; the others go on."""
    result = EvaluateResult(connection=connection, rules=len(rules))
    week = last_week(as_of)
    seen = {row.rule_id: row for row in Evaluation.objects.filter(connection=connection)}
    for query in plan_queries(rules):
        try:
            _evaluate_query(warehouse, query, connection, week, seen, as_of, result)
        except RegelkreisError as error:
            names = ", ".join(rule.id for rule in query.rules)
            result.errors.append(f"{names}: {error}")
            log.warning("evaluate.failed", connection=connection, rules=names, error=str(error))
    return result


def _evaluate_query(
    warehouse: Warehouse,
    query: Query,
    connection: str,
    week: int,
    seen: dict[str, Evaluation],
    as_of: datetime,
    result: EvaluateResult,
) -> None:
    todo = {
        rule.id: range(seen[rule.id].last_week + 1 if rule.id in seen else week - BACKFILL_WEEKS + 1, week + 1)
        for rule in query.rules
    }
    first = min((span.start for span in todo.values() if len(span)), default=None)
    if first is None:
        return
    expression = metrics.cells(
        metrics.CATALOGUE[query.metric],
        warehouse.tables(),
        connection=connection,
        where=query.where,
        by=query.by,
        as_of=as_of,
        first_week=first - query.weeks_needed + 1,
        last_week=week,
    )
    cells = warehouse.arrow(expression)
    for rule in query.rules:
        for at_week in todo[rule.id]:
            found = points(rule, cells, connection=connection, week=at_week)
            _record(warehouse, rule, connection, found, at_week, as_of, result)
        _remember_evaluation(rule, connection, todo[rule.id])


def _remember_evaluation(rule: Rule, connection: str, span: range) -> None:
    if not len(span):
        return
    row, is_new = Evaluation.objects.get_or_create(
        rule_id=rule.id, connection=connection, defaults={"first_week": span[0], "last_week": span[-1]}
    )
    if not is_new:
        row.last_week = span[-1]
        row.count += 1
        row.save(update_fields=["last_week", "count"])


def _record(
    warehouse: Warehouse,
    rule: Rule,
    connection: str,
    found: list[Point],
    week: int,
    as_of: datetime,
    result: EvaluateResult,
) -> None:
    known = {row.scope_key: row for row in Finding.objects.filter(rule_id=rule.id, connection=connection)}
    with transaction.atomic():
        rows: list[PointRow] = []
        for point in found:
            finding = known.get(point.scope.key) or _new_finding(rule, connection, point)
            before = finding.state
            memory = advance(_memory(finding), point, rule)
            _apply(finding, memory, rule, point, as_of)
            if memory.state is FindingState.FIRING and before != FindingState.FIRING:
                _fire(warehouse, finding, rule, point, as_of)
                result.fired.append(f"{rule.id} [{finding.scope_key}]")
            elif before == FindingState.FIRING and memory.state is FindingState.RESOLVED:
                payload = {"week": weeks.label(week)}
                subject = f"{rule.id}/{connection}/{finding.scope_key}"
                ledger.append("finding.resolved", subject=subject, actor=ledger.ENGINE, at=as_of, payload=payload)
                result.resolved.append(f"{rule.id} [{finding.scope_key}]")
            finding.save()
            rows.append(_point_row(finding, point))
        PointRow.objects.bulk_create(rows, ignore_conflicts=True)
        result.points += len(rows)


def _new_finding(rule: Rule, connection: str, point: Point) -> Finding:
    return Finding(
        rule_id=rule.id,
        rule_sha256=rule.sha256,
        connection=connection,
        scope_key=point.scope.key,
        scope=dict(point.scope.items),
        state=FindingState.OK.value,
        memory={},
    )


def _memory(finding: Finding) -> FindingMemory | None:
    return msgspec.convert(finding.memory, FindingMemory) if finding.memory else None


def _apply(finding: Finding, memory: FindingMemory, rule: Rule, point: Point, as_of: datetime) -> None:
    finding.memory = msgspec.to_builtins(memory)
    finding.state = memory.state.value
    finding.first_pending_week = memory.first_pending_week
    if finding.pk is None:
        finding.save()


def _fire(warehouse: Warehouse, finding: Finding, rule: Rule, point: Point, as_of: datetime) -> None:
    pinned = pin(warehouse, rule, finding.connection, point, as_of)
    finding.rule_sha256 = rule.sha256
    finding.times_fired += 1
    finding.fired_week = point.week
    finding.fired_at = as_of
    finding.value = point.value
    finding.target_kind = point.target.kind
    finding.target_value = point.target.value
    finding.target_source = point.target.source
    finding.n = point.n
    finding.rows_sha256 = pinned["rows_sha256"]
    finding.rows_count = pinned["rows_count"]
    finding.sql = pinned["sql"]
    ledger.append(
        "finding.fired",
        subject=f"{rule.id}/{finding.connection}/{finding.scope_key}",
        actor=ledger.ENGINE,
        at=as_of,
        payload={
            "rule_sha256": rule.sha256,
            "week": weeks.label(point.week),
            "value": point.value if point.value is not None else "",
            "target": point.target.value if point.target.value is not None else "",
            "target_source": point.target.source,
            "n": point.n,
            "rows_sha256": pinned["rows_sha256"],
            "rows": pinned["rows_count"],
        },
    )


def pin(warehouse: Warehouse, rule: Rule, connection: str, point: Point, as_of: datetime) -> dict[str, Any]:
    """Number and digest of the rows behind a point, and the query that gave them."""
    expression = metrics.contributing(
        metrics.CATALOGUE[rule.metric],
        warehouse.tables(),
        connection=connection,
        where=rule.where,
        by=rule.by,
        scope=dict(point.scope.items),
        as_of=as_of,
        first_week=point.week - rule.window_weeks + 1,
        last_week=point.week,
    )
    rows, digest, sql = warehouse.pinned(expression)
    return {"rows_count": rows, "rows_sha256": digest, "sql": sql}


def _point_row(finding: Finding, point: Point) -> PointRow:
    return PointRow(
        finding=finding,
        week=point.week,
        value=point.value,
        numerator=point.numerator,
        denominator=point.denominator,
        n=point.n,
        target_value=point.target.value,
        is_breaching=point.is_breaching,
    )
