"""The troubled world: tickets, surveys, contacts and outages drawn from weekly levels, and the truth about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from connectors.sandbox import companions, levels
from connectors.sandbox.arrivals import DAY_S, WEEK_S, Floats, Ints, opening_times, weekly_volumes
from connectors.sandbox.generator import AGENTS
from connectors.sandbox.incidents import REASSIGNMENTS, Draws, incidents_at
from connectors.sandbox.titles import CHANGES, PROBLEMS, REQUESTS
from connectors.sandbox.troubled.courses import Courses
from connectors.sandbox.troubled.plan import (
    CUSTOMERS,
    SERVICES,
    SERVICES_EACH,
    START,
    SUPPLIERS,
    WEEKS,
    cells_of,
    troubles_of,
)
from connectors.sandbox.troubled.truth import AREAS, LIE_WEEKS, Cell, Kind, Trouble
from connectors.sandbox.truth import ZONES, ScenarioScope, Truth
from connectors.sandbox.world import (
    World,
    WorldContact,
    WorldOutage,
    WorldPerson,
    WorldRecommendation,
    WorldTicket,
    no_garbage_collection,
)

SUPPLIED = 0.25  # of the incidents
PER_WEEK = {"request": 4.0, "problem": 0.3, "change": 1.0}  # of a cell
ASKED_A_WEEK, ANSWERED = 8.0, 0.5  # recommendation surveys of a customer
TALK_DAYS = 14.0  # between two conversations
BEGIN = int(START.timestamp())
END = BEGIN + WEEKS * WEEK_S


@dataclass(frozen=True, slots=True)
class Troubled:
    """A world, its cells, and all that is wrong in it."""

    world: World
    cells: tuple[Cell, ...]
    troubles: tuple[Trouble, ...]


def troubled(seed: int) -> Troubled:
    """The troubled world of a seed: the same to the second each time."""
    streams = iter(np.random.SeedSequence([seed, 2027]).spawn(100))
    rng = np.random.default_rng(next(streams))
    cells = cells_of(rng)
    troubles = troubles_of(rng, cells)
    courses = Courses(np.random.default_rng(next(streams)), cells, troubles)
    tickets: list[WorldTicket] = []
    outages: list[WorldOutage] = []
    with no_garbage_collection():
        for cell in cells:
            rng = np.random.default_rng(next(streams))
            tickets += _incidents(rng, cell, courses)
            tickets += _other_tickets(rng, cell, courses)
            outages += _outages(rng, cell, courses)
        tickets.sort(key=lambda ticket: ticket.opened)
        contacts: list[WorldContact] = []
        asked: list[WorldRecommendation] = []
        for own in _by_customer(cells):
            rng = np.random.default_rng(next(streams))
            contacts += _contacts(rng, own, courses)
            asked += _recommendations(rng, own[0], courses)
    contacts.sort(key=lambda contact: contact.at)
    outages.sort(key=lambda outage: outage.begin)
    for things in (tickets, contacts, outages, asked):
        for uid, thing in enumerate(things, start=1):
            thing.uid = uid  # type: ignore[attr-defined]
    people = [
        WorldPerson(name, name.replace(".", " ").title(), f"{name}@example.com", "Europe/Berlin", ("agent",))
        for name in AGENTS["servicenow"]
    ]
    world = World(
        platform="servicenow",
        start=BEGIN,
        weeks=WEEKS,
        tickets=tickets,
        contacts=contacts,
        outages=outages,
        customers=[(name, country) for name, country, _ in CUSTOMERS],
        services=list(SERVICES),
        suppliers=list(SUPPLIERS),
        people=people,
        recommendations=asked,
    )
    return Troubled(world, tuple(cells), tuple(troubles))


# --- incidents ----------------------------------------------------------------------------------------------------


def _incidents(rng: np.random.Generator, cell: Cell, courses: Courses) -> Iterator[WorldTicket]:
    scope = ScenarioScope(
        "servicenow", cell.customer, cell.country, cell.service, cell.supplier, cell.per_week, Truth.QUIET, "", ""
    )
    breach = courses.of(Kind.BREACH, cell)
    level = levels.levels_at(breach, courses.of(Kind.SCORE, cell), courses.of(Kind.HOURS, cell), usual_breach=0.08)
    causes: list[Ints] = []

    def altered(draws: Draws, week: Ints) -> None:
        _handled(rng, draws, week, cell, courses)
        _late(rng, draws, week, cell, courses)
        _asked(rng, draws, week, cell, courses)
        is_one_cause = rng.random(len(week)) < courses.of(Kind.REPEATS, cell)[week]
        area = rng.integers(1, AREAS + 1, size=len(week))
        draws.category = np.where(is_one_cause, 0, draws.category)
        causes.append(np.where(is_one_cause, 1, area))

    tickets = incidents_at(
        rng,
        scope,
        level,
        per_week=cell.per_week * courses.of(Kind.VOLUME, cell),
        start=BEGIN,
        agents=list(AGENTS["servicenow"]),
        altered=altered,
    )
    for ticket, area in zip(tickets, causes[0].tolist(), strict=True):
        ticket.category = f"{ticket.category} {area}"
        yield ticket


def _handled(rng: np.random.Generator, draws: Draws, week: Ints, cell: Cell, courses: Courses) -> None:
    """Handed over, reopened, major."""
    count = len(week)
    often = rng.choice(np.arange(1, len(REASSIGNMENTS)), size=count, p=REASSIGNMENTS[1:] / REASSIGNMENTS[1:].sum())
    draws.reassignments = np.where(rng.random(count) < courses.of(Kind.HANDED, cell)[week], often, 0)
    draws.is_reopened = (rng.random(count) < courses.of(Kind.REOPENED, cell)[week]).astype(np.int64)
    a_week = courses.of(Kind.MAJOR, cell) / SERVICES_EACH
    is_major = rng.random(count) < (a_week / (cell.per_week * courses.of(Kind.VOLUME, cell)))[week]
    goal_h = np.array([0, *levels.GOAL_H.values()])
    for name in ("work", "respond", "hold_from", "rework"):  # as quick as its priority asks for
        sped = getattr(draws, name) * goal_h[1] // goal_h[draws.priority]
        setattr(draws, name, np.where(is_major, np.maximum(sped, 60), getattr(draws, name)))
    draws.is_major = is_major.astype(np.int64)
    draws.priority = np.where(is_major, 1, draws.priority)


def _late(rng: np.random.Generator, draws: Draws, week: Ints, cell: Cell, courses: Courses) -> None:
    """Answered late, late by a supplier, put aside for weeks, forgotten."""
    count = len(week)
    goal_s = np.array([0, *levels.GOAL_H.values()])[draws.priority] * 3600
    draws.has_supplier = (rng.random(count) < SUPPLIED).astype(np.int64)
    is_late = (rng.random(count) < courses.of(Kind.SUPPLIER, cell)[week]) & (draws.has_supplier == 1)
    draws.supplier_is_late = is_late.astype(np.int64)
    nearly = (goal_s * rng.uniform(0.92, 0.99, size=count)).astype(np.int64)  # beyond the supplier's part of the goal
    draws.work = np.where(is_late & (draws.is_breached == 0), nearly, draws.work)
    mean_s = 3600 * courses.of(Kind.RESPONSE, cell)[week]
    respond = mean_s * np.exp(rng.normal(-0.32, 0.8, size=count))
    room = np.where(draws.is_breached == 1, draws.work, 0.95 * goal_s)  # nobody resolves what was not begun
    draws.respond = np.maximum(np.minimum(respond, 0.7 * room), 30).astype(np.int64)
    draws.work = np.maximum(draws.work, draws.respond * 10 // 7)
    rest = draws.work - draws.respond
    draws.hold_from = (draws.respond + rest * rng.uniform(0.1, 0.9, size=count)).astype(np.int64)
    aside = rng.random(count) < courses.of(Kind.BACKLOG, cell)[week]
    draws.pause = np.where(aside, (rng.uniform(2, 5, size=count) * WEEK_S).astype(np.int64), draws.pause)
    is_forgotten = rng.random(count) < courses.of(Kind.FORGOTTEN, cell)[week]
    lies = (rng.uniform(LIE_WEEKS / 2, LIE_WEEKS, size=count) * WEEK_S).astype(np.int64)
    draws.pause = np.where(is_forgotten, lies, draws.pause)


def _asked(rng: np.random.Generator, draws: Draws, week: Ints, cell: Cell, courses: Courses) -> None:
    """Whether users answer; nobody is asked where the customer does not want it."""
    count = len(week)
    is_answered = rng.random(count) < courses.of(Kind.SILENCE, cell)[week]
    after = 3600 + 3600 * np.exp(rng.normal(2.8, 0.9, size=count))
    draws.answer_after = np.where(is_answered, after, -1).astype(np.int64)
    draws.is_surveyed = draws.is_surveyed * int(cell.is_surveyed)


# --- everything else ------------------------------------------------------------------------------------------------


def _other_tickets(rng: np.random.Generator, cell: Cell, courses: Courses) -> Iterator[WorldTicket]:
    agents = AGENTS["servicenow"]
    failed, endless = courses.of(Kind.CHANGES, cell), courses.of(Kind.PROBLEMS, cell)
    for kind, texts in (("request", REQUESTS), ("problem", PROBLEMS), ("change", CHANGES)):
        volumes = weekly_volumes(rng, PER_WEEK[kind], WEEKS, phase=0.05)
        opened, weeks = opening_times(rng, volumes, start=BEGIN, zone=ZONES[cell.country])
        for at, week in zip(opened.tolist(), weeks.tolist(), strict=True):
            times = 12.0 if kind == "problem" and rng.random() < endless[week] else 1.0
            events = companions.life(rng, kind, at, agents[int(rng.integers(len(agents)))], times=times)
            is_change = kind == "change"
            closed_week = min((events[-1].at - BEGIN) // WEEK_S, WEEKS - 1)
            yield WorldTicket(
                uid=0,
                kind=kind,
                title=texts[int(rng.integers(len(texts)))].format(service=cell.service),
                customer=cell.customer,
                country=cell.country,
                service=cell.service,
                supplier=None,
                category=None,
                caller=f"{cell.customer.lower().replace(' ', '-')}.user{int(rng.integers(80)):02d}",
                priority=4,
                is_major=False,
                opened=at,
                events=events,
                slas=[],
                survey=None,
                risk="low" if is_change else None,
                is_successful=bool(rng.random() >= failed[closed_week]) if is_change else None,
            )


def _outages(rng: np.random.Generator, cell: Cell, courses: Courses) -> Iterator[WorldOutage]:
    """Short ones as a rule; where outages are the trouble, they are long, too."""
    often = courses.of(Kind.OUTAGES, cell)
    for week, number in enumerate(rng.poisson(often).tolist()):
        for _ in range(number):
            begin = BEGIN + week * WEEK_S + int(rng.uniform(0, WEEK_S))
            minutes = (100 if often[week] > 0.5 else 25) * np.exp(rng.normal(0, 0.6))
            yield WorldOutage(
                0, "outage", cell.service, cell.customer, cell.country, begin, begin + max(60, int(minutes * 60))
            )


def _contacts(rng: np.random.Generator, own: list[Cell], courses: Courses) -> Iterator[WorldContact]:
    """Conversations, which a gap lets fall, and what the customer holds against us."""
    cell = own[0]
    is_silent = courses.of(Kind.GAP, cell)
    at = BEGIN + int(rng.uniform(0, TALK_DAYS) * DAY_S)
    while at < END:
        if is_silent[(at - BEGIN) // WEEK_S] < 0.5:
            kind = ("review", "call", "call", "visit")[int(rng.integers(4))]
            yield WorldContact(0, kind, cell.customer, cell.country, None, at)
        at += max(DAY_S, int(rng.gamma(4.0, TALK_DAYS / 4.0) * DAY_S))
    tickets = np.sum([one.per_week * courses.of(Kind.VOLUME, one) + PER_WEEK["request"] for one in own], axis=0)
    for kind, a_week in (
        ("complaint", courses.of(Kind.COMPLAINTS, cell)),
        ("escalation", courses.of(Kind.ESCALATIONS, cell) * tickets),
    ):
        for at in _instants(rng, a_week):
            yield WorldContact(0, kind, cell.customer, cell.country, None, at)


def _recommendations(rng: np.random.Generator, cell: Cell, courses: Courses) -> Iterator[WorldRecommendation]:
    """One in five answers is passive; the others are promoters and detractors, so that the mean is the level."""
    if not cell.is_surveyed:
        return
    level = courses.of(Kind.RECOMMENDATION, cell)
    for at in _instants(rng, np.full(WEEKS, ASKED_A_WEEK)):
        answered = at + int(rng.uniform(0.05, 6) * DAY_S) if rng.random() < ANSWERED else None
        week = min(((answered or at) - BEGIN) // WEEK_S, WEEKS - 1)
        promoting = 0.5 * (0.8 + np.clip(level[week], -0.8, 0.8))
        drawn, low, high = rng.random(), int(rng.integers(0, 7)), int(rng.integers(9, 11))
        score = high if drawn < promoting else low if drawn < 0.8 else int(rng.integers(7, 9))
        yield WorldRecommendation(0, cell.customer, cell.country, at, answered, score if answered is not None else None)


def _instants(rng: np.random.Generator, a_week: Floats) -> Iterator[int]:
    for week, number in enumerate(rng.poisson(a_week).tolist()):
        for _ in range(number):
            yield BEGIN + week * WEEK_S + int(rng.uniform(0, WEEK_S))


def _by_customer(cells: list[Cell]) -> list[list[Cell]]:
    own: dict[str, list[Cell]] = {}
    for cell in cells:
        own.setdefault(cell.customer, []).append(cell)
    return list(own.values())
