"""Waiting that ends when nobody wants any more what is waited for: a thread cannot be interrupted from outside."""

from __future__ import annotations

from threading import Condition, local

_said = Condition()
_here = local()


class Stopped(BaseException):
    """Nobody wants any more what this thread works on. No :class:`Exception`: no handler of failures may take it."""


class Stop:
    """Says *stop* to threads, and to those that they began in their turn."""

    def __init__(self) -> None:
        self.is_said = False
        self._around: tuple[Stop, ...] = getattr(_here, "stops", ())

    def heed(self) -> None:
        """From now on this stop, and those that held where it was made, end waits of the calling thread."""
        _here.stops = (*self._around, self)

    def say(self) -> None:
        """End the waits."""
        with _said:
            self.is_said = True
            _said.notify_all()


def sleep(seconds: float) -> None:
    """As :func:`time.sleep`; raises :class:`Stopped` as soon as the calling thread is told to stop."""
    with _said:
        if _said.wait_for(_is_to_stop, seconds):
            raise Stopped


def go_on() -> None:
    """Raises :class:`Stopped` where the calling thread was told to stop."""
    if _is_to_stop():
        raise Stopped


def _is_to_stop() -> bool:
    return any(stop.is_said for stop in getattr(_here, "stops", ()))
