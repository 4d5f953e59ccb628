"""The same rule with a stricter or a looser target: how much a number that somebody chose matters."""

from __future__ import annotations

from dataclasses import replace

from improvement.rules.canonical import versioned
from improvement.rules.rule import Clear, Rule, Target, TargetKind


def scaled(rule: Rule, factor: float) -> Rule:
    """The rule with every target times ``factor``: below 1 stricter, above 1 looser, whatever the side.

    max t → factor·t; of a share min t → 1 − factor·(1 − t); any other min t → t/factor; *worse than own*: factor × the
    tolerated distance.
    """
    clear = rule.clear
    if clear.target is not None:
        clear = Clear(clear.ratio, scaled_target(clear.target, factor, rule.is_share), clear.values)
    return versioned(
        replace(
            rule,
            target=scaled_target(rule.target, factor, rule.is_share),
            overrides=tuple(
                replace(one, target=scaled_target(one.target, factor, rule.is_share)) for one in rule.overrides
            ),
            clear=clear,
        )
    )


def scaled_target(target: Target, factor: float, is_share: bool) -> Target:
    """One target, as :func:`scaled` says."""
    if target.kind is not TargetKind.MIN:
        value = target.value * factor
        is_limited = is_share and target.kind is TargetKind.MAX
        return replace(target, value=round(min(value, 1.0) if is_limited else value, 12))
    value = 1 - factor * (1 - target.value) if is_share else target.value / factor
    return replace(target, value=round(max(value, 0.0) if is_share else value, 12))
