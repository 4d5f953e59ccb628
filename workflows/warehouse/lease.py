"""One process at a time: DuckDB locks a file against every other opener, even readers."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog

from improvement.errors import Place, RegelkreisError

log = structlog.get_logger()
POLL_S = 0.05


class WarehouseInUse(RegelkreisError):
    """Another process has the file open, and went on having it for as long as we waited."""


@contextmanager
def lease(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the file's lease; wait up to ``wait_s`` seconds for its holder, saying so once.

    The lease is an advisory lock on ``<file>.lock``: the system gives it back when its holder dies. The lock file
    names the holder's process.
    """
    with path.with_suffix(path.suffix + ".lock").open("a+", encoding="utf-8") as file:
        _wait_for(file, path, time.monotonic() + wait_s)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
        file.truncate(0)


def _wait_for(file: TextIO, path: Path, deadline: float) -> None:
    is_told = False
    while not _is_taken(file):
        if time.monotonic() > deadline:
            raise WarehouseInUse(
                f"The warehouse is in use by another process{_holder(file)}.",
                where=Place(file=str(path)),
                mend="Wait for the running cycle to end, then try again.",
            )
        if not is_told:
            log.warning("warehouse.waiting", file=str(path), until=f"the other process{_holder(file)} is done with it")
            is_told = True
        time.sleep(POLL_S)


def _is_taken(file: TextIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(file: TextIO) -> str:
    file.seek(0)
    number = file.read(20).strip()
    return f" (process {number})" if number.isdigit() else ""
