"""What may be done about a write that was sent before and never answered.

It may have taken effect, or be about to: a platform goes on working on a request whose sender is gone. So whoever does
not find its trace waits until no request lives that long, and only then sends again; where not even that shows that
nothing was made, nothing is sent again at all. See docs/decisions/011.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from improvement.errors import Place, StillUnknown
from improvement.records import Outbound, Verb

SETTLED_S = 600.0
"""No platform works on one request that long: proxies and transaction quotas end them after one to five minutes."""

_told: ContextVar[Callable[[], None] | None] = ContextVar("told", default=None)


@contextmanager
def telling(leaves: Callable[[], None]) -> Iterator[None]:
    """Call ``leaves`` right before each writing request that is sent in the block: looking may have taken long."""
    before = _told.set(leaves)
    try:
        yield
    finally:
        _told.reset(before)


def leaves_now() -> None:
    """A writing request leaves now: from now on its outcome is in doubt until it is answered."""
    leaves = _told.get()
    if leaves is not None:
        leaves()


def wait_until_settled(outbound: Outbound, connection: str) -> None:
    """Refuse to send what was not found while an earlier attempt may still be at work. Raises StillUnknown."""
    if outbound.unanswered_s is None or outbound.unanswered_s >= SETTLED_S:
        return
    became = "may still take effect" if outbound.verb is Verb.UPDATE else "is not found"
    raise StillUnknown(
        f"{outbound.key} was sent {outbound.unanswered_s:.0f} s ago without an answer, and {became}.",
        where=Place(connection=connection),
        mend=f"It is looked for again, and sent again {SETTLED_S / 60:.0f} minutes after it was sent.",
    )


def never_send_again(outbound: Outbound, connection: str, *, look_for: str) -> None:
    """Refuse to send what was not found, however long ago it was sent. Raises StillUnknown.

    ``look_for`` is where a person can see whether it took effect.
    """
    if outbound.unanswered_s is None:
        return
    raise StillUnknown(
        f"{outbound.key} was sent without an answer, and what it may have made is not found.",
        where=Place(connection=connection),
        mend=f"Look for {look_for}. `regelkreis deliveries replay {outbound.key}` takes it where it is there by then, "
        f"and makes it where it is not; `regelkreis deliveries discard {outbound.key}` gives it up.",
    )
