"""The verdict: the first row that fits. A table, so that every outcome has exactly one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from improvement.check.model import Status
from improvement.vocabulary import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything the verdict is decided by. ``effect``, ``high``, ``min_effect``, ``goal`` are s·δ: good is positive.

    ``side`` is +1 or −1 where the interval lies beyond zero on the good or the bad side, 0 where it holds zero. It is
    taken before the controls' own spread widens the interval: whether that spread hides the effect is guard 5.
    """

    is_computed: bool = True
    why_not_computed: str = ""
    has_data: bool = True
    why_no_data: str = ""
    side: int = 0
    effect: float = 0.0
    high: float = 0.0
    is_last_look: bool = True
    guards: tuple[tuple[int, Status], ...] = ()
    has_controls: bool = True
    season_agrees: bool = True
    min_effect: float = 0.0
    goal: float = 0.0
    is_recovered: bool = False
    has_faded: bool = False  # a sustaining look found less than half of the final effect, or zero within
    why_never_credited: str = ""  # the final look could not credit the effect: a sustaining look asks less, not more

    def failed(self, *numbers: int) -> list[int]:
        """Which of these guards failed."""
        return [number for number, status in self.guards if number in numbers and status is Status.FAILED]


REASON_OF_GUARD = {
    3: "pre_trend",
    4: "controls_made_it",
    5: "controls_disagree",
    6: "mix",
    7: "no_controls",
    8: "not_alone",
}
ATTRIBUTING = tuple(REASON_OF_GUARD)


def _is_attributably_worse(o: Outcome) -> bool:
    return o.side < 0 and not o.failed(4, 5) and o.has_controls and o.season_agrees


def _has_faded(o: Outcome) -> bool:
    return o.has_faded or (o.side > 0 and o.is_last_look and bool(o.failed(2)))


def _is_not_credited(o: Outcome) -> bool:
    return o.side > 0 and (bool(o.failed(*ATTRIBUTING)) or bool(o.why_never_credited))


def _why_not_credited(o: Outcome) -> str:
    failed = o.failed(*ATTRIBUTING)
    return REASON_OF_GUARD[failed[0]] if failed else o.why_never_credited


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
    Row("3", Verdict.WORSE, _is_attributably_worse, lambda o: "worse"),
    Row("3b", Verdict.NOT_ENOUGH_DATA, lambda o: o.side < 0, lambda o: "worse_not_attributable"),
    Row("4", Verdict.FADED, _has_faded, lambda o: "faded"),
    Row("5", Verdict.NOT_ATTRIBUTABLE, _is_not_credited, _why_not_credited),
    Row("6", Verdict.NO_CHANGE, lambda o: o.side > 0 and o.effect < o.min_effect, lambda o: "below_minimum"),
    Row("7", Verdict.IMPROVED, lambda o: o.side > 0, lambda o: "improved"),
    Row("8", Verdict.RECOVERED, lambda o: o.is_recovered, lambda o: "recovered"),
    Row("9", Verdict.NO_CHANGE, lambda o: o.high < o.goal, lambda o: "goal_excluded"),
    Row("10", Verdict.NOT_ENOUGH_DATA, lambda o: True, lambda o: "inconclusive"),
)


def decide(outcome: Outcome) -> tuple[Row, str]:
    """The row that fits first, and its reason code."""
    row = next(row for row in TABLE if row.applies(outcome))
    return row, row.reason(outcome)
