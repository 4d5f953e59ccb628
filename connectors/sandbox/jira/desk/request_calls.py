"""A request of Service Management as its portal shows it: the request, its comments, its statuses, its way on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connectors.sandbox.jira import bodies, issue_calls, values
from connectors.sandbox.jira.accounts import Account
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.catalogue import DONE
from connectors.sandbox.jira.desk import participant_calls
from connectors.sandbox.jira.desk.lookups import (
    DESK,
    date,
    desk,
    desk_named,
    desk_project,
    page,
    page_of,
    people,
    person,
    person_sent,
    request,
)
from connectors.sandbox.jira.desk.service import DESKS
from connectors.sandbox.jira.desk.type_calls import shown as shown_type
from connectors.sandbox.jira.desk.type_calls import type_named
from connectors.sandbox.jira.model import Comment, Issue

_OWNERSHIP: dict[str, Callable[[Issue, Account], bool]] = {
    "OWNED_REQUESTS": lambda issue, account: issue.reporter == account.name,
    "PARTICIPATED_REQUESTS": lambda issue, account: account.name in participant_calls.of(issue),
    "APPROVER": lambda issue, account: (
        issue.extras is not None and any(account.name in one.decisions for one in issue.extras.approvals)
    ),
    "ALL_REQUESTS": lambda issue, account: True,
    "ORGANIZATION": lambda issue, account: False,  # no request is shared with an organisation here
    "ALL_ORGANIZATIONS": lambda issue, account: False,
}
_STATUSES: dict[str, Callable[[Issue], bool]] = {
    "OPEN_REQUESTS": lambda issue: issue.status.category is not DONE,
    "CLOSED_REQUESTS": lambda issue: issue.status.category is DONE,
    "ALL_REQUESTS": lambda issue: True,
}


def one(call: Call, key: str) -> Answer:
    """``GET …/request/{key}``; ``expand`` tells more of it."""
    return json_answer(_shown(call, request(call, key)))


def mine(call: Call) -> Answer:
    """``GET …/request``: by default those that the caller reported or takes part in; the latest activity first."""
    account = call.signed_in()
    asked = call.names("requestOwnership") or ("OWNED_REQUESTS", "PARTICIPATED_REQUESTS")
    owned = [_chosen(_OWNERSHIP, name, "requestOwnership") for name in asked]
    has_status = _chosen(_STATUSES, call.param("requestStatus", "ALL_REQUESTS"), "requestStatus")
    wanted = call.param("searchTerm").strip("*").lower()
    desk_id, type_id = call.param("serviceDeskId"), call.param("requestTypeId")
    project = desk_project(call, desk_named(call, desk_id)) if desk_id else None
    found = [
        issue
        for issue in call.site.ordered()
        if issue.project.type_key == "service_desk"
        and any(is_owned(issue, account) for is_owned in owned)
        and call.sight.shows(issue)
        and has_status(issue)
        and wanted in issue.summary.lower()
        and (project is None or issue.project.id == project.id)
        and (not type_id or _type_of(issue) == type_id)
    ]
    shown = page_of(call, found[::-1])
    return json_answer({**shown, "values": [_shown(call, issue) for issue in shown["values"]]})


def create(call: Call) -> Answer:
    """``POST …/request``: an issue of the request type's issue type, for oneself or on behalf of somebody."""
    call.writer()
    sent = call.document()
    fields = bodies.part(sent, "requestFieldValues")
    desk_id = desk_named(call, str(sent.get("serviceDeskId")))
    kind = type_named(call, desk_id, str(sent.get("requestTypeId")))
    reporter = person_sent(call, sent["raiseOnBehalfOf"]) if sent.get("raiseOnBehalfOf") else None
    others = [person_sent(call, name).name for name in bodies.listed(sent, "requestParticipants")]
    about = {"project": {"id": DESKS[desk_id].id}, "issuetype": {"id": kind.issue_type}}
    made = call.issue(issue_calls.create_issue(call, {"fields": {**fields, **about}})["key"])
    made.reporter = reporter.name if reporter is not None else made.reporter
    made.set_value("request_type", kind.id)
    participant_calls.take_part(made, list(dict.fromkeys(others)))
    return json_answer(_shown(call, made), 201)


def comments(call: Call, key: str) -> Answer:
    """``GET`` and ``POST …/request/{key}/comment``; ``public`` false hides one from customers."""
    issue = request(call, key)
    if call.method == "GET":
        kinds = {name: call.param(name, "true").lower() != "false" for name in ("public", "internal")}
        found = [one for one in call.sight.comments(issue) if kinds["internal" if one.is_internal else "public"]]
        return page(call, [shown_comment(call, one) for one in found])
    call.writer()
    sent = call.document()
    body = str(sent.get("body") or "")
    if not body.strip():
        raise ApiError(400, "The comment body can not be empty.")
    made = values.add_comment(call, issue, body, is_internal=not sent.get("public", True))
    call.site.touch(issue)
    return json_answer(shown_comment(call, made), 201)


def comment(call: Call, key: str, id: str) -> Answer:
    """``GET …/request/{key}/comment/{id}``."""
    found = values.comment_named(call, request(call, key), id)
    if found is None:
        raise ApiError(404, "The comment doesn't exist.")
    return json_answer(shown_comment(call, found))


def statuses(call: Call, key: str) -> Answer:
    """``GET …/request/{key}/status``: where it stands."""
    return page(call, [_status(call, request(call, key))])


def transitions(call: Call, key: str) -> Answer:
    """``GET`` and ``POST …/request/{key}/transition``: the portal names the way by its id alone, and may say why."""
    request(call, key)
    if call.method == "POST":
        sent = call.document()
        said = bodies.part(sent, "additionalComment").get("body")
        answer = issue_calls.take(call, key, {"transition": {"id": str(sent.get("id") or "")}})
        if said:
            values.add_comment(call, call.issue(key), str(said))
        return answer
    return page(call, issue_calls.ways_of(call, key))


def shown_comment(call: Call, shown: Comment) -> dict[str, Any]:
    """A comment as Service Management shows it."""
    author = call.site.directory.named(shown.author)
    return {
        "id": shown.id,
        "body": shown.body,
        "public": not shown.is_internal,
        "author": person(call, author) if author is not None else None,
        "created": date(call, shown.created),
    }


def _chosen(table: dict[str, Any], name: str, parameter: str) -> Any:
    if name not in table:
        raise ApiError(400, f"'{name}' is no value of {parameter}.")
    return table[name]


def _type_of(issue: Issue) -> str:
    return str(issue.value("request_type") or issue.type.id)


def _shown(call: Call, issue: Issue) -> dict[str, Any]:
    reporter = call.site.directory.named(issue.reporter) if issue.reporter else None
    desk_id = next((id for id, project in DESKS.items() if project.id == issue.project.id), None)
    texts = {"summary": issue.summary, "description": issue.description}
    shown = {
        "issueId": str(issue.id),
        "issueKey": issue.key,
        "requestTypeId": _type_of(issue),
        "serviceDeskId": desk_id,
        "createdDate": date(call, issue.created),
        "reporter": person(call, reporter) if reporter is not None else None,
        "requestFieldValues": [
            {"fieldId": name, "label": name.capitalize(), "value": value} for name, value in texts.items() if value
        ],
        "currentStatus": _status(call, issue),
        "_links": {
            "self": f"{call.desk.base}{DESK}/request/{issue.id}",
            "jiraRest": f"{call.parts.api}/issue/{issue.id}",
            "agent": f"{call.desk.base}/browse/{issue.key}",
        },
    }
    expanded = call.names("expand")
    if "participant" in expanded:
        shown["participants"] = page_of(call, people(call, participant_calls.of(issue)))
    if "status" in expanded:
        shown["status"] = page_of(call, [_status(call, issue)])
    if "comment" in expanded:
        shown["comments"] = page_of(call, [shown_comment(call, one) for one in call.sight.comments(issue)])
    if "serviceDesk" in expanded and desk_id is not None:
        shown["serviceDesk"] = desk(call, desk_id)
    if "requestType" in expanded and desk_id is not None:
        kind = call.site.service.request_types[desk_id].get(_type_of(issue))
        shown["requestType"] = shown_type(call, kind) if kind is not None else None
    return shown


def _status(call: Call, issue: Issue) -> dict[str, Any]:
    category = issue.status.category.key.upper()
    return {"status": issue.status.name, "statusCategory": category, "statusDate": date(call, issue.updated)}
