"""Long spans are read month by month, from the month of the oldest ticket on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from improvement.records import RecordKind
from tests.workflows.platform import START, MemoryPlatform
from workflows.steps.backfill import spans

NOW = datetime(2024, 6, 10, tzinfo=UTC)


class CountingPlatform(MemoryPlatform):
    """One whose tickets are an hour apart, since January."""

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        return max(0, (until - START) // timedelta(hours=1))


@pytest.mark.parametrize(
    ("start", "months"),
    [(None, 6), (datetime(1970, 1, 1, tzinfo=UTC), 6), (NOW - timedelta(days=90), 4), (NOW - timedelta(days=60), 1)],
    ids=["never read", "before any ticket", "long ago", "lately"],
)
def test_only_months_that_may_hold_tickets_are_walked(start: datetime | None, months: int) -> None:
    ends = spans(CountingPlatform(), [NOW, start], as_of=NOW)
    assert len(ends) == months
    assert ends[-1] == NOW
    assert ends == sorted(ends)
