"""Files with one secret each, plain or sealed: a sealed password says nothing without the key of tokens.

A sealed file begins with :data:`MARK`. Only the key itself stays as it is. Whoever seals holds the lock of the keys, so
that no key is dropped meanwhile and nothing is sealed twice.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from connectors.sealing import Seal
from improvement.errors import Place, SettingsError

MARK = "regelkreis-sealed:"
KEY = "token_key"  # the file with the key
MOST_OPEN = 0o640  # who may read a sealed file


@dataclass(slots=True)
class Sealed:
    """The names of files that were sealed, and why others could not be."""

    files: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)


@contextmanager
def locked(keys: Path) -> Iterator[None]:
    """Alone with the keys and with what they seal, among all processes of this machine."""
    lock = keys.with_name(keys.name + ".lock")
    with os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def text_of(file: Path) -> str:
    """What a file says, sealed or not; its content is never shown."""
    try:
        return file.read_text(encoding="utf-8-sig").strip()
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(
            "This secret cannot be read as text.", where=Place(file=str(file)), mend="Write it as one line of UTF-8."
        ) from error


def secret_in(file: Path, seal: Callable[[], Seal]) -> str:
    """The secret in a file, read once; ``seal`` is asked for a sealed one only.

    Raises :class:`SettingsError` where it is no text, or no key opens it.
    """
    text = text_of(file)
    return _opened(file, text, seal()) if text.startswith(MARK) else text


def plain_files(folder: Path) -> list[str]:
    """The names of secrets that say themselves to whoever reads the file."""
    return [file.name for file in _secrets(folder) if (text := text_of(file)) and not text.startswith(MARK)]


def seal_plain(folder: Path, seal: Seal) -> Sealed:
    """Seal the secrets of a folder that are plain, each in its place."""
    done = Sealed()
    for file in _secrets(folder):
        text = text_of(file)
        if text and not text.startswith(MARK):
            _replace(file, text, seal, done)
    return done


def seal_again(folder: Path, seal: Seal) -> Sealed:
    """Seal those that are sealed with the newest key."""
    done = Sealed()
    for file in _secrets(folder):
        text = text_of(file)
        if text.startswith(MARK):
            _replace(file, _opened(file, text, seal), seal, done)
    return done


def _opened(file: Path, text: str, seal: Seal) -> str:
    return seal.open(text.removeprefix(MARK).encode(), where=Place(file=str(file))).decode()


def _secrets(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.is_file() and not file.name.startswith(".") and file.name != KEY:
            yield file


def _replace(file: Path, plain: str, seal: Seal, done: Sealed) -> None:
    """Seal one, of the same owner and group. Replaced whole, so whoever is stopped half way runs it again."""
    sealed = seal.close(plain.encode(), where=Place(file=str(file))).decode()
    beside = None
    try:
        known = file.lstat()
        if stat.S_ISLNK(known.st_mode) or known.st_nlink > 1:
            done.left[file.name] = "it is a link, and what it leads to would stay plain"
            return
        descriptor, beside = tempfile.mkstemp(dir=file.parent, prefix=".sealed-")
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            os.fchmod(out.fileno(), stat.S_IMODE(known.st_mode) & MOST_OPEN)
            os.fchown(out.fileno(), known.st_uid, known.st_gid)
            out.write(f"{MARK}{sealed}\n")
            out.flush()
            os.fsync(out.fileno())
        Path(beside).replace(file)
    except OSError as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        done.left[file.name] = str(error.strerror)
    else:
        done.files.append(file.name)
