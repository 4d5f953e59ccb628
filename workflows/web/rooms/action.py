"""One page that tells an action's story: why, plan, work, looks, verdict, decision, evidence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from improvement.errors import InputError
from improvement.metrics import metric_named
from improvement.pdca import OPEN_STATES, State
from improvement.review_words import untreated_text
from workflows.actions import marking, planning
from workflows.deliveries import outbox
from workflows.models import (
    Action,
    Chart,
    Connection,
    DeliveryState,
    Identity,
    LedgerEntry,
    Look,
    LookKind,
    Person,
    Plan,
    ReviewEntry,
)
from workflows.restating.restated import later_values
from workflows.steps.edited_there import EDITED, shown_there
from workflows.web.rooms import deeds, served
from workflows.web.rooms.beside import facts_beside
from workflows.web.visibility import actions_for, signed_in
from workflows.web.words import THERE, language

STEPS = (
    ("P", (State.PROPOSED, State.PLANNED)),
    ("D", (State.DOING,)),
    ("C", (State.CHECKING,)),
    ("A", (State.ACTING, State.SUSTAINING)),
)
WINDOWS = ("reference", "trigger", "confirmation", "after")


@login_required
def show(request: HttpRequest, code: str) -> HttpResponse:
    """The page of an action the person may see."""
    return page(request, find(request, code))


def page(request: HttpRequest, action: Action, *, tried: deeds.Offer | None = None, status: int = 200) -> HttpResponse:
    """The page; with a refused deed (``tried``) its reasons stand where it was tried."""
    looks = list(action.looks.filter(is_dropped=False).order_by("due_at", "id"))
    final = newest_result(looks)
    plans = list(action.plans.select_related("approved_by"))
    deliveries = list(action.deliveries.order_by("id"))
    names = names_of(action)
    serves, is_whole = served.rows(signed_in(request), action)
    context = {
        "action": action,
        "finding": action.finding,
        "later_values": later_values(action),
        "parent_rule": action.rule_id.partition("@")[0] if "@" in action.rule_id else "",
        "made_from": served.made_from(action),
        "serves": serves,
        "sees_all_served": is_whole,
        "adopted_on": _adopted_on(action),
        "detectable": planning.detectable_text(action),
        "metric_sign": _sign(action),
        "charts": charts_of(action),
        "steps": _steps(action),
        "looks": looks,
        "final": final,
        "result": final.result if final is not None else None,
        "review": final.reviews.exclude(kind="missed").first() if final is not None else None,
        "sentence": sentence(final.result if final is not None else None, language()),
        "untreated": untreated_text((final.result or {}) if final is not None else {}, language()),
        "windows": window_facts(final.result if final is not None else None),
        "plans": plans,
        "plan": plans[-1] if plans else None,
        "is_read_otherwise": _is_read_otherwise(action, plans),
        "tasks": [(task, names.get(task.assignee, task.assignee)) for task in action.tasks.all()],
        "comments": [(comment, names.get(comment.author, comment.author)) for comment in action.comments.all()],
        "history": [(step, names.get(step.actor, step.actor)) for step in action.transitions.order_by("-id")],
        "deliveries": deliveries,
        "undelivered": [delivery for delivery in deliveries if delivery.state != DeliveryState.SENT],
        "decisions": decisions_of(action, names),
        "reviews": list(action.reviews.select_related("look").order_by("id")),
        "entries": LedgerEntry.objects.filter(subject=action.code).order_by("index"),
        "there": [(THERE[name], value) for name, value in shown_there(action).items()],
        "edited_there": [THERE[name] for name in action.platform_seen.get(EDITED, ())],
        "closure": _closure(action),
        "connection": Connection.objects.filter(name=action.connection).first(),
        "beside": facts_beside(final.result if final is not None else None),
        "marks": marking.marks_of(action),
        "offers": deeds.offers(signed_in(request), action, tried),
    }
    return render(request, "web/action.html", context, status=status)


def _is_read_otherwise(action: Action, plans: list[Plan]) -> bool:
    """Whether the looks to come will say that the mapping is another than the frozen plan's."""
    is_frozen = bool(plans) and bool(plans[-1].sha256)
    return is_frozen and State(action.state) in OPEN_STATES and bool(planning.read_otherwise(action, plans[-1]))


def find(request: HttpRequest, code: str) -> Action:
    """The action of this id if the person may see it; else 404, which does not tell that it exists."""
    number = code.upper().removeprefix("ACT-")
    is_number = number.isdecimal() and len(number) < 19
    action = actions_for(signed_in(request)).filter(pk=int(number)).first() if is_number else None
    if action is None:
        raise Http404
    return action


def charts_of(action: Action) -> dict[str, dict[str, Any]]:
    """The drawn charts in the reader's language, by kind: both themes, words, table and where the data end."""
    found: dict[str, dict[str, Any]] = {}
    for chart in Chart.objects.filter(action=action, language=language()):
        entry = found.setdefault(chart.kind.replace("-", "_"), {"words": chart.alternative})
        entry[chart.theme] = chart.svg
        entry |= chart.spec.get("usermeta", {})
    return found


def newest_result(looks: list[Look]) -> Look | None:
    """The reading the page speaks of: the newest final one, else the newest interim one."""
    computed = [look for look in looks if look.result]
    finals = [look for look in computed if look.kind == LookKind.FINAL]
    return finals[-1] if finals else (computed[-1] if computed else None)


def sentence(results: Mapping[str, Any] | None, language: str) -> str:
    """The check's plain sentence in the reader's language; '' where nothing was computed."""
    key = "sentence_de" if language == "de" else "sentence"
    return str((results or {}).get(key) or (results or {}).get("sentence", ""))


def window_facts(results: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The four windows of a check with their weeks, n and rate, in their order; an empty one is left out."""
    windows = (results or {}).get("windows", {})
    return [{"name": name, **windows[name]} for name in WINDOWS if windows.get(name)]


def names_of(action: Action) -> dict[str, str]:
    """People by what stands for them in history and on the platform: pseudonymous id or account."""
    names = {person.uid: str(person) for person in Person.objects.all()}
    for identity in Identity.objects.filter(connection=action.connection).select_related("person"):
        names[identity.account] = str(identity.person)
    connection = Connection.objects.filter(name=action.connection).first()
    if connection is not None:
        names["platform"] = connection.name
        names[connection.integration_account] = "Regelkreis"
    return {**names, "engine": "Regelkreis"}


def decisions_of(action: Action, names: dict[str, str]) -> list[dict[str, Any]]:
    """What was decided, overruled or acknowledged after verdicts, oldest first, with the reason that was given."""
    notes = {(step.event, step.at): step.note for step in action.transitions.exclude(note="")}
    entries = ReviewEntry.objects.filter(review__action=action).exclude(kind="receipt").select_related("review")
    return [
        {
            "entry": entry,
            "who": names.get(entry.actor, entry.actor),
            "decision": entry.payload.get("decision", ""),
            "reason": entry.payload.get("reason", "") or notes.get((entry.payload.get("decision", ""), entry.at), ""),
            "second": names.get(entry.payload.get("second_by", ""), ""),
        }
        for entry in entries.order_by("id")
    ]


def _adopted_on(action: Action) -> datetime | None:
    """When people opened the record that was adopted; None for every other action."""
    told = action.trigger.get("adopted_opened_at")
    return datetime.fromisoformat(told) if told else None


def _closure(action: Action) -> str:
    """What its platform calls the closure that is proposed for its record; '' none."""
    closure = planning.closure_of(action)
    return outbox.closure_name(action, closure) if closure is not None and outbox.is_closed_by_people(action) else ""


def _sign(action: Action) -> int:
    try:
        return metric_named(action.metric).sign
    except InputError:  # a metric of an older catalogue
        return -1


def _steps(action: Action) -> list[dict[str, Any]]:
    now = State(action.held_from or action.state)
    order = [state for _, states in STEPS for state in states]
    reached = order.index(now) if now in order else len(order)
    steps = []
    for letter, states in STEPS:
        first, last = order.index(states[0]), order.index(states[-1])
        is_done = reached > last and action.state != State.CANCELLED.value
        steps.append({"letter": letter, "is_done": is_done, "is_now": first <= reached <= last})
    return steps
