"""Open: a firing finding opens one action, or adds evidence to the open one; never two, within the budgets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from improvement.pdca import State
from improvement.rules import FindingMemory, Rule
from workflows import access, opening
from workflows.models import Action, Evaluation, Finding
from workflows.warehouse import Warehouse

ENDED = (State.CLOSED.value, State.CANCELLED.value)


@dataclass(slots=True)
class OpenResult:
    """What one run opened on one connection, and what waits, with the reason."""

    connection: str
    opened: list[str] = field(default_factory=list)
    queued: dict[str, str] = field(default_factory=dict)


def open_actions(warehouse: Warehouse, rules: list[Rule], connection: str, *, as_of: datetime) -> OpenResult:
    """Open what fires, worst first. The first evaluation of a rule opens nothing."""
    result = OpenResult(connection=connection)
    by_id = {rule.id: rule for rule in rules if rule.spec.mode != "observe"}
    evaluated = {row.rule_id: row.count for row in Evaluation.objects.filter(connection=connection)}
    firing = [
        finding
        for finding in Finding.objects.filter(connection=connection, state="firing")
        if finding.rule_id in by_id and not _has_open_action(finding)
    ]
    firing.sort(key=lambda finding: (-_size(finding), finding.rule_id, finding.scope_key))
    per_owner = _open_per_owner()
    for finding in firing:
        rule = by_id[finding.rule_id]
        reason = _why_not(finding, rule, evaluated, per_owner, len(result.opened), as_of)
        if reason:
            result.queued[f"{finding.rule_id} [{finding.scope_key}]"] = reason
        else:
            memory = msgspec.convert(finding.memory, FindingMemory)
            action = opening.open_by_rule(finding, rule, memory, warehouse, at=as_of)
            per_owner[action.owner_id] += 1
            result.opened.append(action.code)
        if finding.queue_reason != reason:
            finding.queue_reason = reason
            finding.save(update_fields=["queue_reason"])
    return result


def _why_not(
    finding: Finding,
    rule: Rule,
    evaluated: dict[str, int],
    per_owner: Counter[int | None],
    opened: int,
    as_of: datetime,
) -> str:
    if evaluated.get(rule.id, 0) < 2:
        return "first evaluation over back-filled history"
    cooled = _cooling_until(finding, rule)
    if cooled is not None and as_of < cooled:
        return f"cooling down until {cooled:%Y-%m-%d}"
    if opened >= rule.spec.limits.max_new_actions:
        return f"more than {rule.spec.limits.max_new_actions} new actions in one cycle"
    owner = access.owner_for(finding.connection, finding.scope, rule.metadata.owner)
    if owner is not None and per_owner[owner.pk] >= rule.spec.limits.budget:
        return f"its owner has {per_owner[owner.pk]} open actions already"
    return ""


def _cooling_until(finding: Finding, rule: Rule) -> datetime | None:
    last = (
        Action.objects.filter(finding=finding, state__in=ENDED, closed_at__isnull=False).order_by("-closed_at").first()
    )
    return last.closed_at + timedelta(weeks=rule.spec.cooldown) if last is not None and last.closed_at else None


def _has_open_action(finding: Finding) -> bool:
    return Action.objects.filter(finding=finding).exclude(state__in=ENDED).exists()


def _open_per_owner() -> Counter[int | None]:
    owners = Action.objects.exclude(state__in=ENDED).values_list("owner_id", flat=True)
    return Counter(owners)


def _size(finding: Finding) -> float:
    if finding.value is None or not finding.target_value:
        return 0.0
    return abs(finding.value - finding.target_value) / abs(finding.target_value)
