"""The sandbox's clock: it stands still until somebody moves it forward."""

from __future__ import annotations

from datetime import UTC, datetime


class ClockGoesBack(ValueError):
    """The clock can only move forward: what the world has shown cannot be unseen."""


class SandboxClock:
    """An instant (UTC, whole seconds) that only moves forward."""

    def __init__(self, now: datetime) -> None:
        self._now = _whole(now)

    @property
    def now(self) -> datetime:
        """The sandbox's present."""
        return self._now

    @property
    def epoch(self) -> int:
        """The present in epoch seconds."""
        return int(self._now.timestamp())

    def ahead(self, to: datetime) -> datetime:
        """The instant it would move to. Raises :class:`ClockGoesBack`."""
        target = _whole(to)
        if target < self._now:
            stands, asked = self._now.isoformat(), target.isoformat()
            raise ClockGoesBack(f"The clock stands at {stands} and cannot go back to {asked}.")
        return target

    def move(self, to: datetime) -> datetime:
        """Move forward and answer the new present. Raises :class:`ClockGoesBack`."""
        self._now = self.ahead(to)
        return self._now


def parse_instant(text: str) -> datetime:
    """An aware instant from ISO 8601 text (``2025-06-30T12:00:00Z``); text without a zone is UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
