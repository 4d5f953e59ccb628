"""Sealing: what is kept on disk for a platform is encrypted and authenticated with a key that lies elsewhere.

Fernet of the `cryptography` package (AES-128 in CBC mode with HMAC-SHA256). Several keys may be given, newest first:
the first one seals, each of them opens, so that a key can be replaced without granting access anew.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import SecretStr

from improvement.errors import Place, SettingsError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_BYTES = 32
KEY_FORM = "A key is 32 bytes as URL-safe base64; `regelkreis secrets new-key` prints one."


class Seal:
    """Seals and opens small texts. Keys never show in its repr."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._keys = tuple(keys)

    def close(self, plain: bytes, *, where: Place) -> bytes:
        """The sealed form, by the newest key. Raises :class:`SettingsError` where there is none."""
        return self._fernet(where).encrypt(plain)

    def open(self, sealed: bytes, *, where: Place) -> bytes:
        """The plain form, by whichever key fits. Raises :class:`SettingsError` where there is none, or none fits."""
        from cryptography.fernet import InvalidToken

        if not self._keys:
            raise SettingsError(
                "This is sealed, and there is no key to open it.",
                where=where,
                mend="Give the key it was sealed with: token.key of a backup of the home, or REGELKREIS_TOKEN_KEY. "
                "A new key opens nothing that was sealed before.",
            )
        try:
            return self._fernet(where).decrypt(sealed)
        except InvalidToken:
            raise SettingsError(
                "What is kept here was sealed with another key than those given, or the file is damaged.",
                where=where,
                mend="Give the key it was sealed with (`token_key`, or token.key in the home; the older one after "
                "the newer one), or delete the file and grant access, or write the secret, anew. A worker started "
                "before the key was replaced must be started again.",
            ) from None

    def must_have_key(self, *, where: Place) -> None:
        """Raise :class:`SettingsError` where nothing could be sealed."""
        if not self._keys:
            raise SettingsError(
                "There is no key to seal with.",
                where=where,
                mend="Run `regelkreis init`, which makes token.key in the home, or set REGELKREIS_TOKEN_KEY.",
            )

    def _fernet(self, where: Place) -> MultiFernet:
        from cryptography.fernet import Fernet, MultiFernet

        self.must_have_key(where=where)
        return MultiFernet([Fernet(key.get_secret_value()) for key in self._keys])


def keys_in(text: str) -> tuple[SecretStr, ...]:
    """The keys of a setting or file, newest first, parted by blanks, commas or line ends; ValueError for a wrong one.

    The error never quotes the key.
    """
    found = text.replace(",", " ").split()
    for number, key in enumerate(found, start=1):
        try:
            is_key = len(base64.b64decode(key, altchars=b"-_", validate=True)) == KEY_BYTES
        except (binascii.Error, ValueError):
            is_key = False
        if not is_key:
            which = "the key" if len(found) == 1 else f"key no. {number}"
            raise ValueError(f"{which} has not the right form. {KEY_FORM}")
    return tuple(SecretStr(key) for key in found)


def new_key() -> str:
    """A fresh key."""
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()
