"""The guards: what has to hold before a change for the better may be credited to the action."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from improvement.check.estimate import Data, Estimate, estimate, slope, trend
from improvement.check.fit import FitFailed, control_offset, link
from improvement.check.model import Floats, GuardResult, Series, Status

NAMES = {
    2: "sustain",
    3: "pre-trend",
    4: "two witnesses",
    5: "controls agree",
    6: "mix",
    7: "few controls",
    8: "alone",
}
LONG = 104


def not_computed(number: int, why: str, why_de: str) -> GuardResult:
    """A guard that could not be computed: neither passed nor failed."""
    return GuardResult(number, NAMES[number], Status.NOT_COMPUTED, why, why_de)


def _result(number: int, is_passed: bool, detail: str, detail_de: str, **figures: float | int | str) -> GuardResult:
    return GuardResult(number, NAMES[number], Status.PASSED if is_passed else Status.FAILED, detail, detail_de, figures)


def sustain(data: Data, found: Estimate, first_week: int) -> GuardResult:
    """The weeks after the last-but-one look alone keep at least half of δ."""
    keep = ~data.is_after | (data.cells.week >= first_week)
    try:
        late = estimate(data.only(keep))
    except FitFailed as error:
        return not_computed(2, str(error), str(error))
    share = late.delta / found.delta if found.delta else 0.0
    return _result(
        2,
        share >= 0.5,
        f"the last weeks alone keep {share:.0%} of the effect",
        f"die letzten Wochen allein behalten {share:.0%} der Wirkung",
        share=share,
    )


def pre_trend(data: Data, long_before: Data | None, sign: int) -> GuardResult:
    """If the reference was improving already, a model with that trend must agree."""
    before = data.only(~data.is_after)
    try:
        yearly, t_short = slope(before)
        is_trending = sign * t_short > 0.5
        t_long = None
        if long_before is not None:
            _, t_long = slope(long_before)
            is_trending = sign * t_long > 0.5 and sign * t_short > 1.0
        if not is_trending:
            return _result(
                3,
                True,
                "no trend before",
                "kein Trend davor",
                t_52=t_short,
                **({"t_104": t_long} if t_long is not None else {}),
            )
        with_trend = estimate(data, trend)
    except FitFailed as error:
        return not_computed(3, str(error), str(error))
    return _result(
        3,
        with_trend.agrees_with(sign),
        f"it was improving before ({yearly:+.2f} a year); with that trend the effect is {with_trend.delta:+.2f}",
        f"es besserte sich schon vorher ({yearly:+.2f} im Jahr); "
        f"mit diesem Trend ist die Wirkung {with_trend.delta:+.2f}",
        t_52=t_short,
        delta_with_trend=with_trend.delta,
        t_with_trend=with_trend.t,
    )


def two_witnesses(data: Data, found: Estimate) -> GuardResult:
    """The estimate without controls keeps at least half of δ, else the controls made it."""
    try:
        alone = estimate(data.with_offset(np.zeros(len(data.offset))))
    except FitFailed as error:
        return not_computed(4, str(error), str(error))
    share = alone.delta / found.delta if found.delta else 0.0
    return _result(
        4,
        share >= 0.5,
        f"without controls {share:.0%} of the effect remain",
        f"ohne Vergleichsgruppen bleiben {share:.0%} der Wirkung",
        delta_without_controls=alone.delta,
        share=share,
    )


def controls_spread(data: Data, controls: Mapping[str, Series]) -> float | None:
    """The DerSimonian–Laird spread τ of the controls' own δ, each against the others; None under three."""
    if len(controls) < 3:
        return None
    deltas, variances = [], []
    for name, control in controls.items():
        others = [series for other, series in controls.items() if other != name]
        try:
            found = estimate(_placebo(data, control, others))
        except FitFailed:
            continue
        deltas.append(found.delta)
        variances.append(found.se**2)
    if len(deltas) < 3:
        return None
    d, w = np.array(deltas), 1 / np.array(variances)
    mean = (w * d).sum() / w.sum()
    q = float((w * (d - mean) ** 2).sum())
    scale = float(w.sum() - (w**2).sum() / w.sum())
    return float(np.sqrt(max(0.0, (q - (len(d) - 1)) / scale)))


def _placebo(data: Data, control: Series, others: list[Series]) -> Data:
    """A control in the scope's place, over the same weeks."""
    first_after = int(data.cells.week[data.is_after].min())
    keep = np.isin(control.week, data.cells.week) & (control.denominator > 0)
    cells = Series(control.week[keep], control.numerator[keep], control.denominator[keep])
    return Data(data.family, cells, cells.week >= first_after, control_offset(data.family, others, cells.week))


def mix(data: Data, strata: Series | None, sign: int) -> GuardResult:
    """With each week's expectation from its ticket mix as an offset, the effect must still hold."""
    if data.family == "count" or strata is None or strata.stratum is None:
        return not_computed(6, "no strata", "keine Schichten")
    offset = _mix_offset(data, strata)
    if offset is None:
        return not_computed(6, "only one stratum", "nur eine Schicht")
    try:
        found = estimate(data.with_offset(data.offset + offset))
    except FitFailed as error:
        return not_computed(6, str(error), str(error))
    return _result(
        6,
        found.agrees_with(sign),
        f"with the mix held constant the effect is {found.delta:+.2f}",
        f"bei gleicher Zusammensetzung ist die Wirkung {found.delta:+.2f}",
        delta_with_mix=found.delta,
        t_with_mix=found.t,
    )


def _mix_offset(data: Data, strata: Series) -> Floats | None:
    weeks = data.cells.week
    assert strata.stratum is not None  # checked by the caller
    names = sorted(set(strata.stratum))
    if len(names) < 2:
        return None
    reference = np.isin(strata.week, weeks[~data.is_after])
    expected, volume = np.zeros(len(weeks)), np.zeros(len(weeks))
    for name in names:
        mine = strata.stratum == name
        n = float(strata.denominator[mine & reference].sum())
        y = float(strata.numerator[mine & reference].sum())
        if data.family == "proportion":
            rate = (y + 0.5) / (n + 1)
        elif n > 0:
            rate = y / n
        else:
            rate = float(strata.numerator[reference].sum() / strata.denominator[reference].sum())
        rows = mine & np.isin(strata.week, weeks)
        place = np.searchsorted(weeks, strata.week[rows])
        np.add.at(expected, place, strata.denominator[rows] * rate)
        np.add.at(volume, place, strata.denominator[rows])
    mean = np.where(volume > 0, expected / np.maximum(volume, 1e-12), np.nan)
    mean = np.where(np.isnan(mean), np.nanmean(mean), mean)
    offset = link(data.family, mean)
    return np.asarray(offset - offset.mean())


def few_controls(count: int) -> GuardResult:
    """No control: never *improved*. One or two: said, but no gate."""
    if count == 0:
        return _result(7, False, "there are no controls", "es gibt keine Vergleichsgruppen", controls=0)
    if count < 3:
        return _result(
            7,
            True,
            f"only {count} control{'s' if count > 1 else ''}: the check finds less, and guard 5 was not computed",
            f"nur {count} Vergleichsgruppe{'n' if count > 1 else ''}: der Check findet weniger, Wächter 5 entfiel",
            controls=count,
        )
    return _result(7, True, f"{count} controls", f"{count} Vergleichsgruppen", controls=count)


def alone(*, is_late: bool, has_other_action: bool, high_risk_changes: tuple[str, ...]) -> GuardResult:
    """No other action, no high-risk change in *after*, and the yardstick was frozen before go-live."""
    reasons, reasons_de = [], []
    if is_late:
        reasons.append("the plan was frozen after the go-live")
        reasons_de.append("der Plan wurde erst nach dem Go-live eingefroren")
    if has_other_action:
        reasons.append("another action worked on the same scope and metric")
        reasons_de.append("eine andere Maßnahme wirkte auf denselben Bereich")
    if high_risk_changes:
        numbers = ", ".join(high_risk_changes[:5])
        reasons.append(f"high-risk changes went live meanwhile ({numbers})")
        reasons_de.append(f"währenddessen gingen Changes mit hohem Risiko live ({numbers})")
    return _result(
        8,
        not reasons,
        "; ".join(reasons) or "nothing else was changed",
        "; ".join(reasons_de) or "sonst wurde nichts geändert",
    )
