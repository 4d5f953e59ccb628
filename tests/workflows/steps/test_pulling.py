"""The pull as a whole: its report, its ledger entries, what it remembers, and reading again from a day on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from connectors.base import BreachCount, Cursor, DeleteLog, Keys, Page, Rejected, SaysNothingOfDepartures
from improvement.errors import ConnectionFailed
from improvement.records import SCHEMAS, RecordKind
from tests.improvement.metrics.build import a_clock, a_ticket, arrow, at
from workflows.evidence import verifying
from workflows.models import Connection, LedgerEntry, PullCursor, PullReport, RejectedRecord
from workflows.steps import pull
from workflows.steps.departures import Looked
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
MONDAY = at("2026-04-06T12:00")
WEEK = timedelta(weeks=1)
TICKET, SLA = RecordKind.TICKET, RecordKind.SLA


@dataclass
class Desk(SaysNothingOfDepartures):
    """A platform whose tickets and clocks a story may change; clocks are parts of tickets."""

    name: str = "snow"
    platform: str = "servicenow"
    tickets: dict[str, Any] = field(default_factory=dict)
    clocks: dict[str, Any] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    lacks: tuple[str, ...] = ()
    breached: int | None = None
    asked_from: list[datetime | None] = field(default_factory=list)
    fails: bool = False
    requests: int = 0

    def kinds(self) -> Sequence[RecordKind]:
        return (TICKET, SLA)

    def inside_tickets(self) -> Sequence[RecordKind]:
        return (SLA,)

    def pull(self, kind: RecordKind, cursor: Cursor | None, *, until: datetime) -> Iterator[Page]:
        since = cursor.updated_at if cursor else None
        self.asked_from.append(since)
        self.requests += 2
        records = self.tickets if kind is TICKET else self.clocks
        due = [
            one for one in records.values() if (since is None or one.updated_at >= since) and one.updated_at <= until
        ]
        if kind is TICKET:
            yield Page(
                kind=kind,
                batch=arrow(kind, due) if due else SCHEMAS[kind].empty_table(),
                cursor=Cursor(updated_at=until, tiebreak="x"),
                rejected=tuple(self.rejected),
                notes=self.lacks,
                requests=2,
                retries=1,
            )
            if self.fails:
                raise ConnectionFailed("It fell asleep.")
            return
        of = sorted(
            {one.ticket_id for one in due} | {one.id for one in self.tickets.values() if one.updated_at == until}
        )
        batch = arrow(kind, due) if due else SCHEMAS[kind].empty_table()
        yield Page(
            kind=kind, batch=batch, cursor=Cursor(updated_at=until), requests=2, whole_of=pa.array(of, pa.string())
        )

    def count(self, kind: RecordKind, *, until: datetime) -> int | None:
        self.requests += 1
        there = sum(one.updated_at <= until for one in self.tickets.values())
        return there + len({one.id for one in self.rejected}) if there else 0

    def deleted(self, kind: RecordKind, *, since: datetime, until: datetime) -> DeleteLog | None:
        return DeleteLog(problem="the log is locked", mend="Unlock it.")

    def keys(self, kind: RecordKind) -> Keys | None:
        self.requests += 1
        return Keys(ids=pa.array(sorted(self.tickets)), counted=len(self.tickets))

    def gone(self, kind: RecordKind, ids: Sequence[str]) -> list[str]:
        self.requests += 1
        return [id for id in ids if id not in self.tickets]

    def breaches(self, *, since: datetime, until: datetime) -> BreachCount | None:
        return None if self.breached is None else BreachCount(count=self.breached, of="rows")

    def traffic(self) -> tuple[int, int]:
        return (self.requests, 0)

    def put(self, *ids: str, at: datetime, **fields: Any) -> None:
        for id in ids:
            self.tickets[id] = a_ticket(id, updated_at=at, **fields)
            self.clocks[f"k{id}"] = a_clock(f"k{id}", ticket_id=id, updated_at=at)


@dataclass
class Loop:
    """The desk, a warehouse, and a pull every Monday."""

    desk: Desk
    warehouse: Warehouse
    now: datetime = MONDAY

    def pull(self, **options: Any) -> pull.PullResult:
        self.desk.asked_from.clear()
        found = pull.pull(self.desk, self.warehouse, as_of=self.now, **options)  # type: ignore[arg-type]
        self.now += WEEK
        return found

    def of(self, result: pull.PullResult, kind: RecordKind = TICKET) -> PullReport:
        report = result.of(kind)
        assert report is not None
        report.refresh_from_db()
        return report


@pytest.fixture
def loop(home: Path) -> Iterator[Loop]:
    """Ten tickets, solved, with a clock each; the first pull is done."""
    Connection.objects.create(name="snow", platform="servicenow")
    desk = Desk(breached=0)
    desk.put(*(f"t{n}" for n in range(10)), at=MONDAY - timedelta(hours=2), state="resolved", resolved_at=MONDAY)
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        told = Loop(desk, warehouse)
        told.pull()
        yield told


def entries(type: str) -> list[tuple[str, dict[str, Any]]]:
    """Subject and payload of the ledger's entries of a type."""
    found = LedgerEntry.objects.filter(type=type).order_by("index")
    return [(entry.subject, json.loads(bytes(entry.data))["payload"]) for entry in found]


def test_the_report_says_what_a_pull_did(loop: Loop) -> None:
    loop.desk.put("t10", at=loop.now - timedelta(minutes=30))
    loop.desk.put("t1", at=loop.now - timedelta(hours=1), state="resolved", resolved_at=MONDAY, service="VPN")
    loop.desk.put("t2", at=loop.now - timedelta(hours=3), state="resolved", resolved_at=MONDAY)
    loop.desk.rejected = [
        Rejected(kind=TICKET, id=f"t9{n}", field="opened_at", reason="“soon” is no time") for n in "12"
    ]
    loop.desk.rejected.append(Rejected(kind=TICKET, id="t91", field="created_at", reason="“soon” is no time"))
    del loop.desk.tickets["t3"]
    shown = loop.of(loop.pull()).as_dict()
    assert {name: shown[name] for name in ("read", "new", "changed", "unchanged", "restated", "deleted")} == {
        "read": 3, "new": 1, "changed": 1, "unchanged": 1, "restated": 1, "deleted": 1,
    }  # fmt: skip
    reasons = {"opened_at: “soon” is no time": 2, "created_at: “soon” is no time": 1}
    assert (shown["rejected"], shown["reasons"]) == (2, reasons)
    assert (shown["platform_count"], shown["warehouse_count"]) == (12, 10)  # two could not be read
    assert (shown["requests"], shown["retries"], shown["lag_s"]) == (2 + 3, 1, 1800)
    assert shown["notes"] == ["The log of deletions tells nothing: the log is locked. Unlock it."]


def test_the_report_says_once_what_the_platform_leaves_out_of_its_records(loop: Loop) -> None:
    loop.desk.lacks = ("It leaves company out.",) * 2
    result = loop.pull()
    log = "The log of deletions tells nothing: the log is locked. Unlock it."
    assert loop.of(result).as_dict()["notes"] == ["It leaves company out.", log]
    assert "ticket: It leaves company out." in result.notes


def test_what_is_gone_has_an_entry_and_takes_its_clock_along(loop: Loop) -> None:
    del loop.desk.tickets["t3"]
    result = loop.pull()
    assert (loop.of(result).deleted, loop.of(result, SLA).deleted, result.deleted) == (1, 1, 2)
    assert loop.warehouse.count(SLA, "snow") == 9
    (subject, tickets), (other, clocks) = entries("pull.departed")
    assert (subject, other) == ("snow/ticket", "snow/sla")
    assert tickets["found"] == {"by the list of keys": 1}
    assert tickets["ids_sha256"] == hashlib.sha256(b"t3").hexdigest()
    assert clocks["found"] == {"with their ticket": 1}
    assert verifying.verify().is_ok
    assert loop.pull().deleted == 0
    assert len(entries("pull.departed")) == 2


def test_a_clock_that_is_no_longer_on_its_ticket_is_gone(loop: Loop) -> None:
    del loop.desk.clocks["kt5"]
    loop.desk.put("t5", at=loop.now)
    loop.desk.clocks["other"] = loop.desk.clocks.pop("kt5").__class__(
        **{**{name: getattr(a_clock(), name) for name in SCHEMAS[SLA].names},
           "id": "other", "ticket_id": "t5", "sla_id": "silver", "updated_at": loop.now}
    )  # fmt: skip
    report = loop.of(loop.pull(), SLA)
    assert (report.new, report.deleted) == (1, 1)
    assert [subject for subject, payload in entries("pull.loaded") if payload["deleted"]] == ["snow/sla"]


def test_a_failing_kind_is_not_looked_at_for_departures(loop: Loop) -> None:
    del loop.desk.tickets["t3"]
    loop.desk.fails = True
    result = loop.pull()
    assert result.missing == {TICKET}
    assert loop.of(result).deleted == 0
    assert loop.warehouse.count(TICKET, "snow") == 10
    loop.desk.fails = False
    assert loop.of(loop.pull()).deleted == 1


def test_when_what_was_looked_at_is_remembered(loop: Loop) -> None:
    row = Connection.objects.get(name="snow")
    assert set(row.reconciled) == {"ticket", "sla"}
    assert datetime.fromisoformat(row.reconciled["ticket"]["counted_at"]) == MONDAY
    loop.now = MONDAY + timedelta(days=1)
    assert loop.of(loop.pull()).platform_count is None  # not due
    assert loop.of(loop.pull(is_counted=True)).platform_count == 10
    assert set(row.reconciled["ticket"]) == set(Looked.__struct_fields__)


def test_clocks_that_changed_without_a_trace_are_read_again_and_the_cursor_stays(loop: Loop) -> None:
    cursor = PullCursor.objects.get(kind="sla").updated_at
    loop.desk.clocks["kt4"] = a_clock("kt4", ticket_id="t4", is_breached=True, updated_at=MONDAY - timedelta(hours=2))
    loop.desk.breached = 1
    report = loop.of(loop.pull(), SLA)
    assert (report.changed, report.restated) == (1, 1)
    assert loop.desk.asked_from[-1] == (MONDAY + WEEK - timedelta(weeks=13)).replace(minute=0)
    assert PullCursor.objects.get(kind="sla").updated_at == cursor + WEEK


def test_since_reads_again_from_a_day_on_and_moves_no_cursor_back(loop: Loop) -> None:
    day = MONDAY - timedelta(days=3)
    loop.desk.tickets["t1"] = a_ticket("t1", title="Changed unnoticed", updated_at=MONDAY - timedelta(days=2))
    report = loop.of(loop.pull(since=day))
    assert loop.desk.asked_from[0] == day
    assert report.changed == 1
    assert PullCursor.objects.get(kind="ticket").updated_at == MONDAY
    loop.pull()
    assert loop.desk.asked_from[0] == MONDAY


def test_since_a_day_that_was_not_reached_yet_leaves_no_hole(loop: Loop) -> None:
    loop.pull(since=loop.now - timedelta(hours=1))
    assert loop.desk.asked_from[0] == MONDAY


def test_of_a_new_connection_since_reads_only_that(home: Path) -> None:
    Connection.objects.create(name="snow", platform="servicenow")
    desk = Desk(breached=0)
    desk.put("old", at=MONDAY - 9 * WEEK)
    desk.put("young", at=MONDAY - timedelta(days=1))
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        loop = Loop(desk, warehouse)
        loop.pull(since=MONDAY - WEEK)
        assert warehouse.count(TICKET, "snow") == 1
        assert loop.pull().deleted == 0  # what was never read is not gone
        assert desk.asked_from[0] == MONDAY


@dataclass
class OpenDesk(Desk):
    """A desk that hides tickets as long as a story wants, and reads them by their ids."""

    hidden: dict[str, Any] = field(default_factory=dict)
    asked_for: list[tuple[RecordKind, int]] = field(default_factory=list)

    def hide(self, *ids: str) -> None:
        self.hidden |= {id: self.tickets.pop(id) for id in ids}

    def show(self) -> None:
        self.tickets |= self.hidden
        self.hidden.clear()

    def read_by_ids(self, kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        self.asked_for.append((kind, len(ids)))
        records = self.tickets if kind is TICKET else {one.ticket_id: one for one in self.clocks.values()}
        batch = arrow(kind, [records[id] for id in ids])
        whole_of = None if kind is TICKET else pa.array(ids, pa.string())
        yield Page(kind=kind, batch=batch, cursor=Cursor(updated_at=until), requests=1, whole_of=whole_of)


@pytest.fixture
def opened(home: Path) -> Iterator[Loop]:
    """Forty tickets, of which twenty are hidden from us; the first pull is done."""
    Connection.objects.create(name="snow", platform="servicenow")
    desk = OpenDesk(breached=0)
    desk.put(*(f"t{n}" for n in range(40)), at=MONDAY - timedelta(hours=2))
    clocks = {id: desk.clocks.pop(id) for id in [f"kt{n}" for n in range(20)]}
    desk.hide(*(f"t{n}" for n in range(20)))
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        told = Loop(desk, warehouse)
        told.pull()
        desk.clocks |= clocks
        yield told


def test_what_is_granted_is_read_with_its_clocks_and_no_cursor_moves(opened: Loop) -> None:
    cursor = PullCursor.objects.get(kind="ticket")
    assert opened.warehouse.count(TICKET, "snow") == opened.warehouse.count(SLA, "snow") == 20
    opened.desk.show()
    opened.now = MONDAY + timedelta(hours=1)
    result = opened.pull(is_counted=True)
    assert opened.desk.asked_for == [(SLA, 20), (TICKET, 20)]  # type: ignore[attr-defined]
    assert opened.warehouse.count(TICKET, "snow") == opened.warehouse.count(SLA, "snow") == 40
    assert (opened.of(result).new, opened.of(result, SLA).new, result.deleted) == (20, 20, 0)
    assert "20 records that the platform has were not here" in result.notes[-1]
    assert PullCursor.objects.get(kind="ticket").updated_at == cursor.updated_at + timedelta(hours=1)  # the pull's own
    (subject, payload), *others = entries("pull.departed")
    assert (subject, others) == ("snow/ticket", [])
    lacked = "\n".join(sorted(f"t{n}" for n in range(20)))
    assert (payload["lacked"], payload["deleted"]) == (20, 0)
    assert payload["lacked_sha256"] == hashlib.sha256(lacked.encode()).hexdigest()
    assert verifying.verify().is_ok
    opened.desk.asked_for.clear()  # type: ignore[attr-defined]
    assert opened.pull().deleted == 0
    assert sorted(opened.desk.asked_for) == [(SLA, 40), (SLA, 40), (TICKET, 40)]  # type: ignore[attr-defined]  # still as they were?


def test_a_pull_that_is_killed_while_it_reads_by_ids_reads_the_rest_the_next_time(
    opened: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.desk.show()

    def killed(kind: RecordKind, ids: Sequence[str], *, until: datetime) -> Iterator[Page]:
        yield from OpenDesk.read_by_ids(opened.desk, kind, ids, until=until)  # type: ignore[arg-type]
        if kind is not SLA:
            raise KeyboardInterrupt

    monkeypatch.setattr(opened.desk, "read_by_ids", killed)
    with pytest.raises(KeyboardInterrupt):
        opened.pull()
    assert (opened.warehouse.count(TICKET, "snow"), opened.warehouse.count(SLA, "snow")) == (20, 40)
    monkeypatch.undo()
    opened.pull()
    assert opened.warehouse.count(TICKET, "snow") == 40
    lent = opened.warehouse.arrow("SELECT DISTINCT ticket_customer AS customer FROM slas").to_pylist()
    assert lent == opened.warehouse.arrow("SELECT DISTINCT customer FROM tickets").to_pylist()


def test_an_installation_of_before_knows_by_its_ledger_that_it_began_at_the_beginning(opened: Loop) -> None:
    row = Connection.objects.get(name="snow")
    for looked in row.reconciled.values():
        del looked["is_whole"], looked["is_estimate"]
    row.save()
    opened.desk.show()
    opened.pull()
    assert opened.warehouse.count(TICKET, "snow") == 40


def test_what_a_person_left_out_with_since_is_not_read_by_ids(home: Path) -> None:
    Connection.objects.create(name="snow", platform="servicenow")
    desk = OpenDesk(breached=0)
    desk.put(*(f"old{n}" for n in range(20)), at=MONDAY - 9 * WEEK)
    desk.put("young", at=MONDAY - timedelta(days=1))
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        loop = Loop(desk, warehouse)
        for options in ({"since": MONDAY - WEEK}, {}, {"is_reconciled": True}):
            assert [note for note in loop.pull(**options).notes if "log" not in note] == []  # type: ignore[arg-type]
        assert warehouse.count(TICKET, "snow") == 1
        assert {count for _, count in desk.asked_for} == {1}


def test_reconciling_looks_at_everything_now(loop: Loop) -> None:
    loop.now = MONDAY + timedelta(hours=1)
    del loop.desk.tickets["t3"]
    assert loop.pull(is_reconciled=True).deleted == 2
    assert loop.desk.asked_from[-1] == (MONDAY + timedelta(hours=1) - timedelta(weeks=13)).replace(minute=0)


def test_each_request_is_told_once_also_of_clocks_that_are_read_again(loop: Loop) -> None:
    before = loop.desk.requests
    result = loop.pull(is_reconciled=True)
    assert len(loop.desk.asked_from) == 3  # tickets, clocks, and clocks again
    assert loop.of(result).requests + loop.of(result, SLA).requests == loop.desk.requests - before


def test_a_record_that_can_be_read_again_is_no_longer_listed_as_unreadable(loop: Loop) -> None:
    loop.desk.rejected = [Rejected(kind=TICKET, id="t77", field="opened_at", reason="no time")]
    loop.pull()
    assert RejectedRecord.objects.get().record_id == "t77"
    loop.desk.rejected = []
    loop.desk.put("t77", at=loop.now)
    loop.pull()
    assert not RejectedRecord.objects.exists()


def years(desk: Desk) -> None:
    """A ticket on the tenth of every month since the summer before last."""
    for month in range(20):
        day = at("2024-08-10T09:00") + timedelta(days=30.44 * month)
        desk.put(f"t{month}", at=day)


def test_years_are_read_month_by_month_all_kinds_of_a_month_together(home: Path) -> None:
    Connection.objects.create(name="snow", platform="servicenow")
    desk, shown = Desk(breached=0), list[pull.Reached]()
    years(desk)
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        result = Loop(desk, warehouse).pull(on_progress=shown.append)
        assert warehouse.count(TICKET, "snow") == warehouse.count(SLA, "snow") == 20
    tickets = [reached for reached in shown if reached.kind is TICKET]
    assert [reached.until for reached in tickets[:2]] == [at("2024-09-01"), at("2024-10-01")]
    assert tickets[-1].until == MONDAY
    assert [reached.read for reached in tickets] == sorted(reached.read for reached in tickets)
    assert {reached.total for reached in tickets} == {20}
    assert [reached.kind for reached in shown[:4]] == [TICKET, SLA, TICKET, SLA]
    assert (result.read, result.deleted) == (40, 0)


def test_a_back_fill_that_was_killed_goes_on_in_the_month_it_had_reached(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Connection.objects.create(name="snow", platform="servicenow")
    desk = Desk(breached=0)
    years(desk)
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        loop = Loop(desk, warehouse)

        def killed(reached: pull.Reached) -> None:
            if reached.until == at("2025-06-01"):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            loop.pull(on_progress=killed)
        loop.pull()
        starts = [start for start in desk.asked_from if start is not None]
        assert min(starts) == at("2025-05-01")  # the clocks of May were still to come
        assert warehouse.count(TICKET, "snow") == warehouse.count(SLA, "snow") == 20


def test_a_weekly_pull_is_one_span(loop: Loop) -> None:
    loop.pull()
    assert loop.desk.asked_from == [MONDAY, MONDAY]


# --- when something went wrong between two pulls --------------------------------------------------------------------


def test_after_a_pull_for_a_moment_to_come_nothing_that_changes_until_then_is_missed(loop: Loop) -> None:
    now = datetime.now(UTC)
    loop.now = now + timedelta(days=365)
    loop.pull()
    loop.desk.put("t10", at=now + timedelta(hours=1))
    loop.now = now + timedelta(days=1)
    assert loop.of(loop.pull()).new == 1
    assert loop.warehouse.count(TICKET, "snow") == 11


def test_a_warehouse_that_was_moved_away_is_filled_again(loop: Loop, tmp_path: Path) -> None:
    with Warehouse.open(tmp_path / "another" / "warehouse.duckdb") as empty:
        loop.warehouse = empty
        loop.desk.put("t10", at=loop.now - timedelta(hours=1))
        report = loop.of(loop.pull())
        assert (report.new, loop.desk.asked_from[0]) == (11, None)
        assert (empty.count(TICKET, "snow"), empty.count(SLA, "snow")) == (11, 11)
        loop.pull()
        assert loop.desk.asked_from == [MONDAY + WEEK, MONDAY + WEEK]  # once is enough


def test_a_platform_that_never_had_anything_is_not_read_anew_every_time(home: Path) -> None:
    Connection.objects.create(name="snow", platform="servicenow")
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        loop = Loop(Desk(breached=0), warehouse)
        loop.pull()
        loop.pull()
        assert loop.desk.asked_from == [MONDAY, MONDAY]


def test_a_platform_that_does_not_even_count_is_reported_kind_by_kind(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Connection.objects.create(name="snow", platform="servicenow")
    desk = Desk(fails=True)

    def refused(kind: RecordKind, *, until: datetime) -> int:
        raise ConnectionFailed("The credentials were refused.")

    monkeypatch.setattr(desk, "count", refused)
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        result = Loop(desk, warehouse).pull(on_progress=lambda reached: None)
    assert result.missing == {TICKET}
    assert result.errors == ["It fell asleep."]
