"""Jira Service Management: SLA and feedback of one request, and what the product says of itself."""

from __future__ import annotations

import msgspec

from connectors.sandbox.jira import slas
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import IMP, OPS, SLA_FIELDS
from connectors.sandbox.jira.issue_calls import create_issue
from connectors.sandbox.jira.model import Issue


def info(call: Call) -> Answer:
    """``GET /rest/servicedeskapi/info``."""
    return json_answer({"version": "5.12.0", "platformVersion": "10.3.6", "isLicensedForUse": True})


def service_desks(call: Call) -> Answer:
    """``GET /rest/servicedeskapi/servicedesk``."""
    return json_answer({"size": len(_DESKS), "start": 0, "limit": 50, "isLastPage": True, "values": [*_DESKS.values()]})


def service_desk(call: Call, id: str) -> Answer:
    """``GET /rest/servicedeskapi/servicedesk/{id}``."""
    if id not in _DESKS:
        raise ApiError(404, "The service desk doesn't exist or you don't have permission to view it.")
    return json_answer(_DESKS[id])


_PROJECT_OF = {"1": OPS, "2": IMP}
_DESKS = {
    id: {"id": id, "projectId": project.id, "projectName": project.name, "projectKey": project.key}
    for id, project in _PROJECT_OF.items()
}


def request(call: Call, key: str) -> Issue:
    """An issue that is a request; 404 for every other."""
    issue = call.issue(key)
    if issue.project.type_key != "service_desk":
        raise ApiError(404, "The request doesn't exist or you don't have permission to view it.")
    return issue


def request_sla(call: Call, key: str) -> Answer:
    """``GET /rest/servicedeskapi/request/{key}/sla``: every SLA that matched."""
    issue = request(call, key)
    texts = call.renderer.clock_texts(list(SLA_FIELDS.values())).of(issue, call.site.now)
    shown = [msgspec.Raw(text.encode()) for text in texts if text != "null"]
    return json_answer({"size": len(shown), "start": 0, "limit": 50, "isLastPage": True, "values": shown})


def feedback(call: Call, key: str) -> Answer:
    """``GET /rest/servicedeskapi/request/{key}/feedback``: 404 until the customer has answered."""
    issue = request(call, key)
    rating = slas.rating(issue, call.site.now)
    if rating is None:
        raise ApiError(404, "The feedback for the request does not exist.")
    return json_answer({"type": "csat", "rating": rating, "comment": {"body": ""}})


def request_types(call: Call, id: str) -> Answer:
    """``GET /rest/servicedeskapi/servicedesk/{id}/requesttype``: one for each issue type."""
    values = [
        {"id": kind.id, "name": kind.name, "issueTypeId": kind.id, "serviceDeskId": id, "description": ""}
        for kind in _PROJECT_OF.get(id, OPS).types
        if not kind.is_subtask
    ]
    return json_answer({"size": len(values), "start": 0, "limit": 50, "isLastPage": True, "values": values})


def request_type(call: Call, id: str, type_id: str) -> Answer:
    """``GET …/servicedesk/{id}/requesttype/{typeId}``."""
    kind = next((one for one in _PROJECT_OF.get(id, OPS).types if one.id == type_id and not one.is_subtask), None)
    if kind is None:
        raise ApiError(404, "The request type doesn't exist.")
    return json_answer({"id": kind.id, "name": kind.name, "issueTypeId": kind.id, "serviceDeskId": id})


def request_fields(call: Call, id: str, type_id: str) -> Answer:
    """``GET …/servicedesk/{id}/requesttype/{typeId}/field``: what the portal asks for."""
    request_type(call, id, type_id)
    asked = {"fieldId": "summary", "name": "Summary", "description": "", "required": True, "validValues": []}
    return json_answer({"requestTypeFields": [asked], "canRaiseOnBehalfOf": True, "canAddRequestParticipants": False})


def create_request(call: Call) -> Answer:
    """``POST /rest/servicedeskapi/request``: an issue of the request type's issue type."""
    sent = call.document()
    fields = sent.get("requestFieldValues") or {}
    if not isinstance(fields, dict):
        raise ApiError(400, "requestFieldValues must be an object.")
    kind = {"id": str(sent.get("requestTypeId"))}
    project = _PROJECT_OF.get(str(sent.get("serviceDeskId")), OPS)
    made = create_issue(call, {"fields": {**fields, "project": {"key": project.key}, "issuetype": kind}})
    link = {"self": f"{call.desk.base}/rest/servicedeskapi/request/{made['id']}"}
    shown = {"issueId": made["id"], "issueKey": made["key"], "requestTypeId": kind["id"], "_links": link}
    return json_answer(shown | {"serviceDeskId": str(sent.get("serviceDeskId"))}, 201)
