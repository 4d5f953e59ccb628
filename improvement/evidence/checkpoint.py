"""Checkpoints: a tree's size and root as a C2SP *signed note* (tlog-checkpoint), signed with Ed25519."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from improvement.errors import Place, RegelkreisError

ED25519 = b"\x01"  # the algorithm byte of the signed-note key id
SIGNATURE_MARK = "— "
FORBIDDEN_IN_NAMES = re.compile(r"[\s+]")


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
    """The signing key of a file; :class:`RegelkreisError` when it is missing, unreadable or no Ed25519 key."""
    where = Place(file=str(path))
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise RegelkreisError(
            "The ledger's signing key is missing.",
            where=where,
            mend="`regelkreis init` makes one; restore it from your backup if the ledger already exists.",
        ) from error
    except OSError as error:
        what = f"The ledger's signing key may not be read: {error.strerror}."
        raise RegelkreisError(what, where=where, mend="Make our user its owner, with mode 600.") from error
    except ValueError as error:
        what = "The ledger's signing key cannot be read."
        raise RegelkreisError(what, where=where, mend="Restore it from your backup.") from error
    if not isinstance(key, Ed25519PrivateKey):
        what = "The ledger's signing key is no Ed25519 key."
        raise RegelkreisError(what, where=where, mend="Restore it from your backup.")
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


def verifier_key(name: str, public: Ed25519PublicKey) -> str:
    """The public key as C2SP tools read it: ``name+id+base64(0x01 ‖ key)``."""
    encoded = base64.b64encode(ED25519 + raw_public(public)).decode()
    return f"{_checked_name(name)}+{key_id(name, public).hex()}+{encoded}"


def parse_verifier_key(text: str) -> tuple[str, Ed25519PublicKey]:
    """Name and public key of a verifier key; :class:`NoteError` when it is none or its id does not fit."""
    name, _, rest = text.strip().partition("+")
    named_id, _, encoded = rest.partition("+")
    try:
        raw = base64.b64decode(encoded, validate=True)
        public = Ed25519PublicKey.from_public_bytes(raw[1:])
    except ValueError as error:
        raise NoteError("This is no verifier key: name+id+base64 is expected.") from error
    if raw[:1] != ED25519 or key_id(name, public).hex() != named_id:
        raise NoteError("The id of this verifier key does not fit its key.")
    return name, public


def sign_text(text: str, name: str, key: Ed25519PrivateKey) -> str:
    """A text (ending with a newline) as a signed note under this key name."""
    if not text.endswith("\n"):
        raise NoteError("The text of a signed note ends with a newline.")
    signature = key_id(_checked_name(name), key.public_key()) + key.sign(text.encode())
    return f"{text}\n{SIGNATURE_MARK}{name} {base64.b64encode(signature).decode()}\n"


def verify_text(note: str, name: str, public: Ed25519PublicKey) -> str:
    """The text of a note that this key signed under this name, else :class:`NoteError`.

    Signatures of other keys are passed over, as the format demands.
    """
    text, signatures = _split(note)
    own_id = key_id(name, public)
    for signer, raw in signatures:
        if signer != name or raw[:4] != own_id:
            continue
        try:
            public.verify(raw[4:], text.encode())
        except InvalidSignature as error:
            raise NoteError("The signature does not fit the text.") from error
        return text
    raise NoteError(f"No signature of “{name}” with this key was found.")


def sign(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """The checkpoint as a signed note; the origin is also the key's name."""
    return sign_text(checkpoint.text, checkpoint.origin, key)


def parse(note: str) -> Checkpoint:
    """The checkpoint a note states, whoever signed it. Only the one canonical spelling is accepted."""
    text, _ = _split(note)
    return _parse_text(text)


def verify(note: str, public: Ed25519PublicKey, *, origin: str) -> Checkpoint:
    """The checkpoint of a note signed by this key for this origin, else :class:`NoteError`."""
    checkpoint = parse(note)
    if checkpoint.origin != origin:
        raise NoteError(f"The checkpoint is of “{checkpoint.origin}”, not “{origin}”.")
    verify_text(note, origin, public)
    return checkpoint


def _parse_text(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not all(lines[:-1]) or not re.fullmatch(r"0|[1-9][0-9]*", lines[1]):
        raise NoteError("This is no checkpoint: origin, size and root are expected, each on a line.")
    try:
        root = base64.b64decode(lines[2], validate=True)
    except ValueError as error:
        raise NoteError("The root of this checkpoint is no base64.") from error
    if len(root) != 32 or base64.b64encode(root).decode() != lines[2]:
        raise NoteError("The root of this checkpoint is no SHA-256 in canonical base64.")
    return Checkpoint(origin=lines[0], size=int(lines[1]), root=root)


def _split(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Text and (name, signature) pairs: the last blank line separates them."""
    text, separator, block = note.rpartition("\n\n")
    if not separator or not block.endswith("\n"):
        raise NoteError("This is no signed note: a text, a blank line and signatures are expected.")
    signatures = []
    for line in block.removesuffix("\n").split("\n"):
        name, _, encoded = line.removeprefix(SIGNATURE_MARK).partition(" ")
        if not line.startswith(SIGNATURE_MARK) or not name or FORBIDDEN_IN_NAMES.search(name):
            raise NoteError("A signature line of this note is malformed.")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except ValueError as error:
            raise NoteError("A signature of this note is no base64.") from error
        if len(raw) < 5 or base64.b64encode(raw).decode() != encoded:
            raise NoteError("A signature of this note is not in canonical base64.")
        signatures.append((name, raw))
    return f"{text}\n", signatures


def _checked_name(name: str) -> str:
    if not name or FORBIDDEN_IN_NAMES.search(name):
        raise NoteError(f"“{name}” cannot name a key: no spaces and no plus are allowed.")
    return name
