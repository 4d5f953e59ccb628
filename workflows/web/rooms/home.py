"""Home: what is due, what is new on my services, and how my customers fare."""

from __future__ import annotations

from collections import Counter

from django.contrib.auth.decorators import login_required
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from improvement.pdca import State
from workflows.models import Action, Connection, Finding, Look, Person, ReviewRecord, Role, RuleVersion
from workflows.web.rooms.moods import moods
from workflows.web.visibility import actions_for, findings_for, signed_in
from workflows.web.words import PHASES

SHOWN = 6
ACTING = (Role.SERVICE_OWNER, Role.APPROVER, Role.ADMIN)  # others only look


@login_required
def show(request: HttpRequest) -> HttpResponse:
    """The first page after signing in."""
    person = signed_in(request)
    actions = actions_for(person)
    own = actions.filter(owner=person)
    mine = own if own.exists() else actions
    customers, newest_week = moods(person)
    context = {
        "phases": _phases(actions),
        "is_mine": own.exists(),
        "may_act": own.exists() or any(person.has_role(role) for role in ACTING),
        "due": _due(person, mine),
        "looks": Look.objects.filter(action__in=mine, computed_at__isnull=True, is_dropped=False)
        .select_related("action")
        .order_by("due_at", "id")[:SHOWN],
        "findings": _new_findings(person),
        "reviews": ReviewRecord.objects.filter(action__in=actions, kind="final")
        .select_related("action", "look")
        .order_by("-recorded_at", "-id")[:SHOWN],
        "customers": customers,
        "newest_week": newest_week,
        "data_as_of": Connection.objects.aggregate(newest=Max("last_pull_as_of"))["newest"],
        "broken": Connection.objects.exclude(last_error=""),
    }
    return render(request, "web/home.html", context)


def _phases(actions: QuerySet[Action]) -> dict[str, int]:
    """How many actions stand in each phase; closed ones under ``closed``."""
    states = Counter(actions.values_list("state", flat=True))
    counted = {letter: sum(states[state] for state, at in PHASES.items() if at == letter) for letter in "PDCA"}
    return {**counted, "closed": states[State.CLOSED.value], "held": states[State.ON_HOLD.value]}


def _due(person: Person, mine: QuerySet[Action]) -> list[dict[str, object]]:
    """What waits for this person: decisions first, then approvals, plans and go-lives, the earliest due first."""
    ordered = mine.order_by("due", "id")
    waiting: list[tuple[str, QuerySet[Action]]] = [("decide", ordered.filter(state=State.ACTING.value))]
    if person.has_role(Role.APPROVER):
        drafts = actions_for(person).filter(state=State.PLANNED.value, plans__sha256="").exclude(owner=person)
        waiting.append(("approve", drafts.distinct().order_by("due", "id")))
    waiting += [
        ("plan", ordered.filter(state=State.PROPOSED.value)),
        ("start", ordered.filter(state=State.PLANNED.value).exclude(plans__sha256="").distinct()),
        ("golive", ordered.filter(state=State.DOING.value, implemented_on__isnull=True)),
        (
            "acknowledge",
            ordered.filter(
                state=State.SUSTAINING.value, looks__kind="sustain", looks__computed_at__isnull=False,
                looks__held_at__isnull=True,
            ).distinct(),
        ),
    ]  # fmt: skip
    return [{"what": what, "action": action} for what, found in waiting for action in found[:SHOWN]]


def _new_findings(person: Person) -> list[dict[str, object]]:
    """What fires now, newest first, with the rule's title and the action it opened."""
    titles = {row.rule_id: row.document for row in RuleVersion.objects.filter(is_live=True)}
    firing = findings_for(person).filter(state="firing").order_by("-fired_week", "rule_id", "scope_key")
    return [_told(finding, titles.get(finding.rule_id, {})) for finding in firing[:SHOWN]]


def _told(finding: Finding, rule: dict[str, dict[str, str]]) -> dict[str, object]:
    return {
        "finding": finding,
        "title": rule.get("metadata", {}).get("title", finding.rule_id),
        "metric": rule.get("spec", {}).get("metric", ""),
        "action": finding.actions.order_by("-id").first(),
    }
