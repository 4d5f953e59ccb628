"""The permissions and scopes that are asked for are those that are used."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from requests.adapters import HTTPAdapter

from connectors.config import ConnectionConfig
from connectors.jira.connector import JiraConnector
from connectors.jira.describing import RIGHTS
from connectors.rights import Right, TellsRights
from connectors.sandbox.plugin import Flavour
from improvement.records import RecordKind, Verb

from .conftest import FILE, Connect, Desk


def test_every_permission_that_doctor_checks_is_listed_for_writing(connect: Connect, flavour: Flavour) -> None:
    connector = connect(flavour)
    assert isinstance(connector, TellsRights)
    listed = {right.least.partition(" (")[0] for right in connector.rights() if right.use == "write jira"}
    assert set(RIGHTS.values()) <= listed
    assert all("project CIP" in right.where or "measured" in right.where
               for right in connector.rights() if right.use == "write jira")  # fmt: skip


def operation_of(method: str, path: str) -> str:
    """What a request does, in the words of the list; searches are POST on Cloud."""
    if method == "POST" and not path.startswith(("/search", "/changelog")):
        return "update" if path.endswith("/transitions") else "create"
    return "update" if method == "PUT" else "read"


def asked_for(rights: Sequence[Right]) -> set[tuple[str, str]]:
    """(method, endpoint) of every right; a method counts until the next one is named."""
    found = set()
    for right in rights:
        _, _, endpoints = right.where.rpartition(": ")
        methods: list[str] = []
        is_method = False
        for word in endpoints.replace(",", "").split():
            if word.isupper():
                methods = [*methods, word] if is_method else [word]
            is_method = word.isupper()
            for method in methods if word.startswith("/") else ():
                path = word.removeprefix("/rest/api/2")
                assert operation_of(method, path) in right.operations or "POST /issueLink" in right.where, right
                found.add((method, path))
    return found


@pytest.fixture
def requested(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """(method, endpoint) of every request from now on."""
    found: set[tuple[str, str]] = set()
    unhindered = HTTPAdapter.send

    def send(self: HTTPAdapter, request: Any, *arguments: Any, **options: Any) -> Any:
        path = request.path_url.partition("?")[0].removeprefix("/rest/api/2")
        path = re.sub(r"/project/(?!search$)[^/]+", "/project/{key}", path)
        path = re.sub(r"/createmeta/[^/]+", "/createmeta/{key}", path)
        path = re.sub(r"/(\d+|[A-Z]+-\d+)(?=/|$)", "/{id}", path)
        found.add((request.method, path))
        return unhindered(self, request, *arguments, **options)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return found


def test_whatever_is_asked_is_listed(desk: Desk, now: datetime, requested: set[tuple[str, str]]) -> None:
    connector = desk.connect()
    assert connector.site.is_cloud == (desk.flavour == "jira_cloud")
    listed: dict[str, set[tuple[str, str]]] = {}
    for right in connector.rights():
        listed[right.use] = listed.get(right.use, set()) | asked_for([right])
    always = listed["every use"]
    writing = always | listed["write jira"]

    def used() -> set[tuple[str, str]]:
        found = set(requested)
        requested.clear()
        return found

    connector.describe()
    connector.ungranted()
    used_to_describe = used()
    assert used_to_describe - writing - listed["pull tickets"] == set()
    tickets: list[str] = []
    for kind in connector.kinds():
        for page in connector.pull(kind, None, until=now):
            tickets += page.batch["id"].to_pylist() if kind is RecordKind.TICKET else []
        connector.count(kind, until=now)
        list(connector.read_by_ids(kind, tickets[:3], until=now))
        assert used() - always - listed[f"pull {kind.value}s"] == set()
    connector.discover(sample=10)
    assert used() - always - listed["pull tickets"] == set()
    for kind in connector.kinds():
        connector.keys(kind)
        connector.gone(kind, [*tickets[:3], "99999999"])
    connector.breaches(since=now - timedelta(days=90), until=now)
    assert used() - always - listed["deletions"] == set()
    connector.waits(tickets[:50])
    assert used() - always - listed["whose minutes"] == set()
    creation, fields = desk.creation, {**desk.fields, "title": "u", "state": "doing"}
    used()  # Claudia's
    ref = connector.write(creation, None).ref
    for write in (
        desk.outbound(Verb.UPDATE, "update", fields=fields),
        desk.outbound(Verb.NOTE, "note", text="hello"),
        desk.outbound(Verb.ATTACH, "file", file=FILE),
        desk.outbound(Verb.TASK, "task/1", fields={"title": "step"}),
        desk.outbound(Verb.LINK, "links", trigger_ids=tuple(tickets[:3])),
    ):
        connector.write(write, ref)
    connector.states([ref])
    seen = used()
    assert {
        ("POST", "/issueLink"),
        ("POST", "/issue"),
        ("PUT", "/issue/{id}"),
        ("POST", "/issue/{id}/transitions"),
    } <= seen
    assert seen - writing == set()
    key = desk.claudia.issue(tickets[0]).key  # whatever we may see can be adopted
    used()
    found = connector.existing(f"{desk.running.urls[desk.flavour]}/browse/{key}")
    assert found is not None
    adopted = {"is_adopted": True, "fields": {"target": "5", "url": "https://rk.example.com/actions/ACT-9/"}}
    connector.write(desk.outbound(Verb.UPDATE, "adopted", **adopted), found.ref)
    connector.write(desk.outbound(Verb.NOTE, "adopted/note", text="hello"), found.ref)
    connector.write(desk.outbound(Verb.ATTACH, "adopted/file", file=FILE), found.ref)
    connector.states([found.ref])
    assert used() - writing - listed["adopt"] == set()


@pytest.mark.parametrize(
    ("settings", "are_told"),
    [
        ({"url": "https://jira.acme.example", "token": "t"}, False),
        ({"url": "https://acme.atlassian.net", "user": "u@acme.example", "token": "t"}, True),
    ],
)
def test_scopes_are_told_where_there_are_any(settings: dict[str, str], are_told: bool) -> None:
    config = ConnectionConfig.model_validate({"name": "a", "platform": "jira", **settings})
    assert any("OAuth" in right.least for right in JiraConnector(config).rights()) == are_told


@pytest.mark.parametrize("link_triggers", [True, False])
def test_measured_projects_are_written_to_only_where_tickets_are_linked(link_triggers: bool) -> None:
    config = ConnectionConfig(
        name="a", platform="jira", url="https://jira.acme.example", user="u", password="p", link_triggers=link_triggers
    )
    written = [right for right in JiraConnector(config).rights() if right.operations == ("update",)]
    assert any("measured" in right.where for right in written) == link_triggers


@pytest.mark.parametrize(
    ("url", "is_cloud"), [("https://jira.acme.example", False), ("https://acme.atlassian.net", True)]
)
def test_no_endpoint_is_told_that_this_jira_does_not_have(url: str, is_cloud: bool) -> None:
    config = ConnectionConfig.model_validate({"name": "a", "platform": "jira", "url": url, "user": "u", "token": "t"})
    paths = {path for _, path in asked_for(JiraConnector(config).rights())}
    of_cloud = {"/search/jql", "/search/approximate-count", "/changelog/bulkfetch", "/project/search"}
    assert of_cloud & paths == (of_cloud if is_cloud else set())
    assert {"/search", "/project"} & paths == (set() if is_cloud else {"/search", "/project"})


def test_nothing_is_asked_to_tell_them(requested: set[tuple[str, str]]) -> None:
    config = ConnectionConfig(name="a", platform="jira", url="https://jira.acme.example", user="u", password="p")
    found = JiraConnector(config).rights()
    assert requested == set()
    assert {right.use for right in found} >= {"every use", "pull tickets", "pull slas", "pull surveys", "write jira"}
    assert not any("offline_access" in right.least for right in found)


def test_at_a_loopback_address_either_may_be_a_sandbox(connect: Connect, flavour: Flavour) -> None:
    found = asked_for(connect(flavour).rights())
    assert (("POST", "/search/jql") in found, ("GET", "/search") in found) == (
        (True, False) if flavour == "jira_cloud" else (False, True)
    )


def test_a_sandbox_that_is_not_there_stops_nothing() -> None:
    config = ConnectionConfig(
        name="a", platform="jira", url="http://127.0.0.1:9", user="u", password="p", max_attempts=1
    )
    assert ("GET", "/search") in asked_for(JiraConnector(config).rights())


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
