"""A review record: the verdict as it was frozen, and what people appended to it."""

from __future__ import annotations

import json

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from workflows import reviewing
from workflows.models import ReviewRecord
from workflows.web.rooms.action import names_of, sentence, window_facts
from workflows.web.visibility import actions_for, signed_in
from workflows.web.words import language


@login_required
def show(request: HttpRequest, code: str) -> HttpResponse:
    """The record as a page that prints well: the verdict above the decision."""
    review = _find(request, code)
    names = names_of(review.action)
    entries = list(review.entries.order_by("id"))
    published = reviewing.published(review)
    context = {
        "review": review,
        "action": review.action,
        "look": review.look if review.kind != "missed" else None,
        "result": review.document.get("results"),
        "sentence": sentence(review.look, language()) if review.kind != "missed" else "",
        "windows": window_facts(review.look) if review.kind != "missed" else [],
        "said": [(entry, names.get(entry.actor, entry.actor)) for entry in entries if entry.kind != "receipt"],
        "receipts": [entry for entry in entries if entry.kind == "receipt"],
        "owner": names.get(review.document.get("owner", ""), "–"),
        "approver": names.get(review.document.get("approved_by", ""), "–"),
        "second": names.get(str((published.get("override") or {}).get("second_by", "")), ""),
        "document": json.dumps(published, indent=2, ensure_ascii=False),
    }
    return render(request, "web/review.html", context)


@login_required
def document(request: HttpRequest, code: str) -> HttpResponse:
    """The published document: the engine's part and its entries, folded."""
    return JsonResponse(
        reviewing.published(_find(request, code)), json_dumps_params={"indent": 2, "ensure_ascii": False}
    )


def _find(request: HttpRequest, code: str) -> ReviewRecord:
    number = code.upper().removeprefix("REV-")
    review = None
    if number.isdecimal() and len(number) < 19:
        review = (
            ReviewRecord.objects.select_related("action", "look")
            .filter(pk=int(number), action__in=actions_for(signed_in(request)))
            .first()
        )
    if review is None:
        raise Http404
    return review
