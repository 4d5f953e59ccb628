"""Names in rules that no record has: a misspelt customer matches nothing, and nobody would notice."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from improvement.errors import InputError, RegelkreisError
from improvement.rules.rule import Rule, compiled_pattern
from improvement.rules.scope import NONE
from improvement.rules.suggestions import did_you_mean

NAMED = ("customer", "country", "service", "supplier", "category", "assignment_group")


def unknown_values(rules: Iterable[Rule], known: Mapping[str, Collection[str]]) -> list[RegelkreisError]:
    """A warning for every value of an override, a ``where`` or a ``while`` that is none of the known ones.

    ``known`` lists them by dimension; one that nothing is known of is not judged. Derived rules say what the rule they
    come from says.
    """
    return [warning for rule in rules if rule.derived_from is None for warning in _of(rule, known)]


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
    for name, text, place in named(rule):
        values = known.get(name) if name in NAMED else None
        if values and text != NONE and not _is_met(text, values):
            what = f"{rule.id}, {place}: no record has the {name.replace('_', ' ')} “{text}”."
            yield InputError(what, where=rule.place, mend=did_you_mean(text, values))


def _is_met(text: str, values: Collection[str]) -> bool:
    pattern = compiled_pattern(text)
    return text in values if pattern is None else any(pattern.fullmatch(value) for value in values)
