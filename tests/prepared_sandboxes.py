"""The sandbox's processes, forked from a prepared one (loaded with `-p`, see pyproject.toml).

They are hundreds in a run. How a sandbox starts by itself is told in tests/connectors/sandbox/test_server.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import pytest

from connectors.sandbox import launch
from tests.forking import Forked, Prepared

MODULES = (
    *("connectors.sandbox.process", "connectors.sandbox.server", "connectors.sandbox.generator"),
    *("connectors.sandbox.jira.app", "connectors.sandbox.servicenow.app"),
)
_PREPARED = Prepared(MODULES, "from connectors.sandbox.process import main; main()")
_START = launch._start


@dataclass
class Process:
    """What `connectors.sandbox.launch` needs of a process it started."""

    forked: Forked
    stdin: IO[bytes]
    stdout: IO[bytes]

    def wait(self, timeout: float | None = None) -> int:
        """Its code, once it has ended."""
        return self.forked.wait(timeout)

    def kill(self) -> None:
        """End it at once."""
        self.forked.kill()


def started(job: launch.Job) -> Process:
    """One of the sandbox's processes, with its job."""
    theirs, ours = os.pipe()
    answers, out = os.pipe()
    process = Process(
        _PREPARED.fork((theirs, out, 2), environment=os.environ), os.fdopen(ours, "wb"), os.fdopen(answers, "rb")
    )
    os.close(theirs)
    os.close(out)
    process.stdin.write(launch.encode(job))
    process.stdin.flush()
    return process


@pytest.fixture(scope="session", autouse=True)
def forked_sandboxes() -> Iterator[None]:
    """All sandboxes of the session begin so, but for stories that ask for `started_anew`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_start", started)
        yield


@pytest.fixture
def started_anew() -> Iterator[None]:
    """Sandboxes begin as they do outside of tests, each with an interpreter of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "_start", _START)
        yield
