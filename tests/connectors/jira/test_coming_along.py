"""Clocks and ratings come along with the tickets they are of, for whoever wants them at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.base import Cursor, Page
from connectors.jira import pull
from connectors.jira.connector import JiraConnector
from connectors.sandbox.plugin import Flavour
from improvement.errors import ConnectionFailed
from improvement.records import RecordKind

from .conftest import Connect

TICKET, SLA, SURVEY = RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY
Rows = dict[str, Any]


def kept(pages: list[Page]) -> Rows:
    return {row["id"]: row for page in pages for row in page.batch.to_pylist()}


def along(pages: list[Page], kind: RecordKind) -> list[Page]:
    return [one for page in pages for one in page.along if one.kind is kind]


def wanting(cursor: Cursor | None, *kinds: RecordKind) -> dict[RecordKind, Cursor | None]:
    return dict.fromkeys((TICKET, *kinds), cursor)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pull, "FLUSH_ROWS", 700)


@pytest.fixture(scope="module")
def read_alone() -> dict[tuple[Flavour, RecordKind], Rows]:
    """What a search of its own brings, for all stories of the file."""
    return {}


@pytest.fixture
def alone(
    connect: Connect, flavour: Flavour, now: datetime, read_alone: dict[tuple[Flavour, RecordKind], Rows]
) -> Callable[[RecordKind], Rows]:
    """All records of a kind, searched for itself."""

    def rows(kind: RecordKind) -> Rows:
        if (flavour, kind) not in read_alone:
            read_alone[flavour, kind] = kept(list(connect(flavour).pull(kind, None, until=now)))
        return read_alone[flavour, kind]

    return rows


def left(connector: JiraConnector, kind: RecordKind, cursor: Cursor | None, now: datetime) -> tuple[Rows, int]:
    """What a pull of the kind itself still brings, and how many requests it takes."""
    before = connector.reader.requests
    return kept(list(connector.pull(kind, cursor, until=now))), connector.reader.requests - before


@pytest.mark.usefixtures("small_pages")
def test_each_page_brings_what_belongs_to_its_tickets_and_the_end_of_the_kind_asks_nothing(
    connect: Connect, flavour: Flavour, now: datetime, alone: Callable[[RecordKind], Rows]
) -> None:
    connector = connect(flavour, page_size=100)
    pages = list(connector.pull_with_others(TICKET, wanting(None, SLA, SURVEY), until=now))
    assert len(pages) > 3
    for page in pages:
        ids = set(page.batch["id"].to_pylist())
        for one in page.along:
            assert set(one.batch["ticket_id"].to_pylist()) <= ids
            assert ids >= set(one.whole_of.to_pylist())
            assert one.cursor.updated_at == page.cursor.updated_at  # from the beginning on nothing else is to be read
    for kind in (SLA, SURVEY):
        assert kept(along(pages, kind)) == alone(kind)
        assert set(kept(pages)) == {id for one in along(pages, kind) for id in one.whole_of.to_pylist()}
        assert left(connector, kind, None, now) == ({}, 0)


@pytest.mark.usefixtures("small_pages")
def test_after_many_tickets_the_rest_waits_for_the_turn_of_its_kind(
    connect: Connect,
    flavour: Flavour,
    now: datetime,
    alone: Callable[[RecordKind], Rows],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pull, "MOST_ALONG", 1_500)
    connector = connect(flavour, page_size=100)
    pages = list(connector.pull_with_others(TICKET, wanting(None, SLA, SURVEY), until=now))
    brought = [bool(page.along) for page in pages]
    assert brought == sorted(brought, reverse=True)
    assert set(brought) == {True, False}
    for kind in (SLA, SURVEY):
        rest, requests = left(connector, kind, None, now)
        assert rest
        assert kept(along(pages, kind)) | rest == alone(kind)
        assert requests == 0


def test_a_kind_that_is_not_wanted_along_is_kept_until_its_turn(
    connect: Connect, flavour: Flavour, now: datetime, alone: Callable[[RecordKind], Rows]
) -> None:
    connector = connect(flavour)
    pages = list(connector.pull_with_others(TICKET, wanting(None, SURVEY), until=now))
    assert along(pages, SLA) == []
    assert left(connector, SLA, None, now) == (alone(SLA), 0)
    assert left(connector, SURVEY, None, now) == ({}, 0)


def test_what_comes_along_does_not_move_a_cursor_that_stands(connect: Connect, flavour: Flavour, now: datetime) -> None:
    """Old clocks that ran out are searched for only in the kind's own turn."""
    cursor = Cursor(updated_at=now - timedelta(days=30))
    connector = connect(flavour)
    pages = list(connector.pull_with_others(TICKET, wanting(cursor, SLA, SURVEY), until=now))
    assert {one.cursor for page in pages for one in page.along} == {cursor}
    rest = list(connector.pull(SLA, cursor, until=now))
    assert kept(along(pages, SLA)) | kept(rest) == kept(list(connect(flavour).pull(SLA, cursor, until=now)))
    assert rest[-1].cursor.updated_at == now


def test_a_kind_that_is_behind_the_tickets_is_searched_for_itself(
    connect: Connect, flavour: Flavour, now: datetime, alone: Callable[[RecordKind], Rows]
) -> None:
    connector = connect(flavour)
    cursors = {TICKET: Cursor(updated_at=now - timedelta(days=30)), SLA: None}
    pages = list(connector.pull_with_others(TICKET, cursors, until=now))
    assert along(pages, SLA) == []
    rows, requests = left(connector, SLA, None, now)
    assert rows == alone(SLA)
    assert requests


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("killed_after", [1, 3])
def test_a_pull_that_was_killed_goes_on_with_the_clocks_where_they_came_along(
    connect: Connect, flavour: Flavour, now: datetime, alone: Callable[[RecordKind], Rows], killed_after: int
) -> None:
    begun = connect(flavour, page_size=100).pull_with_others(TICKET, wanting(None, SLA), until=now)
    pages = [next(begun) for _ in range(killed_after)]
    begun.close()
    rest = list(connect(flavour).pull(SLA, along(pages, SLA)[-1].cursor, until=now))
    assert kept(along(pages, SLA)) | kept(rest) == alone(SLA)
    assert len(kept(rest)) < len(alone(SLA))


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("killed_after", [1, 4])
def test_what_was_kept_aside_moves_its_cursor_as_far_as_all_was_read_before(
    connect: Connect, flavour: Flavour, now: datetime, alone: Callable[[RecordKind], Rows], killed_after: int
) -> None:
    connector = connect(flavour, page_size=100)
    reached = [page.cursor.updated_at for page in connector.pull(TICKET, None, until=now)]
    pages = list(connector.pull(SLA, None, until=now))
    assert [page.cursor.updated_at for page in pages] == [pull.BEGINNING, *reached]
    rest = list(connect(flavour).pull(SLA, pages[killed_after - 1].cursor, until=now))
    assert kept(pages[:killed_after]) | kept(rest) == alone(SLA)


@pytest.mark.usefixtures("small_pages")
def test_what_was_kept_aside_moves_no_cursor_back(connect: Connect, flavour: Flavour, now: datetime) -> None:
    connector, cursor = connect(flavour, page_size=100), Cursor(updated_at=now - timedelta(days=1))
    list(connector.pull(TICKET, None, until=now))
    pages = list(connector.pull(SLA, cursor, until=now))
    assert len(pages) > 3
    assert min(page.cursor.updated_at for page in pages if page.batch.num_rows) == cursor.updated_at


@pytest.mark.usefixtures("small_pages")
def test_after_a_change_of_the_mapping_the_cursors_begin_anew_together(
    connect: Connect, flavour: Flavour, now: datetime, alone: Callable[[RecordKind], Rows]
) -> None:
    before = Cursor(updated_at=now, tiebreak=f"{pull.MAPPING}of another day")
    pages = list(connect(flavour, page_size=100).pull_with_others(TICKET, wanting(before, SLA), until=now))
    assert kept(along(pages, SLA)) == alone(SLA)
    assert [one.cursor.updated_at for one in along(pages, SLA)] == [page.cursor.updated_at for page in pages]
    assert before not in [one.cursor for one in along(pages, SLA)]


@pytest.mark.usefixtures("small_pages")
def test_tickets_that_break_off_leave_the_clocks_to_their_own_search(
    connect: Connect,
    flavour: Flavour,
    now: datetime,
    faults: Callable[..., None],
    alone: Callable[[RecordKind], Rows],
) -> None:
    connector = connect(flavour, page_size=100, max_attempts=2)
    assert connector.site.me.account
    faults({"kind": "reset_before", "path": "/search", "after": 20, "times": None})
    found: list[Page] = []
    with pytest.raises(ConnectionFailed):
        found.extend(connector.pull_with_others(TICKET, wanting(None, SLA), until=now))
    faults()
    assert along(found, SLA)
    assert left(connector, SLA, None, now)[0] == alone(SLA)


def test_other_kinds_are_pulled_as_ever(connect: Connect, flavour: Flavour, now: datetime) -> None:
    contact = RecordKind.CONTACT
    pages = list(connect(flavour).pull_with_others(contact, {contact: None}, until=now))
    assert kept(pages) == kept(list(connect(flavour).pull(contact, None, until=now)))
