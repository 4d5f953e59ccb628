"""Flow-down: the same demand passed on to every supplier, as a derived rule ``<id>@supplier``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from improvement.errors import InputError, Place
from improvement.rules.amounts import target_of
from improvement.rules.canonical import versioned
from improvement.rules.cascade import Covering
from improvement.rules.documents import TIGHTEN, FlowDownPart
from improvement.rules.problems import Path, Problems
from improvement.rules.rule import ActionTemplate, FlowDown, Override, Rule, SeriesKey, Target, TargetKind
from improvement.rules.scope import NONE
from improvement.rules.series import VALUES, by_of
from improvement.rules.suggestions import did_you_mean
from improvement.rules.targets import is_looser, rank
from improvement.rules.templates import BRACES
from improvement.rules.units import number_text

if TYPE_CHECKING:
    from improvement.metrics.catalogue import Metric

PATH: Path = ("spec", "flow_down")
AGREEMENTS = ("ola", "uc")


def flow_down_of(
    part: FlowDownPart | None, key: SeriesKey, target: Target | None, problems: Problems, metric: Metric
) -> FlowDown | None:
    """The flow-down of a rule, or None; a target that no factor can tighten needs one of its own."""
    if part is None:
        return None
    by = by_of(part.by, problems, metric, (*PATH, "by"))
    has_agreements = "sla.agreement" in metric.where_keys
    agreement = part.agreement if part.agreement is not None else AGREEMENTS if has_agreements else ()
    if agreement and not has_agreements:
        problems.add((*PATH, "agreement"), f"{metric.id} has no agreements.", "Remove the key.", of_key=True)
    for position, name in enumerate(part.agreement or ()):
        if name not in VALUES["sla.agreement"]:
            problems.add(
                (*PATH, "agreement", position),
                f"“{name[:60]}” is no agreement.",
                did_you_mean(name, VALUES["sla.agreement"]),
            )
    if not by:
        problems.add((*PATH, "by"), "A flow-down needs a dimension.", "Use supplier.")
    elif set(by) <= set(key.by):
        problems.add((*PATH, "by"), "The rule itself groups by this.", "Use supplier, or remove flow_down.")
    else:
        _refuse_nobody(by, key, problems)
    own = target_of(part.target, (*PATH, "target"), problems, metric) if part.target is not None else None
    if target is not None and own is not None and is_looser(own, target):
        what = f"Suppliers would be held to less than was promised to customers ({_text(target, metric.is_share)})."
        problems.add_futile((*PATH, "target", own.kind.value), what, "Use a stricter target, or tighten instead.")
    if (
        target is not None
        and own is None
        and part.target is None
        and tightened(target, part.tighten, metric.is_share) is None
    ):
        what = "No factor can tighten this kind of target."
        problems.add(PATH, what, "Add flow_down.target: what the supplier must keep.", of_key=True)
    place = problems.place(PATH, of_key=True)
    return FlowDown(by, tuple(sorted(agreement)), part.tighten, own, place)


def _refuse_nobody(by: tuple[str, ...], key: SeriesKey, problems: Problems) -> None:
    """Report a flow-down to those whom the rule's own filter leaves out."""
    where = dict(key.where)
    added = [name for name in by if name not in key.by]
    if all(set(where.get(name, ())) == {NONE} for name in added):
        names = " and ".join(added)
        what = f"The rule counts only what has no {names}: nothing would be passed on to anyone."
        problems.add_futile(PATH, what, f"Remove it, or name whom you mean in where.{added[0]}.", of_key=True)


def derived(rule: Rule) -> Rule | None:
    """The rule that holds suppliers to the same demand; None where nothing flows down.

    Overrides on dimensions the derived rule does not group by do not reach it.
    """
    flow_down = rule.flow_down
    if flow_down is None:
        return None
    target = flow_down.target or tightened(rule.target, flow_down.tighten, rule.is_share)
    if target is None:
        return None
    where = dict(rule.key.where)
    if flow_down.agreement:
        where["sla.agreement"] = flow_down.agreement
    return versioned(
        replace(
            rule,
            id=f"{rule.id}@{flow_down.by[0]}",
            title=f"{rule.title} (by {', '.join(flow_down.by)})",
            key=SeriesKey(rule.metric, tuple(sorted(where.items())), flow_down.by),
            target=target,
            overrides=tuple(_overrides(rule, flow_down)),
            conditions=(),
            flow_down=None,
            derived_from=rule.id,
            action=_action(rule, flow_down),
            check=replace(rule.check, controls_same=_same(rule, flow_down)),
        )
    )


def tightened(target: Target, factor: float, is_share: bool) -> Target | None:
    """max t → factor·t; a min share t → 1 − factor·(1 − t); anything else needs an explicit target (None)."""
    if target.kind is TargetKind.MAX:
        return replace(target, value=round(factor * target.value, 12))
    if target.kind is TargetKind.MIN and is_share:
        return replace(target, value=round(1 - factor * (1 - target.value), 12))
    return None


def unreached(rule: Rule, below: Rule, *, today: date | None = None) -> list[InputError]:
    """The overrides that promise customers more than ``below``, the rule made for suppliers, asks of those who serve
    them. Overrides that ended before ``today`` are left out."""
    found = []
    for override, held in _not_passed_on(rule, below, today):
        if is_looser(held, override.target):
            promised, asked = _text(override.target, rule.is_share), _text(held, rule.is_share)
            what = f"{override.label} promises customers {promised}, but holds their suppliers to {asked} only."
            found.append(_told(below, what, override.place, _mends(rule, override)))
    return found


def without_slack(rule: Rule, below: Rule, *, today: date | None = None) -> list[InputError]:
    """Where suppliers must keep exactly what customers are promised, though something stricter could be asked of them:
    what is lost on the way to the customer then breaks the promise. ``today`` as in :func:`unreached`.
    """
    flow_down = rule.flow_down
    if flow_down is None:
        return []
    found = []
    passed_on = [one.target for one in rule.overrides if _is_passed_on(rule, flow_down, one)]
    tightened_ones = passed_on if flow_down.target is not None else [rule.target, *passed_on]
    if flow_down.target is not None and _leaves_no_slack(flow_down.target, rule.target, rule.is_share):
        what = f"It holds suppliers to exactly what customers are promised, {_text(rule.target, rule.is_share)}."
        found.append(_told(below, what, flow_down.place, [_stricter(rule.target, flow_down.tighten, rule.is_share)]))
    if flow_down.tighten == 1 and any(_leaves_no_slack(one, one, rule.is_share) for one in tightened_ones):
        what = "The factor 1 holds suppliers to exactly what customers are promised."
        found.append(_told(below, what, flow_down.place, [f"tighten: {TIGHTEN}"]))
    for override, held in _not_passed_on(rule, below, today):
        if _leaves_no_slack(held, override.target, rule.is_share):
            promised = _text(override.target, rule.is_share)
            what = f"{override.label} promises customers {promised}, and holds their suppliers to exactly that."
            found.append(_told(below, what, override.place, _mends(rule, override)))
    return found


def _told(below: Rule, what: str, place: Place | None, mends: list[str]) -> InputError:
    return InputError(f"{below.id}: {what}", where=place, mend=f"Give flow_down {' or '.join(mends)}.")


def _not_passed_on(rule: Rule, below: Rule, today: date | None) -> Iterator[tuple[Override, Target]]:
    """The overrides that suppliers are not held to, and what those of their scopes must keep instead."""
    flow_down, covering = rule.flow_down, Covering(below.overrides)
    for override in rule.overrides if flow_down is not None else ():
        has_ended = today is not None and override.valid_to is not None and override.valid_to < today
        if flow_down is not None and not has_ended and not _is_passed_on(rule, flow_down, override):
            yield override, _held_to(below, covering, override)


def _leaves_no_slack(held: Target, promised: Target, is_share: bool) -> bool:
    """Whether two targets are the same number, and a stricter one is possible; own pasts cannot be compared."""
    if held.kind is TargetKind.WORSE_THAN_OWN or held != promised:
        return False
    strictest = 0.0 if held.kind is TargetKind.MAX else 1.0 if is_share else None
    return held.value != strictest


def _mends(rule: Rule, override: Override) -> list[str]:
    """What keeps the promise of an override that does not reach suppliers: to reach them, or to ask more of all."""
    if rule.flow_down is None:
        return []
    by, factor = rule.flow_down.by, rule.flow_down.tighten
    missing = [name for name, _ in override.when if name not in by]
    mends = [_stricter(override.target, factor, rule.is_share)]
    if missing and factor < 1 and tightened(override.target, factor, rule.is_share) is not None:
        mends.insert(0, f"by: [{', '.join([*by, *missing])}]")
    return mends


def _stricter(target: Target, factor: float, is_share: bool) -> str:
    """A ``target`` for suppliers that leaves slack where there can be any."""
    found = tightened(target, factor if factor < 1 else TIGHTEN, is_share)
    if found is None:
        is_min = target.kind is TargetKind.MIN
        return f"a target with a min above {number_text(target.value)}" if is_min else "a stricter target"
    return f"target: {{{_text(found, is_share).replace(' ', ': ')}}}"


def _held_to(below: Rule, covering: Covering, override: Override) -> Target:
    """What suppliers of the scopes of an override must keep: that of the best override that covers all of them."""
    best = max(covering.of(override), key=rank, default=None)
    return below.target if best is None else best.target


def _text(target: Target, is_share: bool) -> str:
    number = number_text(target.value * 100) + "%" if is_share or target.is_relative else number_text(target.value)
    return f"{target.kind.value.replace('_', ' ')} {number}"


def _is_passed_on(rule: Rule, flow_down: FlowDown, override: Override) -> bool:
    is_reached = all(name in flow_down.by for name, _ in override.when)
    return is_reached and tightened(override.target, flow_down.tighten, rule.is_share) is not None


def _overrides(rule: Rule, flow_down: FlowDown) -> list[Override]:
    found = []
    for override in rule.overrides:
        target = tightened(override.target, flow_down.tighten, rule.is_share)
        if target is not None and _is_passed_on(rule, flow_down, override):
            found.append(replace(override, target=target))
    return found


def _action(rule: Rule, flow_down: FlowDown) -> ActionTemplate:
    known = {*flow_down.by, "rule", "metric"}
    names = {found[1] for found in BRACES.finditer(rule.action.title) if found[1]}
    title = rule.action.title if names <= known else "{rule}: " + ", ".join("{" + name + "}" for name in flow_down.by)
    return replace(rule.action, title=title)


def _same(rule: Rule, flow_down: FlowDown) -> tuple[str, ...]:
    known = {*flow_down.by, *dict(rule.key.where)}
    return tuple(name for name in rule.check.controls_same if name in known)
