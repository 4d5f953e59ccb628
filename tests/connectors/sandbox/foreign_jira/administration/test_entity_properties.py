"""Properties are kept in the same way wherever they are kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

AGILE, DESK = "rest/agile/1.0", "rest/servicedeskapi"


def a_place(client: Any, what: str, key: str, me: str, name: str) -> tuple[str, dict[str, str]]:
    """Where something new has its properties, and the parameters that name it."""
    if what == "issue":
        return f"rest/api/2/issue/{key}/properties", {}
    if what == "comment":
        return f"rest/api/2/comment/{client.issue_add_comment(key, 'First')['id']}/properties", {}
    if what == "project":
        return f"rest/api/2/project/{key.partition('-')[0]}/properties", {}
    if what == "user":
        return "rest/api/2/user/properties", {"accountId" if client.cloud else "username": me}
    if what == "organization":
        return f"{DESK}/organization/{client.post(f'{DESK}/organization', data={'name': name})['id']}/property", {}
    if what == "request type":
        types = f"{DESK}/servicedesk/2/requesttype"
        return f"{types}/{client.post(types, data={'name': name, 'issueTypeId': '10002'})['id']}/property", {}
    filter_id = client.create_filter(name, "project = CIP")["id"]
    board = client.post(f"{AGILE}/board", data={"name": name, "type": "scrum", "filterId": filter_id})["id"]
    if what == "board":
        return f"{AGILE}/board/{board}/properties", {}
    sprint = client.post(f"{AGILE}/sprint", data={"name": name, "originBoardId": board})["id"]
    return f"{AGILE}/sprint/{sprint}/properties", {}


@pytest.mark.parametrize(
    "what", ["issue", "comment", "project", "user", "organization", "request type", "board", "sprint"]
)
def test_a_property_is_kept_read_and_deleted(
    atlassian: Any, as_user: Callable[[str], Any], key: str, me: str, name: str, what: str
) -> None:
    place, params = a_place(atlassian, what, key, me, name)
    reader = as_user("reader")

    def status(client: Any, method: str, data: Any = None) -> int:
        answer = client.request(method, f"{place}/{name}", params=params, data=data, advanced_mode=True)
        return int(answer.status_code)

    assert status(reader, "DELETE") == 403  # who may not is not told that there is none
    assert status(reader, "PUT", {"goal": 3}) == 403
    assert status(atlassian, "PUT", {"goal": 3}) == 201
    assert status(atlassian, "PUT", {"goal": 4}) == 200
    assert status(atlassian, "PUT", {"goal": "x" * 32_768}) == 400
    (kept,) = (one for part in atlassian.get(place, params=params).values() for one in part if one["key"] == name)
    assert kept["self"].endswith(f"/{name}")
    assert atlassian.get(f"{place}/{name}", params=params) == {"key": name, "value": {"goal": 4}}
    assert status(atlassian, "DELETE") == 204
    assert status(atlassian, "GET") == 404
