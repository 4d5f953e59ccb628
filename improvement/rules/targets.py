"""Which target is in force for a scope on a day, and what it means for a value.

The cascade runs global → country → customer → service: the lowest level wins, then exact over wildcard. Two that are
still equal are refused when the rule is loaded, so there is always one winner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from improvement.rules.rule import Override, Rule, Target, TargetKind
from improvement.rules.scope import Scope

OwnValue = Callable[[int, int], float | None]  # reference weeks, row → the scope's own value


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """The winning target as numbers in the metric's unit.

    ``value`` is the limit (None where the scope's own past is too short), ``clear`` the limit for resolving,
    ``source`` the override that won, ``is_upper`` whether values above the limit are bad.
    """

    kind: str
    value: float | None
    source: str
    clear: float | None
    is_upper: bool
    own: float | None = None  # the scope's own past value, for worse_than_own


def winner(rule: Rule, scope: Scope, on: date) -> tuple[Target, str]:
    """The target in force for the scope on this day, and where it comes from."""
    best: Override | None = None
    for override in rule.overrides:
        if override.is_valid_on(on) and override.matches(scope) and (best is None or rank(override) > rank(best)):
            best = override
    return (rule.target, "target") if best is None else (best.target, best.label)


def rank(override: Override) -> tuple[int, bool]:
    """What decides between two overrides that both apply: level, then exact over wildcard."""
    return override.level, override.is_exact


def is_looser(target: Target, than: Target) -> bool:
    """Whether a target lets pass what the other does not; never of two that cannot be compared."""
    if target.kind is not than.kind:
        return False
    if target.kind is TargetKind.MIN:
        return target.value < than.value
    is_alike = (target.is_relative, target.reference_weeks) == (than.is_relative, than.reference_weeks)
    return is_alike and target.value > than.value


class Targets:
    """The targets of a rule on a day as numbers; those that are the same for many scopes are made once."""

    def __init__(self, rule: Rule, on: date, own: OwnValue) -> None:
        self._rule, self._on, self._own = rule, on, own
        self._made: dict[str, ResolvedTarget] = {}  # by where they come from

    def of_all(self, scopes: Sequence[Scope], rows: Iterable[int]) -> ResolvedTarget | list[ResolvedTarget]:
        """The winning targets of the scopes in these rows; one where it is the same for all."""
        if self._rule.overrides or self._rule.target.kind is TargetKind.WORSE_THAN_OWN:
            return [self.of(scopes[row], row) for row in rows]
        return self._as_made(self._rule.target, "target")

    def of(self, scope: Scope, row: int) -> ResolvedTarget:
        """The winning target of a scope; ``row`` is what :data:`OwnValue` is asked for."""
        rule = self._rule
        target, source = winner(rule, scope, self._on) if rule.overrides else (rule.target, "target")
        if target.kind is TargetKind.WORSE_THAN_OWN:
            return _against_own(rule, target, source, self._own(target.reference_weeks, row))
        return self._as_made(target, source)

    def _as_made(self, target: Target, source: str) -> ResolvedTarget:
        if source not in self._made:
            limit = _clear_limit(self._rule, target)
            is_upper = target.kind is TargetKind.MAX
            self._made[source] = ResolvedTarget(target.kind.value, target.value, source, limit, is_upper)
        return self._made[source]


def _clear_limit(rule: Rule, target: Target) -> float:
    """``ratio`` × the target (a *min* target: divided), or the stricter absolute one."""
    is_upper = target.kind is TargetKind.MAX
    limit = target.value * rule.clear.ratio if is_upper else target.value / rule.clear.ratio
    if rule.is_share:
        limit = min(limit, 1.0)
    absolute = rule.clear.target
    if absolute is None:
        return limit
    return min(absolute.value, target.value) if is_upper else max(absolute.value, target.value)


def _against_own(rule: Rule, target: Target, source: str, own: float | None) -> ResolvedTarget:
    is_upper = rule.direction == "lower"
    if own is None:
        return ResolvedTarget(target.kind.value, None, source, None, is_upper)
    tolerated = abs(own) * target.value if target.is_relative else target.value
    sign = 1 if is_upper else -1
    limit, clear = own + sign * tolerated, own + sign * tolerated * rule.clear.ratio
    return ResolvedTarget(target.kind.value, limit, source, clear, is_upper, own)
