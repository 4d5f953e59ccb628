"""Append to the ledger and sign checkpoints (verifying.py checks them).

``append`` must run inside the transaction of the effect it records: effect and entry commit together or not at
all. Free text and names never enter an entry: ``sealed`` keeps them in an erasable table and returns the salted
SHA-256 that stands for them.
"""

# ruff: noqa: S608 (the SQL is made of our own names; values are bound)

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from improvement.evidence import checkpoint, merkle
from improvement.evidence.canonical import canonical
from improvement.evidence.entries import EntryType
from workflows.models import Checkpoint, ErasableText, LedgerEntry, LedgerHead

SCHEMA = "regelkreis.ledger/v1"
# Every step of every cycle appends: in SQL of our own, because Django would compose these three anew each time, which
# takes longer than running them.
_HEAD, _ENTRIES = LedgerHead._meta.db_table, LedgerEntry._meta.db_table
HEAD = f"SELECT size, CAST(frontier AS TEXT) FROM {_HEAD} WHERE id = 1"
MOVE_ON = f"UPDATE {_HEAD} SET size = %s, frontier = %s WHERE id = 1"
ADD = f'INSERT INTO {_ENTRIES} ("index", type, subject, data, leaf_hash) VALUES (%s, %s, %s, %s, %s)'
ENGINE = "engine"
PLATFORM = "platform"


def append(kind: EntryType, *, subject: str, actor: str, at: datetime, payload: Mapping[str, Any]) -> int:
    """Append one entry and return its leaf number.

    ``kind`` is one that improvement/evidence/entries.py explains; ``at`` is aware; ``actor`` a person's uid, ``engine``
    or ``platform``; ``payload`` holds only JSON values that RFC 8785 can write (finite numbers, text, booleans, lists,
    objects).
    """
    data = canonical(
        {
            "schema": SCHEMA,
            "type": kind,
            "at": stamp(at),
            "actor": actor,
            "subject": subject,
            "payload": dict(payload),
        }
    )
    leaf = merkle.leaf_hash(data)
    with transaction.atomic(savepoint=False):  # an entry that fails fails its effect: nothing goes back to before it
        index, frontier = _locked_head()
        after = merkle.append(tuple(bytes.fromhex(node) for node in frontier), index, leaf)
        with connection.cursor() as cursor:
            cursor.execute(ADD, (index, kind, subject, data, leaf))
            cursor.execute(MOVE_ON, (index + 1, json.dumps([node.hex() for node in after])))
    return index


def stamp(at: datetime) -> str:
    """A moment as entries write it: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _locked_head() -> tuple[int, list[str]]:
    """Size and frontier of the one row that hands out leaf numbers, ours until the transaction ends.

    The first entry makes the row.
    """
    asked = HEAD + (" FOR UPDATE" if connection.features.has_select_for_update else "")
    with connection.cursor() as cursor:
        cursor.execute(asked)
        found = cursor.fetchone()
        if found is None:
            LedgerHead.objects.get_or_create(id=1)
            cursor.execute(asked)
            found = cursor.fetchone()
    size, frontier = found
    return size, json.loads(frontier)


def hold() -> None:
    """Keep the ledger ours until the transaction ends; waits for whoever has it. For effects that must not overtake."""
    if not connection.in_atomic_block:  # it would be let go at once
        raise transaction.TransactionManagementError("The ledger is held within a transaction only.")
    _locked_head()


def sealed(text: str) -> str:
    """Keep a free text in the erasable table; return the salted SHA-256 for a ledger payload ('' for '')."""
    if not text:
        return ""
    salt = secrets.token_hex(16)
    digest = hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()
    ErasableText.objects.create(digest=digest, salt=salt, text=text)
    return digest


def sign_checkpoint(at: datetime) -> Checkpoint | None:
    """Sign the present size and root; None while nothing was added since the last checkpoint."""
    head = LedgerHead.objects.filter(id=1).first()
    if head is None or head.size == 0 or Checkpoint.objects.filter(size=head.size).exists():
        return None
    root = merkle.frontier_root(tuple(bytes.fromhex(node) for node in head.frontier), head.size)
    key = checkpoint.load_key(settings.REGELKREIS.ledger_key)
    note = checkpoint.sign(
        checkpoint.Checkpoint(origin=settings.REGELKREIS.ledger_origin, size=head.size, root=root), key
    )
    return Checkpoint.objects.create(size=head.size, note=note, at=at)
