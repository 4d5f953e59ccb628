"""What comes along with tickets is loaded while tickets are still being read: nothing lost, nothing noted too early."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from connectors.base import Cursor, Page
from improvement.errors import ConnectionFailed, RegelkreisError
from improvement.records import RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows.evidence import ledger
from workflows.models import Connection, LedgerEntry, PullCursor
from workflows.steps import loads, pull
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
TICKET, SLA = RecordKind.TICKET, RecordKind.SLA
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PAGE = 300  # tickets
SCOPES = {"Mail": {0: 0.1}, "Print": {0: 0.2}}


@dataclass
class Desk(MemoryPlatform):
    """Its tickets come in several pages and bring their clocks along, where those are not behind them."""

    weeks: int = 20
    scopes: dict[str, dict[int, float]] = field(default_factory=lambda: dict(SCOPES))
    fails_after: int | None = None  # pages of tickets
    asked: list[RecordKind] = field(default_factory=list)  # kinds of which nothing had come along
    has_come: bool = field(default=False, init=False)

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        if kind is SLA and self.has_come:
            yield Page(kind=SLA, batch=self._tables[SLA].slice(0, 0), cursor=Cursor(updated_at=until))
            return
        self.asked.append(kind)
        yield from super().pull(kind, cursor, until=until)

    def pull_with_others(
        self, kind: RecordKind, cursors: Mapping[RecordKind, Cursor | None], *, until: datetime
    ) -> Iterator[Page]:
        if kind is not TICKET:
            yield from self.pull(kind, cursors[kind], until=until)
            return
        found = [page.batch for page in self.pull(TICKET, cursors[TICKET], until=until)]
        tickets = pa.concat_tables(found or [self._tables[TICKET].slice(0, 0)]).sort_by("updated_at")
        clocks, is_along = self._tables[SLA], SLA in cursors and not is_behind(cursors[SLA], cursors[TICKET])
        for number, at in enumerate(range(0, tickets.num_rows, PAGE)):
            if number == self.fails_after:
                raise ConnectionFailed("The platform fell asleep.")
            batch = tickets.slice(at, PAGE)
            reached = Cursor(updated_at=until if at + PAGE >= tickets.num_rows else batch["updated_at"][-1].as_py())
            own = pc.is_in(clocks["ticket_id"], batch["id"].combine_chunks())
            along = Page(kind=SLA, batch=clocks.filter(own), cursor=cursors[SLA] or reached)
            yield Page(kind=TICKET, batch=batch, cursor=reached, along=(along,) if is_along else ())
        self.has_come = is_along


def is_behind(one: Cursor | None, other: Cursor | None) -> bool:
    return other is not None and (one is None or one.updated_at < other.updated_at)


@pytest.fixture
def desk() -> Desk:
    Connection.objects.create(name="snow", platform="servicenow")
    return Desk()


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse.open(tmp_path / "warehouse.duckdb") as opened:
        yield opened


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes along is worth a load."""
    monkeypatch.setattr(loads, "WORTH_A_LOAD", 1)


def begun(platform: MemoryPlatform, warehouse: Warehouse, *, as_of: datetime = NOW) -> pull.Loading:
    return pull.Loading([pull.Reading(platform, warehouse, as_of=as_of)], warehouse, as_of=as_of)


def pulled(platform: MemoryPlatform, warehouse: Warehouse, *, as_of: datetime = NOW) -> pull.PullResult:
    with closing(begun(platform, warehouse, as_of=as_of)) as loading:
        return pull.pull(platform, warehouse, as_of=as_of, loading=loading)


def read(result: pull.PullResult) -> dict[str, tuple[int, int]]:
    """How many records of each kind were read, and how many were new."""
    return {report.kind: (report.read, report.new) for report in result.reports}


def stand(warehouse: Warehouse) -> Any:
    return {
        name: warehouse.arrow(f"SELECT * FROM {name} ORDER BY connection, id").to_pylist()
        for name in ("tickets", "slas")
    }


def entries(kind: RecordKind) -> list[dict[str, Any]]:
    found = LedgerEntry.objects.filter(subject=f"snow/{kind.value}", type="pull.loaded").order_by("index")
    return [msgspec.json.decode(entry.data)["payload"] for entry in found]


def cursor(kind: RecordKind) -> datetime | None:
    found = PullCursor.objects.filter(connection="snow", kind=kind.value).first()
    return found.updated_at if found is not None else None


@dataclass
class Patient(Desk):
    """Its last page of tickets is not read before it is told to go on."""

    go_on: Event = field(default_factory=Event)

    def pull_with_others(
        self, kind: RecordKind, cursors: Mapping[RecordKind, Cursor | None], *, until: datetime
    ) -> Iterator[Page]:
        for page in super().pull_with_others(kind, cursors, until=until):
            if kind is TICKET and page.cursor.updated_at == until:
                assert self.go_on.wait(timeout=20)
            yield page


@pytest.mark.usefixtures("at_once")
def test_clocks_are_loaded_after_their_tickets_and_before_all_tickets_are_read(warehouse: Warehouse) -> None:
    Connection.objects.create(name="snow", platform="servicenow")
    platform = Patient()
    here: set[str] = set()  # tickets
    early = 0
    with closing(begun(platform, warehouse)) as loading:
        for page, _ in loading.loads("snow", TICKET):
            ids = set(page.batch["id"].to_pylist())
            if page.kind is TICKET:
                here |= ids
            else:
                early += not platform.go_on.is_set()
                assert {id.removeprefix("sla-") for id in ids} <= here
                platform.go_on.set()
    assert early


@pytest.mark.parametrize("worth", [1, 1_000, 10**9], ids=["each at once", "a few together", "in its turn"])
@pytest.mark.parametrize("is_first", [True, False], ids=["from the beginning", "from a cursor"])
def test_it_comes_to_the_same_as_when_nothing_comes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worth: int, is_first: bool
) -> None:
    monkeypatch.setattr(loads, "WORTH_A_LOAD", worth)
    found = []
    for platform in (Desk(), MemoryPlatform(weeks=20, scopes=SCOPES)):
        Connection.objects.all().delete()
        Connection.objects.create(name="snow", platform="servicenow")
        with Warehouse.open(tmp_path / f"{type(platform).__name__}.duckdb") as warehouse:
            if not is_first:
                pulled(MemoryPlatform(weeks=20, scopes=SCOPES), warehouse, as_of=NOW - timedelta(weeks=100))
            result = pulled(platform, warehouse)
            assert result.errors == []
            found.append((stand(warehouse), read(result), cursor(TICKET), cursor(SLA)))
    assert found[0] == found[1]
    assert found[0][1]["sla"][1] > PAGE


def test_little_that_comes_along_waits_for_its_turn_and_is_one_load(desk: Desk, warehouse: Warehouse) -> None:
    assert pulled(desk, warehouse).errors == []
    assert desk.asked == [TICKET, RecordKind.OUTAGE]
    assert [entry["cursor_to"] for entry in entries(SLA)] == [NOW.isoformat()]


@pytest.mark.usefixtures("at_once")
def test_from_the_beginning_clocks_are_noted_as_far_as_their_tickets(desk: Desk, warehouse: Warehouse) -> None:
    desk.fails_after = 3
    with closing(begun(desk, warehouse)) as loading:
        pulling = pull.Pulling.begin(desk, warehouse, as_of=NOW, loading=loading)
        pulling.note_loaded(TICKET)
    assert cursor(SLA) == cursor(TICKET) is not None
    assert [entry["cursor_from"] for entry in entries(SLA)][1:] == [entry["cursor_to"] for entry in entries(SLA)][:-1]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("is_first", [True, False], ids=["from the beginning", "from a cursor"])
def test_a_pull_that_ends_among_the_tickets_is_made_good_by_the_next(warehouse: Warehouse, is_first: bool) -> None:
    """As after a kill: what was noted is all that is left of it."""
    Connection.objects.create(name="snow", platform="servicenow")
    if not is_first:
        pulled(MemoryPlatform(weeks=20, scopes=SCOPES), warehouse, as_of=NOW - timedelta(weeks=108))
    before = cursor(SLA)
    killed = Desk(fails_after=3)
    with closing(begun(killed, warehouse)) as loading:
        pull.Pulling.begin(killed, warehouse, as_of=NOW, loading=loading).note_loaded(TICKET)
    assert warehouse.count(SLA, "snow")
    if not is_first:
        assert cursor(SLA) == before != cursor(TICKET)
    assert pulled(MemoryPlatform(weeks=20, scopes=SCOPES), warehouse).errors == []
    assert warehouse.count(SLA, "snow") == MemoryPlatform(weeks=20, scopes=SCOPES)._tables[SLA].num_rows


@pytest.mark.usefixtures("at_once")
def test_tickets_that_break_off_do_not_stop_the_clocks(desk: Desk, warehouse: Warehouse) -> None:
    desk.fails_after = 2
    result = pulled(desk, warehouse)
    assert result.missing == {TICKET}
    assert desk.asked == [TICKET, SLA, RecordKind.OUTAGE]
    assert (warehouse.count(SLA, "snow"), cursor(SLA)) == (desk._tables[SLA].num_rows, NOW)


def refusing(monkeypatch: pytest.MonkeyPatch, refused: RecordKind) -> None:
    """Let the warehouse refuse one load of a kind: the first of tickets, the second of SLA rows."""
    load, loaded = Warehouse.load_together, []

    def full(self: Warehouse, kind: RecordKind, *args: Any, **named: Any) -> Any:
        loaded.append(kind)
        if kind is refused and loaded.count(kind) == (2 if kind is SLA else 1):
            raise RegelkreisError("The disk is full.")
        return load(self, kind, *args, **named)

    monkeypatch.setattr(Warehouse, "load_together", full)


@pytest.mark.usefixtures("at_once")
def test_clocks_that_cannot_be_loaded_are_missing_alone_and_their_cursor_stays(
    desk: Desk, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        refusing(patched, SLA)
        result = pulled(desk, warehouse)
    assert result.missing == {SLA}
    assert result.errors == ["The disk is full."]
    assert cursor(TICKET) == NOW
    assert len(entries(SLA)) == 1
    assert cursor(SLA).isoformat() == entries(SLA)[0]["cursor_to"] < NOW.isoformat()  # type: ignore[union-attr]
    assert pulled(Desk(), warehouse).errors == []
    assert warehouse.count(SLA, "snow") == desk._tables[SLA].num_rows


@pytest.mark.usefixtures("at_once")
def test_clocks_of_tickets_that_cannot_be_loaded_are_loaded_all_the_same(
    desk: Desk, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing(monkeypatch, TICKET)
    assert pulled(desk, warehouse).missing == {TICKET}
    assert SLA not in desk.asked
    assert (warehouse.count(SLA, "snow"), cursor(SLA)) == (desk._tables[SLA].num_rows, NOW)


@pytest.mark.usefixtures("at_once")
def test_clocks_that_cannot_be_noted_are_missing_alone_and_nothing_after_them_counts(
    desk: Desk, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, seen = ledger.append, []

    def failing(kind: str, **told: Any) -> Any:
        seen.append(told["subject"])
        if told["subject"] == "snow/sla" and seen.count("snow/sla") == 2:
            raise RegelkreisError("The ledger is locked.")
        return append(kind, **told)

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "append", failing)
        result = pulled(desk, warehouse)
    assert result.missing == {SLA}
    assert len(entries(SLA)) == 1
    assert cursor(SLA) is not None
    assert cursor(SLA).isoformat() == entries(SLA)[0]["cursor_to"]  # type: ignore[union-attr]
    assert cursor(TICKET) == NOW


def test_whoever_reads_kind_by_kind_is_given_nothing_along(desk: Desk, warehouse: Warehouse) -> None:
    assert pull.pull(desk, warehouse, as_of=NOW).errors == []
    assert desk.asked == [TICKET, SLA, RecordKind.OUTAGE]
    assert warehouse.count(SLA, "snow") == desk._tables[SLA].num_rows


def test_two_that_catch_up_are_loaded_together_with_what_comes_along(warehouse: Warehouse) -> None:
    both = [Desk(name=name) for name in ("snow", "jira")]
    for one in both:
        Connection.objects.create(name=one.name, platform="servicenow")
        first = MemoryPlatform(name=one.name, weeks=20, scopes=SCOPES)
        assert pulled(first, warehouse, as_of=NOW - timedelta(weeks=108)).errors == []
    with ExitStack() as stack:
        readings = [stack.enter_context(closing(pull.Reading(one, warehouse, as_of=NOW))) for one in both]
        (group,) = pull.grouped(readings)
        loading = stack.enter_context(closing(pull.Loading(group, warehouse, as_of=NOW)))
        for one in both:
            assert pull.pull(one, warehouse, as_of=NOW, loading=loading).errors == []
    for one in both:
        assert SLA not in one.asked
        assert warehouse.count(SLA, one.name) == one._tables[SLA].num_rows
