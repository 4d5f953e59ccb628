"""Which path of Service Management is answered by which function."""

from __future__ import annotations

from connectors.sandbox.jira.addresses import ID, KEY, NAME, number
from connectors.sandbox.jira.calls import Handler
from connectors.sandbox.jira.desk import (
    approval_calls,
    customer_calls,
    organization_calls,
    participant_calls,
    queue_calls,
    request_calls,
)
from connectors.sandbox.jira.desk import desk_calls as servicedesk_calls
from connectors.sandbox.jira.desk import file_calls as request_file_calls
from connectors.sandbox.jira.desk import type_calls as request_type_calls
from connectors.sandbox.jira.desk.lookups import DESK

_REQUEST = f"{DESK}/request/{KEY}"
_ORGANIZATION = f"{DESK}/organization/{ID}"
_ONE_DESK = f"{DESK}/servicedesk/(?P<id>[A-Za-z0-9]+)"
_TYPE = f"{_ONE_DESK}/requesttype/{number('type_id')}"
_QUEUE = f"{_ONE_DESK}/queue/{number('queue_id')}"
_UNCHECKED = "(?:/skip-permission-check)?"

TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{_REQUEST}/approval", approval_calls.approvals),
    ("GET POST", f"{_REQUEST}/approval/{ID}", approval_calls.approval),
    ("GET", f"{_REQUEST}/sla", servicedesk_calls.request_sla),
    ("GET", f"{_REQUEST}/sla/{ID}", servicedesk_calls.one_sla),
    ("GET POST DELETE", f"{_REQUEST}/feedback", servicedesk_calls.feedback),
    ("GET", f"{DESK}/request", request_calls.mine),
    ("POST", f"{DESK}/request", request_calls.create),
    ("GET", _REQUEST, request_calls.one),
    ("GET POST", f"{_REQUEST}/comment", request_calls.comments),
    ("GET", f"{_REQUEST}/comment/{ID}", request_calls.comment),
    ("GET", f"{_REQUEST}/comment/{ID}/attachment", request_file_calls.of_comment),
    ("GET", f"{_REQUEST}/status", request_calls.statuses),
    ("GET POST", f"{_REQUEST}/transition", request_calls.transitions),
    ("GET POST DELETE", f"{_REQUEST}/participant", participant_calls.participants),
    ("GET PUT DELETE", f"{_REQUEST}/notification", participant_calls.notification),
    ("GET POST", f"{_REQUEST}/attachment", request_file_calls.attachments),
    ("GET", f"{_REQUEST}/attachment/{ID}", request_file_calls.content),
    ("GET", f"{_REQUEST}/attachment/{ID}/thumbnail", request_file_calls.thumbnail),
    ("GET", f"{DESK}/info", servicedesk_calls.info),
    ("GET", f"{DESK}/servicedesk", servicedesk_calls.service_desks),
    ("GET", _ONE_DESK, servicedesk_calls.service_desk),
    ("POST", f"{_ONE_DESK}/attachTemporaryFile", request_file_calls.temporary),
    ("GET POST", f"{_ONE_DESK}/requesttype", request_type_calls.of_desk),
    ("GET DELETE", _TYPE, request_type_calls.one),
    ("GET", f"{_TYPE}/field", request_type_calls.fields),
    ("GET", f"{_TYPE}/property", request_type_calls.property_keys),
    ("GET PUT DELETE", f"{_TYPE}/property/{NAME}", request_type_calls.property_of),
    ("GET", f"{_ONE_DESK}/requesttypegroup", request_type_calls.groups),
    ("GET", f"{DESK}/requesttype", request_type_calls.everywhere),
    ("GET", f"{_ONE_DESK}/queue", queue_calls.queues),
    ("GET", _QUEUE, queue_calls.one),
    ("GET", f"{_QUEUE}/issue", queue_calls.issues),
    ("POST", f"{DESK}/customer{_UNCHECKED}", customer_calls.create),
    ("GET POST DELETE", f"{_ONE_DESK}/customer", customer_calls.of_desk),
    ("POST", f"{_ONE_DESK}/customer/skip-permission-check", customer_calls.of_desk),
    ("POST", f"{_ONE_DESK}/customer/invite", customer_calls.invite),
    ("GET POST", f"{DESK}/organization", organization_calls.organizations),
    ("GET DELETE", _ORGANIZATION, organization_calls.one),
    ("GET POST DELETE", f"{_ORGANIZATION}/user", organization_calls.members),
    ("GET", f"{_ORGANIZATION}/property", organization_calls.property_keys),
    ("GET PUT DELETE", f"{_ORGANIZATION}/property/{NAME}", organization_calls.property_of),
    ("GET POST DELETE", f"{_ONE_DESK}/organization", organization_calls.of_desk),
    ("GET", f"{DESK}/knowledgebase/article", servicedesk_calls.articles),
    ("GET", f"{DESK}/knowledgebase/article/view/(?P<id>[^/]+)", servicedesk_calls.article),
    ("GET", f"{_ONE_DESK}/knowledgebase/article", servicedesk_calls.articles),
    ("GET", f"{DESK}/(?:assets|insight)/workspace", servicedesk_calls.workspaces),
)
