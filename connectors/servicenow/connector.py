"""The ServiceNow connector: one class that joins reading, writing and following."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from connectors.base import Capabilities, Cursor, Page
from connectors.config import ConnectionConfig
from connectors.mapping import PlatformMapping, merged
from connectors.servicenow.defaults import DEFAULT
from connectors.servicenow.describing import describe, detect
from connectors.servicenow.following import Follower
from connectors.servicenow.pull import plan_of, pull
from connectors.servicenow.records import Mode
from connectors.servicenow.tables import Instance, stored
from connectors.servicenow.writing import Writer
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
        self._mode: Mode | None = None

    def describe(self) -> Capabilities:
        """Ask the instance what it is and what we may do. Reads only."""
        return describe(self._instance, self.mapping)

    def kinds(self) -> Sequence[RecordKind]:
        """The record kinds that have a source."""
        return self.mapping.kinds()

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        """Stream what changed since the cursor, oldest first, table by table."""
        self._instance.forget_lookups()
        plans = [plan_of(self._instance, source) for source in self.mapping.of_kind(kind)]
        yield from pull(self._instance, plans, cursor, until=until)

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        """The instance's own count of the same rows."""
        total = 0
        for source in self.mapping.of_kind(kind):
            query = f"sys_updated_on<={stored(until)}" + (f"^{source.filter}" if source.filter else "")
            total += self._instance.count(source.source, query)
        return total

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        """Make one write effective exactly once."""
        return self._writer().write(outbound, ref)

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        """The requests :meth:`write` would send."""
        return self._writer().preview(outbound, ref)

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        """The records as people left them."""
        return Follower(self._instance).states(refs) if refs else []

    def close(self) -> None:
        """Close the HTTP session."""
        self._instance.session.close()

    def _writer(self) -> Writer:
        if self._mode is None:
            self._mode, modes = detect(self._instance)
            if self._mode is None:
                reasons = "; ".join(f"{name}: {why}" for name, why in modes.items())
                raise WriteRefused(
                    f"No write-back mode is available ({reasons}).",
                    where=Place(connection=self.name),
                    mend="`regelkreis doctor` says which roles are missing.",
                )
        return Writer(self._instance, self._mode)
