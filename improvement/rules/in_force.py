"""Targets in force: which one holds for a scope on a day, since when, and whose target it is.

A value is judged by the target in force on the last day of its window. An override has dates; the rule's own target and
an override without dates hold from when their version was applied. A version that brings a date before its own
application changes what values of the past were held against: :func:`restatements` says which.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from improvement import weeks
from improvement.rules.explaining import GENERAL, LOWEST, TargetStep, target_steps, target_text
from improvement.rules.rule import LEVELS, Override, Rule, Target, TargetKind
from improvement.rules.scope import Scope
from improvement.rules.targets import OWN, Winners

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class TargetInForce:
    """The target of one rule for one scope on one day: that of an override, or (None) the rule's own."""

    rule: Rule
    scope: Scope
    on: date
    override: Override | None

    @property
    def target(self) -> Target:
        """The target itself."""
        return self.rule.target if self.override is None else self.override.target

    @property
    def source(self) -> str:
        """Where it comes from."""
        return OWN if self.override is None else self.override.label

    @property
    def level(self) -> str:
        """The lowest level its override names; ``global`` for the rule's own target."""
        return level_of(self.override)

    @property
    def since(self) -> date | None:
        """From which day its override holds."""
        return None if self.override is None else self.override.valid_from

    @property
    def until(self) -> date | None:
        """Until which day its override holds, that day included."""
        return None if self.override is None else self.override.valid_to

    @property
    def steps(self) -> tuple[TargetStep, ...]:
        """All targets of the rule with why each won or lost."""
        return target_steps(self.rule, self.scope, self.on, self.source)

    @property
    def text(self) -> str:
        """The target in words: ``max 5%``."""
        return target_text(self.rule, self.target)

    @property
    def because(self) -> str:
        """Why it is the one in force."""
        return GENERAL if self.override is None else LOWEST

    def names(self, dimension: str) -> bool:
        """Whether its override is made for values of this dimension."""
        return self.override is not None and any(name == dimension for name, _ in self.override.when)

    def facts(self) -> dict[str, Any]:
        """As JSON, without the targets that lost."""
        return {
            "rule": self.rule.id,
            "metric": self.rule.metric,
            "scope": self.scope.as_dict(),
            "on": str(self.on),
            "target": self.text,
            "kind": self.target.kind.value,
            "value": self.target.value,
            "from": self.source,
            "level": self.level,
            "valid_from": str(self.since) if self.since else None,
            "valid_to": str(self.until) if self.until else None,
            "because": self.because,
        }

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        cascade = [
            {"label": step.label, "target": step.target, "has_won": step.has_won, "because": step.because}
            for step in self.steps
        ]
        return {**self.facts(), "cascade": cascade}


def in_force(rule: Rule, scope: Scope, on: date) -> TargetInForce:
    """The target of a rule that is in force for a scope on a day."""
    return TargetInForce(rule, scope, on, Winners(rule, on).of(scope))


def all_in_force(rule: Rule, scopes: Iterable[Scope], on: date) -> list[TargetInForce]:
    """As :func:`in_force`, for many scopes."""
    winners = Winners(rule, on)
    return [TargetInForce(rule, scope, on, winners.of(scope)) for scope in scopes]


def level_of(override: Override | None) -> str:
    """``global``, or the lowest level an override names; other dimensions are named themselves."""
    if override is None:
        return GLOBAL
    names = [name for name, _ in override.when]
    others = [name for name in names if name not in LEVELS]
    return others[0] if others else max(names, key=LEVELS.index)


class Holding(StrEnum):
    """How far a country, customer, supplier or service has a target."""

    OWN = "own"  # an override names it
    GENERAL = "general"  # only the level above says something
    NONE = "none"  # no rule has a scope with it


def holding(targets: Iterable[TargetInForce], dimension: str) -> Holding:
    """The best that targets of scopes with one value of a dimension come to."""
    found = [one.names(dimension) for one in targets]
    return Holding.NONE if not found else Holding.OWN if any(found) else Holding.GENERAL


@dataclass(frozen=True, slots=True)
class Judged:
    """A published value: the last week of its window, and what was said of it (None: it did not count)."""

    scope: Scope
    week: int
    value: float | None
    is_breaching: bool | None


@dataclass(frozen=True, slots=True)
class Restated:
    """A published value that another version of its rule holds against another target.

    ``is_breaching`` is None where that cannot be told: the value did not count, or it is compared with the own past.
    """

    judged: Judged
    before: str
    after: str
    is_breaching: bool | None

    @property
    def turns(self) -> bool:
        """Whether the value would be judged the other way."""
        return self.is_breaching is not None and self.is_breaching != self.judged.is_breaching

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "scope": self.judged.scope.as_dict(),
            "week": weeks.label(self.judged.week),
            "value": self.judged.value,
            "old_target": self.before,
            "new_target": self.after,
            "was_breaching": self.judged.is_breaching,
            "would_be_breaching": self.is_breaching,
        }


def restatements(before: Rule, after: Rule, published: Iterable[Judged]) -> list[Restated]:
    """Published values for which a *dated* target differs between two versions; ``published`` were judged by the first.

    A target without dates is no restatement: it holds from its application on.
    """
    found = []
    by_week: dict[int, tuple[Winners, Winners]] = {}
    for judged in published:
        if judged.week not in by_week:
            day = weeks.sunday(judged.week)
            by_week[judged.week] = Winners(before, day), Winners(after, day)
        old, new = (winners.of(judged.scope) for winners in by_week[judged.week])
        was, now = (one.target if one else rule.target for one, rule in ((old, before), (new, after)))
        if was != now and any(one is not None and (one.valid_from or one.valid_to) for one in (old, new)):
            verdict = _verdict(now, judged)
            found.append(Restated(judged, target_text(before, was), target_text(after, now), verdict))
    return found


def _verdict(target: Target, judged: Judged) -> bool | None:
    if judged.value is None or judged.is_breaching is None or target.kind is TargetKind.WORSE_THAN_OWN:
        return None
    return judged.value > target.value if target.kind is TargetKind.MAX else judged.value < target.value
