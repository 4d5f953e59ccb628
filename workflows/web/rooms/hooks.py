"""The one address that platforms call: a hint that something changed there. It is proved, counted, and never read."""

from __future__ import annotations

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from workflows.hooks import hints

log = structlog.get_logger()
MOST_BYTES = 5 * 1024 * 1024  # a webhook of Jira carries the whole issue
PIECE = 64 * 1024
STATUS = {hints.Taken.NEW: 202, hints.Taken.KNOWN: 200, hints.Taken.TOO_MANY: 429}


@csrf_exempt  # no cookie of ours is looked at: the secret or the signature proves who calls
@require_POST
def receive(request: HttpRequest, name: str) -> HttpResponse:
    """Take a hint for a connection. Whoever cannot prove themselves learns nothing, not even whether it exists."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        return _answer(411, "the body has no length")
    if int(length) > MOST_BYTES:
        return _answer(413, "the body is too large")
    config = settings.REGELKREIS.connections.get(name)
    proof = hints.Proof(config)
    if not _fed(request, proof):
        return _answer(400, "the body broke off")
    headers = request.headers
    is_proved = proof.holds(
        secret=headers.get(hints.SECRET_HEADER, ""), signature=headers.get(hints.SIGNATURE_HEADER, "")
    )
    if not is_proved or config is None:
        log.info("hook.refused", connection=name, is_open=config is not None and bool(config.hook_secrets))
        return _answer(401, "not accepted")
    identifier = headers.get(hints.IDENTIFIER_HEADER, "")
    taken = hints.take(config.name, body_sha256=proof.body_sha256, identifier=identifier, at=timezone.now())
    log.info("hook.taken", connection=config.name, outcome=taken.value)
    return _answer(STATUS[taken], taken.value)


def _fed(request: HttpRequest, proof: hints.Proof) -> bool:
    """The body, piece by piece: it is never held as a whole."""
    try:
        while piece := request.read(PIECE):
            proof.feed(piece)
    except OSError:  # the caller went away
        return False
    return True


def _answer(status: int, words: str) -> HttpResponse:
    response = JsonResponse({"hint": words}, status=status)
    if status == STATUS[hints.Taken.TOO_MANY]:
        response["Retry-After"] = "60"
    return response
