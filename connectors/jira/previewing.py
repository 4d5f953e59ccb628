"""The requests a write would send. Reads go to the platform as usual; nothing is written."""

from __future__ import annotations

from connectors.jira import hanging, writing
from connectors.jira.opened import Jira
from connectors.jira.sending import Recorder
from connectors.jira.shaping import shaped
from improvement.records import Outbound, PreviewRequest, RecordRef, Verb


def preview(jira: Jira, outbound: Outbound, ref: RecordRef | None) -> list[PreviewRequest]:
    """See :meth:`connectors.base.Connector.preview`. Where the issue is still to be created its id is shown as NEW."""
    recorder = Recorder(jira.config.url)
    if ref is None and outbound.verb is not Verb.CREATE:
        _onto_nothing(jira, recorder, outbound)
    else:
        writing.apply(jira, recorder, outbound, ref)
    return recorder.requests


def _onto_nothing(jira: Jira, recorder: Recorder, outbound: Outbound) -> None:
    """What would follow a create that has not happened yet."""
    new = "NEW"
    if outbound.verb is Verb.NOTE:
        recorder.comment(new, hanging.noted(outbound), is_internal=jira.is_service_desk)
    elif outbound.verb is Verb.ATTACH and outbound.file is not None:
        recorder.attach(new, outbound.file)
    elif outbound.verb is Verb.UPDATE:
        fields = shaped(outbound, jira.project, jira.site).fields
        recorder.edit(new, {name: value for name, value in fields.items() if value is not None})
    elif outbound.verb is Verb.TASK and jira.project.subtask is not None:
        recorder.create(hanging.task_fields(jira.project, jira.site, outbound, new))
    elif outbound.verb is Verb.LINK:
        link_type = hanging.link_type_of(jira)
        if link_type is not None:
            for id in outbound.trigger_ids[: hanging.MAX_TRIGGERS]:
                recorder.link(hanging.link_document(id, new, link_type))
