"""When the demo's year begins, and the password of everybody in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

FIRST_CYCLE = datetime(2025, 6, 30, 12, tzinfo=UTC)
PASSWORD = "sandbox"  # noqa: S105 - documented: the sandbox's and the demo's password for everybody


def week_after(moment: datetime, weeks: int) -> datetime:
    """The same hour so many weeks later."""
    return moment + timedelta(weeks=weeks)
