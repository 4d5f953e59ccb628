"""Our own connectors keep what the conformance tests ask of everybody's."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import unquote

import msgspec
import pytest
import requests

from bench.faults.holdings import COLUMNS, of_platform
from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.conformance import Conformance, Effects
from connectors.registry import connector
from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import FLAVOURS, Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World
from connectors.servicenow.connector import ServiceNowConnector
from improvement.records import Outbound, PreviewRequest, Receipt, RecordKind, RecordRef
from tests.connectors.wire import changed_answers, writing_requests

PASSWORD = "sandbox"
NOW = datetime(2024, 7, 29, 12, tzinfo=UTC)


def a_part_of(platform: str) -> World:
    """Every sixth ticket of the small world."""
    world = generate(platform, size="small")  # type: ignore[arg-type]
    world.tickets = world.tickets[::6]
    return world


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    worlds = {platform: a_part_of(platform) for platform in ("servicenow", "jira")}
    with running_sandbox(worlds=worlds, now=NOW) as running:
        yield running


class OnTheSandbox(Conformance, ABC):
    """The integration user of one sandbox flavour. The platform is looked at by plain HTTP, as its administrator."""

    until: ClassVar[datetime] = NOW
    must_be_whole: ClassVar[bool] = True
    flavour: ClassVar[Flavour]
    settings: ClassVar[dict[str, Any]]
    breakable: ClassVar[dict[str, str]]  # method → path of the requests that write

    @pytest.fixture(autouse=True)
    def _running(self, sandbox: RunningSandbox) -> Iterator[None]:
        self.sandbox = sandbox
        self.opened: list[Connector] = []
        self.cleanup = ExitStack()
        with self.cleanup:
            yield
        for one in self.opened:
            one.close()

    def connect(self) -> Connector:
        raw = {"name": "acme", "url": self.sandbox.urls[self.flavour], "password": PASSWORD, **self.settings}
        self.opened.append(connector(ConnectionConfig.model_validate(raw)))
        return self.opened[-1]

    def expected(self) -> dict[RecordKind, list[dict[str, Any]]]:
        told = {}
        for kind, facts in of_platform(self.sandbox, self.flavour, user="regelkreis").items():
            names = [name.strip('"') for name in COLUMNS[kind]]
            plain = [number for number, name in enumerate(names) if name.isidentifier()]
            told[kind] = [{names[number]: fact[number] for number in plain} for fact in facts.elements()]
        return told

    def put_bad_record(self) -> tuple[RecordKind, str]:
        ids = [id for page in self._pulled(RecordKind.TICKET) for id in page.batch["id"].to_pylist()]
        bad = ids[len(ids) // 2]
        self.cleanup.enter_context(changed_answers(lambda answer: self.spoil(answer, bad)))
        return RecordKind.TICKET, bad

    def delete_record(self) -> tuple[RecordKind, str]:
        id = self._pulled(RecordKind.CONTACT)[0].batch["id"][0].as_py()
        self.ask("DELETE", self.path_of(RecordKind.CONTACT, id))
        return RecordKind.CONTACT, id

    def sent(self) -> AbstractContextManager[list[PreviewRequest]]:
        return writing_requests()

    @contextmanager
    def break_next(self, *, is_after_effect: bool) -> Iterator[None]:
        kind = "reset_after" if is_after_effect else "reset_before"
        rules = [{"kind": kind, "method": method, "path": path} for method, path in self.breakable.items()]
        self.sandbox.set_faults(self.flavour, *rules)
        yield
        self.sandbox.set_faults(self.flavour)

    def secrets(self) -> list[str]:
        login = f"{self.settings['user']}:{PASSWORD}"  # the password alone is a word that is told of clocks
        return [login, base64.b64encode(login.encode()).decode()]

    def shows(self, shown: PreviewRequest, sent: PreviewRequest) -> bool:
        is_one = (shown.method, plain(shown.url)) == (sent.method, plain(sent.url))
        is_file = "/attachment" in shown.url
        return is_one and (is_file or readable(shown.body) == readable(sent.body))

    @abstractmethod
    def spoil(self, answer: dict[str, Any], id: str) -> None:
        """Make a record of this id one that cannot be read, wherever it is in an answer."""

    @abstractmethod
    def path_of(self, kind: RecordKind, id: str) -> str:
        """Where a record is."""

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """One plain request of the administrator."""
        login = "admin@example.com" if self.flavour == "jira_cloud" else "admin"
        url = f"{self.sandbox.urls[self.flavour]}{path}"
        response = requests.request(method, url, auth=(login, PASSWORD), timeout=60, **options)
        response.raise_for_status()
        return response


def plain(url: str) -> str:
    """An address without what a library adds to it."""
    address, _, query = unquote(url).partition("?")
    return "&".join([address, *(part for part in query.split("&") if part and not part.startswith("sysparm_"))])


def readable(body: str) -> Any:
    """A body without what is no part of what is shown: how a batch packs its items, the digests of a property."""
    told = json.loads(body)
    told.pop("written", None)
    for item in told.get("rest_requests", ()):
        if isinstance(item["body"], str):
            item["body"] = json.loads(base64.b64decode(item["body"]))
    return told


class TestServiceNow(OnTheSandbox):
    flavour = "servicenow"
    settings: ClassVar[dict[str, Any]] = {"platform": "servicenow", "user": "regelkreis", "page_size": 400}
    again: ClassVar[int] = 150  # what was updated in the last minutes of each table, some of it at once
    breakable: ClassVar[dict[str, str]] = {"POST": "/table/|/attachment/|/batch$", "PATCH": "/table/"}

    def spoil(self, answer: dict[str, Any], id: str) -> None:
        if answer.get("sys_id") == id and "opened_at" in answer:
            answer["opened_at"] = "yesterday"

    def path_of(self, kind: RecordKind, id: str) -> str:
        return f"/api/now/table/interaction/{id}"

    def effects(self, action: str) -> Effects:
        records = self.rows("sn_cim_register", f"short_descriptionLIKE{action}")
        ids = ",".join(one["sys_id"] for one in records) or "none"
        files = self.rows("sys_attachment", f"table_sys_idIN{ids}")
        return Effects(
            records=len(records),
            notes=tuple(one["value"] for one in self.rows("sys_journal_field", f"element_idIN{ids}")),
            files=tuple(
                (one["file_name"], self.ask("GET", f"/api/now/attachment/{one['sys_id']}/file").content)
                for one in files
            ),
            tasks=tuple(one["short_description"] for one in self.rows("sn_cim_task", f"cim_registerIN{ids}")),
            links=tuple(one["source_id"] for one in self.rows("sn_cim_inbound_m2m", f"cim_registerIN{ids}")),
        )

    @contextmanager
    def drop_description(self) -> Iterator[None]:
        self.sandbox.set_options(self.flavour, read_only_fields={"sn_cim_register": ["description"]})
        yield
        self.sandbox.set_options(self.flavour, read_only_fields={})

    def begin_improvement(self, title: str, target: str) -> str:
        row = {"short_description": title, "target_value": target}
        made = self.ask("POST", "/api/now/table/sn_cim_register", json=row).json()["result"]
        return f"{self.sandbox.urls[self.flavour]}/sn_cim_register.do?sys_id={made['sys_id']}"

    def delete_improvement(self, ref: RecordRef) -> None:
        self.ask("DELETE", f"/api/now/table/sn_cim_register/{ref.id}")

    def comment(self, ref: RecordRef, text: str) -> str:
        self.ask("PATCH", f"/api/now/table/sn_cim_register/{ref.id}", json={"work_notes": text})
        return "admin"

    def rows(self, table: str, query: str) -> list[dict[str, str]]:
        answer = self.ask("GET", f"/api/now/table/{table}", params={"sysparm_query": query})
        rows: list[dict[str, str]] = answer.json()["result"]
        return rows


class OnJira(OnTheSandbox):
    """Either flavour."""

    breakable: ClassVar[dict[str, str]] = {
        "POST": "/issue$|/comment$|/attachments$|/issueLink$|/remotelink$|/transitions$",
        "PUT": r"/issue/\d+$|/properties/",
    }

    def spoil(self, answer: dict[str, Any], id: str) -> None:
        if answer.get("id") == id and "created" in answer.get("fields", {}):
            answer["fields"]["created"] = "yesterday"

    def path_of(self, kind: RecordKind, id: str) -> str:
        return f"/rest/api/2/issue/{id}"

    def effects(self, action: str) -> Effects:
        search = "search/jql" if self.flavour == "jira_cloud" else "search"
        asking = {"jql": "project = CIP ORDER BY key DESC", "fields": "summary,attachment,comment,issuelinks,subtasks"}
        found = self.ask("GET", f"/rest/api/2/{search}", params={**asking, "maxResults": "20"}).json()["issues"]
        records = [one["fields"] for one in found if action in one["fields"]["summary"]]
        ends = [link.get("inwardIssue") or link["outwardIssue"] for one in records for link in one["issuelinks"]]
        files = [file for one in records for file in one["attachment"]]
        root = self.sandbox.urls[self.flavour]
        return Effects(
            records=len(records),
            notes=tuple(note["body"] for one in records for note in one["comment"]["comments"]),
            files=tuple(
                (file["filename"], self.ask("GET", file["content"].removeprefix(root)).content) for file in files
            ),
            tasks=tuple(task["fields"]["summary"] for one in records for task in one["subtasks"]),
            links=tuple(end["id"] for end in ends),
        )

    @contextmanager
    def drop_description(self) -> Iterator[None]:
        self.sandbox.set_options(self.flavour, screen_lacks={"edit": ["description"]})
        yield
        self.sandbox.set_options(self.flavour, screen_lacks={})

    def begin_improvement(self, title: str, target: str) -> str:
        of = {"project": {"key": "CIP"}, "issuetype": {"name": "Task"}}
        fields = {**of, "summary": title, "customfield_10021": target}
        made = self.ask("POST", "/rest/api/2/issue", json={"fields": fields}).json()
        return f"{self.sandbox.urls[self.flavour]}/browse/{made['key']}"

    def delete_improvement(self, ref: RecordRef) -> None:
        self.ask("DELETE", f"/rest/api/2/issue/{ref.id}?deleteSubtasks=true")

    def comment(self, ref: RecordRef, text: str) -> str:
        author = self.ask("POST", f"/rest/api/2/issue/{ref.id}/comment", json={"body": text}).json()["author"]
        return str(author["accountId" if self.flavour == "jira_cloud" else "name"])


class TestJiraCloud(OnJira):
    flavour = "jira_cloud"
    settings: ClassVar[dict[str, Any]] = {"platform": "jira", "user": "regelkreis@example.com"}


class TestJiraDataCenter(OnJira):
    flavour = "jira_dc"
    settings: ClassVar[dict[str, Any]] = {"platform": "jira", "user": "regelkreis"}


SUITES: tuple[type[OnTheSandbox], ...] = (TestServiceNow, TestJiraCloud, TestJiraDataCenter)


def test_every_flavour_is_tested_and_nothing_skipped() -> None:
    assert {suite.flavour for suite in SUITES} == set(FLAVOURS)
    assert all(suite.must_be_whole and suite.may_write for suite in SUITES)


def test_a_connector_that_writes_over_what_people_wrote_fails(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = ServiceNowConnector.write

    def blindly(self: ServiceNowConnector, outbound: Outbound, ref: RecordRef | None) -> Receipt:
        return write(self, msgspec.structs.replace(outbound, is_adopted=False), ref)

    one = TestServiceNow()
    one.sandbox, one.opened, one.cleanup = sandbox, [], ExitStack()
    one.test_what_people_wrote_on_a_record_of_theirs_is_left_alone()
    monkeypatch.setattr(ServiceNowConnector, "write", blindly)
    with pytest.raises(AssertionError):
        one.test_what_people_wrote_on_a_record_of_theirs_is_left_alone()
    for opened in one.opened:
        opened.close()
