"""Pulling from a Jira over HTTP: the same records from both flavours, complete whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import msgspec
import pytest
import requests

from connectors.base import Cursor, Page
from connectors.jira import pull, site
from connectors.jira.client import BulkSession
from connectors.sandbox.generator import generate
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import TicketEvent, WorldSla, WorldTicket
from improvement.errors import ConnectionFailed, CredentialsRefused
from improvement.records import RecordKind

from .conftest import by_id, rows

Connect = Callable[..., Any]
SUNDAY = datetime(2026, 10, 25, tzinfo=UTC)  # summer time ends in Europe: 00:30Z and 01:30Z are both 02:30


Whole = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def read_whole() -> dict[Flavour, Whole]:
    """What was read on a good day, for all stories of the file."""
    return {}


@pytest.fixture
def whole(connect: Connect, flavour: Flavour, now: datetime, read_whole: dict[Flavour, Whole]) -> Whole:
    """All tickets of the flavour, read on a good day."""
    if flavour not in read_whole:
        read_whole[flavour] = by_id(connect(flavour).pull(RecordKind.TICKET, None, until=now))
    return read_whole[flavour]


def test_tickets_are_what_the_world_says(whole: Whole, now: datetime) -> None:
    world = generate("jira", size="small")
    tickets = sorted(whole.values(), key=lambda row: int(row["id"]))
    seen = [ticket for ticket in world.tickets if ticket.events[0].at <= now.timestamp()]
    assert len(tickets) == len(seen)
    seen.sort(key=lambda ticket: (ticket.events[0].at, ticket.uid))
    for row, ticket in zip(tickets, seen, strict=True):
        told = [event for event in ticket.events if event.at <= now.timestamp()]
        state = next(event.changes["state"] for event in reversed(told) if "state" in event.changes)
        assert (row["kind"], row["customer"], row["country"], row["service"], row["supplier"]) == (
            ticket.kind,
            ticket.customer,
            ticket.country,
            ticket.service,
            ticket.supplier,
        )
        assert row["state"] == state
        assert row["opened_at"].timestamp() == ticket.opened
        assert row["updated_at"].timestamp() == told[-1].at
        assert row["reopen_count"] == max(int(event.changes.get("reopen_count") or 0) for event in told)
        assert row["is_major"] is ticket.is_major
        assert row["priority"] == ticket.priority
        if state == "closed":
            assert row["closed_at"].timestamp() == told[-1].at
        assert row["is_successful"] == (ticket.is_successful if state == "closed" else None)


def test_both_flavours_deliver_the_same(connect: Connect, now: datetime) -> None:
    for kind in (RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY, RecordKind.CONTACT):
        cloud, data_center = (by_id(connect(name).pull(kind, None, until=now)) for name in ("jira_cloud", "jira_dc"))
        assert cloud
        assert cloud == data_center


def test_clocks_and_ratings_come_along_with_the_tickets(connect: Connect, flavour: Flavour, now: datetime) -> None:
    together, alone = connect(flavour), connect(flavour)
    tickets = by_id(together.pull(RecordKind.TICKET, None, until=now))
    before = together.reader.requests
    clocks = by_id(together.pull(RecordKind.SLA, None, until=now))
    surveys = by_id(together.pull(RecordKind.SURVEY, None, until=now))
    assert together.reader.requests == before  # they came along with the tickets: nothing is asked
    assert clocks == by_id(alone.pull(RecordKind.SLA, None, until=now))
    assert surveys == by_id(alone.pull(RecordKind.SURVEY, None, until=now))
    assert {row["ticket_id"] for row in clocks.values()} <= set(tickets)
    assert {row["agreement"] for row in clocks.values()} == {"sla", "ola", "uc"}
    assert all(1 <= row["score"] <= 5 for row in surveys.values())
    keys = {(row["ticket_id"], row["sla_id"], row["start_at"]) for row in clocks.values()}
    assert len(keys) == len(clocks)


def test_a_second_pull_reads_only_what_changed(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    tickets = [an_incident(n, noon + timedelta(hours=n), resolved_after_h=None) for n in range(10)]
    tickets[0].events.append(TicketEvent(int((noon + timedelta(hours=30)).timestamp()), {"state": "resolved"}))
    sandbox = serve(tickets, now=noon + timedelta(hours=20))
    connector = connect(flavour, at=sandbox)
    *_, last = connector.pull(RecordKind.TICKET, None, until=noon + timedelta(hours=20))
    assert last.cursor.updated_at == noon + timedelta(hours=20)
    sandbox.set_clock(noon + timedelta(hours=40))
    changed = rows(connector.pull(RecordKind.TICKET, last.cursor, until=noon + timedelta(hours=40)))
    assert [(row["number"], row["state"]) for row in changed] == [("OPS-1", "resolved")]


def test_a_clock_that_ran_out_and_a_late_rating_are_noticed_though_the_issue_did_not_change(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    a_survey: Callable[..., Any],
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    running = an_incident(1, noon, resolved_after_h=None)
    rated = an_incident(2, noon, resolved_after_h=1, survey=a_survey(noon + timedelta(hours=30), 2))
    sandbox = serve([running, rated], now=noon + timedelta(hours=2))
    connector = connect(flavour, at=sandbox)
    first = noon + timedelta(hours=2)
    before = by_id(connector.pull(RecordKind.SLA, None, until=first))
    assert not rows(connector.pull(RecordKind.SURVEY, None, until=first))
    later = noon + timedelta(hours=40)
    sandbox.set_clock(later)
    cursor = Cursor(updated_at=first)
    after = by_id(connector.pull(RecordKind.SLA, cursor, until=later))
    ongoing = next(row for row in after.values() if row["end_at"] is None)
    assert (before[ongoing["id"]]["is_breached"], ongoing["is_breached"]) == (False, True)
    assert [row["score"] for row in rows(connector.pull(RecordKind.SURVEY, cursor, until=later))] == [2.0]


def test_nothing_after_until_is_read(connect: Connect, flavour: Flavour, now: datetime) -> None:
    until = now - timedelta(weeks=4, seconds=17)
    read = rows(connect(flavour).pull(RecordKind.TICKET, None, until=until))
    assert max(row["updated_at"] for row in read) <= until


@pytest.mark.parametrize("user", ["honolulu", "auckland", "reader"])
def test_the_zone_of_the_profile_does_not_matter(connect: Connect, flavour: Flavour, now: datetime, user: str) -> None:
    cursor = Cursor(updated_at=now - timedelta(weeks=3))
    ours = by_id(connect(flavour).pull(RecordKind.TICKET, cursor, until=now))
    assert by_id(connect(flavour, user=user).pull(RecordKind.TICKET, cursor, until=now)) == ours


def test_nothing_is_lost_in_the_hour_that_occurs_twice(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    tickets = [
        an_incident(n, SUNDAY - timedelta(hours=1) + timedelta(minutes=10 * n), resolved_after_h=None)
        for n in range(24)
    ]
    until = SUNDAY + timedelta(hours=6)
    connector = connect(flavour, at=serve(tickets, now=until), user="reader", page_size=4, overlap_s=0)  # Europe/Zurich
    assert connector.site.zone.key == "Europe/Zurich"
    for minutes in range(-30, 200, 10):
        since = SUNDAY + timedelta(minutes=minutes)
        read = {row["number"] for row in rows(connector.pull(RecordKind.TICKET, Cursor(updated_at=since), until=until))}
        expected = {f"OPS-{n + 1}" for n, ticket in enumerate(tickets) if ticket.opened >= since.timestamp()}
        assert expected <= read


def test_a_minute_that_fills_many_pages_is_read_whole(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    tickets = [an_incident(n, noon + timedelta(seconds=n // 10), resolved_after_h=None) for n in range(300)]
    tickets += [an_incident(300 + n, noon + timedelta(minutes=5 + n), resolved_after_h=None) for n in range(50)]
    until = noon + timedelta(hours=3)
    connector = connect(flavour, at=serve(tickets, now=until), page_size=25)
    assert len(by_id(connector.pull(RecordKind.TICKET, None, until=until))) == 350


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "rate_limit", "times": 2, "seconds": 0},
        {"kind": "unavailable", "times": 1, "after": 3},
        {"kind": "reset_before", "times": 2, "after": 5},
        {"kind": "reset_after", "times": 1, "after": 2},
        {"kind": "cut_body", "times": 2, "after": 1},
        {"kind": "cut_connection", "times": 1, "after": 4},
        {"kind": "error_in_200", "times": 2, "after": 2},
        {"kind": "html_page", "times": 1, "after": 2},
        {"kind": "duplicate_page", "times": 2, "after": 3},
        {"kind": "repeat_token", "times": 2, "after": 3},
        {"kind": "server_error", "times": None, "after": 1, "min_limit": 40},
        {"kind": "cut_body", "times": None, "after": 1, "min_limit": 40},  # longer than something lets through
        {"kind": "stall", "times": None, "after": 1, "min_limit": 60, "seconds": 2},
    ],
    ids=lambda fault: fault["kind"] + (" of long pages" if "min_limit" in fault else ""),
)
def test_a_bad_day_loses_nothing(
    connect: Connect, flavour: Flavour, now: datetime, faults: Callable[..., None], fault: dict[str, Any], whole: Whole
) -> None:
    connector = connect(flavour, timeout_s=1)
    assert connector.site.me.account
    faults({"path": "/search", **fault})
    assert by_id(connector.pull(RecordKind.TICKET, None, until=now)) == whole


@pytest.mark.parametrize("flavour", ["jira_dc"])  # Cloud goes on by tokens
def test_a_minute_of_many_issues_is_no_search_an_issue_where_pages_must_be_small(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    until = noon + timedelta(hours=8)
    desks = serve(
        [an_incident(n, noon + timedelta(seconds=n % 50), resolved_after_h=None) for n in range(300)], now=until
    )
    connector = connect(flavour, at=desks)
    assert connector.site.me.account
    desks.set_faults(flavour, {"kind": "server_error", "path": "/search", "min_limit": 11, "times": None})
    before = connector.traffic()[0]
    assert len(by_id(connector.pull(RecordKind.TICKET, None, until=until))) == 300
    assert connector.traffic()[0] - before < 80


def test_a_search_without_end_is_given_up_with_reason(connect: Connect, now: datetime, sandbox: RunningSandbox) -> None:
    connector = connect("jira_cloud")
    sandbox.set_faults("jira_cloud", {"kind": "repeat_token", "path": "/search", "times": None})
    try:
        with pytest.raises(ConnectionFailed, match="does not come to an end: a page token was repeated"):
            rows(connector.pull(RecordKind.TICKET, None, until=now))
    finally:
        sandbox.set_faults("jira_cloud")


def test_an_expired_token_stops_the_pull_instead_of_showing_fewer_issues(
    connect: Connect, flavour: Flavour, now: datetime
) -> None:
    connector = connect(flavour, password="expired")
    with pytest.raises(CredentialsRefused, match="refused the credentials"):
        rows(connector.pull(RecordKind.TICKET, None, until=now))


@pytest.mark.parametrize("names_callers", [True, False])
def test_a_token_that_expires_in_the_middle_moves_no_cursor_past_what_was_shown(
    connect: Connect,
    flavour: Flavour,
    now: datetime,
    sandbox: RunningSandbox,
    faults: Callable[..., None],
    whole: Whole,
    monkeypatch: pytest.MonkeyPatch,
    *,
    names_callers: bool,
) -> None:
    monkeypatch.setattr(pull, "FLUSH_ROWS", 500)
    sandbox.set_options(flavour, names_callers=names_callers)
    connector = connect(flavour, page_size=100)
    assert connector.site.me.account
    faults({"kind": "anonymous", "after": 12, "times": None})
    pages: list[Page] = []
    try:
        with pytest.raises(ConnectionFailed, match=r"anonymous|refused the credentials"):
            pages.extend(connector.pull(RecordKind.TICKET, None, until=now))  # keeps what came before the error
        faults()
        found = by_id(pages)
        assert 0 < len(found) < len(whole)
        found |= by_id(connect(flavour).pull(RecordKind.TICKET, pages[-1].cursor, until=now))
    finally:
        sandbox.set_options(flavour, names_callers=True)
    assert found == whole


def test_one_page_that_is_shown_to_nobody_is_not_taken_for_ours(
    connect: Connect, flavour: Flavour, now: datetime, faults: Callable[..., None], whole: Whole
) -> None:
    connector = connect(flavour, page_size=100)
    assert connector.site.me.account
    faults({"kind": "anonymous", "path": "/search", "after": 3, "times": 1})
    if flavour == "jira_dc":  # it says so: whoever it took for a visitor once may be one
        with pytest.raises(CredentialsRefused, match="anonymous visitor"):
            rows(connector.pull(RecordKind.TICKET, None, until=now))
    else:
        assert by_id(connector.pull(RecordKind.TICKET, None, until=now)) == whole


def test_what_is_answered_while_it_is_asked_who_we_are_stays_in_doubt(
    connect: Connect, flavour: Flavour, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "FLUSH_ROWS", 500)
    connector = connect(flavour, page_size=100)
    assert connector.site.me.account
    to_another_thread = requests.Response()
    to_another_thread.url = f"{connector.config.url}/rest/api/2/search/elsewhere"
    asked: list[str] = []

    def who_am_i(*arguments: Any) -> Any:
        me = site.who_am_i(*arguments)
        asked.append(me.account)
        if len(asked) <= 2:  # at the beginning, and at the first page
            connector.caller(to_another_thread)
        return me

    monkeypatch.setattr(pull, "who_am_i", who_am_i)
    assert len(list(connector.pull(RecordKind.TICKET, None, until=now))) > 3
    assert len(asked) == 3


def test_batches_are_flushed_by_rows_and_the_cursor_moves_with_them(
    connect: Connect, flavour: Flavour, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "FLUSH_ROWS", 1_000)
    pages: list[Page] = list(connect(flavour, page_size=100).pull(RecordKind.TICKET, None, until=now))
    assert len(pages) > 3
    cursors = [page.cursor.updated_at for page in pages]
    assert cursors == sorted(cursors)
    assert cursors[-1] == now
    for page, following in pairwise(pages):
        *_, before, last = sorted(page.batch["updated_at"].to_pylist())
        assert before <= page.cursor.updated_at <= last
        assert all(at >= page.cursor.updated_at for at in following.batch["updated_at"].to_pylist())


@pytest.mark.parametrize("place", [9, 4])
@pytest.mark.parametrize("before", [timedelta(seconds=-20), timedelta(minutes=20), timedelta(hours=2)])
def test_an_issue_in_its_old_place_with_its_new_update_time_skips_nothing(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
    place: int,
    before: timedelta,
) -> None:
    """As the index of a node that lags behind shows it; also where the pull breaks off after that page."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    until = noon + timedelta(hours=8)
    tickets = [an_incident(n, noon + timedelta(minutes=3 * n), resolved_after_h=None) for n in range(1, 61)]
    running = serve(tickets, now=until)
    shown = (until - before).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    altered: list[str] = []
    request = BulkSession.request

    def lagging(self: BulkSession, *arguments: Any, **options: Any) -> requests.Response:
        answer = request(self, *arguments, **options)
        if not altered and answer.content.startswith(b"{") and len(issues := answer.json().get("issues", [])) == 10:
            altered.append(issues[place]["id"])
            issues[place]["fields"]["updated"] = shown
            answer._content = msgspec.json.encode({**answer.json(), "issues": issues})
        return answer

    monkeypatch.setattr(BulkSession, "request", lagging)
    monkeypatch.setattr(pull, "FLUSH_ROWS", 1)
    pages = list(connect(flavour, at=running, page_size=10).pull(RecordKind.TICKET, None, until=until))
    every = {row["id"] for row in rows(pages)}
    assert len(every.union(altered)) == 60  # what changed after the pull began is left to the next one
    broken_off = connect(flavour, at=running).pull(RecordKind.TICKET, pages[0].cursor, until=until)
    assert {row["id"] for row in [*rows(pages[:1]), *rows(broken_off)]} >= every


@pytest.mark.parametrize("page", [1, 3])
@pytest.mark.parametrize(
    "altered",
    [
        {"issues": None, "total": None, "nextPageToken": None},
        {"issues": [], "nextPageToken": None},
        {"total": None, "nextPageToken": None},
        {"total": 0},
    ],
    ids=["not about issues", "without any", "without an end", "wrong total"],
)
def test_an_answer_to_something_else_is_not_taken_for_the_end(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
    page: int,
    altered: dict[str, Any],
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    until = noon + timedelta(hours=8)
    tickets = [an_incident(n, noon + timedelta(minutes=3 * n), resolved_after_h=None) for n in range(1, 61)]
    connector = connect(flavour, at=serve(tickets, now=until), page_size=10)
    pages: list[str] = []
    request = BulkSession.request

    def confused(self: BulkSession, method: str, url: str, **options: Any) -> requests.Response:
        answer = request(self, method, url, **options)
        if url.endswith(("/search", "/search/jql")):
            pages.append(url)
            if len(pages) == page:
                shown = {**answer.json(), **altered}
                answer._content = msgspec.json.encode({name: said for name, said in shown.items() if said is not None})
        return answer

    monkeypatch.setattr(BulkSession, "request", confused)
    assert len(by_id(connector.pull(RecordKind.TICKET, None, until=until))) == 60


def test_pages_of_data_center_grow_again_after_bad_moments_ever_more_slowly(
    connect: Connect, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    request = BulkSession.request

    def busy_at_times(self: BulkSession, method: str, url: str, **options: Any) -> requests.Response:
        if url.endswith("/search"):
            sizes.append(options["params"]["maxResults"])
            if len(sizes) in (2, 4):
                raise requests.ReadTimeout
        return request(self, method, url, **options)

    monkeypatch.setattr(BulkSession, "request", busy_at_times)
    list(connect("jira_dc", page_size=40).pull(RecordKind.TICKET, None, until=now))
    assert sizes[:5] == [40, 40, 20, 20, 10]
    assert sizes[4 : 4 + 33] == [10] * 16 + [20] * 16 + [40]
    assert set(sizes[37:]) == {40}


@pytest.mark.parametrize(("overlap_s", "is_read"), [(300, True), (0, False)])
def test_what_the_index_showed_too_late_is_read_with_the_overlap(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
    overlap_s: int,
    is_read: bool,
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    late = an_incident(7, noon + timedelta(minutes=56), resolved_after_h=None)
    running = serve([an_incident(1, noon, resolved_after_h=None), late], now=noon + timedelta(hours=1))
    monkeypatch.setattr(pull, "MIN_OVERLAP", timedelta(0))
    request = BulkSession.request

    def behind(self: BulkSession, *arguments: Any, **options: Any) -> requests.Response:
        answer = request(self, *arguments, **options)
        if answer.content.startswith(b"{") and (issues := answer.json().get("issues")):
            shown = [issue for issue in issues if issue["key"] != "OPS-2"]
            answer._content = msgspec.json.encode({**answer.json(), "issues": shown, "total": len(shown)})
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(BulkSession, "request", behind)
        before = list(connect(flavour, at=running).pull(RecordKind.TICKET, None, until=noon + timedelta(hours=1)))
    assert len(rows(before)) == 1
    connector = connect(flavour, at=running, overlap_s=overlap_s)
    after = rows(connector.pull(RecordKind.TICKET, before[-1].cursor, until=noon + timedelta(hours=2)))
    assert ("OPS-2" in {row["number"] for row in after}) == is_read


@pytest.mark.parametrize("behind", [timedelta(minutes=10), timedelta(hours=3)])
def test_a_clock_behind_ours_loses_nothing(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    behind: timedelta,
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    tickets = [an_incident(n, noon + timedelta(minutes=3 * n), resolved_after_h=None) for n in range(1, 100)]
    running = serve(tickets, now=noon)
    connector, found = connect(flavour, at=running), set()
    cursor: Cursor | None = None
    for hour in range(1, 7):
        running.set_clock(noon + timedelta(hours=hour))
        pages = list(connector.pull(RecordKind.TICKET, cursor, until=noon + timedelta(hours=hour) + behind))
        found.update(row["id"] for row in rows(pages))
        cursor = pages[-1].cursor
        assert cursor.updated_at == noon + timedelta(hours=hour)  # whenever we asked for its time before
    assert len(found) == 99


def test_what_changes_while_we_read_by_a_clock_behind_ours_is_left_to_the_next_pull(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    person: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    until = datetime(2026, 3, 2, 12, tzinfo=UTC)
    running = serve([an_incident(1, until - timedelta(days=1), resolved_after_h=None)], now=until - timedelta(hours=1))
    connector, searches = connect(flavour, at=running), list[str]()
    request = BulkSession.request

    def reading_for_an_hour(self: BulkSession, method: str, url: str, **options: Any) -> requests.Response:
        answer = request(self, method, url, **options)
        if "/search" in url and not searches:
            searches.append(url)
            running.set_clock(until - timedelta(minutes=30))
            person("admin", at=running).issue("OPS-1").update(fields={"summary": "Edited"})
            running.set_clock(until + timedelta(minutes=1))
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(BulkSession, "request", reading_for_an_hour)
        before = list(connector.pull(RecordKind.TICKET, None, until=until))
    after = connector.pull(RecordKind.TICKET, before[-1].cursor, until=until + timedelta(hours=1))
    assert [row["number"] for row in rows(after)] == ["OPS-1"]


def test_counts_agree_with_what_was_read(connect: Connect, flavour: Flavour, now: datetime) -> None:
    connector = connect(flavour)
    for kind in (RecordKind.TICKET, RecordKind.CONTACT):
        assert connector.count(kind, until=now) == len(rows(connector.pull(kind, None, until=now)))
    assert connector.count(RecordKind.SLA, until=now) is None


def test_an_empty_jira_and_one_with_a_single_odd_ticket(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    empty = connect(flavour, at=serve([], now=noon))
    assert [rows(empty.pull(kind, None, until=noon)) for kind in empty.kinds()] == [[], [], [], []]
    title = '=HYPERLINK("x") <b>مرحبا</b> 🚑 ' + "x" * 10_000
    odd = an_incident(1, noon - timedelta(hours=4), resolved_after_h=None, title=title, customer=None, country=None)
    odd.events.append(TicketEvent(odd.opened + 60, {"state": "resolved"}))
    odd.opened += 3_600  # resolved before it was opened
    odd.slas.append(WorldSla("resolution", "sla", "4h", 60, odd.opened, None, odd.opened + 60, False, 0, None))
    connector = connect(flavour, at=serve([odd], now=noon))
    (row,) = rows(connector.pull(RecordKind.TICKET, None, until=noon))
    assert row["title"] == title[:255]
    assert row["resolved_at"] < row["opened_at"]
    assert (row["customer"], row["country"]) == (None, None)
