"""What a supplier's action passes on: the customer-facing target that its own is made from, and whom it works for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import OuterRef, Q, Subquery

from improvement import weeks
from improvement.rules import Rule, Scope
from improvement.rules.explaining import target_text
from improvement.rules.flow_down import derived
from improvement.rules.in_force import TargetInForce, in_force
from improvement.rules.rule import Target
from improvement.rules.testing import value_text
from improvement.vocabulary import ENDED_STATES
from workflows.models import Action, Finding, LedgerEntry, RuleVersion
from workflows.rules.published import of_series, readable

OWN_TARGET = "target"  # the source of a target that is no override


@dataclass(frozen=True, slots=True)
class FlownDown:
    """How a supplier's target comes from the rule ``of`` that is made for customers.

    ``factor`` is what tightened ``made_from``; None: the target was written for suppliers, in ``flow_down.target``.
    Both are None where the version that was flowed down cannot be told any more.
    """

    of: str
    rule: Rule | None
    factor: float | None
    made_from: Target | None

    @property
    def text(self) -> str:
        """In words, after the target that was made."""
        if self.rule is None or self.made_from is None:
            return f"passed on by flow_down of {self.of}"
        promised = target_text(self.rule, self.made_from)
        if self.factor is None:
            return f"written in flow_down of {self.of}, which promises customers {promised}"
        return f"made by flow_down from {promised} of {self.of} with the factor {self.factor:g}"

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        rule, target = self.rule, self.made_from
        return {
            "rule": self.of,
            "rule_sha256": rule.sha256 if rule is not None else None,
            "factor": self.factor,
            "target": target_text(rule, target) if rule is not None and target is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Served:
    """A customer-facing scope that the supplier works for, with its newest published value.

    ``target`` is the one that is in force for the live rule on the last day of the value's window. Without a value, or
    where the rule is not live any more, both are None.
    """

    scope: Scope
    state: str
    target: TargetInForce | None
    value: float | None
    action: Action | None

    @property
    def value_text(self) -> str:
        """The value in its unit; '' without one."""
        return "" if self.target is None else value_text(self.value, self.target.rule)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        target = self.target
        return {
            "scope": self.scope.as_dict(),
            "finding": self.state,
            "action": self.action.code if self.action is not None else None,
            "target": target.text if target is not None else None,
            "target_from": target.source if target is not None else None,
            "value": self.value,
            "window_ends": str(target.on) if target is not None else None,
        }


def flown_down(action: Action) -> FlownDown | None:
    """Where the target of a supplier's action comes from; None of every other action."""
    of, is_derived, _ = action.rule_id.partition("@")
    if not is_derived:
        return None
    rule = _flowed_down(of, action)
    if rule is None or rule.flow_down is None:
        return FlownDown(of, None, None, None)
    source = action.trigger.get("target_source", OWN_TARGET)
    overrides = {override.label: override.target for override in rule.overrides}
    is_written = source == OWN_TARGET and rule.flow_down.target is not None
    return FlownDown(
        of, rule, None if is_written else rule.flow_down.tighten, {OWN_TARGET: rule.target, **overrides}.get(source)
    )


def served(action: Action) -> list[Served]:
    """The customer-facing scopes whose action it serves, then others that it endangered when it was opened."""
    of, is_derived, _ = action.rule_id.partition("@")
    if not is_derived:
        return []
    live = RuleVersion.objects.filter(rule_id=of, is_live=True).first()
    rule = readable(live) if live is not None else None
    facing = Finding.objects.filter(rule_id=of, connection=action.connection)
    endangered = Q(scope_key__in=action.trigger.get("endangers", ()))
    of_parent = Q(opened_actions=action.rolls_up_to_id) if action.rolls_up_to_id else Q(pk__in=[])
    found = facing.filter(endangered | of_parent).distinct().order_by("scope_key")
    if rule is not None:
        points = of_series(rule).filter(finding=OuterRef("pk")).order_by("-week")
        found = found.annotate(week=Subquery(points.values("week")[:1]), newest=Subquery(points.values("value")[:1]))
    actions = _actions_on([finding.pk for finding in found], action.rolls_up_to_id)
    told = [_served(finding, rule, actions.get(finding.pk)) for finding in found]
    return sorted(told, key=lambda one: one.action is None or one.action.pk != action.rolls_up_to_id)


def _served(finding: Finding, rule: Rule | None, action: Action | None) -> Served:
    scope = Scope.of(finding.scope)
    week: int | None = getattr(finding, "week", None)
    if rule is None or week is None:
        return Served(scope, finding.state, None, None, action)
    day: date = weeks.sunday(week)
    return Served(scope, finding.state, in_force(rule, scope, day), getattr(finding, "newest", None), action)


def _flowed_down(rule_id: str, action: Action) -> Rule | None:
    """The version of a rule from which the supplier's version was made; of several the one live when it opened."""
    suppliers = _as_read_now(action)
    made: dict[str, Rule] = {}
    for row in RuleVersion.objects.filter(rule_id=rule_id).order_by("-is_live", "-pk"):
        rule = readable(row)
        below = derived(rule) if rule is not None else None
        if rule is not None and below is not None and below.sha256 == suppliers:
            made[row.sha256] = rule
    if len(made) > 1:
        applied = LedgerEntry.objects.filter(type="rule.applied", subject=rule_id).order_by("-index")
        for data in applied.values_list("data", flat=True):
            said = json.loads(bytes(data))
            if said["payload"]["sha256"] in made and datetime.fromisoformat(said["at"]) <= action.opened_at:
                return made[said["payload"]["sha256"]]
    return next(iter(made.values()), None)


def _as_read_now(action: Action) -> str:
    """The digest of the version that opened it, which an earlier release may have spelled out otherwise."""
    version = RuleVersion.objects.filter(rule_id=action.rule_id, sha256=action.rule_sha256).first()
    rule = readable(version) if version is not None else None
    return action.rule_sha256 if rule is None else rule.sha256


def _actions_on(findings: list[int], served: int | None) -> dict[int, Action]:
    """The action on each finding: the one that is served, else the one that is open."""
    opened = Action.findings.through.objects.filter(finding__in=findings).select_related("action")
    known = [(one.finding_id, one.action) for one in opened.order_by("action_id")]
    found = {key: action for key, action in known if action.state not in ENDED_STATES}
    return found | {key: action for key, action in known if action.pk == served}
