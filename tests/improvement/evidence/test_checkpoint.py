"""Checkpoints as signed notes, against a note published by Go's ``sumdb/note``."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from improvement.errors import RegelkreisError
from improvement.evidence import merkle
from improvement.evidence.checkpoint import (
    Checkpoint,
    NoteError,
    fingerprint,
    load_key,
    new_key,
    parse,
    parse_verifier_key,
    sign,
    sign_text,
    verifier_key,
    verify,
    verify_text,
)

PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PUBLISHED_NOTE = (
    PUBLISHED_TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key()
ORIGIN = "regelkreis.example/log"
CHECKPOINT = Checkpoint(ORIGIN, 8, merkle.root([merkle.leaf_hash(b"entry")] * 8))
NOTE = sign(CHECKPOINT, KEY)


def test_a_note_published_elsewhere_verifies() -> None:
    name, public = parse_verifier_key(PUBLISHED_KEY)
    assert verify_text(PUBLISHED_NOTE, name, public) == PUBLISHED_TEXT
    assert verifier_key(name, public) == PUBLISHED_KEY


def test_a_changed_published_note_does_not() -> None:
    name, public = parse_verifier_key(PUBLISHED_KEY)
    with pytest.raises(NoteError, match="does not fit"):
        verify_text(PUBLISHED_NOTE.replace("answer", "reason"), name, public)


def test_a_checkpoint_comes_back_from_its_note() -> None:
    assert NOTE.startswith(f"{ORIGIN}\n8\n")
    assert parse(NOTE) == CHECKPOINT
    assert verify(NOTE, PUBLIC, origin=ORIGIN) == CHECKPOINT


def test_another_key_or_another_origin_is_refused() -> None:
    stranger = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(NoteError, match="No signature"):
        verify(NOTE, stranger, origin=ORIGIN)
    with pytest.raises(NoteError, match="not “elsewhere”"):
        verify(NOTE, PUBLIC, origin="elsewhere")


def test_a_note_may_carry_signatures_of_witnesses_too() -> None:
    witness = Ed25519PrivateKey.generate()
    line = sign_text(CHECKPOINT.text, "witness.example", witness).rpartition("\n\n")[2]
    assert verify(NOTE + line, PUBLIC, origin=ORIGIN) == CHECKPOINT
    assert verify_text(NOTE + line, "witness.example", witness.public_key()) == CHECKPOINT.text


@given(st.integers(0, len(NOTE) - 1), st.characters(exclude_categories=("Cs",)))
def test_any_changed_character_is_found(place: int, character: str) -> None:
    changed = NOTE[:place] + character + NOTE[place + 1 :]
    if changed == NOTE:
        return
    with pytest.raises(NoteError):
        verify(changed, PUBLIC, origin=ORIGIN)


@pytest.mark.parametrize(
    "text",
    ["", "origin\n8\n", f"{ORIGIN}\n08\nAAAA\n\n— x AAAAAAAA\n", f"{ORIGIN}\n8\n???\n\n— x AAAAAAAA\n", "\n\n\n"],
)
def test_what_is_no_checkpoint_is_said_to_be_none(text: str) -> None:
    with pytest.raises(NoteError):
        parse(text)


@pytest.mark.parametrize("key", ["", "a+b", "name+00000000+AAAA", PUBLISHED_KEY.replace("c74f", "c74e")])
def test_what_is_no_verifier_key_is_refused(key: str) -> None:
    with pytest.raises(NoteError):
        parse_verifier_key(key)


@pytest.mark.parametrize("name", ["", "two words", "a+b"])
def test_a_key_name_holds_no_space_and_no_plus(name: str) -> None:
    with pytest.raises(NoteError, match="cannot name a key"):
        sign_text("text\n", name, KEY)


def test_a_key_file_is_readable_by_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.pem"
    key = new_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert fingerprint(load_key(path).public_key()) == fingerprint(key.public_key())
    with pytest.raises(FileExistsError):
        new_key(path)


def test_a_missing_or_broken_key_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RegelkreisError, match="regelkreis init"):
        load_key(tmp_path / "absent.pem")
    (tmp_path / "broken.pem").write_text("no key")
    with pytest.raises(RegelkreisError, match="cannot be read"):
        load_key(tmp_path / "broken.pem")
