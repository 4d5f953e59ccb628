"""A warehouse that is new, or older than what the state knows to have been read into it.

Both remember the number of the last write of a connection's records. The warehouse commits first, so its number is the
state's or a greater one; a smaller one is that of another file, such as one from a backup. What was read since then is
not in it, and would never be asked for again. So each kind is read again from where it stood at that file's last write,
which the log tells: entries name the number that their load had.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

import structlog
from django.db import transaction

from improvement.records import RecordKind
from workflows.actions.holding import keep_connection
from workflows.evidence import ledger
from workflows.models import Connection, LedgerEntry, PullCursor, PullReport
from workflows.warehouse import Warehouse

log = structlog.get_logger()


def begin_again_where_lost(row: Connection, warehouse: Warehouse, kinds: Iterable[RecordKind], as_of: datetime) -> str:
    """Go back to what the warehouse has of a connection; returns what that means, '' where nothing is lost.

    Otherwise only what changed from now on would be read, and rules would count too little.
    """
    held = warehouse.last_write(row.name)
    if held < row.last_write:
        return _go_back(row, warehouse, held, as_of)
    if held > row.last_write:  # a load that nobody noted down: from now on a file without it is an older one
        row.last_write = held
        row.save(update_fields=["last_write"])
    if held or any(warehouse.holds(kind, row.name) for kind in kinds):
        return ""
    if not PullReport.objects.filter(connection=row, new__gt=0).exists():
        return ""  # there never was anything: an empty platform
    return _go_back(row, warehouse, held, as_of)  # a file without numbers: of a version before them, or a new one


def _go_back(row: Connection, warehouse: Warehouse, held: int, as_of: datetime) -> str:
    """Set every cursor to where it stood at a write. Numbers go on beyond all that were ever given."""
    number = max(row.last_write, held) + 1
    told = []
    with transaction.atomic():
        keep_connection(row.name)
        for cursor in PullCursor.objects.filter(connection=row).order_by("kind"):
            stood = _stood(f"{row.name}/{cursor.kind}", held)
            reached = min(stood[0], cursor.updated_at) if stood is not None else None
            tiebreak = stood[1] if stood is not None and reached == stood[0] else ""
            ledger.append(
                "pull.rewound",
                subject=f"{row.name}/{cursor.kind}",
                actor=ledger.ENGINE,
                at=as_of,
                payload={
                    "cursor_from": cursor.updated_at.isoformat(),
                    "cursor_to": reached.isoformat() if reached is not None else "",
                    "tiebreak": tiebreak,
                    "write": number,
                },
            )
            if reached is None:
                cursor.delete()
            else:
                cursor.updated_at, cursor.tiebreak = reached, tiebreak
                cursor.save()
            told.append(f"{cursor.kind} from {f'{reached:%Y-%m-%d %H:%M} UTC' if reached else 'the beginning'}")
        if told:
            row.reconciled, row.last_write = {}, number
            row.save(update_fields=["reconciled", "last_write"])
    if not told:
        return ""
    # Only now: whoever is killed before it finds the same once more.
    warehouse.go_on_from(row.name, number)
    why = "the warehouse is older than what was read into it" if held else "the warehouse holds none of its records"
    log.warning("pull.begins_again", connection=row.name, why=why, kinds=told)
    return f"{why}, as after a restore; what is missing is read again: {', '.join(told)}"


def _stood(subject: str, write: int) -> tuple[datetime, str] | None:
    """Where a kind's cursor stood when the warehouse was written to for the ``write``-th time, and its tie-break, which
    names the mapping ("" in entries of earlier versions); None: at its beginning.

    Of entries with the same number the later one counts: it is of the file that this one was copied from.
    """
    newest, reached, tiebreak = 0, "", ""
    entries = LedgerEntry.objects.filter(subject=subject, type__in=("pull.loaded", "pull.rewound")).order_by("index")
    for data in entries.values_list("data", flat=True).iterator(chunk_size=2000):
        payload = json.loads(bytes(data))["payload"]
        if not payload.get("moves_cursor", True):
            continue
        if newest <= payload.get("write", 0) <= write and payload.get("write"):
            newest, reached, tiebreak = payload["write"], payload["cursor_to"], payload.get("tiebreak", "")
    return (datetime.fromisoformat(reached), tiebreak) if reached else None
