"""The continual improvement register: the backlog as a P-D-C-A board or as a table, filters in the address."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.db.models import Case, F, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from improvement.vocabulary import ENDED_STATES, State
from workflows.csv_writing import inert
from workflows.models import Action
from workflows.web import words
from workflows.web.visibility import actions_for, signed_in

LOOKUPS = {
    "connection": "connection",
    "state": "state",
    "verdict": "verdict",
    "owner": "owner__username",
    "rule": "rule_id",
    "metric": "metric",
    "customer": "scope__customer",
    "country": "scope__country",
    "service": "scope__service",
}
VIEWS: dict[str, tuple[str | Promise, Q]] = {  # ready-made filters; with a person's own where it says `mine`
    "mine": (_("Mine"), Q()),
    "decide": (_("Decision due"), Q(state=State.ACTING.value)),
    "unowned": (_("Without owner"), Q(owner__isnull=True)),
    "late": (_("Late"), Q(is_late=True)),
    "diverged": (_("Diverged"), ~Q(diverged="")),
    "strangers": (_("Owner unknown"), ~Q(unknown_owner="")),
    "overridden": (_("Overruled"), Q(is_overridden=True)),
}
COLUMNS: tuple[tuple[str, str | Promise, tuple[State, ...]], ...] = (
    ("P", _("Plan"), (State.PROPOSED, State.PLANNED)),
    ("D", _("Do"), (State.DOING,)),
    ("C", _("Check"), (State.CHECKING,)),
    ("A", _("Act"), (State.ACTING, State.SUSTAINING)),
    ("", _("Done or on hold"), (State.CLOSED, State.CANCELLED, State.ON_HOLD)),
)
DONE_SHOWN = 8  # on the board; the table has them all


@dataclass(slots=True)
class Column:
    """One column of the board; ``more`` are left to the table."""

    letter: str
    title: str
    actions: list[Action]
    more: int


@login_required
def show(request: HttpRequest) -> HttpResponse:
    """The board (default) or the table (``?view=table``)."""
    rows = list(filtered(request))
    visible = actions_for(signed_in(request))
    context = {
        "columns": [_column(letter, str(title), states, rows) for letter, title, states in COLUMNS],
        "actions": rows,
        "is_table": request.GET.get("view") == "table",
        "choices": _choices(visible),
        "chosen": {key: request.GET.get(key, "") for key in (*LOOKUPS, "q", "show", "phase")},
        "is_filtered": any(request.GET.get(key) for key in (*LOOKUPS, "q", "show", "phase")),
        "views": [(key, str(title)) for key, (title, _query) in VIEWS.items()],
        "query": _query_without(request, "view"),
        "query_without_show": _query_without(request, "show"),
        "total": visible.count(),
    }
    template = "web/_register_body.html" if request.headers.get("HX-Request") else "web/register.html"
    response = render(request, template, context)
    response.headers["Vary"] = "HX-Request, Cookie, Accept-Language"
    return response


def filtered(request: HttpRequest) -> QuerySet[Action]:
    """The actions the address asks for, most pressing first: open ones by priority (impact × urgency) and due date."""
    person = signed_in(request)
    actions = actions_for(person)
    for key, lookup in LOOKUPS.items():
        value = request.GET.get(key)
        if value:
            actions = actions.filter(**{lookup: value})
    phase = request.GET.get("phase", "")
    if phase:
        actions = actions.filter(state__in=[state for state, letter in words.PHASES.items() if letter == phase])
    view = request.GET.get("show", "")
    if view in VIEWS:
        actions = actions.filter(Q(owner=person) if view == "mine" else VIEWS[view][1])
    text = request.GET.get("q", "").strip()
    if text:
        actions = actions.filter(_matches(text))
    is_ended = Case(When(state__in=ENDED_STATES, then=1), default=0)
    return actions.order_by(is_ended, F("impact") + F("urgency"), "due", "id")


def _matches(text: str) -> Q:
    number = text.upper().removeprefix("ACT-")
    found = Q(title__icontains=text) | Q(scope_key__icontains=text) | Q(platform_number__icontains=text)
    return found | Q(pk=int(number)) if number.isdecimal() and len(number) < 10 else found


def _column(letter: str, title: str, states: tuple[State, ...], rows: list[Action]) -> Column:
    values = {state.value for state in states}
    inside = [action for action in rows if action.state in values]
    if letter:
        return Column(letter, title, inside, 0)
    inside.sort(key=lambda action: (action.state in ENDED_STATES, -action.last_moved_at.timestamp()))
    return Column(letter, title, inside[:DONE_SHOWN], max(0, len(inside) - DONE_SHOWN))


def _choices(actions: QuerySet[Action]) -> dict[str, list[tuple[str, str]]]:
    """What can be chosen in each filter: value and word."""

    def distinct(field: str, table: words.Words | None = None) -> list[tuple[str, str]]:
        values = [value for value in actions.order_by(field).values_list(field, flat=True).distinct() if value]
        return [(value, words.said(table, value) if table else value) for value in dict.fromkeys(values)]

    owners = {
        action.owner.username: str(action.owner) for action in actions.order_by("owner__username") if action.owner
    }
    verdicts = {key: word for key, (word, _tone, _shape) in words.VERDICTS.items()}
    return {
        "connection": distinct("connection"),
        "customer": distinct("scope__customer"),
        "country": distinct("scope__country"),
        "owner": list(owners.items()),
        "state": distinct("state", words.STATES),
        "verdict": distinct("verdict", verdicts),
        "metric": distinct("metric", words.METRICS),
    }


def _query_without(request: HttpRequest, key: str) -> str:
    query = request.GET.copy()
    query.pop(key, None)
    return str(query.urlencode())


CSV_COLUMNS = (
    "id", "title", "state", "owner", "connection", "scope", "metric", "goal", "due", "verdict", "impact", "urgency",
    "late", "diverged", "record",
)  # fmt: skip


@login_required
def export(request: HttpRequest) -> HttpResponse:
    """The same actions as CSV. Cells that a spreadsheet would run as a formula are quoted."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="register.csv"'
    response.write("\ufeff")
    writer = csv.writer(response)
    writer.writerow(CSV_COLUMNS)
    for action in filtered(request):
        values = (
            action.code,
            action.title,
            action.state,
            action.owner.username if action.owner else "",
            action.connection,
            action.scope_key,
            action.metric,
            action.goal,
            action.due or "",
            action.verdict,
            action.impact,
            action.urgency,
            "yes" if action.is_late else "",
            action.diverged,
            action.platform_number,
        )
        writer.writerow([inert(str(value)) for value in values])
    return response
