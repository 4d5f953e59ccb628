"""Reading ahead keeps order, errors and an end in sight."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from connectors.ahead import read_ahead
from connectors.stopping import Stopped, go_on, sleep


def test_the_same_items_come_in_the_same_order() -> None:
    assert list(read_ahead(iter(range(1, 50)), depth=3)) == list(range(1, 50))


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("the platform went away")

    ahead = read_ahead(items(), depth=5)
    assert (next(ahead), next(ahead)) == (1, 2)
    with pytest.raises(ValueError, match="went away"):
        next(ahead)


def test_no_more_is_read_in_advance_than_asked() -> None:
    read: list[int] = []
    is_there = threading.Event()

    def items() -> Iterator[int]:
        for number in range(1, 100):
            read.append(number)
            if number == 4:
                is_there.set()
            yield number

    ahead = read_ahead(items(), depth=3)
    assert next(ahead) == 1
    assert is_there.wait(5)
    ahead.close()
    assert read == [1, 2, 3, 4]


@pytest.mark.timeout(60)
def test_who_stops_early_does_not_wait_for_what_the_platform_asked_to_wait_for() -> None:
    ended: list[str] = []
    is_waiting = threading.Event()

    def page() -> Iterator[int]:
        yield 1
        is_waiting.set()
        try:
            sleep(600)
        except Stopped:
            ended.append("its wait")
            with pytest.raises(Stopped):
                go_on()
            raise
        yield 2

    def pages() -> Iterator[int]:
        try:
            yield from read_ahead(page(), depth=1)  # as a connector that reads ahead is read ahead itself
        finally:
            ended.append("who waits for it")

    ahead = read_ahead(pages(), depth=1)
    assert next(ahead) == 1
    assert is_waiting.wait(5)
    ahead.close()
    assert ended == ["its wait", "who waits for it"]
    go_on()  # whoever read ahead goes on
