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
from improvement.rules.explaining import TargetStep, target_steps, target_text
from improvement.rules.rule import LEVELS, Override, Rule, Target, TargetKind
from improvement.rules.scope import Scope
from improvement.rules.targets import rank

GLOBAL = "global"


@dataclass(frozen=True, slots=True)
class TargetInForce:
    """The target of one rule for one scope on one day.

    ``level`` is the lowest level its override names (``global`` for the rule's own target), ``since`` and ``until`` the
    override's dates. ``steps`` are all targets of the rule with why each won or lost.
    """

    rule: Rule
    scope: Scope
    on: date
    target: Target
    source: str
    level: str
    since: date | None
    until: date | None
    steps: tuple[TargetStep, ...]

    @property
    def text(self) -> str:
        """The target in words: ``max 5%``."""
        return target_text(self.rule, self.target)

    @property
    def because(self) -> str:
        """Why it is the one in force."""
        return next(step.because for step in self.steps if step.has_won)

    def names(self, dimension: str) -> bool:
        """Whether its override is made for values of this dimension."""
        override = winning(self.rule, self.scope, self.on)
        return override is not None and any(name == dimension for name, _ in override.when)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
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
            "cascade": [
                {"label": step.label, "target": step.target, "has_won": step.has_won, "because": step.because}
                for step in self.steps
            ],
        }


def in_force(rule: Rule, scope: Scope, on: date) -> TargetInForce:
    """The target of a rule that is in force for a scope on a day."""
    override = winning(rule, scope, on)
    target, source = (rule.target, "target") if override is None else (override.target, override.label)
    since, until = (None, None) if override is None else (override.valid_from, override.valid_to)
    return TargetInForce(
        rule, scope, on, target, source, level_of(override), since, until, target_steps(rule, scope, on)
    )


def winning(rule: Rule, scope: Scope, on: date) -> Override | None:
    """The override that wins on a day; None where the rule's own target holds."""
    held = [one for one in rule.overrides if one.is_valid_on(on) and one.matches(scope)]
    return max(held, key=rank, default=None)


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
    for judged in published:
        day = weeks.sunday(judged.week)
        old, new = winning(before, judged.scope, day), winning(after, judged.scope, day)
        was, now = (one.target if one else rule.target for one, rule in ((old, before), (new, after)))
        if was != now and any(one is not None and (one.valid_from or one.valid_to) for one in (old, new)):
            verdict = _verdict(now, judged)
            found.append(Restated(judged, target_text(before, was), target_text(after, now), verdict))
    return found


def _verdict(target: Target, judged: Judged) -> bool | None:
    if judged.value is None or judged.is_breaching is None or target.kind is TargetKind.WORSE_THAN_OWN:
        return None
    return judged.value > target.value if target.kind is TargetKind.MAX else judged.value < target.value
