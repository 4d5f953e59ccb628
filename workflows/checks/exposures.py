"""The file of exposures, what of it a measurement plan freezes, and the weekly cells of counts with it.

What was known when the plan was made stays as it was then, whatever the file says later; numbers from days after that
are read from the file as they come.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from improvement import weeks
from improvement.check import Exposure, Series
from improvement.errors import InputError, ManyErrors, RegelkreisError
from improvement.exposure import Exposures, Line, Steps
from improvement.rules import Scope
from improvement.rules.scope import DIMENSIONS
from workflows.csv_table import CsvTable, complete, number, placed

NEEDED = ("from", "number")
OPTIONAL = ("unit", "connection", *DIMENSIONS)
USUAL_UNIT = "users"
PER = (1_000, 100, 10)


def known() -> Exposures:
    """What the installation's file says; empty where there is none. All that is wrong with it is raised."""
    path: Path = settings.REGELKREIS.exposure
    try:
        stat = path.stat()
    except FileNotFoundError:
        return Exposures()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, _changed_ns: int, _size: int) -> Exposures:
    table = CsvTable.open(path, NEEDED, OPTIONAL)
    unknown = [name for name in table.columns if name and name not in (*NEEDED, *OPTIONAL)]
    if unknown:  # a dimension that is not read would make one line of two customers
        raise InputError(
            f"Unknown columns: {', '.join(unknown)}.",
            where=table.place(table.first_line),
            mend=f"There are {', '.join((*NEEDED, *OPTIONAL))}.",
        )
    errors: list[RegelkreisError] = []
    lines = []
    for line, row in table.rows():
        try:
            lines.append(_line(table, line, row))
        except RegelkreisError as error:
            errors.append(placed(error, table.place(line)))
    if errors:
        raise ManyErrors(errors) if len(errors) > 1 else errors[0]
    return Exposures.of(lines)


def _line(table: CsvTable, line: int, row: Mapping[str, str]) -> Line:
    complete(row, NEEDED)
    scope = Scope.of({name: row[name] for name in DIMENSIONS if row.get(name)})
    if not scope.items:
        raise InputError("The line names no scope.", mend=f"Fill at least one of {', '.join(DIMENSIONS)}.")
    return Line(
        scope=scope,
        since=_day(table, line, row["from"]),
        number=_number(table, line, row["number"]),
        unit=row.get("unit") or USUAL_UNIT,
        connection=row.get("connection", ""),
        place=table.place(line),
    )


def _number(table: CsvTable, line: int, text: str) -> float:
    place = table.place(line, "number")
    try:
        value = number(text, "number", has_decimal_comma=table.has_decimal_comma)
    except InputError as error:
        raise placed(error, place) from error
    if value < 0:
        raise InputError(f"number is {text[:40]}.", where=place, mend="Write how many there are; 0 where nobody is.")
    return value


def _day(table: CsvTable, line: int, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        what, where = f"from is “{text[:40]}”, not a date.", table.place(line, "from")
        raise InputError(what, where=where, mend="Write it like 2026-01-31.") from error


# --- what a plan freezes --------------------------------------------------------------------------------------


def frozen(
    connection: str, scopes: Mapping[str, Mapping[str, str]], own: str, reference: tuple[int, int], *, through: date
) -> dict[str, Any]:
    """What a plan keeps for counts: unit, and of its scope and controls the numbers known by a day.

    Without ``scopes`` where the scope's numbers begin too late (``known_from``); empty where the file says nothing of
    the scope: then every week counts the same.
    """
    exposures = known()
    found = {name: exposures.steps_of(connection, Scope.of(values)) for name, values in scopes.items()}
    ours = found[own]
    if ours is None:
        return {}
    if not _covers(ours, reference[0]):
        return {"unit": ours.unit, "known_from": ours.steps[0][0].isoformat()}
    return {
        "unit": ours.unit,
        "per": _per(ours.on(weeks.sunday(reference[1])) or 0.0),
        "through": through.isoformat(),
        "scopes": {
            name: {
                "of": list(steps.of),
                "steps": [[since.isoformat(), value] for since, value in steps.steps if since <= through],
            }
            for name, steps in found.items()
            if steps is not None and steps.unit == ours.unit and _covers(steps, reference[0])
        },
    }


def _covers(steps: Steps, first_week: int) -> bool:
    return bool(steps.on(weeks.sunday(first_week)))


def _per(value: float) -> int:
    """Per how many it is told: the largest of these that the scope has."""
    return next((per for per in PER if value >= per), PER[-1])


def in_words(document: Mapping[str, Any], own: str, controls: tuple[str, ...]) -> Exposure | None:
    """A frozen exposure as the check tells it; None where counts are per week."""
    if not document:
        return None
    if "scopes" not in document:
        return Exposure(unit=str(document["unit"]), known_from=str(document["known_from"]))
    return Exposure(
        unit=str(document["unit"]),
        per=int(document["per"]),
        of=tuple(document["scopes"][own]["of"]),
        controls_without=tuple(name for name in controls if name not in document["scopes"]),
    )


# --- the cells of counts --------------------------------------------------------------------------------------


def applied(
    document: Mapping[str, Any],
    by_scope: Mapping[str, Series],
    scopes: Mapping[str, Mapping[str, str]],
    own: str,
    controls: tuple[str, ...],
    *,
    connection: str,
    reference: tuple[int, int],
) -> dict[str, Series]:
    """The cells of a scope and its controls with the exposure of each week: that which is in force on its Sunday.

    Each control is held against its own level in the reference, so that customers of another size, and those without a
    number, can be pooled.
    """
    named = {name: by_scope[name] for name in (own, *controls) if name in by_scope}
    if "scopes" not in document:
        return named
    later = known()
    found = {}
    for name, series in named.items():
        steps = _with_later(document, name, later.steps_of(connection, Scope.of(scopes[name])))
        exposed = _exposed(series, steps, int(document["per"])) if steps is not None else series
        found[name] = exposed if name == own else _against_its_level(exposed, reference)
    return found


def _with_later(document: Mapping[str, Any], name: str, now: Steps | None) -> Steps | None:
    """What was frozen of a scope, and what the file says of days since; None for a scope that had no number then."""
    kept = document["scopes"].get(name)
    if kept is None:
        return None
    through, unit = date.fromisoformat(document["through"]), str(document["unit"])
    steps = [(date.fromisoformat(since), float(value)) for since, value in kept["steps"]]
    if now is not None and now.unit == unit:
        steps += [step for step in now.steps if step[0] > through]
    return Steps(unit, tuple(kept["of"]), tuple(steps))


def _exposed(series: Series, steps: Steps, per: int) -> Series:
    """The cells with their weeks' exposure in place of one; weeks before the first number have none."""
    days = [weeks.sunday(int(week)) for week in series.week]
    values = np.array([(steps.on(day) or 0.0) / per for day in days])
    return replace(series, denominator=series.denominator * values)


def _against_its_level(series: Series, reference: tuple[int, int]) -> Series:
    """The exposure in events that the reference's rate lets expect of it."""
    within = series.between(*reference)
    exposure = float(within.denominator.sum())
    if exposure <= 0:
        return series
    return replace(series, denominator=series.denominator * (float(within.numerator.sum()) + 0.5) / exposure)


# --- for people -----------------------------------------------------------------------------------------------


def steps_dict(steps: Steps, day: date) -> dict[str, Any]:
    """A scope's number as JSON."""
    return {
        "unit": steps.unit,
        "of": list(steps.of),
        "on": day.isoformat(),
        "number": steps.on(day),
        "steps": [[since.isoformat(), value] for since, value in steps.steps],
    }


def in_force(exposures: Exposures, day: date) -> Iterator[tuple[Line, bool]]:
    """Every line, and whether it is the one in force on a day."""
    last: dict[tuple[str, Scope], date] = {}
    for line in exposures.lines:
        if line.since <= day:
            last[line.connection, line.scope] = line.since
    for line in exposures.lines:
        yield line, last.get((line.connection, line.scope)) == line.since
