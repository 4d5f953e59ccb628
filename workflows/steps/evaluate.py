"""Evaluate: the live rules become a handful of queries; their points are compared with targets and become findings.

A rule that was not evaluated for a while catches up week by week, so a late cycle gives what a punctual one would
have given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import pyarrow as pa
import structlog
from django.conf import settings
from django.db import connection as state
from django.db import transaction

from improvement import weeks
from improvement.errors import RegelkreisError
from improvement.metrics import CATALOGUE, CellQuery
from improvement.rules import (
    Cells,
    FindingMemory,
    FindingState,
    Point,
    Query,
    Rule,
    Scope,
    SeriesKey,
    advance,
    plan_queries,
    points,
)
from workflows.complete_weeks import last_week
from workflows.evidence import ledger, pinning
from workflows.models import Evaluation, Finding, RuleVersion
from workflows.models import Point as PointRow
from workflows.rules import ending
from workflows.warehouse import KEPT_FROM, CellsAsked, Warehouse

log = structlog.get_logger()
BACKFILL_WEEKS = 26  # how far back a rule's first evaluation looks


@dataclass(frozen=True, slots=True)
class Published:
    """What one evaluation of a connection published, and from which state of its records."""

    write: int  # the number of their last write into the warehouse
    first_weeks: dict[tuple[str, str], int] = field(default_factory=dict)  # (rule id, series) → the first it evaluated


@dataclass(slots=True)
class EvaluateResult:
    """What one evaluation did on one connection."""

    connection: str
    published: Published
    rules: int = 0
    points: int = 0
    fired: list[str] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where and when an evaluation happens."""

    warehouse: Warehouse
    connection: str
    week: int  # the last complete week
    as_of: datetime
    result: EvaluateResult


def cell_query(key: SeriesKey, connection: str) -> CellQuery:
    """The cells of a rule's series on a connection."""
    return CellQuery(
        metric=key.metric,
        connection=connection,
        where=key.where,
        by=key.by,
        tau_h=CATALOGUE[key.metric].tau_h,
        options=settings.REGELKREIS.metrics.options,
    )


class Evaluating:
    """One connection's evaluation: its queries run in another thread from now on, until :meth:`finish` takes them.

    So the records of one platform are counted while those of the next are loaded. Begin it when the connection's own
    records are loaded; close it.
    """

    def __init__(self, warehouse: Warehouse, rules: list[Rule], connection: str, *, as_of: datetime) -> None:
        published = Published(warehouse.last_write(connection))
        self._result = EvaluateResult(connection=connection, published=published, rules=len(rules))
        self._moment = Moment(warehouse, connection, last_week(as_of), as_of, self._result)
        self._seen = {row.rule_id: row for row in Evaluation.objects.filter(connection=connection)}
        self._todo = {rule.id: _weeks_to_do(rule, self._seen.get(rule.id), self._moment.week) for rule in rules}
        asked = [(query, self._asked(query)) for query in plan_queries(rules)]
        self._queries = [(query, one) for query, one in asked if one is not None]
        self._cells = warehouse.cells_ahead([one for _, one in self._queries], as_of=as_of, kept_from=KEPT_FROM)

    def _asked(self, query: Query) -> CellsAsked | None:
        """What a query has to count, None where its rules are up to date."""
        starts = [span.start for rule in (*query.rules, *query.companions) if len(span := self._todo[rule.id])]
        if not starts:
            return None
        first_week = min(starts) - query.weeks_needed + 1
        return CellsAsked(cell_query(query.key, self._moment.connection), first_week, self._moment.week)

    def finish(self) -> EvaluateResult:
        """Fold the counts into findings. A rule that fails is reported; the others go on."""
        cells: dict[SeriesKey, Cells] = {}
        known, versions = self._known(), self._versions()
        self._end_of_removed({rule_id for rule_id, _ in versions} | self._todo.keys())
        for (query, _), found in zip(self._queries, self._cells, strict=True):
            cells[query.key] = Cells.of(found, query.by)
            for rule in query.rules:
                try:
                    version = versions.get((rule.id, rule.sha256))
                    _evaluate_rule(rule, self._todo[rule.id], cells, known[rule.id], self._moment, version)
                except RegelkreisError as error:
                    self._result.errors.append(f"{rule.id}: {error}")
                    log.warning("evaluate.failed", connection=self._moment.connection, rule=rule.id, error=str(error))
        return self._result

    def _known(self) -> dict[str, _Known]:
        """What every rule knew before, read at once."""
        found = {rule_id: _Known(self._seen.get(rule_id)) for rule_id in self._todo}
        due = [rule_id for rule_id, span in self._todo.items() if len(span)]
        rows = Finding.objects.filter(connection=self._moment.connection, rule_id__in=due)
        for row in rows.only("rule_id", "connection", "scope_key", "scope", *FOLDED):  # firing replaces all others
            found[row.rule_id].findings[row.scope_key] = row
        return found

    def _versions(self) -> dict[tuple[str, str], int]:
        """The keys of the live versions."""
        rows = RuleVersion.objects.filter(is_live=True).values_list("rule_id", "sha256", "pk")
        return {(rule_id, sha256): key for rule_id, sha256, key in rows}

    def _end_of_removed(self, live: Collection[str]) -> None:
        """End what an earlier release left firing when its rule was removed."""
        left = Finding.objects.filter(connection=self._moment.connection, state="firing").exclude(rule_id__in=live)
        with transaction.atomic():
            ending.end(left.exclude(memory={}), because=ending.RULE_REMOVED, actor=ledger.ENGINE, at=self._moment.as_of)

    def close(self) -> None:
        """Let go of what was not taken."""
        self._cells.close()


def _weeks_to_do(rule: Rule, row: Evaluation | None, week: int) -> range:
    first = row.last_week + 1 if row is not None else week - BACKFILL_WEEKS + 1
    return range(first, week + 1)


@dataclass(frozen=True, slots=True)
class _Known:
    """What a rule knew of a connection before: that it was evaluated, and its findings by scope."""

    evaluation: Evaluation | None
    findings: dict[str, Finding] = field(default_factory=dict)


def _evaluate_rule(
    rule: Rule,
    span: range,
    cells: Mapping[SeriesKey, pa.Table | Cells],
    known: _Known,
    moment: Moment,
    version: int | None,
) -> None:
    if not len(span):
        return
    findings = known.findings
    known_scopes = {key: Scope.of(row.scope) for key, row in findings.items() if row.scope.keys() == set(rule.by)}
    with transaction.atomic():
        others = [row for row in findings.values() if row.memory and row.memory["series"] != rule.series_sha256]
        ending.end(others, because=ending.COUNTED_OTHERWISE, actor=ledger.ENGINE, at=moment.as_of)
        seen: list[tuple[Finding, Point]] = []
        for week in span:
            for point in points(
                rule,
                cells[rule.key],
                connection=moment.connection,
                week=week,
                companions=cells,
                also=known_scopes.values(),
            ):
                finding = findings.get(point.scope.key) or _new_finding(rule, moment.connection, point)
                findings[finding.scope_key] = finding
                known_scopes[finding.scope_key] = point.scope  # from the next week on it may fall silent
                _take(finding, rule, point, moment)
                seen.append((finding, point))
        _save({finding.pk: finding for finding, _ in seen}.values())
        _publish(seen, version)
        _remember(rule, moment.connection, span, known.evaluation, starts_over=bool(others))
    moment.result.points += len(seen)
    moment.result.published.first_weeks[rule.id, rule.series_sha256] = span.start


#: What every value changes in a finding.
FOLDED = ("state", "memory", "first_pending_week")


def _save(findings: Iterable[Finding]) -> None:
    """Write what values changed, in one statement: Django's own ways take three to thirty times as long."""
    fields = [one for one in Finding._meta.concrete_fields if one.name in FOLDED]
    table, columns = state.ops.quote_name(Finding._meta.db_table), ", ".join(f"{one.column} = %s" for one in fields)
    rows = [
        (*(one.get_db_prep_save(getattr(finding, one.attname), state) for one in fields), finding.pk)
        for finding in findings
    ]
    with state.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {columns} WHERE id = %s", rows)  # noqa: S608 (names of our own)


#: What is kept of a point, beside its finding.
PUBLISHED = ("week", "value", "numerator", "denominator", "n")


def _publish(seen: Iterable[tuple[Finding, Point]], version: int | None) -> None:
    """Write new points, in one statement; one that was published before stays as it is."""
    columns = ("finding_id", *PUBLISHED, "target_value", "is_breaching", "version_id")
    rows = [
        (finding.pk, *(getattr(point, name) for name in PUBLISHED), point.target.value, point.is_breaching, version)
        for finding, point in seen
    ]
    table, places = state.ops.quote_name(PointRow._meta.db_table), ", ".join(["%s"] * len(columns))
    with state.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT DO NOTHING",  # noqa: S608
            rows,
        )


def _remember(rule: Rule, connection: str, span: range, before: Evaluation | None, *, starts_over: bool) -> None:
    """That the rule was evaluated up to the last week of the span; ``before``: what was remembered until now.

    ``starts_over``: it counts something else from the span on.
    """
    if before is None:
        Evaluation.objects.create(rule_id=rule.id, connection=connection, first_week=span[0], last_week=span[-1])
        return
    table = state.ops.quote_name(Evaluation._meta.db_table)
    with state.cursor() as cursor:  # as in _save: Django would compose it anew for every rule
        cursor.execute(
            f"UPDATE {table} SET first_week = %s, last_week = %s, count = count + 1 WHERE id = %s",  # noqa: S608
            (span[0] if starts_over else before.first_week, span[-1], before.pk),
        )


def _new_finding(rule: Rule, connection: str, point: Point) -> Finding:
    return Finding.objects.create(
        rule_id=rule.id,
        rule_sha256=rule.sha256,
        connection=connection,
        scope_key=point.scope.key,
        scope=point.scope.as_dict(),
        state=FindingState.NO_DATA.value,
        memory={},
    )


def _take(finding: Finding, rule: Rule, point: Point, moment: Moment) -> None:
    """Fold one point into its finding; tell the ledger when it fires or is resolved."""
    before = finding.state
    memory = advance(memory_of(finding), point, rule)
    finding.memory = msgspec.to_builtins(memory)
    finding.state = memory.state.value
    finding.first_pending_week = memory.first_pending_week
    name = f"{rule.id} [{finding.scope_key}]"
    if memory.state is FindingState.FIRING and before != FindingState.FIRING:
        _fire(finding, rule, point, memory, moment)
        moment.result.fired.append(name)
    elif before == FindingState.FIRING and memory.state is FindingState.RESOLVED:
        ledger.append(
            "finding.resolved",
            subject=f"{rule.id}/{moment.connection}/{finding.scope_key}",
            actor=ledger.ENGINE,
            at=moment.as_of,
            payload={"week": weeks.label(point.week)},
        )
        moment.result.resolved.append(name)


def memory_of(finding: Finding) -> FindingMemory | None:
    """What a finding remembers, None before its first value."""
    return msgspec.convert(finding.memory, FindingMemory) if finding.memory else None


def _fire(finding: Finding, rule: Rule, point: Point, memory: FindingMemory, moment: Moment) -> None:
    query = cell_query(rule.key, moment.connection)
    span = {"first_week": point.first_week, "last_week": point.week}
    pinned = moment.warehouse.pinned(query, scope=finding.scope, as_of=moment.as_of, **span)
    pinning.keep(pinned)
    finding.rule_sha256 = rule.sha256
    finding.times_fired = memory.times_fired
    finding.fired_week = point.week
    finding.fired_at = moment.as_of
    finding.value = point.value
    finding.target_kind = point.target.kind
    finding.target_value = point.target.value
    finding.target_source = point.target.source
    finding.n = point.n
    finding.rows_count = pinned.rows.num_rows
    finding.rows_sha256 = pinned.sha256
    finding.sql = pinned.sql
    ledger.append(
        "finding.fired",
        subject=f"{rule.id}/{moment.connection}/{finding.scope_key}",
        actor=ledger.ENGINE,
        at=moment.as_of,
        payload={
            "rule_sha256": rule.sha256,
            "week": weeks.label(point.week),
            "value": point.value if point.value is not None else "",
            "target": point.target.value if point.target.value is not None else "",
            "target_kind": point.target.kind,
            "target_source": point.target.source,
            "n": point.n,
            **pinning.told(pinned, query, **span),
        },
    )
    finding.save()  # whoever removes its rule has the ledger before it, too
