"""The conformance tests on a desk of its own, and how they look at it, break it and change it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

import pytest
from ticketdesk import Desk, moment

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.conformance import Conformance, Effects
from connectors.registry import connector
from improvement.records import PreviewRequest, RecordKind, RecordRef

TOKEN = "t0ken"  # noqa: S105 - of no real desk
TICKETS: list[dict[str, Any]] = [
    {"id": f"T-{n}", "subject": f"Mail is slow {n}", "customer": "Acme", "opened": f"2026-03-02T0{n}:00:00Z",
     "updated": f"2026-03-0{2 + n // 3}T09:00:00Z"}
    for n in range(1, 8)
]  # fmt: skip


def a_config(folder: Path, **parts: Any) -> ConnectionConfig:
    """A connection to the desk in a folder."""
    raw = {"name": "desk", "platform": "ticketdesk", "url": "https://desk.example", "token": TOKEN}
    return ConnectionConfig.model_validate({**raw, "options": {"folder": str(folder)}, **parts})


class TestTicketDesk(Conformance):
    until: ClassVar[datetime] = datetime(2026, 3, 4, tzinfo=UTC)
    must_be_whole: ClassVar[bool] = True

    @pytest.fixture(autouse=True)
    def _filled(self, tmp_path: Path) -> None:
        self.fill(tmp_path)

    def fill(self, folder: Path) -> None:
        self.folder = folder
        self._keep(TICKETS)

    def connect(self) -> Connector:
        return connector(a_config(self.folder))

    # --- what is there ----------------------------------------------------------------------------------------

    def expected(self) -> dict[RecordKind, list[dict[str, Any]]]:
        due = [one for one in TICKETS if moment(one["updated"]) <= self.until]
        rows = [{"id": one["id"], "title": one["subject"], "opened_at": moment(one["opened"])} for one in due]
        return {RecordKind.TICKET: rows}

    def put_bad_record(self) -> tuple[RecordKind, str]:
        self._keep([*TICKETS, {**TICKETS[0], "id": "T-0", "opened": "yesterday"}])
        return RecordKind.TICKET, "T-0"

    def delete_record(self) -> tuple[RecordKind, str]:
        self._keep(TICKETS[1:])
        return RecordKind.TICKET, TICKETS[0]["id"]

    def _keep(self, tickets: Sequence[dict[str, Any]]) -> None:
        (self.folder / "tickets.jsonl").write_text("\n".join(map(json.dumps, tickets)), encoding="utf-8")

    # --- what was written -------------------------------------------------------------------------------------

    def effects(self, action: str) -> Effects:
        records = [one for one in Desk(self.folder).records().values() if action in one["fields"].get("subject", "")]
        files = [(name, base64.b64decode(text)) for one in records for name, text in one["files"].items()]
        return Effects(
            records=len(records),
            notes=tuple(note["text"] for one in records for note in one["notes"]),
            files=tuple(files),
            tasks=tuple(task["title"] for one in records for task in one["tasks"]),
            links=tuple(id for one in records for id in one["links"]),
        )

    @contextmanager
    def sent(self) -> Iterator[list[PreviewRequest]]:
        requests: list[PreviewRequest] = []
        put = Desk.put

        def recorded(desk: Desk, url: str, body: str) -> None:
            requests.append(PreviewRequest(method="PUT", url=url, body=body))
            put(desk, url, body)

        with patch.object(Desk, "put", recorded):
            yield requests

    @contextmanager
    def break_next(self, *, is_after_effect: bool) -> Iterator[None]:
        put, times = Desk.put, iter(range(1_000))

        def reset(desk: Desk, url: str, body: str) -> None:
            is_first = next(times) == 0
            if is_after_effect or not is_first:
                put(desk, url, body)
            if is_first:
                raise ConnectionResetError("Connection reset by peer")

        with patch.object(Desk, "put", reset):
            yield

    @contextmanager
    def drop_description(self) -> Iterator[None]:
        put = Desk.put

        def forgetful(desk: Desk, url: str, body: str) -> None:
            said = json.loads(body)
            said.get("fields", {}).pop("text", None)
            put(desk, url, json.dumps(said))

        with patch.object(Desk, "put", forgetful):
            yield

    def secrets(self) -> list[str]:
        return [TOKEN]

    # --- what people do there ---------------------------------------------------------------------------------

    def delete_improvement(self, ref: RecordRef) -> None:
        records = Desk(self.folder).records()
        del records[ref.id]
        (self.folder / "actions.json").write_text(json.dumps(records), encoding="utf-8")

    def comment(self, ref: RecordRef, text: str) -> str:
        note = {"key": "c1", "author": "mia", "text": text}
        Desk(self.folder).put(ref.url, json.dumps({"notes": [note]}))
        return "mia"
