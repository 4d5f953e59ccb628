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

OWN = "target"  # where the rule's own target is said to come from
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


class Winners:
    """The overrides of a rule that are in force on a day, to be looked up by what they name; patterns are asked."""

    def __init__(self, rule: Rule, on: date) -> None:
        self._rule = rule
        self._exact: dict[tuple[str, ...], dict[tuple[str, ...], Override]] = {}  # by dimensions, then by values
        self._patterns: list[Override] = []
        for override in rule.overrides:
            if not override.is_valid_on(on):
                continue
            if override.is_exact:
                names, values = zip(*override.when, strict=True)
                self._exact.setdefault(names, {}).setdefault(values, override)
            else:
                self._patterns.append(override)

    def of(self, scope: Scope) -> Override | None:
        """The override that wins for a scope; None where the rule's own target holds."""
        values = dict(scope.items)
        found = [
            by_value.get(tuple([values.get(name, "") for name in names])) for names, by_value in self._exact.items()
        ]
        held = [override for override in found if override is not None]
        held += [override for override in self._patterns if override.matches(scope)]
        return max(held, key=rank, default=None)

    def target_of(self, scope: Scope) -> tuple[Target, str]:
        """The target in force for a scope, and where it comes from."""
        best = self.of(scope)
        return (self._rule.target, OWN) if best is None else (best.target, best.label)


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
        self._rule, self._own = rule, own
        self._winners = Winners(rule, on)
        self._made: dict[str, ResolvedTarget] = {}  # by where they come from

    def of_all(self, scopes: Sequence[Scope], rows: Iterable[int]) -> ResolvedTarget | list[ResolvedTarget]:
        """The winning targets of the scopes in these rows; one where it is the same for all."""
        if self._rule.overrides or self._rule.target.kind is TargetKind.WORSE_THAN_OWN:
            return [self.of(scopes[row], row) for row in rows]
        return self._as_made(self._rule.target, OWN)

    def of(self, scope: Scope, row: int) -> ResolvedTarget:
        """The winning target of a scope; ``row`` is what :data:`OwnValue` is asked for."""
        rule = self._rule
        target, source = self._winners.target_of(scope) if rule.overrides else (rule.target, OWN)
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
