"""A review record: the verdict as it was frozen, and what people appended to it.

Everything shown is read from the record's own document, never from the look it came from: an addendum has none, and
what was frozen is what people decided on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from improvement.review import ReviewKind, approvers
from improvement.review_words import untreated_text
from workflows.checks import reviewing
from workflows.models import ReviewRecord
from workflows.web.rooms.action import names_of, sentence, window_facts
from workflows.web.rooms.beside import facts_beside
from workflows.web.visibility import actions_for, signed_in
from workflows.web.words import language


@dataclass(frozen=True, slots=True)
class Reading:
    """What the frozen document says of the look it speaks of."""

    kind: str
    week_no: int
    due_at: datetime | None
    computed_at: datetime | None
    data_as_of: datetime | None
    verdict: str

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Reading:
        """The reading of an engine's part."""
        return cls(
            kind=document["kind"],
            week_no=document["look_no"],
            due_at=_instant(document["due_at"]),
            computed_at=_instant(document["computed_at"]),
            data_as_of=_instant(document["data_as_of"]),
            verdict=document["verdict"],
        )


@login_required
def show(request: HttpRequest, code: str) -> HttpResponse:
    """The record as a page that prints well: the verdict above the decision."""
    review = _find(request, code)
    names = names_of(review.action)
    entries = list(review.entries.order_by("id"))
    published = reviewing.published(review)
    results = review.document["results"]
    context = {
        "review": review,
        "action": review.action,
        "look": Reading.of(review.document),
        "is_missed": review.kind == ReviewKind.MISSED,
        "asks_for_nothing": review.kind in (ReviewKind.LOOK, ReviewKind.ADDENDUM),
        "addendum_to": review.document.get("addendum_to", ""),
        "addenda": review.action.reviews.filter(document__addendum_to=review.code).order_by("id"),
        "result": results,
        "sentence": sentence(results, language()),
        "untreated": untreated_text(results or {}, language()),
        "windows": window_facts(results),
        "beside": facts_beside(results),
        "said": [(entry, names.get(entry.actor, entry.actor)) for entry in entries if entry.kind != "receipt"],
        "receipts": [entry for entry in entries if entry.kind == "receipt"],
        "owner": names.get(review.document.get("owner", ""), "–"),
        "approvers": [names.get(uid, uid) for uid in approvers(review.document)],
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


def _instant(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _find(request: HttpRequest, code: str) -> ReviewRecord:
    number = code.upper().removeprefix("REV-")
    review = None
    if number.isdecimal() and len(number) < 19:
        review = (
            ReviewRecord.objects.select_related("action")
            .filter(pk=int(number), action__in=actions_for(signed_in(request)))
            .first()
        )
    if review is None:
        raise Http404
    return review
