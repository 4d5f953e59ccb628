"""The two files of the spreadsheet door, read strictly: a row becomes a plan or a cell, or an error with its line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from improvement.check import Goal
from improvement.errors import InputError, Place, RegelkreisError
from improvement.metrics import Metric, metric_named
from improvement.weeks import monday, week_of
from workflows.csv_table import CsvTable, complete, number, placed

PLAN_COLUMNS = ("action", "scope", "metric", "trigger_from", "trigger_to", "implemented_on", "as_of", "goal")
PLAN_OPTIONS = ("min_effect",)
CELL_COLUMNS = ("action", "scope", "week", "numerator", "denominator")
CELL_OPTIONS = ("stratum",)
FIRST_DAY, LAST_DAY = date(1970, 1, 5), date(2199, 12, 30)  # a typing error in a year should not pass for a week


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan as written; weeks are those of improvement.weeks."""

    action: str
    scope: str
    metric: Metric
    trigger: tuple[int, int]
    implemented_on: date
    as_of: date
    goal: Goal
    min_effect: Goal | None
    place: Place


@dataclass(frozen=True, slots=True)
class Cell:
    """One scope's week, or one stratum of it."""

    week: int
    numerator: float
    denominator: float
    stratum: str
    line: int


@dataclass(slots=True)
class Cells:
    """The cells of one action by scope, in the order of the file, and what was wrong with its rows."""

    by_scope: dict[str, list[Cell]] = field(default_factory=dict)
    errors: list[RegelkreisError] = field(default_factory=list)


def read_plans(path: Path) -> tuple[list[PlanRow], list[RegelkreisError], list[str]]:
    """The plans, an error for each that is refused, and remarks on the file as a whole."""
    table = CsvTable.open(path, PLAN_COLUMNS, PLAN_OPTIONS)
    plans: list[PlanRow] = []
    errors: list[RegelkreisError] = []
    seen: dict[str, int] = {}
    for line, row in table.rows():
        place = Place(file=str(path), line=line)
        try:
            plan = _plan(complete(row, PLAN_COLUMNS), place)
            if plan.action in seen:
                raise InputError(
                    f"The action “{plan.action}” stands twice (first in line {seen[plan.action]}).",
                    mend="Write one plan per action.",
                )
        except RegelkreisError as error:
            errors.append(placed(error, place))
            continue
        seen[plan.action] = line
        plans.append(plan)
    if not plans and not errors:
        raise InputError("There is no plan in the file.", where=Place(file=str(path)), mend="Write one a line.")
    return plans, errors, table.remarks


def read_cells(path: Path) -> tuple[dict[str, Cells], list[str]]:
    """The cells of each action, what is wrong with a row kept with its action; and remarks on the file as a whole."""
    table = CsvTable.open(path, CELL_COLUMNS, CELL_OPTIONS)
    found: dict[str, Cells] = {}
    for line, row in table.rows():
        cells = found.setdefault(row.get("action", ""), Cells())
        try:
            scope, cell = _cell(complete(row, CELL_COLUMNS), line, has_decimal_comma=table.has_decimal_comma)
        except RegelkreisError as error:
            cells.errors.append(placed(error, _place(row.get("action", ""), path, line)))
            continue
        cells.by_scope.setdefault(scope, []).append(cell)
    return found, table.remarks


def wrong_cells(plan: PlanRow, cells: Cells, path: Path) -> list[RegelkreisError]:
    """Cells that cannot all be meant: twice the same week, impossible numbers for the metric; each with its line."""
    errors: list[RegelkreisError] = []
    for scope, rows in cells.by_scope.items():
        first: dict[tuple[int, str], int] = {}
        has_strata = any(cell.stratum for cell in rows)
        for cell in rows:
            before = first.setdefault((cell.week, cell.stratum), cell.line)
            why = (
                f"{scope}, {monday(cell.week)} stands twice (first in line {before}). Keep one, or give strata."
                if before != cell.line
                else _impossible(plan.metric, cell, has_strata=has_strata)
            )
            if why:
                errors.append(InputError(why, where=_place(plan.action, path, cell.line)))
    return errors


def _place(action: str, path: Path, line: int) -> Place:
    """A row of the cells, and whose plan is refused for it."""
    return Place(file=str(path), line=line, field=f"{action} is refused" if action else None)


def _impossible(metric: Metric, cell: Cell, *, has_strata: bool) -> str:
    """What makes one cell impossible, '' for nothing."""
    if has_strata and not cell.stratum:
        return "Some rows of this scope have a stratum, this one has none. Give all of them one, or none."
    if metric.family == "proportion" and cell.numerator > cell.denominator:
        return f"numerator {cell.numerator:g} is above denominator {cell.denominator:g}; {metric.id} is a share."
    if metric.family != "score" and cell.numerator < 0:
        return f"numerator {cell.numerator:g} is negative."
    if cell.denominator == 0 and cell.numerator != 0:
        return f"numerator {cell.numerator:g} stands on a denominator of 0."
    return ""


def _plan(row: Mapping[str, str], place: Place) -> PlanRow:
    metric = metric_named(row["metric"])
    first, last = _monday(row["trigger_from"], "trigger_from"), _monday(row["trigger_to"], "trigger_to")
    implemented_on = _date(row["implemented_on"], "implemented_on")
    if last < first:
        raise InputError("trigger_to lies before trigger_from.")
    if implemented_on < monday(last + 1):
        raise InputError(
            f"implemented_on ({implemented_on}) lies in or before the trigger window.",
            mend=f"It must be {monday(last + 1)} or later.",
        )
    goal = _goal(row["goal"], "goal", metric)
    least = _goal(row["min_effect"], "min_effect", metric) if row.get("min_effect") else None
    if least is not None and abs(least.value) > abs(goal.value):
        raise InputError(f"min_effect {least.text} lies beyond the goal {goal.text}.", mend="Choose a smaller one.")
    return PlanRow(
        action=row["action"],
        scope=row["scope"],
        metric=metric,
        trigger=(first, last),
        implemented_on=implemented_on,
        as_of=_date(row["as_of"], "as_of"),
        goal=goal,
        min_effect=least,
        place=place,
    )


def _goal(text: str, name: str, metric: Metric) -> Goal:
    goal = Goal.parse(text)
    if metric.family is not None:
        goal.check_form(metric.family)
    if goal.value * metric.sign < 0:
        raise InputError(
            f"A {name} of {text} would make {metric.id} worse: {metric.direction} is better.", mend="Turn its sign."
        )
    return goal


def _cell(row: Mapping[str, str], line: int, *, has_decimal_comma: bool) -> tuple[str, Cell]:
    denominator = number(row["denominator"], "denominator", has_decimal_comma=has_decimal_comma)
    if denominator < 0:
        raise InputError(f"denominator {denominator:g} is negative.")
    return row["scope"], Cell(
        week=_monday(row["week"], "week"),
        numerator=number(row["numerator"], "numerator", has_decimal_comma=has_decimal_comma),
        denominator=denominator,
        stratum=row.get("stratum", ""),
        line=line,
    )


@lru_cache(maxsize=4096)
def _monday(text: str, name: str) -> int:
    found = _date(text, name)
    if found.weekday() != 0:
        raise InputError(
            f"{name} is {text}, which is no Monday.", mend=f"Its week begins on {found - timedelta(found.weekday())}."
        )
    return week_of(found)


def _date(text: str, name: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{name} is “{text[:40]}”, not a date.", mend="Write it like 2026-03-02.") from error
    if not FIRST_DAY <= found <= LAST_DAY:
        raise InputError(f"{name} is {text}: that is too far away to be meant.")
    return found
