"""Which target is in force for a scope on a day: the cascade global → country → customer → service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from improvement.errors import InputError
from improvement.rules.documents import Override, Rule, Target

LEVELS = ("country", "customer", "service")  # lowest level wins; other dimensions refine within their level
WILDCARDS = "*?["


@dataclass(frozen=True, slots=True)
class TargetInForce:
    """The target that won, and where it stands."""

    target: Target
    source: str  # "global" or the override's condition


def in_force(rule: Rule, scope: Mapping[str, str], on: date) -> TargetInForce:
    """The target of a scope on a local day. A tie between overrides is an :class:`InputError`."""
    matching = [override for override in rule.spec.overrides if _is_valid(override, on) and _matches(override, scope)]
    if not matching:
        return TargetInForce(rule.spec.target, "global")
    best = max(_rank(override) for override in matching)
    winners = [override for override in matching if _rank(override) == best]
    if len(winners) > 1:
        texts = " and ".join(_text(override) for override in winners)
        raise InputError(f"{rule.id}: two overrides are equally specific for the same scope: {texts}.", mend="Make one more specific.")
    return TargetInForce(winners[0].target, _text(winners[0]))


def overlapping(rule: Rule) -> list[str]:
    """Pairs of overrides with the same condition and overlapping dates."""
    messages = []
    overrides = rule.spec.overrides
    for index, first in enumerate(overrides):
        for second in overrides[index + 1 :]:
            if first.when == second.when and _overlap(first, second):
                messages.append(f"spec.overrides: two overrides for {_text(first)} are in force at the same time.")
    return messages


def _overlap(first: Override, second: Override) -> bool:
    starts = [item.valid_from or date.min for item in (first, second)]
    ends = [item.valid_to or date.max for item in (first, second)]
    return max(starts) <= min(ends)


def _is_valid(override: Override, on: date) -> bool:
    return (override.valid_from or date.min) <= on <= (override.valid_to or date.max)


def _matches(override: Override, scope: Mapping[str, str]) -> bool:
    return all(key in scope and fnmatchcase(scope[key], pattern) for key, pattern in override.when.items())


def _rank(override: Override) -> tuple[int, int, int]:
    level = max((LEVELS.index(key) + 1 for key in override.when if key in LEVELS), default=0)
    exact = sum(1 for pattern in override.when.values() if not any(mark in pattern for mark in WILDCARDS))
    return level, len(override.when), exact


def _text(override: Override) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(override.when.items()))
