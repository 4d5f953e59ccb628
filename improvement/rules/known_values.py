"""Names that no record has, or that look like another one: what a rule means by them is missed without a word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from unicodedata import normalize

from improvement.errors import InputError, RegelkreisError
from improvement.plurals import how_many, plural
from improvement.rules.rule import Rule, compiled_pattern
from improvement.rules.scope import NONE
from improvement.rules.suggestions import did_you_mean

NAMED = ("customer", "country", "service", "supplier", "category", "assignment_group")
MOST_ALIKE = 10  # told of a dimension
MOST_UNKNOWN = 50  # told of a rule: each is compared with every known name to find what was meant


def unknown_values(rules: Iterable[Rule], known: Mapping[str, Collection[str]]) -> list[RegelkreisError]:
    """A warning for every value of an override, a ``where`` or a ``while`` that is none of the known ones.

    ``known`` lists them by dimension; one that nothing is known of is not judged. Derived rules say what the rule they
    come from says.
    """
    return [warning for rule in rules if rule.derived_from is None for warning in _of(rule, known)]


def alike_values(rules: Iterable[Rule], known: Mapping[str, Collection[str]]) -> list[RegelkreisError]:
    """A warning for known values that look alike, of the dimensions that rules group by or name."""
    rules = list(rules)
    used = {name for rule in rules for name in rule.by} | {name for rule in rules for name, *_ in named(rule)}
    found: list[RegelkreisError] = []
    for dimension in (name for name in NAMED if name in used):
        groups = alike(known.get(dimension, ()))
        found += [InputError(alike_text(dimension, group), mend=ALIKE_MEND) for group in groups[:MOST_ALIKE]]
        if len(groups) > MOST_ALIKE:
            title, left = dimension.replace("_", " "), len(groups) - MOST_ALIKE
            found.append(
                InputError(
                    f"{how_many(left, 'more value')} of {title} {plural(left, 'looks', 'look')} like another one."
                )
            )
    return found


ALIKE_MEND = "Give them one name on the platform, or write overrides and filters for each."


def alike(values: Iterable[str]) -> list[tuple[str, ...]]:
    """Values that are equal but for capitals and the coding of their letters (Unicode NFC), group by group."""
    groups: dict[str, list[str]] = defaultdict(list)
    for value in sorted(values):
        groups[normalize("NFC", normalize("NFC", value).casefold())].append(value)
    return [tuple(group) for _, group in sorted(groups.items()) if len(group) > 1]


def alike_text(dimension: str, values: Iterable[str]) -> str:
    """What is wrong with values that look alike; letters made of several signs are shown as such."""
    shown = [f"“{one}” ({signs})" if (signs := signs_of(one)) else f"“{one}”" for one in values]
    title = dimension.replace("_", " ")
    return f"{' and '.join(shown)} look alike, but are {len(shown)} different values of {title} to every rule."


def signs_of(value: str) -> str:
    """The signs of a value with a letter that is made of several; '' of every other."""
    return "" if normalize("NFC", value) == value else ascii(value)[1:-1]


def named(rule: Rule) -> list[tuple[str, str, str]]:
    """What a rule names: dimension or other key, text or pattern, and where it says so."""
    found = [(name, text, override.label) for override in rule.overrides for name, text in override.when]
    found += [(name, str(value), "where") for name, values in rule.key.where for value in values]
    found += [
        (name, str(value), "while")
        for condition in rule.conditions
        for name, values in condition.key.where
        if (name, values) not in rule.key.where
        for value in values
    ]
    return found


def _of(rule: Rule, known: Mapping[str, Collection[str]]) -> Iterator[RegelkreisError]:
    unknown = [
        (name, text, place, values)
        for name, text, place in named(rule)
        if name in NAMED and (values := known.get(name)) and text != NONE and not _is_met(text, values)
    ]
    for name, text, place, values in unknown[:MOST_UNKNOWN]:
        what = f"{rule.id}, {place}: no record has the {name.replace('_', ' ')} “{text}”."
        yield InputError(what, where=rule.place, mend=did_you_mean(text, values))
    if len(unknown) > MOST_UNKNOWN:
        what = f"{rule.id} names {how_many(len(unknown) - MOST_UNKNOWN, 'more value')} that no record has."
        yield InputError(what, where=rule.place)


def _is_met(text: str, values: Collection[str]) -> bool:
    pattern = compiled_pattern(text)
    return text in values if pattern is None else any(pattern.fullmatch(value) for value in values)
