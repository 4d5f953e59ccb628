"""Rules that count what a removed rule counted, whose actions are still open: mostly the same rule under a new id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from improvement.rules import Mode, Rule
from improvement.rules.canonical import series_of
from improvement.vocabulary import ENDED_STATES
from workflows.models import Action, Origin, RuleVersion


def counted_twice(rules: Iterable[Rule], *, dropped: Iterable[str] = ()) -> list[str]:
    """A sentence for each of the ``rules`` that may open a second action beside an open one of a rule that is gone.

    ``dropped`` are live ones that are about to go. Of two open actions on one series neither can be told to have
    improved it.
    """
    rules = list(rules)
    standing = set(RuleVersion.objects.filter(is_live=True).values_list("rule_id", flat=True)) - set(dropped)
    left = _left(standing | {rule.id for rule in rules})
    return [
        f"{rule.id} counts the same as {gone}, which is live no more and whose {_are_open(codes)}: it opens another "
        f"action on the same scope. Close the first, or keep the id {gone}."
        for rule in rules
        if rule.mode is not Mode.OBSERVE
        for gone, codes in sorted(left.get(rule.series_sha256, {}).items())
    ]


def _are_open(codes: list[str]) -> str:
    return f"{codes[0]} is open" if len(codes) == 1 else f"{', '.join(codes)} are open"


def _left(live: set[str]) -> dict[str, dict[str, list[str]]]:
    """Series → rule that is live no more → its open actions, oldest first."""
    actions = Action.objects.filter(origin=Origin.RULE).exclude(state__in=ENDED_STATES).exclude(rule_id__in=live)
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for action in actions.order_by("id"):
        version = RuleVersion.objects.filter(rule_id=action.rule_id, sha256=action.rule_sha256).first()
        if version is not None:
            found[series_of(version.document)][action.rule_id].append(action.code)
    return found
