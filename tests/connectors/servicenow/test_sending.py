"""Writing requests through pysnow's session: one each, every failing answer is one clear error, no secret shows."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
import requests
import responses

from connectors.config import ConnectionConfig
from connectors.servicenow.sending import Request, send
from connectors.servicenow.tables import Instance
from improvement.errors import ConnectionFailed, CredentialsRefused, OutcomeUnknown, WriteRefused
from improvement.records import OutboundFile

URL = "https://acme.service-now.com"
SECRET = "hunter22-s3cret"
FILE = OutboundFile(name="review-abc.json", media_type="application/json", content=b'{"a": 1}')
REQUESTS = {
    "create": Request("POST", "/table/sn_cim_register", {"short_description": "t"}),
    "update": Request("PATCH", f"/table/sn_cim_register/{'a' * 32}", {"short_description": "t"}),
    "batch": Request("POST", "/v1/batch", {"batch_request_id": "ACT-7/triggers", "rest_requests": []}),
    "attach": Request("POST", "/attachment/file", params=(("file_name", FILE.name),), file=FILE),
}


def an_instance() -> Instance:
    config = ConnectionConfig.model_validate(
        {"name": "acme", "platform": "servicenow", "url": URL, "user": "rk", "password": SECRET}
    )
    return Instance(config)


def answers(request: Request, **answer: Any) -> None:
    responses.add(request.method, f"{URL}/api/now{request.path}", **answer)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({"body": requests.ConnectionError("reset")}, ConnectionFailed, "unknown"),
        ({"body": requests.ReadTimeout("nothing came")}, ConnectionFailed, "unknown"),
        ({"status": 401, "json": {"error": {"message": "User Not Authenticated"}}}, CredentialsRefused, "refused"),
        ({"status": 403, "json": {"error": {"message": "ACL Exception"}}}, WriteRefused, "An access control"),
        (
            {"status": 403, "json": {"error": {"message": "aborted by Business Rule 'No robots'"}}},
            WriteRefused,
            "A business rule .* 'No robots'",
        ),
        (
            {"status": 403, "json": {"error": {"message": "Data Policy Exception: Strategies"}}},
            WriteRefused,
            "A data policy .* Strategies",
        ),
        ({"status": 404, "json": {"error": {"message": "No Record found"}}}, WriteRefused, "gone or hidden"),
        (
            {"status": 403, "body": "<html>blocked</html>", "content_type": "text/html"},
            OutcomeUnknown,
            "Not the platform answered 403",
        ),
        ({"status": 409}, ConnectionFailed, "answered 409"),
        ({"status": 413}, WriteRefused, "refused the write with 413"),
        ({"status": 429, "headers": {"Retry-After": "1"}}, ConnectionFailed, "answered 429"),
        ({"status": 500}, ConnectionFailed, "answered 500"),
        ({"status": 302, "headers": {"Location": "https://login.example.com"}}, ConnectionFailed, "redirects to"),
        ({"status": 200, "json": {"result": {}, "error": {"message": "cancelled"}}}, ConnectionFailed, "cancelled"),
        ({"status": 200, "body": '{"result": {"sys_', "content_type": "application/json"}, ConnectionFailed, "200"),
        ({"status": 200, "body": "<html>asleep</html>"}, OutcomeUnknown, "a web page came instead"),
        ({"status": 201, "body": f'{{"error": "bad {SECRET}"}}', "content_type": "application/json"}, ConnectionFailed,
         "bad •••"),
    ],
    ids=lambda value: str(value.get("status", "none")) if isinstance(value, dict) else None,
)  # fmt: skip
@responses.activate
def test_every_failing_answer_is_one_request_and_one_clear_error(
    name: str, answer: dict[str, Any], error: type[Exception], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    answers(REQUESTS[name], **answer)
    with pytest.raises(error, match=said) as caught:
        send(an_instance(), REQUESTS[name], "ACT-7/x")
    assert len(responses.calls) == 1
    assert caught.value.mend  # type: ignore[attr-defined]
    for form in (SECRET, base64.b64encode(f"rk:{SECRET}".encode()).decode()):
        assert form not in str(caught.value) + repr(caught.value) + caplog.text


@responses.activate
def test_a_write_sends_json_and_none_of_the_parameters_that_the_library_adds() -> None:
    answers(REQUESTS["create"], status=201, json={"result": {"sys_id": "b" * 32}})
    sent = send(an_instance(), REQUESTS["create"], "ACT-7/create")
    assert (sent.status, sent.result) == (201, {"sys_id": "b" * 32})
    (call,) = responses.calls
    assert "?" not in (call.request.url or "")
    assert call.request.headers["Content-Type"] == "application/json"
    assert json.loads(call.request.body or b"") == {"short_description": "t"}


@responses.activate
def test_a_file_travels_as_it_is() -> None:
    answers(REQUESTS["attach"], status=201, json={"result": {"sys_id": "c" * 32}})
    send(an_instance(), REQUESTS["attach"], "ACT-7/attach")
    (call,) = responses.calls
    assert call.request.body == FILE.content
    assert f"file_name={FILE.name}" in (call.request.url or "")


def test_the_digest_of_a_request_does_not_depend_on_who_sends_it() -> None:
    request = REQUESTS["create"]
    expected = b'POST /table/sn_cim_register ()\n{"short_description": "t"}'
    assert request.sha256 == hashlib.sha256(expected).hexdigest()
