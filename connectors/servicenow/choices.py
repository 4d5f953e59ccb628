"""Choices that the mapping does not name, or whose label now says something else than the mapping.

An instance ships stored values and lets its administrators add and rename them. A pull goes by the stored value, so a
new one becomes *otherwise* without a word, and a value whose meaning was changed keeps its old one. `doctor` asks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.base import Finding
from connectors.discovery.words import state_of
from connectors.mapping import FieldMap, SourceMap
from connectors.servicenow.plan import checks
from connectors.servicenow.tables import Instance

ENDED = {"resolved": "ended", "closed": "ended", "cancelled": "ended"}  # which of them is a matter of taste
YES_OR_NO = ("true", "false")


def questions(instance: Instance, source: SourceMap) -> list[Finding]:
    """A finding for each mapped column of a source whose choices need a word."""
    return [
        Finding(
            check=f"choices {table}.{element}",
            is_ok=False,
            detail="; ".join(told),
            mend=f"Say what they mean: values of {name} in the mapping of {source.source}.",
        )
        for name, table, element in _translated(instance, source)
        if (told := list(_told(source.fields[name], name, _choices(instance, table, element))))
    ]


def _translated(instance: Instance, source: SourceMap) -> Iterator[tuple[str, str, str]]:
    """Canonical field, table and column of every path whose values are translated."""
    for check in checks(instance, source):
        field = source.fields.get(check.name)
        if check.error is None and check.steps and field is not None and field.values:
            yield check.name, *check.steps[-1]


def _choices(instance: Instance, table: str, element: str) -> Mapping[str, str]:
    return instance.choices(table, f"^element={element}").get(element, {})


def _told(field: FieldMap, name: str, choices: Mapping[str, str]) -> Iterator[str]:
    is_a_question = field.has_otherwise and str(field.otherwise).casefold() in YES_OR_NO
    for value, label in choices.items():
        known = field.values.get(value.strip().casefold())
        meant = state_of(label) if name == "state" else None
        if known is not None:
            if meant is not None and ENDED.get(meant, meant) != ENDED.get(str(known), str(known)):
                yield f"{label} ({value}) is mapped to {known}"
        elif not is_a_question:
            taken = f"taken for {field.otherwise}" if field.has_otherwise else "kept as it stands"
            yield f"{label} ({value}) is not in the mapping, {taken}"
