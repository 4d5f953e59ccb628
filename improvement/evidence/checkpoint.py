"""Checkpoints: a tree's size and root as a C2SP *signed note* (tlog-checkpoint), signed with Ed25519."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from improvement.errors import Place, RegelkreisError

ED25519 = b"\x01"  # the algorithm byte of the signed-note key id
SIGNATURE_MARK = "— "


class NoteError(RegelkreisError):
    """A signed note is malformed, or its signature does not belong to the key."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: whose it is, how many leaves, which root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's body: origin, size, base64 root, each on a line."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def new_key(path: Path) -> Ed25519PrivateKey:
    """Make a signing key and keep it in a file only its owner can read (mode 0600)."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    return key


def load_key(path: Path) -> Ed25519PrivateKey:
    """The signing key of a file; :class:`RegelkreisError` when it is missing or no Ed25519 key."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise RegelkreisError(
            "The ledger's signing key is missing.",
            where=Place(file=str(path)),
            mend="`regelkreis init` makes one; restore it from your backup if the ledger already exists.",
        ) from error
    except ValueError as error:
        raise RegelkreisError("The ledger's signing key cannot be read.", where=Place(file=str(path))) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RegelkreisError("The ledger's signing key is no Ed25519 key.", where=Place(file=str(path)))
    return key


def raw_public(public: Ed25519PublicKey) -> bytes:
    """The 32 bytes of a public key."""
    return public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def key_id(name: str, public: Ed25519PublicKey) -> bytes:
    """The four bytes that name a key in a signed note: SHA-256(name ‖ "\\n" ‖ 0x01 ‖ key)[:4]."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + raw_public(public)).digest()[:4]


def fingerprint(public: Ed25519PublicKey) -> str:
    """SHA-256 of the public key, as people compare it."""
    return hashlib.sha256(raw_public(public)).hexdigest()


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The checkpoint as a signed note; the origin is also the key's name."""
    signature = key_id(checkpoint.origin, key.public_key()) + key.sign(checkpoint.text.encode())
    return f"{checkpoint.text}\n{SIGNATURE_MARK}{checkpoint.origin} {base64.b64encode(signature).decode()}\n"


def parse(note: str) -> Checkpoint:
    """The checkpoint a note states, whoever signed it."""
    body, separator, _ = note.partition("\n\n")
    lines = body.split("\n")
    if not separator or len(lines) < 3 or not lines[1].isdecimal() or not lines[0]:
        raise NoteError("This is no checkpoint: origin, size and root are expected.")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError as error:
        raise NoteError("The root of this checkpoint is no base64.") from error
    if len(root) != 32 or (lines[1] != "0" and lines[1].startswith("0")):
        raise NoteError("The size or root of this checkpoint is malformed.")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def verify(note: str, public: Ed25519PublicKey, *, origin: str) -> Checkpoint:
    """The checkpoint of a note signed by this key for this origin, else :class:`NoteError`."""
    checkpoint = parse(note)
    if checkpoint.origin != origin:
        raise NoteError(f"The checkpoint is of “{checkpoint.origin}”, not “{origin}”.")
    body, _, signatures = note.partition("\n\n")
    for line in signatures.splitlines():
        name, _, encoded = line.removeprefix(SIGNATURE_MARK).rpartition(" ")
        if not line.startswith(SIGNATURE_MARK) or name != origin:
            continue
        try:
            raw = base64.b64decode(encoded, validate=True)
            if raw[:4] == key_id(name, public):
                public.verify(raw[4:], f"{body}\n".encode())
                return checkpoint
        except (ValueError, InvalidSignature) as error:
            raise NoteError("The signature does not fit the checkpoint.") from error
    raise NoteError("No signature of this key was found.")
