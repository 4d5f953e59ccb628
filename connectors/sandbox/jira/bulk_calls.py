"""What Cloud reads of many issues at once: changelogs, and comments by their ids."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import msgspec

from connectors.sandbox.jira.addresses import whole
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer, text_answer
from connectors.sandbox.jira.catalogue import Flavour
from connectors.sandbox.jira.model import Issue

MAX_ISSUES = 1_000
MAX_FIELDS = 10
MAX_CHANGES = 10_000
MAX_COMMENTS = 1_000


def changelogs(call: Call) -> Answer:
    """``POST /changelog/bulkfetch`` (Cloud): by issue, oldest first, ``created`` in epoch milliseconds.

    ``maxResults`` counts changes; an issue may go on in the next page.
    """
    call.only_on(Flavour.CLOUD)
    call.signed_in()
    sent = call.document()
    names, fields = _list(sent, "issueIdsOrKeys", MAX_ISSUES), _list(sent, "fieldIds", MAX_FIELDS)
    if not names:
        raise ApiError(400, "issueIdsOrKeys has to name at least one issue.")
    size = sent.get("maxResults") or 1_000
    if not isinstance(size, int) or not 0 < size <= MAX_CHANGES:
        raise ApiError(400, f"maxResults has to be between 1 and {MAX_CHANGES}.")
    found = [issue for name in names if (issue := call.sight.issue(name)) is not None]
    changes = [
        (issue, change)
        for issue in dict.fromkeys(found)
        for change in _changes(call, issue)
        if not fields or any(item["fieldId"] in fields for item in change["items"])
    ]
    start = _start(sent.get("nextPageToken"))
    shown: dict[int, list[dict[str, Any]]] = {}
    for issue, change in changes[start : start + size]:
        shown.setdefault(issue.id, []).append(change)
    page: dict[str, Any] = {
        "issueChangeLogs": [{"issueId": str(id), "changeHistories": histories} for id, histories in shown.items()]
    }
    if start + size < len(changes):
        page["nextPageToken"] = base64.b64encode(f"c{start + size}".encode()).decode()
    return json_answer(page)


def _changes(call: Call, issue: Issue) -> list[dict[str, Any]]:
    entries = [msgspec.json.decode(text) for text in call.renderer.changelog.entries(issue)]
    return [
        entry | {"created": round(datetime.fromisoformat(entry["created"]).timestamp() * 1_000)} for entry in entries
    ]


def _list(sent: dict[str, Any], name: str, most: int) -> list[str]:
    value = sent.get(name) or []
    if not isinstance(value, list) or len(value) > most:
        raise ApiError(400, f"{name} has to be a list of at most {most}.")
    return [str(one) for one in value]


def _start(token: Any) -> int:
    if not token:
        return 0
    try:
        start = whole(base64.b64decode(str(token), validate=True).decode().removeprefix("c"))
    except ValueError:
        start = None
    if start is None:
        raise ApiError(400, "The nextPageToken is not valid.")
    return start


def comments(call: Call) -> Answer:
    """``POST /comment/list`` (Cloud): comments by their ids, paged; those that are hidden or gone are left out."""
    call.only_on(Flavour.CLOUD)
    call.signed_in()
    wanted = _list(call.document(), "ids", MAX_COMMENTS)
    known = {
        comment.id: (issue, comment)
        for issue in filter(call.sight.shows, call.site.ordered())
        for comment in call.sight.comments(issue)
    }
    found = [known[id] for id in dict.fromkeys(wanted) if id in known]
    shown = ",".join(call.renderer.comment(issue, comment) for issue, comment in found)
    return text_answer(
        f'{{"maxResults":{MAX_COMMENTS},"startAt":0,"total":{len(found)},"isLast":true,"values":[{shown}]}}'
    )
