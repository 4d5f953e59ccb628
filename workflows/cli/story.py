"""An action as a person reads it at the terminal: facts, plan, looks, history, what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from improvement import pdca
from improvement.pdca import Event
from improvement.plurals import how_many
from workflows import access
from workflows.actions import customer_facing, loop, marking, planning
from workflows.models import Action, MarkedChange, Origin, Person, Transition
from workflows.restating.restated import LaterValue, later_values
from workflows.steps.edited_there import EDITED, shown_there

Part = tuple[str, list[str], list[tuple[Any, ...]]]  # title, columns, rows

#: What can be typed for an event; the platform's and the engine's events have no command.
COMMANDS = {
    Event.SUBMIT: "submit",
    Event.APPROVE: "approve",
    Event.REJECT: "reject --reason …",
    Event.START: "start",
    Event.GO_LIVE: "golive --on DATE",
    Event.CORRECT_GOLIVE: "correct-golive --on DATE --reason …",
    Event.STANDARDISE: "decide standardise",
    Event.STOP: "decide stop --reason …",
    Event.ADJUST: "decide adjust",
    Event.LAST_SUSTAINING_LOOK: "acknowledge",
    Event.REAPPROVE: "reapprove --reason …",
    Event.HOLD: "hold --reason …",
    Event.RESUME: "resume --reason …",
    Event.CANCEL: "cancel --reason …",
}


SERVED_COLUMNS = ["action", "scope", "target in force", "from", "newest value", "to", "finding"]
LOOK_COLUMNS = ["look", "week", "due", "computed", "verdict", "sentence"]
HISTORY_COLUMNS = ["when", "event", "from", "to", "who", "note"]
ORIGINS: dict[str, str] = {Origin.RULE: "", Origin.PERSON: "opened by a person", Origin.ADOPTED: "adopted by a person"}


def story_of(action: Action) -> list[Part]:
    """The tables of one action, without the empty ones."""
    parts: list[Part] = [
        (f"{action.code} {action.title}", ["", ""], [row for row in _facts(action) if row[1] not in (None, "")]),
        ("Whom it works for", SERVED_COLUMNS, [_served(one) for one in customer_facing.served(action)]),
        ("Plan", ["", ""], [row for row in _plan(action) if row[1] not in (None, "")]),
        ("Looks", LOOK_COLUMNS, _looks(action)),
        ("History", HISTORY_COLUMNS, history_rows(action.transitions.order_by("id"))),
        ("Possible now", ["command"], _possible(action)),
    ]
    return [part for part in parts if part[2]]


def _facts(action: Action) -> list[tuple[Any, ...]]:
    trigger = action.trigger
    metric = planning.metric_of(action).title if planning.is_measured(action) else ""
    why = f"{metric}: {trigger.get('value_text', '')} against {trigger.get('target_text', '')}"
    return [
        ("state", action.state + (f" (from {action.held_from})" if action.held_from else "")),
        ("owner", action.owner.username if action.owner else "nobody yet: `regelkreis actions assign`"),
        ("owner there", _unknown_owner(action)),
        ("accepted", "" if action.is_accepted else "not yet: `regelkreis actions accept` writes it to the platform"),
        ("scope", action.scope_key),
        ("connection", action.connection),
        ("rule", rule_of(action)),
        ("adopted", _adopted(action)),
        ("not measured", _unmeasured(action)),
        ("why", f"{why} on {how_many(trigger['n'], 'record')}" if trigger.get("value_text") else ""),
        ("its target", flown_down(action)),
        *triggered_by(action, planning.published_trigger(action)),
        ("later data", "; ".join(_restated(action, value) for value in later_values(action))),
        ("due", action.due),
        ("record", " ".join(filter(None, [action.platform_number, action.platform_url]))),
        ("set there", "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown_there(action).items())),
        ("edited there", ", ".join(action.platform_seen.get(EDITED, ()))),
        ("diverged", action.diverged),
        ("changed meanwhile", "; ".join(marked(mark) for mark in marking.marks_of(action))),
        ("verdict", action.verdict + (" (overruled by two people)" if action.is_overridden else "")),
    ]


def rule_of(action: Action) -> str:
    """The rule with the version that fired, or who opened the action without one."""
    if not action.rule_id:
        return ORIGINS[action.origin]
    return f"{action.rule_id}, sha256 {action.rule_sha256[:12]}" if action.rule_sha256 else action.rule_id


def flown_down(action: Action) -> str:
    """Of a supplier's action how its target comes from the customer-facing one; '' of every other."""
    found = customer_facing.flown_down(action)
    if found is None:
        return ""
    kind, amount = action.trigger.get("target_kind"), action.trigger.get("target_text")
    return f"{kind} {amount}, {found.text}" if kind and amount else found.text


def triggered_by(action: Action, trigger: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The weeks that were bad, and the records behind them by their digest; ``trigger`` as it is published."""
    rows = trigger.get("rows_sha256")
    return [
        ("trigger", f"{trigger['from']} to {trigger['to']}" if trigger.get("from") else ""),
        ("its records", f"sha256 {rows}: `regelkreis evidence rows {action.code}`" if rows else ""),
    ]


def _served(one: customer_facing.Served) -> tuple[Any, ...]:
    target = one.target
    return (
        f"{one.action.code} ({one.action.state})" if one.action is not None else "none yet",
        one.scope.key,
        target.text if target is not None else "",
        target.source if target is not None else "",
        one.value_text,
        target.on if target is not None else "",
        one.state.replace("_", " "),
    )


def _base(action: Action) -> str:
    """What it was in the reference, before the weeks that were chosen for being bad."""
    value = action.measurement.get("baseline")
    if value is None:
        return ""
    days = action.measurement.get("windows", {}).get("reference")
    shown = planning.metric_of(action).shown(float(value))
    return f"{shown}, {days['from']} to {days['to']}" if days else shown


def _restated(action: Action, value: LaterValue) -> str:
    metric = planning.metric_of(action)
    return f"the value to {value.window_ends}, {metric.shown(value.published)}, is {metric.shown(value.later)} now"


def _adopted(action: Action) -> str:
    trigger = action.trigger
    if "adopted_record" not in trigger:
        return ""
    return f"{trigger['adopted_record']}, opened there on {trigger['adopted_opened_at'][:10]}"


def _unmeasured(action: Action) -> str:
    why = action.measurement.get("unmeasured")
    return f"{why}: `regelkreis actions measure {action.code} --metric …`" if why else ""


def _unknown_owner(action: Action) -> str:
    return access.how_to_link(action.connection, action.unknown_owner) if action.unknown_owner else ""


def marked(mark: MarkedChange) -> str:
    """A mark in one line."""
    where = ", for the whole scope" if mark.is_for_scope else ""
    return f"{mark.number}, live {mark.live_on}, marked by {mark.marked_by.username}{where}: {mark.reason}"


def _plan(action: Action) -> list[tuple[Any, ...]]:
    plan = loop.current_plan(action)
    approval = ""
    if plan is not None and plan.frozen_at is not None:
        approval = f"version {plan.version}, {plan.approved_by}, {plan.frozen_at:%Y-%m-%d}, sha256 {plan.sha256[:12]}"
    elif plan is not None:
        approval = f"version {plan.version} waits for approval"
    controls = action.measurement.get("controls", [])
    return [
        ("cycle", action.cycle_no if action.cycle_no > 1 else ""),
        ("hypothesis", action.hypothesis),
        ("base value", _base(action)),
        ("goal", action.goal),
        ("smallest effect that counts", action.min_effect or planning.half(action.goal)),
        ("smallest detectable effect", planning.detectable_text(action)),
        ("accepted nevertheless", action.detectable_accepted_reason),
        ("controls", f"{len(controls)}: {'; '.join(controls)}" if controls else "none"),
        ("planned go-live", action.golive_planned),
        ("went live", _live(action)),
        ("approval", approval),
    ]


def _live(action: Action) -> str:
    if action.implemented_on is None:
        return ""
    late = ", late: never credited" if action.is_late else ""
    return f"{action.implemented_on} {action.implemented_ref}".strip() + late


def _looks(action: Action) -> list[tuple[Any, ...]]:
    return [
        (
            look.kind,
            look.week_no,
            f"{look.due_at:%Y-%m-%d}",
            f"{look.computed_at:%Y-%m-%d}" if look.computed_at else "dropped" if look.is_dropped else "",
            look.verdict + (", missed" if look.is_missed else ""),
            (look.result or {}).get("sentence", ""),
        )
        for look in action.looks.order_by("due_at", "id")
    ]


def history_rows(steps: Iterable[Transition]) -> list[tuple[Any, ...]]:
    """Lines of an action's history, with people by name."""
    rows = list(steps)
    names = dict(Person.objects.filter(uid__in={row.actor for row in rows}).values_list("uid", "username"))
    return [
        (
            f"{row.at:%Y-%m-%d}",
            row.event.replace("_", " "),
            row.from_state,
            row.to_state,
            names.get(row.actor, row.actor),
            row.note,
        )
        for row in rows
    ]


def _possible(action: Action) -> list[tuple[Any, ...]]:
    impossible = Event.CORRECT_GOLIVE if action.implemented_on is None else Event.GO_LIVE
    events = [event for event in pdca.allowed(loop.facts_of(action)) if event is not impossible]
    words = [COMMANDS[event] for event in events if event in COMMANDS]
    if not planning.is_measured(action):
        words = ["measure --metric … --scope …", *words]
    if action.state == "proposed":
        words = ["plan --hypothesis … --golive DATE [--goal …]", *words]
    commands = [word.partition(" ") for word in words]
    return [(f"regelkreis actions {name} {action.code} {options}".strip(),) for name, _, options in commands]
