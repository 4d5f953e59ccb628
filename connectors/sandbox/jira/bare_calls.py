"""What a site may have and this one has not: lists are empty, single things do not exist, in the vendors' own shapes.

A client that asks for boards, schemes or avatars gets the answer of a site without any, not that of a wrong address.
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer

_API = r"/rest/api/(?:2|3|latest)"
_AGILE = r"/rest/agile/1\.0"
_DESK = "/rest/servicedeskapi"
_ID = r"[0-9]+"
_KEY = "[A-Za-z0-9-]+"

#: Lists in pages, as the newer parts of the API and Jira Software have them.
PAGES: tuple[str, ...] = (
    f"{_AGILE}/board",
    f"{_API}/workflowschemes",
)
#: Lists under a name of their own.
NAMED: dict[str, str] = {
    f"{_API}/project/{_KEY}/securitylevel": "levels",
    f"{_API}/workflow/rule/config": "workflows",
}
#: Lists of Service Management.
DESK_PAGES: tuple[str, ...] = (
    f"{_DESK}/organization",
    f"{_DESK}/servicedesk/{_ID}/(?:organization|customer|queue)",
    f"{_DESK}/request/{_KEY}/(?:participant|attachment)",
)
#: Single things → what is said of one that is not there.
SINGLE: dict[str, str] = {
    f"{_AGILE}/(?:board/(?:filter/)?{_ID}(?:/.*)?|rapid/.*)": (
        "Board does not exist or you do not have permission to see it."
    ),
    f"{_AGILE}/sprint/{_ID}(?:/.*)?": "Sprint does not exist.",
    f"{_AGILE}/epic/{_KEY}(?:/.*)?": "The requested epic was not found.",
    f"{_API}/securitylevel/{_ID}": "The security level does not exist.",
    f"{_DESK}/organization/{_ID}(?:/.*)?": "The organization doesn't exist.",
    f"{_DESK}/servicedesk/{_ID}/queue/{_ID}(?:/.*)?": "The queue doesn't exist.",
}


def page(call: Call) -> Answer:
    """An empty page."""
    call.signed_in()
    asked: dict[str, Any] = {"startAt": call.number("startAt", 0), "maxResults": call.number("maxResults", 50)}
    return json_answer({**asked, "total": 0, "isLast": True, "values": []})


def named(call: Call, name: str) -> Answer:
    """An empty list under its name."""
    call.signed_in()
    return json_answer({name: []})


def desk_page(call: Call) -> Answer:
    """An empty page of Service Management."""
    call.signed_in()
    asked = {"start": call.number("start", 0), "limit": call.number("limit", 50)}
    return json_answer({"size": 0, **asked, "isLastPage": True, "values": [], "_links": {}})


def missing(call: Call, said: str) -> Answer:
    """A 404 that names what is missing."""
    call.signed_in()
    raise ApiError(404, said)
