"""Overrides: what can never apply and what would leave two winners is refused when the rule is loaded."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from improvement.rules.amounts import target_of
from improvement.rules.documents import OverridePart
from improvement.rules.problems import Problems
from improvement.rules.rule import Override, SeriesKey, Target, compiled_pattern, is_pattern
from improvement.rules.scope import DIMENSIONS, PRIORITIES
from improvement.rules.series import NO_PEOPLE, PEOPLE
from improvement.rules.suggestions import did_you_mean
from improvement.rules.targets import rank

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric


def overrides_of(parts: list[OverridePart], key: SeriesKey, problems: Problems, metric: Metric) -> tuple[Override, ...]:
    """The overrides of a rule; unreachable ones and ties are reported."""
    found: list[tuple[int, Override]] = []
    for position, part in enumerate(parts):
        path = ("spec", "overrides", position)
        target = target_of(part.target, (*path, "target"), problems, metric)
        before = len(problems.errors)
        for name, text in part.when.items():
            _check_condition(name, text, position, key, problems)
        if target is None or len(problems.errors) > before:
            continue
        override = made(tuple(sorted(part.when.items())), target, part)
        found.append((position, replace(override, place=problems.place(path))))
    equals: dict[tuple[int, bool], list[tuple[int, Override]]] = {}
    for position, override in found:
        same = equals.setdefault(rank(override), [])
        for earlier_position, earlier in same:
            if is_tie(earlier, override):
                place = problems.place(("spec", "overrides", earlier_position))
                what = (
                    f"This override and the one at line {place.line} both apply to some scopes, "
                    "on the same level and equally exactly."
                )
                problems.add(
                    ("spec", "overrides", position),
                    what,
                    "Make one more exact, or give them dates that do not overlap.",
                )
        same.append((position, override))
    wide = [override for _, override in found if any(_is_all(text) for _, text in override.when)]
    for position, override in found:
        above = next((other for other in wide if rank(other) > rank(override) and covers(other, override)), None)
        if above is not None and above.place is not None:
            line = above.place.line
            what = f"This override never wins: the one at line {line} goes first, and holds for all of its scopes."
            problems.add_futile(("spec", "overrides", position), what, "Remove it, or narrow the other one.")
    return tuple(override for _, override in found)


def made(when: tuple[tuple[str, str], ...], target: Target, part: OverridePart) -> Override:
    """An override with its patterns compiled and its label."""
    label = "override {" + ", ".join(f"{name}: {text}" for name, text in when) + "}"
    if part.valid_from:
        label += f" from {part.valid_from}"
    if part.valid_to:
        label += f" to {part.valid_to}"
    patterns = tuple((name, compiled_pattern(text)) for name, text in when)
    return Override(when, target, part.valid_from, part.valid_to, label, patterns)


def covers(one: Override, other: Override) -> bool:
    """Whether one applies to every scope on every day that the other does."""
    conditions = dict(other.when)
    first, last = other.valid_from, other.valid_to
    is_begun = one.valid_from is None or (first is not None and one.valid_from <= first)
    is_lasting = one.valid_to is None or (last is not None and last <= one.valid_to)
    return is_begun and is_lasting and all(_lets_pass(text, conditions.get(name, "*")) for name, text in one.when)


def _lets_pass(pattern: str, text: str) -> bool:
    """Whether a condition is met by all that another one is met by; certainty, not every case."""
    if not is_pattern(text):
        return _is_met(text, pattern, compiled_pattern(pattern))
    return pattern == text or _is_all(pattern)


def _is_all(pattern: str) -> bool:
    return not pattern.strip("*")


def is_tie(one: Override, other: Override) -> bool:
    """Of two of the same rank: whether some scope on some day would have both as its winner."""
    if not _periods_meet(one, other):
        return False
    conditions = dict(one.when)
    return all(patterns_meet(conditions[name], text) for name, text in other.when if name in conditions)


def patterns_meet(one: str, other: str) -> bool:
    """Whether some text matches both patterns (``*``: anything, ``?``: one letter)."""
    reached = {(0, 0)}
    pending = [(0, 0)]
    while pending:
        left, right = pending.pop()
        for step in _steps(one, other, left, right):
            if step not in reached:
                reached.add(step)
                pending.append(step)
    return (len(one), len(other)) in reached


def _steps(one: str, other: str, left: int, right: int) -> list[tuple[int, int]]:
    first = one[left] if left < len(one) else None
    second = other[right] if right < len(other) else None
    steps = []
    if first == "*":
        steps.append((left + 1, right))
        if second is not None:
            steps.append((left, right + 1))
    if second == "*":
        steps.append((left, right + 1))
        if first is not None:
            steps.append((left + 1, right))
    are_letters = first is not None and second is not None and "*" not in (first, second)
    if are_letters and (first == second or "?" in (first, second)):
        steps.append((left + 1, right + 1))
    return steps


def _periods_meet(one: Override, other: Override) -> bool:
    starts = [day for day in (one.valid_from, other.valid_from) if day is not None]
    ends = [day for day in (one.valid_to, other.valid_to) if day is not None]
    return not starts or not ends or max(starts) <= min(ends)


def _check_condition(name: str, text: str, position: int, key: SeriesKey, problems: Problems) -> None:
    path = ("spec", "overrides", position, "when", name)
    if name in PEOPLE:
        problems.add(path, f"“{name}” is a person.", NO_PEOPLE, of_key=True)
    elif name not in DIMENSIONS:
        problems.add(path, f"There is no dimension “{name[:60]}”.", did_you_mean(name, DIMENSIONS), of_key=True)
    elif name not in key.by:
        what = f"This override can never apply: the rule does not group by {name}."
        problems.add(path, what, f"Add {name} to by, or remove the condition.", of_key=True)
    else:
        allowed = dict(key.where).get(name)
        pattern = compiled_pattern(text) if is_pattern(text) else None
        if name == "priority" and not any(_is_met(level, text, pattern) for level in PRIORITIES):
            what = "This override can never apply: a priority is a whole number from 1 (critical) to 5 (planning)."
            problems.add_futile(path, what, "Write it like priority: 1.")
        elif allowed and not any(_is_met(str(value), text, pattern) for value in allowed):
            problems.add(
                path,
                f"This override can never apply: where keeps only {name} {', '.join(map(str, allowed))}.",
                "Remove it, or widen where.",
            )


def _is_met(value: str, text: str, pattern: re.Pattern[str] | None) -> bool:
    return value == text if pattern is None else pattern.fullmatch(value) is not None
