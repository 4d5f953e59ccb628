"""The spreadsheet door: the same check on anybody's own weekly numbers, no platform needed.

``plans.csv``: ``action,scope,metric,trigger_from,trigger_to,implemented_on,as_of,goal[,min_effect]``;
``cells.csv``: ``action,scope,week,numerator,denominator[,stratum]``. Dates are ISO dates, weeks their Mondays. The
other scopes of an action's cells are its controls. A plan with an error in its rows is refused with file and line; the
others go on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from improvement.check import CheckPlan, CheckResult, Direction, Series, Windows, compute_look, not_due, windows_for
from improvement.check.sizes import sizes
from improvement.check.windows import MIN_REFERENCE_WEEKS
from improvement.errors import InputError, RegelkreisError
from improvement.plurals import how_many
from improvement.schedule import LOOKS
from improvement.weeks import week_of
from workflows.checks.spreadsheet_files import Cell, Cells, PlanRow, read_cells, read_plans, wrong_cells
from workflows.progress import Progress

SHOWN_ERRORS = 5  # of one plan: a file that is wrong throughout is wrong in the same way


@dataclass(frozen=True, slots=True)
class DoorResult:
    """One plan's result. ``q_value`` is the p of a final look, adjusted for the others of its quarter."""

    plan: PlanRow
    result: CheckResult
    q_value: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """The result as plain JSON values, with the scope it speaks of."""
        return {
            **self.result.as_dict(),
            "action": self.plan.action,
            "scope": self.plan.scope,
            "implemented_on": self.plan.implemented_on.isoformat(),
            "as_of": self.plan.as_of.isoformat(),
            "q_value": self.q_value,
        }


@dataclass(slots=True)
class DoorReport:
    """Results in the order of the plans, every error, and remarks on the files."""

    results: list[DoorResult] = field(default_factory=list)
    errors: list[RegelkreisError] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def compute_files(plans: Path, cells: Path, *, told: Progress | None = None) -> DoorReport:
    """Run the check on two CSV files. :class:`InputError` when a file as a whole cannot be read.

    ``told`` hears how many plans are done.
    """
    told = told or Progress()
    told.doing("reading the files")
    found, errors, remarks = read_plans(plans)
    by_action, more_remarks = read_cells(cells)
    report = DoorReport(errors=errors, remarks=[*remarks, *more_remarks])
    report.errors += _capped(by_action.pop("", Cells()).errors)
    told.doing("")
    for number, plan in enumerate(found):
        told.counted("plans", number, len(found))
        try:
            own = _cells_of(plan, by_action, cells)
        except _Refused as refused:
            report.errors.extend(refused.errors)
            continue
        report.results.append(DoorResult(plan, _checked(plan, own)))
    report.results = _with_q_values(report.results)
    report.remarks += _unused(by_action, found, errors, cells)
    return report


class _Refused(Exception):
    """The reasons why one plan is not computed."""

    def __init__(self, errors: list[RegelkreisError]) -> None:
        super().__init__(str(errors[0]))
        self.errors = _capped(errors)


def _capped(errors: list[RegelkreisError]) -> list[RegelkreisError]:
    if len(errors) <= SHOWN_ERRORS:
        return errors
    rest = InputError(
        f"{how_many(len(errors) - SHOWN_ERRORS, 'more error')} from here on.", where=errors[SHOWN_ERRORS].where
    )
    return [*errors[:SHOWN_ERRORS], rest]


def _cells_of(plan: PlanRow, by_action: Mapping[str, Cells], path: Path) -> Cells:
    """The cells of a plan, or all the reasons against using them."""
    cells = by_action.get(plan.action)
    if cells is None:
        what = f"There are no cells for the action “{plan.action}”."
        raise _Refused([InputError(what, where=plan.place, mend=f"Add them to {path}.")])
    errors = [*cells.errors, *wrong_cells(plan, cells, path)]
    if not errors and plan.scope not in cells.by_scope:
        known = ", ".join(sorted(cells.by_scope)[:10])
        what = f"The action “{plan.action}” has no cells for its scope “{plan.scope}”."
        errors.append(InputError(what, where=plan.place, mend=f"Scopes found: {known}."))
    if not errors:
        errors += _unreachable_goal(plan, cells)
    if errors:
        raise _Refused(errors)
    return cells


def _unreachable_goal(plan: PlanRow, cells: Cells) -> list[RegelkreisError]:
    """A share that the goal would take below 0 % or above 100 %."""
    own = _series(cells.by_scope[plan.scope], _last_complete(plan))
    check_plan = _check_plan(plan, own, ())
    reference = own.weekly().between(*check_plan.windows.reference)
    if plan.metric.family is None or len(reference.week) < MIN_REFERENCE_WEEKS:
        return []  # there will be no estimate to hold against it
    try:
        sizes(check_plan, reference)
    except InputError as error:
        return [InputError(error.what, where=plan.place, mend=error.mend)]
    return []


def _checked(plan: PlanRow, cells: Cells) -> CheckResult:
    """The latest due look decides; before the last one it is provisional, before the first there is none."""
    last_complete = _last_complete(plan)
    series = {scope: _series(rows, last_complete) for scope, rows in sorted(cells.by_scope.items())}
    own = series.pop(plan.scope)
    check_plan = _check_plan(plan, own, tuple(series))
    after_from = check_plan.windows.after_from
    due = [look for look in check_plan.looks if after_from + look - 1 <= last_complete]
    if not due:
        return not_due(check_plan)
    look = due[-1]
    kind = "final" if look == check_plan.looks[-1] else "look"
    last_week = after_from + look - 1
    found = compute_look(check_plan, own, series, look=look, kind=kind, last_week=last_week, are_changes_known=False)
    return _with_gaps(found)


def _last_complete(plan: PlanRow) -> int:
    """The last week whose Monday + 7 days is not after ``as_of``."""
    return week_of(plan.as_of) - 1


def _series(rows: Iterable[Cell], last_complete: int) -> Series:
    kept = [row for row in rows if row.week <= last_complete]
    has_strata = any(row.stratum for row in kept)
    return Series(
        np.array([row.week for row in kept], dtype=np.int64),
        np.array([row.numerator for row in kept], dtype=float),
        np.array([row.denominator for row in kept], dtype=float),
        np.array([row.stratum for row in kept], dtype=object) if has_strata else None,
    )


def _check_plan(plan: PlanRow, own: Series, controls: tuple[str, ...]) -> CheckPlan:
    return CheckPlan(
        action=plan.action,
        metric=plan.metric.id,
        metric_version=plan.metric.version,
        family=plan.metric.family,
        direction=Direction(plan.metric.direction),
        unit=plan.metric.unit,
        windows=_windows(plan, own),
        goal=plan.goal,
        min_effect=plan.min_effect,
        looks=LOOKS,
        controls=controls,
    )


def _windows(plan: PlanRow, own: Series) -> Windows:
    return windows_for(
        trigger_first=plan.trigger[0],
        trigger_last=plan.trigger[1],
        implemented_on=plan.implemented_on,
        earliest_week=int(own.week.min()) if len(own.week) else plan.trigger[0],
    )


def _with_gaps(result: CheckResult) -> CheckResult:
    """Say which windows have weeks without volume."""
    gaps = {name: facts.gaps for name, facts in result.windows.items() if facts is not None and facts.gaps}
    if not gaps:
        return result
    text = ", ".join(f"{count} in {name}" for name, count in gaps.items())
    return replace(
        result,
        notes=(*result.notes, f"weeks without volume were left out: {text}"),
        sentence=f"{result.sentence} Weeks without volume were left out: {text}.",
        sentence_de=f"{result.sentence_de} Wochen ohne Volumen blieben außen vor: {text}.",
    )


def _with_q_values(results: list[DoorResult]) -> list[DoorResult]:
    """Benjamini–Hochberg over the final looks of each calendar quarter."""
    from improvement.check.many import q_values

    quarters: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, found in enumerate(results):
        if found.result.kind == "final" and found.result.p_value is not None:
            quarters[_quarter(found.plan.as_of)].append(index)
    adjusted = list(results)
    for indices in quarters.values():
        p = [results[index].result.p_value or 0.0 for index in indices]
        for index, q in zip(indices, q_values(p), strict=True):
            adjusted[index] = replace(results[index], q_value=q)
    return adjusted


def _quarter(day: date) -> tuple[int, int]:
    return day.year, (day.month - 1) // 3


def _unused(
    by_action: Mapping[str, Cells], plans: list[PlanRow], errors: list[RegelkreisError], path: Path
) -> list[str]:
    """Cells that no plan asked for. Where a row was refused they may be its own: then nothing is said."""
    without = sorted(set(by_action) - {plan.action for plan in plans})
    if not without or errors:
        return []
    return [f"{path}: no plan for the cells of {', '.join(without[:5])}{' …' if len(without) > 5 else ''}."]
