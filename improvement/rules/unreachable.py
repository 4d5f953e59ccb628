"""Parts of rules that can be read, but never decide anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from improvement.errors import InputError
from improvement.rules.cascade import Covering
from improvement.rules.explaining import target_text
from improvement.rules.rule import Override, Rule, TargetKind
from improvement.rules.targets import rank
from improvement.rules.ties import meet
from improvement.rules.units import number_text

LONG_OVER = timedelta(days=5 * 366)  # longer than anybody looks back


def idle_overrides(rule: Rule, today: date | None) -> Iterator[InputError]:
    """A warning for each override that never wins, changes nothing, or ended long before ``today``."""
    covering = Covering(rule.overrides)
    ranked = [(rank(override), override) for override in rule.overrides]
    for own, override in ranked:
        covers = [(rank(other), other) for other in covering.of(override)]
        above = next((other for level, other in covers if level > own), None)
        if above is not None:
            what = f"This override never wins: the one {_at(above)} is more exact, and holds for all of its scopes."
            yield InputError(what, where=override.place, mend="Remove it, or narrow the other one.")
        elif today is not None and override.valid_to is not None and override.valid_to < today - LONG_OVER:
            what = "This override ended more than five years ago."
            yield InputError(what, where=override.place, mend="Remove it, or correct its last day.")
        elif _changes_nothing(rule, own, override, covers, ranked):
            what = f"This override changes nothing: without it the target is {target_text(rule, override.target)}, too."
            yield InputError(what, where=override.place, mend="Remove it, or give it another target.")


def late_clear(rule: Rule) -> InputError | None:
    """A warning where findings of a share are resolved by nothing but 100 %."""
    least = rule.target.value
    if rule.target.kind is not TargetKind.MIN or not rule.is_share or rule.clear.target is not None:
        return None
    if rule.clear.ratio == 1 or least < rule.clear.ratio:
        return None
    nearer = number_text(round((1 - rule.clear.ratio * (1 - least)) * 100, 6))
    divided = f"{number_text(least * 100)}% divided by {number_text(rule.clear.ratio)}"
    what = f"A finding of {rule.id} is resolved by 100% alone: {divided} is more."
    return InputError(what, where=rule.place, mend=f"Use an absolute limit, like clear: {{min: {nearer}%}}.")


def _changes_nothing(
    rule: Rule,
    own: tuple[int, bool],
    override: Override,
    covers: list[tuple[tuple[int, bool], Override]],
    ranked: list[tuple[tuple[int, bool], Override]],
) -> bool:
    """Whether the target is the same without it: that of the next that covers it, and nothing between differs."""
    lower = [(level, other) for level, other in covers if level < own]
    floor, target = max(
        ((level, other.target) for level, other in lower), key=lambda pair: pair[0], default=((-1, False), rule.target)
    )
    if target != override.target:
        return False
    return not any(floor < level < own and other.target != target and meet(other, override) for level, other in ranked)


def _at(override: Override) -> str:
    return f"at line {override.place.line}" if override.place is not None else override.label
