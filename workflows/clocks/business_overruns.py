"""How long a clock ran where its platform does not say: business time of the country's calendar, where that is chosen.

Pauses are in it, because nobody tells them. Without a calendar, or while the clock runs, it stays unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from improvement.business_time import Calendar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def fill(rows: Iterable[dict[str, Any]]) -> None:
    """Set ``elapsed_s`` of the clocks that have none, by ``ticket_country``, ``start_at`` and ``end_at`` (µs)."""
    ours = settings.REGELKREIS
    unknown = [row for row in rows if row["elapsed_s"] is None] if ours.metrics.has_business_overrun else []
    if not unknown:
        return
    calendars = ours.business_calendars()
    for row in unknown:
        row["elapsed_s"] = _elapsed_s(row, calendars)


def _elapsed_s(row: Mapping[str, Any], calendars: Mapping[str, Calendar]) -> int | None:
    calendar = calendars.get(row["ticket_country"] or "")
    if calendar is None or row["start_at"] is None or row["end_at"] is None:
        return None
    begin, end = (EPOCH + timedelta(microseconds=row[name]) for name in ("start_at", "end_at"))
    return calendar.seconds(begin, end)
