"""All or nothing, and one at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# DuckDB 2.0.1 writes a checkpoint with one connection's COMMIT while another one's transaction is under way, and then
# loses rows that this other one deleted and wrote (two threads that replace rows side by side show it within a
# second). Readers see what is right meanwhile. So within this process, which alone has the file open, writers wait.
_WRITING = threading.Lock()


@contextmanager
def transaction(raw: Any) -> Iterator[None]:
    """What happens inside stands as a whole, or not at all; no other thread of ours writes meanwhile."""
    with _WRITING:
        raw.execute("BEGIN")
        try:
            yield
        except BaseException:
            raw.execute("ROLLBACK")
            raise
        raw.execute("COMMIT")
