"""What a rule counts: metric, filter and grouping, checked against the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from improvement.rules.problems import Path, Problems
from improvement.rules.reach import counts_nothing
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
WILDCARD = re.compile(r"\*|\?(?!\s|$)")  # a question mark may end a name: *How do I?*
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
    before = len(problems.errors)
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
                elif WILDCARD.search(text):
                    what = f"“{text[:60]}” matches only a {key} of exactly this name: where knows no patterns."
                    problems.add_futile(at, what, "List the values, like [Acme, Acme Labs]; overrides know patterns.")
            items.append((key, texts))
    found = tuple(sorted(items))
    nothing = counts_nothing(metric, found)
    if nothing is not None and len(problems.errors) == before:
        key, what, mend = nothing
        problems.add_futile((*path, key), what, mend)
    return found


def by_of(
    names: tuple[str, ...], problems: Problems, metric: Metric | None, path: Path = ("spec", "by")
) -> tuple[str, ...]:
    """The grouping, as written; people, unknown dimensions and those the metric's records lack are reported."""
    known = [name for name in DIMENSIONS if metric is None or name in metric.where_keys]
    for position, name in enumerate(names):
        at = (*path, position)
        if name in PEOPLE:
            problems.add(at, f"“{name}” is a person.", NO_PEOPLE)
        elif name not in DIMENSIONS:
            problems.add(at, f"There is no dimension “{name[:60]}”.", did_you_mean(name, DIMENSIONS))
        elif metric is not None and name not in known:
            what = f"{metric.id} cannot be grouped by {name}: part of what it counts has none."
            problems.add_futile(at, what, f"Group by {', '.join(known)}.")
    return names
