"""Append to the ledger, sign checkpoints, verify the whole log.

``append`` must run inside the transaction of the effect it records: effect and entry commit together or not at
all. Free text and names never enter an entry: ``sealed`` keeps them in an erasable table and returns the salted
SHA-256 that stands for them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from improvement.evidence import checkpoint, merkle
from improvement.evidence.canonical import canonical
from workflows.models import Checkpoint, ErasableText, LedgerEntry, LedgerHead

SCHEMA = "regelkreis.ledger/v1"
ENGINE = "engine"
PLATFORM = "platform"


def append(kind: str, *, subject: str, actor: str, at: datetime, payload: Mapping[str, Any]) -> int:
    """Append one entry and return its leaf number.

    ``at`` is aware; ``actor`` a person's uid, ``engine`` or ``platform``; ``payload`` holds only JSON values that
    RFC 8785 can write (finite numbers, text, booleans, lists, objects).
    """
    data = canonical(
        {
            "schema": SCHEMA,
            "type": kind,
            "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "actor": actor,
            "subject": subject,
            "payload": dict(payload),
        }
    )
    with transaction.atomic():
        LedgerHead.objects.get_or_create(id=1)
        head = LedgerHead.objects.select_for_update().get(id=1)
        leaf = merkle.leaf_hash(data)
        index = head.size
        LedgerEntry.objects.create(index=index, type=kind, subject=subject, data=data, leaf_hash=leaf)
        frontier = merkle.append(tuple(bytes.fromhex(node) for node in head.frontier), head.size, leaf)
        head.frontier = [node.hex() for node in frontier]
        head.size = index + 1
        head.save()
    return index


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


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found: a sentence per fact proven, and one per fact that fails."""

    facts: tuple[str, ...]
    failures: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        """Whether no fact failed."""
        return not self.failures


def verify() -> Verification:
    """Recompute every leaf and the root, and check each checkpoint's signature and consistency."""
    facts: list[str] = []
    failures: list[str] = []
    leaves: list[bytes] = []
    for entry in LedgerEntry.objects.order_by("index").iterator(chunk_size=2000):
        if entry.index != len(leaves):
            failures.append(f"Entry {len(leaves)} is missing: the next one found is {entry.index}.")
            break
        leaf = merkle.leaf_hash(bytes(entry.data))
        if leaf != bytes(entry.leaf_hash):
            failures.append(f"Entry {entry.index} ({entry.type}) was changed after it was written.")
        leaves.append(leaf)
    head = LedgerHead.objects.filter(id=1).first()
    size = head.size if head else 0
    if size != len(leaves):
        failures.append(f"The head says {size} entries, the log holds {len(leaves)}.")
    if not failures:
        facts.append(f"All {size} entries are there, in order, each with the hash it was written with.")
    failures.extend(_verify_checkpoints(leaves, facts))
    return Verification(facts=tuple(facts), failures=tuple(failures))


def _verify_checkpoints(leaves: list[bytes], facts: list[str]) -> list[str]:
    failures: list[str] = []
    public = checkpoint.load_key(settings.REGELKREIS.ledger_key).public_key()
    roots = merkle.roots(leaves, [row.size for row in Checkpoint.objects.order_by("size")])
    rows = list(Checkpoint.objects.order_by("size"))
    for row in rows:
        try:
            signed = checkpoint.verify(row.note, public, origin=settings.REGELKREIS.ledger_origin)
        except checkpoint.NoteError as error:
            failures.append(f"Checkpoint {row.size}: {error}")
            continue
        if signed.size != row.size or roots.get(row.size) != signed.root:
            failures.append(f"Checkpoint {row.size} signs another tree than the log holds.")
    if rows and not failures:
        facts.append(f"{len(rows)} signed checkpoints agree with the log, the last at {rows[-1].size} entries.")
    if not rows:
        facts.append("No checkpoint was signed yet.")
    return failures
