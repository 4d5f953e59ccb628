"""One page that tells an action's story: why, plan, work, looks, verdict, decision, evidence."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language

from improvement import pdca
from improvement.pdca import State
from workflows import loop, outbox
from workflows.models import Action, Chart, LedgerEntry, Look, LookKind
from workflows.web.visibility import actions_for, signed_in

STEPS = (
    ("P", (State.PROPOSED, State.PLANNED)),
    ("D", (State.DOING,)),
    ("C", (State.CHECKING,)),
    ("A", (State.ACTING, State.SUSTAINING)),
)


@login_required
def show(request: HttpRequest, code: str) -> HttpResponse:
    """The page of an action the person may see."""
    action = _find(request, code)
    looks = list(action.looks.filter(is_dropped=False).order_by("due_at", "id"))
    final = newest_result(looks)
    plans = list(action.plans.all())
    language = "de" if (get_language() or "en").startswith("de") else "en"
    context = {
        "action": action,
        "finding": action.finding,
        "charts": {chart.theme: chart for chart in Chart.objects.filter(action=action, language=language)},
        "steps": _steps(action),
        "looks": looks,
        "final": final,
        "result": final.result if final is not None else None,
        "sentence": sentence(final, language),
        "plans": plans,
        "plan": plans[-1] if plans else None,
        "tasks": list(action.tasks.all()),
        "comments": list(action.comments.all()),
        "history": list(action.transitions.order_by("-id")),
        "deliveries": list(action.deliveries.order_by("id")),
        "reviews": list(action.reviews.order_by("id")),
        "entries": LedgerEntry.objects.filter(subject=action.code).order_by("index"),
        "may": [event.value for event in pdca.allowed(loop.facts_of(action))],
        "page_url": outbox.page_url(action),
    }
    return render(request, "web/action.html", context)


def _find(request: HttpRequest, code: str) -> Action:
    number = code.upper().removeprefix("ACT-")
    action = actions_for(signed_in(request)).filter(pk=int(number)).first() if number.isdecimal() else None
    if action is None:
        raise Http404
    return action


def newest_result(looks: list[Look]) -> Look | None:
    """The reading the page speaks of: the newest final one, else the newest interim one."""
    computed = [look for look in looks if look.result]
    finals = [look for look in computed if look.kind == LookKind.FINAL]
    return finals[-1] if finals else (computed[-1] if computed else None)


def sentence(look: Look | None, language: str) -> str:
    """The check's plain sentence in the reader's language."""
    if look is None or not look.result:
        return ""
    key = "sentence_de" if language == "de" else "sentence"
    return str(look.result.get(key) or look.result.get("sentence", ""))


def _steps(action: Action) -> list[dict[str, Any]]:
    now = State(action.held_from or action.state)
    order = [state for _, states in STEPS for state in states]
    reached = order.index(now) if now in order else len(order)
    steps = []
    for letter, states in STEPS:
        first, last = order.index(states[0]), order.index(states[-1])
        steps.append({"letter": letter, "is_done": reached > last, "is_now": first <= reached <= last})
    return steps
