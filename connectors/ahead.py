"""Reading ahead: the next pages are on their way while the caller still works on the ones before."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Generic, TypeVar

from connectors.stopping import Stop

T = TypeVar("T")


class Ahead(Generic[T]):
    """The same items in the same order, computed in one other thread, at most ``depth`` of them in advance.

    It begins at once, and an error comes where its item would have come. Close it: a caller that stops early waits for
    the item being computed only, and not for what that waits for (:mod:`connectors.stopping`).
    """

    def __init__(self, items: Iterator[T], *, depth: int) -> None:
        self._items = items
        self._stop = Stop()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="read-ahead", initializer=self._stop.heed)
        self._waiting = deque(self._pool.submit(next, items, None) for _ in range(depth))

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        item = self._waiting.popleft().result() if self._waiting else None
        if item is None:
            raise StopIteration
        self._waiting.append(self._pool.submit(next, self._items, None))
        return item

    def is_busy(self) -> bool:
        """Whether the next item is still being computed, so that asking for it means waiting."""
        return bool(self._waiting) and not self._waiting[0].done()

    def close(self) -> None:
        """Let go of what was not asked for, and of what the items hold."""
        self._stop.say()
        self._pool.shutdown(cancel_futures=True)
        if isinstance(self._items, Generator):
            self._items.close()


def read_ahead(items: Iterator[T], *, depth: int) -> Iterator[T]:
    """As :class:`Ahead`, closed with the iteration."""
    with closing(Ahead(items, depth=depth)) as ahead:
        yield from ahead
