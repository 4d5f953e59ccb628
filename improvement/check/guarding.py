"""Which guards a look asks, in their order, and what their answers add to its sentence."""

from __future__ import annotations

from dataclasses import dataclass

from improvement.check import guards as guard
from improvement.check.estimate import Data, Estimate
from improvement.check.model import Family, GuardResult, Status
from improvement.check.request import Request

#: Guards whose failure is said, by the side the interval lies on: those the verdict hangs on there, and always that
#: something else was changed.
SPOKEN = {1: (2, 3, 4, 5, 6, 7, 8), -1: (4, 5, 8), 0: (8,)}


@dataclass(frozen=True, slots=True)
class Guarded:
    """Every guard's answer; ``tau`` is the controls' own spread, ``se`` the standard error with it."""

    results: tuple[GuardResult, ...]
    tau: float | None
    se: float


def ask(request: Request, family: Family, data: Data, found: Estimate, critical: float) -> Guarded:
    """Ask the guards of this kind of look."""
    tau = guard.controls_spread(_placebos(request, family))
    results = (
        guard.reference_first(),
        _sustain(request, data, found),
        _pre_trend(request, family, data),
        guard.two_witnesses(data, found, has_controls=bool(request.controls)),
        guard.controls_agree(family, found, tau, critical),
        guard.mix(data, request.scope, request.sign),
        guard.few_controls(len(request.controls)),
        guard.alone(
            is_late=request.plan.is_late,
            other_actions=request.other_actions,
            high_risk_changes=request.high_risk_changes,
            marked_changes=request.marked_changes,
            read_otherwise=request.read_otherwise,
            other_changes=len(request.concurrent_changes),
            are_changes_known=request.are_changes_known,
        ),
    )
    return Guarded(results, tau, guard.widened(found, tau))


def _placebos(request: Request, family: Family) -> dict[str, Data]:
    """Each control in the scope's place, against the others."""
    return {
        name: request.data_of(family, control, [other for key, other in request.controls.items() if key != name])
        for name, control in request.controls.items()
    }


def _sustain(request: Request, data: Data, found: Estimate) -> GuardResult:
    earlier = [look for look in request.plan.looks if look < request.look]
    if request.is_sustaining:
        return guard.not_asked(2, "not asked in sustaining looks", "entfällt bei Nachhalteblicken")
    if not request.is_last:
        return guard.not_asked(2, "asked at the last look", "wird beim letzten Blick geprüft")
    if not earlier:
        return guard.not_asked(2, "there is one look only", "es gibt nur einen Blick")
    return guard.sustain(data, found, request.after_from + earlier[-1])


def _pre_trend(request: Request, family: Family, data: Data) -> GuardResult:
    if request.is_sustaining:
        return guard.not_asked(3, "not asked in sustaining looks", "entfällt bei Nachhalteblicken")
    return guard.pre_trend(data, request.long_data(family), request.sign)


def limits(results: tuple[GuardResult, ...], side: int) -> tuple[list[str], list[str]]:
    """What the sentence has to say about the guards, in English and German: what failed, what could not be asked."""
    spoken = [
        result
        for result in results
        if (result.status is Status.FAILED and result.number in SPOKEN[side])
        or (result.number == 7 and result.figures["controls"] in (1, 2))
    ]
    missing = [result for result in results if result.status is Status.NOT_COMPUTED and result.is_asked]
    english, german = [result.detail for result in spoken], [result.detail_de for result in spoken]
    if missing:
        english.append("not computed: " + ", ".join(f"{result.name} ({result.detail})" for result in missing))
        german.append(
            "nicht berechnet: "
            + ", ".join(f"{guard.NAMES_DE[result.number]} ({result.detail_de})" for result in missing)
        )
    return english, german
