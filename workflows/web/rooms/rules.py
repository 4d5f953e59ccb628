"""Rules: what is watched, what is bad, what fires now and for how long, and who made it live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise

from improvement.pdca import OPEN_STATES
from workflows.models import Action, Evaluation, Finding, Person, Point, RuleVersion
from workflows.web import rule_words
from workflows.web.visibility import actions_for, findings_for, may_count_for, may_read_of, sees_everything, signed_in

ENGINE = "engine"
FIRING, PENDING = "firing", "pending"  # states of a finding


@dataclass(frozen=True, slots=True)
class Listed:
    """One rule among all; counts are of the scopes that the reader may see."""

    version: RuleVersion
    title: str
    metric: str
    factor: str
    target: str
    targets: int  # further ones, for some scopes, that the reader may know of
    mode: tuple[str | Promise, str, str | Promise]
    states: Counter[str]
    open_actions: int


@dataclass(frozen=True, slots=True)
class Firing:
    """A scope that fires: what it fired on, what its newest value is, for how many weeks, and its action."""

    finding: Finding
    newest: float | None
    newest_week: int | None
    weeks: int | None
    action: Action | None


@login_required
def index(request: HttpRequest) -> HttpResponse:
    """Every live rule that may count something the reader sees."""
    person = signed_in(request)
    states = _states(findings_for(person))
    opened = Counter(actions_for(person).filter(state__in=OPEN_STATES).values_list("rule_id", flat=True))
    versions = _seen(person, RuleVersion.objects.filter(is_live=True).order_by("rule_id"))
    may_read = may_read_of(person)
    rules = [
        _listed(version, states.get(version.rule_id, Counter()), opened[version.rule_id], may_read)
        for version in versions
    ]
    rules.sort(key=lambda one: (-one.states[FIRING], -one.states[PENDING], one.title))
    newest = Evaluation.objects.order_by("-last_week").values_list("last_week", flat=True).first()
    return render(request, "web/rules.html", {"rules": rules, "newest_week": newest})


@login_required
def show(request: HttpRequest, rule_id: str) -> HttpResponse:
    """One rule in words, with what fires now."""
    person = signed_in(request)
    versions = list(RuleVersion.objects.filter(rule_id=rule_id).order_by("-is_live", "-applied_at", "-pk"))
    if not versions or not _seen(person, versions[:1]):
        raise Http404
    version = versions[0]
    found = findings_for(person).filter(rule_id=rule_id)
    actions = actions_for(person).filter(rule_id=rule_id)
    document = version.document
    spec = document["spec"]
    context = {
        "version": version,
        "document": document,
        "metric": spec["metric"],
        "facts": rule_words.facts(document, may_read_of(person)),
        "overrides": rule_words.overrides(document, may_read_of(person)),
        "mode": rule_words.MODES.get(version.mode),
        "states": _states(found).get(rule_id, Counter()),
        "firing": _firing(found, actions),
        "sees_all": sees_everything(person),
        "pending": found.filter(state=PENDING).order_by("first_pending_week", "scope_key"),
        "open_actions": actions.filter(state__in=OPEN_STATES).order_by("id"),
        "ended": actions.exclude(state__in=OPEN_STATES).count(),
        "applied_by": _who(version.applied_by),
        "earlier": [(one, _who(one.applied_by)) for one in versions[1:]],
        "derived": _seen(
            person, RuleVersion.objects.filter(is_live=True, rule_id__startswith=f"{rule_id}@").order_by("rule_id")
        ),
        "parent": rule_id.partition("@")[0] if "@" in rule_id else "",
    }
    return render(request, "web/rule.html", context)


def _seen(person: Person, versions: Iterable[RuleVersion]) -> list[RuleVersion]:
    """Those that may count something the person sees, or have found something there, or opened an action of theirs."""
    may_count = may_count_for(person)
    found = set(findings_for(person).values_list("rule_id", flat=True).distinct())
    found |= set(actions_for(person).values_list("rule_id", flat=True))
    return [one for one in versions if one.rule_id in found or may_count(one.document["spec"].get("where", {}))]


def _states(findings: QuerySet[Finding]) -> dict[str, Counter[str]]:
    """Rule → how many scopes are in each state."""
    found: dict[str, Counter[str]] = {}
    for rule_id, state in findings.values_list("rule_id", "state"):
        found.setdefault(rule_id, Counter())[state] += 1
    return found


def _listed(version: RuleVersion, states: Counter[str], open_actions: int, may_read: rule_words.MayRead) -> Listed:
    metadata, spec = version.document["metadata"], version.document["spec"]
    return Listed(
        version,
        title=metadata["title"],
        metric=spec["metric"],
        factor=metadata.get("tags", {}).get("factor", ""),
        target=rule_words.target(spec["target"], spec["metric"]) if "target" in spec else "",
        targets=len(rule_words.overrides(version.document, may_read)),
        mode=rule_words.MODES.get(version.mode, (version.mode, "none", "")),
        states=states,
        open_actions=open_actions,
    )


def _firing(findings: QuerySet[Finding], actions: QuerySet[Action]) -> list[Firing]:
    """What fires, the longest first."""
    points = Point.objects.filter(finding=OuterRef("pk")).order_by("-week")
    rows = findings.filter(state=FIRING).annotate(
        newest=Subquery(points.values("value")[:1]), newest_week=Subquery(points.values("week")[:1])
    )
    opened = {found.pk: action for action in actions.prefetch_related("findings") for found in action.findings.all()}
    return [
        Firing(
            finding,
            finding.newest,
            finding.newest_week,
            None if None in (finding.newest_week, finding.fired_week) else finding.newest_week - finding.fired_week + 1,
            opened.get(finding.pk),
        )
        for finding in rows.order_by("fired_week", "scope_key")
    ]


def _who(uid: str) -> Person | None:
    """Who made a version live; None: the engine, from the rules folder."""
    return None if uid == ENGINE else Person.objects.filter(uid=uid).first()
