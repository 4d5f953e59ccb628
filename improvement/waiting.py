"""How long a clock ran while the customer was waited for: told from spans on hold, and only where they leave no doubt.

Time on hold is usually off the clock, and then it is nobody's overrun. Whether it was can be told where the clock's
time, the wall clock and the spans agree to the minute; with business hours in between they do not, and nobody can tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

AGREE_S = 60  # platforms round


@dataclass(frozen=True, slots=True)
class Span:
    """Time on hold; ``end`` None: it lasts. ``is_customer``: whether for the customer; None: nobody said for whom."""

    begin: datetime
    end: datetime | None
    is_customer: bool | None


def waited_s(begin: datetime, end: datetime | None, elapsed_s: int, spans: Iterable[Span]) -> int | None:
    """Seconds on the clock, from ``begin`` to ``end``, in which the customer was waited for; None where in doubt.

    None of the spans may be the customer's: 0. The clock stood still exactly while it was on hold, whatever for: 0. It
    never stood still: all of the customer's spans, if it is known which they are. A clock that still runs and may have
    waited for the customer is in doubt, because its time was read at a moment that is not known exactly.
    """
    spans = [span for span in spans if _touches(span, begin, end)]
    if all(span.is_customer is False for span in spans):
        return 0
    if end is None:
        return None
    wall = (end - begin).total_seconds()
    if abs(wall - _overlap(spans, begin, end) - elapsed_s) <= AGREE_S:
        return 0
    waited = _overlap([span for span in spans if span.is_customer], begin, end)
    if any(span.is_customer is None for span in spans):
        return None
    if abs(wall - waited - elapsed_s) <= AGREE_S:  # only the customer's time was off the clock
        return 0
    return round(waited) if abs(wall - elapsed_s) <= AGREE_S else None


def _touches(span: Span, begin: datetime, end: datetime | None) -> bool:
    return (end is None or span.begin < end) and (span.end is None or span.end > begin)


def _overlap(spans: Iterable[Span], begin: datetime, end: datetime) -> float:
    """Seconds of a time that lie in the spans; these follow each other, so none is counted twice."""
    inside = ((max(span.begin, begin), min(span.end or end, end)) for span in spans)
    return sum(max(0.0, (last - first).total_seconds()) for first, last in inside)
