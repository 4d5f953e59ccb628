"""Weekly levels of everything that can be wrong: what is usual, in trouble what the trouble says, and noise on both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit, logit

from connectors.sandbox.arrivals import Floats, ar1
from connectors.sandbox.troubled.plan import COURSES, WEEKS, Course, Link
from connectors.sandbox.troubled.truth import Cell, Kind, Trouble, Unit

LINKS: dict[Link, tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]] = {
    "share": (logit, expit),
    "log": (np.log, np.exp),
    "same": (np.positive, np.positive),
}
RHO = 0.4
#: Troubles that set the level of another kind, too.
ALSO: dict[Kind, tuple[Kind, ...]] = {Kind.HANDED: (Kind.HANDED, Kind.DESK)}


class Courses:
    """The levels of every unit of every kind, one value a week."""

    def __init__(self, rng: np.random.Generator, cells: Sequence[Cell], troubles: Sequence[Trouble]) -> None:
        self._levels: dict[Kind, dict[Unit, Floats]] = {}
        for kind, course in COURSES.items():
            shared = ar1(rng, WEEKS, rho=RHO, sd=course.shared_sd)
            units = dict.fromkeys(cell.of(course.by) for cell in cells)
            ours = [one for one in troubles if one.kind in ALSO.get(kind, (kind,))]
            self._levels[kind] = {unit: _level(rng, course, unit, ours, shared) for unit in units}

    def of(self, kind: Kind, cell: Cell) -> Floats:
        """The level of a kind in a cell: that of the unit the cell belongs to."""
        return self._levels[kind][cell.of(COURSES[kind].by)]


def _level(rng: np.random.Generator, course: Course, unit: Unit, troubles: Sequence[Trouble], shared: Floats) -> Floats:
    to_link, from_link = LINKS[course.link]
    usual = float(rng.uniform(*course.usual))
    level = np.full(WEEKS, usual)
    for trouble in troubles:
        if set(trouble.unit) <= set(unit):
            worse = usual * trouble.level if course.is_factor else trouble.level
            level[trouble.first_week : trouble.last_week + 1] = worse
    noise = shared + ar1(rng, WEEKS, rho=RHO, sd=course.own_sd)
    found: Floats = from_link(to_link(level) + noise)
    return found
