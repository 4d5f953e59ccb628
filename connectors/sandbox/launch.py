"""Starting and stopping the sandbox's processes, one per platform.

A child is ``python -m connectors.sandbox.process``: it reads its configuration from standard input, answers
``ready PORT`` on standard output when it serves, and ends when its standard input closes. So no child outlives its
parent, however that ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from connectors.sandbox.plugin import Flavour, SandboxConfig
from improvement.errors import ConnectionFailed, Place

ROOT = Path(__file__).resolve().parents[2]


class Job(msgspec.Struct, frozen=True):
    """What one child is told to do."""

    config: SandboxConfig
    flavour: Flavour
    port: int


def encode(job: Job) -> bytes:
    """A job as one line of JSON."""
    return msgspec.json.encode(job, enc_hook=str) + b"\n"


def decode(line: bytes) -> Job:
    """The job of one line of JSON."""
    return msgspec.json.decode(line, type=Job, dec_hook=_from_text)


class Children:
    """The processes of one sandbox; a context manager that ends them.

    ``urls`` holds one address per flavour once entered, that is when all ports answer.
    """

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.urls: dict[Flavour, str] = {}
        self._processes: dict[Flavour, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            for flavour, port in self.config.ports().items():
                self._processes[flavour] = _start(Job(self.config, flavour, port))
            for flavour, process in self._processes.items():
                self.urls[flavour] = f"http://{self.config.host}:{_await_port(flavour, process)}"
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def wait(self) -> None:
        """Block until a child ends or the user interrupts."""
        try:
            for process in self._processes.values():
                process.wait()
        except KeyboardInterrupt:
            return

    def close(self) -> None:
        """End all children."""
        for process in self._processes.values():
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes.values():
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        self._processes.clear()


def _start(job: Job) -> subprocess.Popen[bytes]:
    search = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "connectors.sandbox.process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": search},
    )
    assert process.stdin is not None
    process.stdin.write(encode(job))
    process.stdin.flush()
    return process


def _await_port(flavour: Flavour, process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if not line.startswith("ready "):
        process.wait()
        raise ConnectionFailed(
            f"The sandbox of {flavour} did not start: {line.strip() or 'it ended with an error, shown above'}",
            where=Place(connection=f"sandbox {flavour}"),
            mend="If the port is in use, choose another one.",
        )
    return int(line.split()[1])


def _from_text(kind: type, value: Any) -> Any:
    return kind(value)
