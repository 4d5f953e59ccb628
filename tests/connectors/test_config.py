"""Connections as a person configures them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.config import ConnectionConfig
from improvement.errors import SettingsError


def a_connection(**parts: Any) -> ConnectionConfig:
    return ConnectionConfig.model_validate(
        {"name": "acme", "platform": "servicenow", "url": "https://acme.service-now.com", **parts}
    )


def test_a_token_alone_is_a_bearer_token_and_with_a_user_it_is_a_password() -> None:
    assert a_connection(token="t0ken").auth_kind == "bearer"
    assert a_connection(user="u", token="t0ken").auth_kind == "basic"
    assert a_connection(user="u", token="t0ken").secret == "t0ken"


def test_the_address_loses_its_trailing_slash_and_may_not_carry_credentials() -> None:
    assert a_connection(url="https://acme.example.com/", token="t").url == "https://acme.example.com"
    with pytest.raises(ValidationError, match="must not contain a user"):
        a_connection(url="https://u:p@acme.example.com", token="t")


@pytest.mark.parametrize(
    ("parts", "complaint"),
    [
        ({"user": "u", "password": "p", "auth": "oauth"}, "client_id"),
        ({"token": "t", "url": "acme.service-now.com"}, "must be an address like"),
        ({"token": "t", "pagesize": 5}, "Extra inputs are not permitted"),
        ({"token": "t", "statuses": {"10011": "paused"}}, "“paused” is none of new, accepted"),
        ({"token": "t", "resolutions": {"good": "Done"}}, "“good” is none of success, no_success, dropped"),
        ({"token": "t", "max_concurrency": 50}, "less than or equal to 8"),
    ],
)
def test_what_cannot_work_is_refused_at_once(parts: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        a_connection(**parts)


def test_no_secret_shows_in_the_text_of_a_connection() -> None:
    config = a_connection(user="u", password="hunter22", oauth={"client_id": "c", "client_secret": "s3cret-c"})
    assert "hunter22" not in repr(config)
    assert set(config.secrets()) == {"hunter22", "s3cret-c"}


def test_a_secret_is_known_in_every_form_http_carries_it() -> None:
    config = a_connection(user="u", password='p ä"s&s')
    assert {"p%20%C3%A4%22s%26s", "p+%C3%A4%22s%26s", 'p \\u00e4\\"s&s', "dTpwIMOkInMmcw=="} <= set(
        config.secret_forms()
    )


def test_tokens_come_from_the_platforms_own_endpoint_unless_another_is_given() -> None:
    oauth = {"client_id": "c", "client_secret": "s3cret-c"}
    assert a_connection(oauth=oauth).token_url == "https://acme.service-now.com/oauth_token.do"
    assert a_connection(platform="jira", oauth=oauth).token_url == "https://auth.atlassian.com/oauth/token"
    assert (
        a_connection(oauth={**oauth, "token_url": "https://sso.example.com/t"}).token_url == "https://sso.example.com/t"
    )


@pytest.mark.parametrize(
    ("parts", "missing"),
    [
        ({}, ("user", "password")),
        ({"user": "u"}, ("password",)),
        ({"auth": "bearer"}, ("token",)),
        ({"oauth": {"client_id": "c"}}, ("oauth.client_secret",)),
        ({"user": "u", "oauth": {"client_id": "c", "client_secret": "s", "grant": "password"}}, ("password",)),
        ({"user": "u", "token": "t"}, ()),
    ],
)
def test_what_authentication_lacks_is_told_by_its_keys(parts: dict[str, Any], missing: tuple[str, ...]) -> None:
    assert a_connection(**parts).missing_credentials == missing


def test_credentials_of_another_kind_are_missed_with_a_word() -> None:
    with pytest.raises(SettingsError, match=r"connection acme: The connection has no table \[oauth\]"):
        _ = a_connection(token="t").token_url
    with pytest.raises(SettingsError, match="has no token"):
        _ = a_connection(user="u", password="p").bearer_token
