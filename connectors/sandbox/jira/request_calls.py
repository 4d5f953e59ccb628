"""A request of Service Management as its portal shows it: the request, its comments, its statuses, its way on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.sandbox.jira import issue_calls
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.model import Comment, Issue
from connectors.sandbox.jira.servicedesk_calls import request
from connectors.sandbox.jira.times import ZoneText


def one(call: Call, key: str) -> Answer:
    """``GET …/request/{key}``."""
    return json_answer(_shown(call, request(call, key)))


def mine(call: Call) -> Answer:
    """``GET …/request``: those that the caller reported."""
    account = call.signed_in()
    requests = (issue for issue in call.site.ordered() if _is_request(issue) and call.may_see(issue))
    return _page(call, [_shown(call, issue) for issue in requests if issue.reporter == account.name])


def comments(call: Call, key: str) -> Answer:
    """``GET`` and ``POST …/request/{key}/comment``; ``public`` false hides one from customers."""
    issue = request(call, key)
    if call.method == "GET":
        return _page(call, [_comment(call, one) for one in issue.more().comments])
    author, sent, now = call.writer(), call.document(), call.site.now
    body = str(sent.get("body") or "")
    if not body.strip():
        raise ApiError(400, "The comment body can not be empty.")
    made = Comment(str(next(call.site.ids)), author.name, body, now, now, not sent.get("public", True))
    issue.more().comments.append(made)
    call.site.touch(issue)
    return json_answer(_comment(call, made), 201)


def comment(call: Call, key: str, id: str) -> Answer:
    """``GET …/request/{key}/comment/{id}``."""
    found = next((one for one in request(call, key).more().comments if one.id == id), None)
    if found is None:
        raise ApiError(404, "The comment doesn't exist.")
    return json_answer(_comment(call, found))


def statuses(call: Call, key: str) -> Answer:
    """``GET …/request/{key}/status``: where it stands."""
    return _page(call, [_status(call, request(call, key))])


def transitions(call: Call, key: str) -> Answer:
    """``GET`` and ``POST …/request/{key}/transition``: the portal names the way by its id alone."""
    request(call, key)
    if call.method == "POST":
        wanted = str(call.document().get("id") or "")
        return issue_calls.take(call, key, {"transition": {"id": wanted}})
    return _page(call, issue_calls.ways_of(call, key))


def _is_request(issue: Issue) -> bool:
    return issue.project.type_key == "service_desk"


def _shown(call: Call, issue: Issue) -> dict[str, Any]:
    reporter = call.site.directory.named(issue.reporter) if issue.reporter else None
    return {
        "issueId": str(issue.id),
        "issueKey": issue.key,
        "requestTypeId": issue.type.id,
        "createdDate": _date(call, issue.created),
        "reporter": call.parts.person(reporter) if reporter is not None else None,
        "requestFieldValues": [{"fieldId": "summary", "label": "Summary", "value": issue.summary}],
        "currentStatus": _status(call, issue),
        "_links": {"self": f"{call.desk.base}/rest/servicedeskapi/request/{issue.id}"},
    }


def _status(call: Call, issue: Issue) -> dict[str, Any]:
    category = issue.status.category.key.upper()
    return {"status": issue.status.name, "statusCategory": category, "statusDate": _date(call, issue.updated)}


def _comment(call: Call, shown: Comment) -> dict[str, Any]:
    author = call.site.directory.named(shown.author)
    return {
        "id": shown.id,
        "body": shown.body,
        "public": not shown.is_internal,
        "author": call.parts.person(author) if author is not None else None,
        "created": _date(call, shown.created),
    }


def _date(call: Call, epoch: int) -> msgspec.Raw:
    return msgspec.Raw(ZoneText(call.zone).sla_date(epoch).encode())


def _page(call: Call, values: Sequence[Any]) -> Answer:
    start, limit = call.number("start", 0), call.number("limit", 50)
    shown = values[start : start + limit]
    is_last = start + limit >= len(values)
    return json_answer(
        {"size": len(shown), "start": start, "limit": limit, "isLastPage": is_last, "values": shown, "_links": {}}
    )
