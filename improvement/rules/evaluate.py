"""From weekly cells to points, and from points to findings. Pure: the same cells give the same findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np
import pyarrow as pa

from improvement.metrics import CATALOGUE, CellQuery, Metric
from improvement.rules.documents import Rule, Target
from improvement.rules.scope import Scope
from improvement.rules.targets import in_force
from improvement.weeks import sunday

Cells = Mapping[CellQuery, pa.Table]


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """The number a value is compared with: ``kind`` max or min; None where the own past is too short."""

    kind: str
    value: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Point:
    """A value of one rule and scope for the window ending with ``week``. ``is_breaching`` None: no data."""

    rule_id: str
    scope: Scope
    week: int
    value: float | None
    numerator: float
    denominator: float
    n: int
    target: ResolvedTarget
    is_breaching: bool | None
    reason: str = ""


class FindingState(StrEnum):
    """What is known of a rule on a scope. *No data* is never *ok*."""

    OK = "ok"
    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    NO_DATA = "no data"


class FindingMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What a finding must remember from one value to the next."""

    state: FindingState = FindingState.OK
    run: int = 0  # breaching values in a row
    gaps: int = 0  # values without enough samples in a row
    clear_run: int = 0
    first_pending_week: int | None = None
    fired_week: int | None = None
    week: int = 0


def weeks_needed(rule: Rule) -> int:
    """How many weeks of cells one value reads, the own past included."""
    reference = max(
        (target.worse_than_own.reference for target in _targets(rule) if target.worse_than_own is not None), default=0
    )
    return rule.spec.window + reference


def _targets(rule: Rule) -> list[Target]:
    return [rule.spec.target, *(override.target for override in rule.spec.overrides)]


def queries(rules: Sequence[Rule], connection: str) -> dict[CellQuery, int]:
    """The distinct cell queries of some rules, each with the weeks of history it needs."""
    needed: dict[CellQuery, int] = {}
    for rule in rules:
        main = rule.query(connection)
        needed[main] = max(needed.get(main, 0), weeks_needed(rule))
        for _, query in rule.while_queries(connection):
            needed[query] = max(needed.get(query, 0), rule.spec.window)
    return needed


class Series:
    """The cells of one query as a matrix scope × week, so that windows are slices."""

    def __init__(self, query: CellQuery, cells: pa.Table) -> None:
        week = cells["week"].to_numpy()
        self.first = int(week.min()) if len(week) else 0
        self.width = int(week.max()) - self.first + 1 if len(week) else 0
        columns = [cells[name].to_pylist() for name in query.by]
        index: dict[tuple[str, ...], int] = {}
        rows = np.fromiter((index.setdefault(key, len(index)) for key in zip(*columns, strict=True)), np.int64, len(week))
        self.scopes = [Scope.of(dict(zip(query.by, key, strict=True))) for key in index]
        self.position = {scope.key: place for place, scope in enumerate(self.scopes)}
        shape = (len(self.scopes), self.width)
        self.numerator, self.denominator, self.n = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        if len(week):
            at = (rows, week - self.first)
            self.numerator[at] = cells["numerator"].to_numpy()
            self.denominator[at] = cells["denominator"].to_numpy()
            self.n[at] = cells["n"].to_numpy()

    def window(self, metric: Metric, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Numerator, denominator and n of every scope over weeks first … last (snapshots: the last week)."""
        if metric.is_snapshot:
            first = last
        start, stop = max(first - self.first, 0), max(last - self.first + 1, 0)
        part = slice(start, stop)
        return self.numerator[:, part].sum(1), self.denominator[:, part].sum(1), self.n[:, part].sum(1)


def points(rule: Rule, connection: str, series: Mapping[CellQuery, Series], week: int) -> list[Point]:
    """The rule's value for every scope, for the window that ends with ``week``."""
    metric = rule.metric
    own = series[rule.query(connection)]
    window = rule.spec.window
    numerator, denominator, n = own.window(metric, week - window + 1, week)
    held = _conditions(rule, connection, series, week)
    baselines = _baselines(rule, own, week)
    found = []
    for place, scope in enumerate(own.scopes):
        value = float(numerator[place] / denominator[place]) if denominator[place] > 0 else None
        target = _resolve(rule, scope, week, baselines, place)
        breaching, reason = _judge(rule, value, int(n[place]), target)
        if breaching and not held.get(scope.key, True):
            breaching, reason = False, "the condition under while does not hold"
        found.append(
            Point(
                rule_id=rule.id,
                scope=scope,
                week=week,
                value=value,
                numerator=float(numerator[place]),
                denominator=float(denominator[place]),
                n=int(n[place]),
                target=target,
                is_breaching=breaching,
                reason=reason,
            )
        )
    return sorted(found, key=lambda point: point.scope.key)


def _baselines(rule: Rule, own: Series, week: int) -> dict[int, np.ndarray]:
    """Per reference length, every scope's own value over the weeks before the window (NaN: too short)."""
    found: dict[int, np.ndarray] = {}
    for target in _targets(rule):
        if target.worse_than_own is None:
            continue
        length = target.worse_than_own.reference
        last = week - rule.spec.window
        first = last - length + 1
        numerator, denominator, _ = own.window(rule.metric, first, last)
        start = max(first - own.first, 0)
        observed = (own.denominator[:, start : max(last - own.first + 1, 0)] > 0).sum(1)
        enough = observed >= min(26, length / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[length] = np.where(enough & (denominator > 0), numerator / denominator, np.nan)
    return found


def _resolve(rule: Rule, scope: Scope, week: int, baselines: Mapping[int, np.ndarray], place: int) -> ResolvedTarget:
    chosen = in_force(rule, dict(scope.items), sunday(week))
    target = chosen.target
    if target.max is not None:
        return ResolvedTarget("max", target.max, chosen.source)
    if target.min is not None:
        return ResolvedTarget("min", target.min, chosen.source)
    own = target.worse_than_own
    assert own is not None  # Target's validator: exactly one is set
    base = float(baselines[own.reference][place])
    kind = "max" if rule.metric.direction == "lower" else "min"
    factor = 1 + own.by if kind == "max" else 1 - own.by
    value = None if np.isnan(base) else base * factor
    return ResolvedTarget(kind, value, f"{chosen.source}: own {own.reference} weeks")


def _judge(rule: Rule, value: float | None, n: int, target: ResolvedTarget) -> tuple[bool | None, str]:
    if value is None:
        return None, "no volume in the window"
    if n < rule.spec.trigger.min_samples and not rule.metric.is_snapshot:
        return None, f"{n} samples, {rule.spec.trigger.min_samples} are needed"
    if target.value is None:
        return None, "the own past is too short"
    return (value > target.value if target.kind == "max" else value < target.value), ""


def _conditions(rule: Rule, connection: str, series: Mapping[CellQuery, Series], week: int) -> dict[str, bool]:
    held: dict[str, bool] = {}
    for condition, query in rule.while_queries(connection):
        other = series[query]
        numerator, denominator, _ = other.window(CATALOGUE[condition.metric], week - rule.spec.window + 1, week)
        for place, scope in enumerate(other.scopes):
            if denominator[place] <= 0:
                is_held = False
            else:
                value = numerator[place] / denominator[place]
                is_held = value <= condition.max if condition.max is not None else value >= (condition.min or 0.0)
            held[scope.key] = held.get(scope.key, True) and bool(is_held)
    if rule.spec.while_:
        own = series[rule.query(connection)]
        return {scope.key: held.get(scope.key, False) for scope in own.scopes}
    return held


def advance(memory: FindingMemory | None, point: Point, rule: Rule) -> FindingMemory:
    """The finding after one more value."""
    before = memory or FindingMemory()
    after = msgspec.structs.replace(before, week=point.week)
    if point.is_breaching is None:
        return _without_data(after)
    after = msgspec.structs.replace(after, gaps=0)
    if point.is_breaching:
        return _breaching(after, point, rule)
    if before.state is FindingState.FIRING:
        return _clearing(after, point, rule)
    return msgspec.structs.replace(after, run=0, clear_run=0, state=FindingState.OK, first_pending_week=None)


def _without_data(memory: FindingMemory) -> FindingMemory:
    """One value without enough samples neither counts nor breaks a run; two in a row do."""
    gaps = memory.gaps + 1
    if memory.state is FindingState.FIRING:
        return msgspec.structs.replace(memory, gaps=gaps)
    if memory.state is FindingState.PENDING and gaps < 2:
        return msgspec.structs.replace(memory, gaps=gaps)
    return msgspec.structs.replace(
        memory, gaps=gaps, run=0, clear_run=0, first_pending_week=None, state=FindingState.NO_DATA
    )


def _breaching(memory: FindingMemory, point: Point, rule: Rule) -> FindingMemory:
    run = memory.run + 1
    if memory.state is FindingState.FIRING:
        return msgspec.structs.replace(memory, run=run, clear_run=0)
    first = memory.first_pending_week if memory.run and memory.first_pending_week is not None else point.week
    if run >= rule.spec.trigger.for_weeks:
        return msgspec.structs.replace(
            memory,
            run=run,
            clear_run=0,
            state=FindingState.FIRING,
            first_pending_week=first,
            fired_week=point.week,
        )
    return msgspec.structs.replace(
        memory, run=run, clear_run=0, state=FindingState.PENDING, first_pending_week=first
    )


def _clearing(memory: FindingMemory, point: Point, rule: Rule) -> FindingMemory:
    clear = rule.spec.clear
    assert point.value is not None and point.target.value is not None  # not no-data: checked before
    if point.target.kind == "max":
        is_clear = point.value <= clear.ratio * point.target.value
    else:
        is_clear = point.value >= point.target.value / clear.ratio
    run = memory.clear_run + 1 if is_clear else 0
    if run >= clear.for_weeks:
        return msgspec.structs.replace(
            memory, run=0, clear_run=0, state=FindingState.RESOLVED, first_pending_week=None
        )
    return msgspec.structs.replace(memory, run=0, clear_run=run)


def trigger_window(memory: FindingMemory, rule: Rule) -> tuple[int, int]:
    """First week of the first pending value's window to the last week of the firing value's."""
    last = memory.fired_week if memory.fired_week is not None else memory.week
    first = memory.first_pending_week if memory.first_pending_week is not None else last
    return first - rule.spec.window + 1, last


def size(point: Point) -> float:
    """How far beyond its target a value lies, relative to it: ranks the queue."""
    if point.value is None or not point.target.value:
        return 0.0
    return abs(point.value - point.target.value) / abs(point.target.value)
