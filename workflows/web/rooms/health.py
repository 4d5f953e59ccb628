"""Is the site up, and can it read its state?"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse

from workflows.models import LedgerHead


def alive(request: HttpRequest) -> HttpResponse:
    """200 with the ledger's size; an error of the database is a 500."""
    head = LedgerHead.objects.filter(id=1).first()
    return HttpResponse(f"ok {head.size if head else 0}\n", content_type="text/plain")
