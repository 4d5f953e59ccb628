"""The Batch API as the vendor's page describes it: each item on its own, limits, no promise of an order."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from connectors.sandbox.servicenow.batch_api import MAX_ITEM_BYTES, encoded
from connectors.sandbox.testing import RunningSandbox

PATH = "/api/now/v1/batch"
JSON_HEADER = [{"name": "Content-Type", "value": "application/json"}]


@pytest.fixture
def lax(small: RunningSandbox) -> Iterator[RunningSandbox]:
    yield small
    small.set_faults("servicenow")


def a_problem(name: str, **item: Any) -> dict[str, Any]:
    body = encoded({"short_description": name, "correlation_id": "of-a-batch"})
    return {"id": name, "method": "POST", "url": "/api/now/table/problem", "body": body, "headers": JSON_HEADER, **item}


def sent(api: Any, *items: dict[str, Any], path: str = PATH) -> dict[str, Any]:
    answer = api.send("POST", path, json={"batch_request_id": 7, "rest_requests": list(items)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_each_item_has_a_status_a_body_in_base64_and_a_duration(api: Any) -> None:
    answer = sent(api, a_problem("one"), {"id": "2", "method": "GET", "url": "/api/now/table/nosuch"})
    made, refused = answer["serviced_requests"]
    assert (answer["batch_request_id"], answer["unserviced_requests"]) == ("7", [])
    assert (made["status_code"], made["status_text"]) == (201, "Created")
    assert json.loads(base64.b64decode(made["body"]))["result"]["short_description"] == "one"
    assert made["execution_time"] >= 0
    assert {"name": "Content-Type", "value": "application/json; charset=utf-8"} in [
        {"name": header["name"], "value": header["value"].lower()} for header in made["headers"]
    ]
    assert (refused["status_code"], refused["status_text"]) == (400, "Bad Request")


def test_headers_may_be_left_out(api: Any) -> None:
    (item,) = sent(api, a_problem("bare", exclude_response_headers=True))["serviced_requests"]
    assert item["headers"] == []


@pytest.mark.parametrize("path", ["/api/now/batch", "/api/now/v2/batch"])
def test_the_path_has_versions(api: Any, path: str) -> None:
    assert sent(api, a_problem("versioned"), path=path)["serviced_requests"][0]["status_code"] == 201


def test_an_item_that_is_too_big_is_not_served(api: Any) -> None:
    big = a_problem("big", body=base64.b64encode(b"x" * (MAX_ITEM_BYTES + 1)).decode())
    answer = sent(api, big, a_problem("small"))
    assert [item["id"] for item in answer["serviced_requests"]] == ["small"]
    assert answer["unserviced_requests"] == ["big"]


def test_when_its_time_is_over_some_items_took_effect_and_not_the_first_ones(api: Any, lax: RunningSandbox) -> None:
    lax.set_faults("servicenow", {"kind": "unserviced", "records": 2})
    answer = sent(api, *(a_problem(f"timed {number}") for number in range(5)))
    assert [item["id"] for item in answer["serviced_requests"]] == ["timed 3", "timed 4"]
    assert answer["unserviced_requests"] == ["timed 0", "timed 1", "timed 2"]
    assert api.count("problem", "short_descriptionSTARTSWITHtimed") == 2


def test_rights_are_the_callers(api: Any) -> None:
    (item,) = sent(api.as_user("reader"), a_problem("not allowed"))["serviced_requests"]
    assert item["status_code"] == 403
    assert "ACL Exception" in base64.b64decode(item["body"]).decode()


def test_who_is_nobody_has_no_batch(api: Any) -> None:
    assert api.as_user("nobody").send("POST", PATH, json={"rest_requests": []}).status_code == 401


@pytest.mark.parametrize(
    "batch",
    [{}, {"rest_requests": "all"}, {"rest_requests": [{"id": "1", "method": "GET"}]}, {"rest_requests": ["x"]}],
)
def test_a_batch_that_is_none_is_refused(api: Any, batch: dict[str, Any]) -> None:
    answer = api.send("POST", PATH, json=batch)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]
