"""What is read and loaded while something else is: nothing lost, nothing of one kind taken for another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Cursor, Page
from improvement.errors import ConnectionFailed
from improvement.records import SCHEMAS, RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows.models import Connection, PullReport
from workflows.steps import pull
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Pages(MemoryPlatform):
    """Three empty pages of tickets and, unless the platform fails, two of SLA rows."""

    is_failing = False

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        for number in range({RecordKind.TICKET: 3, RecordKind.SLA: 2}.get(kind, 0)):
            yield Page(kind=kind, batch=SCHEMAS[kind].empty_table(), cursor=Cursor(updated_at=until), requests=number)
        if kind is RecordKind.TICKET and self.is_failing:
            raise ConnectionFailed("The platform fell asleep.")


@pytest.fixture
def platform() -> Pages:
    Connection.objects.create(name="snow", platform="servicenow")
    return Pages()


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse.open(tmp_path / "warehouse.duckdb") as opened:
        yield opened


def requests(loading: pull.Loading, kind: RecordKind) -> list[int]:
    return [page.requests for page, _ in loading.loads(kind)]


def test_each_kind_gets_its_own_pages(platform: Pages, warehouse: Warehouse) -> None:
    with closing(pull.Loading(platform, warehouse, as_of=NOW)) as loading:
        assert requests(loading, RecordKind.TICKET) == [0 + 1 + 2]  # small pages are loaded together
        assert requests(loading, RecordKind.SLA) == [0 + 1]


def test_an_error_comes_after_what_was_read_before_it_and_the_next_kind_goes_on(
    platform: Pages, warehouse: Warehouse
) -> None:
    platform.is_failing = True
    with closing(pull.Loading(platform, warehouse, as_of=NOW)) as loading:
        loads = loading.loads(RecordKind.TICKET)
        assert next(loads)[0].requests == 0 + 1 + 2
        with pytest.raises(ConnectionFailed, match="fell asleep"):
            next(loads)
        assert requests(loading, RecordKind.SLA) == [0 + 1]


def test_what_one_kind_left_is_not_taken_for_the_next(platform: Pages, warehouse: Warehouse) -> None:
    with closing(pull.Loading(platform, warehouse, as_of=NOW)) as loading:
        assert requests(loading, RecordKind.SLA) == [0 + 1]


def test_loading_can_be_stopped_before_anything_was_asked_for(platform: Pages, warehouse: Warehouse) -> None:
    pull.Loading(platform, warehouse, as_of=NOW).close()
    assert warehouse.count(RecordKind.TICKET, "snow") == 0


def test_two_platforms_loaded_side_by_side_are_what_they_are_one_after_the_other(tmp_path: Path) -> None:
    first, second = (MemoryPlatform(name=name, weeks=20, per_week=500, scopes=SCOPES) for name in ("snow", "jira"))
    for name in ("snow", "jira"):
        Connection.objects.create(name=name, platform="servicenow")
    with Warehouse.open(tmp_path / "together.duckdb") as warehouse:
        both = [pull.Loading(one, warehouse, as_of=NOW) for one in (first, second)]
        for one, loading in zip((first, second), both, strict=True):
            assert pull.pull(one, warehouse, as_of=NOW, loading=loading).errors == []
            loading.close()
        together = everything(warehouse)
    counted = list(PullReport.objects.values_list("connection__name", "kind", "read", "new", "changed").order_by("id"))
    Connection.objects.all().delete()
    for name in ("snow", "jira"):
        Connection.objects.create(name=name, platform="servicenow")
    with Warehouse.open(tmp_path / "apart.duckdb") as warehouse:
        for one in (first, second):
            assert pull.pull(one, warehouse, as_of=NOW).errors == []
        assert everything(warehouse) == together
    again = PullReport.objects.values_list("connection__name", "kind", "read", "new", "changed").order_by("id")
    assert list(again) == counted


SCOPES = {"Mail": {0: 0.1}, "Print": {0: 0.2}}


def everything(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    return {
        name: warehouse.arrow(f"SELECT * FROM {name} ORDER BY connection, id").to_pylist()
        for name in ("tickets", "slas")
    }
