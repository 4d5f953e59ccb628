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
            "hourly_points": 0,
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


def told(connector: JiraConnector) -> dict[str, tuple[bool, str]]:
    return {item.check: (item.is_ok, item.detail) for item in connector.ungranted()}


def test_whether_owners_can_be_named_is_told(connect: Connect, flavour: Flavour) -> None:
    assert told(connect(flavour))["Assign Issues"] == (True, "in project CIP")
    assert "issues stay unassigned" in told(connect(flavour, user="reader"))["Assign Issues"][1]


def test_the_projects_we_may_browse_are_listed(connect: Connect, flavour: Flavour) -> None:
    assert told(connect(flavour))["projects"] == (True, "we may browse CIP, OPS, OPSA, IMP")


def test_a_project_of_the_mapping_that_we_do_not_see_is_told(connect: Connect, flavour: Flavour) -> None:
    mapping = {
        "incident": {"filter": 'project in (OPS, "Secret desk") AND labels = x'},
        "change": {"filter": "project = HIDDEN"},
        "problem": {"filter": "project != OTHER AND project not in (ELSEWHERE)"},
        "request": {"filter": "project = operations", "is_enabled": True},
    }
    found = told(connect(flavour, mapping=mapping))
    assert {check for check, (is_ok, _) in found.items() if not is_ok} == {
        "permission project Secret desk",
        "permission project HIDDEN",
    }
