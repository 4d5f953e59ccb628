"""How one mapped source is read: which raw fields to ask for, and how each canonical field is made of them.

Every name is verified against the instance's own dictionary first: an instance silently ignores a condition on a
field it does not know and then answers with the whole table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from connectors.mapping import SourceMap, digest_of, unknown_field
from connectors.servicenow import filters
from connectors.servicenow.lookups import Lookups
from connectors.servicenow.rows import Shape
from connectors.servicenow.tables import Instance
from improvement.errors import MappingError


@dataclass(frozen=True, slots=True)
class Candidate:
    """One raw field (its index in the shape) and the reference tables to walk through from there."""

    index: int
    hops: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A source ready to be read. ``digest`` tells a changed mapping, whose table must be read anew."""

    source: SourceMap
    shape: Shape
    candidates: dict[str, tuple[Candidate, ...]]
    digest: str

    @property
    def key(self) -> str:
        """The source's name in a cursor."""
        return f"{self.source.source}?{self.source.filter}" if self.source.filter else self.source.source


@dataclass(slots=True)
class FieldCheck:
    """One mapped path of one canonical field, or a condition of the filter: its columns, or the error."""

    name: str
    path: str
    is_optional: bool
    steps: list[tuple[str, str]] = field(default_factory=list)
    error: MappingError | None = None


def plans_of(instance: Instance, lookups: Lookups, sources: Iterable[SourceMap]) -> list[Plan]:
    """Plans of some sources. Raises :class:`MappingError` for the first required name that does not resolve."""
    found = list(sources)
    learn(instance, found)
    return [_plan(instance, lookups, source) for source in found]


def learn(instance: Instance, sources: Iterable[SourceMap]) -> None:
    """Read the dictionary of all tables these sources touch, level by level: a few requests, not two per table."""
    named = [(source.source, path) for source in sources for path in source.paths()]
    named += [walk for source in sources for walk in filters.walks(source.filter, source.source)]
    walks = [(table, path.split(".")) for table, path in named]
    while walks:
        instance.learn(table for table, _ in walks)
        deeper = []
        for table, elements in walks:
            column = instance.known(table).get(elements[0])
            if column is not None and column.reference and len(elements) > 1:
                deeper.append((column.reference, elements[1:]))
        walks = deeper


def checks(instance: Instance, source: SourceMap) -> Iterator[FieldCheck]:
    """Every mapped path and every condition of the filter, with the steps it resolves to or the error."""
    paths = [(name, path, item.is_optional) for name, item in source.fields.items() for path in item.fields]
    for name, path, is_optional in paths:
        check = FieldCheck(name, path, is_optional)
        try:
            check.steps = instance.steps(source.source, path, used_for=name)
        except MappingError as error:
            check.error = error
        yield check
    for condition in filters.conditions(source.filter):
        check = FieldCheck("filter", condition.text, is_optional=False)
        try:
            check.steps = filters.steps(instance, source.source, condition)
        except MappingError as error:
            check.error = error
        yield check


def _plan(instance: Instance, lookups: Lookups, source: SourceMap) -> Plan:
    raw = ["sys_id", "sys_updated_on"]
    candidates: dict[str, list[Candidate]] = {name: [] for name in source.fields}
    for check in checks(instance, source):
        if check.error is not None:
            if check.is_optional:
                continue
            raise check.error
        if check.name == "filter":
            continue
        path, hops = _split(lookups, check.steps)
        if path not in raw:
            raw.append(path)
        for table, element in hops:
            lookups.need(table, element)
        candidates[check.name].append(Candidate(raw.index(path), tuple(hops)))
    _refuse_unresolved(instance, source, candidates)
    return Plan(
        source,
        Shape.of(raw),
        {name: tuple(found) for name, found in candidates.items()},
        digest_of([source], default_country=instance.config.default_country),
    )


def _split(lookups: Lookups, steps: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    """The part of a path the platform walks for us, and the hops through tables small enough to load whole."""
    last = len(steps) - 1
    while last > 0 and lookups.is_small(steps[last][0]):
        last -= 1
    return ".".join(element for _, element in steps[: last + 1]), steps[last + 1 :]


def _refuse_unresolved(instance: Instance, source: SourceMap, candidates: dict[str, list[Candidate]]) -> None:
    """A required field whose every candidate is missing has nothing to be read from."""
    for name, item in source.fields.items():
        if item.fields and not candidates[name] and not item.is_optional:
            raise unknown_field(
                item.fields[0], (), connection=instance.config.name, source=source.source, used_for=name
            )
