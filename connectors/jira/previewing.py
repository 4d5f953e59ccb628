"""The requests a write would send. Reads go to the platform as usual; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.jira import writing
from connectors.jira.sending import Recorder
from improvement.records import Outbound, PreviewRequest, RecordRef, Verb

if TYPE_CHECKING:
    from connectors.jira.connector import JiraConnector


def preview(connector: JiraConnector, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
    """See :meth:`connectors.base.Connector.preview`. What follows a create that is still to come is not known yet."""
    if ref is None and outbound.verb is not Verb.CREATE:
        return []
    recorder = Recorder(connector.config.url)
    writing.apply(connector, recorder, outbound, ref)
    return recorder.requests
