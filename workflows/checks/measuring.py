"""Where actions meet numbers: baseline, controls and detectable effect at opening; the cells of every look.

The only room that reads the warehouse for the check.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from django.conf import settings

from improvement import weeks
from improvement.check import CheckPlan, Direction, Goal, OtherAction, Series, Windows, detectable
from improvement.check.bounds import bounds
from improvement.check.facts import METHOD
from improvement.check.windows import LONG_WEEKS, MIN_REFERENCE_WEEKS, REFERENCE_WEEKS
from improvement.errors import GuardRefused, RegelkreisError
from improvement.evidence.canonical import sha256_hex
from improvement.metrics import CellQuery, Metric, where_from
from improvement.pdca import State
from improvement.plurals import how_many
from improvement.rules import Rule, Scope, rule_from_document
from improvement.schedule import LOOKS
from workflows.actions import planning
from workflows.checks import exposures, settling
from workflows.models import Action, Plan, RuleVersion
from workflows.warehouse import Warehouse, digest_of

SERVICE = "service"  # by which changes are known to touch a scope
STRATUM = "priority"


@dataclass(frozen=True, slots=True)
class Measured:
    """The weekly cells of one query, scope by scope, and their digest."""

    by_scope: dict[str, Series]
    scopes: dict[str, dict[str, str]]
    sha256: str


def query_of(action: Action, *, stratum: str | None = None) -> CellQuery:
    """The cells an action is measured by, as it was opened."""
    where = {key: list(values) for key, values in action.measurement.get("where", [])}
    return CellQuery(
        metric=action.metric,
        connection=action.connection,
        where=where_from(where),
        by=tuple(action.measurement.get("by", [])),
        stratum=stratum,
        tau_h=tau_h_of(action),
        options=settings.REGELKREIS.metrics.options,
    )


def stratum_of(action: Action) -> str | None:
    """By what a look splits its cells for the mix; counts have none: every stratum would be a week of exposure more."""
    return None if planning.metric_of(action).family == "count" else STRATUM


def tau_h_of(action: Action) -> float | None:
    """At how many hours the action's times are restricted: what its plan fixed, else the metric's own."""
    tau_weeks = action.measurement.get("tau_weeks")
    return float(tau_weeks * settling.HOURS_A_WEEK) if tau_weeks else planning.metric_of(action).tau_h


def read(warehouse: Warehouse, query: CellQuery, *, as_of: datetime, first_week: int, last_week: int) -> Measured:
    """Read cells and split them by scope."""
    return measured(query, warehouse.cells(query, as_of=as_of, first_week=first_week, last_week=last_week))


def measured(query: CellQuery, cells: pa.Table) -> Measured:
    """The cells of a query, split by scope."""
    week, numerator = cells["week"].to_numpy(), cells["numerator"].to_numpy()
    denominator = cells["denominator"].to_numpy()
    stratum = cells["stratum"].to_numpy() if query.stratum is not None else None
    by_scope: dict[str, Series] = {}
    scopes: dict[str, dict[str, str]] = {}
    for values, rows in _rows_by_scope(cells, query.by):
        name = Scope.of(values).key
        scopes[name] = values
        by_scope[name] = Series(
            week=week[rows],
            numerator=numerator[rows],
            denominator=denominator[rows],
            stratum=stratum[rows] if stratum is not None else None,
        )
    return Measured(by_scope, scopes, digest_of(cells))


def _rows_by_scope(cells: pa.Table, by: tuple[str, ...]) -> Iterator[tuple[dict[str, str], slice]]:
    """Each scope's values, and where its rows are: cells come sorted by scope."""
    is_first = np.zeros(cells.num_rows, dtype=np.bool_)
    is_first[:1] = True
    for name in by:
        code = cells[name].combine_chunks().dictionary_encode().indices.to_numpy()
        is_first[1:] |= code[1:] != code[:-1]
    starts = np.flatnonzero(is_first)
    scopes = cells.select(by).take(pa.array(starts)).to_pylist()
    for values, (start, end) in zip(scopes, pairwise([*starts.tolist(), cells.num_rows]), strict=True):
        yield values, slice(start, end)


def measure(action: Action, warehouse: Warehouse, rule: Rule | None, *, as_of: datetime) -> list[str]:
    """Fix what a plan needs from the data: baseline, windows, controls, τ, recording delay, detectable effect.

    Returns the keys of all scopes that have data, so that a scope nobody knows can be told.
    """
    metric = planning.metric_of(action)
    trigger_first, trigger_last = int(action.trigger["from_week"]), int(action.trigger["to_week"])
    measurement = action.measurement
    if metric.family == "time":
        measurement["tau_weeks"] = _tau_weeks(action, warehouse, as_of)
    query = query_of(action)
    first = trigger_first - LONG_WEEKS
    found = read(warehouse, query, as_of=as_of, first_week=first, last_week=trigger_last)
    own = found.by_scope.get(action.scope_key)
    measurement["sql_sha256"] = sha256_hex(warehouse.sql(query).encode())
    measurement["method"] = METHOD
    measurement["looks"] = list(rule.check.looks) if rule else list(LOOKS)
    measurement["sustain"] = list(rule.check.sustain) if rule else list(LOOKS)
    found_bounds = bounds(tuple(measurement["looks"]))
    measurement["bounds"] = {str(look): round(bound, 6) for look, bound in found_bounds.items()}
    if own is None or metric.family is None:
        measurement.update(controls=[], controls_excluded=[], windows={"trigger": _dates(trigger_first, trigger_last)})
        return sorted(found.by_scope)
    measurement["earliest_week"] = int(own.week.min())
    reference = (max(trigger_first - REFERENCE_WEEKS, int(own.week.min())), trigger_first - 1)
    within = (own.week >= reference[0]) & (own.week <= reference[1])
    numerator, denominator = float(own.numerator[within].sum()), float(own.denominator[within].sum())
    if denominator > 0:
        measurement["baseline"] = numerator / denominator
    controls, excluded = _controls(action, found, rule, reference)
    measurement["controls"] = controls
    measurement["controls_excluded"] = excluded
    if metric.family == "count":
        scopes = {name: found.scopes[name] for name in (action.scope_key, *controls)}
        exposure = _exposure(action, scopes, reference, as_of)
        if exposure:
            measurement["exposure"] = exposure
    rows = _rows(action, query, warehouse, reference, as_of)
    measurement["recording_delay_days"] = settling.recording_delay_days(
        warehouse, metric, action.connection, rows["id"].to_pylist()
    )
    measurement["windows"] = {"reference": _dates(*reference), "trigger": _dates(trigger_first, trigger_last)}
    plan = check_plan(action, None, live=weeks.monday(trigger_last + 1) + timedelta(weeks=4))
    exposed = with_exposure(plan, action, found, measurement.get("exposure", {}))
    smallest = detectable(plan, exposed[action.scope_key], {name: exposed[name] for name in controls})
    measurement["detectable"] = smallest.as_dict()
    return sorted(found.by_scope)


def _exposure(
    action: Action, scopes: Mapping[str, Mapping[str, str]], reference: tuple[int, int], as_of: datetime
) -> dict[str, Any]:
    """What counts are told per; where the file cannot be read the action waits, and all else goes on."""
    day = planning.local_day(action, as_of)
    try:
        return exposures.frozen(action.connection, scopes, action.scope_key, reference, through=day)
    except RegelkreisError as error:
        raise GuardRefused(f"No action is opened for {action.scope_key}", [str(error)]) from error


def _tau_weeks(action: Action, warehouse: Warehouse, as_of: datetime) -> int:
    last = int(action.trigger["from_week"]) - 1
    reference = (last - REFERENCE_WEEKS + 1, last)
    rows = _rows(action, settling.longest(query_of(action)), warehouse, reference, as_of)
    return settling.tau_weeks(rows["numerator"].to_numpy())


def _rows(
    action: Action, query: CellQuery, warehouse: Warehouse, reference: tuple[int, int], as_of: datetime
) -> pa.Table:
    first, last = reference
    return warehouse.contributing(query, scope=action.scope, as_of=as_of, first_week=first, last_week=last)


def _dates(first: int, last: int) -> dict[str, str]:
    return {"from": weeks.monday(first).isoformat(), "to": weeks.sunday(last).isoformat()}


def _controls(
    action: Action, found: Measured, rule: Rule | None, reference: tuple[int, int]
) -> tuple[list[str], list[dict[str, str]]]:
    """The rule's other scopes on the same connection, largest first, without those that have an action of their own."""
    same = rule.check.controls_same if rule else ()
    most = rule.check.controls_max if rule else 10
    scopes = {name: found.scopes[name] for name in found.by_scope}
    busy = acting_controls(action, scopes, first_week=reference[0], at=action.opened_at)
    volumes: list[tuple[float, str]] = []
    excluded: list[dict[str, str]] = []
    for name, series in found.by_scope.items():
        if name == action.scope_key:
            continue
        within = (series.week >= reference[0]) & (series.week <= reference[1])
        volume = float(series.denominator[within].sum())
        observed = int((series.denominator[within] > 0).sum())
        if name in busy:
            excluded.append({"scope": name, "reason": "has an action of its own"})
        elif any(found.scopes[name].get(key) != action.scope.get(key) for key in same if key in found.scopes[name]):
            excluded.append({"scope": name, "reason": f"differs in {', '.join(same)}"})
        elif observed < MIN_REFERENCE_WEEKS:
            excluded.append({"scope": name, "reason": "too few weeks with volume in the reference"})
        else:
            volumes.append((volume, name))
    ranked = [name for _, name in sorted(volumes, key=lambda item: (-item[0], item[1]))]
    excluded += [{"scope": name, "reason": f"more than {how_many(most, 'control')}"} for name in ranked[most:]]
    return ranked[:most], sorted(excluded, key=lambda item: item["scope"])


def _is_open_since(other: Action, first_week: int) -> bool:
    """Whether another action touches the time from the reference on."""
    if other.state == State.CANCELLED:
        return False
    return other.closed_at is None or weeks.week_of(other.closed_at.date()) >= first_week


def acting_controls(
    action: Action, scopes: Mapping[str, Mapping[str, str]], *, first_week: int, at: datetime
) -> set[str]:
    """Controls with an action on them, above them or inside them at any time from the reference to this look.

    An action that shares no dimension with them works in ours as in every control and leaves nothing to prefer; guard
    8 tells it.

    ``scopes``: the controls' dimension values by scope key.
    """
    others = Action.objects.filter(connection=action.connection, metric=action.metric, opened_at__lte=at)
    others = others.exclude(pk=action.pk).only("state", "closed_at", "scope")
    acting = [Scope.of(other.scope) for other in others if _is_open_since(other, first_week)]
    controls = {name: Scope.of(values) for name, values in scopes.items()} if acting else {}
    return {name for name, scope in controls.items() if any(scope.is_worked_on_from(other) for other in acting)}


def other_actions(action: Action, windows: Windows, *, last_week: int) -> tuple[OtherAction, ...]:
    """Other actions on the same metric that went live after the reference, up to this week, on overlapping scopes.

    That is what works in *after* and not in what *after* is compared with (docs/decisions/016). A scope overlaps ours
    where a record can belong to both: the same scope, one above it, one inside it, or one across it.
    """
    first, last = weeks.monday(windows.reference[1] + 1), weeks.sunday(last_week)
    others = Action.objects.filter(
        connection=action.connection, metric=action.metric, implemented_on__gte=first, implemented_on__lte=last
    )
    ours = Scope.of(action.scope)
    return tuple(
        OtherAction(other.code, str(scope), is_same_scope=scope == ours)
        for other in others.exclude(pk=action.pk).only("scope").order_by("pk")
        if (scope := Scope.of(other.scope)).overlaps(ours)
    )


def rule_of(action: Action) -> Rule | None:
    """The rule version that opened an action."""
    row = RuleVersion.objects.filter(rule_id=action.rule_id, sha256=action.rule_sha256).first()
    return rule_from_document(row.document) if row is not None else None


def check_plan(action: Action, plan: Plan | None, *, live: Any = None) -> CheckPlan:
    """The plan in the terms of the check."""
    metric = planning.metric_of(action)
    measured = plan.document if plan is not None else action.measurement
    goal = str(measured.get("goal") or action.goal or _default_goal(metric))
    least = str(measured.get("min_effect") or action.min_effect)
    controls = tuple(measured.get("controls", []))
    exposure = exposures.in_words(measured.get("exposure", {}), action.scope_key, controls)
    return CheckPlan(
        action=action.code,
        metric=metric.id,
        metric_version=metric.version,
        family=metric.family,
        direction=Direction(metric.direction),
        unit=f"{metric.unit} {exposure.text}".strip() if exposure is not None else metric.unit,
        windows=planning.check_windows(action, live),
        goal=Goal.parse(goal),
        min_effect=Goal.parse(least) if least else None,
        looks=tuple(measured.get("looks", LOOKS)),
        controls=controls,
        controls_excluded=tuple((item["scope"], item["reason"]) for item in measured.get("controls_excluded", [])),
        is_late=action.is_late,
        recording_delay_days=int(measured.get("recording_delay_days") or 0),
        tau_weeks=int(measured.get("tau_weeks") or 0),
        exposure=exposure,
        rule=action.rule_id,
        is_adjusted=(plan.cycle_no if plan is not None else action.cycle_no) > 1,
    )


def with_exposure(plan: CheckPlan, action: Action, found: Measured, exposure: Mapping[str, Any]) -> dict[str, Series]:
    """The cells of an action's scope and its controls; counts with the exposure that was frozen."""
    return exposures.applied(
        exposure,
        found.by_scope,
        found.scopes,
        action.scope_key,
        plan.controls,
        connection=action.connection,
        reference=plan.windows.reference,
    )


def _default_goal(metric: Metric) -> str:
    if metric.family == "score":
        return "+0.25"
    return "-30%" if metric.direction == "lower" else "+30%"


def concurrent_changes(warehouse: Warehouse, action: Action, first_week: int, last_week: int) -> dict[str, Any]:
    """Other changes of the scope's service that went live in *after*, by number; those of high risk once more."""
    service = action.scope.get(SERVICE)
    if service is None:
        return {"numbers": [], "high_risk": []}
    found = warehouse.arrow(
        "SELECT number, risk FROM live_tickets WHERE connection = ? AND kind = 'change' AND service = ? "
        "AND state <> 'cancelled' AND closed_day >= ? AND closed_day <= ? ORDER BY number",
        [action.connection, service, weeks.day_of(weeks.monday(first_week)), weeks.day_of(weeks.sunday(last_week))],
    ).to_pylist()
    own = action.implemented_ref.strip()
    others = [row for row in found if row["number"] != own]
    high = [row["number"] for row in others if row["risk"] == "high"]
    return {"numbers": [row["number"] for row in others], "high_risk": high}
