"""Rules that count the same records in the same scopes: one bad scope opens an action of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from improvement.errors import InputError
from improvement.rules.rule import Mode, Rule, Where

MEND = "Join them, or set one to mode: observe."


def overlaps(rules: Iterable[Rule]) -> list[InputError]:
    """A warning for each rule that counts what an earlier one does, or part of it; rules that only observe open
    nothing."""
    alike: dict[object, list[Rule]] = defaultdict(list)
    found: list[InputError] = []
    told: set[str] = set()
    for rule in rules:
        if rule.mode is Mode.OBSERVE:
            continue
        group = alike[rule.metric, frozenset(rule.by), rule.target.kind, frozenset(rule.conditions)]
        others = ((other, counted) for other in group if (counted := _counted(rule, other)))
        other, counted = next(others, (None, ""))
        group.append(rule)
        if other is None:
            continue
        told.add(rule.id)
        if rule.derived_from not in told:  # else it was told of the rule that it is made of
            what = f"{rule.id} counts {counted} {other.id} ({other.place}): one bad scope opens two actions."
            found.append(InputError(what, where=rule.place, mend=MEND))
    return found


def _counted(rule: Rule, other: Rule) -> str:
    """What a rule counts of that which another one counts."""
    if _is_part(rule.key.where, other.key.where):
        is_all = _is_part(other.key.where, rule.key.where)
        what = "the same as" if is_all else "part of what is counted by"
    elif _is_part(other.key.where, rule.key.where):
        what = "more, but also all of"
    else:
        return ""
    return what if rule.window_weeks == other.window_weeks else f"over another window {what}"


def _is_part(where: Where, of: Where) -> bool:
    """Whether each record that meets one filter meets the other."""
    kept = dict(where)
    return all(name in kept and set(kept[name]) <= set(values) for name, values in of)
