"""Canonical JSON (RFC 8785) and the digests made of it."""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """The RFC 8785 form of a JSON value: sorted keys, shortest numbers, UTF-8.

    Raises ``ValueError`` for what JSON cannot say exactly: NaN, infinities, integers beyond ±(2⁵³ − 1), and anything
    that is no JSON value (a date, a tuple key): callers turn those into text first.
    """
    return rfc8785.dumps(value)


def sha256_hex(data: bytes) -> str:
    """Lower-case hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """SHA-256 of the canonical form."""
    return sha256_hex(canonical(value))
