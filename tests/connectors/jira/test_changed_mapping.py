"""What was read with another mapping is read anew, once, whoever is killed meanwhile."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.base import Cursor
from connectors.sandbox.plugin import Flavour
from improvement.records import RecordKind

from .conftest import Connect, by_id, rows


def last_cursor(pages: Any) -> Cursor:
    cursor: Cursor = list(pages)[-1].cursor
    return cursor


@pytest.mark.parametrize(
    "change",
    [
        {"mapping": {"incident": {"fields": {"category": {"constant": "all"}}}}},
        {"default_country": "FR"},
    ],
    ids=["a field", "the default country"],
)
def test_a_changed_mapping_reads_everything_anew(
    connect: Connect, flavour: Flavour, now: datetime, change: dict[str, Any]
) -> None:
    before = connect(flavour)
    cursor = last_cursor(before.pull(RecordKind.TICKET, None, until=now))
    assert len(by_id(connect(flavour).pull(RecordKind.TICKET, cursor, until=now))) < 100, "the overlap"
    changed = connect(flavour, **change)
    again = by_id(changed.pull(RecordKind.TICKET, cursor, until=now))
    fresh = by_id(connect(flavour, **change).pull(RecordKind.TICKET, None, until=now))
    assert again == fresh
    moved = last_cursor(changed.pull(RecordKind.TICKET, cursor, until=now))
    assert len(by_id(connect(flavour, **change).pull(RecordKind.TICKET, moved, until=now))) < 100, "once only"


def test_a_pull_of_a_changed_mapping_that_was_killed_goes_on_where_it_was(
    connect: Connect, flavour: Flavour, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.jira.pull.FLUSH_ROWS", 500)
    cursor = last_cursor(connect(flavour).pull(RecordKind.TICKET, None, until=now))
    change = {"mapping": {"incident": {"fields": {"category": {"constant": "all"}}}}}
    pages = connect(flavour, **change).pull(RecordKind.TICKET, cursor, until=now)
    first = [next(pages), next(pages)]
    pages.close()
    rest = rows(connect(flavour, **change).pull(RecordKind.TICKET, first[-1].cursor, until=now))
    everything = by_id(connect(flavour).pull(RecordKind.TICKET, None, until=now))
    assert {row["id"] for page in first for row in page.batch.to_pylist()} | {row["id"] for row in rest} == set(
        everything
    )
    assert len(rest) < len(everything)


def test_clocks_are_read_anew_with_the_mapping_of_clocks_alone(
    connect: Connect, flavour: Flavour, now: datetime
) -> None:
    before = connect(flavour)
    tickets = last_cursor(before.pull(RecordKind.TICKET, None, until=now))
    clocks = last_cursor(before.pull(RecordKind.SLA, None, until=now))
    names = [name for name, source in before.mapping.sources.items() if source.kind is RecordKind.SLA]
    mapping = {name: {"fields": {"agreement": {"constant": "underpinning"}}} for name in names}
    changed = connect(flavour, mapping=mapping)
    assert len(rows(changed.pull(RecordKind.TICKET, tickets, until=now))) < 100
    again = rows(changed.pull(RecordKind.SLA, clocks, until=now))
    assert {row["agreement"] for row in again} == {"underpinning"}
    assert len({row["id"] for row in again}) > 1_000


def test_a_cursor_of_an_earlier_version_counts(connect: Connect, flavour: Flavour, now: datetime) -> None:
    cursor = Cursor(updated_at=now - timedelta(hours=1), tiebreak="10042")
    assert len(by_id(connect(flavour).pull(RecordKind.TICKET, cursor, until=now))) < 500


def test_two_sources_of_one_type_are_read_anew_when_they_change_places(
    connect: Connect, flavour: Flavour, now: datetime
) -> None:
    """The later one says how the type is read."""
    other = {"kind": "ticket", "source": "Incident"}
    one, two = (
        {**other, "fields": {"kind": {"constant": "incident"}, "category": {"constant": name}}} for name in "ab"
    )
    first = connect(flavour, mapping={"one": one, "two": two})
    cursor = last_cursor(first.pull(RecordKind.TICKET, None, until=now))
    assert not connect(flavour, mapping={"two": two, "one": one}).resumes(RecordKind.TICKET, cursor)
    assert connect(flavour, mapping={"one": one, "two": two}).resumes(RecordKind.TICKET, cursor)


def test_surveys_are_searched_anew_with_the_mapping_of_tickets(
    connect: Connect, flavour: Flavour, now: datetime
) -> None:
    """They are found by the tickets' condition: a wider one finds answers of old."""
    narrow = connect(flavour, mapping={"incident": {"filter": "priority = 1"}})
    list(narrow.pull(RecordKind.TICKET, None, until=now))
    cursor = last_cursor(narrow.pull(RecordKind.SURVEY, None, until=now))
    wide = connect(flavour)
    assert not wide.resumes(RecordKind.SURVEY, cursor)
    fresh = by_id(connect(flavour).pull(RecordKind.SURVEY, None, until=now))
    assert by_id(wide.pull(RecordKind.SURVEY, cursor, until=now)) == fresh
