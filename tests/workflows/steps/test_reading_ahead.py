"""What is read and loaded while something else is: nothing lost, nothing of one kind taken for another."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from connectors.base import Cursor, Page
from improvement.errors import ConnectionFailed, RegelkreisError
from improvement.records import SCHEMAS, RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows.models import Connection, LedgerEntry, PullCursor, PullReport
from workflows.steps import loads, pull, pulling
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


def begun(platform: MemoryPlatform, warehouse: Warehouse) -> pull.Loading:
    return pull.Loading([pull.Reading(platform, warehouse, as_of=NOW)], warehouse, as_of=NOW)


def requests(loading: pull.Loading, kind: RecordKind) -> list[int]:
    return [page.requests for page, _ in loading.loads("snow", kind)]


def test_each_kind_gets_its_own_pages(platform: Pages, warehouse: Warehouse) -> None:
    with closing(begun(platform, warehouse)) as loading:
        assert requests(loading, RecordKind.TICKET) == [0 + 1 + 2]  # small pages are loaded together
        assert requests(loading, RecordKind.SLA) == [0 + 1]


class Thinks(Pages):
    """Its second page of tickets takes until it is told to go on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.go_on = Event()

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        for page in super().pull(kind, cursor, until=until):
            if page.requests == 1:
                assert self.go_on.wait(timeout=20)
            yield page


def test_what_is_worth_a_load_does_not_wait_for_a_page_that_is_still_being_read(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    Connection.objects.create(name="snow", platform="servicenow")
    platform = Thinks()
    monkeypatch.setattr(loads, "WORTH_A_LOAD", 0)
    with closing(begun(platform, warehouse)) as loading:
        found = loading.loads("snow", RecordKind.TICKET)
        assert next(found)[0].requests == 0
        platform.go_on.set()
        assert sum(page.requests for page, _ in found) == 1 + 2


@pytest.mark.parametrize("is_ahead", [True, False])
def test_what_a_slow_platform_tells_is_loaded_and_noted_as_it_comes(
    platform: Pages, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, is_ahead: bool
) -> None:
    """Else whoever is killed again and again would never come further."""
    minutes = itertools.count()
    monkeypatch.setattr(loads, "monotonic", lambda: next(minutes) * 60.0)
    loading = begun(platform, warehouse) if is_ahead else None
    with ExitStack() as stack:
        if loading is not None:
            stack.enter_context(closing(loading))
        noted: list[int] = []
        monkeypatch.setattr(pulling.Pulling, "_note_load", lambda self, kind, *a, **k: noted.append(a[1].requests))
        pull.pull(platform, warehouse, as_of=NOW, loading=loading)
    assert noted == [0, 1, 2, 0, 1]


def test_an_error_comes_after_what_was_read_before_it_and_the_next_kind_goes_on(
    platform: Pages, warehouse: Warehouse
) -> None:
    platform.is_failing = True
    with closing(begun(platform, warehouse)) as loading:
        found = loading.loads("snow", RecordKind.TICKET)
        assert next(found)[0].requests == 0 + 1 + 2
        with pytest.raises(ConnectionFailed, match="fell asleep"):
            next(found)
        assert requests(loading, RecordKind.SLA) == [0 + 1]


def test_what_one_kind_left_is_not_taken_for_the_next(platform: Pages, warehouse: Warehouse) -> None:
    with closing(begun(platform, warehouse)) as loading:
        assert requests(loading, RecordKind.SLA) == [0 + 1]


def test_loading_can_be_stopped_before_anything_was_asked_for(platform: Pages, warehouse: Warehouse) -> None:
    begun(platform, warehouse).close()
    assert warehouse.count(RecordKind.TICKET, "snow") == 0


@pytest.mark.parametrize("is_first", [True, False], ids=["who begin", "who catch up"])
def test_platforms_loaded_at_once_are_what_they_are_one_after_the_other(tmp_path: Path, is_first: bool) -> None:
    at_once = pulled(tmp_path / "at-once.duckdb", is_first=is_first, is_at_once=True)
    assert at_once == pulled(tmp_path / "apart.duckdb", is_first=is_first, is_at_once=False)
    reports = at_once[1]
    assert {report[0] for report in reports if report[2] and report[3]} == {"snow", "jira"}  # both read something new


def pulled(file: Path, *, is_first: bool, is_at_once: bool) -> tuple[Any, list[Any], list[Any]]:
    """What the warehouse holds, the reports and what the ledger tells, after one pull or after a second one."""
    both = [MemoryPlatform(name=name, weeks=20, per_week=500, scopes=SCOPES) for name in ("snow", "jira")]
    for model in (PullReport, PullCursor, Connection):
        model.objects.all().delete()
    for one in both:
        Connection.objects.create(name=one.name, platform="servicenow")
    seen = LedgerEntry.objects.count()
    with Warehouse.open(file) as warehouse:
        for as_of in (NOW,) if is_first else (NOW - timedelta(weeks=96), NOW):
            with ExitStack() as stack:
                loadings = {}
                if is_at_once:
                    readings = [stack.enter_context(closing(pull.Reading(one, warehouse, as_of=as_of))) for one in both]
                    for group in pull.grouped(readings):
                        loading = stack.enter_context(closing(pull.Loading(group, warehouse, as_of=as_of)))
                        loadings |= dict.fromkeys((one.name for one in group), loading)
                for one in both:
                    assert pull.pull(one, warehouse, as_of=as_of, loading=loadings.get(one.name)).errors == []
        stand = {
            name: warehouse.arrow(f"SELECT * FROM {name} ORDER BY connection, id").to_pylist()
            for name in ("tickets", "slas")
        }
    reports = PullReport.objects.order_by("id")
    told = [(entry.subject, msgspec.json.decode(entry.data)["payload"]) for entry in LedgerEntry.objects.all()[seen:]]
    return stand, list(reports.values_list("connection__name", "kind", "read", "new", "changed", "unchanged")), told


def test_who_catches_up_is_loaded_together_and_who_begins_goes_alone(platform: Pages, warehouse: Warehouse) -> None:
    others = [Pages(name=name) for name in ("jira", "more")]
    for one in others:
        Connection.objects.create(name=one.name, platform="servicenow")
    for one in (platform, others[0]):
        assert pull.pull(one, warehouse, as_of=NOW).errors == []
    with ExitStack() as stack:
        readings = [
            stack.enter_context(closing(pull.Reading(one, warehouse, as_of=NOW))) for one in (platform, *others)
        ]
        assert [[one.name for one in group] for group in pull.grouped(readings)] == [["snow", "jira"], ["more"]]


class TellsClocksFirst(Pages):
    """It delivers its kinds in an order of its own."""

    def kinds(self) -> Sequence[RecordKind]:
        return (RecordKind.SLA, RecordKind.TICKET)


def test_an_order_of_kinds_of_its_own_goes_alone(warehouse: Warehouse) -> None:
    all_of_them = [Pages(name="snow"), TellsClocksFirst(name="jira")]
    for one in all_of_them:
        Connection.objects.create(name=one.name, platform="servicenow")
        assert pull.pull(one, warehouse, as_of=NOW).errors == []
    with ExitStack() as stack:
        readings = [stack.enter_context(closing(pull.Reading(one, warehouse, as_of=NOW))) for one in all_of_them]
        assert [[one.name for one in group] for group in pull.grouped(readings)] == [["snow"], ["jira"]]


def test_one_that_fails_does_not_hold_up_who_is_loaded_with_it(platform: Pages, warehouse: Warehouse) -> None:
    other = Pages(name="jira")
    Connection.objects.create(name="jira", platform="jira")
    platform.is_failing = True
    readings = [pull.Reading(one, warehouse, as_of=NOW) for one in (platform, other)]
    with closing(pull.Loading(readings, warehouse, as_of=NOW)) as loading:
        first = pull.pull(platform, warehouse, as_of=NOW, loading=loading)
        second = pull.pull(other, warehouse, as_of=NOW, loading=loading)
    assert first.missing == {RecordKind.TICKET}
    assert second.errors == []
    assert [report.requests for report in second.reports] == [0 + 1 + 2, 0 + 1, 0]


def test_what_cannot_be_loaded_is_told_to_everybody_and_the_next_kind_goes_on(
    platform: Pages, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Pages(name="jira")
    Connection.objects.create(name="jira", platform="jira")
    load = Warehouse.load_together

    def full(self: Warehouse, kind: RecordKind, *args: Any, **named: Any) -> Any:
        if kind is RecordKind.TICKET:
            raise RegelkreisError("The disk is full.")
        return load(self, kind, *args, **named)

    monkeypatch.setattr(Warehouse, "load_together", full)
    readings = [pull.Reading(one, warehouse, as_of=NOW) for one in (platform, other)]
    with closing(pull.Loading(readings, warehouse, as_of=NOW)) as loading:
        for one in (platform, other):
            result = pull.pull(one, warehouse, as_of=NOW, loading=loading)
            assert result.missing == {RecordKind.TICKET}
            assert [report.requests for report in result.reports] == [0, 0 + 1, 0]


SCOPES = {"Mail": {0: 0.1}, "Print": {0: 0.2}}
