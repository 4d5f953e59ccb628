"""Connections as a person configures them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from connectors.config import ConnectionConfig


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
        ({}, "needs user and password"),
        ({"user": "u", "password": "p", "auth": "oauth"}, "client_id"),
        ({"token": "t", "default_zone": "Europe/Zurch"}, "is not an IANA time zone"),
        ({"token": "t", "zones": {"CH": "Mars/Base"}}, "is not an IANA time zone"),
        ({"token": "t", "url": "acme.service-now.com"}, "must be an address like"),
        ({"token": "t", "pagesize": 5}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_work_is_refused_at_once(parts: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        a_connection(**parts)


def test_no_secret_shows_in_the_text_of_a_connection() -> None:
    config = a_connection(user="u", password="hunter22", oauth={"client_id": "c", "client_secret": "s3cret-c"})
    assert "hunter22" not in repr(config)
    assert set(config.secrets()) == {"hunter22", "s3cret-c"}
