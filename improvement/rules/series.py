"""What a rule counts: metric, filter and grouping, checked against the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from improvement.rules.problems import Path, Problems
from improvement.rules.rule import Where
from improvement.rules.scope import DIMENSIONS
from improvement.rules.suggestions import did_you_mean

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

VALUES: dict[str, tuple[str, ...]] = {
    "kind": ("incident", "request", "problem", "change"),
    "sla.target": ("response", "resolution"),
    "sla.agreement": ("sla", "ola", "uc"),
    "survey.kind": ("csat", "nps"),
}
PEOPLE = frozenset(
    [
        "person",
        "people",
        "user",
        "caller",
        "caller_id",
        "requester",
        "reporter",
        "assignee",
        "assigned_to",
        "opened_by",
        "owner",
        "agent",
        "employee",
        "resolved_by",
        "closed_by",
        "author",
    ]
)
NO_PEOPLE = "People are never scopes. Group by customer, country, service, supplier, category or assignment_group."


def metric_of(name: str, path: Path, problems: Problems, catalogue: Mapping[str, Metric]) -> Metric | None:
    """The metric of the catalogue, or None after reporting."""
    metric = catalogue.get(name)
    if metric is None:
        problems.add(path, f"There is no metric “{name[:60]}”.", did_you_mean(name, catalogue))
    return metric


def where_of(where: Mapping[str, tuple[str | int, ...]], path: Path, problems: Problems, metric: Metric) -> Where:
    """The filter in its hashable form, keys sorted; values of closed lists are checked."""
    items: list[tuple[str, tuple[str | int, ...]]] = []
    for key, values in where.items():
        at = (*path, key)
        if key in PEOPLE:
            problems.add(at, f"“{key}” is a person.", NO_PEOPLE, of_key=True)
        elif key not in metric.where_keys:
            mend = did_you_mean(key, metric.where_keys)
            problems.add(at, f"{metric.id} cannot be filtered by “{key[:60]}”.", mend, of_key=True)
        elif key == "priority":
            if any(isinstance(value, str) or not 1 <= value <= 5 for value in values):
                problems.add(
                    at, "A priority is a whole number from 1 (critical) to 5 (planning).", "Write it like [1, 2, 3]."
                )
            items.append((key, values))
        else:
            texts = tuple(str(value) for value in values)
            for text in texts:
                if key in VALUES and text not in VALUES[key]:
                    problems.add(at, f"“{text[:60]}” is no {key}.", did_you_mean(text, VALUES[key]))
            items.append((key, texts))
    return tuple(sorted(items))


def by_of(names: tuple[str, ...], problems: Problems, path: Path = ("spec", "by")) -> tuple[str, ...]:
    """The grouping, as written; unknown dimensions and people are reported."""
    for position, name in enumerate(names):
        at = (*path, position)
        if name in PEOPLE:
            problems.add(at, f"“{name}” is a person.", NO_PEOPLE)
        elif name not in DIMENSIONS:
            problems.add(at, f"There is no dimension “{name[:60]}”.", did_you_mean(name, DIMENSIONS))
    return names
