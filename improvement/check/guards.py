"""The guards: what has to hold before a change for the better may be credited to the action."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from improvement.check.estimate import Data, Estimate, estimate, slope, trend
from improvement.check.fit import FitFailed, link
from improvement.check.model import Family, Floats, GuardResult, OtherAction, Series, Status
from improvement.check.words import size_text, spread_text
from improvement.german import in_german
from improvement.plurals import how_many

NAMES = {
    1: "reference before trigger",
    2: "sustain",
    3: "pre-trend",
    4: "two witnesses",
    5: "controls agree",
    6: "mix",
    7: "few controls",
    8: "alone",
}
KINDS = {
    "ticket": ("tickets", "Tickets"),
    "sla": ("SLA clocks", "SLA-Uhren"),
    "survey": ("surveys", "Umfragen"),
    "contact": ("contacts", "Kontakte"),
    "outage": ("outages", "Ausfälle"),
}
KEPT = 0.5  # of δ: what the last weeks, or the estimate without controls, have to keep
FEW = 3  # under so many controls their own spread cannot be told
TRENDING_T, TRENDING_T_IF_LONG = 0.5, 1.0
MOST_LISTED = 5  # numbers a guard names; the record holds all


NAMES_DE = {
    1: "Referenz vor Auslöser",
    2: "Dauer",
    3: "Trend davor",
    4: "zwei Zeugen",
    5: "Einigkeit der Vergleichsgruppen",
    6: "Zusammensetzung",
    7: "wenige Vergleichsgruppen",
    8: "allein",
}


def not_computed(number: int, why: str, why_de: str) -> GuardResult:
    """A guard that could not be computed: neither passed nor failed."""
    return GuardResult(number, NAMES[number], Status.NOT_COMPUTED, why, why_de)


def not_asked(number: int, why: str, why_de: str) -> GuardResult:
    """A guard that this kind of look does not ask for."""
    return GuardResult(number, NAMES[number], Status.NOT_COMPUTED, why, why_de, is_asked=False)


def reference_first() -> GuardResult:
    """The reference ends before the weeks the rule looked at: the windows are made so."""
    return GuardResult(1, NAMES[1], Status.PASSED, "by construction", "durch die Bauart")


def _result(number: int, is_passed: bool, detail: str, detail_de: str, **figures: float | int | str) -> GuardResult:
    return GuardResult(number, NAMES[number], Status.PASSED if is_passed else Status.FAILED, detail, detail_de, figures)


def sustain(data: Data, found: Estimate, first_week: int) -> GuardResult:
    """The weeks after the last-but-one look alone keep at least half of δ."""
    keep = ~data.is_after | (data.cells.week >= first_week)
    try:
        late = estimate(data.only(keep))
    except FitFailed as error:
        return not_computed(2, *error.said)
    share = late.delta / found.delta if found.delta else 0.0
    return _result(
        2,
        share >= KEPT,
        f"the last weeks alone keep {share:.0%} of the effect",
        f"die letzten Wochen allein behalten {share:.0%} der Wirkung",
        share=share,
        delta_late=late.delta,
    )


def pre_trend(data: Data, long: Data | None, sign: int) -> GuardResult:
    """If it was improving already, a model with that trend must agree.

    With 104 complete weeks before the trigger (``long``: those and *after*) the trend is asked for twice: over all of
    them at |t| > 0.5, and within the reference at |t| > 1.0.
    """
    asked = [(data, TRENDING_T, "")] if long is None else [(data, TRENDING_T_IF_LONG, ""), (long, TRENDING_T, "_104")]
    figures: dict[str, float] = {}
    against: list[Estimate] = []
    is_trending = False
    try:
        for weeks, threshold, name in asked:
            yearly, t = slope(weeks.only(~weeks.is_after))
            figures |= {f"slope_a_year{name}": yearly, f"t{name}": t}
            if sign * t <= threshold:
                continue
            is_trending = True
            with_trend = estimate(weeks, trend)
            figures |= {f"delta_with_trend{name}": with_trend.delta, f"t_with_trend{name}": with_trend.t}
            if not with_trend.agrees_with(sign):
                against.append(with_trend)
    except FitFailed as error:
        return not_computed(3, *error.said)
    if not is_trending:
        return _result(3, True, "no trend before", "kein Trend davor", **figures)
    if not against:
        return _result(3, True, "it holds against the trend before", "hält gegen den Trend davor", **figures)
    held = size_text(data.family, against[0].delta)
    return _result(
        3,
        False,
        f"it was improving before; had that trend gone on, the effect would be {held}",
        f"es besserte sich schon vorher; hätte dieser Trend angehalten, wäre die Wirkung {in_german(held)}",
        **figures,
    )


def two_witnesses(data: Data, found: Estimate, *, has_controls: bool) -> GuardResult:
    """The estimate without controls keeps at least half of δ, else the controls made it."""
    if not has_controls:
        return not_computed(4, "no controls", "keine Vergleichsgruppen")
    try:
        alone = estimate(data.with_offset(np.zeros(len(data.offset))))
    except FitFailed as error:
        return not_computed(4, *error.said)
    share = alone.delta / found.delta if found.delta else 0.0
    return _result(
        4,
        share >= KEPT,
        f"without controls {share:.0%} of the effect remain",
        f"ohne Vergleichsgruppen bleiben {share:.0%} der Wirkung",
        delta_without_controls=alone.delta,
        share=share,
    )


def controls_spread(placebos: Mapping[str, Data]) -> float | None:
    """The DerSimonian–Laird spread τ of the controls' own δ; None where fewer than three can be fitted.

    ``placebos`` puts each control in the scope's place, against the other controls, over the same windows
    (DerSimonian & Laird 1986).
    """
    if len(placebos) < FEW:
        return None
    deltas, variances = [], []
    for placebo in placebos.values():
        try:
            found = estimate(placebo)
        except FitFailed:
            continue  # without its own δ a control says nothing about the spread
        deltas.append(found.delta)
        variances.append(found.se**2)
    if len(deltas) < FEW:
        return None
    d, w = np.array(deltas), 1 / np.array(variances)
    mean = (w * d).sum() / w.sum()
    q = float((w * (d - mean) ** 2).sum())
    scale = float(w.sum() - (w**2).sum() / w.sum())
    return float(np.sqrt(max(0.0, (q - (len(d) - 1)) / scale)))


def widened(found: Estimate, tau: float | None) -> float:
    """The standard error with the controls' spread, where that is larger than the error itself."""
    return float(np.hypot(found.se, tau)) if tau is not None and tau > found.se else found.se


def controls_agree(family: Family, found: Estimate, tau: float | None, critical: float) -> GuardResult:
    """With the controls' own spread in the standard error, δ must still be significant."""
    if tau is None:
        return not_computed(5, "fewer than three controls", "weniger als drei Vergleichsgruppen")
    se = widened(found, tau)
    own, own_de = spread_text(family, tau)
    uncertain, uncertain_de = spread_text(family, found.se)
    return _result(
        5,
        tau <= found.se or abs(found.delta) > critical * se,
        f"the controls differ among themselves by {own}; the estimate is uncertain by {uncertain}",
        f"die Vergleichsgruppen weichen untereinander um {own_de} ab; die Schätzung ist um {uncertain_de} unsicher",
        tau=tau,
        se=found.se,
        se_with_spread=se,
    )


def mix(data: Data, strata: Series, sign: int) -> GuardResult:
    """With each week's expectation from its ticket mix as an offset, the effect must still hold."""
    if data.family == "count":
        return not_computed(6, "counts have no mix", "Anzahlen haben keine Zusammensetzung")
    if strata.stratum is None:
        return not_computed(6, "no strata", "keine Schichten")
    offset = _mix_offset(data, strata, strata.stratum)
    if offset is None:
        return not_computed(6, "only one stratum", "nur eine Schicht")
    try:
        found = estimate(data.with_offset(data.offset + offset))
    except FitFailed as error:
        return not_computed(6, *error.said)
    held = size_text(data.family, found.delta)
    return _result(
        6,
        found.agrees_with(sign),
        f"with the mix held constant the effect is {held}",
        f"bei gleicher Zusammensetzung ist die Wirkung {in_german(held)}",
        delta_with_mix=found.delta,
        t_with_mix=found.t,
    )


def _mix_offset(data: Data, strata: Series, stratum: NDArray[np.object_]) -> Floats | None:
    """What each week's mix lets expect, on the link scale; None for a single stratum.

    The rate of a stratum in R is drawn to the whole's by one unit of volume: one that R did not have gets the whole's.
    """
    weeks = data.cells.week
    names, kind = np.unique(stratum.astype(str), return_inverse=True)
    if len(names) < 2:
        return None
    in_reference = np.isin(strata.week, weeks[~data.is_after])
    y = np.bincount(kind[in_reference], strata.numerator[in_reference], len(names))
    n = np.bincount(kind[in_reference], strata.denominator[in_reference], len(names))
    rate = (y + y.sum() / n.sum()) / (n + 1)
    used = np.isin(strata.week, weeks)
    place = np.searchsorted(weeks, strata.week[used])
    expected = np.bincount(place, strata.denominator[used] * rate[kind[used]], len(weeks))
    offset = link(data.family, expected / np.bincount(place, strata.denominator[used], len(weeks)))
    return np.asarray(offset - offset.mean())


def few_controls(count: int) -> GuardResult:
    """No control: never *improved*. One or two: said, but no gate."""
    if count == 0:
        return _result(7, False, "there are no controls", "es gibt keine Vergleichsgruppen", controls=0)
    if count < FEW:
        return _result(
            7,
            True,
            f"only {count} control{'s' if count > 1 else ''}: the check finds less, and guard 5 was not computed",
            f"nur {count} Vergleichsgruppe{'n' if count > 1 else ''}: die Prüfung findet weniger, Wächter 5 entfiel",
            controls=count,
        )
    return _result(7, True, f"{count} controls", f"{count} Vergleichsgruppen", controls=count)


def alone(
    *,
    is_late: bool,
    other_actions: tuple[OtherAction, ...],
    high_risk_changes: tuple[str, ...],
    marked_changes: tuple[str, ...],
    read_otherwise: tuple[str, ...],
    other_changes: int,
    are_changes_known: bool,
) -> GuardResult:
    """No other action in the scope's records, no change of high risk or marked in *after*, no plan after go-live, and
    records read as when the plan was frozen.

    Where nobody can know what else changed it fails by what is known, and else is not computed.
    """
    reasons, reasons_de = [], []
    if is_late:
        reasons.append("the plan was frozen after the go-live")
        reasons_de.append("der Plan wurde erst nach dem Go-live eingefroren")
    same = tuple(other.code for other in other_actions if other.is_same_scope)
    across = tuple(str(other) for other in other_actions if not other.is_same_scope)
    if same:
        reasons.append(f"another action worked on the same scope and metric ({_listed(same)})")
        reasons_de.append(f"eine andere Maßnahme wirkte auf denselben Bereich ({_listed(same)})")
    if across:
        names = _listed(across, "; ")  # a scope has commas of its own
        reasons.append(f"another action worked on the same metric in a scope that overlaps this one ({names})")
        reasons_de.append(f"eine andere Maßnahme wirkte auf einen Bereich, der sich mit diesem überschneidet ({names})")
    if high_risk_changes:
        numbers = _listed(high_risk_changes)
        reasons.append(f"high-risk changes went live meanwhile ({numbers})")
        reasons_de.append(f"währenddessen gingen Changes mit hohem Risiko live ({numbers})")
    if marked_changes:
        numbers = _listed(marked_changes)
        reasons.append(f"people marked changes that went live meanwhile ({numbers})")
        reasons_de.append(f"Menschen vermerkten Changes, die währenddessen live gingen ({numbers})")
    if read_otherwise:
        english, german = other_reading(read_otherwise)
        reasons.append(english)
        reasons_de.append(german)
    if not reasons and not are_changes_known:
        return not_computed(8, "what else changed is not known here", "was sich sonst änderte, ist hier nicht bekannt")
    passed, passed_de = "no other change is known", "von anderen Änderungen ist nichts bekannt"
    if other_changes:
        passed = f"{how_many(other_changes, 'other change')} went live meanwhile, none of high risk or marked"
        passed_de = how_many(other_changes, "anderer Change ging", "andere Changes gingen")
        passed_de += " währenddessen live, keiner mit hohem Risiko oder vermerkt"
    return _result(
        8,
        not reasons,
        "; ".join(reasons) or passed,
        "; ".join(reasons_de) or passed_de,
        other_changes=other_changes,
        **({"other_actions": "; ".join(str(other) for other in other_actions)} if other_actions else {}),
    )


def other_reading(kinds: tuple[str, ...]) -> tuple[str, str]:
    """That records are no longer read by the mapping frozen with the plan, in English and German."""
    named, named_de = ((", ".join(KINDS[kind][side] for kind in kinds)) for side in (0, 1))
    return (
        f"the mapping of {named} was changed since the plan was frozen (any change of it counts), so what was counted "
        "before may be something else than what is counted now",
        f"die Zuordnung ({named_de}) wurde geändert, seit der Plan eingefroren wurde (jede Änderung zählt); vorher und "
        "jetzt kann Verschiedenes gezählt sein",
    )


def _listed(names: tuple[str, ...], between: str = ", ") -> str:
    """The first of them, and how many more there are."""
    more = len(names) - MOST_LISTED
    return between.join(names[:MOST_LISTED]) + (f" +{more}" if more > 0 else "")
