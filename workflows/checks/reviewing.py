"""Review records as others see them: the published document, its JSON, and the words of a work note."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.conf import settings

from improvement.records import Verb
from improvement.review import fold, plain_words
from workflows.evidence.as_it_was import entries_at
from workflows.models import Person, ReviewEntry, ReviewRecord


def published(record: ReviewRecord, known_at: datetime | None = None) -> dict[str, Any]:
    """The document of a review: the engine's frozen part and the entries appended since, folded.

    ``known_at``: only those that the log told by then.
    """
    entries = [
        {"kind": entry.kind, "at": entry.at.isoformat(), "actor": entry.actor, **entry.payload}
        for entry in _appended(record, known_at)
    ]
    return fold(record.document, record.verdict_sha256, entries)


def _appended(record: ReviewRecord, known_at: datetime | None) -> Iterable[ReviewEntry]:
    return record.entries.order_by("id") if known_at is None else entries_at(record, known_at)


def json_bytes(record: ReviewRecord) -> bytes:
    """The published document as indented UTF-8 JSON."""
    return json.dumps(published(record), ensure_ascii=False, indent=2).encode()


def note_text(record: ReviewRecord) -> str:
    """The verdict in plain words, in the installation's language."""
    return plain_words(record.document, language=settings.REGELKREIS.language)


def shown_text(record: ReviewRecord, known_at: datetime | None = None) -> str:
    """As :func:`note_text`, without asking for what was done since; ``known_at``: by then."""
    return plain_words(published(record, known_at), language=settings.REGELKREIS.language)


def appended_text(record: ReviewRecord, known_at: datetime | None = None) -> list[str]:
    """What was appended to a review, a line each: who acknowledged it, decision, override, follow-ups, receipts."""
    document = published(record, known_at)
    names = dict(Person.objects.values_list("uid", "username"))

    def who(uid: str) -> str:
        return names.get(uid, uid)

    lines = [
        f"Acknowledged by {who(entry.actor)}, {entry.at:%Y-%m-%d}."
        for entry in _appended(record, known_at)
        if entry.kind == "acknowledgement"
    ]
    if document["decision"] is not None:
        entry = document["decision"]
        lines.append(f"Decision: {entry['decision']}, by {who(entry['decided_by'])}, {entry['decided_at'][:10]}.")
    if document["override"] is not None:
        entry = document["override"]
        people = f"{who(entry['by'])} and {who(entry['second_by'])}"
        lines.append(f"Overruled by {people}, {entry['at'][:10]}: {entry['reason']}")
    for entry in document["follow_ups"]:
        due = f"due {entry['due']}" if entry["due"] else ""
        done = f"done: {entry['done_ref']}" if entry["done_ref"] else ""
        told = ", ".join(filter(None, [entry["what"], entry["who"], due, done]))
        lines.append(f"Follow-up {entry['no']}: {told}")
    for entry in document["receipts"]:
        what = _written(entry["key"])
        lines.append(f"Written to {entry['number'] or entry['record']} ({what}), {entry['at'][:10]}.")
    return lines


def _written(key: str) -> str:
    """Of ``ACT-7/note/…`` the note, of ``ACT-7/attach/final-1-13-json`` which file (workflows/steps/review.py)."""
    verb, name = key.split("/")[1:3]
    return f"attachment {name.rpartition('-')[2]}" if verb == Verb.ATTACH else verb
