"""The canonical form of a rule: its document with every default filled in and every value in one spelling.

Two files that mean the same give the same bytes; the SHA-256 of those is the rule's version. The form is itself a
document that can be loaded again, so an open action can always be read with the version that opened it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from improvement.evidence.canonical import digest
from improvement.rules.rule import Clear, Condition, FlowDown, Override, Rule, Target, TargetKind
from improvement.rules.units import number_text

SERIES = ("metric", "where", "by", "window", "every")


def versioned(rule: Rule) -> Rule:
    """The rule with its canonical document and the digests that name its version and its series."""
    document = canonical_document(rule)
    return replace(rule, document=document, sha256=digest(document), series_sha256=series_of(document))


def series_of(document: Mapping[str, Any]) -> str:
    """What a canonical document counts, as a SHA-256: versions of another one have other series.

    The order of a list says nothing: the same scopes and records are meant.
    """
    spec = document["spec"]
    where = {name: sorted(values) for name, values in spec["where"].items()}
    return digest({**{name: spec[name] for name in SERIES}, "where": where, "by": sorted(spec["by"])})


def canonical_document(rule: Rule) -> dict[str, Any]:
    """A JSON object in the shape of a rule document."""
    return {
        "apiVersion": "regelkreis/v1",
        "kind": "Rule",
        "metadata": {
            "id": rule.id,
            "title": rule.title,
            "description": rule.description,
            "owner": rule.owner,
            "objective": rule.objective,
            "tags": dict(sorted(rule.tags.items())),
        },
        "spec": _spec(rule),
        "action": _action(rule),
        "check": _check(rule),
    }


def _spec(rule: Rule) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "mode": rule.mode.value,
        "metric": rule.metric,
        "where": {key: list(values) for key, values in rule.key.where},
        "by": list(rule.by),
        "window": _w(rule.window_weeks),
        "every": _w(rule.every_weeks),
        "target": target_part(rule.target),
        "overrides": [_override(override) for override in rule.overrides],
        "while": [_condition(condition) for condition in rule.conditions],
        "trigger": {"for": _w(rule.for_values * rule.every_weeks), "min_samples": rule.min_samples},
        "clear": _clear(rule.clear, rule.every_weeks),
        "cooldown": _w(rule.cooldown_weeks),
    }
    if rule.flow_down is not None:
        spec["flow_down"] = _flow_down(rule.flow_down)
    return spec


def _action(rule: Rule) -> dict[str, Any]:
    action = rule.action
    return {
        "title": action.title,
        "hypothesis": action.hypothesis,
        "priority": {"impact": action.impact or "from-scope", "urgency": action.urgency or "from-size"},
        "due": f"{action.due_days}d",
        "playbook": list(action.playbook),
        "register": action.register,
    }


def _check(rule: Rule) -> dict[str, Any]:
    check = rule.check
    document: dict[str, Any] = {
        "looks": [_w(week) for week in check.looks],
        "sustain": [_w(week) for week in check.sustain],
        "controls": {"same": list(check.controls_same), "max": check.controls_max},
    }
    for name, effect in (("goal", check.goal), ("min_effect", check.min_effect)):
        if effect is not None:
            document[name] = effect
    return document


def target_part(target: Target) -> dict[str, Any]:
    """A target as a rule writes it."""
    if target.kind is not TargetKind.WORSE_THAN_OWN:
        return {target.kind.value: target.value}
    by = f"{number_text(target.value * 100)}%" if target.is_relative else target.value
    return {"worse_than_own": {"by": by, "reference": _w(target.reference_weeks)}}


def _override(override: Override) -> dict[str, Any]:
    document: dict[str, Any] = {"when": dict(override.when), "target": target_part(override.target)}
    if override.valid_from is not None:
        document["from"] = override.valid_from.isoformat()
    if override.valid_to is not None:
        document["to"] = override.valid_to.isoformat()
    return document


def _condition(condition: Condition) -> dict[str, Any]:
    where = {key: list(values) for key, values in condition.key.where}
    samples = {"min_samples": condition.min_samples} if condition.min_samples else {}
    return {"metric": condition.key.metric, "where": where, **target_part(condition.target), **samples}


def _clear(clear: Clear, every_weeks: int) -> dict[str, Any]:
    limit: dict[str, Any] = {"ratio": clear.ratio} if clear.target is None else target_part(clear.target)
    return {**limit, "for": _w(clear.values * every_weeks)}


def _flow_down(flow_down: FlowDown) -> dict[str, Any]:
    document: dict[str, Any] = {
        "by": list(flow_down.by),
        "tighten": flow_down.tighten,
        "agreement": list(flow_down.agreement),
    }
    if flow_down.target is not None:
        document["target"] = target_part(flow_down.target)
    return document


def _w(weeks: int) -> str:
    return f"{weeks}w"
