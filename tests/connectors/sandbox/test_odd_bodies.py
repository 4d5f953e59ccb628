"""A member of another type than the vendor's is refused (400), never an error of the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connectors.sandbox.testing import RunningSandbox, running_sandbox

AGILE, DESK = "/rest/agile/1.0", "/rest/servicedeskapi"
A_REQUEST = {"serviceDeskId": "2", "requestTypeId": "10002", "requestFieldValues": {"summary": "Slow"}}
BOARD = {"name": "B", "type": "scrum", "filterId": "10000"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=("jira_cloud",)) as running:
        yield running


class Site:
    def __init__(self, url: str) -> None:
        self.url = url

    def send(self, method: str, path: str, body: Any) -> requests.Response:
        auth = ("admin@example.com", "sandbox")
        return requests.request(method, self.url + path, json=body, auth=auth, timeout=30)


@pytest.fixture(scope="module")
def site(sandbox: RunningSandbox) -> Site:
    """With a board, an epic (CIP-1), a sprint and a request (IMP-1)."""
    made = Site(sandbox.jira_cloud_url)
    epic = {"project": {"key": "CIP"}, "issuetype": {"name": "Epic"}, "summary": "E"}
    for path, body in (
        (f"{AGILE}/board", BOARD),
        (f"{AGILE}/sprint", {"name": "S", "originBoardId": 1}),
        ("/rest/api/2/issue", {"fields": epic}),
        (f"{DESK}/request", A_REQUEST),
    ):
        assert made.send("POST", path, body).status_code == 201
    return made


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{AGILE}/board", BOARD | {"location": "CIP"}),
        ("POST", f"{AGILE}/sprint/1", {"startDate": {"a": 1}}),
        ("POST", f"{AGILE}/sprint/1", {"name": None}),
        ("POST", f"{AGILE}/sprint/1/issue", {"issues": "CIP-1"}),
        ("POST", f"{AGILE}/epic/CIP-1", {"color": "red"}),
        ("POST", f"{AGILE}/epic/CIP-1", {"color": {"key": ["color_1"]}}),
        ("PUT", f"{AGILE}/issue/rank", {"issues": ["CIP-1"], "rankBeforeIssue": {"key": "CIP-1"}}),
        ("PUT", f"{AGILE}/issue/CIP-1/estimation?boardId=1", {"value": "NaN"}),
        ("POST", f"{DESK}/request", A_REQUEST | {"requestFieldValues": "Slow"}),
        ("POST", f"{DESK}/request", A_REQUEST | {"requestParticipants": {"a": 1}}),
        ("POST", f"{DESK}/request/IMP-1/participant", {"accountIds": "me"}),
        ("POST", f"{DESK}/request/IMP-1/attachment", {"temporaryAttachmentIds": 7}),
        ("POST", f"{DESK}/request/IMP-1/transition", {"id": "240", "additionalComment": "why"}),
        ("POST", f"{DESK}/request/IMP-1/feedback", {"type": "csat", "rating": True}),
        ("POST", f"{DESK}/request/IMP-1/feedback", {"type": "csat", "rating": 3, "comment": "good"}),
        ("POST", f"{DESK}/organization", ["Mill"]),
    ],
)
def test_another_type_is_refused(site: Site, method: str, path: str, body: Any) -> None:
    answer = site.send(method, path, body)
    assert (answer.status_code, bool(answer.json())) == (400, True)
