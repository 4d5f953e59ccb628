"""Company CA, client certificate and proxy reach the session, and the environment does not overrule them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic import ValidationError

from connectors.config import ConnectionConfig
from connectors.http import open_session
from connectors.transport import transport

URL = "https://acme.atlassian.net"


@pytest.fixture(autouse=True)
def _an_environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def a_config(**parts: Any) -> ConnectionConfig:
    return ConnectionConfig.model_validate({"name": "acme", "platform": "jira", "url": URL, "token": "t0ken", **parts})


def used(session: requests.Session, url: str = URL) -> dict[str, Any]:
    """What requests would really use for an address."""
    return dict(session.merge_environment_settings(url, {}, None, None, None))


def a_file(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text("-----BEGIN …")
    return path


def test_a_company_ca_and_a_client_certificate_are_used(tmp_path: Path) -> None:
    ca, certificate, key = (a_file(tmp_path, name) for name in ("ca.pem", "client.pem", "client.key"))
    settings = used(open_session(a_config(verify=ca, client_certificate=certificate, client_key=key)))
    assert settings["verify"] == str(ca)
    assert settings["cert"] == (str(certificate), str(key))
    assert used(open_session(a_config(client_certificate=certificate)))["cert"] == str(certificate)


def test_what_is_configured_counts_more_than_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ca = a_file(tmp_path, "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/other.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://other:3128")
    monkeypatch.setenv("NO_PROXY", "atlassian.net")
    settings = used(open_session(a_config(verify=ca, proxy="http://proxy:8080")))
    assert settings["verify"] == str(ca)
    assert settings["proxies"]["https"] == "http://proxy:8080"


def test_what_is_not_configured_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/company.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://company:3128")
    settings = used(open_session(a_config()))
    assert settings["verify"] == "/etc/company.pem"
    assert settings["proxies"]["https"] == "http://company:3128"
    monkeypatch.setenv("NO_PROXY", "atlassian.net")
    assert "https" not in used(open_session(a_config()))["proxies"]


def test_tls_checks_can_be_switched_off_only_on_purpose() -> None:
    assert used(open_session(a_config()))["verify"] is True
    assert used(open_session(a_config(verify=False)))["verify"] is False


def test_a_token_endpoint_elsewhere_is_reached_the_same_way(tmp_path: Path) -> None:
    certificate = a_file(tmp_path, "client.pem")
    config = a_config(client_certificate=certificate, proxy="http://proxy:8080")
    settings = used(transport(requests.Session(), config, "https://auth.atlassian.com/oauth/token"))
    assert settings["cert"] == str(certificate)
    assert settings["proxies"]["https"] == "http://proxy:8080"


@pytest.mark.parametrize("name", ["verify", "client_certificate"])
def test_a_file_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(ValidationError, match=r"there is no file /nowhere/x\.pem"):
        a_config(**{name: Path("/nowhere/x.pem")})


def test_a_key_without_its_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="client_key needs client_certificate"):
        a_config(client_key=a_file(tmp_path, "client.key"))


def test_a_password_in_the_address_of_the_proxy_is_a_secret() -> None:
    config = a_config(proxy="http://rk:pr%40xy-pass@proxy:8080")
    assert "xy-pass" not in repr(config)
    assert {"pr%40xy-pass", "pr@xy-pass"} <= set(config.secrets())
