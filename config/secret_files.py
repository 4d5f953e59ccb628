"""Secrets kept in files that only their owner can read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def read_or_make_secret(path: Path) -> str:
    """The secret in a file; made on first use with mode 0600. Two processes at once agree on one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        secret = secrets.token_urlsafe(50)
        file.write(secret)
    return secret
