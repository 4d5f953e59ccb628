"""Points: the values of a window compared with their targets, all scopes of a rule at once. Pure, arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import msgspec
import numpy as np

from improvement.metrics.coded import Floats
from improvement.rules.rule import Rule
from improvement.rules.scope import Scope
from improvement.rules.targets import ResolvedTarget


class Reason:
    """Why a point says nothing, or less than its value suggests."""

    FEW = "too few samples"
    NO_ROWS = "no rows in the window"
    SHORT_PAST = "own past too short"
    WHILE_UNKNOWN = "while: the other metric has too few samples"
    WHILE_BROKEN = "while: the other metric does not hold"


COUNTS, NO_ROWS, FEW, SHORT_PAST, UNKNOWN, BROKEN = range(6)
_REASONS = ("", Reason.NO_ROWS, Reason.FEW, Reason.SHORT_PAST, Reason.WHILE_UNKNOWN, Reason.WHILE_BROKEN)


class Point(msgspec.Struct, frozen=True, gc=False):  # it holds nothing that could hold it
    """One value of one rule and scope, for the window ``first_week … week`` (inclusive).

    ``week`` is the window's last week: the evaluated week, less the weeks a restricted time needs to be known.
    ``is_breaching`` is None where the value does not count; ``reason`` says why. ``size`` is how far the value lies
    beyond its target, as a share of the target (negative: inside).
    """

    rule_id: str
    connection: str
    scope: Scope
    week: int
    first_week: int
    value: float | None
    numerator: float
    denominator: float
    n: int
    target: ResolvedTarget
    is_breaching: bool | None
    is_clear: bool | None
    reason: str = ""
    size: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is to be judged, in the order of its scopes.

    ``targets``: one for all, or one for each; ``holds``: whether each one's *while* holds (None: cannot be told), None
    of a rule without any; a ``value`` of NaN means that nothing was counted.
    """

    targets: ResolvedTarget | Sequence[ResolvedTarget]
    holds: Sequence[bool | None] | None
    value: Floats
    numerator: Floats
    denominator: Floats
    n: Floats


def judged(rule: Rule, connection: str, window: tuple[int, int], scopes: Sequence[Scope], seen: Seen) -> list[Point]:
    """A point for each scope, for the window's first and last week."""
    first, last = window
    limits = _Limits.of(seen.targets)
    columns = (
        _why_not(rule, limits, seen),
        seen.value,
        seen.numerator,
        seen.denominator,
        seen.n.astype(np.int64),
        limits.is_broken_by(seen.value),
        limits.is_cleared_by(seen.value),
        limits.distance(seen.value),
    )
    targets = repeat(seen.targets, len(scopes)) if isinstance(seen.targets, ResolvedTarget) else seen.targets
    found = []
    for scope, target, why, value, numerator, denominator, n, is_broken, is_cleared, size in zip(
        scopes, targets, *(column.tolist() for column in columns), strict=True
    ):
        if why == BROKEN:
            is_broken, is_cleared = False, True
        elif why != COUNTS:
            is_broken = is_cleared = None
        if why == NO_ROWS:
            value = size = None
        elif target.value is None:
            size = None
        point = (rule.id, connection, scope, last, first, value, numerator, denominator, n, target)
        found.append(Point(*point, is_broken, is_cleared, _REASONS[why], size))
    return found


def _why_not(rule: Rule, limits: _Limits, seen: Seen) -> Any:
    """The number of the reason why a value does not count, the first one that applies."""
    why = np.full(len(seen.value), COUNTS)
    if seen.holds is not None:
        why[[held is False for held in seen.holds]] = BROKEN
        why[[held is None for held in seen.holds]] = UNKNOWN
    why[limits.is_missing | np.zeros(len(why), dtype=np.bool_)] = SHORT_PAST
    why[seen.n < rule.min_samples] = FEW
    why[np.isnan(seen.value)] = NO_ROWS
    return why


@dataclass(frozen=True, slots=True, eq=False)
class _Limits:
    """Targets as numbers, one for all or one for each; NaN where a scope's own past is too short."""

    limit: Any
    clear: Any
    is_upper: Any

    @classmethod
    def of(cls, targets: ResolvedTarget | Sequence[ResolvedTarget]) -> _Limits:
        """Of one target or several."""
        if isinstance(targets, ResolvedTarget):
            return cls(np.float64(_number(targets.value)), np.float64(_number(targets.clear)), targets.is_upper)
        limit, clear = (
            np.array([_number(value) for value in values], dtype=np.float64)
            for values in ([one.value for one in targets], [one.clear for one in targets])
        )
        return cls(limit, clear, np.array([one.is_upper for one in targets], dtype=np.bool_))

    @property
    def is_missing(self) -> Any:
        """Where there is nothing to compare with."""
        return np.isnan(self.limit)

    def is_broken_by(self, value: Floats) -> Any:
        """Whether a value lies beyond its limit; exactly on it is kept."""
        return np.where(self.is_upper, value > self.limit, value < self.limit)

    def is_cleared_by(self, value: Floats) -> Any:
        """Whether a value lies inside the limit for resolving."""
        return np.where(self.is_upper, value <= self.clear, value >= self.clear)

    def distance(self, value: Floats) -> Floats:
        """How far beyond the limit, as a share of it (of the value where the limit is 0); negative inside."""
        beyond = np.where(self.is_upper, value - self.limit, self.limit - value)
        scale = np.where(self.limit != 0, np.abs(self.limit), np.abs(value))
        size: Floats = np.zeros(len(value))
        with np.errstate(over="ignore"):  # of a limit next to nothing: as far as can be
            np.divide(beyond, scale, out=size, where=scale > 0)
        return size


def _number(value: float | None) -> float:
    return np.nan if value is None else value
