"""Cloud's lists go on by tokens: one that names a new page for ever is an error, however it does it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.base import Page
from connectors.jira import changelogs, deletions, paging
from connectors.jira.client import BulkSession
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent, WorldTicket
from improvement.errors import ConnectionFailed
from improvement.records import RecordKind

from .conftest import Connect

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNTIL = NOON + timedelta(hours=8)
SEARCHES, HISTORIES = "/search/jql", "/changelog/bulkfetch"
EMPTY = {SEARCHES: {"issues": []}, HISTORIES: {"issueChangeLogs": []}}
GoOn = Callable[..., list[str]]
each_way = pytest.mark.parametrize(("after", "repeats"), [(0, 0), (0, 1), (2, 3)])
pytestmark = pytest.mark.parametrize("flavour", ["jira_cloud"])  # Data Center counts


@pytest.fixture
def running(serve: Callable[..., RunningSandbox], an_incident: Callable[..., WorldTicket]) -> RunningSandbox:
    """Sixty incidents, three minutes apart; the last one has a long history."""
    tickets = [an_incident(n, NOON + timedelta(minutes=3 * n), resolved_after_h=None) for n in range(1, 61)]
    states = itertools.cycle(("on_hold", "in_progress"))
    tickets[-1].events += [TicketEvent(tickets[-1].opened + 60 * n, {"state": next(states)}) for n in range(1, 60)]
    return serve(tickets, now=UNTIL)


@pytest.fixture
def goes_on(monkeypatch: pytest.MonkeyPatch) -> GoOn:
    """``goes_on(path, after=2, pages=…)``: from the third answer on, there is always one page more.

    These pages are empty, or show again in turns what the last ``repeats`` showed. Returns the addresses asked.
    """

    def of(path: str, *, after: int, pages: float = float("inf"), repeats: int = 0) -> list[str]:
        own, asked, shown, held = BulkSession.request, [], [], []

        def request(self: BulkSession, method: str, url: str, *args: Any, **options: Any) -> requests.Response:
            if not url.endswith(path):
                return own(self, method, url, *args, **options)
            asked.append(url)
            assert len(asked) < 2_000, "it would be asked for ever"
            if len(asked) == after + pages + 1:
                return held[0]
            if len(asked) <= after or len(asked) > after + pages or not held:
                answer = own(self, method, url, *args, **options)
                shown.append(answer.json())
                if held or len(asked) <= after:
                    return answer
                held.append(answer)
            made = requests.Response()
            made.status_code, made.url = 200, url
            made.headers.update(held[0].headers)
            body = shown[-1 - len(asked) % repeats] if repeats else EMPTY[path]
            more = {"isLast": False, "nextPageToken": f"page-{len(asked)}"}
            made._content = json.dumps(body | more).encode()
            return made

        monkeypatch.setattr(BulkSession, "request", request)
        return asked

    return of


def numbers(pages: list[Page]) -> set[str]:
    return {number for page in pages for number in page.batch["number"].to_pylist()}


@pytest.mark.parametrize("repeats", [0, 1, 3])
def test_a_search_without_an_end_is_an_error_and_what_was_read_is_kept(
    running: RunningSandbox, connect: Connect, goes_on: GoOn, repeats: int
) -> None:
    connector = connect("jira_cloud", at=running, page_size=10)
    assert connector.site.me.account
    asked = goes_on(SEARCHES, after=3, repeats=repeats)
    found: list[Page] = []
    with pytest.raises(ConnectionFailed, match=r"does not come to an end: \d+ pages in a row brought nothing new"):
        found.extend(connector.pull(RecordKind.TICKET, None, until=UNTIL))
    assert len(asked) < 2 * paging.MOST_BARREN
    assert len(numbers(found)) >= 30
    assert found[-1].cursor.updated_at < UNTIL - timedelta(hours=5)


def test_pages_of_which_all_issues_are_hidden_are_no_end_and_no_error(
    running: RunningSandbox, connect: Connect, goes_on: GoOn
) -> None:
    connector = connect("jira_cloud", at=running, page_size=10)
    assert connector.site.me.account
    goes_on(SEARCHES, after=3, pages=paging.MOST_BARREN - 10)
    assert len(numbers(list(connector.pull(RecordKind.TICKET, None, until=UNTIL)))) == 60


@pytest.mark.parametrize("token", ["expired", "repeated"])
def test_a_search_that_is_begun_again_in_a_minute_of_many_issues_is_none_without_an_end(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    an_incident: Callable[..., WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
    token: str,
) -> None:
    """It shows the pages of this minute once more."""
    monkeypatch.setattr(paging, "MOST_BARREN", 5)
    running = serve([an_incident(n, NOON, resolved_after_h=None) for n in range(1, 101)], now=UNTIL)
    connector = connect("jira_cloud", at=running, page_size=10)
    assert connector.site.me.account
    refused = {"kind": "refuse", "status": 400, "message": "The nextPageToken has expired."}
    fault = refused if token == "expired" else {"kind": "repeat_token"}
    running.set_faults("jira_cloud", {**fault, "path": SEARCHES, "after": 8, "times": 1})
    assert len(numbers(list(connector.pull(RecordKind.TICKET, None, until=UNTIL)))) == 100


@each_way
def test_a_list_of_ids_without_an_end_is_an_error(
    running: RunningSandbox,
    connect: Connect,
    goes_on: GoOn,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
    repeats: int,
) -> None:
    monkeypatch.setattr(deletions, "CLOUD_PAGE", 20)
    connector = connect("jira_cloud", at=running)
    assert connector.site.me.account
    goes_on(SEARCHES, after=after, repeats=repeats)
    with pytest.raises(ConnectionFailed, match="pages in a row brought nothing new"):
        connector.keys(RecordKind.TICKET)


@each_way
def test_where_histories_come_to_no_end_each_is_asked_for(
    running: RunningSandbox,
    connect: Connect,
    goes_on: GoOn,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
    repeats: int,
) -> None:
    monkeypatch.setattr(changelogs, "CHANGES", 20)
    connector = connect("jira_cloud", at=running)
    asked = goes_on(HISTORIES, after=after, repeats=repeats)
    assert len(numbers(list(connector.pull(RecordKind.TICKET, None, until=UNTIL)))) == 60
    assert len(asked) <= 2 * paging.MOST_BARREN + 4
