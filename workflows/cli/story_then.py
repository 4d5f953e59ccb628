"""An action as it was known at a moment, as a person reads it at the terminal."""

from __future__ import annotations

from typing import Any

from improvement.metrics import metric_named
from improvement.plurals import how_many
from workflows.cli.story import (
    HISTORY_COLUMNS,
    LOOK_COLUMNS,
    Part,
    flown_down,
    history_rows,
    marked,
    rule_of,
    triggered_by,
)
from workflows.evidence.as_it_was import ActionThen, LookThen, looks_at


def story_then(then: ActionThen) -> list[Part]:
    """The tables of one action at a moment, without the empty ones."""
    action = then.action
    parts: list[Part] = [
        (f"{action.code} {then.title}", ["", ""], [row for row in _facts(then) if row[1] not in (None, "")]),
        ("Plan", ["", ""], [row for row in _plan(then) if row[1] not in (None, "")]),
        ("Looks", LOOK_COLUMNS, [_look(look) for look in looks_at(action, then.at)]),
        ("History", HISTORY_COLUMNS, history_rows(then.history)),
    ]
    return [part for part in parts if part[2]]


def _facts(then: ActionThen) -> list[tuple[Any, ...]]:
    told, action = then.told, then.action
    trigger = told.get("trigger", {})
    metric = metric_named(told["metric"]).title if told.get("metric") else ""
    why = f"{metric}: {trigger.get('value_text', '')} against {trigger.get('target_text', '')}"
    held = told.get("held_from")
    return [
        ("as known at", f"{then.at:%Y-%m-%d %H:%M} UTC"),
        ("state", then.state + (f" (from {held})" if held else "")),
        ("owner", then.owner or "nobody yet"),
        ("accepted", "" if told["is_accepted"] else "not yet"),
        ("scope", action.scope_key),
        ("connection", action.connection),
        ("rule", rule_of(action)),
        ("why", f"{why} on {how_many(trigger['n'], 'record')}" if trigger.get("value_text") else ""),
        ("its target", flown_down(action)),
        *triggered_by(action, trigger),
        ("record", told.get("record")),
        ("changed meanwhile", "; ".join(marked(mark) for mark in then.marks)),
        ("verdict", (told.get("verdict") or "") + (" (overruled by two people)" if told.get("is_overridden") else "")),
    ]


def _plan(then: ActionThen) -> list[tuple[Any, ...]]:
    told, plan = then.told, then.plan
    approval = ""
    if plan is not None and plan.frozen_at is not None:
        approval = f"version {plan.version}, {plan.approved_by}, {plan.frozen_at:%Y-%m-%d}, sha256 {plan.sha256[:12]}"
    late = ", late: never credited" if told.get("is_late") else ""
    return [
        ("cycle", told["cycle_no"] if told["cycle_no"] > 1 else ""),
        ("hypothesis", told.get("hypothesis")),
        ("goal", told.get("goal")),
        ("smallest effect that counts", told.get("min_effect")),
        ("planned go-live", told.get("golive_planned")),
        ("went live", f"{told['implemented_on']}{late}" if told.get("implemented_on") else ""),
        ("approval", approval),
    ]


def _look(look: LookThen) -> tuple[Any, ...]:
    computed = look.look.computed_at if look.is_computed else None
    return (
        look.look.kind,
        look.look.week_no,
        f"{look.due_at:%Y-%m-%d}" if look.due_at is not None else "",
        f"{computed:%Y-%m-%d}" if computed is not None else "dropped" if look.is_dropped else "",
        look.verdict + (", missed" if look.is_missed else ""),
        (look.result or {}).get("sentence", ""),
    )
