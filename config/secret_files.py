"""Secrets kept in files that only their owner can read."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path


def read_or_make_secret(path: Path, make: Callable[[], str] = lambda: secrets.token_urlsafe(50)) -> str:
    """The secret in a file; made on first use with mode 0600. Two processes at once agree on one.

    The file appears whole or not at all: it is written beside its place and linked there, and whoever comes second
    reads what the first one linked.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(make())
            _link(Path(beside), path)
        finally:
            Path(beside).unlink()
    return path.read_text(encoding="ascii").strip()


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        return  # another process was faster; its secret counts
