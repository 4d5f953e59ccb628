"""Back-fill: years of records are read month by month, all kinds of a month before the next month begins.

So a process that is killed has lost a month at most, Jira's clocks and ratings come along with the tickets of their
month, and people see how far it is. The first month is found by the platform's own counts, a dozen of small requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.base import Connector
from improvement.errors import RegelkreisError
from improvement.records import RecordKind
from workflows.unforeseen import held

SHORT = timedelta(days=62)  # what is not longer is read in one go
YEARS = 30  # no ticket is older


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a pull has come with one kind: ``read`` of ``total`` records (None: the platform cannot say)."""

    connection: str
    kind: RecordKind
    read: int
    total: int | None
    until: datetime  # everything updated before is read


def spans(connector: Connector, starts: Iterable[datetime | None], *, as_of: datetime) -> list[datetime]:
    """Until when to read, step by step: the ends of the months from the earliest start on, and last ``as_of``.

    A start of None, or one before any ticket, means from the beginning.
    """
    known = [at if at is None or (as_of - at).days < YEARS * 366 else None for at in starts]
    try:
        with held("counting", connection=connector.name):
            begin = _oldest(connector, as_of) if None in known else min(filter(None, known), default=None)
    except RegelkreisError:  # reading meets it too, and then it is reported with its kind
        begin = None
    if begin is None or as_of - begin <= SHORT:
        return [as_of]
    ends, month = [], _next_month(begin)
    while month < as_of:
        ends.append(month)
        month = _next_month(month)
    return [*ends, as_of]


def _oldest(connector: Connector, as_of: datetime) -> datetime | None:
    """The month in which the oldest ticket was created, by halving; None where the platform does not count."""
    months = [as_of]
    while len(months) < YEARS * 12:
        months.append(_month_of(months[-1] - timedelta(days=1)) if len(months) > 1 else _month_of(as_of))
    low, high = 0, len(months) - 1  # there are tickets until months[low]; are there until months[high]?
    if not _count(connector, months[low]):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        if _count(connector, months[middle]):
            low = middle
        else:
            high = middle - 1
    return _month_of(months[low] - timedelta(seconds=1))


def _count(connector: Connector, until: datetime) -> int:
    return connector.count(RecordKind.TICKET, until=until) or 0


def _month_of(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(moment: datetime) -> datetime:
    return _month_of(_month_of(moment) + timedelta(days=32))
