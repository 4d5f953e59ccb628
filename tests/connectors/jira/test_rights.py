"""The permissions and scopes that are asked for are those that are used."""

from __future__ import annotations

from connectors.config import ConnectionConfig
from connectors.jira.connector import JiraConnector
from connectors.jira.describing import RIGHTS
from connectors.rights import TellsRights
from connectors.sandbox.plugin import Flavour

from .conftest import Connect


def test_every_permission_that_doctor_checks_is_listed_for_writing(connect: Connect, flavour: Flavour) -> None:
    connector = connect(flavour)
    assert isinstance(connector, TellsRights)
    listed = {right.least.partition(" (")[0] for right in connector.rights() if right.use == "write jira"}
    assert set(RIGHTS.values()) <= listed
    assert all("CIP" in right.where or "measured" in right.where
               for right in connector.rights() if right.use == "write jira")  # fmt: skip


def test_nothing_is_asked_to_tell_them() -> None:
    config = ConnectionConfig(name="a", platform="jira", url="http://127.0.0.1:9", user="u", password="p")
    found = JiraConnector(config).rights()
    assert {right.use for right in found} >= {"every use", "pull tickets", "pull slas", "pull surveys", "write jira"}
    assert not any("offline_access" in right.least for right in found)


def test_what_is_not_mapped_needs_no_right_and_oauth_needs_its_scopes() -> None:
    config = ConnectionConfig.model_validate(
        {
            "name": "a",
            "platform": "jira",
            "url": "https://api.atlassian.com/ex/jira/1",
            "mapping": {"contact": {"is_enabled": False}},
            "oauth": {"client_id": "i", "client_secret": "s", "grant": "refresh_token", "refresh_token": "r"},
        }
    )
    found = JiraConnector(config).rights()
    assert "pull contacts" not in {right.use for right in found}
    scopes = {
        word.strip("(),") for right in found for word in right.least.split() if ":" in word and "OAuth" not in word
    }
    assert scopes == {"read:jira-user", "read:jira-work", "write:jira-work", "read:servicedesk-request"}
    assert any("offline_access" in right.least for right in found)


def test_whether_owners_can_be_named_is_told(connect: Connect, flavour: Flavour) -> None:
    assert [item.detail for item in connect(flavour).ungranted()] == ["in project CIP"]
    (reader,) = connect(flavour, user="reader").ungranted()
    assert "issues stay unassigned" in reader.detail
