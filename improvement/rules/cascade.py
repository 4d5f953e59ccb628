"""Overrides: what can never apply and what would leave two winners is refused when the rule is loaded."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, combinations
from typing import TYPE_CHECKING

from improvement.rules.amounts import target_of
from improvement.rules.documents import OverridePart
from improvement.rules.problems import Problems
from improvement.rules.rule import Override, SeriesKey, Target, compiled_pattern, is_pattern
from improvement.rules.scope import DIMENSIONS, PRIORITIES
from improvement.rules.series import NO_PEOPLE, PEOPLE
from improvement.rules.suggestions import did_you_mean
from improvement.rules.targets import rank
from improvement.rules.ties import ties

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

MOST_PATTERNS = 300  # of a rule; each is compared with each, and asked for every scope


def overrides_of(parts: list[OverridePart], key: SeriesKey, problems: Problems, metric: Metric) -> tuple[Override, ...]:
    """The overrides of a rule; unreachable ones and ties are reported."""
    found: list[tuple[int, Override]] = []
    if sum(any(map(is_pattern, part.when.values())) for part in parts) > MOST_PATTERNS and not problems.is_stored:
        what = f"More than {MOST_PATTERNS} overrides have wildcards."
        problems.add(("spec", "overrides"), what, "Name the values, or make patterns wider.", of_key=True)
        return ()
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
    for later, earlier in ties([override for _, override in found]):
        place = problems.place(("spec", "overrides", found[earlier][0]))
        what = (
            f"This override and the one at line {place.line} both apply to some scopes, "
            "on the same level and equally exactly."
        )
        mend = "Make one more exact, or give them dates that do not overlap."
        problems.add(("spec", "overrides", found[later][0]), what, mend)
    wide = Covering([override for _, override in found if any(_is_all(text) for _, text in override.when)])
    for position, override in found:
        above = next((other for other in wide.of(override) if rank(other) > rank(override)), None)
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


class Covering:
    """Finds, among many overrides, those that apply to every scope on every day that another one does."""

    def __init__(self, overrides: Iterable[Override]) -> None:
        self._exact: dict[tuple[tuple[str, str], ...], list[Override]] = defaultdict(list)
        self._patterns: list[Override] = []
        for override in overrides:
            if override.is_exact:
                self._exact[override.when].append(override)
            else:
                self._patterns.append(override)

    def of(self, override: Override) -> Iterator[Override]:
        """Those that cover it, itself among them; certainty, not every case."""
        conditions = dict(override.when)
        exact = [(name, text) for name, text in override.when if not is_pattern(text)]
        parts = chain.from_iterable(combinations(exact, size) for size in range(len(exact) + 1))
        for other in chain.from_iterable(self._exact.get(part, ()) for part in parts):
            if _holds_as_long(other, override):
                yield other
        for other in self._patterns:
            if _holds_as_long(other, override) and all(
                _lets_pass(text, conditions.get(name, "*")) for name, text in other.when
            ):
                yield other


def _holds_as_long(one: Override, other: Override) -> bool:
    first, last = other.valid_from, other.valid_to
    is_begun = one.valid_from is None or (first is not None and one.valid_from <= first)
    return is_begun and (one.valid_to is None or (last is not None and last <= one.valid_to))


def _lets_pass(pattern: str, text: str) -> bool:
    """Whether a condition is met by all that another one is met by; certainty, not every case."""
    if not is_pattern(text):
        return _is_met(text, pattern, compiled_pattern(pattern))
    return pattern == text or _is_all(pattern)


def _is_all(pattern: str) -> bool:
    return not pattern.strip("*")


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
