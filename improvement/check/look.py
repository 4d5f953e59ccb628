"""Compute one look: least data, fit, guards, verdict, and everything the review record states."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import t as student

from improvement.check import guards as guard
from improvement.check import words
from improvement.check.bounds import bounds, quantile
from improvement.check.estimate import Data, Estimate, estimate, indicators, season
from improvement.check.fit import FitFailed, control_offset, inflation
from improvement.check.model import (
    CheckPlan,
    CheckResult,
    Family,
    GuardResult,
    Series,
    Status,
    WindowFacts,
)
from improvement.check.verdict import Outcome, decide
from improvement.check.windows import LONG_WEEKS
from improvement.errors import InputError
from improvement.weeks import label, monday

METHOD = "did-quasi-glm/1"
SUSTAIN_Z = 1.959964
MIN_REFERENCE_WEEKS = 26
VOLUME_SHARE = 0.75


@dataclass(frozen=True, slots=True)
class Request:
    """One look as asked for."""

    plan: CheckPlan
    scope: Series
    controls: Mapping[str, Series]
    look: int
    kind: str
    last_week: int
    after_from: int
    dropped: tuple[tuple[str, str], ...] = ()
    final_delta: float | None = None
    final_verdict: str = ""
    high_risk_changes: tuple[str, ...] = ()
    has_other_action: bool = False
    concurrent_changes: int = 0

    @property
    def sign(self) -> int:
        """+1 when higher is better."""
        return self.plan.direction.sign

    @property
    def is_last(self) -> bool:
        """Whether this look decides."""
        return self.kind != "look"


@dataclass(slots=True)
class Findings:
    """What the computation has found so far."""

    outcome: Outcome
    numbers: dict[str, Any] = field(default_factory=dict)
    guards: list[GuardResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    notes_de: list[str] = field(default_factory=list)


def compute_look(
    plan: CheckPlan,
    scope: Series | None,
    controls: Mapping[str, Series],
    *,
    look: int,
    kind: str,
    last_week: int,
    dropped_controls: tuple[tuple[str, str], ...] = (),
    final: Mapping[str, Any] | None = None,
    concurrent_changes: int = 0,
    high_risk_changes: tuple[str, ...] = (),
    has_other_action: bool = False,
) -> CheckResult:
    """Compute one look on its own window.

    Parameters
    ----------
    look
        Weeks after go-live (sustaining: after the decision).
    kind
        ``look`` (interim), ``final`` or ``sustain``.
    last_week
        The last ISO week that belongs to *after*.
    final
        For sustaining looks: the result of the final look (``link_effect``, ``verdict``).
    """
    after_from = last_week - plan.looks[-1] + 1 if kind == "sustain" else plan.windows.after_from
    request = Request(
        plan=plan,
        scope=scope if scope is not None else _nothing(),
        controls=controls,
        look=look,
        kind=kind,
        last_week=last_week,
        after_from=after_from,
        dropped=dropped_controls,
        final_delta=(final or {}).get("link_effect"),
        final_verdict=str((final or {}).get("verdict", "")),
        high_risk_changes=high_risk_changes,
        has_other_action=has_other_action,
        concurrent_changes=concurrent_changes,
    )
    if plan.family is None:
        return _result(request, Findings(Outcome(is_computed=False, why_not_computed="no_family")))
    if scope is None or len(scope.week) == 0:
        return _result(request, Findings(Outcome(is_computed=False, why_not_computed="no_series")))
    return _result(request, _compute(request, plan.family))


def not_due(plan: CheckPlan) -> CheckResult:
    """Before the first look there is no verdict."""
    request = Request(plan, _nothing(), {}, plan.looks[0], "look", 0, plan.windows.after_from)
    found = Findings(Outcome(has_data=False, why_no_data="before_first_look"))
    return replace(_result(request, found), look=None)


def _nothing() -> Series:
    return Series(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))


def _compute(request: Request, family: Family) -> Findings:
    plan = request.plan
    weekly = request.scope.weekly()
    reference = weekly.between(*plan.windows.reference)
    after = weekly.between(request.after_from, request.last_week)
    lacking = _least_data(request, family, reference, after)
    found = Findings(Outcome(), numbers=_naive(request, family, weekly, after))
    try:
        rate = float(reference.numerator.sum() / reference.denominator.sum()) if len(reference.week) else 0.0
        goal = plan.goal.link_size(family=family, sign=request.sign, rate=rate)
        least = (plan.min_effect or plan.goal.half).link_size(family=family, sign=request.sign, rate=rate)
    except InputError as error:
        found.outcome = Outcome(is_computed=False, why_not_computed="no_plan_goal")
        found.notes.append(error.what)
        found.notes_de.append(error.what)
        return found
    if lacking:
        found.outcome = Outcome(has_data=False, why_no_data=lacking)
        return found
    controls = {name: series.weekly() for name, series in request.controls.items()}
    data = _data(family, reference, after, list(controls.values()))
    try:
        first = estimate(data)
    except FitFailed as error:
        found.outcome = Outcome(is_computed=False, why_not_computed="fit_failed")
        found.notes.append(str(error))
        found.notes_de.append(str(error))
        return found
    _judge(request, family, data, controls, first, found, goal=goal, least=least, rate=rate)
    return found


def _data(family: Family, reference: Series, after: Series, controls: list[Series]) -> Data:
    week = np.concatenate([reference.week, after.week])
    cells = Series(
        week,
        np.concatenate([reference.numerator, after.numerator]),
        np.concatenate([reference.denominator, after.denominator]),
    )
    is_after = np.arange(len(week)) >= len(reference.week)
    return Data(family, cells, is_after, control_offset(family, controls, week))


def _least_data(request: Request, family: Family, reference: Series, after: Series) -> str:
    """The reason code of what is lacking, '' when there is enough."""
    planned = request.last_week - request.after_from + 1
    if len(reference.week) < MIN_REFERENCE_WEEKS:
        return "few_reference_weeks"
    if len(after.week) < VOLUME_SHARE * planned:
        return "few_after_weeks"
    if family in ("proportion", "count"):
        events = float(reference.numerator.sum())
        expected = events / float(reference.denominator.sum()) * float(after.denominator.sum())
        if events < 20:
            return "few_reference_events"
        return "few_expected_events" if expected < 10 else ""
    if after.denominator.sum() < 30:
        return "few_matured" if family == "time" else "few_responses"
    return ""


def _judge(
    request: Request,
    family: Family,
    data: Data,
    controls: Mapping[str, Series],
    first: Estimate,
    found: Findings,
    *,
    goal: float,
    least: float,
    rate: float,
) -> None:
    sign, plan = request.sign, request.plan
    bound = SUSTAIN_Z if request.kind == "sustain" else bounds(plan.looks)[request.look]
    critical = quantile(bound, first.df)
    tau = guard.controls_spread(data, controls)
    se = math.sqrt(first.se**2 + tau**2) if tau is not None and tau > first.se else first.se
    low, high = sorted((sign * first.delta - critical * se, sign * first.delta + critical * se))
    results = _guards(request, data, first, tau, se, critical)
    if low > 0 and not all(abs(first.delta) >= critical * size for size in (first.se, se)):
        low = 0.0
    has_faded = (
        request.kind == "sustain"
        and request.final_delta is not None
        and (
            sign * first.delta < 0.5 * sign * request.final_delta
            or (low <= 0 <= high and request.final_verdict == "improved")
        )
    )
    found.guards.extend(results)
    unshrunk_low = sign * first.delta - critical * first.se
    is_good_before_spread = unshrunk_low > 0 >= low
    found.outcome = Outcome(
        effect=sign * first.delta,
        low=unshrunk_low if is_good_before_spread else low,
        high=high,
        is_last_look=request.is_last,
        guards=tuple((result.number, result.status) for result in results),
        has_controls=bool(controls),
        season_agrees=_season_agrees(data, sign) if high < 0 else True,
        min_effect=least,
        goal=goal,
        is_recovered=_is_recovered(request, family, controls) if low <= 0 <= high else False,
        has_faded=has_faded,
    )
    _note_limits(request, first, results, found)
    ends = sorted((sign * low, sign * high))
    found.numbers |= {
        "effect": words.natural(family, first.delta),
        "low": words.natural(family, ends[0]),
        "high": words.natural(family, ends[1]),
        "unit": words.unit_name(family, plan.unit),
        "effect_text": words.effect_text(family, first.delta, before=rate, unit=plan.unit),
        "interval_text": words.interval_text(family, ends[0], ends[1], plan.unit),
        "goal_met": sign * first.delta >= goal,
        "link_effect": first.delta,
        "link_se": se,
        "bound": bound,
        "quantile": critical,
        "phi": first.phi,
        "rho": first.rho,
        "df": first.df,
        "control_tau": tau,
        "absolute": _absolute(family, data, first),
    }
    if found.outcome.low <= 0 <= found.outcome.high and goal <= found.outcome.high:
        found.numbers["conclusive_by"] = _conclusive_by(request, se, critical, goal)


def _guards(
    request: Request, data: Data, first: Estimate, tau: float | None, se: float, critical: float
) -> list[GuardResult]:
    sign, plan = request.sign, request.plan
    results = [GuardResult(1, "reference before trigger", Status.PASSED, "by construction", "durch die Bauart")]
    if request.kind == "sustain":
        results.append(guard.not_computed(2, "not asked in sustaining looks", "entfällt bei Nachhalteblicken"))
        results.append(guard.not_computed(3, "not asked in sustaining looks", "entfällt bei Nachhalteblicken"))
    else:
        earlier = [look for look in plan.looks if look < request.look]
        if request.is_last and earlier:
            results.append(guard.sustain(data, first, plan.windows.after_from + earlier[-1]))
        else:
            results.append(guard.not_computed(2, "asked at the last look", "wird beim letzten Blick geprüft"))
        results.append(guard.pre_trend(data, _long_before(request, data), sign))
    if request.controls:
        results.append(guard.two_witnesses(data, first))
    else:
        results.append(guard.not_computed(4, "no controls", "keine Vergleichsgruppen"))
    if tau is None:
        results.append(guard.not_computed(5, "fewer than three controls", "weniger als drei Vergleichsgruppen"))
    else:
        is_passed = tau <= first.se or abs(first.delta) >= critical * se
        detail = f"their own spread is {tau:.2f} against a standard error of {first.se:.2f}"
        detail_de = f"ihre eigene Streuung ist {tau:.2f} gegen einen Standardfehler von {first.se:.2f}"
        status = Status.PASSED if is_passed else Status.FAILED
        results.append(GuardResult(5, guard.NAMES[5], status, detail, detail_de, {"tau": tau, "se": first.se}))
    results.append(guard.mix(data, request.scope if request.scope.stratum is not None else None, sign))
    if request.kind != "sustain":
        results.append(guard.few_controls(len(request.controls)))
    results.append(
        guard.alone(
            is_late=plan.is_late,
            has_other_action=request.has_other_action,
            high_risk_changes=request.high_risk_changes,
        )
    )
    return results


def _long_before(request: Request, data: Data) -> Data | None:
    """104 complete weeks before the trigger, where they exist."""
    last = request.plan.windows.reference[1]
    cells = request.scope.weekly().between(last - LONG_WEEKS + 1, last)
    if len(cells.week) < LONG_WEEKS:
        return None
    controls = [series.weekly() for series in request.controls.values()]
    offset = control_offset(data.family, controls, cells.week)
    return Data(data.family, cells, np.zeros(len(cells.week), dtype=bool), offset)


def _season_agrees(data: Data, sign: int) -> bool:
    """A model with a yearly wave also says *worse*, one-sided."""
    try:
        return estimate(data, season).agrees_with(-sign)
    except FitFailed:
        return False


def _is_recovered(request: Request, family: Family, controls: Mapping[str, Series]) -> bool:
    """Confirmation worse than the reference (5 %), after better than confirmation (2.5 %), both one-sided."""
    span = request.plan.windows.confirmation
    if span is None:
        return False
    weekly = request.scope.weekly()
    parts = [
        weekly.between(*request.plan.windows.reference),
        weekly.between(*span),
        weekly.between(request.after_from, request.last_week),
    ]
    sizes = [len(part.week) for part in parts]
    if min(sizes) == 0:
        return False
    week = np.concatenate([part.week for part in parts])
    cells = Series(
        week,
        np.concatenate([part.numerator for part in parts]),
        np.concatenate([part.denominator for part in parts]),
    )
    place = np.repeat([0, 1, 2], sizes)
    data = Data(family, cells, place == 2, control_offset(family, list(controls.values()), week))
    try:
        found, _ = indicators(data, [place == 1, place == 2])
    except FitFailed:
        return False
    rho, sign = found.rho, request.sign
    c, a = float(found.params[1]), float(found.params[2])
    se_c = found.se(1) * inflation(rho, sizes[0], sizes[1])
    gap = float(np.sqrt(found.cov[1, 1] + found.cov[2, 2] - 2 * found.cov[1, 2])) * inflation(rho, sizes[1], sizes[2])
    worse = sign * c / se_c < float(student.ppf(0.05, found.df))
    better = sign * (a - c) / gap > float(student.ppf(0.975, found.df))
    return worse and better


def _note_limits(request: Request, first: Estimate, results: list[GuardResult], found: Findings) -> None:
    """What the sentence has to say beside the verdict."""
    if first.has_half_event:
        found.notes.append("a window without any event was given half an event so that the model could be fitted")
        found.notes_de.append("ein Fenster ohne Ereignis erhielt ein halbes, damit das Modell angepasst werden konnte")
    if request.plan.is_adjusted:
        found.notes.append("the effect is that of all cycles together")
        found.notes_de.append("die Wirkung ist die aller Zyklen zusammen")
    for result in results:
        if result.status is Status.FAILED or (result.number == 7 and 0 < len(request.controls) < 3):
            found.notes.append(result.detail)
            found.notes_de.append(result.detail_de)
    if any(result.status is Status.NOT_COMPUTED and result.number == 6 for result in results) and request.is_last:
        found.notes.append("the ticket mix was not examined")
        found.notes_de.append("die Zusammensetzung der Tickets wurde nicht geprüft")


def _naive(request: Request, family: Family, weekly: Series, after: Series) -> dict[str, Any]:
    """The before–after figure a dashboard would show: the trigger window against *after*."""
    trigger = weekly.between(*request.plan.windows.trigger)

    def mean(part: Series) -> float | None:
        return float(part.numerator.sum() / part.denominator.sum()) if len(part.week) else None

    before, now = mean(trigger), mean(after)
    return {
        "naive": {"before": before, "after": now},
        "naive_text": words.naive_text(family, before, now, request.plan.unit),
    }


def _absolute(family: Family, data: Data, first: Estimate) -> dict[str, float | None]:
    """The effect on the ground: expected without the action, observed, and the difference in A."""
    after = Series(
        data.cells.week[data.is_after], data.cells.numerator[data.is_after], data.cells.denominator[data.is_after]
    )
    observed, volume = float(after.numerator.sum()), float(after.denominator.sum())
    rate = observed / volume
    if family == "proportion":
        odds = rate / (1 - rate) * math.exp(-first.delta) if 0 < rate < 1 else float("nan")
        without = odds / (1 + odds) if rate > 0 else rate
        without = without if math.isfinite(without) else rate
    elif family == "score":
        without = rate - first.delta
    else:
        without = rate * math.exp(-first.delta)
    return {
        "rate_observed": rate,
        "rate_without": without,
        "difference": rate - without,
        "amount": (rate - without) * volume,
        "volume": volume,
    }


def _conclusive_by(request: Request, se: float, critical: float, goal: float) -> str:
    """The earliest Monday by which the interval could be narrow enough to hold only one of zero and the goal."""
    have = request.last_week - request.after_from + 1
    target = goal / (2 * critical)
    if se <= target:
        return monday(request.last_week + 1).isoformat()
    needed = math.ceil(have * (se / target) ** 2)
    return monday(request.after_from + min(needed, 520)).isoformat()


def _window_facts(span: tuple[int, int] | None, weekly: Series) -> WindowFacts | None:
    if span is None or span[1] < span[0]:
        return None
    part = weekly.between(*span)
    events, n = float(part.numerator.sum()), float(part.denominator.sum())
    planned = span[1] - span[0] + 1
    return WindowFacts(
        first_week=label(span[0]),
        last_week=label(span[1]),
        weeks=len(part.week),
        gaps=planned - len(part.week),
        events=events,
        n=n,
        rate=events / n if n > 0 else None,
    )


@cache
def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("numpy", "scipy", "statsmodels")} | {
        "python": ".".join(str(part) for part in sys.version_info[:3])
    }


def _result(request: Request, found: Findings) -> CheckResult:
    plan = request.plan
    row, reason = decide(found.outcome)
    is_provisional = request.kind == "look"
    sentence, sentence_de = words.sentences(
        row.verdict,
        reason,
        effect=found.numbers.get("effect_text", ""),
        interval=found.numbers.get("interval_text", ""),
        is_provisional=is_provisional,
        notes=tuple(found.notes),
        notes_de=tuple(found.notes_de),
    )
    windows = plan.windows
    weekly = request.scope.weekly()
    after = (request.after_from, request.last_week) if request.last_week >= request.after_from else None
    return CheckResult(
        action=plan.action,
        metric=plan.metric,
        metric_version=plan.metric_version,
        verdict=row.verdict,
        reason=reason,
        sentence=sentence,
        sentence_de=sentence_de,
        kind=request.kind,
        look=request.look,
        is_provisional=is_provisional,
        goal=plan.goal.text,
        min_effect=(plan.min_effect or plan.goal.half).text,
        tau_weeks=plan.tau_weeks,
        windows={
            "reference": _window_facts(windows.reference, weekly),
            "trigger": _window_facts(windows.trigger, weekly),
            "confirmation": _window_facts(windows.confirmation, weekly),
            "after": _window_facts(after, weekly),
        },
        controls=tuple(request.controls),
        controls_excluded=(*plan.controls_excluded, *request.dropped),
        guards=tuple(found.guards),
        notes=tuple(found.notes),
        concurrent_changes=request.concurrent_changes,
        method=METHOD,
        versions=_versions(),
        **found.numbers,
    )
