"""Queues of a service desk: the lists that its team works from, as an administrator configured them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.sandbox.jira import jql, searching
from connectors.sandbox.jira.calls import Answer, ApiError, Call, json_answer
from connectors.sandbox.jira.desk.lookups import DESK, desk_named, page
from connectors.sandbox.jira.desk.service import DESKS

FIELDS = ("issuetype", "issuekey", "summary", "created", "reporter", "duedate")


@dataclass(frozen=True, slots=True)
class Queue:
    """A list of the requests that a condition finds."""

    id: str
    name: str
    jql: str


_CONDITIONS = {
    "All open": "resolution = Unresolved",
    "Unassigned": "resolution = Unresolved AND assignee is EMPTY",
    "Assigned to me": "resolution = Unresolved AND assignee = currentUser()",
    "Recently resolved": "resolved >= -1w",
}
_QUEUES: dict[str, tuple[Queue, ...]] = {
    desk: tuple(
        Queue(str(first * len(_CONDITIONS) + number), name, f"project = {project.id} AND {condition}")
        for number, (name, condition) in enumerate(_CONDITIONS.items(), start=1)
    )
    for first, (desk, project) in enumerate(DESKS.items())
}


def queues(call: Call, id: str) -> Answer:
    """``GET /servicedesk/{id}/queue``; ``includeCount`` tells how many issues each has."""
    desk = desk_named(call, id)
    return page(call, [_shown(call, desk, queue) for queue in _QUEUES[desk]])


def one(call: Call, id: str, queue_id: str) -> Answer:
    """``GET /servicedesk/{id}/queue/{queueId}``."""
    desk = desk_named(call, id)
    return json_answer(_shown(call, desk, _named(desk, queue_id)))


def issues(call: Call, id: str, queue_id: str) -> Answer:
    """``GET /servicedesk/{id}/queue/{queueId}/issue``: the fields that the queue shows, newest first."""
    query = jql.parse(_named(desk_named(call, id), queue_id).jql)
    found = searching.find(query, call.asker)
    return page(call, [msgspec.Raw(call.renderer.issue(issue, FIELDS).encode()) for issue in found])


def _named(desk: str, queue_id: str) -> Queue:
    found = next((queue for queue in _QUEUES[desk] if queue.id == queue_id), None)
    if found is None:
        raise ApiError(404, "The queue doesn't exist.")
    return found


def _shown(call: Call, desk: str, queue: Queue) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": queue.id, "name": queue.name, "jql": queue.jql, "fields": list(FIELDS)}
    if call.param("includeCount").lower() == "true":
        shown["issueCount"] = searching.count(jql.parse(queue.jql), call.asker)
    return {**shown, "_links": {"self": f"{call.desk.base}{DESK}/servicedesk/{desk}/queue/{queue.id}"}}
