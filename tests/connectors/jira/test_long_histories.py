"""Of a long history Cloud shows the newest changes only: the others are asked for, of many issues at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import requests
import responses

from connectors.jira import changelogs
from connectors.jira.changelogs import whole_histories
from connectors.jira.client import BulkSession
from connectors.jira.wire import HistoryEntry, HistoryItem, RawEntry
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent, WorldTicket
from improvement.errors import CredentialsRefused
from improvement.records import RecordKind

from .conftest import Desk, rows

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
UNTIL = NOON + timedelta(hours=8)
STATES = ("on_hold", "resolved", "in_progress")
BULK = "/changelog/bulkfetch"
Connect = Callable[..., Any]


@pytest.fixture
def tickets(an_incident: Callable[..., WorldTicket]) -> list[WorldTicket]:
    """Eight incidents with more changes than a search of Cloud shows, and one that was resolved and left."""
    long = [an_incident(uid, NOON, resolved_after_h=None) for uid in range(1, 9)]
    for ticket in long:
        ticket.events += [
            TicketEvent(ticket.opened + 60 * n, {"state": STATES[n % 3]}) for n in range(1, 50 + ticket.uid)
        ]
    return [*long, an_incident(9, NOON)]


@pytest.fixture
def running(serve: Callable[..., RunningSandbox], tickets: list[WorldTicket]) -> RunningSandbox:
    return serve(tickets, now=UNTIL)


def reopened(connector: Any) -> dict[str, int]:
    pages = connector.pull(RecordKind.TICKET, None, until=UNTIL)
    return {row["title"]: row["reopen_count"] for page in pages for row in page.batch.to_pylist()}


def expected(tickets: list[WorldTicket]) -> dict[str, int]:
    """Every step from resolved to in progress."""
    states = {one.title: [event.changes.get("state") for event in one.events] for one in tickets}
    return {title: list(pairwise(all)).count(("resolved", "in_progress")) for title, all in states.items()}


@pytest.mark.parametrize("changes", [1_000, 7])
def test_the_histories_of_a_page_of_issues_are_one_question(
    running: RunningSandbox,
    connect: Callable[..., Any],
    flavour: Flavour,
    tickets: list[WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
    changes: int,
) -> None:
    monkeypatch.setattr(changelogs, "CHANGES", changes)
    connector = connect(flavour, at=running)
    asked: list[str] = []
    connector.client._session.hooks["response"].append(lambda answer, **_: asked.append(answer.url))
    assert reopened(connector) == expected(tickets)
    about = [url for url in asked if "changelog" in url.partition("?")[0]]
    if flavour == "jira_dc":
        assert about == []
    else:
        assert all(url.endswith(BULK) for url in about)
        assert len(about) == 1 if changes == 1_000 else len(about) > 10


@pytest.mark.parametrize("flavour", ["jira_cloud"])  # Data Center shows histories whole
def test_histories_without_any_change_that_counts_are_one_question_more(
    serve: Callable[..., RunningSandbox],
    connect: Callable[..., Any],
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
) -> None:
    tickets = [an_incident(uid, NOON, resolved_after_h=None) for uid in range(1, 9)]
    for ticket in tickets:
        ticket.events += [TicketEvent(ticket.opened + 60 * n, {"priority": 1 + n % 2}) for n in range(1, 60)]
    connector = connect(flavour, at=serve(tickets, now=UNTIL))
    asked: list[str] = []
    connector.client._session.hooks["response"].append(lambda answer, **_: asked.append(answer.url))
    assert reopened(connector) == expected(tickets)
    about = [url for url in asked if "changelog" in url.partition("?")[0]]
    assert [url.endswith(BULK) for url in about] == [True, True]


@pytest.mark.parametrize("flavour", ["jira_cloud"])  # Data Center shows histories whole
@pytest.mark.parametrize("most", [300, 101])
def test_fewer_changes_are_asked_for_at_once_where_jira_does_not_finish_many(
    running: RunningSandbox, connect: Callable[..., Any], flavour: Flavour, tickets: list[WorldTicket], most: int
) -> None:
    rule = {"kind": "server_error", "path": BULK, "min_limit": most, "times": None}
    running.set_faults(flavour, rule)
    assert reopened(connect(flavour, at=running)) == expected(tickets)


@pytest.mark.parametrize("flavour", ["jira_cloud"])  # Data Center shows histories whole
def test_an_issue_deleted_before_its_history_is_asked_for_ends_no_pull(
    running: RunningSandbox,
    connect: Callable[..., Any],
    flavour: Flavour,
    tickets: list[WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request, gone = BulkSession.request, list[str]()

    def deleting(self: BulkSession, method: str, url: str, **options: Any) -> Any:
        if url.endswith(BULK) and not gone:
            gone.extend(running.happen(flavour, "delete", count=1)["ids"])
        return request(self, method, url, **options)

    monkeypatch.setattr(BulkSession, "request", deleting)
    found, wanted = reopened(connect(flavour, at=running)), expected(tickets)
    assert len(gone) == 1
    assert found.keys() == wanted.keys()
    assert len([title for title, count in found.items() if count != wanted[title]]) == 1


@pytest.mark.parametrize("flavour", ["jira_dc"])  # Cloud's are asked for together
@pytest.mark.parametrize("is_followed", [False, True])
def test_an_issue_deleted_before_a_data_center_that_cuts_histories_is_asked_for_its_own_ends_nothing(
    running: RunningSandbox,
    connect: Callable[..., Any],
    flavour: Flavour,
    tickets: list[WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
    is_followed: bool,
) -> None:
    request, gone, asked = BulkSession.request, list[str](), list[str]()
    connector = connect(flavour, at=running)
    ids = [row["id"] for row in rows(connector.pull(RecordKind.TICKET, None, until=UNTIL))]

    def cutting(self: BulkSession, method: str, url: str, **options: Any) -> requests.Response:
        if "/issue/" in url:
            if not gone:
                gone.extend(running.happen(flavour, "delete", count=1)["ids"])
            asked.append(url.rpartition("/")[2])
        answer = request(self, method, url, **options)
        if url.endswith("/search") and answer.ok:
            body = answer.json()
            for issue in body["issues"]:
                if "changelog" in issue:
                    issue["changelog"]["histories"] = issue["changelog"]["histories"][-2:]
            answer._content = msgspec.json.encode(body)
        return answer

    monkeypatch.setattr(BulkSession, "request", cutting)
    if is_followed:
        assert set(connector.waits(ids)) == set(ids)
    else:
        found, wanted = reopened(connector), expected(tickets)
        assert found.keys() == wanted.keys()
        assert len([title for title, count in found.items() if count != wanted[title]]) == 1
    assert len(gone) == 1
    assert set(gone) < set(asked)


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "refuse", "status": status} for status in (404, 400, 403)),
        {"kind": "server_error"},
        {"kind": "html_page"},
    ],
    ids=lambda fault: f"{fault['kind']} {fault.get('status', '')}",
)
def test_where_they_are_not_told_together_each_is_asked_for(
    running: RunningSandbox,
    connect: Callable[..., Any],
    flavour: Flavour,
    tickets: list[WorldTicket],
    fault: dict[str, Any],
) -> None:
    running.set_faults(flavour, {**fault, "path": BULK, "times": None})
    assert reopened(connect(flavour, at=running)) == expected(tickets)


@pytest.mark.parametrize("flavour", ["jira_cloud"])  # Data Center shows histories whole
def test_a_page_of_histories_that_is_cut_is_asked_for_again_and_a_list_that_repeats_itself_is_left(
    running: RunningSandbox,
    connect: Callable[..., Any],
    flavour: Flavour,
    tickets: list[WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    running.set_faults(flavour, {"kind": "cut_body", "path": BULK}, {"kind": "error_in_200", "path": BULK})
    assert reopened(connect(flavour, at=running)) == expected(tickets)
    monkeypatch.setattr(changelogs, "CHANGES", 7)
    running.set_faults(flavour, {"kind": "repeat_token", "path": BULK, "times": None})
    assert reopened(connect(flavour, at=running)) == expected(tickets)
    running.set_faults(flavour, {"kind": "refuse", "path": BULK, "status": 401, "times": None})
    with pytest.raises(CredentialsRefused):
        reopened(connect(flavour, at=running))


@pytest.mark.parametrize("unit", [1, 1_000])
def test_times_in_the_list_of_many_issues_are_read_in_seconds_and_in_milliseconds(unit: int) -> None:
    assert changelogs._text(1_492_070_429 * unit) == "2017-04-13T08:00:29.000+00:00"


def test_waits_are_told_to_their_beginning(
    running: RunningSandbox, connect: Callable[..., Any], flavour: Flavour, tickets: list[WorldTicket]
) -> None:
    connector = connect(flavour, at=running)
    pages = connector.pull(RecordKind.TICKET, None, until=UNTIL)
    titles = {row["id"]: row["title"] for page in pages for row in page.batch.to_pylist()}
    found = {titles[id]: len(spans) for id, spans in connector.waits(list(titles)).items()}
    states = {one.title: [event.changes.get("state") for event in one.events] for one in tickets}
    assert found == {title: of.count("on_hold") for title, of in states.items()}


def test_who_changed_a_record_long_ago_comes_home(desk: Desk) -> None:
    ref = desk.create().ref
    issue = desk.claudia.issue(ref.id)
    issue.update(summary="As Claudia calls it")
    for number in range(45):
        issue.update(fields={"labels": [*issue.fields.labels, f"n{number}"]})
    told = desk.state(ref).fields["title"]
    assert (told.value, told.changed_by) == ("As Claudia calls it", desk.account("claudia.braun"))


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
