"""What the charts show, as plain values. Shares are already percentages; days are local to the scope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from improvement.charts.survival import Curve


@dataclass(frozen=True, slots=True)
class WeekPoint:
    """One ISO week of the series: its Monday, the value in display units, how many records it rests on."""

    monday: date
    value: float
    n: int


@dataclass(frozen=True, slots=True)
class Band:
    """A window of the measurement plan, from its first Monday to the Monday after its last week."""

    name: str  # reference | trigger | confirmation | after
    start: date
    end: date


@dataclass(frozen=True, slots=True)
class Marker:
    """A P, D, C or A marker: what happened on which day."""

    letter: str
    day: date


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """Everything the before/after chart shows. Values are in ``unit`` (percentages already multiplied by 100)."""

    title: str
    unit: str
    points: Sequence[WeekPoint]
    bands: Sequence[Band]
    markers: Sequence[Marker]
    target: float | None
    expected: Sequence[tuple[date, float]]  # the counterfactual: what the reference and the controls expect in A
    is_improved: bool | None  # None: neither better nor worse, or no verdict yet
    as_of: date  # the last day of the data shown


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why an action was opened: the weeks up to the finding, with the limits its reference sets."""

    title: str
    unit: str
    points: Sequence[WeekPoint]
    bands: Sequence[Band]  # reference and trigger
    target: float | None
    is_lower_better: bool
    has_floor: bool  # the value cannot be negative
    is_proportion: bool  # events of n: its limits follow each week's n
    fired: str  # the rule's value and target in words, '' where a person opened the action
    as_of: date


@dataclass(frozen=True, slots=True)
class StillOpen:
    """How long tickets stayed open, before and after: of those opened in the reference and in *after*."""

    title: str
    tau_hours: int  # longer is not looked at: a ticket open then counts as open for that long
    before: Curve
    after: Curve
    reference: Band
    after_band: Band
    is_improved: bool | None  # None: neither better nor worse, or no verdict yet
    as_of: date


@dataclass(frozen=True, slots=True)
class Period:
    """The answers of a window: how many gave each score, lowest first; how many were asked, and of those answered."""

    band: Band
    counts: tuple[int, ...]
    asked: int
    answered: int  # of those asked in the window, whenever the answer came

    @property
    def n(self) -> int:
        """How many answers there are."""
        return sum(self.counts)

    @property
    def response_rate(self) -> float | None:
        """The share that answered; None where no platform says who was asked."""
        return self.answered / self.asked if self.asked else None


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to a survey, window by window. ``scores`` are the possible ones, lowest first."""

    title: str
    scores: tuple[int, ...]
    periods: Sequence[Period]
    as_of: date


@dataclass(frozen=True, slots=True)
class Unit:
    """One of several that are compared: its name, value in display units, and how many records it rests on."""

    name: str
    value: float
    n: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """A share of several suppliers, countries or other scopes over the same weeks; no order is meant."""

    title: str
    unit: str
    units: Sequence[Unit]
    is_lower_better: bool
    first: date
    as_of: date  # the last day of the weeks


@dataclass(frozen=True, slots=True)
class Table:
    """A chart's data as a table, for people who do not see it."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def as_dict(self) -> dict[str, list[object]]:
        """The table as JSON values."""
        return {"columns": list(self.columns), "rows": [list(row) for row in self.rows]}
