"""The verdict: the first row that fits. A table, so that every outcome has exactly one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from improvement.check.model import Status, Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything the verdict is decided by. ``low``/``high`` are s·δ's interval: positive is the good side."""

    is_computed: bool = True
    why_not_computed: str = ""
    has_data: bool = True
    why_no_data: str = ""
    effect: float = 0.0
    low: float = 0.0
    high: float = 0.0
    is_last_look: bool = True
    guards: tuple[tuple[int, Status], ...] = ()
    has_controls: bool = True
    season_agrees: bool = True
    min_effect: float = 0.0
    goal: float = 0.0
    is_recovered: bool = False
    has_faded: bool = False  # a sustaining look found less than half of the final effect, or zero within

    def failed(self, *numbers: int) -> list[int]:
        """Which of these guards failed."""
        return [number for number, status in self.guards if number in numbers and status is Status.FAILED]

    @property
    def is_good(self) -> bool:
        """The interval lies beyond zero on the good side."""
        return self.low > 0

    @property
    def is_bad(self) -> bool:
        """The interval lies beyond zero on the bad side."""
        return self.high < 0


REASON_OF_GUARD = {
    2: "not_sustained",
    3: "pre_trend",
    4: "controls_made_it",
    5: "controls_disagree",
    6: "mix",
    7: "no_controls",
    8: "not_alone",
}


def _worse_is_attributable(o: Outcome) -> bool:
    return not o.failed(4, 5) and o.has_controls and o.season_agrees


def _first_failed(o: Outcome) -> str:
    return REASON_OF_GUARD[o.failed(3, 4, 5, 6, 7, 8)[0]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the precedence table."""

    number: str
    verdict: Verdict
    applies: Callable[[Outcome], bool]
    reason: Callable[[Outcome], str]


TABLE: tuple[Row, ...] = (
    Row("1", Verdict.NOT_COMPUTED, lambda o: not o.is_computed, lambda o: o.why_not_computed or "fit_failed"),
    Row("2", Verdict.NOT_ENOUGH_DATA, lambda o: not o.has_data, lambda o: o.why_no_data or "least_data"),
    Row("3", Verdict.WORSE, lambda o: o.is_bad and _worse_is_attributable(o), lambda o: "worse"),
    Row("3b", Verdict.NOT_ENOUGH_DATA, lambda o: o.is_bad, lambda o: "worse_not_attributable"),
    Row(
        "4",
        Verdict.FADED,
        lambda o: o.has_faded or (o.is_good and o.is_last_look and bool(o.failed(2))),
        lambda o: "faded",
    ),
    Row("5", Verdict.NOT_ATTRIBUTABLE, lambda o: o.is_good and bool(o.failed(3, 4, 5, 6, 7, 8)), _first_failed),
    Row("6", Verdict.NO_CHANGE, lambda o: o.is_good and o.effect < o.min_effect, lambda o: "below_minimum"),
    Row("7", Verdict.IMPROVED, lambda o: o.is_good, lambda o: "improved"),
    Row("8", Verdict.RECOVERED, lambda o: o.is_recovered, lambda o: "recovered"),
    Row("9", Verdict.NO_CHANGE, lambda o: o.high < o.goal, lambda o: "goal_excluded"),
    Row("10", Verdict.NOT_ENOUGH_DATA, lambda o: True, lambda o: "inconclusive"),
)


def decide(outcome: Outcome) -> tuple[Row, str]:
    """The row that fits first, and its reason code."""
    row = next(row for row in TABLE if row.applies(outcome))
    return row, row.reason(outcome)
