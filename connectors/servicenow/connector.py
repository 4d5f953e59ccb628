"""The ServiceNow connector: one class that joins reading, writing and following."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from connectors.base import BreachCount, Capabilities, Cursor, DeleteLog, Finding, Gone, Keys, Page
from connectors.config import ConnectionConfig
from connectors.discovery import SourceSample
from connectors.existing import Existing
from connectors.mapping import PlatformMapping, merged
from connectors.rights import Right
from connectors.servicenow import overdue, rights, waiting
from connectors.servicenow.defaults import DEFAULT
from connectors.servicenow.deletions import Deletions
from connectors.servicenow.describing import describe, detect
from connectors.servicenow.discovery import discover
from connectors.servicenow.existing import existing
from connectors.servicenow.following import Follower
from connectors.servicenow.lookups import Lookups
from connectors.servicenow.plan import Plan, learn, plans_of
from connectors.servicenow.pull import by_ids, pull
from connectors.servicenow.records import Mode
from connectors.servicenow.tables import Instance, stored
from connectors.servicenow.writing import Writer
from connectors.waiting import Wait
from improvement.errors import Place, WriteRefused
from improvement.records import Outbound, PlatformState, PreviewRequest, Receipt, RecordKind, RecordRef


class ServiceNowConnector:
    """Keeps the :class:`connectors.base.Connector` protocol for a ServiceNow instance."""

    platform = "servicenow"

    def __init__(self, config: ConnectionConfig) -> None:
        self.name = config.name
        self.config = config
        self.mapping: PlatformMapping = merged(DEFAULT, config.mapping, connection=config.name)
        self._instance = Instance(config)
        self._lookups = Lookups(self._instance)
        self._deletions = Deletions(self._instance)
        self._plans: dict[RecordKind, list[Plan]] = {}
        self._looked_up_until: datetime | None = None
        self._mode: Mode | None = None

    def describe(self) -> Capabilities:
        """Ask the instance what it is and what we may do. Reads only."""
        return describe(self._instance, self._lookups, self.mapping)

    def discover(self, *, sample: int) -> Sequence[SourceSample]:
        """Ask for the fields of every source, with a sample of its newest records. Reads only."""
        return discover(self._instance, self.mapping, sample=sample)

    def rights(self) -> Sequence[Right]:
        """The tables we must be allowed to read and write, and why."""
        return rights.rights(self._instance, self.mapping)

    def ungranted(self) -> Sequence[Finding]:
        """Tables behind the mapped ones that cannot be read."""
        return rights.ungranted(self._instance, self.mapping)

    def kinds(self) -> Sequence[RecordKind]:
        """The record kinds that have a source."""
        return self.mapping.kinds()

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        """Stream what changed since the cursor, oldest first, source by source."""
        self._look_up_until(until)
        yield from pull(self._instance, self._lookups, self._plans_of(kind), cursor, until=until)

    def read_by_ids(self, kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        """The rows with these sys_ids, source by source."""
        self._look_up_until(until)
        yield from by_ids(self._instance, self._lookups, self._plans_of(kind), ids, until=until)

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        """The instance's own count of the rows created until then, hidden ones included."""
        return self._deletions.count(self._plans_of(kind), f"sys_created_on<={stored(until)}")

    def inside_tickets(self) -> Sequence[RecordKind]:
        """None: every row has a sys_id and a life of its own."""
        return ()

    def deleted(self, kind: RecordKind, *, since: datetime, until: datetime) -> DeleteLog | None:
        """What ``sys_audit_delete`` says; read once for all kinds."""
        every = [plan for one in self.kinds() for plan in self._plans_of(one)]
        return self._deletions.logged(self._plans_of(kind), every, since=since, until=until)

    def keys(self, kind: RecordKind) -> Keys | None:
        """All sys_ids of a kind, by a keyset of the primary key."""
        return self._deletions.keys(self._plans_of(kind))

    def gone(self, kind: RecordKind, ids: Sequence[str]) -> Gone:
        """Those of these sys_ids that the instance counts no more in our tables and filters."""
        return self._deletions.gone(self._plans_of(kind), ids)

    def breaches(self, *, since: datetime, until: datetime) -> BreachCount | None:
        """Breached clocks that began in the span; None where they are read from other columns than the usual ones."""
        plans = self._plans_of(RecordKind.SLA)
        usual = {"is_breached": ("has_breached",), "start_at": ("start_time",)}
        mapped = [(plan.source.fields.get(name), fields) for plan in plans for name, fields in usual.items()]
        if not plans or any(found is None or found.fields != fields for found, fields in mapped):
            return None
        first, last = stored(since), stored(until)  # what began since then was written since then: by the index
        span = f"sys_updated_on>={first}^start_time>={first}^start_time<={last}"
        conditions = [f"{span}^has_breached=true"]
        if all(overdue.is_told(plan.source) for plan in plans):
            conditions.append(f"{overdue.RUNNING}^{span}^planned_end_time<={last}")
        return BreachCount(count=sum(self._deletions.count(plans, one) for one in conditions), of="rows")

    def waits(self, ticket_ids: Sequence[str]) -> dict[str, tuple[Wait, ...]]:
        """When tickets were on hold, by the label of the reason, as far as audit or metrics tell."""
        return waiting.waits(self._instance, self.mapping.of_kind(RecordKind.TICKET), ticket_ids)

    def traffic(self) -> tuple[int, int]:
        """Requests and retries of this connector's reader."""
        return self._instance.reader.requests, self._instance.reader.retries

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        """Make one write effective exactly once: search its trace, send at most one request, read back."""
        return self._writer(ref).write(outbound, ref)

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        """The requests :meth:`write` would send."""
        return self._writer(ref).preview(outbound, ref)

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        """The records as people left them, in the order asked for."""
        return Follower(self._instance).states(refs) if refs else []

    def existing(self, url: str) -> Existing | None:
        """The improvement record behind an address of this instance. Reads only."""
        return existing(self._instance, url)

    def close(self) -> None:
        """Close the HTTP session."""
        self._instance.session.close()

    def _look_up_until(self, until: datetime) -> None:
        """Reference tables are loaded once for all kinds of one pull."""
        if until != self._looked_up_until:
            self._lookups.forget()
            self._looked_up_until = until

    def _plans_of(self, kind: RecordKind) -> list[Plan]:
        if kind not in self._plans:
            learn(self._instance, [source for source in self.mapping.sources.values() if source.is_enabled])
            self._plans[kind] = plans_of(self._instance, self._lookups, self.mapping.of_kind(kind))
        return self._plans[kind]

    def _writer(self, ref: RecordRef | None) -> Writer:
        """A writer in the record's own mode (fixed at its creation), for a new record in the mode detected."""
        if ref is not None:
            return Writer(self._instance, ref.mode)
        if self._mode is None:
            self._mode, modes = detect(self._instance)
        if self._mode is None:
            reasons = "; ".join(f"{name}: {why}" for name, why in modes.items())
            raise WriteRefused(
                f"No write-back mode is available ({reasons}).",
                where=Place(connection=self.name),
                mend="Give the integration user a role of one of these modes; `regelkreis doctor` shows them.",
            )
        return Writer(self._instance, self._mode.name)
