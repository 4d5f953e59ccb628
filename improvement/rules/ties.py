"""Overrides that would both win: found by what they name, so that thousands of them take no time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from improvement.rules.rule import Override, is_pattern
from improvement.rules.targets import rank

Names = tuple[str, ...]
Values = tuple[str, ...]


class _Shape(NamedTuple):
    """What an override says exactly, and what by pattern: dimensions, sorted."""

    exact: Names
    patterns: Names


class _Alike:
    """Overrides of one shape, by their exact values of some of its dimensions."""

    def __init__(self) -> None:
        self._all: list[int] = []
        self._by: dict[Names, dict[Values, list[int]]] = {}

    def add(self, position: int, override: Override) -> None:
        self._all.append(position)
        for names, positions in self._by.items():
            positions[_values(override, names)].append(position)

    def with_values_of(self, override: Override, names: Names, overrides: Sequence[Override]) -> list[int]:
        """Those that have the same values of these dimensions, in order."""
        if names not in self._by:
            made: dict[Values, list[int]] = defaultdict(list)
            for position in self._all:
                made[_values(overrides[position], names)].append(position)
            self._by[names] = made
        return self._by[names].get(_values(override, names), [])


def ties(overrides: Sequence[Override]) -> Iterator[tuple[int, int]]:
    """Each override that some scope on some day would have as its winner beside an earlier one, and the first such."""
    seen: dict[tuple[int, bool], dict[_Shape, _Alike]] = defaultdict(lambda: defaultdict(_Alike))
    for position, override in enumerate(overrides):
        shape = _shape(override)
        shapes = seen[rank(override)]
        found = []
        for other, alike in shapes.items():
            both = tuple(name for name in other.exact if name in shape.exact)
            earlier = alike.with_values_of(override, both, overrides)
            is_exact = not shape.patterns and not other.patterns
            check = days_meet if is_exact else meet
            found += [next((one for one in earlier if check(overrides[one], override)), position)]
        first = min(found, default=position)
        if first < position:
            yield position, first
        shapes[shape].add(position, override)


def meet(one: Override, other: Override) -> bool:
    """Whether both apply to some scope on some day."""
    conditions = dict(one.when)
    texts = ((conditions[name], text) for name, text in other.when if name in conditions)
    return days_meet(one, other) and all(first == second or patterns_meet(first, second) for first, second in texts)


def days_meet(one: Override, other: Override) -> bool:
    """Whether both are in force on some day."""
    first = max(one.valid_from or date.min, other.valid_from or date.min)
    return first <= min(one.valid_to or date.max, other.valid_to or date.max)


def patterns_meet(one: str, other: str) -> bool:
    """Whether some text matches both patterns (``*``: anything, ``?``: one letter)."""
    if "*" not in one:
        one, other = other, one
    if "*" not in one:
        return len(one) == len(other) and _agree(one, other)
    if "*" not in other:
        return _is_met(one, other)
    # what lies between the outer stars of one goes where the other has a star
    is_begun = _agree(one.partition("*")[0], other.partition("*")[0])
    return is_begun and _agree(one.rpartition("*")[2][::-1], other.rpartition("*")[2][::-1])


def _agree(one: str, other: str) -> bool:
    return all(first == second or "?" in (first, second) for first, second in zip(one, other, strict=False))


def _is_met(pattern: str, fixed: str) -> bool:
    """Whether a pattern with stars matches some text that one without does: an automaton, its states as bits."""
    stars, letters, any_letter, end = _automaton(pattern)
    reached = 1
    for letter in fixed:
        reached |= (reached & stars) << 1
        matching = ~stars if letter == "?" else letters.get(letter, 0) | any_letter
        reached = (reached & stars) | ((reached & matching) << 1)
    reached |= (reached & stars) << 1
    return bool(reached & end)


@lru_cache(maxsize=1024)
def _automaton(pattern: str) -> tuple[int, dict[str, int], int, int]:
    stars, letters, any_letter, bit = 0, dict[str, int](), 0, 1
    for before, letter in zip(" " + pattern, pattern, strict=False):
        if letter == "*" and before == "*":
            continue
        if letter == "*":
            stars |= bit
        elif letter == "?":
            any_letter |= bit
        else:
            letters[letter] = letters.get(letter, 0) | bit
        bit <<= 1
    return stars, letters, any_letter, bit


def _shape(override: Override) -> _Shape:
    exact = tuple(name for name, text in override.when if not is_pattern(text))
    return _Shape(exact, tuple(name for name, text in override.when if is_pattern(text)))


def _values(override: Override, names: Names) -> Values:
    return tuple(text for name, text in override.when if name in names)
