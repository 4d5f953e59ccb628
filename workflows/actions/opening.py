"""Open actions: from findings that fire, within the budgets, or by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from improvement import weeks
from improvement.check import Goal
from improvement.errors import GuardRefused, InputError
from improvement.metrics import DIMENSIONS, metric_named
from improvement.pdca import OPEN_STATES, ActionFacts, Actor, Refused, State, open_action
from improvement.plurals import how_many
from improvement.records import Outbound, Verb
from improvement.rules import Mode, Proposal, Rule, Scope, priority
from improvement.rules.opening import unowned
from improvement.rules.suggestions import did_you_mean
from workflows import access
from workflows.actions import planning, serving, triggers
from workflows.actions.rights import must_hold
from workflows.checks import measuring
from workflows.deliveries import outbox
from workflows.evidence import ledger
from workflows.models import Action, Connection, Finding, Origin, Person, Role, Transition
from workflows.rules.live import standing_rules
from workflows.steps.evaluate import memory_of
from workflows.warehouse import Warehouse, our_warehouse

ESCAPED = r"Within a name a comma is written \,, an equals sign \=, a backslash \\."
PERSON_TRIGGER_WEEKS = 8  # without a trigger: the weeks before the opening


def open_by_rule(proposal: Proposal, findings: list[Finding], warehouse: Warehouse, *, at: datetime) -> Action:
    """Open the action that a firing finding, or a group of them on one parent, asks for.

    A group's trigger is that of its largest scope; its owner, baseline and check are those of the parent.
    """
    rule, first = proposal.rule, findings[0]
    metric = metric_named(rule.metric)
    memory = memory_of(first)
    if memory is None:
        raise GuardRefused(f"No action is opened for {first.scope_key}", ["its finding has not seen a value yet"])
    scope = proposal.scope.as_dict()
    action = _new_action(
        origin=Origin.RULE,
        rule=rule,
        finding=first,
        connection=first.connection,
        scope=scope,
        metric_id=metric.id,
        title=rule.title_for(proposal.scope) if not proposal.is_group else f"{rule.title}: {proposal.scope.key}",
        goal=rule.check.goal or "",
        min_effect=rule.check.min_effect or "",
        at=at,
    )
    action.is_accepted = rule.mode is Mode.OPEN
    action.hypothesis = "" if rule.action.hypothesis == "ask" else rule.action.hypothesis
    action.owner = access.owner_for(first.connection, scope, rule.owner)
    action.due = at.date() + timedelta(days=rule.action.due_days)
    action.impact, action.urgency = priority(rule, proposal.scope, proposal.size)
    action.trigger = {
        "value": memory.trigger_value,
        "target": memory.trigger_target,
        "target_kind": memory.trigger_target_kind,
        "target_source": memory.trigger_source,
        "value_text": metric.shown(memory.trigger_value),
        "target_text": metric.shown(memory.trigger_target),
        "n": first.n,
        "rows_sha256": first.rows_sha256,
        "from_week": memory.trigger_first_week,
        "to_week": memory.trigger_last_week,
        "scopes": [member.scope.key for member in proposal.members],
    }
    weeks_of = (int(action.trigger["from_week"]), int(action.trigger["to_week"]))
    action.trigger["endangers"] = serving.endangered(rule, findings, weeks_of, warehouse, at=at)
    scopes = [Scope.of(finding.scope) for finding in findings]
    action.rolls_up_to = serving.served(rule, first.connection, scopes, weeks_of, warehouse, at=at)
    by = list(scope) if proposal.is_group else list(rule.by)
    action.measurement = {"where": _listed(rule.key.where), "by": by}
    note = unowned(proposal) if proposal.is_group and action.owner is None else ""
    return _complete(action, warehouse, rule, findings, actor=ledger.ENGINE, at=at, note=note)


def open_by_person(
    actor: Person,
    *,
    connection: str,
    metric: str,
    scope: str,
    goal: str,
    title: str,
    where: str,
    at: datetime,
) -> Action:
    """Open an action by hand, as a service owner of its scope; its trigger is the eight weeks before the opening."""
    configured = sorted(settings.REGELKREIS.connections)
    if connection not in configured:
        raise InputError(
            f"There is no connection “{connection}”.",
            mend=f"Connections in regelkreis.toml: {', '.join(configured) or 'none'}.",
        )
    if not Connection.objects.filter(name=connection).exists():
        raise InputError(f"Nothing was read from {connection} yet.", mend=f"Run `regelkreis pull {connection}` first.")
    values = pairs(scope, "scope", DIMENSIONS)
    conditions = pairs(where, "where", metric_named(metric).where_keys) if where else {}
    action = _new_action(
        origin=Origin.PERSON,
        rule=None,
        finding=None,
        connection=connection,
        scope=values,
        metric_id=metric,
        title=title or f"{metric_named(metric).title}: {Scope.of(values).key}",
        goal=Goal.parse(goal).text,
        min_effect="",
        at=at,
    )
    must_hold(actor, Role.SERVICE_OWNER, action)
    with our_warehouse() as warehouse:
        action.owner = None if actor.is_local_admin else actor
        action.trigger = window_before(action, at)
        action.measurement = measured_by(conditions, values)
        return _complete(action, warehouse, None, [], actor=actor.uid, at=at)


def window_before(action: Action, opened_at: datetime) -> dict[str, int]:
    """The trigger window of an action without a trigger: the weeks before it was opened."""
    last = weeks.last_complete_week(opened_at, planning.zone_of(action))
    return {"from_week": last - PERSON_TRIGGER_WEEKS + 1, "to_week": last}


def measured_by(where: Mapping[str, str], scope: Mapping[str, str]) -> dict[str, Any]:
    """What a person's action counts: the conditions, and the dimensions of its scope."""
    return {"where": [[key, [value]] for key, value in sorted(where.items())], "by": list(scope)}


def _new_action(
    *,
    origin: Origin,
    rule: Rule | None,
    finding: Finding | None,
    connection: str,
    scope: dict[str, str],
    metric_id: str,
    title: str,
    goal: str,
    min_effect: str,
    at: datetime,
) -> Action:
    return Action(
        origin=origin,
        rule_id=rule.id if rule else "",
        rule_sha256=rule.sha256 if rule else "",
        finding=finding,
        connection=connection,
        scope=scope,
        scope_key=Scope.of(scope).key,
        metric=metric_id,
        title=title,
        state=State.PROPOSED.value,
        goal=goal,
        min_effect=min_effect,
        max_slip_weeks=settings.REGELKREIS.max_slip_weeks,
        opened_at=at,
        last_moved_at=at,
    )


def _complete(
    action: Action,
    warehouse: Warehouse,
    rule: Rule | None,
    findings: list[Finding],
    *,
    actor: str,
    at: datetime,
    note: str = "",
) -> Action:
    with transaction.atomic():
        _may_open(action, actor)
        action.save()
        action.findings.set(findings)
        scopes = measuring.measure(action, warehouse, rule, as_of=at)
        if rule is None:
            must_be_counted(action, scopes)
        if rule is None:  # a rule's goal is one for all its scopes: where it does not fit, the owner sets another
            planning.check_goal(action)
        action.save()
        log_opening(action, actor=actor, at=at, note=note)
        outbound = Outbound(
            verb=Verb.CREATE,
            key=f"{action.code}/create",
            action_id=action.code,
            fields=planning.outbound_fields(action),
        )
        outbox.queue(action, outbound, at=at)
        for number, step in enumerate(rule.action.playbook if rule else [], start=1):
            fields: dict[str, str | int | float | None] = {"title": step, "due": None}
            task = Outbound(
                verb=Verb.TASK, key=f"{action.code}/playbook/{number}", action_id=action.code, fields=fields
            )
            outbox.queue(action, task, at=at)
        is_linked = outbox.links_triggers(action.connection)
        tickets = triggers.tickets_behind(action, warehouse, as_of=at) if is_linked else []
        if tickets:
            link = Outbound(
                verb=Verb.LINK, key=f"{action.code}/triggers", action_id=action.code, trigger_ids=tuple(tickets)
            )
            outbox.queue(action, link, at=at)
    return action


def must_be_counted(action: Action, scopes: list[str]) -> None:
    """Refuse a scope without data; ``scopes`` are those that have some."""
    if action.scope_key not in scopes:
        mend = did_you_mean(action.scope_key, scopes) if scopes else "Pull first, or widen the filter."
        raise InputError(f"Nothing is counted for {action.scope_key} on {action.connection}.", mend=mend)


def log_opening(action: Action, *, actor: str, at: datetime, note: str = "") -> None:
    """The first line of the action's history, and the ledger entry it begins with."""
    Transition.objects.create(
        action=action, at=at, event="open", from_state="", to_state=action.state, actor=actor, note=note
    )
    ledger.append(
        "action.opened",
        subject=action.code,
        actor=actor,
        at=at,
        payload={
            "rule": action.rule_id,
            "rule_sha256": action.rule_sha256,
            "connection": action.connection,
            "scope": action.scope,
            "metric": action.metric,
            "trigger": planning.published_trigger(action),
            "owner": action.owner.uid if action.owner else "",
        },
    )


def _may_open(action: Action, actor: str) -> None:
    reasons = why_not_opened(action, actor)
    if reasons:
        raise GuardRefused(f"No action is opened for {action.scope_key}", reasons)


def why_not_opened(action: Action, actor: str) -> list[str]:
    """One open action per rule and scope, and per metric and scope for people; at most the budget for one owner.

    A rule's budgets are kept where its findings are chosen (steps/open.py).
    """
    over_budget = []
    if action.origin != Origin.RULE and action.owner is not None:
        owned, budget = _open_ones().filter(owner=action.owner).count(), standing_rules().limits.budget
        if owned >= budget:
            over_budget.append(f"{action.owner.username} has {how_many(owned, 'open action')}; the budget is {budget}")
    outcome = open_action(
        ActionFacts(state=State.PROPOSED),
        actor=Actor(actor),
        has_open_twin=has_open_twin(action),
        over_budget=over_budget,
    )
    return list(outcome.reasons) if isinstance(outcome, Refused) else []


def has_open_twin(action: Action) -> bool:
    """Whether another open action is on the same rule, metric and scope. What is not measured has no twin."""
    same = _open_ones().filter(
        connection=action.connection, scope_key=action.scope_key, rule_id=action.rule_id, metric=action.metric
    )
    return planning.is_measured(action) and same.exclude(pk=action.pk).exists()


def _open_ones() -> QuerySet[Action]:
    return Action.objects.filter(state__in=[state.value for state in OPEN_STATES])


def pairs(text: str, what: str, known: tuple[str, ...]) -> dict[str, str]:
    r"""``key=value,key=value`` as typed, a comma in a value as ``\,``; :class:`InputError` for an unknown key."""
    mend = f"Write key=value, separated by commas; keys: {', '.join(known)}."
    try:
        values = {name.strip(): value.strip() for name, value in Scope.parse(text).items}
    except InputError as error:
        raise InputError(f"“{text}” is no {what}.", mend=f"{mend} {ESCAPED}") from error
    if not values:
        raise InputError(f"“{text}” is no {what}.", mend=mend)
    for name in values:
        if name not in known:
            raise InputError(f"“{name}” is no part of a {what}.", mend=mend)
    return values


def _listed(where: Any) -> list[list[Any]]:
    return [[key, list(values)] for key, values in where]
