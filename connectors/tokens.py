"""An access token with its end and its refresh token, and the sealed file in which processes share the newest one."""

from __future__ import annotations

import fcntl
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from connectors.sealing import Seal
from improvement.errors import Place, SettingsError

EARLY_S = 60.0  # renew this long before the token ends


SEEN: deque[str] = deque(maxlen=64)
"""Tokens this process has held: no setting knows them, and an answer that echoes one must not show it."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """``renew_at`` is Unix time: other processes read it too. ``seed``: digest of the configured refresh token that it
    came from, so that a newly granted one is not overruled by the kept. The secret parts never show in its repr.
    """

    access: str | None = None
    refresh: str | None = None
    renew_at: float = 0.0
    seed: str = ""

    def __post_init__(self) -> None:
        SEEN.extend(secret for secret in (self.access, self.refresh) if secret and secret not in SEEN)

    @classmethod
    def lasting(cls, life_s: float, *, access: str, refresh: str | None, seed: str) -> Token:
        """A token that was issued just now."""
        renew_at = time.time() + max(life_s - EARLY_S, life_s / 2)
        return cls(access=access, refresh=refresh, renew_at=renew_at, seed=seed)

    @property
    def is_fresh(self) -> bool:
        """Whether it can be used without asking for a new one."""
        return self.access is not None and time.time() < self.renew_at

    def __repr__(self) -> str:
        return f"Token(renew_at={self.renew_at:.0f})"


class TokenFile:
    """The newest token of a connection: sealed, readable by its owner only, and replaced whole, so that a crash leaves
    the old one or the new one.
    """

    def __init__(self, path: Path, seal: Seal) -> None:
        self.path = path
        self._seal = seal
        self._place = Place(file=str(path))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with the file among all processes of this machine (advisory lock on a file beside it)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".lock")
        with os.fdopen(os.open(beside, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def read(self) -> Token | None:
        """The kept token; None where there is none yet. One that an earlier version kept in the open is sealed.

        Raises :class:`SettingsError` where nothing could be kept either: a refresh token that works once must not be
        used up before that is told.
        """
        self._seal.must_have_key(where=self._place)
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        is_open = data.startswith(b"{")
        plain = data if is_open else self._seal.open(data, where=self._place)
        try:
            token = msgspec.json.decode(plain, type=Token)
        except msgspec.DecodeError:
            raise SettingsError(
                "The kept token cannot be read.", where=self._place, mend="Delete the file and grant access anew."
            ) from None
        if is_open:
            self.write(token)
        return token

    def write(self, token: Token) -> None:
        """Keep a token. Nothing is touched where it cannot be sealed."""
        sealed = self._seal.close(msgspec.json.encode(token), where=self._place)
        fresh = self.path.with_name(self.path.name + ".new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path)
