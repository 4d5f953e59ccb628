"""A review record: the verdict as it was frozen, and what people appended to it."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import get_language

from workflows import reviewing
from workflows.models import ReviewRecord
from workflows.web.rooms.action import sentence
from workflows.web.visibility import actions_for, signed_in


@login_required
def show(request: HttpRequest, code: str) -> HttpResponse:
    """The record as a page that prints well."""
    review = _find(request, code)
    language = "de" if (get_language() or "en").startswith("de") else "en"
    context = {
        "review": review,
        "action": review.action,
        "look": review.look,
        "result": review.look.result if review.look else None,
        "sentence": sentence(review.look, language),
        "entries": list(review.entries.all()),
        "document": reviewing.published(review),
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
    if number.isdecimal():
        review = (
            ReviewRecord.objects.select_related("action", "look")
            .filter(pk=int(number), action__in=actions_for(signed_in(request)))
            .first()
        )
    if review is None:
        raise Http404
    return review
