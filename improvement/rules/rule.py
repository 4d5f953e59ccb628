"""A rule as the engine uses it: validated, with its metric's facts, ready for arithmetic.

The documents people write are in ``documents.py``; ``compiling.py`` turns one into the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from improvement.errors import Place
from improvement.metrics import metric_named
from improvement.records import RecordKind
from improvement.rules.scope import Scope
from improvement.schedule import LOOKS

Where = tuple[tuple[str, tuple[str | int, ...]], ...]
LEVELS = ("country", "customer", "service")  # the cascade, from high to low
_PLACEHOLDER = re.compile(r"\{([a-z_.]+)\}")


class Mode(StrEnum):
    """How far a rule may go by itself."""

    OBSERVE = "observe"
    PROPOSE = "propose"
    OPEN = "open"


class TargetKind(StrEnum):
    """What a target compares a value with."""

    MAX = "max"
    MIN = "min"
    WORSE_THAN_OWN = "worse_than_own"


@dataclass(frozen=True, slots=True)
class Target:
    """What a value must keep.

    ``value`` is the limit in the metric's unit; for *worse than own* the tolerated distance: in the metric's unit, or
    a share of the scope's own past where ``is_relative``. ``reference_weeks`` is how much of its past counts.
    """

    kind: TargetKind
    value: float
    is_relative: bool = False
    reference_weeks: int = 0


@dataclass(frozen=True, slots=True)
class Override:
    """A target for some scopes, valid between two dates (both inclusive; None: unbounded)."""

    when: tuple[tuple[str, str], ...]  # dimension → exact text or pattern with * and ?
    target: Target
    valid_from: date | None
    valid_to: date | None
    label: str  # how explain and findings name it
    patterns: tuple[tuple[str, re.Pattern[str] | None], ...] = field(repr=False, compare=False, default=())
    place: Place | None = field(repr=False, compare=False, default=None)

    @property
    def level(self) -> int:
        """The lowest level it names: 1 country, 2 customer, 3 service; other dimensions count as the lowest."""
        return max((LEVELS.index(name) + 1 if name in LEVELS else len(LEVELS) for name, _ in self.when), default=0)

    @property
    def is_exact(self) -> bool:
        """No pattern in any of its conditions."""
        return not any(is_pattern(text) for _, text in self.when)

    def is_valid_on(self, day: date) -> bool:
        """Whether it is in force on this day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)

    def matches(self, scope: Scope) -> bool:
        """Whether the scope meets every condition."""
        values = dict(scope.items)
        for (name, text), (_, pattern) in zip(self.when, self.patterns, strict=True):
            value = values.get(name)
            if value is None or (value != text if pattern is None else pattern.fullmatch(value) is None):
                return False
        return True


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What is counted: a metric, filtered and grouped. Rules with the same key share one query."""

    metric: str
    where: Where = ()
    by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A *while*: the rule fires only while another metric of the same scope holds."""

    key: SeriesKey
    target: Target
    is_snapshot: bool
    is_count: bool
    lag_weeks: int
    min_samples: int = 0  # on fewer nobody can tell


@dataclass(frozen=True, slots=True)
class Clear:
    """When a firing finding is resolved: ``values`` in a row inside ``ratio`` × target (or inside ``target``)."""

    ratio: float = 1.0
    target: Target | None = None
    values: int = 4


@dataclass(frozen=True, slots=True)
class FlowDown:
    """The same demand passed on to every supplier: targets times ``tighten``, or ``target`` instead."""

    by: tuple[str, ...]
    agreement: tuple[str, ...]
    tighten: float
    target: Target | None
    place: Place | None = field(repr=False, compare=False, default=None)


@dataclass(frozen=True, slots=True)
class ActionTemplate:
    """What an action opened by the rule starts with. ``impact`` and ``urgency``: 1 high … 3 low, None derived."""

    title: str
    hypothesis: str = "ask"
    impact: int | None = None
    urgency: int | None = None
    due_days: int = 30
    playbook: tuple[str, ...] = ()
    register: str = "default"


@dataclass(frozen=True, slots=True)
class CheckTemplate:
    """What the measurement plan starts with. Effects as text: ``-50%`` or ``+0.25``."""

    goal: str | None = None
    min_effect: str | None = None
    looks: tuple[int, ...] = LOOKS
    sustain: tuple[int, ...] = LOOKS
    controls_same: tuple[str, ...] = ()
    controls_max: int = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """How much noise a folder of rules may make."""

    budget: int = 7  # open actions per owner
    max_new_actions: int = 5  # per cycle
    group_above: int = 3  # scopes of one rule on one parent
    min_people: int = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """One live rule. Weeks are whole ISO weeks; ``for_values`` and ``clear.values`` count consecutive values."""

    id: str
    title: str
    description: str
    owner: str
    objective: str
    tags: Mapping[str, str]
    mode: Mode
    key: SeriesKey
    direction: str  # lower | higher is better
    is_snapshot: bool
    is_share: bool
    family: str | None  # None: actions are shown against their target, without a statistical verdict
    lag_weeks: int  # weeks until a week's restricted times are known
    window_weeks: int
    every_weeks: int
    target: Target
    overrides: tuple[Override, ...]
    conditions: tuple[Condition, ...]
    for_values: int
    min_samples: int
    clear: Clear
    cooldown_weeks: int
    action: ActionTemplate
    check: CheckTemplate
    limits: Limits
    flow_down: FlowDown | None
    derived_from: str | None  # the customer-facing rule of a flow-down
    document: Mapping[str, Any] = field(repr=False, compare=False)
    sha256: str
    series_sha256: str  # of metric, where, by, window, every: another one starts new series
    place: Place | None = field(default=None, repr=False, compare=False)

    def canonical(self) -> dict[str, Any]:
        """The rule as JSON, defaults filled in: what the version's digest is taken of; can be loaded again."""
        return dict(self.document)

    @property
    def reads(self) -> frozenset[RecordKind]:
        """The kinds of records its value and its conditions are counted from."""
        metrics = (self.key.metric, *(condition.key.metric for condition in self.conditions))
        return frozenset(kind for metric in metrics for kind in metric_named(metric).reads)

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

    @property
    def is_count(self) -> bool:
        """Whether it counts events per week of exposure."""
        return self.family == "count"

    @property
    def reference_weeks(self) -> int:
        """The longest past any of its targets compares with."""
        targets = [self.target, *(override.target for override in self.overrides)]
        return max(target.reference_weeks for target in targets)

    @property
    def weeks_needed(self) -> int:
        """Weeks of cells, up to the evaluated one, that one value needs."""
        lag = max([self.lag_weeks, *(condition.lag_weeks for condition in self.conditions)])
        return self.window_weeks + self.reference_weeks + lag

    def title_for(self, scope: Scope) -> str:
        """The action's title for a scope."""
        values = {"rule": self.title, "metric": self.metric, **scope.as_dict()}
        return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), self.action.title)


def is_pattern(text: str) -> bool:
    """Whether a condition holds a wildcard."""
    return "*" in text or "?" in text


def compiled_pattern(text: str) -> re.Pattern[str] | None:
    """The pattern of a text with wildcards, None for an exact one; case counts.

    What lies between two stars is taken where it is met first and never sought again: no pattern takes long.
    """
    if not is_pattern(text):
        return None
    head, *inner = ("".join("." if letter == "?" else re.escape(letter) for letter in part) for part in text.split("*"))
    if not inner:
        return re.compile(head, re.DOTALL)
    middle = "".join(f"(?>.*?{part})" for part in inner[:-1] if part)
    return re.compile(f"{head}{middle}.*{inner[-1]}", re.DOTALL)
