"""The effect δ of *after* against the reference, with its inflated standard error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from improvement.check.fit import Fit, FitFailed, fit, inflation, spread, with_half_event
from improvement.check.model import Family, Floats, Series

ONE_SIDED = 0.05
RUNAWAY_SE = 20.0  # on a log scale: a window the model could only fit by leaving for infinity
YEAR_WEEKS = 365.25 / 7


@dataclass(frozen=True, slots=True)
class Estimate:
    """δ on the link scale, its standard error (inflated) and the residual degrees of freedom."""

    delta: float
    se: float
    df: int
    rho: float
    phi: float
    reference_weeks: int
    after_weeks: int
    has_half_event: bool

    @property
    def p_value(self) -> float:
        """Two-sided, by t."""
        from scipy.stats import t as student

        return float(2 * student.sf(abs(self.t), self.df))

    @property
    def t(self) -> float:
        """δ over its standard error."""
        return self.delta / self.se

    def agrees_with(self, sign: int, alpha: float = ONE_SIDED) -> bool:
        """Same sign, one-sided at ``alpha``."""
        from scipy.stats import t as student

        return sign * self.t > float(student.ppf(1 - alpha, self.df))


@dataclass(frozen=True, slots=True)
class Data:
    """The scope's weekly cells of R and A, and the offset made of its controls."""

    family: Family
    cells: Series  # R then A, sorted by week
    is_after: np.ndarray
    offset: Floats

    def only(self, keep: np.ndarray) -> Data:
        """Some of the weeks."""
        cells = Series(self.cells.week[keep], self.cells.numerator[keep], self.cells.denominator[keep])
        return Data(self.family, cells, self.is_after[keep], self.offset[keep])

    def with_offset(self, offset: Floats) -> Data:
        """The same weeks with another offset."""
        return Data(self.family, self.cells, self.is_after, offset)


Extra = Callable[[np.ndarray], Floats]


def trend(week: np.ndarray) -> Floats:
    """A straight line over the weeks, in years."""
    return np.asarray((week - week.mean()) / 52.0)[:, None]


def season(week: np.ndarray) -> Floats:
    """A yearly wave."""
    angle = 2 * np.pi * week / YEAR_WEEKS
    return np.column_stack([np.sin(angle), np.cos(angle)])


def estimate(data: Data, extra: Extra | None = None) -> Estimate:
    """Fit [1, A (, extra)] and return the coefficient of A. :class:`FitFailed` where it cannot be estimated."""
    cells, has_half = with_half_event(data.family, data.cells, [data.is_after, ~data.is_after])
    columns = [np.ones(len(cells.week)), data.is_after.astype(float)]
    if extra is not None:
        columns += list(extra(cells.week).T)
    before, after = int((~data.is_after).sum()), int(data.is_after.sum())
    if before == 0 or after == 0:
        raise FitFailed("a window is empty", "ein Fenster ist leer")
    found = fit(data.family, cells, np.column_stack(columns), data.offset)
    rho = found.rho
    se = found.se(1) * inflation(rho, before, after)
    if not np.isfinite(se) or se <= 0 or (data.family != "score" and se > RUNAWAY_SE):
        raise FitFailed("there is no finite error", "es gibt keinen endlichen Fehler")
    return Estimate(float(found.params[1]), se, found.df, rho, found.phi, before, after, has_half)


def slope(data: Data) -> tuple[float, float]:
    """Slope a year over the weeks given, on the link scale, and its t value (inflated)."""
    cells, _ = with_half_event(data.family, data.cells, [np.ones(len(data.cells.week), dtype=bool)])
    design = np.column_stack([np.ones(len(cells.week)), trend(cells.week)])
    found = fit(data.family, cells, design, data.offset)
    se = found.se(1) * float(np.sqrt(spread(found.rho, len(cells.week))))
    return float(found.params[1]), float(found.params[1]) / se


def indicators(data: Data, masks: list[np.ndarray]) -> Fit:
    """Fit [1, masks…]: for the confirmation window beside *after*."""
    rest = ~np.logical_or.reduce(masks)
    cells, _ = with_half_event(data.family, data.cells, [rest, *masks])
    design = np.column_stack([np.ones(len(cells.week)), *(mask.astype(float) for mask in masks)])
    return fit(data.family, cells, design, data.offset)
