"""What is wrong in the troubled world: in which cells, from when until when, and which starter rules should see it.

A *cell* is a customer's service with its country and supplier. A trouble lies on all cells that have its values. A
rule's scope is *certainly* bad where all its cells are in trouble, *possibly* where some are: their share is diluted
by the others. What is only possible is neither demanded nor called a false alarm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from connectors.sandbox.arrivals import Floats
from connectors.sandbox.incidents import CATEGORY_SHARES

Unit = tuple[tuple[str, str], ...]  # dimension → value, sorted


@dataclass(frozen=True, slots=True)
class Cell:
    """A customer's service, and who helps to run it."""

    customer: str
    country: str
    service: str
    supplier: str
    per_week: float  # incidents
    is_surveyed: bool

    def of(self, dimensions: Iterable[str]) -> Unit:
        """Its values of these dimensions."""
        return tuple((name, getattr(self, name)) for name in sorted(dimensions))


class Kind(StrEnum):
    """What can be wrong, each a level of its own."""

    BREACH = "resolution SLAs breached"
    SUPPLIER = "supplier breaches its agreements"
    HOURS = "slow resolution"
    RESPONSE = "slow response"
    REOPENED = "incidents come back"
    HANDED = "incidents passed around"
    DESK = "the desk solves nothing"  # HANDED in a whole service
    REPEATS = "one cause behind many incidents"
    VOLUME = "many more incidents"
    MAJOR = "major incidents"
    CHANGES = "failed changes"
    BACKLOG = "a backlog piles up"
    FORGOTTEN = "incidents are forgotten"
    PROBLEMS = "problems are never ended"
    OUTAGES = "outages"
    SCORE = "unhappy customers"
    SILENCE = "customers stop answering"
    RECOMMENDATION = "nobody recommends us"
    COMPLAINTS = "complaints"
    ESCALATIONS = "escalations"
    GAP = "nobody speaks to the customer"
    CRISIS = "everything soft goes wrong"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong in all cells of ``unit``, from the first to the last of its weeks (of the world, from 0 on).

    ``level`` is the true level in these weeks, in the unit of its kind (see ``plan.COURSES``).
    ``is_bad``: false where things only got worse, within every target: finding it is a false alarm.
    """

    kind: Kind
    unit: Unit
    first_week: int
    last_week: int
    level: float
    is_bad: bool = True

    def is_in(self, cell: Cell) -> bool:
        """Whether the cell is one of its cells."""
        return all(getattr(cell, name) == value for name, value in self.unit)


Shows = Callable[[Trouble, Sequence[Trouble], Sequence[Cell]], bool]  # a trouble, all troubles, a rule's scope


def always(trouble: Trouble, others: Sequence[Trouble], cells: Sequence[Cell]) -> bool:
    """It is as bad as the rule asks, whatever its level."""
    return True


def never(trouble: Trouble, others: Sequence[Trouble], cells: Sequence[Cell]) -> bool:
    """It is not what the rule asks for, but it may show there."""
    return False


def at_most(level: float) -> Shows:
    """Where the level is so low."""
    return lambda trouble, others, cells: trouble.level <= level


def is_green_outside(trouble: Trouble, others: Sequence[Trouble], cells: Sequence[Cell]) -> bool:
    """Where agreements are kept meanwhile: else it is no watermelon."""
    return not any(
        other.kind is Kind.BREACH
        and other.first_week - 4 <= trouble.last_week
        and trouble.first_week <= other.last_week + 4
        and any(other.is_in(cell) for cell in cells)
        for other in others
    )


def repeats_more(trouble: Trouble, others: Sequence[Trouble], cells: Sequence[Cell]) -> bool:
    """Where a third more repeats are to be expected: in a large scope most incidents repeat one already."""
    usual = np.repeat(CATEGORY_SHARES / AREAS, AREAS)
    then = (1 - trouble.level) * usual
    then[0] += trouble.level
    per_week = sum(cell.per_week for cell in cells)

    def repeats(shares: Floats) -> float:
        return float((shares * -np.expm1(-per_week * shares)).sum())

    return repeats(then) > REPEATS_MORE * repeats(usual)


@dataclass(frozen=True, slots=True)
class Sign:
    """A starter rule sees a trouble of a kind: from ``after`` weeks on, until ``tail`` weeks after its end.

    It has to where the trouble ``shows`` in all cells of its scope, and elsewhere it may.
    """

    rule_id: str
    shows: Shows = always
    after: int = 0
    tail: int = 0


def _maybe(*rule_ids: str, tail: int = 0) -> tuple[Sign, ...]:
    return tuple(Sign(rule_id, never, tail=tail) for rule_id in rule_ids)


AREAS = 8  # of each category
REPEATS_MORE = 1.35
LIE_WEEKS = 26  # the longest that a forgotten incident lies
SIGNS: dict[Kind, tuple[Sign, ...]] = {
    Kind.BREACH: (Sign("incident-resolution-sla"), *_maybe("time-to-resolve")),
    Kind.SUPPLIER: (Sign("incident-resolution-sla@supplier"),),
    Kind.HOURS: (Sign("time-to-resolve"), *_maybe("backlog", "old-backlog", tail=8)),
    Kind.RESPONSE: (Sign("time-to-respond"),),
    Kind.REOPENED: (Sign("reopened-incidents"), *_maybe("first-contact", "mood", "time-to-resolve", tail=4)),
    Kind.HANDED: (Sign("handed-over"), *_maybe("first-contact")),
    Kind.DESK: (Sign("handed-over"), Sign("first-contact")),
    Kind.REPEATS: (Sign("repeated-incidents", repeats_more),),
    Kind.VOLUME: (Sign("incident-volume"), *_maybe("backlog", "repeated-incidents", tail=4)),
    Kind.MAJOR: (Sign("major-incidents"),),
    Kind.CHANGES: (Sign("failed-changes"),),
    Kind.BACKLOG: (Sign("backlog", tail=8), Sign("time-to-resolve"), *_maybe("old-backlog", tail=12)),
    Kind.FORGOTTEN: (
        Sign("old-backlog", after=9, tail=LIE_WEEKS),
        *_maybe("backlog", "time-to-resolve", tail=LIE_WEEKS),
    ),
    Kind.PROBLEMS: (Sign("old-problems", after=26, tail=LIE_WEEKS),),
    Kind.OUTAGES: (Sign("availability"),),
    Kind.SCORE: (
        Sign("customer-satisfaction"),
        Sign("watermelon", is_green_outside),
        Sign("unhappy-answers", at_most(3.25)),
        *_maybe("mood", tail=4),
    ),
    Kind.SILENCE: (Sign("silent-customers"), *_maybe("mood", tail=4)),
    Kind.RECOMMENDATION: (Sign("recommendation"), *_maybe("mood", tail=4)),
    Kind.COMPLAINTS: (Sign("complaints"), *_maybe("mood", tail=4)),
    Kind.ESCALATIONS: (Sign("escalations"), *_maybe("mood", tail=4)),
    Kind.GAP: (Sign("contact-gap", after=2),),  # weeks without a word before it count, too
    Kind.CRISIS: (Sign("mood", tail=4),),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """That a rule's scope is bad in these weeks of the world (both included), and what is behind it.

    ``is_certain`` false: the rule may fire there, and need not.
    """

    rule_id: str
    scope: Unit
    first_week: int
    last_week: int
    is_certain: bool
    trouble: Trouble


def expected(
    troubles: Sequence[Trouble], cells: Sequence[Cell], *, rule_id: str, by: Iterable[str]
) -> Iterator[Expected]:
    """Where and when the scopes of a rule, grouped ``by`` these dimensions, are bad."""
    scopes: dict[Unit, list[Cell]] = {}
    for cell in cells:
        scopes.setdefault(cell.of(by), []).append(cell)
    for trouble in troubles:
        signs = [sign for sign in SIGNS[trouble.kind] if sign.rule_id == rule_id] if trouble.is_bad else []
        for sign in signs:
            for scope, own in scopes.items():
                hit = [cell for cell in own if trouble.is_in(cell)]
                if hit:
                    yield Expected(
                        rule_id=rule_id,
                        scope=scope,
                        first_week=trouble.first_week + sign.after,
                        last_week=trouble.last_week + sign.tail,
                        is_certain=len(hit) == len(own) and sign.shows(trouble, troubles, own),
                        trouble=trouble,
                    )
