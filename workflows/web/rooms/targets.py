"""Targets in force today: which one holds for whom, where it comes from, and who has none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from improvement.rules.known_values import signs_of
from workflows.models import RuleVersion
from workflows.web import rule_words
from workflows.web.rooms.kept import Sees, figures, sight_of
from workflows.web.visibility import sees_everything, signed_in

ALIKE_SHOWN = 8
LEVELS = ("global", "country", "customer", "service")


@dataclass(frozen=True, slots=True)
class Held:
    """One target of a rule, and the scopes it holds for: (connection, scope)."""

    text: str
    level: str
    source: str
    valid_from: str
    valid_to: str
    scopes: list[tuple[str, dict[str, str]]]


@dataclass(frozen=True, slots=True)
class OfRule:
    """The targets of one rule, the most general first."""

    rule_id: str
    title: str
    metric: str
    held: list[Held]

    @property
    def scopes(self) -> int:
        """How many scopes the rule counts."""
        return sum(len(one.scopes) for one in self.held)


@login_required
def show(request: HttpRequest) -> HttpResponse:
    """The targets by rule and the gaps, as they were found last."""
    person = signed_in(request)
    kept = figures("targets")
    if kept is None:
        return render(request, "web/targets.html", {"is_counted": False})
    document, as_of = kept
    sees = sight_of(person)
    gaps = [gap for gap in document["gaps"] if sees(gap["connection"], {gap["dimension"]: gap["value"]})]
    alike = _alike(document.get("alike", ()), sees)  # not of what an earlier release kept
    is_whole = sees_everything(person)
    context = {
        "is_counted": True,
        "as_of": as_of,
        "on": document["on"],
        "rules": _by_rule(document["targets"], sees),
        "without": [gap for gap in gaps if gap["target"] == "none"],
        "general": _general(gaps),
        "alike": alike[:ALIKE_SHOWN],
        "more_alike": len(alike[ALIKE_SHOWN:]),
        "unknown": document["unknown"] if is_whole else [],
        "zoneless": document["countries_in_the_default_zone"] if is_whole else [],
        "calendarless": document["countries_by_the_wall_clock"] if is_whole else [],
    }
    return render(request, "web/targets.html", context)


def _alike(groups: Iterable[Mapping[str, Any]], sees: Sees) -> list[dict[str, Any]]:
    """Names that people take for one: of those that the reader sees any of, as they belong to one of them only."""
    return [
        {**one, "names": [(value, signs_of(value)) for value in one["values"]]}
        for one in groups
        if any(sees(one["connection"], {one["dimension"]: value}) for value in one["values"])
    ]


def _by_rule(targets: Iterable[Mapping[str, Any]], sees: Sees) -> list[OfRule]:
    titles = {row.rule_id: row.document["metadata"]["title"] for row in RuleVersion.objects.filter(is_live=True)}
    found: dict[tuple[str, str], dict[tuple[str, ...], Held]] = defaultdict(dict)
    for one in targets:
        if not sees(one["connection"], one["scope"]):
            continue
        text = _text(one)
        dates = (one["valid_from"] or "", one["valid_to"] or "")
        held = found[one["rule"], one["metric"]].setdefault(
            (text, one["from"], *dates), Held(text, one["level"], one["from"], *dates, [])
        )
        held.scopes.append((one["connection"], one["scope"]))
    rules = [
        OfRule(rule_id, titles.get(rule_id, rule_id), metric, sorted(held.values(), key=_rank))
        for (rule_id, metric), held in found.items()
    ]
    return sorted(rules, key=lambda rule: rule.title)


def _rank(held: Held) -> tuple[int, str]:
    return (LEVELS.index(held.level) if held.level in LEVELS else len(LEVELS), held.source)


def _text(one: Mapping[str, Any]) -> str:
    return rule_words.target(one["part"], one["metric"])


def _general(gaps: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those with a general target only, dimension by dimension, the most records first."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for gap in gaps:
        if gap["target"] == "general":
            found[gap["dimension"]].append(gap)
    return [{"dimension": name, "gaps": sorted(rows, key=lambda gap: -gap["records"])} for name, rows in found.items()]
