"""The real command for stories, each time as a process of its own.

Most of a short command's time goes into reading libraries. So there is one prepared process that has read them, and
none of our own modules, and each command is forked from it. `from_a_shell` begins with a new interpreter.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[1]
RUN = "import sys; sys.argv[0] = 'regelkreis'; from config.entry import main; main()"
FORKED = f"import sys; from tests.command import become; become(int(sys.argv[1])); {RUN}"
LIMIT_S = 120
LIBRARIES = (
    *("django.core.management", "django.contrib.auth.hashers", "django.db.models", "django.db.backends.sqlite3.base"),
    *("duckdb", "ibis.backends.duckdb", "pandas", "pyarrow.compute", "scipy.stats", "scipy.optimize"),
    *("cryptography.hazmat.primitives.asymmetric.ed25519", "cryptography.hazmat.primitives.serialization"),
    *("msgspec", "pydantic_settings", "requests", "rfc8785", "ruamel.yaml"),
    *("rich.console", "rich.table", "structlog", "typer"),
)
OURS = {"config", "connectors", "improvement", "workflows"}
_MOST = 1 << 20  # bytes of one order


@dataclass(frozen=True, slots=True)
class Begun:
    """A command under way, and what it has written so far."""

    pid: int
    arguments: tuple[str, ...]
    told: socket.socket
    out: IO[bytes]
    err: IO[bytes]

    def ended(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end; a code below zero is the signal that ended it."""
        with self.told, self.out, self.err:
            self.told.settimeout(LIMIT_S)
            try:
                code = int(self.told.recv(64))
            except TimeoutError:
                os.kill(self.pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(self.arguments, LIMIT_S) from None
            self.out.seek(0)
            self.err.seek(0)
            return subprocess.CompletedProcess(
                ["regelkreis", *self.arguments], code, self.out.read().decode(), self.err.read().decode()
            )


def begun(home: Path, *arguments: str, limits: Mapping[int, int] | None = None, **environment: str) -> Begun:
    """Begin the command; ``limits`` are resource limits by their number, as ``RLIMIT_FSIZE``."""
    order = {
        "arguments": arguments,
        "environment": _environment(home, environment),
        "limits": list((limits or {}).items()),
    }
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed at its end
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        _prepared().give(order, [out.fileno(), err.fileno(), theirs.fileno()])
    return Begun(int(ours.recv(64)), arguments, ours, out, err)


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


class Prepared:
    """The process with the libraries: takes orders from a socket, and ends when that closes, that is, with us."""

    def __init__(self) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._one_at_a_time = threading.Lock()
        environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        with theirs:
            command = [sys.executable, "-c", FORKED, str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[theirs.fileno()])

    def give(self, order: Mapping[str, Any], files: list[int]) -> None:
        """Have a command begun that writes into the first two files; of itself it tells through the third."""
        with self._one_at_a_time:
            socket.send_fds(self._orders, [json.dumps(order).encode()], files)


@cache
def _prepared() -> Prepared:
    return Prepared()


def become(descriptor: int) -> None:
    """Wait for orders; fork for each, and return in the fork, which is to be that command."""
    for name in LIBRARIES:
        importlib.import_module(name)
    assert not OURS & set(sys.modules), "our own modules are read by each command anew"
    gc.collect()
    gc.freeze()  # else each command walks through all that the libraries made when it ends
    orders = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a watcher ended
    while True:
        text, files, _, _ = socket.recv_fds(orders, _MOST, 3)
        if not text:
            os._exit(0)
        if os.fork() == 0:
            orders.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _watch(json.loads(text), files)
        for file in files:
            os.close(file)


def _watch(order: dict[str, Any], files: list[int]) -> None:
    """Fork once more, and tell through the third file who that is and with which code it ends."""
    out, err, told = files
    pid = os.fork()
    if pid == 0:
        os.close(told)
        return _put_on(order, out, err)
    answer = socket.socket(fileno=told)
    answer.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    answer.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _put_on(order: dict[str, Any], out: int, err: int) -> None:
    """The arguments, environment, limits and files of the order."""
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv[1:] = order["arguments"]
    for number, most in order["limits"]:
        resource.setrlimit(number, (most, most))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.close(out)
    os.close(err)
