"""Whom a supplier's action serves: the customer-facing scopes that its supplier works for and that are in trouble."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import pyarrow.compute as pc
from django.db.models import QuerySet

from improvement.rules import Rule, Scope, SeriesKey
from improvement.vocabulary import ENDED_STATES
from workflows.actions.holding import kept
from workflows.evidence import ledger
from workflows.models import Action, Finding
from workflows.steps.evaluate import cell_query
from workflows.warehouse import Warehouse

Weeks = tuple[int, int]


def endangered(
    rule: Rule, findings: Sequence[Finding], weeks: Weeks, warehouse: Warehouse, *, at: datetime
) -> list[str]:
    """The customer-facing scopes that fire or are about to, and in which a supplier of these findings had records."""
    if rule.derived_from is None:
        return []
    connection = findings[0].connection
    facing = Finding.objects.filter(
        rule_id=rule.derived_from, connection=connection, state__in=("firing", "pending")
    ).order_by("scope_key")
    scopes = [Scope.of(one.scope) for one in facing]
    suppliers = [Scope.of(one.scope) for one in findings]
    theirs = _worked_for(rule, suppliers, scopes, connection, weeks, warehouse, at=at)
    return [scope.key for scope in scopes if scope in theirs]


def served(
    rule: Rule, connection: str, scopes: Sequence[Scope], weeks: Weeks, warehouse: Warehouse, *, at: datetime
) -> Action | None:
    """The open customer-facing action in whose scope the suppliers of ``scopes`` had records in these weeks; of several
    the one with the most records.
    """
    if rule.derived_from is None:
        return None
    facing = list(_open(connection).filter(rule_id=rule.derived_from).order_by("id"))
    theirs = _worked_for(rule, scopes, [Scope.of(one.scope) for one in facing], connection, weeks, warehouse, at=at)
    found = [one for one in facing if Scope.of(one.scope) in theirs]
    return max(found, key=lambda one: int(one.trigger.get("n") or 0), default=None)


def unserved(rules: Sequence[Rule], connection: str) -> list[Action]:
    """The actions of these suppliers' rules that serve nobody yet, kept: they are to be linked to what is opened next,
    and whoever opens it has the ledger by then (:mod:`workflows.actions.holding`).
    """
    if not rules:
        return []
    theirs = kept().filter(connection=connection, rule_id__in=[rule.id for rule in rules], rolls_up_to=None)
    return list(theirs.exclude(state__in=ENDED_STATES).order_by("id"))


def link_to(
    parent: Action, theirs: Iterable[Action], rules: Iterable[Rule], warehouse: Warehouse, *, at: datetime
) -> None:
    """Let suppliers' actions that serve nobody yet serve a customer-facing one that is opened just now.

    Inside the transaction that opens it: later cycles do not look for them again.
    """
    by_id = {rule.id: rule for rule in rules}
    scope = Scope.of(parent.scope)
    for action in theirs:
        suppliers = [Scope.parse(key) for key in action.trigger["scopes"]]
        weeks = (int(action.trigger["from_week"]), int(action.trigger["to_week"]))
        if _worked_for(by_id[action.rule_id], suppliers, [scope], parent.connection, weeks, warehouse, at=at):
            action.rolls_up_to = parent
            action.save(update_fields=["rolls_up_to"])
            payload = {"rolls_up_to": parent.code}
            ledger.append("action.served", subject=action.code, actor=ledger.ENGINE, at=at, payload=payload)


def _open(connection: str) -> QuerySet[Action]:
    return Action.objects.filter(connection=connection).exclude(state__in=ENDED_STATES)


def _worked_for(
    rule: Rule,
    suppliers: Collection[Scope],
    facing: Collection[Scope],
    connection: str,
    weeks: Weeks,
    warehouse: Warehouse,
    *,
    at: datetime,
) -> set[Scope]:
    """Those of ``facing`` in which records of these suppliers were counted."""
    found: set[Scope] = set()
    for names in {tuple(name for name, _ in scope.items) for scope in facing}:
        by = tuple(dict.fromkeys((*names, *rule.key.by)))
        query = cell_query(SeriesKey(rule.metric, rule.key.where, by), connection)
        cells = warehouse.cells(query, as_of=at, first_week=weeks[0], last_week=weeks[1])
        for row in cells.filter(pc.greater(cells["n"], 0)).select(by).to_pylist():
            if any(Scope.of({name: row[name] for name, _ in one.items}) == one for one in suppliers):
                found.add(Scope.of({name: row[name] for name in names}))
    return found & set(facing)
