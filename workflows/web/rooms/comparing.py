"""Suppliers and countries: funnel plots of what the cycle published, targets in force, and what is being done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from improvement.metrics import metric_named
from improvement.pdca import State
from improvement.rules.tiling import window_ends
from workflows.models import Action, Finding, RuleVersion, ScopeChart
from workflows.web.rule_words import weeks
from workflows.web.visibility import actions_for, sees_everything, signed_in
from workflows.web.words import language

OVER = (State.CLOSED.value, State.CANCELLED.value)


@login_required
def suppliers(request: HttpRequest) -> HttpResponse:
    """How suppliers keep what was passed on to them."""
    return _page(request, "supplier")


@login_required
def countries(request: HttpRequest) -> HttpResponse:
    """How countries keep what was promised there."""
    return _page(request, "country")


def _page(request: HttpRequest, dimension: str) -> HttpResponse:
    """The funnels add up all customers, so only who may see all of them sees the page's figures."""
    person = signed_in(request)
    may_see = sees_everything(person)
    context = {
        "dimension": dimension,
        "may_see": may_see,
        "funnels": _funnels(dimension, actions_for(person)) if may_see else [],
        "without": _without(dimension) if may_see else [],
    }
    return render(request, "web/comparing.html", context)


def _funnels(dimension: str, actions: Iterable[Action]) -> list[dict[str, Any]]:
    """The drawn funnels in the reader's language, each with a line for every supplier or country."""
    found: dict[str, dict[str, Any]] = {}
    for chart in ScopeChart.objects.filter(dimension=dimension, language=language()).order_by("rule_id"):
        entry = found.setdefault(chart.rule_id, {"words": chart.alternative})
        entry[chart.theme] = chart.svg
        entry |= chart.spec.get("usermeta", {})
    titles = {row.rule_id: row for row in RuleVersion.objects.filter(rule_id__in=found, is_live=True)}
    going_on: defaultdict[tuple[str, str], list[Action]] = defaultdict(list)
    for action in actions:
        if action.rule_id in found and action.state not in OVER:
            going_on[action.rule_id, action.scope.get(dimension, "")].append(action)
    return [
        {
            "rule_id": rule_id,
            "title": titles[rule_id].document["metadata"]["title"] if rule_id in titles else rule_id,
            "metric": titles[rule_id].document["spec"]["metric"] if rule_id in titles else "",
            "chart": chart,
            "lines": _lines(rule_id, dimension, chart, going_on),
        }
        for rule_id, chart in found.items()
    ]


def _without(dimension: str) -> list[dict[str, str]]:
    """Live rules of a share by this dimension whose windows cannot lie side by side: their values are not added up."""
    found = []
    for version in RuleVersion.objects.filter(is_live=True).order_by("rule_id"):
        spec = version.document["spec"]
        if dimension not in spec.get("by", ()) or metric_named(spec["metric"]).family != "proportion":
            continue
        window, every = spec["window"], spec["every"]
        if not window_ends(0, window_weeks=_number(window), every_weeks=_number(every)):
            title = version.document["metadata"]["title"]
            found.append({"rule_id": version.rule_id, "title": title, "window": weeks(window), "every": weeks(every)})
    return found


def _number(span: str) -> int:
    return int(span.rstrip("w"))


def _lines(
    rule_id: str, dimension: str, chart: dict[str, Any], going_on: dict[tuple[str, str], list[Action]]
) -> list[dict[str, Any]]:
    firing: Counter[str] = Counter()
    for scope in Finding.objects.filter(rule_id=rule_id, state="firing").values_list("scope", flat=True):
        firing[scope.get(dimension, "")] += 1
    return [
        {
            **unit,
            "targets": chart.get("targets", {}).get(unit["name"], []),
            "firing": firing[unit["name"]],
            "actions": going_on.get((rule_id, unit["name"]), []),
        }
        for unit in chart.get("units", [])
    ]
