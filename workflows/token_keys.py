"""Seal what lies in ``secrets/``, and replace the key that seals it and platforms' rotating tokens.

The order makes it safe to stop anywhere: the new key is put before the old one, everything that is kept is sealed
again, and only then the old key is dropped. At each moment every file can be opened with the keys that are there.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from pydantic import SecretStr

from connectors.sealed_files import seal_again, seal_plain
from connectors.sealing import Seal, new_key
from connectors.tokens import TokenFile
from improvement.errors import PermissionMissing
from workflows.evidence import ledger
from workflows.models import Person, Role


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was sealed again: connections' tokens, files of ``secrets/``; and whether the key is ours to replace."""

    connections: tuple[str, ...]
    files: tuple[str, ...]
    is_key_new: bool


def rotate(actor: Person, *, at: datetime) -> Rotation:
    """Seal every kept token with a new key (``token.key``), or with the first one given (``token_key``)."""
    _must_be_admin(actor, "replace the key")
    config = settings.REGELKREIS
    is_ours = config.token_key is None
    old = config.token_keys()
    keys = (SecretStr(new_key()), *old) if is_ours else old
    if is_ours:
        _write(config.token_key_file, keys)
    sealed = _seal_again(keys)
    files = seal_again(config.home / "secrets", Seal(keys))
    if is_ours:
        _write(config.token_key_file, keys[:1])
    with transaction.atomic():
        payload = {"connections": list(sealed), "files": list(files), "key": "replaced" if is_ours else "given"}
        ledger.append("secrets.rotated", subject="tokens", actor=actor.uid, at=at, payload=payload)
    return Rotation(sealed, files, is_ours)


def seal_files(actor: Person, *, at: datetime) -> tuple[str, ...]:
    """Seal the files of ``secrets/`` in their place; the names of those that were not sealed before."""
    _must_be_admin(actor, "seal them")
    config = settings.REGELKREIS
    files = seal_plain(config.home / "secrets", Seal(config.token_keys()))
    if files:
        with transaction.atomic():
            ledger.append("secrets.sealed", subject="secrets", actor=actor.uid, at=at, payload={"files": list(files)})
    return files


def _must_be_admin(actor: Person, what: str) -> None:
    if not actor.has_role(Role.ADMIN):
        raise PermissionMissing(f"{actor.username} is no administrator.", mend=f"Ask one to {what}.")


def _seal_again(keys: tuple[SecretStr, ...]) -> tuple[str, ...]:
    """The names of the connections whose kept token is now sealed with the first of these keys."""
    done = []
    for name, connection in sorted(settings.REGELKREIS.connections.items()):
        if connection.oauth is None or connection.oauth.token_file is None or not connection.oauth.token_file.exists():
            continue
        file = TokenFile(connection.oauth.token_file, Seal(keys))
        with file.locked():
            token = file.read()
            if token is not None:
                file.write(token)
                done.append(name)
    return tuple(done)


def _write(path: Path, keys: tuple[SecretStr, ...]) -> None:
    """The keys, one a line, readable by their owner only; the file is replaced whole."""
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".token-key-")  # mode 0600
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.writelines(f"{key.get_secret_value()}\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    Path(beside).replace(path)
