"""Append to the ledger and sign checkpoints (verifying.py checks them).

``append`` must run inside the transaction of the effect it records: effect and entry commit together or not at
all. Free text and names never enter an entry: ``sealed`` keeps them in an erasable table and returns the salted
SHA-256 that stands for them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from improvement.evidence import checkpoint, merkle
from improvement.evidence.canonical import canonical
from improvement.evidence.entries import EntryType
from workflows.models import Checkpoint, ErasableText, LedgerEntry, LedgerHead

SCHEMA = "regelkreis.ledger/v1"
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
    with transaction.atomic(savepoint=False):  # an entry that fails fails its effect: nothing goes back to before it
        head = _locked_head()
        leaf = merkle.leaf_hash(data)
        index = head.size
        LedgerEntry.objects.create(index=index, type=kind, subject=subject, data=data, leaf_hash=leaf)
        frontier = merkle.append(tuple(bytes.fromhex(node) for node in head.frontier), head.size, leaf)
        head.frontier = [node.hex() for node in frontier]
        head.size = index + 1
        head.save()
    return index


def stamp(at: datetime) -> str:
    """A moment as entries write it: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _locked_head() -> LedgerHead:
    """The one row that hands out leaf numbers, ours until the transaction ends; the first entry makes it."""
    locked = LedgerHead.objects.select_for_update()
    head = locked.filter(id=1).first()
    if head is None:
        LedgerHead.objects.get_or_create(id=1)
        head = locked.get(id=1)
    return head


def hold() -> None:
    """Keep the ledger ours until the transaction ends; waits for whoever has it. For effects that must not overtake."""
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
