"""The Jira connector: one connection of platform ``jira``, Cloud or Data Center."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from connectors.base import BreachCount, Capabilities, Cursor, DeleteLog, Finding, Gone, Keys, Page
from connectors.discovery import SourceSample
from connectors.existing import Existing
from connectors.jira import deletions, describing, discovery, existing, following, previewing, rights, waiting, writing
from connectors.jira.opened import Jira
from connectors.jira.pull import ALONGSIDE, is_of, mark_of
from connectors.rights import Right
from connectors.waiting import Wait
from improvement.records import Outbound, PlatformState, PreviewRequest, Receipt, RecordKind, RecordRef


class JiraConnector(Jira):
    """Reads issues, SLA cycles, ratings and contacts; writes improvement actions as issues of one project.

    Nothing is sent before the first call that needs an answer.
    """

    platform = "jira"

    def describe(self) -> Capabilities:
        """Ask the platform what it is and what we may do. Reads only."""
        return describing.describe(self)

    def discover(self, *, sample: int) -> Sequence[SourceSample]:
        """Ask for the fields of every source, with a sample of its newest issues. Reads only."""
        return discovery.discover(self, sample=sample)

    def rights(self) -> Sequence[Right]:
        """The permissions and scopes we must be granted, and why.

        Cloud is told by its address, so nothing is asked; but at a loopback address either may be, a sandbox's.
        """
        return rights.rights(self.config, self.mapping, self.__dict__.get("site"), self.reader)

    def ungranted(self) -> Sequence[Finding]:
        """Permissions that :meth:`describe` does not look at."""
        return rights.ungranted(self)

    def kinds(self) -> Sequence[RecordKind]:
        """Tickets, SLA rows, surveys and contacts, as far as they are mapped. Jira has no outages."""
        return self.mapping.kinds()

    def resumes(self, kind: RecordKind, cursor: Cursor) -> bool:
        """Whether a pull goes on from this cursor; not from one of another mapping. Asks nothing."""
        return is_of(cursor, mark_of(self.config, self.mapping, kind))

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        """Stream what changed since ``cursor`` and not after ``until``, oldest first."""
        return self.puller.pull(kind, cursor, until=until)

    def pull_with_others(
        self, kind: RecordKind, cursors: Mapping[RecordKind, Cursor | None], *, until: datetime
    ) -> Iterator[Page]:
        """The same; with tickets their clocks and ratings, which come along in the same search."""
        return self.puller.pull_with_others(kind, cursors, until=until)

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        """The platform's own count of issues created before ``until``; None for what is inside issues."""
        return self.puller.count(kind, until=until)

    def inside_tickets(self) -> Sequence[RecordKind]:
        """SLA cycles and ratings are fields of an issue."""
        return ALONGSIDE

    def deleted(self, kind: RecordKind, *, since: datetime, until: datetime) -> DeleteLog | None:
        """Jira keeps no log of deletions for us."""
        return None

    def keys(self, kind: RecordKind) -> Keys | None:
        """The ids of all issues behind a kind; None for what is inside them."""
        return deletions.keys(self.reader, self.config, self.site, self.plan, kind)

    def gone(self, kind: RecordKind, ids: Sequence[str]) -> Gone:
        """Those of these issues that Jira does not have any more, or not as the mapping wants them."""
        return deletions.gone(self.reader, self.caller, self.site, self.plan, kind, ids)

    def read_by_ids(self, kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        """These issues, or what is inside them, by searches for their ids."""
        return self.puller.by_ids(kind, ids, until=until)

    def breaches(self, *, since: datetime, until: datetime) -> BreachCount | None:
        """Issues created in the span of which a clock was ever breached."""
        return deletions.breaches(self.reader, self.site, self.plan, since=since, until=until)

    def waits(self, ticket_ids: Sequence[str]) -> dict[str, tuple[Wait, ...]]:
        """When issues were in a status that means on hold, by its name."""
        return waiting.waits(self, self.plan.states, ticket_ids)

    def traffic(self) -> tuple[int, int]:
        """Requests and retries of this connector's reader."""
        return self.reader.requests, self.reader.retries

    def write(self, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        """Make one write effective exactly once."""
        return writing.write(self, outbound, ref)

    def preview(self, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
        """The requests ``write`` would send."""
        return previewing.preview(self, outbound, ref)

    def states(self, refs: Sequence[RecordRef]) -> list[PlatformState]:
        """The improvement records as people left them."""
        return following.states(self, refs)

    def existing(self, url: str) -> Existing | None:
        """The improvement issue behind an address of this Jira. Reads only."""
        return existing.existing(self, url)

    def close(self) -> None:
        """Release the HTTP session and temporary files."""
        puller = self.__dict__.get("puller")
        if puller is not None:
            puller.close()
        self.reader.session.close()
