"""Files with one secret each, plain or sealed: a sealed password says nothing without the key of tokens.

A sealed file begins with :data:`MARK`. Only the key itself stays as it is.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from connectors.sealing import Seal
from improvement.errors import Place, SettingsError

MARK = "regelkreis-sealed:"
KEY = "token_key"  # the file with the key


def text_of(file: Path) -> str:
    """What a file says, sealed or not; its content is never shown."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (UnicodeDecodeError, OSError) as error:
        raise SettingsError(
            "This secret cannot be read as text.", where=Place(file=str(file)), mend="Write it as one line of UTF-8."
        ) from error


def is_sealed(file: Path) -> bool:
    """Whether a key is needed to read it."""
    return text_of(file).startswith(MARK)


def opened(file: Path, seal: Seal) -> str:
    """The secret in a sealed file. :class:`SettingsError` where no key opens it."""
    return seal.open(text_of(file).removeprefix(MARK).encode(), where=Place(file=str(file))).decode()


def seal_plain(folder: Path, seal: Seal) -> tuple[str, ...]:
    """Seal the secrets of a folder that are plain, each in its place; their names."""
    plain = [file for file in _secrets(folder) if not is_sealed(file) and text_of(file)]
    return tuple(_replaced(file, text_of(file), seal) for file in plain)


def seal_again(folder: Path, seal: Seal) -> tuple[str, ...]:
    """Seal those that are sealed with the newest key; their names."""
    return tuple(_replaced(file, opened(file, seal), seal) for file in _secrets(folder) if is_sealed(file))


def _secrets(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.is_file() and not file.name.startswith(".") and file.name != KEY:
            yield file


def _replaced(file: Path, plain: str, seal: Seal) -> str:
    """Seal one; the file is replaced whole, so whoever is stopped half way runs it again."""
    sealed = seal.close(plain.encode(), where=Place(file=str(file))).decode()
    beside = None
    try:
        descriptor, beside = tempfile.mkstemp(dir=file.parent, prefix=".sealed-")  # mode 0600
        with os.fdopen(descriptor, "w", encoding="ascii") as out:
            out.write(f"{MARK}{sealed}\n")
            out.flush()
            os.fsync(out.fileno())
        Path(beside).replace(file)
    except OSError as error:
        if beside is not None:
            Path(beside).unlink(missing_ok=True)
        raise SettingsError(
            f"This secret cannot be sealed: {error.strerror}.",
            where=Place(file=str(file)),
            mend="Run it as the owner of the folder. What a container platform mounts there, that platform guards.",
        ) from error
    return file.name
