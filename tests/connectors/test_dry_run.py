"""What a dry run prints is what is sent: each write is shown, then made, and its requests are compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import FLAVOURS, Flavour
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.servicenow import batching
from improvement.records import Outbound, OutboundFile, PreviewRequest, RecordKind, RecordRef, Verb

NOW = datetime(2024, 7, 29, tzinfo=UTC)
FILE = OutboundFile(name="review of März.json", media_type="application/json", content=b"{}")
FIELDS: dict[str, Any] = {
    "title": "Tütel   \u2028 <b>",
    "service": "E-Mail",
    "owner": "anna.frei",
    "description": "one\ntwo",
    "due": "2025-01-02",
    "baseline": 12.5,
    "target": "9",
    "next_review": "2025-02-01",
    "url": "https://rk.example.com/actions/ACT-7/",
    "state": "proposed",
    "method": "manual",
}
Sent = tuple[str, str, Any]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    worlds = {platform: generate(platform, size="small") for platform in ("servicenow", "jira")}
    for world in worlds.values():
        world.tickets = world.tickets[:5]
    with running_sandbox(worlds=worlds, now=NOW) as running:
        yield running


@pytest.fixture(params=FLAVOURS)
def flavour(request: pytest.FixtureRequest) -> Flavour:
    chosen: Flavour = request.param
    return chosen


@pytest.fixture
def fresh(sandbox: RunningSandbox, flavour: Flavour) -> Callable[..., Connector]:
    def open_one(**settings: Any) -> Connector:
        config = ConnectionConfig(
            name="acme",
            platform="servicenow" if flavour == "servicenow" else "jira",
            url=sandbox.urls[flavour],
            user="regelkreis@example.com" if flavour == "jira_cloud" else "regelkreis",
            password="sandbox",  # type: ignore[arg-type]
            link_triggers=True,
            **settings,
        )
        return connector(config)

    return open_one


@pytest.fixture
def received(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Every writing request that reached the platform: method, address with its parameters, body."""
    seen: list[Sent] = []
    unhindered = HTTPAdapter.send

    def send(self: HTTPAdapter, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> Any:
        url = request.url or ""
        if request.method != "GET" and "/search" not in url and "/sandbox/" not in url:
            seen.append((str(request.method), url, _read(request)))
        return unhindered(self, request, *arguments, **options)

    monkeypatch.setattr(HTTPAdapter, "send", send)
    return seen


def test_what_is_printed_is_what_is_sent(
    fresh: Callable[..., Connector], flavour: Flavour, received: list[Sent]
) -> None:
    reading = fresh()
    pages = list(reading.pull(RecordKind.TICKET, None, until=NOW))
    tickets = tuple(str(id) for page in pages for id in page.batch["id"].to_pylist())
    of: dict[str, Any] = {"action_id": f"ACT-{flavour}", "installation": "k7m2qd4x"}
    owner = "anna.frei" if flavour == "servicenow" else "nobody.at-all"  # Jira refuses who may not be assigned
    writes = [
        Outbound(verb=Verb.CREATE, key="ACT-7/create", fields={**FIELDS, "owner": None}, **of),
        Outbound(verb=Verb.UPDATE, key="ACT-7/update", fields={**FIELDS, "owner": None, "title": "New"}, **of),
        Outbound(verb=Verb.UPDATE, key="ACT-7/move", fields={"state": "doing", "target": None}, **of),
        Outbound(verb=Verb.UPDATE, key="ACT-7/adopted", fields={"title": "Newer", "target": 5}, is_adopted=True, **of),
        Outbound(verb=Verb.NOTE, key="ACT-7/note", text="hello\n<b>ü [code]", **of),
        Outbound(verb=Verb.ATTACH, key="ACT-7/file", file=FILE, **of),
        Outbound(verb=Verb.TASK, key="ACT-7/task/1", fields={"title": "step", "due": "2025-01-01"}, **of),
        Outbound(verb=Verb.LINK, key="ACT-7/links", trigger_ids=tickets[:3], **of),
        Outbound(verb=Verb.LINK, key="ACT-7/link", trigger_ids=tickets[3:4], **of),
    ]
    ref: RecordRef | None = None
    for write in writes:
        shown = fresh().preview(write, ref)
        assert received == []
        receipt = fresh().write(write, ref)
        made = received[:]
        received.clear()
        assert made or write.key == "ACT-7/move"
        assert [_shown(one, receipt.ref) for one in shown] == made, write.key
        ref = receipt.ref
    of["action_id"] = f"ACT-8-{flavour}"
    refused = Outbound(verb=Verb.CREATE, key="ACT-8/create", fields={**FIELDS, "owner": owner}, **of)
    first, *_ = fresh().preview(refused, None)
    fresh().write(refused, None)
    assert received[0] == _shown(first, ref)
    if flavour != "servicenow":
        assert "assignee" in first.may_follow
        body = json.loads(first.body)
        del body["fields"]["assignee"]
        assert received[1] == ("POST", first.url, body)


def _shown(request: PreviewRequest, ref: RecordRef | None) -> Sent:
    """As shown, of a record that was still to be made under the id it got."""
    url = request.url.replace("/NEW/", f"/{ref.id}/") if ref is not None else request.url
    try:
        return request.method, url, json.loads(request.body)
    except ValueError:
        return request.method, url, request.body


def _read(request: requests.PreparedRequest) -> Any:
    body: Any = request.body
    if hasattr(body, "to_string"):  # the library streams its multipart body; sent in one piece it is the same
        request.body = body.to_string()
        head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
        (part,) = message_from_bytes(head + request.body, policy=default).iter_parts()
        content = part.get_content()
        content = content if isinstance(content, bytes) else content.encode()
        return {
            "file": part.get_filename(),
            "media_type": part.get_content_type(),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    content = request.body if isinstance(request.body, bytes) else str(request.body).encode()
    path = (request.url or "").partition("?")[0]
    if path.endswith("/attachment/file"):
        return f"<{len(content)} bytes of {request.headers['Content-Type']}>"
    return batching.readable(json.loads(content))
