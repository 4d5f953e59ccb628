"""When a ticket was on hold, and what for in the platform's own words: only where it keeps a dated history of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """A span on hold, UTC; ``end`` None: it lasts. ``why`` is the name of the status, or the reason that was given."""

    begin: datetime
    end: datetime | None
    why: str


@runtime_checkable
class TellsWaiting(Protocol):
    """A connector whose platform keeps such a history. Not part of what every connector must keep."""

    def waits(self, ticket_ids: Sequence[str]) -> dict[str, tuple[Wait, ...]]:
        """The spans of each ticket, oldest first; none: it never waited. A ticket without a history is left out."""
        ...
