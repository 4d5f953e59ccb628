"""Tokens: client credentials without a refresh token, refresh, and one renewal on 401."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest
import responses

from connectors.config import ConnectionConfig
from connectors.http import Reader, open_session
from improvement.errors import CredentialsRefused

URL = "https://acme.service-now.com"


def a_reader(**oauth: Any) -> Reader:
    config = ConnectionConfig.model_validate(
        {
            "name": "acme",
            "platform": "servicenow",
            "url": URL,
            "user": "rk",
            "password": "hunter22",
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
