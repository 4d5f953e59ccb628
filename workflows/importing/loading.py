"""Bring files into the warehouse: all of what was given, or nothing; the same file again changes nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.conf import settings
from django.db import transaction

from improvement.errors import InputError, ManyErrors, PermissionMissing, RegelkreisError
from improvement.evidence.entries import EntryType
from improvement.records import SCHEMAS
from workflows.evidence import ledger
from workflows.importing import reporting
from workflows.importing.layouts import Layout
from workflows.importing.reading import Known, ReadFile, layout_of, read_file, shown_errors
from workflows.models import Connection, LedgerEntry, Person, Role
from workflows.restating.how_far import step_back
from workflows.steps.pull import zones
from workflows.warehouse import Warehouse, our_warehouse
from workflows.warehouse.schema import TABLE_OF


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file. ``withdrawn``: records taken back (only where that was asked)."""

    path: Path
    kind: str
    rows: int
    new: int
    changed: int
    unchanged: int
    withdrawn: int
    remarks: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "file": str(self.path), "kind": self.kind, "rows": self.rows, "new": self.new, "changed": self.changed,
            "unchanged": self.unchanged, "withdrawn": self.withdrawn, "remarks": list(self.remarks),
        }  # fmt: skip


def import_files(
    actor: Person,
    paths: Sequence[Path],
    connection: str,
    *,
    at: datetime,
    kind: str | None = None,
    zone: str | None = None,
    encoding: str | None = None,
    withdraw: bool = False,
    dry_run: bool = False,
) -> list[Imported]:
    """Read all files, then load them. One error in any of them, and nothing is loaded: :class:`ManyErrors`.

    ``withdraw`` takes the records of the files back instead: they become tombstones. ``dry_run`` only says what would
    happen.
    """
    row = _connection(connection)
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend="Ask one to import the files.")
    layouts = [layout_of(path, kind) for path in paths]
    with our_warehouse() as warehouse:
        known = _known(warehouse, connection)
        files = [
            read_file(path, layout, connection=connection, as_of=at, known=known, zone=zone, encoding=encoding)
            for path, layout in zip(paths, layouts, strict=True)
        ]
        _refuse(files, row, at, dry_run=dry_run)
        if not dry_run:
            step_back(row.name, at)
        return [_imported(warehouse, file, row, actor, at, withdraw=withdraw, dry_run=dry_run) for file in files]


def _refuse(files: Sequence[ReadFile], row: Connection, at: datetime, *, dry_run: bool) -> None:
    across = _across(files)
    errors = [error for file in files for error in shown_errors(file)] + across
    if errors:
        if not dry_run:
            reporting.refused(row, files, across, at=at)
        raise errors[0] if len(errors) == 1 else ManyErrors(errors)


def _across(files: Sequence[ReadFile]) -> list[RegelkreisError]:
    """The same record in two files: which of them is right?"""
    first: dict[tuple[str, str], Path] = {}
    errors: list[RegelkreisError] = []
    for file in files:
        for record, line in zip(file.records, file.lines, strict=True):
            before = first.setdefault((file.layout.plural, record["id"]), file.path)
            if before != file.path:
                errors.append(InputError(f"The record of line {line} of {file.path} stands in {before} too.",
                                         mend="Import them one after the other."))  # fmt: skip
    return errors


def _imported(
    warehouse: Warehouse, file: ReadFile, row: Connection, actor: Person, at: datetime, *, withdraw: bool, dry_run: bool
) -> Imported:
    kind, begun = file.layout.kind, time.monotonic()
    new, changed, unchanged = _compared(warehouse, file, row.name)
    if withdraw:
        ids = [record["id"] for record in file.records]
        stones = warehouse.tombstones
        standing = stones.live(kind, row.name, ids)
        if not dry_run:
            stones.bury(kind, row.name, standing, seen_at=at)
            _log(file, row, actor, at, {"withdrawn": len(standing)}, is_effect=bool(standing))
            reporting.withdrawn(row, file, at=at, deleted=len(standing), seconds=time.monotonic() - begun)
        return Imported(
            file.path, file.layout.plural, len(ids), 0, 0, len(ids) - len(standing), len(standing), file.remarks
        )
    if not dry_run:
        done = warehouse.load(kind, file.table(), seen_at=at, zones=zones())
        new, changed, unchanged = done.new, done.changed, done.unchanged
        counts = {"rows": done.read, "new": new, "changed": changed, "digest": done.digest_sha256}
        _log(file, row, actor, at, counts, is_effect=bool(new or changed))
        reporting.loaded(row, file, at=at, new=new, changed=changed, seconds=time.monotonic() - begun)
    return Imported(file.path, file.layout.plural, len(file.records), new, changed, unchanged, 0, file.remarks)


def _log(
    file: ReadFile, row: Connection, actor: Person, at: datetime, counts: dict[str, Any], *, is_effect: bool
) -> None:
    """One entry for each file that changed something, or whose entry a crash prevented."""
    subject = f"{row.name}/{file.layout.kind.value}"
    entry: EntryType = "import.withdrawn" if "withdrawn" in counts else "import.loaded"
    if not is_effect and _is_logged(entry, subject, file.sha256):
        return
    with transaction.atomic():
        payload = {"file_sha256": file.sha256, **counts}
        ledger.append(entry, subject=subject, actor=actor.uid, at=at, payload=payload)


def _is_logged(entry: str, subject: str, sha256: str) -> bool:
    entries = LedgerEntry.objects.filter(type=entry, subject=subject).values_list("data", flat=True)
    return any(json.loads(bytes(data))["payload"].get("file_sha256") == sha256 for data in entries)


# --- what is there ------------------------------------------------------------------------------------------------


def _connection(name: str) -> Connection:
    configured = settings.REGELKREIS.connections
    if name not in configured:
        known = ", ".join(sorted(configured)) or "none"
        raise InputError(f"There is no connection “{name}”.", mend=f"Connections in regelkreis.toml: {known}.")
    config = configured[name]
    row, _ = Connection.objects.get_or_create(
        name=name, defaults={"platform": config.platform, "integration_account": config.user or ""}
    )
    return row


def _known(warehouse: Warehouse, connection: str) -> Known:
    rows = warehouse.arrow("SELECT id, number, customer, service FROM live_tickets WHERE connection = ?", [connection])
    ids, numbers = rows["id"].to_pylist(), rows["number"].to_pylist()
    names = {
        field: frozenset(name for name in set(rows[field].to_pylist()) if name is not None)
        for field in ("customer", "service")
    }
    return Known({**dict(zip(numbers, ids, strict=True)), **dict(zip(ids, ids, strict=True))}, names)


def _compared(warehouse: Warehouse, file: ReadFile, connection: str) -> tuple[int, int, int]:
    """How many of the records are new, different from what stands, and the same."""
    layout: Layout = file.layout
    names = SCHEMAS[layout.kind].names
    columns = ", ".join(f'"{name}"' for name in names)
    ids = [record["id"] for record in file.records]
    sql = f"SELECT {columns} FROM {TABLE_OF[layout.kind]} WHERE connection = ? AND vanished_at IS NULL "  # noqa: S608
    found = warehouse.arrow(sql + "AND id IN (SELECT unnest(?))", [connection, ids])
    standing = {row["id"]: row for row in _plain(found, names)}
    wanted = _plain(file.table(), names)
    new = sum(row["id"] not in standing for row in wanted)
    same = sum(standing.get(row["id"]) == row for row in wanted)
    return new, len(wanted) - new - same, same


def _plain(table: pa.Table, names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows whose instants compare whatever zone they are told in."""
    return [
        {name: value.astimezone(UTC) if isinstance(value, datetime) else value for name, value in row.items()}
        for row in table.select(names).to_pylist()
    ]
