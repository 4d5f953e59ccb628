"""The untreated line: what past firings came to that nobody acted on. Pure.

A scope fires because it looked bad, so it looks better afterwards also when nobody does anything. The figure that a
dashboard would claim for an action (the weeks that fired against thirteen weeks afterwards) is computed for firings
without one; it belongs beside every claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from improvement.plain_change import UNITS, level, natural
from improvement.plurals import how_many
from improvement.rules.cells import Cells
from improvement.rules.replaying import CellsOf, Episode
from improvement.rules.rule import Rule

AFTER_WEEKS = 13  # as long as an action is looked at after its go-live
BAND_FROM = 3  # firings
Acted = Callable[[Episode, int], bool]  # whether people acted on its scope before this week


@dataclass(frozen=True, slots=True)
class Untreated:
    """The mean effect of doing nothing, on ``firings`` of one rule.

    ``effect`` is a ratio (scores: a difference in points), averaged on the scale of the metric's model; None where
    there is no such firing, or the metric gets no verdict. *After* begins ``delay_weeks`` after the firing, as actions
    do. Eight in ten of them, or more, lie between ``low`` and ``high``; None under three firings.
    """

    firings: int
    effect: float | None
    unit: str
    delay_weeks: int
    weeks: int = AFTER_WEEKS
    low: float | None = None
    high: float | None = None

    @property
    def sentence(self) -> str:
        """The line in words."""
        if self.effect is None:
            return "no past firing that nobody acted on"
        size = f"{self.effect:+.2f} {self.unit}" if self.unit == "points" else f"{self.unit} {self.effect:.2f}"
        firings = "1 firing" if self.firings == 1 else f"{self.firings} firings"
        return f"{firings} that nobody acted on: {size} after {how_many(self.delay_weeks, 'week')}, over {self.weeks}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def untreated(
    rule: Rule, episodes: Iterable[Episode], cells: CellsOf, *, last_week: int, acted: Acted
) -> tuple[Untreated, dict[str, Untreated]]:
    """The line of a rule, and that of each connection.

    Counted are firings whose thirteen weeks afterwards are over, and on whose scope nobody acted by then.
    """
    delay = -(-rule.action.due_days // 7)
    unit = UNITS.get(rule.family or "", "")
    effects: dict[str, list[float]] = {name: [] for name in cells}
    for one in episodes if unit else ():
        first = one.fired_week + delay + 1
        last = first + AFTER_WEEKS - 1
        if last <= last_week and not acted(one, last):
            effect = _effect(rule, one, cells[one.series.connection][rule.key], first, last)
            effects[one.series.connection] += [] if effect is None else [effect]
    everywhere = [effect for own in effects.values() for effect in own]
    return (
        _line(rule, everywhere, unit=unit, delay=delay),
        {name: _line(rule, own, unit=unit, delay=delay) for name, own in effects.items()},
    )


def _line(rule: Rule, effects: list[float], *, unit: str, delay: int) -> Untreated:
    if not effects:
        return Untreated(0, None, unit, delay)
    family = rule.family or ""
    low, high = (natural(family, end) for end in _band(effects)) if len(effects) >= BAND_FROM else (None, None)
    return Untreated(len(effects), natural(family, sum(effects) / len(effects)), unit, delay, low=low, high=high)


def _band(effects: list[float]) -> tuple[float, float]:
    """The first and the last decile, between which one more firing would lie eight times in ten.

    At the places p·(n + 1) of the sorted effects (type 6 of Hyndman and Fan, 1996): under nine firings these lie a part
    of a step outside the outermost, because so few do not show how far another one may lie.
    """
    deciles = quantiles(effects, n=10, method="exclusive")
    return deciles[0], deciles[-1]


def _effect(rule: Rule, episode: Episode, cells: Cells, first: int, last: int) -> float | None:
    """*After* against the weeks that fired, on the link scale; None where one of them holds nothing."""
    began = episode.pending_week if episode.pending_week is not None else episode.fired_week
    row = cells.row_of(episode.series.scope)
    before = _level(rule, cells, row, began - rule.window_weeks + 1, episode.fired_week)
    after = _level(rule, cells, row, first, last)
    return None if before is None or after is None else after - before


def _level(rule: Rule, cells: Cells, row: int | None, first: int, last: int) -> float | None:
    if row is None:
        return None
    found = cells.window(first, last, is_count=rule.is_count)
    return level(rule.family or "", float(found.numerator[row]), float(found.denominator[row]))
