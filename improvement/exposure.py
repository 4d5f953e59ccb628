"""What counts are counted per: how many users or assets a scope has, from a day on. Pure.

Ten incidents are much for a hundred users and little for ten thousand, and a customer who doubles its users reports
more without anything having become worse. Lines say how many there are; which of them make up a scope's number is told
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise

from improvement.errors import InputError, Place
from improvement.rules.scope import Scope

#: Dimensions that share people and things out: a customer's users are those of its countries together. The others do
#: not: whoever uses the mail also uses the network.
DIVIDING = frozenset({"customer", "country"})


@dataclass(frozen=True, slots=True)
class Line:
    """From a day on a scope has so many of something (``unit``); ``connection`` '' means every one."""

    scope: Scope
    since: date
    number: float
    unit: str
    connection: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """A scope's number over time: ``steps`` are days and the number from then on; ``of`` are the scopes summed up.

    It begins when all of these have a number: before that the sum is not known.
    """

    unit: str
    of: tuple[str, ...]
    steps: tuple[tuple[date, float], ...]

    def on(self, day: date) -> float | None:
        """The number in force on a day; None before the first."""
        return next((number for since, number in reversed(self.steps) if since <= day), None)


@dataclass(frozen=True, slots=True)
class Exposures:
    """All lines of an installation."""

    lines: tuple[Line, ...] = ()

    @classmethod
    def of(cls, lines: Iterable[Line]) -> Exposures:
        """The lines, in order; :class:`InputError` for the first that says a day's number again."""
        found = sorted(lines, key=lambda line: (line.connection, line.scope, line.since))
        for before, after in pairwise(found):
            if (before.connection, before.scope) != (after.connection, after.scope):
                continue
            earlier = f" (line {before.place.line})" if before.place is not None else ""
            if before.since == after.since:
                what = f"{after.scope} has a number from {after.since} on already{earlier}."
                raise InputError(what, where=after.place, mend="Keep one of the two, or date the later one.")
            if before.unit != after.unit:
                what = f"{after.scope} is counted in {before.unit} already{earlier}, here in {after.unit}."
                raise InputError(what, where=after.place, mend="Count a scope in one unit.")
        return cls(tuple(found))

    def steps_of(self, connection: str, scope: Scope) -> Steps | None:
        """The number of a scope: of the lines that fit, those that say most of it, summed over their customers and
        countries; None where none fits.
        """
        fitting = [line for line in self.lines if line.connection in ("", connection) and _fits(line.scope, scope)]
        if not fitting:
            return None
        best = max(_closeness(line, scope) for line in fitting)
        chosen = [line for line in fitting if _closeness(line, scope) == best]
        names = tuple(dict.fromkeys(str(line.scope) for line in chosen))
        return Steps(chosen[0].unit, names, tuple(_summed(chosen)))


def _fits(line: Scope, scope: Scope) -> bool:
    """Whether a line says something of a scope: nothing contradicts, and people are divided the same way or finer."""
    named = {name for name, _ in line.items}
    asked = {name for name, _ in scope.items}
    return line.overlaps(scope) and named - asked <= DIVIDING and asked & DIVIDING <= named


def _closeness(line: Line, scope: Scope) -> tuple[int, int, tuple[str, ...], bool, str]:
    """Lines of one closeness belong together: first what names most of the scope, then what is divided least."""
    named = tuple(name for name, _ in line.scope.items)
    common = sum(scope.get(name) is not None for name in named)
    return common, -len(named), named, bool(line.connection), line.unit


def _summed(lines: list[Line]) -> Iterator[tuple[date, float]]:
    """The sum from each day on which one of them changes."""
    now: dict[Scope, float] = {}
    parts = len({line.scope for line in lines})
    for since, changed in groupby(sorted(lines, key=lambda line: line.since), key=lambda line: line.since):
        now |= {line.scope: line.number for line in changed}
        if len(now) == parts:
            yield since, sum(now.values())
