"""The spreadsheet door: the same check on anybody's own weekly numbers, no platform needed.

``plans.csv``: ``action,scope,metric,trigger_from,trigger_to,implemented_on,as_of,goal[,min_effect]``;
``cells.csv``: ``action,scope,week,numerator,denominator[,stratum]``. Dates are ISO dates, weeks their Mondays. The
other scopes of an action's cells are its controls. A plan with an error in its rows is refused with file and line; the
others go on.
"""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from improvement.check import CheckPlan, CheckResult, Direction, Goal, Series, compute_look, not_due, windows_for
from improvement.errors import InputError, Place, RegelkreisError
from improvement.metrics import Metric, metric_named
from improvement.weeks import monday, week_of

PLAN_COLUMNS = ("action", "scope", "metric", "trigger_from", "trigger_to", "implemented_on", "as_of", "goal")
CELL_COLUMNS = ("action", "scope", "week", "numerator", "denominator")
LOOKS = (4, 8, 13)
MAX_WEEKS_AWAY = 60 * 53  # a typing error in a year should not become a series of thousands of weeks


@dataclass(frozen=True, slots=True)
class DoorResult:
    """One plan's result."""

    action: str
    scope: str
    result: CheckResult

    def as_dict(self) -> dict[str, Any]:
        """The result as plain JSON values, with the scope it speaks of."""
        return {**self.result.as_dict(), "action": self.action, "scope": self.scope}


@dataclass(slots=True)
class DoorReport:
    """Results in the order of the plans, and every error."""

    results: list[DoorResult] = field(default_factory=list)
    errors: list[RegelkreisError] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Plan:
    action: str
    scope: str
    metric: Metric
    trigger: tuple[int, int]
    implemented_on: date
    as_of: date
    goal: Goal
    min_effect: Goal | None
    place: Place


@dataclass(slots=True)
class _Rows:
    """The cells of one action, by scope, in the order of the file."""

    week: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    numerator: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    denominator: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    stratum: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    line: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    errors: list[RegelkreisError] = field(default_factory=list)


def compute_files(plans: Path, cells: Path) -> DoorReport:
    """Run the check on two CSV files. :class:`InputError` when a file as a whole cannot be read."""
    report = DoorReport()
    found = list(_plans(plans, report))
    rows, has_strata = _cells(cells)
    for plan in found:
        try:
            report.results.append(_check(plan, rows.get(plan.action), cells, has_strata=has_strata))
        except _Refused as refused:
            report.errors.extend(refused.errors)
        except RegelkreisError as error:
            report.errors.append(error)
    return report


class _Refused(Exception):
    """Several reasons why one plan is not computed."""

    def __init__(self, errors: list[RegelkreisError]) -> None:
        super().__init__(str(errors[0]))
        self.errors = errors


def _read(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their line number; commas or semicolons, with or without a byte order mark."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise InputError("There is no such file.", where=Place(file=str(path))) from error
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(
            f"The file cannot be read: {error}.", where=Place(file=str(path)), mend="Save it as UTF-8."
        ) from error
    lines = text.splitlines()
    if not lines:
        raise InputError("The file is empty.", where=Place(file=str(path)), mend=f"Columns: {', '.join(needed)}.")
    delimiter = ";" if lines[0].count(";") > lines[0].count(",") else ","
    reader = csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    names = [(name or "").strip().lower() for name in reader.fieldnames or []]
    reader.fieldnames = names
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(
            f"Missing columns: {', '.join(missing)}.",
            where=Place(file=str(path), line=1),
            mend=f"The first line must name: {', '.join(needed)}.",
        )
    try:
        for row in reader:
            if any((value or "").strip() for key, value in row.items() if key is not None and isinstance(value, str)):
                yield reader.line_num, {key: (value or "").strip() for key, value in row.items() if key is not None}
    except csv.Error as error:
        raise InputError(
            f"The file is no valid CSV: {error}.", where=Place(file=str(path), line=reader.line_num)
        ) from error


def _plans(path: Path, report: DoorReport) -> Iterator[_Plan]:
    seen: set[str] = set()
    for line, row in _read(path, PLAN_COLUMNS):
        place = Place(file=str(path), line=line)
        try:
            plan = _plan(row, place)
            if plan.action in seen:
                raise InputError(f"The action “{plan.action}” stands twice.", where=place, mend="One plan per action.")
            seen.add(plan.action)
            yield plan
        except RegelkreisError as error:
            report.errors.append(_placed(error, place))


def _placed(error: RegelkreisError, place: Place) -> RegelkreisError:
    return error if error.where is not None else type(error)(error.what, where=place, mend=error.mend)


def _plan(row: Mapping[str, str], place: Place) -> _Plan:
    for name in PLAN_COLUMNS:
        if not row[name]:
            raise InputError(f"{name} is empty.", where=place)
    metric = metric_named(row["metric"])
    first, last = _monday(row["trigger_from"], "trigger_from"), _monday(row["trigger_to"], "trigger_to")
    implemented_on = _date(row["implemented_on"], "implemented_on")
    if last < first:
        raise InputError("trigger_to lies before trigger_from.", where=place)
    if implemented_on < monday(last + 1):
        raise InputError(
            f"implemented_on ({implemented_on}) lies in or before the trigger window.",
            where=place,
            mend=f"It must be {monday(last + 1)} or later.",
        )
    return _Plan(
        action=row["action"],
        scope=row["scope"],
        metric=metric,
        trigger=(first, last),
        implemented_on=implemented_on,
        as_of=_date(row["as_of"], "as_of"),
        goal=_goal(row["goal"], metric),
        min_effect=Goal.parse(row["min_effect"]) if row.get("min_effect") else None,
        place=place,
    )


def _goal(text: str, metric: Metric) -> Goal:
    goal = Goal.parse(text)
    if goal.value * metric.sign < 0:
        raise InputError(
            f"A goal of {text} would make {metric.id} worse: {metric.direction} is better.", mend="Turn its sign."
        )
    return goal


def _cells(path: Path) -> tuple[dict[str, _Rows], bool]:
    """The rows of each action; what is wrong with a row is kept with its action."""
    found: dict[str, _Rows] = {}
    has_strata = False
    for line, row in _read(path, CELL_COLUMNS):
        rows = found.setdefault(row["action"], _Rows())
        place = Place(file=str(path), line=line)
        try:
            week = _monday(row["week"], "week")
            numerator = _number(row["numerator"], "numerator")
            denominator = _number(row["denominator"], "denominator")
            if denominator < 0:
                raise InputError("denominator is negative.")
        except RegelkreisError as error:
            rows.errors.append(_placed(error, place))
            continue
        scope = row["scope"]
        rows.week[scope].append(week)
        rows.numerator[scope].append(numerator)
        rows.denominator[scope].append(denominator)
        rows.stratum[scope].append(row.get("stratum", ""))
        rows.line[scope].append(line)
        has_strata = has_strata or bool(row.get("stratum"))
    return found, has_strata


def _check(plan: _Plan, rows: _Rows | None, cells: Path, *, has_strata: bool) -> DoorResult:
    if rows is None:
        raise InputError(
            f"There are no cells for the action “{plan.action}”.", where=plan.place, mend=f"Add them to {cells}."
        )
    errors = [*rows.errors, *_wrong_rows(plan, rows, cells)]
    if errors:
        raise _Refused(errors)
    if plan.scope not in rows.week:
        known = ", ".join(sorted(rows.week)[:10])
        raise InputError(
            f"The action “{plan.action}” has no cells for its scope “{plan.scope}”.",
            where=plan.place,
            mend=f"Scopes found: {known}.",
        )
    last_complete = week_of(plan.as_of) - 1
    series = {scope: _series(rows, scope, last_complete, has_strata=has_strata) for scope in rows.week}
    own = series.pop(plan.scope)
    check_plan = _check_plan(plan, own, tuple(sorted(series)))
    result = _latest_look(check_plan, own, {name: series[name] for name in sorted(series)}, last_complete)
    return DoorResult(plan.action, plan.scope, _with_gaps(result))


def _wrong_rows(plan: _Plan, rows: _Rows, cells: Path) -> list[RegelkreisError]:
    """Duplicates and impossible numbers, each with its line."""
    errors: list[RegelkreisError] = []
    for scope, weeks in rows.week.items():
        seen: dict[tuple[int, str], int] = {}
        for index, week in enumerate(weeks):
            line = rows.line[scope][index]
            place = Place(file=str(cells), line=line)
            first = seen.setdefault((week, rows.stratum[scope][index]), line)
            if first != line:
                errors.append(
                    InputError(
                        f"{scope}, {monday(week)} stands twice (first in line {first}).",
                        where=place,
                        mend="Keep one, or give strata.",
                    )
                )
            numerator, denominator = rows.numerator[scope][index], rows.denominator[scope][index]
            if plan.metric.family == "proportion" and numerator > denominator:
                errors.append(
                    InputError(
                        f"numerator {numerator:g} is above denominator {denominator:g}; {plan.metric.id} is a share.",
                        where=place,
                    )
                )
            if plan.metric.family in ("proportion", "count", "time") and numerator < 0:
                errors.append(InputError(f"numerator {numerator:g} is negative.", where=place))
    return errors


def _series(rows: _Rows, scope: str, last_complete: int, *, has_strata: bool) -> Series:
    week = np.array(rows.week[scope], dtype=np.int64)
    keep = week <= last_complete
    stratum = np.array(rows.stratum[scope], dtype=object)[keep] if has_strata else None
    return Series(week[keep], np.array(rows.numerator[scope])[keep], np.array(rows.denominator[scope])[keep], stratum)


def _check_plan(plan: _Plan, own: Series, controls: tuple[str, ...]) -> CheckPlan:
    earliest = int(own.week.min()) if len(own.week) else plan.trigger[0]
    return CheckPlan(
        action=plan.action,
        metric=plan.metric.id,
        metric_version=plan.metric.version,
        family=plan.metric.family,
        direction=Direction(plan.metric.direction),
        unit=plan.metric.unit,
        windows=windows_for(
            trigger_first=plan.trigger[0],
            trigger_last=plan.trigger[1],
            implemented_on=plan.implemented_on,
            earliest_week=earliest,
        ),
        goal=plan.goal,
        min_effect=plan.min_effect,
        looks=LOOKS,
        controls=controls,
    )


def _latest_look(plan: CheckPlan, own: Series, controls: Mapping[str, Series], last_complete: int) -> CheckResult:
    """The latest due look decides; before the last one it is provisional, before the first there is none."""
    due = [look for look in plan.looks if plan.windows.after_from + look - 1 <= last_complete]
    if not due:
        return not_due(plan)
    look = due[-1]
    kind = "final" if look == plan.looks[-1] else "look"
    last = plan.windows.after_from + look - 1
    return compute_look(plan, own, controls, look=look, kind=kind, last_week=last)


def _with_gaps(result: CheckResult) -> CheckResult:
    """Say which windows have weeks without volume."""
    gaps = {name: facts.gaps for name, facts in result.windows.items() if facts is not None and facts.gaps}
    if not gaps or result.look is None:
        return result
    text = ", ".join(f"{count} in {name}" for name, count in gaps.items())
    return replace(
        result,
        notes=(*result.notes, f"weeks without volume were left out: {text}"),
        sentence=f"{result.sentence} Weeks without volume were left out: {text}.",
        sentence_de=f"{result.sentence_de} Wochen ohne Volumen blieben außen vor: {text}.",
    )


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"{name} is “{text[:40]}”, not a number.", mend="Write it with a decimal point.") from error
    if not math.isfinite(value):
        raise InputError(f"{name} is {text}, which cannot be counted with.")
    return value


def _date(text: str, name: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{name} is “{text[:40]}”, not a date.", mend="Write it like 2026-03-02.") from error
    if abs(week_of(found) - week_of(date(2020, 1, 6))) > MAX_WEEKS_AWAY:
        raise InputError(f"{name} is {text}: that is too far away to be meant.")
    return found


def _monday(text: str, name: str) -> int:
    found = _date(text, name)
    if found.weekday() != 0:
        before = found - timedelta(days=found.weekday())
        raise InputError(f"{name} is {text}, which is no Monday.", mend=f"Its week begins on {before}.")
    return week_of(found)
