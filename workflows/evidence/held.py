"""What the log held at a moment.

Entries name moments, and some name an earlier one than an entry before them: a command or a cycle was run for the past.
Their order is proven, and nothing is written before what it follows. So an entry was there no earlier than the latest
moment that it or any entry before it names, and at a moment the log held its first entries, up to the first one that
names a later moment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from improvement.evidence.entries import EntryType
from workflows.evidence import ledger
from workflows.models import LedgerEntry


class _Dated(msgspec.Struct):
    at: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """The first ``size`` entries of the log: those that it held at ``at``, an aware moment."""

    at: datetime
    size: int

    @classmethod
    def by(cls, at: datetime) -> Held:
        """What it held at a moment."""
        size = 0
        rows = LedgerEntry.objects.order_by("index").values_list("index", "data")
        for index, data in rows.iterator(chunk_size=2000):
            if msgspec.json.decode(bytes(data), type=_Dated).at.astimezone(UTC) > at:
                break
            size = index + 1
        return cls(at, size)

    def entries(self, **about: Any) -> Iterator[tuple[int, dict[str, Any]]]:
        """The entries with these columns, in their order, each with its number."""
        rows = LedgerEntry.objects.filter(index__lt=self.size, **about).order_by("index")
        for index, data in rows.values_list("index", "data").iterator(chunk_size=2000):
            yield index, json.loads(bytes(data))


def since(subject: str, kind: EntryType) -> datetime | None:
    """Since when the log holds the first such entry, at the earliest: nothing is written before what it follows."""
    first = LedgerEntry.objects.filter(subject=subject, type=kind).order_by("index").first()
    if first is None:
        return None
    before = LedgerEntry.objects.filter(index__lte=first.index).values_list("data", flat=True)
    return max(msgspec.json.decode(bytes(data), type=_Dated).at for data in before.iterator(chunk_size=2000))


@dataclass(frozen=True, slots=True)
class Telling:
    """Which rows some entries tell: a row counts where one of its type and subject names its moment."""

    moments: frozenset[tuple[str, str, str]]

    @classmethod
    def of(cls, entries: Iterable[tuple[int, dict[str, Any]]]) -> Telling:
        """What these entries tell."""
        return cls(frozenset((said["type"], said["subject"], said["at"]) for _, said in entries))

    def tells(self, kind: str, subject: str, at: datetime | None) -> bool:
        """Whether one of them is of this type and subject, and of this moment."""
        return at is not None and (kind, subject, ledger.stamp(at)) in self.moments
