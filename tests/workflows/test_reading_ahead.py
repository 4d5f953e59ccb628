"""What is read while something else is loaded: nothing lost, nothing of one kind taken for another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors.base import Cursor, Page
from improvement.errors import ConnectionFailed
from improvement.records import SCHEMAS, RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows.models import Connection
from workflows.steps import pull

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Pages(MemoryPlatform):
    """Three empty pages of tickets and, unless the platform fails, two of SLA rows."""

    is_failing = False

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        for number in range(3 if kind is RecordKind.TICKET else 2):
            yield Page(kind=kind, batch=SCHEMAS[kind].empty_table(), cursor=Cursor(updated_at=until), requests=number)
        if kind is RecordKind.TICKET and self.is_failing:
            raise ConnectionFailed("The platform fell asleep.")


@pytest.fixture
def platform() -> Pages:
    Connection.objects.create(name="snow", platform="servicenow")
    return Pages()


def numbers(reading: pull.Reading, kind: RecordKind) -> list[int]:
    return [page.requests for page in reading.pages(kind)]


def test_each_kind_gets_its_own_pages_in_their_order(platform: Pages) -> None:
    reading = pull.Reading(platform, as_of=NOW)
    assert numbers(reading, RecordKind.TICKET) == [0, 1, 2]
    assert numbers(reading, RecordKind.SLA) == [0, 1]
    reading.close()


def test_an_error_comes_after_the_pages_before_it_and_the_next_kind_goes_on(platform: Pages) -> None:
    platform.is_failing = True
    reading = pull.Reading(platform, as_of=NOW)
    pages = reading.pages(RecordKind.TICKET)
    seen = [next(pages).requests for _ in range(3)]
    with pytest.raises(ConnectionFailed, match="fell asleep"):
        next(pages)
    assert seen == [0, 1, 2]
    assert numbers(reading, RecordKind.SLA) == [0, 1]
    reading.close()


def test_what_one_kind_left_unread_is_not_taken_for_the_next(platform: Pages) -> None:
    reading = pull.Reading(platform, as_of=NOW)
    assert next(reading.pages(RecordKind.TICKET)).requests == 0
    assert numbers(reading, RecordKind.SLA) == [0, 1]
    reading.close()


def test_reading_can_be_stopped_before_anything_was_asked_for(platform: Pages) -> None:
    pull.Reading(platform, as_of=NOW).close()
