"""Processes of their own that begin at once: forked from a prepared one, which has read what they all read.

Most of the time of a short process goes into reading libraries. What is forked has its own arguments, environment and
files, is ended and waited for like any other process, and ends the way an interpreter does.
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
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_MOST = 1 << 20  # bytes of one order


@dataclass
class Forked:
    """A process under way."""

    pid: int
    told: socket.socket
    code: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """The code it ends with; below zero it is the signal that ended it."""
        if self.code is None:
            self.told.settimeout(timeout)
            try:
                self.code = int(self.told.recv(64))
            except TimeoutError:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
            self.told.close()
        return self.code

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.kill(self.pid, signal.SIGKILL)


@dataclass
class Prepared:
    """The process to fork from. It starts when it is first needed, and ends with us.

    Parameters
    ----------
    modules
        What it reads.
    then
        Python code: what a fork does.
    unread
        Packages that each fork has to read for itself.
    """

    modules: Sequence[str]
    then: str
    unread: Sequence[str] = ()
    _orders: socket.socket | None = None
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def fork(
        self,
        files: tuple[int, int, int],
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str],
        limits: Mapping[int, int] | None = None,
    ) -> Forked:
        """A process with these standard input, output and error, and with these resource limits (by their number)."""
        order = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "limits": list((limits or {}).items()),
        }
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._one_at_a_time:
            socket.send_fds(self._started(), [json.dumps(order).encode()], [*files, theirs.fileno()])
        return Forked(int(ours.recv(64)), ours)

    def _started(self) -> socket.socket:
        if self._orders is None:
            self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
            told = (theirs.fileno(), list(self.modules), list(self.unread))
            code = f"from tests.forking import become; become(*{told!r}); {self.then}"
            with theirs:
                subprocess.Popen(
                    [sys.executable, "-c", code], cwd=ROOT, env=environment, pass_fds=[theirs.fileno()]
                )  # it ends when our end of the socket closes
        return self._orders


def become(descriptor: int, modules: Sequence[str], unread: Sequence[str]) -> None:
    """Wait for orders; fork for each, and return in the fork, which is to be that process."""
    for name in modules:
        importlib.import_module(name)
    assert not set(unread) & set(sys.modules), "each process reads these for itself"
    gc.collect()
    gc.freeze()  # else each process, when it ends, walks through all that was read
    orders = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a watcher ended
    while True:
        text, files, _, _ = socket.recv_fds(orders, _MOST, 4)
        if not text:
            os._exit(0)
        if os.fork() == 0:
            orders.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            return _watch(json.loads(text), *files)
        for file in files:
            os.close(file)


def _watch(order: dict[str, Any], given: int, out: int, err: int, told: int) -> None:
    """Fork once more, and tell who that is and with which code it ends."""
    pid = os.fork()
    if pid == 0:
        os.close(told)
        return _put_on(order, given, out, err)
    for file in (given, out, err):
        os.close(file)  # whoever reads them sees their end
    answer = socket.socket(fileno=told)
    answer.send(str(pid).encode())
    _, status = os.waitpid(pid, 0)
    answer.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _put_on(order: dict[str, Any], *files: int) -> None:
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv[1:] = order["arguments"]
    for number, most in order["limits"]:
        resource.setrlimit(number, (most, most))
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
