"""The seam between Regelkreis and a platform: every connector is one class with these methods.

A connector reads (``describe``, ``pull``, ``states``) with retries and writes (``write``) without any: the
outbox decides about a second attempt, and ``write`` searches for the trace of a first one before it sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

import msgspec
import pyarrow as pa

from improvement.records import Outbound, PlatformState, PreviewRequest, Receipt, RecordKind, RecordRef


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a pull of one record kind has come: everything updated before ``updated_at`` was read.

    ``tiebreak`` is the platform id of the last record read at exactly ``updated_at`` (keyset paging).
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
    """A batch of canonical records (about 50 000 rows) and the cursor after it."""

    kind: RecordKind
    batch: pa.Table  # schema: improvement.records.SCHEMAS[kind]
    cursor: Cursor
    rejected: tuple[Rejected, ...] = ()
    requests: int = 0
    retries: int = 0


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
        """The platform's own count of the same records, or None where it cannot say."""
        ...

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        """Make one write effective exactly once: search its trace first, send at most one writing request."""
        ...

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        """The requests ``write`` would send, without sending any."""
        ...

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        """The improvement records as people left them, in the order asked for."""
        ...

    def close(self) -> None:
        """Release the HTTP session."""
        ...
