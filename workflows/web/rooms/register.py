"""The continual improvement register: the backlog as a P-D-C-A board or as a table, filters in the address."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from improvement.pdca import State
from workflows.models import Action
from workflows.web.visibility import actions_for, signed_in

FILTERS = ("connection", "state", "verdict", "owner", "rule", "metric")
COLUMNS = (
    ("P", "Plan", (State.PROPOSED, State.PLANNED)),
    ("D", "Do", (State.DOING,)),
    ("C", "Check", (State.CHECKING,)),
    ("A", "Act", (State.ACTING, State.SUSTAINING)),
    ("", "Done", (State.CLOSED, State.CANCELLED, State.ON_HOLD)),
)


@dataclass(slots=True)
class Column:
    """One column of the board."""

    letter: str
    title: str
    actions: list[Action]


@login_required
def show(request: HttpRequest) -> HttpResponse:
    """The board (default) or the table (``?view=table``)."""
    actions = filtered(request)
    is_table = request.GET.get("view") == "table"
    titles = {"Plan": _("Plan"), "Do": _("Do"), "Check": _("Check"), "Act": _("Act"), "Done": _("Done or on hold")}
    rows = list(actions)
    columns = [
        Column(letter, titles[title], [action for action in rows if action.state in {state.value for state in states}])
        for letter, title, states in COLUMNS
    ]
    choices = _choices(actions_for(signed_in(request)))
    context = {
        "columns": columns,
        "actions": rows,
        "is_table": is_table,
        "choices": choices,
        "chosen": {key: request.GET.get(key, "") for key in (*FILTERS, "q")},
        "query": _query_without_view(request),
    }
    template = "web/_register_body.html" if request.headers.get("HX-Request") else "web/register.html"
    return render(request, template, context)


def filtered(request: HttpRequest) -> QuerySet[Action]:
    """The actions the address asks for."""
    actions = actions_for(signed_in(request))
    lookups = {
        "connection": "connection",
        "state": "state",
        "verdict": "verdict",
        "owner": "owner__username",
        "rule": "rule_id",
        "metric": "metric",
    }
    for key, lookup in lookups.items():
        value = request.GET.get(key)
        if value:
            actions = actions.filter(**{lookup: value})
    text = request.GET.get("q", "").strip()
    if text:
        actions = actions.filter(
            Q(title__icontains=text) | Q(scope_key__icontains=text) | Q(platform_number__icontains=text)
        )
    return actions.order_by("due", "id")


def _choices(actions: QuerySet[Action]) -> dict[str, list[str]]:
    def distinct(field: str) -> list[str]:
        return [value for value in actions.order_by(field).values_list(field, flat=True).distinct() if value]

    return {
        "connection": distinct("connection"),
        "state": distinct("state"),
        "verdict": distinct("verdict"),
        "owner": distinct("owner__username"),
        "rule": distinct("rule_id"),
    }


def _query_without_view(request: HttpRequest) -> str:
    query = request.GET.copy()
    query.pop("view", None)
    return query.urlencode()


@login_required
def export(request: HttpRequest) -> HttpResponse:
    """The same actions as CSV. Cells that a spreadsheet would run as a formula are quoted."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="register.csv"'
    response.write("\ufeff")
    writer = csv.writer(response)
    writer.writerow(
        ["id", "title", "state", "owner", "connection", "scope", "metric", "goal", "due", "verdict", "record"]
    )
    for action in filtered(request):
        writer.writerow(
            [
                _inert(str(value))
                for value in (
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
                    action.platform_number,
                )
            ]
        )
    return response


def _inert(text: str) -> str:
    """Spreadsheets run text that begins like a formula: a leading apostrophe stops that (goals like -50% stay)."""
    is_formula = text[:1] in "=@\t\r" or (text[:1] in "+-" and not text[1:].rstrip("%").replace(".", "", 1).isdigit())
    return f"'{text}" if text and is_formula else text
