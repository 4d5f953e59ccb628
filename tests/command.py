"""The real command for stories, each time as a process of its own.

It is forked from one that has read the libraries, and none of our own modules. Only `from_a_shell` begins with a new
interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.forking import ROOT, Forked, Prepared

RUN = "import sys; sys.argv[0] = 'regelkreis'; from config.entry import main; main()"
LIMIT_S = 120
LIBRARIES = (
    *("django.core.management", "django.contrib.auth.hashers", "django.db.models", "django.db.backends.sqlite3.base"),
    *("duckdb", "ibis.backends.duckdb", "pandas", "pyarrow.compute", "scipy.stats", "scipy.optimize"),
    *("cryptography.hazmat.primitives.asymmetric.ed25519", "cryptography.hazmat.primitives.serialization"),
    *("msgspec", "pydantic_settings", "requests", "rfc8785", "ruamel.yaml"),
    *("rich.console", "rich.table", "structlog", "typer"),
)
_PREPARED = Prepared(LIBRARIES, RUN, unread=("config", "connectors", "improvement", "workflows"))


@dataclass(frozen=True, slots=True)
class Begun:
    """A command under way, and what it has written so far."""

    process: Forked
    arguments: tuple[str, ...]
    out: IO[bytes]
    err: IO[bytes]

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()

    def ended(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end; a code below zero is the signal that ended it."""
        with self.out, self.err:
            try:
                code = self.process.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            self.out.seek(0)
            self.err.seek(0)
            written = self.out.read().decode(), self.err.read().decode()
        return subprocess.CompletedProcess(["regelkreis", *self.arguments], code, *written)


def begun(home: Path, *arguments: str, limits: Mapping[int, int] | None = None, **environment: str) -> Begun:
    """Begin the command; ``limits`` are resource limits by their number, as ``RLIMIT_FSIZE``."""
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed at its end
    with Path(os.devnull).open() as nothing:
        files = (nothing.fileno(), out.fileno(), err.fileno())
        process = _PREPARED.fork(files, arguments=arguments, environment=_environment(home, environment), limits=limits)
    return Begun(process, arguments, out, err)


def regelkreis(
    home: Path, *arguments: str, limits: Mapping[int, int] | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return begun(home, *arguments, limits=limits, **environment).ended()


def from_a_shell(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command the way a shell does, with an interpreter that has read nothing yet."""
    return subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        env=_environment(home, environment),
        cwd=ROOT,
    )


def _environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGELKREIS_")}
    return {**clean, "REGELKREIS_HOME": str(home), **more}
