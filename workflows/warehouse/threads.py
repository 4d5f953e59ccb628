"""How many threads of DuckDB a query takes: all it may, and one while somebody loads.

No load is large enough for two, whose waiting for each other costs a quarter of its time. The setting is the whole
file's, so loads side by side share it: the last one gives the others back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Threads:
    """Of one file that is open."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._loads = 0
        self._lock = threading.Lock()

    @contextmanager
    def one(self, raw: Any) -> Iterator[None]:
        """Around one load, and nothing that waits for a platform."""
        self._count(raw, 1)
        try:
            yield
        finally:
            self._count(raw, -1)

    def _count(self, raw: Any, by: int) -> None:
        if self._most == 1:
            return
        with self._lock:
            before, self._loads = self._loads, self._loads + by
            if not (before and self._loads):  # the first comes, or the last goes
                raw.execute(f"SET threads = {1 if self._loads else self._most}")
