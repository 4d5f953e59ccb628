"""A pull that was killed after any page goes on from its cursor, and nothing is missing in the end."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.base import Page
from connectors.jira import pull
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from connectors.sandbox.world import WorldTicket
from improvement.errors import ConnectionFailed
from improvement.records import RecordKind

from .conftest import Connect


def kept(pages: list[Page]) -> dict[str, Any]:
    return {row["id"]: row for page in pages for row in page.batch.to_pylist()}


Whole = dict[str, Any]


@pytest.fixture(scope="module")
def read_whole() -> dict[Flavour, Whole]:
    """What was read without interruption, for all stories of the file."""
    return {}


@pytest.fixture
def whole(connect: Connect, flavour: Flavour, now: datetime, read_whole: dict[Flavour, Whole]) -> Whole:
    """All tickets of the flavour, read without interruption."""
    if flavour not in read_whole:
        read_whole[flavour] = kept(list(connect(flavour).pull(RecordKind.TICKET, None, until=now)))
    return read_whole[flavour]


@pytest.mark.parametrize("killed_after", [1, 2, 5])
def test_a_pull_goes_on_where_it_was_killed(
    connect: Connect,
    flavour: Flavour,
    now: datetime,
    monkeypatch: pytest.MonkeyPatch,
    killed_after: int,
    whole: Whole,
) -> None:
    monkeypatch.setattr(pull, "FLUSH_ROWS", 700)
    begun = connect(flavour, page_size=100).pull(RecordKind.TICKET, None, until=now)
    first = [next(begun) for _ in range(killed_after)]
    del begun  # the process is gone; only what was delivered and its cursor are left
    rest = list(connect(flavour, page_size=100).pull(RecordKind.TICKET, first[-1].cursor, until=now))
    assert kept(first) | kept(rest) == whole
    assert len(kept(rest)) < len(whole)


def test_a_pull_that_fails_in_the_middle_loses_nothing(
    connect: Connect,
    flavour: Flavour,
    now: datetime,
    faults: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    whole: Whole,
) -> None:
    monkeypatch.setattr(pull, "FLUSH_ROWS", 700)
    connector = connect(flavour, page_size=100, max_attempts=2)
    assert connector.site.me.account
    faults({"kind": "reset_before", "path": "/search", "after": 20, "times": None})
    found: list[Page] = []
    with pytest.raises(ConnectionFailed):
        found.extend(connector.pull(RecordKind.TICKET, None, until=now))
    faults()
    assert found  # some of it was delivered before
    rest = list(connect(flavour).pull(RecordKind.TICKET, found[-1].cursor, until=now))
    assert kept(found) | kept(rest) == whole


def test_what_was_read_in_a_minute_is_handed_on_however_little_it_is(
    connect: Connect, flavour: Flavour, now: datetime, monkeypatch: pytest.MonkeyPatch, whole: Whole
) -> None:
    minutes = itertools.count()
    monkeypatch.setattr(pull, "monotonic", lambda: next(minutes) * 15.0)
    pages = list(connect(flavour, page_size=100).pull(RecordKind.TICKET, None, until=now))
    assert kept(pages) == whole
    assert {page.batch.num_rows for page in pages[:5]} <= set(range(300, 501))
    assert [page.cursor.updated_at for page in pages] == sorted(page.cursor.updated_at for page in pages)


def test_a_pull_that_fails_early_each_time_still_comes_to_its_end(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
) -> None:
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    until = noon + timedelta(hours=8)
    desks = serve(
        [an_incident(n, noon + timedelta(minutes=3 * n), resolved_after_h=None) for n in range(1, 121)], now=until
    )
    found: list[Page] = []
    failures = 0
    for _ in range(12):
        connector = connect(flavour, at=desks, page_size=10, max_attempts=1)
        assert connector.site.me.account
        desks.set_faults(flavour, {"kind": "reset_before", "path": "/search", "after": 3, "times": None})
        try:
            found.extend(connector.pull(RecordKind.TICKET, found[-1].cursor if found else None, until=until))
        except ConnectionFailed:
            failures += 1
            continue
        break
    assert 4 <= failures < 12
    assert len(kept(found)) == 120


@pytest.mark.parametrize("killed_after", [2, 5])
def test_a_pull_killed_while_issues_change_leaves_no_hole(
    serve: Callable[..., RunningSandbox],
    connect: Connect,
    flavour: Flavour,
    an_incident: Callable[..., WorldTicket],
    monkeypatch: pytest.MonkeyPatch,
    killed_after: int,
) -> None:
    """An issue in its old place with its new update time must not move the cursor there."""
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    tickets = [an_incident(n, noon + timedelta(minutes=3 * n), resolved_after_h=None) for n in range(1, 121)]
    until = noon + timedelta(hours=8)
    desks = serve(tickets, now=until)
    monkeypatch.setattr(pull, "FLUSH_ROWS", 10)
    desks.set_faults(flavour, {"kind": "changing", "path": "/search", "times": 1, "records": 60})
    begun = connect(flavour, at=desks, page_size=10).pull(RecordKind.TICKET, None, until=until)
    first = [next(begun) for _ in range(killed_after)]
    begun.close()
    desks.set_faults(flavour)
    rest = list(connect(flavour, at=desks).pull(RecordKind.TICKET, first[-1].cursor, until=until))
    assert len(kept(first) | kept(rest)) == 120
