"""Tokens: client credentials without a refresh token, refresh, rotation under a lock, and one renewal on 401."""

from __future__ import annotations

import hashlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
import requests
import responses
from pydantic import ValidationError

from connectors.config import ConnectionConfig
from connectors.http import Reader, open_session, send
from connectors.sealing import Seal, keys_in, new_key
from connectors.tokens import Token, TokenFile
from improvement.errors import ConnectionFailed, CredentialsRefused, HeldOff, Place, RegelkreisError, SettingsError

URL = "https://acme.service-now.com"


def a_reader(hold_file: Path | None = None, **oauth: Any) -> Reader:
    config = ConnectionConfig.model_validate(
        {
            "name": "acme",
            "platform": "servicenow",
            "url": URL,
            "user": "rk",
            "password": "hunter22",
            "hold_file": hold_file,
            "oauth": {"client_id": "id", "client_secret": "s3cret", **oauth},
        }
    )
    return Reader(open_session(config), config, sleep=lambda _: None)


def grants() -> list[str]:
    """The grants asked for, in order."""
    bodies = [parse_qs(call.request.body) for call in responses.calls if call.request.url.endswith("/oauth_token.do")]
    return [body["grant_type"][0] for body in bodies]


@responses.activate
def test_client_credentials_need_no_refresh_token() -> None:
    responses.post(f"{URL}/oauth_token.do", json={"access_token": "one", "expires_in": 1800})
    responses.get(f"{URL}/x", json={})
    reader = a_reader()
    reader.read("/x", what="x")
    reader.read("/x", what="x")
    assert grants() == ["client_credentials"]
    assert responses.calls[-1].request.headers["Authorization"] == "Bearer one"


@responses.activate
def test_a_401_in_mid_pull_renews_the_token_once() -> None:
    responses.post(f"{URL}/oauth_token.do", json={"access_token": "one", "refresh_token": "again"})
    responses.post(f"{URL}/oauth_token.do", json={"access_token": "two"})
    responses.get(f"{URL}/x", status=401)
    responses.get(f"{URL}/x", json={"ok": True})
    assert a_reader(grant="password").read("/x", what="x").json() == {"ok": True}
    assert grants() == ["password", "refresh_token"]


@responses.activate
def test_a_second_401_stops_with_a_clear_error() -> None:
    responses.post(f"{URL}/oauth_token.do", json={"access_token": "one"})
    responses.get(f"{URL}/x", status=401)
    with pytest.raises(CredentialsRefused):
        a_reader().read("/x", what="x")
    assert sum(call.request.url == f"{URL}/x" for call in responses.calls) == 2


@responses.activate
def test_a_platform_that_asks_to_wait_is_asked_for_no_token_either(tmp_path: Path) -> None:
    responses.post(f"{URL}/oauth_token.do", json={"access_token": "one"})
    responses.post(f"{URL}/w", status=503, headers={"Retry-After": "600"})
    hold_file = tmp_path / "acme.hold"
    for _ in range(2):  # each with a session, and a token, of its own
        reader = a_reader(hold_file=hold_file)
        with suppress(HeldOff):
            send(reader.session, reader.config, "POST", "/w", what="ACT-1/create", json={})
    assert [call.request.url for call in responses.calls] == [f"{URL}/oauth_token.do", f"{URL}/w"]


@responses.activate
def test_an_expired_refresh_token_begins_again_with_the_grant() -> None:
    responses.post(f"{URL}/oauth_token.do", status=401, json={"error": "invalid_grant"})
    responses.post(f"{URL}/oauth_token.do", json={"access_token": "fresh"})
    responses.get(f"{URL}/x", json={})
    a_reader(grant="password", refresh_token="stale-one").read("/x", what="x")
    assert grants() == ["refresh_token", "password"]


@responses.activate
def test_a_refused_client_is_told_without_its_secret() -> None:
    responses.post(f"{URL}/oauth_token.do", status=401, json={"error": "access_denied"})
    with pytest.raises(CredentialsRefused, match="gave no token for grant client_credentials") as caught:
        a_reader().read("/x", what="x")
    assert "s3cret" not in str(caught.value)


# --- Jira Cloud: refresh tokens that work once ------------------------------------------------------------------

ATLASSIAN = "https://auth.atlassian.com/oauth/token"
JIRA = "https://api.atlassian.com/ex/jira/11111111-aaaa"


class Atlassian:
    """A token endpoint whose refresh tokens rotate: one that was used before is refused."""

    def __init__(self, first: str = "refresh-0") -> None:
        self.valid = first
        self.issued = 0
        self.asked: list[dict[str, Any]] = []
        responses.add_callback(responses.POST, ATLASSIAN, callback=self.answer)

    def answer(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        body = json.loads(request.body or b"")
        self.asked.append(body)
        if body["refresh_token"] != self.valid:
            return 403, {}, json.dumps({"error": "invalid_grant", "error_description": "Unknown or invalid"})
        time.sleep(0.02)  # long enough for a second thread to ask too, were there no lock
        self.issued += 1
        self.valid = f"refresh-{self.issued}"
        token = {"access_token": f"access-{self.issued}", "refresh_token": self.valid, "expires_in": 3600}
        return 200, {}, json.dumps(token)


KEY = new_key()


def a_jira(token_file: Path | None, **oauth: Any) -> Reader:
    parts = {"client_id": "id", "client_secret": "s3cret", "grant": "refresh_token", "refresh_token": "refresh-0"}
    parts["token_keys"] = KEY
    config = ConnectionConfig.model_validate(
        {
            "name": "cloud",
            "platform": "jira",
            "url": JIRA,
            "hourly_points": 0,
            "oauth": {**parts, "token_file": token_file, **oauth},
        }
    )
    return Reader(open_session(config), config, sleep=lambda _: None)


@responses.activate
def test_a_rotated_refresh_token_is_kept_for_the_next_process(tmp_path: Path) -> None:
    atlassian = Atlassian()
    responses.get(f"{JIRA}/x", json={})
    file = tmp_path / "cloud.token"
    a_jira(file).read("/x", what="x")
    a_jira(file).read("/x", what="x")  # finds the access token, needs no other
    assert atlassian.issued == 1
    kept = TokenFile(file, Seal(keys_in(KEY)))
    token = kept.read()
    assert token is not None
    kept.write(msgspec.structs.replace(token, renew_at=0.0))
    a_jira(file).read("/x", what="x")
    assert [body["refresh_token"] for body in atlassian.asked] == ["refresh-0", "refresh-1"]
    assert responses.calls[-1].request.headers["Authorization"] == "Bearer access-2"
    assert file.stat().st_mode & 0o077 == 0


@responses.activate
def test_threads_and_processes_that_need_a_token_at_once_use_up_one_refresh_token(tmp_path: Path) -> None:
    atlassian = Atlassian()
    responses.get(f"{JIRA}/x", json={})
    file = tmp_path / "cloud.token"
    readers = [a_jira(file) for _ in range(4)]  # each with a lock of its own, as in four processes
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = list(pool.map(lambda n: readers[n % 4].read("/x", what="x").status_code, range(16)))
    assert answers == [200] * 16
    assert atlassian.issued == 1


@responses.activate
def test_an_access_token_refused_too_early_is_renewed_once_for_all(tmp_path: Path) -> None:
    atlassian = Atlassian()

    def only_the_second(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        return (200 if request.headers["Authorization"] == "Bearer access-2" else 401), {}, "{}"

    responses.add_callback(responses.GET, f"{JIRA}/x", callback=only_the_second)
    file = tmp_path / "cloud.token"
    first, second = a_jira(file), a_jira(file)
    assert first.read("/x", what="x").status_code == 200
    assert second.read("/x", what="x").status_code == 200
    assert atlassian.issued == 2


@responses.activate
def test_access_granted_anew_overrules_the_kept_token(tmp_path: Path) -> None:
    atlassian = Atlassian()
    responses.get(f"{JIRA}/x", json={})
    file = tmp_path / "cloud.token"
    a_jira(file).read("/x", what="x")
    atlassian.valid = "granted-anew"
    a_jira(file, refresh_token="granted-anew").read("/x", what="x")
    assert atlassian.asked[-1]["refresh_token"] == "granted-anew"


@responses.activate
def test_a_used_refresh_token_without_a_file_says_how_to_mend_it() -> None:
    Atlassian(first="another")
    with pytest.raises(CredentialsRefused, match="gave no token for grant refresh_token") as caught:
        a_jira(None).read("/x", what="x")
    assert "granted anew" in caught.value.mend
    assert "refresh-0" not in str(caught.value)


@responses.activate
def test_without_any_refresh_token_nobody_is_asked_and_its_place_is_named() -> None:
    atlassian = Atlassian(first="another")
    with pytest.raises(CredentialsRefused, match="there is no refresh token") as caught:
        a_jira(None, refresh_token=None).read("/x", what="x")
    assert "secrets/connections__cloud__oauth__refresh_token" in caught.value.mend
    assert atlassian.asked == []


@responses.activate
def test_a_token_endpoint_that_is_down_is_not_taken_for_a_refusal(tmp_path: Path) -> None:
    responses.post(ATLASSIAN, status=503, json={})
    with pytest.raises(ConnectionFailed, match="answered 503"):
        a_jira(tmp_path / "cloud.token").read("/x", what="x")
    assert not (tmp_path / "cloud.token").exists()


@responses.activate
def test_what_is_kept_on_disk_shows_no_token(tmp_path: Path) -> None:
    Atlassian()
    responses.get(f"{JIRA}/x", json={})
    a_jira(tmp_path / "cloud.token").read("/x", what="x")
    files = [file for file in tmp_path.iterdir() if file.is_file()]
    assert tmp_path / "cloud.token" in files
    for file in files:
        assert not any(secret in file.read_bytes() for secret in (b"access-1", b"refresh-1", b"refresh", b"access"))


@responses.activate
def test_a_token_kept_in_the_open_by_an_earlier_version_is_used_and_sealed(tmp_path: Path) -> None:
    atlassian = Atlassian(first="refresh-9")
    responses.get(f"{JIRA}/x", json={})
    file = tmp_path / "cloud.token"
    seed = hashlib.sha256(b"refresh-0").hexdigest()
    file.write_bytes(msgspec.json.encode(Token(access="access-8", refresh="refresh-9", renew_at=0.0, seed=seed)))
    a_jira(file).read("/x", what="x")
    assert atlassian.asked[-1]["refresh_token"] == "refresh-9"
    assert b"refresh" not in file.read_bytes()


@responses.activate
@pytest.mark.parametrize(
    ("keys", "said"),
    [((), "There is no key"), (new_key(), "sealed with another key")],
    ids=["no key", "another key"],  # a key of chance must not name a test
)
def test_without_the_right_key_the_error_says_which_to_give_and_no_token_is_used_up(
    tmp_path: Path, keys: Any, said: str
) -> None:
    atlassian = Atlassian()
    responses.get(f"{JIRA}/x", json={})
    file = tmp_path / "cloud.token"
    a_jira(file).read("/x", what="x")
    kept = file.read_bytes()
    with pytest.raises(SettingsError, match=said) as caught:
        a_jira(file, token_keys=keys).read("/x", what="x")
    assert caught.value.where == Place(file=str(file))
    assert "token_key" in caught.value.mend or "TOKEN_KEY" in caught.value.mend
    assert (file.read_bytes(), atlassian.issued) == (kept, 1)
    assert KEY not in str(caught.value)


@responses.activate
def test_a_first_token_is_not_asked_for_where_it_could_not_be_kept(tmp_path: Path) -> None:
    atlassian = Atlassian()
    with pytest.raises(SettingsError, match="There is no key"):
        a_jira(tmp_path / "cloud.token", token_keys=()).read("/x", what="x")
    assert atlassian.asked == []


def test_a_key_of_the_wrong_form_is_refused_without_being_quoted() -> None:
    with pytest.raises(ValidationError) as caught:
        a_jira(None, token_keys=f"{KEY},hunter22")
    problem = caught.value.errors(include_input=False)[0]["msg"]
    assert "key no. 2 has not the right form" in problem
    assert "hunter22" not in problem


def test_a_token_never_shows_itself() -> None:
    assert "acc" not in repr(Token.lasting(60, access="acc-ess", refresh="ref", seed=""))


@responses.activate
@pytest.mark.parametrize("status", [400, 403, 500])
def test_an_answer_that_echoes_a_fetched_token_does_not_show_it(
    tmp_path: Path, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    Atlassian()
    echo = {"errorMessages": ["access-1 and refresh-1 are not accepted here"], "error": "access-1"}
    responses.get(f"{JIRA}/x", json=echo, status=status)
    reader = a_jira(tmp_path / "cloud.token")
    with pytest.raises(RegelkreisError) as caught:
        reader.read("/x", what="x")
    seen = f"{caught.value} {caught.value!r} {vars(caught.value)} {caplog.text} {reader.session.auth!r}"
    assert "access-1" not in seen
    assert "refresh-1" not in seen
