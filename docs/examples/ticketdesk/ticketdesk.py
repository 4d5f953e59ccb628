"""A connector to a platform that is a folder: tickets in ``tickets.jsonl``, improvement records in ``actions.json``.

Small, and complete: it keeps the protocol and passes the conformance tests. A real one has requests where this one has
:class:`Desk`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.base import Capabilities, Cursor, Finding, Keys, Page, Rejected, SaysNothingOfDepartures
from connectors.config import ConnectionConfig
from connectors.doubt import wait_until_settled
from connectors.marks import named
from improvement.errors import ConnectionFailed, OutcomeUnknown, Place, SettingsError, WriteRefused
from improvement.records import (
    OUTBOUND_FIELDS,
    SCHEMAS,
    Outbound,
    PlatformComment,
    PlatformState,
    PlatformTask,
    PreviewRequest,
    Receipt,
    RecordKind,
    RecordRef,
    Verb,
)

PAGE = 2  # rows; a real platform wants thousands
COLUMNS = {"title": "subject", "description": "text", "owner": "owner", "due": "due"}
USER = "regelkreis"
LISTS = ("keys", "notes", "tasks", "links")


class Desk:
    """The platform: one folder, and one writing request."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def tickets(self) -> list[dict[str, Any]]:
        """All tickets. Raises OSError."""
        lines = (self.folder / "tickets.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def records(self) -> dict[str, Any]:
        """The improvement records by their ids."""
        file = self.folder / "actions.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return found

    def put(self, url: str, body: str) -> None:
        """Set the fields of a record, and add notes, files, tasks and links. Raises :class:`ConnectionError`."""
        said, records = json.loads(body), self.records()
        id = url.rpartition("/")[2]
        record = records.setdefault(id, {"fields": {}, "files": {}, **{name: [] for name in LISTS}})
        record["fields"] |= said.get("fields", {})
        record["files"] |= said.get("files", {})
        now = datetime.now(UTC).isoformat()
        said["notes"] = [{"author": USER, "at": now, **note} for note in said.get("notes", ())]
        for name in LISTS:
            record[name] += said.get(name, [])
        (self.folder / "actions.json").write_text(json.dumps(records), encoding="utf-8")


class TicketDesk(SaysNothingOfDepartures):
    """One folder as a platform."""

    platform = "ticketdesk"

    def __init__(self, config: ConnectionConfig) -> None:
        self.name = config.name
        self.config = config
        if "folder" not in config.options:
            raise SettingsError(
                "The folder of the tickets is not given.",
                where=Place(connection=config.name, field="options.folder"),
                mend="Give the folder that holds tickets.jsonl.",
            )
        self.desk = Desk(Path(config.options["folder"]))

    # --- reading ----------------------------------------------------------------------------------------------

    def describe(self) -> Capabilities:
        """Reads only; says how to mend what fails."""
        is_there = (self.desk.folder / "tickets.jsonl").exists()
        mend = "" if is_there else "Give options.folder the folder that holds tickets.jsonl."
        found = Finding(check="reachability", is_ok=is_there, detail=str(self.desk.folder), mend=mend)
        return Capabilities(
            platform=self.platform,
            flavour=self.platform,
            version="1",
            user=USER,
            time_zone="UTC",
            mode="desk",
            modes={"desk": "available"},
            columns=COLUMNS,
            unresolved={name: "a desk has no such column" for name in OUTBOUND_FIELDS if name not in COLUMNS},
            findings=(found,),
        )

    def kinds(self) -> Sequence[RecordKind]:
        """Tickets only."""
        return (RecordKind.TICKET,)

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        """Keyset paging: by the time of change, and by id where two changed at the same time."""
        after = (cursor.updated_at, cursor.tiebreak) if cursor is not None else (datetime.min.replace(tzinfo=UTC), "")
        due = sorted((moment(raw["updated"]), raw["id"], raw) for raw in self._tickets())
        due = [row for row in due if after < row[:2] and row[0] <= until]
        for start in range(0, len(due), PAGE):
            yield self._page(kind, due[start : start + PAGE])

    def read_by_ids(self, kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        """Optional: records that we missed, because nothing of them changed when they became visible."""
        due = [(moment(raw["updated"]), raw["id"], raw) for raw in self._tickets() if raw["id"] in ids]
        if due := [row for row in due if row[0] <= until]:
            yield self._page(kind, due)

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        """The platform's own count."""
        return sum(moment(raw["updated"]) <= until for raw in self._tickets())

    def keys(self, kind: RecordKind) -> Keys | None:
        """Every ticket that is there now, with the platform's own count beside the list."""
        ids = [raw["id"] for raw in self._tickets()]
        return Keys(ids=pa.array(ids, pa.string()), counted=len(ids))

    def gone(self, kind: RecordKind, ids: Sequence[str]) -> list[str]:
        """Asked for each: a real platform reads the record itself, because a list may be incomplete."""
        there = {raw["id"] for raw in self._tickets()}
        return [id for id in ids if id not in there]

    def _page(self, kind: RecordKind, due: list[tuple[datetime, str, dict[str, Any]]]) -> Page:
        rows, rejected = [], []
        for updated, id, raw in due:
            try:
                rows.append(self._ticket(raw, updated))
            except ValueError as error:  # kept and shown, never dropped silently
                rejected.append(Rejected(kind=kind, id=id, field="opened", reason=str(error)))
        return Page(
            kind=kind,
            batch=pa.Table.from_pylist(rows, schema=SCHEMAS[kind]),
            cursor=Cursor(updated_at=due[-1][0], tiebreak=due[-1][1]),
            rejected=tuple(rejected),
            requests=1,
        )

    def _tickets(self) -> list[dict[str, Any]]:
        try:
            return self.desk.tickets()
        except OSError as error:
            raise ConnectionFailed(
                f"The desk cannot be read: {error}.",
                where=Place(connection=self.name),
                mend="Give options.folder the folder that holds tickets.jsonl.",
            ) from error

    def _ticket(self, raw: dict[str, Any], updated: datetime) -> dict[str, Any]:
        unsaid = dict.fromkeys(SCHEMAS[RecordKind.TICKET].names)
        return {
            **unsaid,
            "connection": self.name,
            "id": raw["id"],
            "number": raw["id"],
            "kind": "incident",
            "title": raw.get("subject"),
            "customer": raw.get("customer"),
            "service": raw.get("service"),
            "state": "resolved" if raw.get("resolved") else "new",
            "is_major": False,
            "opened_at": moment(raw["opened"]),
            "resolved_at": moment(raw["resolved"]) if raw.get("resolved") else None,
            "updated_at": updated,
            "reopen_count": 0,
            "reassignment_count": 0,
        }

    # --- writing ----------------------------------------------------------------------------------------------

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        """Search the trace of an earlier attempt first, then write once, then read back and compare."""
        records = self.desk.records()
        id = ref.id if ref is not None else self._id(outbound)
        target = RecordRef(connection=self.name, mode="desk", id=id, number=id, url=self._url(id))
        if ref is not None and id not in records:
            raise WriteRefused(f"{id} is gone ({outbound.key}).", where=Place(connection=self.name), mend="Restore it.")
        if self._is_there(outbound, records.get(id)):
            return Receipt(ref=target, status=0, was_found=True, request_sha256="")
        if outbound.verb is not Verb.UPDATE:  # the same values twice are the same values
            wait_until_settled(outbound, self.name)
        body = self._body(outbound)
        self._put(id, body, outbound.key)
        kept = self.desk.records()[id]
        return Receipt(
            ref=target,
            status=201 if outbound.verb is Verb.CREATE else 200,
            was_found=False,
            request_sha256=hashlib.sha256(_text(body).encode()).hexdigest(),
            written={name: kept["fields"].get(name, "") for name in body.get("fields", {})},
            differences=_differences(body, kept),
            unwritten=dict.fromkeys(self._placeless(outbound), "a desk has no such column"),
        )

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        """What ``write`` would send; nothing where it is there already."""
        id = ref.id if ref is not None else self._id(outbound)
        if self._is_there(outbound, self.desk.records().get(id)):
            return []
        return [PreviewRequest(method="PUT", url=self._url(id), body=_text(self._body(outbound)))]

    def _put(self, id: str, body: dict[str, Any], key: str) -> None:
        """Send once; without an answer nobody knows whether it took effect. ``connectors.http.send`` tells it so."""
        try:
            self.desk.put(self._url(id), _text(body))
        except ConnectionError as error:
            raise OutcomeUnknown(
                f"{key} was sent, and no answer came: {error}.",
                where=Place(connection=self.name),
                mend="It is looked for before it is sent again.",
            ) from error

    def _body(self, outbound: Outbound) -> dict[str, Any]:
        """A write as the desk takes it. An update needs no trace."""
        trace = self._trace(outbound)
        match outbound.verb:
            case Verb.UPDATE:
                return {"fields": self._values(outbound)}
            case Verb.CREATE:
                said: dict[str, Any] = {"fields": self._values(outbound)}
            case Verb.NOTE:
                said = {"notes": [{"key": trace, "text": outbound.text or ""}]}
            case Verb.TASK:
                said = {"tasks": [{"key": trace, "title": outbound.fields.get("title") or "", "is_done": False}]}
            case Verb.LINK:
                said = {"links": list(outbound.trigger_ids)}
            case Verb.ATTACH:
                file = outbound.file
                said = {"files": {file.name: base64.b64encode(file.content).decode()} if file is not None else {}}
        return {"keys": [trace], **said}

    def _values(self, outbound: Outbound) -> dict[str, str]:
        values = {COLUMNS[name]: value for name, value in outbound.fields.items() if name in COLUMNS}
        return {name: str(value) for name, value in values.items() if value is not None}

    def _placeless(self, outbound: Outbound) -> list[str]:
        """What of a write the desk has no place for: a task has a title only."""
        taken = ("title",) if outbound.verb is Verb.TASK else COLUMNS
        return [name for name in outbound.fields if name not in taken]

    def _is_there(self, outbound: Outbound, record: dict[str, Any] | None) -> bool:
        """The key of each write is its trace; an update is there when every field holds what it says."""
        if record is None:
            return False
        if outbound.verb is Verb.UPDATE:
            return bool(self._values(outbound).items() <= record["fields"].items())
        return self._trace(outbound) in record["keys"]

    def _trace(self, outbound: Outbound) -> str:
        """Another installation has an ACT-7 of its own: whose write it is belongs to its trace."""
        return named(outbound.installation, outbound.key)

    def _id(self, outbound: Outbound) -> str:
        return named(outbound.installation, outbound.action_id)

    def _url(self, id: str) -> str:
        return f"{self.config.url}/{id}"

    # --- following --------------------------------------------------------------------------------------------

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        """In the order asked for; what is gone says so."""
        records = self.desk.records() if refs else {}
        return [self._state(ref, records.get(ref.id)) for ref in refs]

    def _state(self, ref: RecordRef, record: dict[str, Any] | None) -> PlatformState:
        fields = record["fields"] if record is not None else {}
        notes, tasks = (record[name] if record is not None else [] for name in ("notes", "tasks"))
        return PlatformState(
            ref=ref,
            state=fields.get("state", "new"),
            state_changed_by=fields.get("moved_by"),
            state_changed_at=None,
            close_code=None,
            owner=fields.get("owner"),
            due=date.fromisoformat(fields["due"]) if fields.get("due") else None,
            tasks=tuple(
                PlatformTask(
                    id=task["key"],
                    number=task["key"],
                    title=task["title"],
                    is_done=task["is_done"],
                    assignee=None,
                    due=None,
                )
                for task in tasks
            ),
            comments=tuple(
                PlatformComment(id=note["key"], author=note["author"], at=moment(note["at"]), text=note["text"])
                for note in notes
                if note["author"] != USER  # ours come home through their receipts
            ),
            is_missing=record is None,
        )

    def close(self) -> None:
        """Nothing is held open."""


def moment(text: str) -> datetime:
    """An ISO 8601 time as UTC; ValueError where it is none."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _text(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)


def _differences(sent: dict[str, Any], kept: dict[str, Any]) -> dict[str, str]:
    """What a record does not hold as it was sent."""
    values = {**sent.get("fields", {}), **sent.get("files", {})}
    there = {**kept["fields"], **kept["files"]}
    lost = [name for name, value in values.items() if there.get(name) != value]
    lost += [name for name in LISTS for one in sent.get(name, ()) if not _is_in(kept[name], one)]
    return dict.fromkeys(lost, "it was not kept")


def _is_in(kept: list[Any], sent: Any) -> bool:
    """Whether it is kept, with whatever the desk adds to it."""
    return any(sent.items() <= one.items() if isinstance(sent, dict) else sent == one for one in kept)
