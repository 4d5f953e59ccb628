"""Which cells the live rules need: one query per metric, filter and grouping, however many rules there are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from improvement.rules.rule import Rule, SeriesKey


@dataclass(frozen=True, slots=True)
class Query:
    """One set of cells, and who needs it.

    ``rules`` judge it with their targets; ``companions`` are rules that only look at it in a *while*. ``weeks_needed``
    counts back from the evaluated week, both ends included.
    """

    key: SeriesKey
    weeks_needed: int
    rules: tuple[Rule, ...]
    companions: tuple[Rule, ...] = ()

    @property
    def metric(self) -> str:
        """The metric's id."""
        return self.key.metric

    @property
    def where(self) -> dict[str, tuple[str | int, ...]]:
        """Filter key → allowed values."""
        return dict(self.key.where)

    @property
    def by(self) -> tuple[str, ...]:
        """The dimensions that make a scope."""
        return self.key.by


def plan_queries(rules: Iterable[Rule]) -> list[Query]:
    """The queries for these rules; those that only serve a *while* come first, then by first use."""
    judged: dict[SeriesKey, list[Rule]] = {}
    watched: dict[SeriesKey, list[Rule]] = {}
    needed: dict[SeriesKey, int] = {}
    for rule in rules:
        judged.setdefault(rule.key, []).append(rule)
        for key in (rule.key, *(condition.key for condition in rule.conditions)):
            needed[key] = max(needed.get(key, 0), rule.weeks_needed)
        for condition in rule.conditions:
            watched.setdefault(condition.key, []).append(rule)
    order = [*(key for key in watched if key not in judged), *judged]
    return [Query(key, needed[key], tuple(judged.get(key, ())), tuple(watched.get(key, ()))) for key in order]
