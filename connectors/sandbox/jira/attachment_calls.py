"""What an attached archive holds, entry by entry."""

from __future__ import annotations

import io
import mimetypes
import zipfile
from typing import Any

from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.detail_calls import find_attachment
from connectors.sandbox.jira.model import Attachment

KILO = 1_024


def expanded(call: Call, id: str, form: str) -> Answer:
    """``GET /attachment/{id}/expand/human`` and ``/raw``; 409 where the file is no archive that can be read."""
    _, found = find_attachment(call, id)
    entries = _entries(found)
    if form == "raw":
        shown = [
            {"entryIndex": number, "name": name, "size": size, "mediaType": kind}
            for number, (name, size, kind) in enumerate(entries)
        ]
        return json_answer({"entries": shown, "totalEntryCount": len(entries)})
    told: list[dict[str, Any]] = [
        {"index": number, "path": name, "label": name.rpartition("/")[2], "size": _told(size), "mediaType": kind}
        for number, (name, size, kind) in enumerate(entries)
    ]
    return json_answer(
        {
            "id": int(id),
            "name": found.name,
            "entries": told,
            "totalEntryCount": len(entries),
            "mediaType": found.media_type,
        }
    )


def _entries(found: Attachment) -> list[tuple[str, int, str]]:
    """Path, size in bytes and media type of every file in the archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
            files = [entry for entry in archive.infolist() if not entry.is_dir()]
    except zipfile.BadZipFile:
        raise ApiError(409, f"The attachment '{found.name}' is not an archive of a supported format.") from None
    return [
        (entry.filename, entry.file_size, mimetypes.guess_type(entry.filename)[0] or "application/octet-stream")
        for entry in files
    ]


def _told(size: int) -> str:
    return f"{size} B" if size < KILO else f"{size / KILO:.1f} kB"
