"""A long span is read in slices side by side: nothing is missed at their edges, and no more at once than allowed."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Lock
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from requests.adapters import HTTPAdapter

from connectors.base import Cursor
from connectors.jira.connector import JiraConnector
from connectors.jira.paging import Search, slices
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.errors import ConnectionFailed
from improvement.records import RecordKind

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


class Zoned:
    """As much of a site as slicing asks for."""

    def __init__(self, zone: str) -> None:
        self.zone = ZoneInfo(zone)


def divided(days: float, *, most: int = 4, zone: str = "Europe/Zurich", begin: datetime = BEGIN) -> list[Search]:
    search = Search(where="project = OPS", fields=("updated",), since=begin, until_text="2030-01-01 00:00")
    return slices(search, until=begin + timedelta(days=days), site=Zoned(zone), most=most)  # type: ignore[arg-type]


@pytest.mark.parametrize(("days", "ways"), [(1, 1), (3.9, 1), (4, 2), (7, 3), (31, 4), (400, 4)])
def test_only_a_long_span_is_divided(days: float, ways: int) -> None:
    assert len(divided(days)) == ways


def test_the_concurrency_cap_holds_for_slices() -> None:
    assert len(divided(400, most=1)) == 1
    assert len(divided(400, most=8)) == 8


def test_without_a_beginning_nothing_is_divided() -> None:
    search = Search(where="project = OPS", fields=("updated",))
    assert slices(search, until=BEGIN, site=Zoned("UTC"), most=4) == [search]  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["Europe/Zurich", "Pacific/Auckland", "Pacific/Honolulu", "America/St_Johns"])
@pytest.mark.parametrize("begin", [BEGIN, datetime(2024, 10, 13, 0, 30, tzinfo=UTC), datetime(2024, 3, 24, tzinfo=UTC)])
def test_each_slice_begins_at_the_very_minute_where_the_one_before_ends(zone: str, begin: datetime) -> None:
    site: Any = Zoned(zone)
    parts = divided(28, zone=zone, begin=begin)
    for before, after in pairwise(parts):
        assert f'updated < "{before.until_text}"' in before.jql(before.since, site)
        assert f'updated >= "{before.until_text}"' in after.jql(after.since, site)
    assert (parts[0].since, parts[-1].until_text) == (begin, "2030-01-01 00:00")


# --- on a site ----------------------------------------------------------------------------------------------------


def tickets(connector: JiraConnector, now: datetime, *, days: int) -> list[tuple[str, datetime]]:
    cursor = Cursor(updated_at=now - timedelta(days=days))
    pages = list(connector.pull(RecordKind.TICKET, cursor, until=now))
    rows = [row for page in pages for row in page.batch.select(["id", "updated_at"]).to_pylist()]
    return [(row["id"], row["updated_at"]) for row in rows]


def test_what_slices_bring_is_what_one_search_brings(
    flavour: Flavour, desks: RunningSandbox, connect: Callable[..., JiraConnector], now: datetime
) -> None:
    many = tickets(connect(flavour, at=desks, max_concurrency=4, page_size=20), now, days=90)
    one = tickets(connect(flavour, at=desks, max_concurrency=1, page_size=20), now, days=90)
    assert len(one) > 40
    assert sorted(set(many)) == sorted(set(one))


def test_never_more_requests_at_once_than_the_connection_allows(
    flavour: Flavour, desks: RunningSandbox, connect: Callable[..., JiraConnector], now: datetime
) -> None:
    connector = connect(flavour, at=desks, max_concurrency=2, page_size=20)
    lock, running, most = Lock(), 0, 0
    request = connector.reader.session.request

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return request(*arguments, **options)
        finally:
            with lock:
                running -= 1

    connector.reader.session.request = counted  # type: ignore[method-assign]
    desks.set_faults(flavour, {"kind": "slow", "seconds": 0.02, "times": None, "path": "/search"})
    tickets(connector, now, days=90)
    desks.set_faults(flavour)
    assert most == 2


@pytest.mark.parametrize("kind", ["cut_body", "reset_after", "rate_limit", "duplicate_page"])
def test_a_bad_day_in_the_middle_of_slices_loses_nothing(
    flavour: Flavour, desks: RunningSandbox, connect: Callable[..., JiraConnector], now: datetime, kind: str
) -> None:
    calm = tickets(connect(flavour, at=desks, page_size=20), now, days=90)
    desks.set_faults(flavour, {"kind": kind, "path": "/search", "after": 2, "times": 3, "seconds": 0})
    bad = tickets(connect(flavour, at=desks, page_size=20), now, days=90)
    desks.set_faults(flavour)
    assert sorted(set(bad)) == sorted(set(calm))


def test_issues_that_are_edited_while_their_slice_is_read_do_not_end_it(
    flavour: Flavour, desks: RunningSandbox, connect: Callable[..., JiraConnector], now: datetime, person: Any
) -> None:
    """Also the one that comes first on a page to come: it shows its new time in its old place."""
    calm = {id for id, _ in tickets(connect(flavour, at=desks, page_size=20), now, days=90)}
    connector = connect(flavour, at=desks, page_size=20)
    client, request, is_edited = person(at=desks), connector.reader.session.request, Lock()

    def edited(*arguments: Any, **options: Any) -> Any:
        answer = request(*arguments, **options)
        if is_edited.acquire(blocking=False):
            for id in sorted(calm)[:40]:
                client.issue(id).update(summary="Edited", notify=flavour == "jira_cloud")
        return answer

    connector.reader.session.request = edited  # type: ignore[method-assign]
    assert {id for id, _ in tickets(connector, now, days=90)} == calm
    assert connector.reader.retries == 0


def test_an_error_in_a_later_slice_comes_after_the_pages_before_it(
    flavour: Flavour, desks: RunningSandbox, connect: Callable[..., JiraConnector], now: datetime
) -> None:
    connector = connect(flavour, at=desks, max_attempts=1, page_size=20)
    desks.set_faults(flavour, {"kind": "server_error", "path": "/search", "after": 1, "times": None})
    with pytest.raises(ConnectionFailed):
        tickets(connector, now, days=90)
    desks.set_faults(flavour)


def test_what_one_slice_is_told_holds_for_the_others(
    flavour: Flavour,
    desks: RunningSandbox,
    connect: Callable[..., JiraConnector],
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connector = connect(flavour, at=desks, max_concurrency=4, page_size=5)
    connector.reader.sleep = time.sleep
    begun: list[float] = []
    told: list[float] = []
    unhindered = HTTPAdapter.send

    def seen(self: HTTPAdapter, request: Any, *arguments: Any, **options: Any) -> Any:
        begun.append(time.monotonic())
        answer = unhindered(self, request, *arguments, **options)
        told.extend([time.monotonic()] if answer.status_code == 429 else [])
        return answer

    monkeypatch.setattr(HTTPAdapter, "send", seen)
    desks.set_faults(flavour, {"kind": "rate_limit", "path": "/search", "after": 4, "seconds": 1})
    tickets(connector, now, days=90)
    desks.set_faults(flavour)
    (at,) = told
    meanwhile = [one for one in begun if at < one < at + 0.9]
    assert len(meanwhile) < 4  # those that were on their way already
    assert len([one for one in begun if one > at + 0.9]) > 8
