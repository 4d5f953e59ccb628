"""Compute one look: least data, fit, guards, verdict, and everything the review record states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from improvement.check import facts, guarding, words
from improvement.check.bounds import ALPHA, bounds, quantile, two_sided
from improvement.check.estimate import Data, Estimate, estimate, season
from improvement.check.fit import FitFailed
from improvement.check.guarding import Guarded
from improvement.check.guards import other_reading
from improvement.check.horizon import conclusive_by, look_date
from improvement.check.least_data import lacking
from improvement.check.model import CheckPlan, CheckResult, Family, OtherAction, PastFirings, Series
from improvement.check.recovery import is_recovered
from improvement.check.request import NOTHING, Final, Request, lacks_volume
from improvement.check.sizes import sizes
from improvement.check.verdict import Outcome, decide
from improvement.check.windows import SUSTAIN_WEEKS
from improvement.errors import InputError
from improvement.german import in_german
from improvement.vocabulary import SUSTAINED_VERDICTS, Verdict

FADES_BELOW = 0.5  # of the final δ


@dataclass(slots=True)
class Findings:
    """What the computation has found so far."""

    outcome: Outcome
    numbers: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    notes_de: list[str] = field(default_factory=list)

    def say(self, english: str, german: str) -> None:
        """Add a sentence about limits."""
        self.notes.append(english)
        self.notes_de.append(german)


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
    concurrent_changes: tuple[str, ...] = (),
    high_risk_changes: tuple[str, ...] = (),
    marked_changes: tuple[str, ...] = (),
    read_otherwise: tuple[str, ...] = (),
    other_actions: tuple[OtherAction, ...] = (),
    are_changes_known: bool = True,
    beside: Series | None = None,
    past_firings: PastFirings | None = None,
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
    dropped_controls
        Controls of the plan that may no longer be used, each with its reason.
    final
        For sustaining looks: the result of the final look (``link_effect``, ``verdict``, ``reason``).
    concurrent_changes
        The numbers of all other changes that went live in *after*; ``high_risk_changes`` and ``marked_changes``
        (those a person marked) are the ones that gate.
    read_otherwise
        The kinds of records that are read otherwise than when the plan was frozen; they gate.
    are_changes_known
        Whether anybody could know of other changes: a file of numbers tells of none, a scope without a service of few.
    other_actions
        Actions on the same metric whose scope overlaps ours and whose effect *after* may hold.
    beside
        Weekly cells of the share told beside the effect: answered of sent surveys for scores, tickets still open at τ
        of matured ones for times. None where nobody knows.
    past_firings
        What past firings of the plan's rule came to that nobody acted on. None where nobody counted them.
    """
    after_from = plan.windows.after_from
    if kind == "sustain":
        after_from = max(after_from, last_week - SUSTAIN_WEEKS + 1)
    request = Request(
        plan=plan,
        scope=scope if scope is not None else NOTHING,
        controls={},
        look=look,
        kind=kind,
        last_week=last_week,
        after_from=after_from,
        final=Final(str(final.get("verdict", "")), final.get("link_effect"), str(final.get("reason", "")))
        if final
        else None,
        high_risk_changes=high_risk_changes,
        other_actions=other_actions,
        concurrent_changes=concurrent_changes,
        marked_changes=marked_changes,
        read_otherwise=read_otherwise,
        are_changes_known=are_changes_known,
        beside=beside,
        past_firings=past_firings,
    )
    request = _with_controls(request, controls, dropped_controls)
    sha256 = facts.data_sha256(request.scope, controls)
    if plan.family is None:
        return _result(request, Findings(Outcome(is_computed=False, why_not_computed="no_family")), sha256)
    if len(request.scope.week) == 0:
        return _result(request, Findings(Outcome(is_computed=False, why_not_computed="no_series")), sha256)
    return _result(request, _compute(request, plan.family), sha256)


def not_due(plan: CheckPlan) -> CheckResult:
    """Before the first look there is no verdict; a metric that never gets one says so already."""
    after_from = plan.windows.after_from
    request = Request(plan, NOTHING, {}, plan.looks[0], "look", after_from - 1, after_from)
    if plan.family is None:
        found = Findings(Outcome(is_computed=False, why_not_computed="no_family"))
    else:
        found = Findings(Outcome(has_data=False, why_no_data="before_first_look"))
        day = look_date(plan, after_from, plan.looks[0]).isoformat()
        found.numbers["conclusive_by"] = day
        found.say(f"it falls due on {day}", f"er ist am {day} fällig")
    return replace(_result(request, found, ""), look=None)


def _with_controls(request: Request, controls: Mapping[str, Series], dropped: tuple[tuple[str, str], ...]) -> Request:
    """The controls that have volume in both windows; a series that begins halfway would bend the pooled rate."""
    weekly = {name: series.weekly() for name, series in controls.items()}
    lacking_volume = {name: lacks_volume(series, request) for name, series in weekly.items()}
    return replace(
        request,
        controls={name: series for name, series in weekly.items() if not lacking_volume[name]},
        excluded=(
            *request.plan.controls_excluded,
            *dropped,
            *((name, words.REASONS[why][0]) for name, why in lacking_volume.items() if why),
        ),
    )


def _compute(request: Request, family: Family) -> Findings:
    found = Findings(Outcome())
    weekly = request.scope.weekly()
    why = lacking(request, family, weekly)
    if why:
        found.outcome = Outcome(has_data=False, why_no_data=why)
        return found
    try:
        goal, least = sizes(request.plan, request.reference_of(weekly))
        data = request.data(family)
        first = estimate(data)
    except InputError as error:
        found.outcome = Outcome(is_computed=False, why_not_computed="no_plan_goal")
        text = in_german(request.plan.goal.text)
        found.say(error.what.rstrip("."), f"ein Ziel von {text} ist für diese Kennzahl oder ihr Niveau nicht möglich")
        return found
    except FitFailed as error:
        found.outcome = Outcome(is_computed=False, why_not_computed="fit_failed")
        found.say(*error.said)
        return found
    _judge(request, family, data, first, found, goal=goal, least=least)
    return found


def _judge(
    request: Request, family: Family, data: Data, first: Estimate, found: Findings, *, goal: float, least: float
) -> None:
    """From the estimate to the outcome the verdict is read from."""
    bound = two_sided(ALPHA) if request.is_sustaining else bounds(request.plan.looks)[request.look]
    critical = quantile(bound, first.df)
    guarded = guarding.ask(request, family, data, first, critical)
    effect = request.sign * first.delta
    side = (1 if effect > 0 else -1) if abs(effect) > critical * first.se else 0
    low, high = effect - critical * guarded.se, effect + critical * guarded.se
    found.outcome = Outcome(
        side=side,
        effect=effect,
        high=high,
        is_last_look=request.is_last,
        guards=tuple((result.number, result.status) for result in guarded.results),
        has_controls=bool(request.controls),
        season_agrees=_season_agrees(data, request.sign) if side < 0 else True,
        min_effect=least,
        goal=goal,
        is_recovered=side == 0 and is_recovered(request, family),
        has_faded=_has_faded(request, effect, side),
        why_never_credited=request.final.why_never_credited if request.final is not None else "",
    )
    found.numbers |= _figures(request, family, data, first, guarded, ends=(low, high))
    found.numbers |= {"bound": bound, "quantile": critical, "goal_met": effect >= goal}
    _note_limits(request, first, guarded, found)
    for note in words.exposure(facts.exposure(request)):
        found.say(*note)
    for note in words.beside(family, facts.share_beside(request), request.plan.tau_weeks):
        found.say(*note)
    if decide(found.outcome)[1] == "inconclusive":
        _note_horizon(request, first, guarded.se, goal, found)


def _has_faded(request: Request, effect: float, side: int) -> bool:
    """Whether a sustaining look lost what the final look had found; one that found no effect has none to lose."""
    final = request.final
    if not request.is_sustaining or final is None or final.delta is None:
        return False
    if final.verdict not in SUSTAINED_VERDICTS:
        return False
    return effect < FADES_BELOW * request.sign * final.delta or (side == 0 and final.verdict == Verdict.IMPROVED)


def _season_agrees(data: Data, sign: int) -> bool:
    """A model with a yearly wave also says *worse*, one-sided."""
    try:
        return estimate(data, season).agrees_with(-sign)
    except FitFailed:
        return False


def _figures(
    request: Request, family: Family, data: Data, first: Estimate, guarded: Guarded, *, ends: tuple[float, float]
) -> dict[str, Any]:
    low, high = sorted(request.sign * end for end in ends)
    unit = request.plan.unit
    ground = facts.on_the_ground(family, data, first)
    return {
        "effect": words.natural(family, first.delta),
        "low": words.natural(family, low),
        "high": words.natural(family, high),
        "unit": words.unit_name(family, unit),
        "effect_text": words.effect_text(family, first.delta, ground, unit=unit),
        "interval_text": words.interval_text(family, low, high, unit),
        "link_effect": first.delta,
        "link_se": guarded.se,
        "phi": first.phi,
        "rho": first.rho,
        "df": first.df,
        "p_value": first.p_value,
        "control_tau": guarded.tau,
        "guards": guarded.results,
        "absolute": ground,
    }


def _note_limits(request: Request, first: Estimate, guarded: Guarded, found: Findings) -> None:
    """What the sentence has to say beside the verdict."""
    if first.has_half_event:
        found.say(
            "a window without any event was given half an event (one of events only half a non-event) so that the "
            "model could be fitted",
            "ein Fenster ohne Ereignis erhielt ein halbes (eines nur mit Ereignissen ein halbes Nichtereignis), damit "
            "das Modell angepasst werden konnte",
        )
    if request.plan.is_adjusted:
        found.say("the effect is that of all cycles together", "die Wirkung ist die aller Zyklen zusammen")
    for english, german in zip(*guarding.limits(guarded.results, found.outcome.side), strict=True):
        found.say(english, german)


def _note_horizon(request: Request, first: Estimate, se: float, goal: float, found: Findings) -> None:
    """From when on the data can tell."""
    day = conclusive_by(request, first, se, goal)
    if day is None:
        found.say(
            "with this volume and reference it cannot become conclusive within three years",
            "mit diesem Volumen und dieser Referenz ist es auch in drei Jahren nicht zu entscheiden",
        )
        return
    found.numbers["conclusive_by"] = day.isoformat()
    found.say(f"it can be conclusive by {day}", f"entscheidbar kann es ab dem {day} sein")


def _result(request: Request, found: Findings, sha256: str) -> CheckResult:
    plan = request.plan
    if request.read_otherwise and "guards" not in found.numbers:  # else guard 8 says it
        found.say(*other_reading(request.read_otherwise))
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
    naive = facts.naive(request)
    untreated_text, untreated_text_de = words.untreated(plan.family, request.past_firings, naive, rule=plan.rule)
    return CheckResult(
        action=plan.action,
        metric=plan.metric,
        metric_version=plan.metric_version,
        metric_unit=plan.unit,
        direction=plan.direction.value,
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
        recording_delay_days=plan.recording_delay_days,
        naive=naive,
        naive_text=words.naive_text(plan.family, naive["before"], naive["after"], plan.plain_unit),
        untreated=asdict(request.past_firings) if request.past_firings is not None else {},
        untreated_text=untreated_text,
        untreated_text_de=untreated_text_de,
        windows=facts.window_facts(request),
        controls=tuple(request.controls),
        controls_excluded=request.excluded,
        notes=tuple(found.notes),
        other_actions=tuple(str(other) for other in request.other_actions),
        concurrent_changes=len(request.concurrent_changes),
        concurrent_change_numbers=request.concurrent_changes,
        high_risk_change_numbers=request.high_risk_changes,
        marked_change_numbers=request.marked_changes,
        read_otherwise=request.read_otherwise,
        exposure=facts.exposure(request),
        response_rate=facts.share_beside(request) if plan.family == "score" else {},
        open_share=facts.share_beside(request) if plan.family == "time" else {},
        method=facts.METHOD,
        versions=facts.versions(),
        data_sha256=sha256,
        **found.numbers,
    )
