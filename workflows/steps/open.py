"""Open: a firing finding opens one action, or adds evidence to the open one; never two, within the budgets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, F, OuterRef, TextField, Value
from django.db.models.functions import Concat

from improvement import weeks
from improvement.errors import GuardRefused, InputError
from improvement.metrics import metric_named
from improvement.plurals import how_many
from improvement.rules import Candidate, Limits, Rule, Scope, choose, size_of
from improvement.vocabulary import ENDED_STATES
from workflows import access
from workflows.actions import opening, serving
from workflows.complete_weeks import last_week
from workflows.evidence import ledger
from workflows.models import Action, Evaluation, Finding, RuleVersion, Transition
from workflows.steps.evaluate import memory_of
from workflows.warehouse import Warehouse


@dataclass(slots=True)
class OpenResult:
    """What one run opened on one connection, and what waits, with the reason."""

    connection: str
    opened: list[str] = field(default_factory=list)
    queued: dict[str, str] = field(default_factory=dict)


def open_actions(
    warehouse: Warehouse, rules: list[Rule], connection: str, *, limits: Limits, as_of: datetime
) -> OpenResult:
    """Open what fires, largest first. The first evaluation of a rule opens nothing.

    Nor does a version of a rule that somebody removed or replaced since the cycle began: reading may have taken hours.
    """
    result = OpenResult(connection=connection)
    live = set(RuleVersion.objects.filter(is_live=True).values_list("rule_id", "sha256"))
    rules = [rule for rule in rules if (rule.id, rule.sha256) in live]
    by_id = {rule.id: rule for rule in rules}
    evaluated = {row.rule_id: row.count for row in Evaluation.objects.filter(connection=connection)}
    firing = {
        (finding.rule_id, finding.scope_key): finding
        for finding in Finding.objects.filter(connection=connection, state="firing").defer("sql")
        if finding.rule_id in by_id and _is_of(by_id[finding.rule_id], finding)
    }
    week = last_week(as_of)
    acted_on = _acted_on(connection)
    candidates = [
        _candidate(finding, by_id[finding.rule_id], acted_on.get(finding.pk, _NEVER), evaluated=evaluated, week=week)
        for finding in firing.values()
    ]
    choice = choose(
        candidates,
        owner_of=access.Owners().username,
        open_per_owner=_open_per_owner(),
        budget=limits.budget,
        max_new=limits.max_new_actions,
    )
    reasons: dict[tuple[str, str], str] = {}
    for waiting in choice.queued:
        for member in waiting.proposal.members:
            reasons[member.rule.id, member.scope.key] = waiting.reason
            result.queued[f"{member.rule.id} [{member.scope.key}]"] = waiting.reason
    for proposal in choice.opened:
        findings = [firing[member.rule.id, member.scope.key] for member in proposal.members]
        below = [rule for rule in rules if rule.derived_from == proposal.rule.id]
        try:
            with transaction.atomic():
                suppliers = serving.unserved(below, connection)
                action = opening.open_by_rule(proposal, findings, warehouse, at=as_of)
                serving.link_to(action, suppliers, below, warehouse, at=as_of)
        except (GuardRefused, InputError) as refusal:  # such as a group whose parent has an open action already
            reason = "; ".join(refusal.reasons) if isinstance(refusal, GuardRefused) else refusal.what.rstrip(".")
            for member in proposal.members:
                reasons[member.rule.id, member.scope.key] = reason
                result.queued[f"{member.rule.id} [{member.scope.key}]"] = reason
            continue
        result.opened.append(action.code)
    for key in _with_new_evidence(connection):
        if key in firing:
            _add_evidence(firing[key], by_id[key[0]], as_of)
    for key, finding in firing.items():
        reason = reasons.get(key, "")
        if finding.queue_reason != reason:
            finding.queue_reason = reason
            finding.save(update_fields=["queue_reason"])
    return result


@dataclass(frozen=True, slots=True)
class _ActedOn:
    """What was done about a finding so far: whether an action is open, and when the last one was closed."""

    is_open: bool = False
    closed_at: datetime | None = None


_NEVER = _ActedOn()


def _is_of(rule: Rule, finding: Finding) -> bool:
    """Whether the rule still counts what the finding fired on; edited within a week it is ended by the next value."""
    memory = memory_of(finding)
    return memory is None or memory.series == rule.series_sha256


def _acted_on(connection: str) -> dict[int, _ActedOn]:
    """What was done about every firing finding of a connection, by its key."""
    found: dict[int, _ActedOn] = {}
    opened = Action.findings.through.objects.filter(finding__connection=connection, finding__state="firing")
    for key, state, closed_at in opened.values_list("finding_id", "action__state", "action__closed_at"):
        before = found.get(key, _NEVER)
        if state not in ENDED_STATES:
            found[key] = replace(before, is_open=True)
        elif closed_at is not None:
            found[key] = replace(before, closed_at=max(closed_at, before.closed_at or closed_at))
    return found


def _candidate(finding: Finding, rule: Rule, acted_on: _ActedOn, *, evaluated: dict[str, int], week: int) -> Candidate:
    return Candidate(
        rule=rule,
        connection=finding.connection,
        scope=Scope.of(finding.scope),
        week=week,
        size=size_of(finding.value, finding.target_value),
        n=finding.n,
        is_first_evaluation=evaluated.get(rule.id, 0) < 2,
        has_open_action=acted_on.is_open,
        closed_week=weeks.week_of(acted_on.closed_at.date()) if acted_on.closed_at is not None else None,
    )


def _with_new_evidence(connection: str) -> list[tuple[str, str]]:
    """(rule, scope) of what fired once more after the action on it was opened, and is not told there yet."""
    pairs = Action.findings.through.objects.filter(finding__connection=connection, finding__state="firing")
    again = pairs.filter(finding__fired_at__gt=F("action__opened_at")).exclude(action__state__in=ENDED_STATES)
    told = Transition.objects.filter(
        action=OuterRef("action"),
        event="evidence",
        at__gte=OuterRef("finding__fired_at"),
        note__contains=Concat(Value("["), OuterRef("finding__scope_key"), Value("]"), output_field=TextField()),
    )
    scopes = again.exclude(Exists(told)).order_by("finding__rule_id", "finding__scope_key")
    return list(scopes.values_list("finding__rule_id", "finding__scope_key").distinct())


def _add_evidence(finding: Finding, rule: Rule, as_of: datetime) -> None:
    """A finding that fires once more while its action is open: the action keeps the new evidence beside its trigger.

    Also when the cycle it fired in was broken off before this.
    """
    opened = Action.objects.filter(findings=finding, opened_at__lt=finding.fired_at)
    action = opened.exclude(state__in=ENDED_STATES).first()
    if action is None:
        return
    metric = metric_named(rule.metric)
    value = metric.shown(finding.value)
    if rule.metric != action.metric:  # the rule counts something else since
        value = f"{metric.title} {value}"
    with transaction.atomic():
        Transition.objects.create(
            action=action,
            at=as_of,
            event="evidence",
            from_state=action.state,
            to_state=action.state,
            actor=ledger.ENGINE,
            note=f"fired again: {value} on {how_many(finding.n, 'record')} [{finding.scope_key}]",
        )
        payload = {"rows_sha256": finding.rows_sha256, "n": finding.n, "times_fired": finding.times_fired}
        ledger.append("action.evidence", subject=action.code, actor=ledger.ENGINE, at=as_of, payload=payload)


def _open_per_owner() -> Counter[str | None]:
    return Counter(Action.objects.exclude(state__in=ENDED_STATES).values_list("owner__username", flat=True))
