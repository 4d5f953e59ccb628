"""Review records as others see them: the published document, its JSON, and the words of a work note."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings

from improvement.review import fold, plain_words
from workflows.models import ReviewRecord


def published(record: ReviewRecord) -> dict[str, Any]:
    """The document of a review: the engine's frozen part and the entries appended since, folded."""
    entries = [
        {"kind": entry.kind, "at": entry.at.isoformat(), "actor": entry.actor, **entry.payload}
        for entry in record.entries.order_by("id")
    ]
    return fold(record.document, record.verdict_sha256, entries)


def json_bytes(record: ReviewRecord) -> bytes:
    """The published document as indented UTF-8 JSON."""
    return json.dumps(published(record), ensure_ascii=False, indent=2).encode()


def note_text(record: ReviewRecord) -> str:
    """The verdict in plain words, in the installation's language."""
    return plain_words(record.document, language=settings.REGELKREIS.language)
