"""Reading with patience, writing once, and errors that name what, where and how to mend it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

import pytest
import requests
import responses

from connectors.answers import Declined, TooHeavy, redacted, retry_after_s
from connectors.config import ConnectionConfig
from connectors.http import Reader, open_session, send
from improvement.errors import ConnectionFailed, CredentialsRefused, PermissionMissing, Unreachable

URL = "https://acme.service-now.com"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RESET = "2026-03-02T09:00:20Z"


def a_config(**parts: Any) -> ConnectionConfig:
    return ConnectionConfig.model_validate(
        {"name": "acme", "platform": "servicenow", "url": URL, "user": "rk", "password": "hunter22", **parts}
    )


class Patience:
    """A reader whose sleeps are only written down."""

    def __init__(self, **parts: Any) -> None:
        self.slept: list[float] = []
        config = a_config(**parts)
        self.reader = Reader(open_session(config), config, sleep=self.slept.append, now=self.now)

    def now(self) -> datetime:
        return NOW + timedelta(seconds=sum(self.slept))

    def read(self) -> requests.Response:
        return self.reader.read("/x", what="table incident")


@responses.activate
def test_a_read_waits_as_long_as_the_platform_asks() -> None:
    patience = Patience()
    responses.get(f"{URL}/x", status=429, headers={"Retry-After": "7"})
    responses.get(f"{URL}/x", status=503, headers={"Retry-After": "Mon, 02 Mar 2026 09:00:12 GMT"})
    responses.get(f"{URL}/x", json={"result": []})
    assert patience.read().status_code == 200
    assert patience.slept == [7.0, 5.0]
    assert (patience.reader.requests, patience.reader.retries) == (3, 2)


@responses.activate
def test_what_a_state_in_postgresql_would_refuse_is_left_out_and_nothing_else() -> None:
    body = r'{"a": "x\u0000y\u0000", "b": "\\u0000", "c": "\\\u0000!", "\u0000d": "\u00001"}'
    responses.get(f"{URL}/x", body=body, content_type="application/json;charset=UTF-8")
    assert Patience().read().json() == {"a": "xy", "b": r"\u0000", "c": "\\!", "d": "1"}


def test_nor_is_it_quoted_in_an_error() -> None:
    assert redacted("the value 'x\0y' is invalid", a_config()) == "the value 'xy' is invalid"


@responses.activate
def test_a_wait_that_is_too_long_ends_at_once_and_says_so() -> None:
    patience = Patience(max_wait_s=60)
    responses.get(f"{URL}/x", status=429, headers={"Retry-After": "3600"})
    with pytest.raises(ConnectionFailed, match="asks to wait 3600 s"):
        patience.read()
    assert patience.slept == []


@responses.activate
def test_resets_are_retried_a_bounded_number_of_times() -> None:
    patience = Patience(max_attempts=4)
    for _ in range(9):
        responses.get(f"{URL}/x", body=requests.ConnectionError("reset by peer"))
    with pytest.raises(ConnectionFailed, match="could not be reached") as caught:
        patience.read()
    assert patience.reader.requests == 4
    assert "Check the address" in caught.value.mend


@responses.activate
def test_wrong_credentials_and_missing_permission_are_told_apart_and_not_retried() -> None:
    patience = Patience()
    responses.get(f"{URL}/x", status=401, json={"error": {"message": "User Not Authenticated"}})
    with pytest.raises(CredentialsRefused, match="refused the credentials of rk"):
        patience.read()
    responses.get(f"{URL}/x", status=403, json={"error": {"message": "Operation Failed", "detail": "ACL"}})
    with pytest.raises(PermissionMissing, match=r"rk may not do this: table incident\. Operation Failed: ACL"):
        patience.read()
    assert patience.slept == []


@responses.activate
def test_what_service_management_says_of_a_refusal_is_quoted() -> None:
    said = {"errorMessage": "You are no agent.", "i18nErrorMessage": {"i18nKey": "sd.x", "parameters": []}}
    responses.get(f"{URL}/x", status=403, json=said)
    with pytest.raises(PermissionMissing, match=r"You are no agent\."):
        Patience().read()


@responses.activate
def test_an_address_that_is_not_there_may_be_that_of_the_other_platform() -> None:
    responses.get(f"{URL}/x", status=404, json={"error": {"message": "Requested URI does not represent any resource"}})
    with pytest.raises(Declined) as caught:
        Patience().read()
    assert "right for this address" in caught.value.mend
    assert "Try again" not in caught.value.mend


@responses.activate
def test_a_redirect_is_not_followed() -> None:
    patience = Patience()
    responses.get(f"{URL}/x", status=302, headers={"Location": "https://login.example.com/sso"})
    with pytest.raises(ConnectionFailed, match=r"redirects to https://login\.example\.com/sso"):
        patience.read()


@responses.activate
def test_a_cancelled_transaction_asks_for_less_when_paging_and_is_repeated_otherwise() -> None:
    patience = Patience()
    cancelled = {"error": {"message": "Transaction cancelled: maximum execution time exceeded"}}
    responses.get(f"{URL}/x", status=500, json=cancelled)
    with pytest.raises(TooHeavy):
        patience.reader.read_page("/x", what="table incident")
    responses.get(f"{URL}/x", json={"result": []})
    assert patience.read().status_code == 200


@responses.activate
def test_smaller_pages_are_the_remedy_only_where_pages_are_read() -> None:
    cancelled = {"error": {"message": "Transaction cancelled: maximum execution time exceeded"}}
    for answer in ({"status": 500, "json": cancelled}, {"body": requests.ReadTimeout()}):
        responses.get(f"{URL}/x", **answer)
        with pytest.raises(TooHeavy) as of_a_page:
            Patience().reader.read_page("/x", what="table incident")
        with pytest.raises(TooHeavy) as of_a_count:
            Patience().read()
        responses.reset()
        assert "page_size" in of_a_page.value.mend
        assert "page_size" not in of_a_count.value.mend
        assert "ry again" in of_a_count.value.mend


@responses.activate
def test_a_bad_body_is_read_again_when_the_check_says_so() -> None:
    patience = Patience()
    responses.get(f"{URL}/x", body="<html>")
    responses.get(f"{URL}/x", body="{}")

    def check(response: requests.Response) -> None:
        if response.text.startswith("<"):
            raise ConnectionFailed("a web page")

    assert patience.reader.read("/x", what="x", check=check).text == "{}"


@responses.activate
def test_a_write_is_sent_once_and_its_unknown_fate_is_told() -> None:
    config = a_config()
    responses.post(f"{URL}/x", body=requests.ConnectionError("reset, password hunter22"))
    responses.post(f"{URL}/x", json={"result": {}})
    with pytest.raises(ConnectionFailed, match="Whether it took effect is unknown") as caught:
        send(open_session(config), config, "POST", "/x", what="ACT-7/create", json={})
    assert len(responses.calls) == 1
    assert "hunter22" not in str(caught.value)


@responses.activate
@pytest.mark.parametrize(
    ("headers", "pauses"),
    [
        ({"X-RateLimit-NearLimit": "true"}, [1.0]),
        ({"X-RateLimit-NearLimit": "true", "X-RateLimit-Remaining": "4", "X-RateLimit-Reset": RESET}, [5.0]),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW.timestamp()) + 15)}, [15.0]),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2026-03-02T15:00Z"}, [60.0]),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, [1.0]),
        ({"X-RateLimit-Remaining": "200"}, []),
        ({"X-RateLimit-NearLimit": "false"}, []),
        ({}, []),
    ],
)
def test_a_limit_that_is_near_slows_us_down_before_it_is_hit(headers: dict[str, str], pauses: list[float]) -> None:
    patience = Patience()
    responses.get(f"{URL}/x", json={}, headers=headers)
    responses.get(f"{URL}/x", json={})
    patience.read()
    assert patience.slept == []  # the pause comes before the next request, if there is one
    patience.read()
    assert patience.slept == pauses
    patience.read()
    assert patience.slept == pauses
    assert patience.reader.retries == 0


@responses.activate
def test_no_more_requests_run_at_once_than_allowed() -> None:
    running, most, lock = 0, 0, Lock()

    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return 200, {}, "{}"

    responses.add_callback(responses.GET, f"{URL}/x", callback=answer)
    reader = Patience(max_concurrency=2).reader
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(lambda _: reader.read("/x", what="x"), range(16)))
    assert most == 2


def test_secrets_never_show() -> None:
    assert redacted("Basic hunter22 and more", a_config()) == "Basic ••• and more"


def test_no_session_of_ours_retries_by_itself() -> None:
    session = open_session(a_config())
    retries = session.get_adapter(URL).max_retries  # type: ignore[attr-defined]
    assert retries.total == 0


def test_our_loopback_is_reached_without_the_proxies_of_the_environment() -> None:
    assert not open_session(a_config(url="http://127.0.0.1:8601")).trust_env


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("12", 12.0), ("0.5", 0.5), ("Mon, 02 Mar 2026 09:01:00 GMT", 60.0), ("soon", None), ("", None)],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    response = requests.Response()
    if value:
        response.headers["Retry-After"] = value
    assert retry_after_s(response, NOW) == seconds


def test_whoever_was_not_reached_in_many_attempts_is_tried_once_until_it_answers() -> None:
    patience = Patience(max_attempts=3, url="http://127.0.0.1:9")
    for attempts in (3, 4, 5):
        with pytest.raises(Unreachable, match="could not be reached"):
            patience.read()
        assert patience.reader.requests == attempts
    with responses.RequestsMock() as answers:
        answers.get("http://127.0.0.1:9/x", json={"result": []})
        patience.read()
    with pytest.raises(Unreachable):
        patience.read()
    assert patience.reader.requests == 6 + 3


@responses.activate
def test_a_reset_is_no_proof_that_nobody_is_there() -> None:
    patience = Patience(max_attempts=2)
    responses.get(f"{URL}/x", body=requests.ConnectionError("Connection reset by peer"))
    for attempts in (2, 4):
        with pytest.raises(ConnectionFailed) as caught:
            patience.read()
        assert not isinstance(caught.value, Unreachable)
        assert patience.reader.requests == attempts
