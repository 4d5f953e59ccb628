"""Reading ahead: the next pages are on their way while the caller still works on the ones before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(items: Iterator[T], *, depth: int) -> Iterator[T]:
    """The same items in the same order, computed in one other thread, at most ``depth`` of them in advance.

    An error comes where its item would have come. A caller that stops early waits for the item being computed only.
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead")
    try:
        waiting = deque(pool.submit(next, items, None) for _ in range(depth))
        while (item := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, items, None))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)
