"""A history of which a search shows a part is read whole, whatever its pages say."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import requests
import responses

from connectors.jira.changelogs import whole_histories
from connectors.jira.client import BulkSession
from connectors.jira.wire import HistoryEntry, HistoryItem, RawEntry
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent, WorldTicket
from improvement.records import RecordKind

from .conftest import rows

Connect = Callable[..., Any]
SUNDAY = datetime(2026, 10, 25, tzinfo=UTC)  # summer time ends in Europe: 00:30Z and 01:30Z are both 02:30


def test_a_long_history_is_read_to_its_beginning(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    ticket = an_incident(1, noon, resolved_after_h=None)
    for n in range(130):
        at = ticket.opened + 60 * (2 * n + 1)
        ticket.events += [TicketEvent(at, {"state": "resolved"}), TicketEvent(at + 60, {"state": "in_progress"})]
    ticket.events.append(TicketEvent(at + 120, {"state": "closed"}))
    until = noon + timedelta(hours=8)
    (row,) = rows(connect(flavour, at=serve([ticket], now=until)).pull(RecordKind.TICKET, None, until=until))
    assert (row["reopen_count"], row["closed_at"]) == (130, datetime.fromtimestamp(at + 120, UTC))


@pytest.mark.parametrize("flavour", ["jira_cloud"])  # Data Center shows histories whole
@pytest.mark.parametrize(
    ("address", "page", "instead"),
    [
        ("/changelog/bulkfetch", 1, {}),
        ("/changelog/bulkfetch", 1, {"issueChangeLogs": []}),
        *(("/changelog", page, instead) for page in (1, 2) for instead in ({}, {"values": [], "isLast": False})),
    ],
)
def test_a_page_of_a_history_that_says_nothing_is_asked_for_again(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    page: int,
    instead: dict[str, Any],
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    until = noon + timedelta(hours=8)
    ticket = an_incident(1, noon, resolved_after_h=None)
    ticket.events += [TicketEvent(ticket.opened + 60 * n, {"state": ("new", "resolved")[n % 2]}) for n in range(1, 261)]
    connector, pages = connect(flavour, at=serve([ticket], now=until)), list[str]()
    request = BulkSession.request

    def confused(self: BulkSession, method: str, url: str, **options: Any) -> requests.Response:
        answer = request(self, method, url, **options)
        if url.endswith("/bulkfetch") and not address.endswith("/bulkfetch"):
            answer.status_code = 404  # not offered: issues are asked for one by one
        elif url.endswith(address):
            pages.append(url)
            if len(pages) == page:
                answer._content = msgspec.json.encode(instead)
        return answer

    monkeypatch.setattr(BulkSession, "request", confused)
    (row,) = rows(connector.pull(RecordKind.TICKET, None, until=until))
    assert row["reopen_count"] == 130


def test_a_whole_history_is_the_same_with_its_items_decoded_or_not(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    until = noon + timedelta(hours=8)
    connector = connect(flavour, at=serve([an_incident(1, noon)], now=until))
    (row,) = rows(connector.pull(RecordKind.TICKET, None, until=until))
    ((decoded,), (raw,)) = (
        whole_histories(connector.reader, connector.caller, connector.site, [row["id"]], entry).values()
        for entry in (HistoryEntry, RawEntry)
    )
    assert decoded
    assert [(one.id, one.created) for one in decoded] == [(one.id, one.created) for one in raw]
    assert [one.items for one in decoded] == [msgspec.json.decode(one.items, type=list[HistoryItem]) for one in raw]


@pytest.mark.parametrize("flavour", ["jira_cloud"])  # Data Center shows histories whole
@pytest.mark.parametrize(
    ("items", "rejected"),
    [
        ([{"field": "summary", "fieldId": "summary"}], []),
        ([{"field": 5}], [("changelog.items[0].field", "Expected `str`, got `int`")]),
    ],
)
def test_in_a_long_history_only_what_is_used_has_to_be_readable_and_the_pull_goes_on(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    items: list[dict[str, Any]],
    rejected: list[tuple[str, str]],
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    long, short = an_incident(1, noon, resolved_after_h=None), an_incident(2, noon)
    long.events += [TicketEvent(long.opened + 60 * n, {"state": ("resolved", "new")[n % 2]}) for n in range(1, 260)]
    until = noon + timedelta(hours=8)
    running = serve([long, short], now=until)
    told = {"id": "1", "created": 1_772_452_800_000, "items": items, "author": {"displayName": 5}}

    def answer(request: Any) -> tuple[int, dict[str, str], str]:
        (id,) = json.loads(request.body)["issueIdsOrKeys"]
        return 200, {}, json.dumps({"issueChangeLogs": [{"issueId": id, "changeHistories": [told]}]})

    with responses.RequestsMock() as mocked:
        mocked.add_callback("POST", f"{running.urls[flavour]}/rest/api/2/changelog/bulkfetch", callback=answer)
        mocked.add_passthru(running.urls[flavour])
        pages = list(connect(flavour, at=running).pull(RecordKind.TICKET, None, until=until))
    assert [(one.field, one.reason) for page in pages for one in page.rejected] == rejected
    assert sum(page.batch.num_rows for page in pages) == 2 - len(rejected)
