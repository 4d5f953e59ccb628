"""Who is there, what is usual, and what goes wrong: drawn from a seed, so that no rule can be made to fit one world."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from connectors.sandbox.troubled.truth import Cell, Kind, Trouble, Unit

START = datetime(2025, 1, 6, tzinfo=UTC)  # a Monday; its years end with 2026-W53 and in 2027
WEEKS = 130
IN_2027 = 104  # the week that begins on 2027-01-04
FIRST_TROUBLE = 48  # half a year of quiet before a rule looks, and some more that it may compare with

Range = tuple[float, float]
Link = Literal["share", "log", "same"]

CUSTOMERS: tuple[tuple[str, str, bool], ...] = (  # country, and whether its users are asked how satisfied they are
    ("Alpenbank", "CH", True),
    ("Helvetia Bahn", "CH", False),
    ("Rheinwerk Maschinen", "DE", True),
    ("Nordlicht Energie", "DE", True),
    ("Harbour Foods", "GB", True),
    ("Thames Insurance", "GB", False),
    ("Prairie Health", "US", True),
    ("Hudson Media", "US", True),
    ("Sakura Retail", "JP", True),
    ("Kyoto Motors", "JP", False),
)
SERVICES = ("Payments", "ERP", "Web Shop", "Mail", "Workplace", "Network")
SUPPLIERS = ("Nimbus Hosting", "Shared Services", "Desk Partners", "Kabelwerk Netze", "Orbit Software")
SERVICES_EACH = 3
PER_WEEK: Range = (20.0, 55.0)


@dataclass(frozen=True, slots=True)
class Course:
    """One level of every unit: what is usual (drawn once a unit), how it wavers from week to week, how bad it gets.

    ``shared_sd`` and ``own_sd`` are of autocorrelated noise on the ``link`` scale. ``bad`` and ``near`` (worse, but
    within the target) are ranges of the level in trouble, times the usual one where ``is_factor``. ``lasts`` is in
    weeks, ``number`` and ``nearly`` how many units are hit.
    """

    by: tuple[str, ...]
    usual: Range
    link: Link
    shared_sd: float
    own_sd: float
    bad: Range
    lasts: tuple[int, int]
    number: int
    near: Range | None = None
    nearly: int = 0
    is_factor: bool = False


CELL, SERVICE, CUSTOMER = ("customer", "country", "service"), ("service",), ("customer",)
COURSES: dict[Kind, Course] = {
    Kind.BREACH: Course(CELL, (0.05, 0.10), "share", 0.06, 0.15, (0.18, 0.32), (8, 24), 6, (0.10, 0.115), 3),
    Kind.SUPPLIER: Course(("supplier",), (0.04, 0.08), "share", 0.06, 0.15, (0.15, 0.28), (10, 24), 2, (0.09, 0.1), 1),
    Kind.HOURS: Course(CELL, (17.0, 27.0), "log", 0.03, 0.10, (46.0, 80.0), (8, 24), 6, (32.0, 36.0), 3),
    Kind.RESPONSE: Course(
        ("customer", "country"), (0.4, 0.9), "log", 0.05, 0.15, (2.4, 4.5), (8, 24), 4, (1.4, 1.7), 2
    ),
    Kind.REOPENED: Course(
        ("customer", "service"), (0.015, 0.045), "share", 0.08, 0.25, (0.105, 0.20), (8, 24), 6, (0.055, 0.065), 3
    ),
    Kind.HANDED: Course(
        ("customer", "service"), (0.28, 0.42), "share", 0.05, 0.12, (0.55, 0.72), (8, 24), 5, (0.44, 0.47), 3
    ),
    Kind.DESK: Course(SERVICE, (0.0, 0.0), "same", 0.0, 0.0, (0.64, 0.74), (16, 28), 1),
    Kind.REPEATS: Course(CELL, (0.0, 0.0), "same", 0.0, 0.0, (0.45, 0.65), (8, 20), 6),
    Kind.VOLUME: Course(CELL, (1.0, 1.0), "log", 0.03, 0.10, (1.65, 2.6), (8, 20), 6, (1.2, 1.3), 3),
    Kind.MAJOR: Course(CUSTOMER, (0.05, 0.12), "log", 0.1, 0.3, (0.9, 1.6), (10, 20), 3, (0.25, 0.35), 2),
    Kind.CHANGES: Course(SERVICE, (0.05, 0.11), "share", 0.1, 0.3, (0.27, 0.5), (14, 28), 2, (0.13, 0.16), 1),
    Kind.BACKLOG: Course(("customer", "country"), (0.0, 0.0), "same", 0.0, 0.0, (0.12, 0.2), (8, 16), 3),
    Kind.FORGOTTEN: Course(("customer", "country"), (0.0003, 0.001), "log", 0.1, 0.3, (0.025, 0.045), (14, 24), 3),
    Kind.PROBLEMS: Course(SERVICE, (0.0, 0.006), "same", 0.0, 0.0, (0.7, 0.9), (44, 52), 2),
    Kind.OUTAGES: Course(("customer", "service"), (0.05, 0.15), "log", 0.1, 0.3, (1.0, 1.8), (6, 16), 6),
    Kind.SCORE: Course(CUSTOMER, (4.05, 4.4), "same", 0.02, 0.06, (3.0, 3.65), (10, 24), 2, (3.9, 3.95), 1),
    Kind.SILENCE: Course(CUSTOMER, (0.28, 0.40), "share", 0.03, 0.08, (0.3, 0.5), (8, 20), 2, (0.75, 0.8), 1, True),
    Kind.RECOMMENDATION: Course(CUSTOMER, (0.25, 0.5), "same", 0.02, 0.06, (-0.5, -0.25), (20, 30), 2, (0.1, 0.15), 1),
    Kind.COMPLAINTS: Course(CUSTOMER, (0.05, 0.2), "log", 0.1, 0.3, (1.0, 1.6), (10, 24), 3, (0.25, 0.3), 2),
    Kind.ESCALATIONS: Course(CUSTOMER, (0.003, 0.008), "log", 0.1, 0.25, (0.035, 0.06), (10, 24), 3, (0.011, 0.014), 2),
    Kind.GAP: Course(CUSTOMER, (0.0, 0.0), "same", 0.0, 0.0, (1.0, 1.0), (13, 20), 2),
    Kind.CRISIS: Course(CUSTOMER, (0.0, 0.0), "same", 0.0, 0.0, (1.0, 1.0), (12, 22), 2),
}
OF_A_CRISIS: dict[Kind, Range] = {
    Kind.SCORE: (2.85, 3.1),
    Kind.SILENCE: (0.3, 0.45),
    Kind.RECOMMENDATION: (-0.5, -0.3),
    Kind.COMPLAINTS: (2.5, 3.5),
    Kind.ESCALATIONS: (0.04, 0.06),
}
ASKED = (Kind.SCORE, Kind.SILENCE, Kind.RECOMMENDATION, Kind.CRISIS)  # only where users are asked
UNASKED = (Kind.GAP,)  # an answer is a contact, too


def cells_of(rng: np.random.Generator) -> list[Cell]:
    """Every customer's services, their suppliers and volumes."""
    found = []
    for number, (customer, country, is_surveyed) in enumerate(CUSTOMERS):
        for place in range(SERVICES_EACH):
            service = SERVICES[(number + 2 * place) % len(SERVICES)]
            supplier = SUPPLIERS[(number + place) % len(SUPPLIERS)]
            per_week = float(np.exp(rng.uniform(*np.log(PER_WEEK))))
            found.append(Cell(customer, country, service, supplier, per_week, is_surveyed))
    return found


def units_of(kind: Kind, cells: Sequence[Cell]) -> list[Unit]:
    """The units whose level of a kind can be bad."""
    able = [
        cell
        for cell in cells
        if (kind not in ASKED or cell.is_surveyed) and (kind not in UNASKED or not cell.is_surveyed)
    ]
    return list(dict.fromkeys(cell.of(COURSES[kind].by) for cell in able))


def troubles_of(rng: np.random.Generator, cells: Sequence[Cell]) -> list[Trouble]:
    """What goes wrong; no unit has two troubles of one kind."""
    found: list[Trouble] = []
    for kind in (Kind.CRISIS, Kind.DESK, *(kind for kind in Kind if kind not in (Kind.CRISIS, Kind.DESK))):
        free = [unit for unit in units_of(kind, cells) if not _is_taken(kind, unit, found)]
        order = [free[place] for place in rng.permutation(len(free))]
        found += _drawn(rng, kind, order)
    return [*found, *_later_target(cells, found)]


def _drawn(rng: np.random.Generator, kind: Kind, units: list[Unit]) -> Iterator[Trouble]:
    course = COURSES[kind]
    hit, nearly = units[: course.number], units[course.number :][: course.nearly]
    for unit in hit:
        first, last = _when(rng, course)
        yield Trouble(kind, unit, first, last, float(rng.uniform(*course.bad)))
        if kind is Kind.CRISIS:
            for part, level in OF_A_CRISIS.items():
                yield Trouble(part, unit, first, last, float(rng.uniform(*level)))
    for unit in nearly:
        first, last = _when(rng, course)
        yield Trouble(kind, unit, first, last, float(rng.uniform(*course.near or course.bad)), is_bad=False)


def _when(rng: np.random.Generator, course: Course) -> tuple[int, int]:
    weeks = int(rng.integers(course.lasts[0], course.lasts[1] + 1))
    first = int(rng.integers(FIRST_TROUBLE, WEEKS - weeks))
    return first, first + weeks - 1


def _is_taken(kind: Kind, unit: Unit, before: Sequence[Trouble]) -> bool:
    """Whether the unit has, or lies in one that has, a trouble of the same level."""
    same = (Kind.HANDED, Kind.DESK) if kind is Kind.HANDED else (kind,)
    return any(one.kind in same and set(one.unit) <= set(unit) for one in before)


def _later_target(cells: Sequence[Cell], before: Sequence[Trouble]) -> Iterator[Trouble]:
    """A Swiss service that breaches 13.5 % for a year: bad only from 2027 on, when the target there is 12 %."""
    swiss = [cell.of(CELL) for cell in cells if cell.country == "CH"]
    unit = next(unit for unit in swiss if not _is_taken(Kind.BREACH, unit, before))
    yield Trouble(Kind.BREACH, unit, 78, IN_2027 - 1, 0.135, is_bad=False)
    yield Trouble(Kind.BREACH, unit, IN_2027, WEEKS - 1, 0.135)
