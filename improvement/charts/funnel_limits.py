"""Within which limits a share of some suppliers or countries lies by chance, given how few records each rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

INNER, OUTER = 1.959964, 3.090232  # normal quantiles of 95 % and 99.8 %
WINSORISED = 0.1  # at both ends: the few that stand out shall not hide themselves by widening the limits
LEAST_FOR_LIMITS = 3
FIRM_FROM = 10  # with fewer units their spread is hardly known


@dataclass(frozen=True, slots=True)
class FunnelLimits:
    """The centre of a funnel and its spread. Shares lie between 0 and 1.

    ``tau`` is the standard deviation between the units beyond what their counts explain; 0: counts explain it all.
    """

    centre: float
    tau: float
    units: int

    @property
    def is_rough(self) -> bool:
        """Whether too few units were compared to know their spread well."""
        return self.units < FIRM_FROM

    def at(self, n: float, quantile: float) -> tuple[float, float]:
        """The limits at n records, kept within 0 and 1."""
        reach = quantile * math.sqrt(self.centre * (1 - self.centre) / n + self.tau**2)
        return max(0.0, self.centre - reach), min(1.0, self.centre + reach)


def funnel_limits(events: Sequence[float], records: Sequence[float]) -> FunnelLimits | None:
    """Limits around the share of all together: p̄ ± z · √(p̄(1 − p̄)/n + τ²); None under three units, or if p̄ is 0 or 1.

    Units differ by more than chance also where nobody does anything wrong (other tickets, other customers); plain
    limits would call most large ones outliers. So the spread between them is added: z = (p − p̄)/s with
    s² = p̄(1 − p̄)/n, winsorised at 10 % on both sides, φ = mean z², and, as DerSimonian and Laird,
    τ² = max(0, (I·φ − (I − 1)) / (Σw − Σw²/Σw)) with w = 1/s² of I units.

    Sources: D. J. Spiegelhalter (2005), "Funnel plots for comparing institutional performance", Statistics in
    Medicine 24:1185–1202; the same (2005), "Handling over-dispersion of performance indicators", Quality and Safety
    in Health Care 14:347–351.
    """
    total = sum(records)
    if len(records) < LEAST_FOR_LIMITS or total <= 0:
        return None
    centre = sum(events) / total
    if not 0.0 < centre < 1.0:
        return None
    variances = [centre * (1 - centre) / n for n in records]
    z = [(y / n - centre) / math.sqrt(v) for y, n, v in zip(events, records, variances, strict=True)]
    low, high = _quantile(z, WINSORISED), _quantile(z, 1 - WINSORISED)
    squares = sum(min(max(value, low), high) ** 2 for value in z)
    weights = [1 / v for v in variances]
    room = sum(weights) - sum(w * w for w in weights) / sum(weights)
    tau2 = max(0.0, (squares - (len(z) - 1)) / room)
    return FunnelLimits(centre, math.sqrt(tau2), len(z))


def _quantile(values: Sequence[float], share: float) -> float:
    """The quantile between the two nearest values, linearly (type 7 of Hyndman and Fan)."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
