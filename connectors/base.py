"""The seam between Regelkreis and a platform: every connector is one class with these methods.

A connector reads (``describe``, ``pull``, ``states``) with retries and writes (``write``) without any: the
outbox decides about a second attempt, and ``write`` searches for the trace of a first one before it sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

import msgspec
import pyarrow as pa

from improvement.records import Outbound, PlatformState, PreviewRequest, Receipt, RecordKind, RecordRef


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a pull of one record kind has come: everything updated before ``updated_at`` was read.

    ``tiebreak`` is whatever else a connector needs to go on: the platform id of the last record read at exactly
    ``updated_at`` (keyset paging), a digest of the mapping, so that a changed one begins anew. A cursor without one,
    made by hand, means: from ``updated_at`` on.
    """

    updated_at: datetime
    tiebreak: str = ""


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """A platform record that could not be read as a canonical one; kept and shown, never dropped silently."""

    kind: RecordKind
    id: str
    field: str
    reason: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A batch of canonical records (about 50 000 rows) and the cursor after it.

    ``whole_of``: ids of tickets whose records of this kind are all in the batch, so that others known of them are gone.
    ``along``: pages of other kinds that came with this one, where they were asked for (:mod:`connectors.along`).
    ``notes``: what the records lack because the platform does not show it to us, and what to do, a sentence each.
    """

    kind: RecordKind
    batch: pa.Table  # schema: improvement.records.SCHEMAS[kind]
    cursor: Cursor
    rejected: tuple[Rejected, ...] = ()
    requests: int = 0
    retries: int = 0
    whole_of: pa.Array | None = None
    along: tuple[Page, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def rejected_ids(self) -> frozenset[str]:
        """The records that were rejected, each perhaps for several fields."""
        return frozenset(rejected.id for rejected in self.rejected)


class DeleteLog(msgspec.Struct, frozen=True, kw_only=True):
    """What the platform's own log says was deleted in a span; ``problem`` and ``mend`` where we may not read it."""

    ids: tuple[str, ...] = ()
    problem: str = ""
    mend: str = ""


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of all records of a kind that are there now, and how many the platform itself counts beside them.

    ``counted`` includes records that are hidden from us; None where the platform cannot say. ``is_estimate``: its
    count is approximate.
    """

    ids: pa.Array  # strings
    counted: int | None
    is_estimate: bool = False


class Gone(list[str]):
    """Ids of records that are gone. A plain list of them will do where a connector has no more to say.

    Parameters
    ----------
    outside
        Those of them that are there, and only match the condition of the mapping no longer.
    undecided
        How many were asked for too early to tell: they are to be asked for again.
    """

    def __init__(self, ids: Iterable[str] = (), *, outside: Sequence[str] = (), undecided: int = 0) -> None:
        super().__init__(ids)
        self.outside = tuple(outside)
        self.undecided = undecided


class BreachCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many clocks that were ever breached the platform counts: as SLA rows, or as tickets that have one."""

    count: int
    of: Literal["rows", "tickets"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a connection's health report (`doctor`, `connect`)."""

    check: str  # reachability, credentials, permission incident, field company.country, clock, time zone …
    is_ok: bool
    detail: str
    mend: str = ""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a platform lets this connection do, found by asking it."""

    platform: str  # servicenow | jira
    flavour: str  # servicenow | cloud | datacenter
    version: str
    user: str  # the integration account: never counts as a person
    time_zone: str
    mode: str | None  # write-back mode detected; None: nothing is writable
    modes: dict[str, str]  # every mode → "available" or why not
    columns: dict[str, str]  # our outbound field → platform column that resolved
    unresolved: dict[str, str]  # our outbound field → why it stays unwritten
    findings: tuple[Finding, ...] = ()
    rows_per_page: int | None = None  # what a pull asks for in one request, where that is not as configured


@runtime_checkable
class Connector(Protocol):
    """A platform Regelkreis reads from and writes review records to."""

    name: str
    platform: str

    def describe(self) -> Capabilities:
        """Ask the platform what it is and what we may do. Reads only."""
        ...

    def kinds(self) -> Sequence[RecordKind]:
        """The record kinds this connection is mapped to deliver, in pull order."""
        ...

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        """Stream what changed since ``cursor`` (with an overlap) and not after ``until`` (UTC), oldest first."""
        ...

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        """The platform's own count of the records of a kind created not after ``until``; None where it cannot say."""
        ...

    def inside_tickets(self) -> Sequence[RecordKind]:
        """The kinds whose records are parts of a ticket: they have no keys of their own and go when it goes."""
        ...

    def deleted(self, kind: RecordKind, *, since: datetime, until: datetime) -> DeleteLog | None:
        """What the platform's log of deletions says about a span; None where it keeps no such log."""
        ...

    def keys(self, kind: RecordKind) -> Keys | None:
        """Every record of a kind that is there now, as cheaply as the platform can; None where it cannot list them.

        An error in the middle is raised: a part of the keys is never returned as the whole.
        """
        ...

    def gone(self, kind: RecordKind, ids: Sequence[str]) -> list[str]:
        """Those of these ids that the platform, asked for each of them, no longer has as records of this kind.

        What is merely hidden from us is not gone, as far as the platform lets us tell. What is there and no longer
        matches the condition of the mapping is: :class:`Gone` says so.
        """
        ...

    def breaches(self, *, since: datetime, until: datetime) -> BreachCount | None:
        """The platform's own count of breached clocks that began (Jira: of tickets created) in a span.

        Where it differs from ours, clocks were rewritten without a trace in any update time. None: it cannot say.
        """
        ...

    def traffic(self) -> tuple[int, int]:
        """Requests that read, and how many of them were repetitions, since this connector was made."""
        ...

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        """Make one write effective exactly once: search its trace first, send at most one writing request.

        Raise :class:`~improvement.errors.WriteRefused` where repeating cannot help, as where the record is gone,
        :class:`~improvement.errors.OutcomeUnknown` where it was sent and may have taken effect, and another
        :class:`~improvement.errors.ConnectionFailed` where it certainly had none. ``outbound.unanswered_s`` says how
        long ago an attempt without an answer began: what is not found then may still come (:mod:`connectors.doubt`).
        """
        ...

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        """The requests ``write`` would send, without sending any."""
        ...

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        """The improvement records as people left them, in the order asked for.

        Notes of ours are no comments, or are by the account that ``describe`` names.
        """
        ...

    def close(self) -> None:
        """Release the HTTP session."""
        ...


@runtime_checkable
class Resumes(Protocol):
    """A connector that reads a kind from its beginning again where its cursor no longer tells what is read."""

    def resumes(self, kind: RecordKind, cursor: Cursor) -> bool:
        """Whether a pull goes on from this cursor. Asks the platform nothing."""
        ...


@runtime_checkable
class ReadsByIds(Protocol):
    """A connector that can read records by their ids. Optional: without it what was missed is told, not read."""

    def read_by_ids(self, kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        """Those of these records that are there, match the mapping and were not updated after ``until``.

        Of a kind inside tickets: the parts of the tickets with these ids. Nobody goes on from the pages' cursors.
        """
        ...


class SaysNothingOfDepartures:
    """For a connector whose platform tells nothing about what is gone: inherit these, override what it does tell."""

    def inside_tickets(self) -> Sequence[RecordKind]:
        """Every record has a key of its own."""
        return ()

    def deleted(self, kind: RecordKind, *, since: datetime, until: datetime) -> DeleteLog | None:
        """There is no log of deletions."""
        return None

    def keys(self, kind: RecordKind) -> Keys | None:
        """Keys cannot be listed."""
        return None

    def gone(self, kind: RecordKind, ids: Sequence[str]) -> list[str]:
        """Nothing is known to be gone."""
        return []

    def breaches(self, *, since: datetime, until: datetime) -> BreachCount | None:
        """Breached clocks are not counted, so those of the review window are read again every week."""
        return None

    def traffic(self) -> tuple[int, int]:
        """Requests are counted page by page only."""
        return (0, 0)
