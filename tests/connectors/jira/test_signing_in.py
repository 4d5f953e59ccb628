"""Signing in to Jira Cloud with OAuth 2.0 (3LO) over HTTP: through the gateway, with refresh tokens that work once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.jira.connector import JiraConnector
from connectors.sandbox.jira.oauth import CLIENT_ID, CLIENT_SECRET, CLOUD_ID
from connectors.sandbox.testing import RunningSandbox
from connectors.sealing import new_key
from improvement.errors import ConnectionFailed, CredentialsRefused
from improvement.records import Outbound, RecordKind, Verb

from .conftest import FILE, Connect

CLIENT = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


class Consent:
    """What a person clicked together once: access for our app, with the first refresh token."""

    def __init__(self, running: RunningSandbox, folder: Path) -> None:
        self.running = running
        self.url = running.jira_cloud_url
        self.key, self.file = new_key(), folder / "acme.token"
        granted = self.ask(grant_type="authorization_code", code="sandbox-regelkreis").json()
        self.access, self.refresh = str(granted["access_token"]), str(granted["refresh_token"])

    def ask(self, **form: str) -> requests.Response:
        return requests.post(f"{self.url}/oauth/token", json={**CLIENT, **form}, timeout=10)

    def settings(self, **parts: Any) -> dict[str, Any]:
        """A connection's settings."""
        oauth = {
            **CLIENT,
            "grant": "refresh_token",
            "refresh_token": self.refresh,
            "token_url": f"{self.url}/oauth/token",
            "token_file": self.file,
            "token_keys": self.key,
            **parts,
        }
        return {"url": f"{self.url}/ex/jira/{CLOUD_ID}", "user": None, "password": None, "oauth": oauth}

    def expire(self, **tokens: bool) -> None:
        self.running.set_options("jira_cloud", **tokens)

    @property
    def issued(self) -> int:
        return int(self.running.stats("jira_cloud")["tokens_issued"])


@pytest.fixture
def consent(sandbox: RunningSandbox, tmp_path: Path) -> Consent:
    return Consent(sandbox, tmp_path)


def test_the_site_is_named_to_whoever_holds_a_token_and_reached_through_the_gateway_only(consent: Consent) -> None:
    bearer = {"Authorization": f"Bearer {consent.access}"}
    (site,) = requests.get(f"{consent.url}/oauth/token/accessible-resources", headers=bearer, timeout=10).json()
    assert (site["id"], site["url"]) == (CLOUD_ID, consent.url)
    there = requests.get(f"{consent.url}/ex/jira/{site['id']}/rest/api/3/myself", headers=bearer, timeout=10)
    assert there.json()["emailAddress"] == "regelkreis@example.com"
    past_it = requests.get(f"{consent.url}/rest/api/3/myself", headers=bearer, timeout=10)
    assert past_it.status_code == 401


def test_a_refresh_token_works_once(consent: Consent) -> None:
    first = consent.ask(grant_type="refresh_token", refresh_token=consent.refresh)
    assert first.json()["refresh_token"] != consent.refresh
    again = consent.ask(grant_type="refresh_token", refresh_token=consent.refresh)
    assert (again.status_code, again.json()["error"]) == (403, "invalid_grant")


def test_a_connection_reads_and_writes_through_the_gateway(consent: Consent, connect: Connect) -> None:
    connector = connect("jira_cloud", **consent.settings())
    assert connector.describe().flavour == "cloud"
    page = next(iter(connector.pull(RecordKind.CONTACT, None, until=consent.running.clock())))
    assert page.batch.num_rows
    assert connector.site.address(connector.config) == consent.url


def test_a_token_that_ends_in_mid_pull_is_renewed_and_the_newest_is_kept(consent: Consent, connect: Connect) -> None:
    connector = connect("jira_cloud", **consent.settings())
    connector.describe()
    for _ in range(3):
        consent.expire(expire_tokens=True)
        assert connector.site.me.account
        connector.reader.read("/rest/api/2/myself", what="myself")
    assert connect("jira_cloud", **consent.settings()).describe().flavour == "cloud"  # by the kept one, not the first
    assert consent.refresh not in consent.file.read_text(errors="replace")


def test_a_file_whose_token_is_refused_is_sent_again_whole(consent: Consent, connect: Connect) -> None:
    connector = connect("jira_cloud", timeout_s=5, **consent.settings())
    create = Outbound(verb=Verb.CREATE, key="ACT-9/create", action_id="ACT-9", fields={"title": "Answer sooner"})
    ref = connector.write(create, None).ref
    consent.running.set_faults("jira_cloud", {"kind": "unauthorised", "path": "/attachments", "method": "POST"})
    receipt = connector.write(Outbound(verb=Verb.ATTACH, key="ACT-9/file", action_id="ACT-9", file=FILE), ref)
    (rule,) = consent.running.control("jira_cloud", "GET", "faults")
    consent.running.set_faults("jira_cloud")
    assert (rule["hits"], receipt.differences, receipt.was_found) == (1, {}, False)


def test_many_at_once_use_each_refresh_token_once(consent: Consent, connect: Connect) -> None:
    connectors = [connect("jira_cloud", **consent.settings()) for _ in range(6)]
    before = consent.issued
    consent.expire(expire_tokens=True)

    def read(connector: JiraConnector) -> int:
        return connector.reader.read("/rest/api/2/myself", what="myself").status_code

    with ThreadPoolExecutor(max_workers=6) as pool:
        assert list(pool.map(read, connectors)) == [200] * 6
    assert consent.issued == before + 1


def test_what_was_used_up_elsewhere_or_has_expired_must_be_granted_anew(consent: Consent, connect: Connect) -> None:
    consent.ask(grant_type="refresh_token", refresh_token=consent.refresh)
    with pytest.raises(CredentialsRefused, match="granted anew"):
        connect("jira_cloud", **consent.settings()).describe()
    anew = Consent(consent.running, consent.file.parent)
    anew.expire(expire_tokens=True, expire_refresh_tokens=True)
    with pytest.raises(CredentialsRefused, match="granted anew"):
        connect("jira_cloud", **anew.settings()).describe()


def test_an_authorization_server_that_is_down_uses_no_token_up(consent: Consent, connect: Connect) -> None:
    consent.running.set_faults("jira_cloud", {"kind": "unavailable", "path": "^/oauth/token$", "times": None})
    connector = connect("jira_cloud", **consent.settings())
    with pytest.raises(ConnectionFailed):
        connector.describe()
    consent.running.set_faults("jira_cloud")
    assert connector.describe().flavour == "cloud"
