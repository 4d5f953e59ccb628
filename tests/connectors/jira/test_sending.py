"""Writing requests through the library and beside it: sent once, judged by their answer, without a secret in sight."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests
import responses

from connectors.config import ConnectionConfig
from connectors.jira.client import open_client
from connectors.jira.sending import FieldsRefused, LiveSender, digest
from improvement.errors import (
    ConnectionFailed,
    CredentialsRefused,
    OutcomeUnknown,
    PermissionMissing,
    Unreachable,
    WriteRefused,
)

from .conftest import FILE

URL = "https://acme.atlassian.net"
API = f"{URL}/rest/api/2"
SECRET = "s3cret-tok3n"
CALLS = {
    "create": ("POST", f"{API}/issue"),
    "edit": ("PUT", f"{API}/issue/10"),
    "comment": ("POST", f"{API}/issue/10/comment"),
    "attach": ("POST", f"{API}/issue/10/attachments"),
    "set_property": ("PUT", f"{API}/issue/10/properties/regelkreis"),
    "transition": ("POST", f"{API}/issue/10/transitions"),
    "link": ("POST", f"{API}/issueLink"),
    "remote_link": ("POST", f"{API}/issue/10/remotelink"),
}


def a_sender(url: str = URL) -> LiveSender:
    config = ConnectionConfig.model_validate(
        {"name": "acme", "platform": "jira", "url": url, "user": "rk@acme.example", "token": SECRET}
    )
    return LiveSender(open_client(config), config)


def call(sender: LiveSender, name: str) -> Any:
    arguments: dict[str, tuple[Any, ...]] = {
        "create": ({"project": {"id": "1"}, "issuetype": {"id": "2"}, "summary": "s"},),
        "edit": ("10", {"summary": "s"}),
        "comment": ("10", "text"),
        "attach": ("10", FILE),
        "set_property": ("10", "regelkreis", {"id": "ACT-7"}),
        "transition": ("10", "31", {}),
        "link": ({"type": {"name": "Relates"}},),
        "remote_link": ("10", {"globalId": "g"}),
    }
    options = {"is_internal": False} if name == "comment" else {}
    return getattr(sender, name)(*arguments[name], **options)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [301, 303, 307, 308])
@responses.activate
def test_what_is_written_goes_to_no_host_that_an_answer_names(name: str, status: int) -> None:
    elsewhere = "https://elsewhere.example/x"
    for method in ("GET", "POST", "PUT"):
        responses.add(method, elsewhere, json={"id": "1", "key": "X-1"}, status=201)
    method, url = CALLS[name]
    responses.add(method, url, status=status, headers={"Location": elsewhere})
    with pytest.raises(ConnectionFailed, match=f"redirects to {re.escape(elsewhere)}") as caught:
        call(a_sender(), name)
    assert [call.request.url for call in responses.calls] == [url]
    assert not isinstance(caught.value, OutcomeUnknown)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"body": requests.ConnectionError("reset")}, ConnectionFailed),
        ({"body": requests.ReadTimeout("nothing came")}, ConnectionFailed),
        ({"status": 429, "headers": {"Retry-After": "1"}}, ConnectionFailed),
        ({"status": 500}, ConnectionFailed),
        ({"status": 503}, ConnectionFailed),
        ({"status": 401}, CredentialsRefused),
        ({"status": 403, "json": {"errorMessages": ["no right"]}}, PermissionMissing),
        ({"status": 403, "headers": {"X-Authentication-Denied-Reason": "CAPTCHA_CHALLENGE"}}, CredentialsRefused),
        ({"status": 404}, WriteRefused),
        ({"status": 413}, WriteRefused),
        ({"status": 400, "json": {"errorMessages": ["so not"], "errors": {}}}, WriteRefused),
        ({"status": 409}, ConnectionFailed),
        ({"status": 404, "body": "<html>blocked</html>", "content_type": "text/html"}, OutcomeUnknown),
        ({"status": 413, "body": "<html>too large</html>", "content_type": "text/html"}, WriteRefused),
        ({"status": 200, "body": "<html>sign in</html>", "content_type": "text/html"}, ConnectionFailed),
        ({"status": 200, "body": '{"errorMess', "content_type": "application/json"}, OutcomeUnknown),
        ({"status": 401, "json": {}, "headers": {"X-AUSERNAME": "rk"}}, PermissionMissing),
        ({"status": 401, "json": {}, "headers": {"X-AUSERNAME": "anonymous"}}, CredentialsRefused),
    ],
    ids=lambda value: str(value.get("status", "none")) if isinstance(value, dict) else value.__name__,
)
@responses.activate
def test_every_failing_answer_is_one_request_and_one_clear_error(
    name: str, answer: dict[str, Any], error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    method, url = CALLS[name]
    responses.add(method, url, **answer)
    with pytest.raises(error) as caught:
        call(a_sender(), name)
    assert len(responses.calls) == 1
    assert caught.value.mend  # type: ignore[attr-defined]
    basic = responses.calls[0].request.headers["Authorization"].removeprefix("Basic ")
    for text in (str(caught.value), repr(caught.value), caplog.text):
        assert SECRET not in text
        assert basic not in text


@pytest.mark.parametrize("name", CALLS)
def test_what_met_nobody_was_not_sent(name: str) -> None:
    """Nobody listens on this port, so there is no doubt whether it took effect."""
    with pytest.raises(Unreachable, match="could not be reached"):
        call(a_sender("http://127.0.0.1:9"), name)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("status", [500, 502, 504])
@responses.activate
def test_an_error_of_the_server_may_come_after_the_effect(name: str, status: int) -> None:
    method, url = CALLS[name]
    responses.add(method, url, status=status)
    with pytest.raises(OutcomeUnknown):
        call(a_sender(), name)


@pytest.mark.parametrize("answer", [{"error": {"message": "Transaction cancelled"}}, [], None, "done"])
@pytest.mark.parametrize(("name", "status"), [("create", 201), ("attach", 200)])
@responses.activate
def test_a_success_that_does_not_say_what_was_made_leaves_it_in_doubt(name: str, status: int, answer: Any) -> None:
    method, url = CALLS[name]
    responses.add(method, url, status=status, json=answer)
    with pytest.raises(OutcomeUnknown):
        call(a_sender(), name)


@responses.activate
def test_a_refusal_names_every_field_and_why() -> None:
    errors = {"assignee": "User cannot be assigned issues.", "customfield_1": "Option is not valid"}
    responses.post(f"{API}/issue", status=400, json={"errorMessages": [], "errors": errors})
    with pytest.raises(FieldsRefused) as caught:
        call(a_sender(), "create")
    assert caught.value.reasons == errors
    assert "assignee: User cannot be assigned issues." in caught.value.what


@responses.activate
def test_a_receipt_is_about_the_request_that_took_effect() -> None:
    responses.post(f"{API}/issue", status=400, json={"errorMessages": ["so not"], "errors": {}})
    responses.put(f"{API}/issue/10", status=204)
    sender = a_sender()
    with pytest.raises(WriteRefused):
        call(sender, "create")
    assert (sender.status, sender.sha256) == (0, "")
    call(sender, "edit")
    assert (sender.status, sender.sha256) == (204, digest("PUT", "/issue/10", {"fields": {"summary": "s"}}))


@responses.activate
def test_what_the_platform_repeats_of_our_secret_is_blackened() -> None:
    responses.post(f"{API}/issue", status=400, json={"errorMessages": [f"bad header Bearer {SECRET}"]})
    with pytest.raises(WriteRefused) as caught:
        call(a_sender(), "create")
    assert "bad header Bearer •••" in caught.value.what


@responses.activate
def test_a_file_is_sent_with_the_header_that_jira_wants() -> None:
    answer = [{"id": "1", "filename": FILE.name, "size": len(FILE.content)}]
    responses.post(CALLS["attach"][1], json=answer)
    call(a_sender(), "attach")
    assert responses.calls[0].request.headers["X-Atlassian-Token"] == "no-check"


@responses.activate
def test_an_internal_comment_says_so_in_its_property() -> None:
    responses.post(CALLS["comment"][1], status=201, json={"id": "1"})
    a_sender().comment("10", "text", is_internal=True)
    body = json.loads(responses.calls[0].request.body or b"")
    assert body["properties"] == [{"key": "sd.public.comment", "value": {"internal": True}}]
