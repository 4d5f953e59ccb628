"""What is gone from a Jira: ids of all issues, single questions, and what may only look as if it were gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.base import Cursor
from connectors.jira import deletions
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import WorldTicket
from improvement.errors import ConnectionFailed, CredentialsRefused
from improvement.records import RecordKind

Connect = Callable[..., Any]
TICKET, SLA, SURVEY, CONTACT = RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY, RecordKind.CONTACT
MONDAY = datetime.fromisoformat("2026-03-02T06:00:00+00:00")


def ids(connector: Any, kind: RecordKind, now: datetime) -> list[str]:
    return sorted({row["id"] for page in connector.pull(kind, None, until=now) for row in page.batch.to_pylist()})


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deletions, "CLOUD_PAGE", 150)
    monkeypatch.setattr(deletions, "DATA_CENTER_PAGE", 150)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("kind", [TICKET, CONTACT])
def test_keys_are_those_of_all_issues_of_a_kind_whatever_happens_on_the_way(
    kind: RecordKind, connect: Connect, flavour: Flavour, now: datetime, faults: Callable[..., None]
) -> None:
    connector = connect(flavour)
    expected = ids(connector, kind, now)
    search = {"path": r"/search(/jql)?$"}
    faults(
        {"kind": "cut_body", **search, "after": 1, "times": 2},
        {"kind": "reset_after", **search, "after": 2},
        {"kind": "expired_token", **search, "after": 1},
        {"kind": "repeat_token", **search, "after": 3},
    )
    keys = connector.keys(kind)
    assert sorted(keys.ids.to_pylist()) == expected
    assert keys.counted == len(expected)


@pytest.mark.parametrize("kind", [SLA, SURVEY])
def test_what_is_inside_issues_has_no_keys_of_its_own(kind: RecordKind, connect: Connect, flavour: Flavour) -> None:
    connector = connect(flavour)
    assert kind in connector.inside_tickets()
    assert connector.keys(kind) is None
    assert connector.deleted(kind, since=MONDAY, until=MONDAY) is None


def test_an_expired_token_is_no_empty_list_and_makes_nothing_gone(
    connect: Connect, flavour: Flavour, now: datetime, faults: Callable[..., None]
) -> None:
    connector = connect(flavour)
    some = ids(connector, TICKET, now)[:2]
    faults({"kind": "anonymous", "times": None})
    with pytest.raises(CredentialsRefused):
        connector.keys(TICKET)
    with pytest.raises(CredentialsRefused):
        connector.gone(TICKET, some)


def test_a_token_that_expires_while_issues_are_asked_for_makes_nothing_gone(
    connect: Connect, flavour: Flavour, now: datetime, faults: Callable[..., None]
) -> None:
    connector = connect(flavour)
    some = ids(connector, TICKET, now)[:2]
    faults({"kind": "anonymous", "after": 1, "times": None})
    with pytest.raises(CredentialsRefused):
        connector.gone(TICKET, some)


@pytest.mark.parametrize("names_callers", [True, False])
def test_one_answer_to_a_visitor_within_our_session_makes_nothing_gone(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    *,
    names_callers: bool,
) -> None:
    now = MONDAY + timedelta(days=1)
    running = serve([an_incident(number, MONDAY) for number in range(3)], now=now)
    running.set_options(flavour, names_callers=names_callers)
    connector = connect(flavour, at=running)
    before = ids(connector, TICKET, now)
    (deleted,) = running.happen(flavour, "delete", count=1)["ids"]
    there = next(id for id in before if id != deleted)
    running.set_faults(flavour, {"kind": "anonymous", "path": f"/issue/{there}$", "times": 1})
    if flavour == "jira_dc" and names_callers:  # it says so: whoever it took for a visitor once may be one
        with pytest.raises(CredentialsRefused, match="anonymous visitor"):
            connector.gone(TICKET, before)
    assert connector.gone(TICKET, before) == [deleted]


@pytest.mark.usefixtures("small_pages")
def test_a_list_that_cannot_be_read_to_its_end_is_an_error_and_no_shorter_list(
    connect: Connect, flavour: Flavour, faults: Callable[..., None]
) -> None:
    connector = connect(flavour, max_attempts=2)
    assert connector.keys(CONTACT) is not None
    faults({"kind": "unavailable", "seconds": 0, "path": r"/search(/jql)?$", "after": 3, "times": None})
    with pytest.raises(ConnectionFailed):
        connector.keys(TICKET)


def test_deleted_is_gone_and_moved_is_not(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    now = MONDAY + timedelta(days=1)
    running = serve([an_incident(number, MONDAY) for number in range(6)], now=now)
    connector = connect(flavour, at=running)
    before = ids(connector, TICKET, now)
    deleted = running.happen(flavour, "delete", count=2)["ids"]
    moved = running.happen(flavour, "move", count=2)["ids"]
    assert moved
    assert connector.gone(TICKET, before) == sorted(deleted)
    assert sorted(connector.keys(TICKET).ids.to_pylist()) == sorted(set(before) - set(deleted))


def test_an_issue_of_a_type_that_is_not_read_is_gone_for_us(connect: Connect, flavour: Flavour, now: datetime) -> None:
    connector = connect(flavour)
    contact = ids(connector, CONTACT, now)[0]
    assert connector.gone(TICKET, [contact]) == [contact]
    assert connector.gone(CONTACT, [contact]) == []


# --- what left the filter -------------------------------------------------------------------------------------------

OURS = {name: {"filter": "project = OPS"} for name in ("incident", "request", "problem", "change")}
LATER = timedelta(hours=1)


def test_what_moved_out_of_the_filter_is_gone_once_it_rested(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    now = MONDAY + timedelta(days=1)
    running = serve([an_incident(number, MONDAY) for number in range(6)], now=now)
    connector = connect(flavour, at=running, mapping=OURS)
    before = ids(connector, TICKET, now)
    moved = sorted(running.happen(flavour, "move", count=2)["ids"])
    (deleted,) = running.happen(flavour, "delete", count=1)["ids"]
    fresh = connector.gone(TICKET, before)
    assert (fresh, fresh.outside, fresh.undecided) == ([deleted], (), 2)
    running.set_clock(now + LATER)
    rested = connector.gone(TICKET, before)
    assert sorted(rested) == sorted([*moved, deleted])
    assert (sorted(rested.outside), rested.undecided) == (moved, 0)
    assert sorted(connector.keys(TICKET).ids.to_pylist()) == sorted(set(before) - set(rested))
    assert connect(flavour, at=running).gone(TICKET, before) == [deleted]  # without the filter


def test_an_issue_whose_index_is_older_than_itself_is_not_gone(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The index is being rebuilt: no search finds it, neither by the filter nor by its last update."""
    now = MONDAY + timedelta(days=1)
    connector = connect(flavour, at=serve([an_incident(1, MONDAY)], now=now), mapping=OURS)
    (there,) = ids(connector, TICKET, now)
    monkeypatch.setattr(deletions, "_found", lambda reader, site, jql, ids: set())
    found = connector.gone(TICKET, [there])
    assert (found, found.undecided) == ([], 1)


def test_what_was_archived_is_outside_once_it_rested_for_a_week(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    now = MONDAY + timedelta(days=3)
    running = serve([an_incident(number, MONDAY) for number in range(4)], now=now)
    connector = connect(flavour, at=running)
    before = ids(connector, TICKET, now)
    archive(running, flavour, before[:2])
    assert sorted(connector.keys(TICKET).ids.to_pylist()) == sorted(before[2:])
    gone = connector.gone(TICKET, before)
    assert (list(gone), gone.undecided) == ([], 2)  # an index may lag behind a young issue
    running.set_clock(now + timedelta(days=7))
    gone = connector.gone(TICKET, before)
    assert (list(gone), list(gone.outside), gone.undecided) == (before[:2], before[:2], 0)


def archive(running: RunningSandbox, flavour: Flavour, ids: list[str]) -> None:
    """An administrator sends issues to the archive."""
    login = "admin@example.com" if flavour == "jira_cloud" else "admin"
    url = f"{running.urls[flavour]}/rest/api/2/issue"
    asked = (
        [(f"{url}/archive", {"issueIdsOrKeys": ids})]
        if flavour == "jira_cloud"
        else [(f"{url}/{id}/archive", None) for id in ids]
    )
    for address, body in asked:
        requests.put(address, json=body, auth=(login, "sandbox"), timeout=30).raise_for_status()


def test_the_answer_of_another_search_makes_nothing_gone(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
) -> None:
    now = MONDAY + timedelta(days=1)
    running = serve([an_incident(number, MONDAY) for number in range(5)], now=now)
    connector = connect(flavour, at=running, mapping=OURS)
    there = ids(connector, TICKET, now)
    connector.gone(TICKET, there[:1])
    running.set_faults(flavour, {"kind": "duplicate_page", "method": "GET", "path": r"/search"})
    assert connector.gone(TICKET, there[1:]) == []


# --- reading by ids -------------------------------------------------------------------------------------------------


def test_issues_are_read_by_their_ids_with_what_is_inside_them(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    now = MONDAY + timedelta(days=1)
    running = serve([an_incident(number, MONDAY) for number in range(7)], now=now)
    connector = connect(flavour, at=running)
    asked = ids(connector, TICKET, now)
    for kind in (TICKET, SLA):
        whole = [row for page in connector.pull(kind, None, until=now) for row in page.batch.to_pylist()]
        found = [row for page in connector.read_by_ids(kind, asked, until=now) for row in page.batch.to_pylist()]
        assert len(found) == 7
        assert sorted(found, key=lambda row: str(row["id"])) == sorted(whole, key=lambda row: str(row["id"]))
    (page,) = connector.read_by_ids(SLA, asked[:2], until=now)
    assert sorted(page.whole_of.to_pylist()) == asked[:2]


def test_what_was_deleted_since_it_was_listed_does_not_spoil_the_others(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    now = MONDAY + timedelta(days=1)
    running = serve([an_incident(number, MONDAY) for number in range(9)], now=now)
    connector = connect(flavour, at=running, mapping=OURS)
    asked = ids(connector, TICKET, now)
    gone = running.happen(flavour, "delete", count=2)["ids"]
    moved = running.happen(flavour, "move", count=1)["ids"]
    pages = connector.read_by_ids(TICKET, asked, until=now + LATER)
    found = sorted(row["id"] for page in pages for row in page.batch.to_pylist())
    assert found == sorted(set(asked) - {*gone, *moved})  # and nothing beyond the filter


def test_what_issue_security_hides_is_not_listed_and_there_when_it_is_granted(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    now = MONDAY + timedelta(days=1)
    tickets = [an_incident(number, MONDAY, priority=2 if number < 2 else 3) for number in range(5)]
    running = serve(tickets, now=now)
    connector = connect(flavour, at=running)
    everything = ids(connector, TICKET, now)
    running.set_options(flavour, hidden_priorities=["2"])
    shown = sorted(connector.keys(TICKET).ids.to_pylist())
    assert (len(shown), connector.count(TICKET, until=now)) == (3, 3)
    running.set_options(flavour, hidden_priorities=[])
    assert sorted(connector.keys(TICKET).ids.to_pylist()) == everything


# --- parts and clocks -----------------------------------------------------------------------------------------------


def test_a_page_says_of_which_issues_it_holds_every_clock(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    now = MONDAY + timedelta(days=1)
    tickets = [an_incident(1, MONDAY), an_incident(2, MONDAY, slas=[])]
    connector = connect(flavour, at=serve(tickets, now=now))
    expected = ids(connector, TICKET, now)
    alone = list(connector.pull(SLA, Cursor(updated_at=MONDAY - timedelta(days=1)), until=now))
    beside = list(connector.pull(SLA, None, until=now))  # kept aside by the pull of tickets
    for pages in (alone, beside):
        assert {row["ticket_id"] for page in pages for row in page.batch.to_pylist()} == {expected[0]}
        assert sorted({id for page in pages for id in page.whole_of.to_pylist()}) == expected
    for page in beside:  # whoever loads one page and buries what it leaves out must not need another
        rows = set(page.batch["ticket_id"].to_pylist())
        others = {row["ticket_id"] for other in beside if other is not page for row in other.batch.to_pylist()}
        assert not (set(page.whole_of.to_pylist()) - rows) & others


def test_breaches_are_issues_with_a_clock_ever_breached(
    serve: Callable[..., RunningSandbox], connect: Connect, flavour: Flavour, an_incident: Callable[..., WorldTicket]
) -> None:
    now = MONDAY + timedelta(days=10)
    late, kept = an_incident(1, MONDAY, resolved_after_h=5), an_incident(2, MONDAY, resolved_after_h=1)
    old = an_incident(3, MONDAY - timedelta(days=8), resolved_after_h=5)
    connector = connect(flavour, at=serve([late, kept, old], now=now))
    found = connector.breaches(since=MONDAY - timedelta(days=1), until=now)
    assert (found.count, found.of) == (1, "tickets")
    assert connector.breaches(since=MONDAY - timedelta(days=20), until=now).count == 2
