"""Published points stay as they were seen; what late data make of them is shown beside."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.db import connection

from improvement import weeks
from improvement.metrics import CATALOGUE
from improvement.records import SCHEMAS, RecordKind
from tests.improvement.metrics.build import a_clock, a_contact, a_survey, a_ticket, a_warehouse, at, load
from tests.workflows.conftest import RULE
from tests.workflows.platform import START, MemoryPlatform
from workflows import cycle
from workflows.evidence import verifying
from workflows.models import Action, Connection, LedgerEntry, Point
from workflows.restating import restated_values
from workflows.rules.live import live_rules
from workflows.steps import pull, restate, restate_points
from workflows.warehouse import Warehouse, our_warehouse
from workflows.warehouse.schema import LENDING

pytestmark = pytest.mark.django_db
FIRST = weeks.week_of(START.date())
REPAIRED = 75  # the week, counted from the start, whose breaches of Mail turn out to be none


@pytest.fixture
def platform(home: Path) -> MemoryPlatform:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    return MemoryPlatform(scopes={"Mail": {0: 0.1, 70: 0.3}, "Quiet": {0: 0.08}})


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was counted again: metric, first and last week since the start."""
    asked: list[Any] = []
    cells = Warehouse.cells

    def counting(self: Warehouse, query: Any, **window: Any) -> Any:
        if window["first_week"] > FIRST:  # an action's reference is longer
            asked.append((query.metric, window["first_week"] - FIRST, window["last_week"] - FIRST))
        return cells(self, query, **window)

    monkeypatch.setattr(restate_points.Warehouse, "cells", counting)
    return asked


def after_a_cycle(platform: MemoryPlatform, moment: datetime) -> list[str]:
    summary = cycle.run_with([platform], as_of=moment)
    assert summary.errors == []
    return restate_points.restate_all(as_of=moment, published=summary.published)


def repaired(platform: MemoryPlatform, moment: datetime, *, is_breached: bool = False) -> None:
    """The clocks of one week are rewritten, as an SLA repair does."""
    rows = platform._tables[RecordKind.SLA].to_pylist()
    for row in rows:
        if row["ticket_id"].startswith(f"Mail-{REPAIRED}-"):
            row |= {"is_breached": is_breached, "updated_at": moment, "end_at": row["end_at"]}
    platform._tables = {**platform._tables, RecordKind.SLA: pa.Table.from_pylist(rows, schema=SCHEMAS[RecordKind.SLA])}


def pulled_late(platform: MemoryPlatform, at: datetime) -> None:
    """A repair comes with a pull for a moment, as of somebody who waited for the warehouse."""
    repaired(platform, at)
    with our_warehouse() as warehouse:
        assert pull.pull(platform, warehouse, as_of=at, since=at - timedelta(days=1)).errors == []


def restated(service: str = "Mail") -> dict[int, tuple[float | None, float | None]]:
    """Published and later value of the points that have one, by week since the start."""
    points = Point.objects.filter(finding__scope__service=service, later_at__isnull=False).order_by("week")
    return {point.week - FIRST: (point.value, point.later_value) for point in points}


@pytest.mark.parametrize("edit", ["removed", "counts otherwise"])
def test_values_behind_an_open_action_are_restated_although_its_rule_is_live_no_more(
    platform: MemoryPlatform, monday: datetime, home: Path, edit: str
) -> None:
    for week in range(2):
        after_a_cycle(platform, monday + timedelta(weeks=week))
    assert Action.objects.get().scope["service"] == "Mail"
    rule = RULE.replace("id: sla", "id: other") if edit == "removed" else RULE.replace("window: 4w", "window: 2w")
    (home / "rules" / "sla.yaml").write_text(rule, encoding="utf-8")
    after_a_cycle(platform, monday + timedelta(weeks=2))
    repaired(platform, monday + timedelta(weeks=2, days=1))
    lines = after_a_cycle(platform, monday + timedelta(weeks=3))
    of_then = {week for week in restated() if REPAIRED <= week < REPAIRED + 4}
    assert of_then == {75, 76, 77, 78}
    assert any(line.startswith("sla [") for line in lines)
    entry = json.loads(bytes(LedgerEntry.objects.filter(type="points.restated", subject="sla").latest("index").data))
    assert entry["payload"]["open_actions"] == ["ACT-1"]


def test_values_of_another_window_touch_no_action_that_was_opened_on_its_own(
    platform: MemoryPlatform, monday: datetime, home: Path
) -> None:
    for week in range(2):
        after_a_cycle(platform, monday + timedelta(weeks=week))
    (home / "rules" / "sla.yaml").write_text(RULE.replace("window: 4w", "window: 8w"), encoding="utf-8")
    after_a_cycle(platform, monday + timedelta(weeks=2))
    repaired(platform, monday + timedelta(weeks=2, days=1))
    after_a_cycle(platform, monday + timedelta(weeks=3))
    rows = LedgerEntry.objects.filter(type="points.restated", subject="sla")
    told = {one["rule_sha256"]: one["open_actions"] for one in (json.loads(bytes(row.data))["payload"] for row in rows)}
    assert told.pop(Action.objects.get().rule_sha256) == ["ACT-1"]
    assert list(told.values()) == [[]]


def test_what_a_rule_counted_before_is_told_in_its_own_unit(
    platform: MemoryPlatform, monday: datetime, home: Path
) -> None:
    for week in range(2):
        after_a_cycle(platform, monday + timedelta(weeks=week))
    hours = RULE.replace("sla_breach_rate", "time_to_resolve").replace("max: 15%", "max: 300h")
    hours = hours.replace(", sla.target: resolution, sla.agreement: sla", "")
    (home / "rules" / "sla.yaml").write_text(hours, encoding="utf-8")
    after_a_cycle(platform, monday + timedelta(weeks=2))
    repaired(platform, monday + timedelta(weeks=2, days=1))
    after_a_cycle(platform, monday + timedelta(weeks=3))
    (told,) = restated_values.report(as_of=monday + timedelta(weeks=3)).restatements
    texts = [line.text for line in told.lines() if "→" in line.text]
    assert texts
    assert all(text.count(" %") == 2 for text in texts)


@pytest.mark.parametrize("edit", ["removed", "counts otherwise"])
def test_what_came_late_while_nothing_counted_it_is_told_when_the_rule_is_taken_up_again(
    platform: MemoryPlatform, monday: datetime, home: Path, edit: str
) -> None:
    observing, file = RULE.replace("mode: open", "mode: observe"), home / "rules" / "sla.yaml"
    file.write_text(observing, encoding="utf-8")
    for week in range(2):
        after_a_cycle(platform, monday + timedelta(weeks=week))
    other = observing.replace("id: sla", "id: other") if edit == "removed" else observing.replace(": 4w", ": 2w")
    file.write_text(other, encoding="utf-8")
    after_a_cycle(platform, monday + timedelta(weeks=2))
    repaired(platform, monday + timedelta(weeks=2, days=1))
    after_a_cycle(platform, monday + timedelta(weeks=3))
    file.write_text(observing, encoding="utf-8")
    assert cycle.run_with([platform], as_of=monday + timedelta(weeks=4)).errors == []  # and is killed
    after_a_cycle(platform, monday + timedelta(weeks=4, hours=1))
    assert {week for week in restated() if week < REPAIRED + 4} >= {75, 76, 77, 78}
    entry = json.loads(bytes(LedgerEntry.objects.filter(type="points.restated", subject="sla").latest("index").data))
    assert entry["payload"]["causes"] == ["rule taken up again"]
    assert after_a_cycle(platform, monday + timedelta(weeks=5)) == []


def test_late_data_of_the_cycle_after_a_rule_came_back_have_their_own_cause_only(
    platform: MemoryPlatform, monday: datetime, home: Path
) -> None:
    observing, file = RULE.replace("mode: open", "mode: observe"), home / "rules" / "sla.yaml"
    for week, text in enumerate((observing, observing.replace("id: sla", "id: other"), observing)):
        file.write_text(text, encoding="utf-8")
        after_a_cycle(platform, monday + timedelta(weeks=week))
    repaired(platform, monday + timedelta(weeks=2, days=1))
    assert after_a_cycle(platform, monday + timedelta(weeks=3))
    entry = json.loads(bytes(LedgerEntry.objects.filter(type="points.restated", subject="sla").get().data))
    assert entry["payload"]["causes"] == ["sla is_breached"]


def test_late_data_are_told_of_a_rule_that_went_and_came_back_while_a_cycle_ran(
    platform: MemoryPlatform, monday: datetime, home: Path
) -> None:
    observing, file = RULE.replace("mode: open", "mode: observe"), home / "rules" / "sla.yaml"
    file.write_text(observing, encoding="utf-8")
    after_a_cycle(platform, monday)
    second = monday + timedelta(weeks=1)
    published = cycle.run_with([platform], as_of=second).published
    for text in (observing.replace("id: sla", "id: other"), observing):
        file.write_text(text, encoding="utf-8")
        live_rules(as_of=second + timedelta(minutes=1), errors=[])
    assert restate_points.restate_all(as_of=second, published=published) == []
    repaired(platform, second + timedelta(days=1))
    assert after_a_cycle(platform, monday + timedelta(weeks=2))


@pytest.mark.parametrize("mode", ["observe", "open"])
def test_what_came_late_while_a_rule_could_not_be_read_is_told_once(
    platform: MemoryPlatform, monday: datetime, home: Path, mode: str
) -> None:
    rule, file = RULE.replace("mode: open", f"mode: {mode}"), home / "rules" / "sla.yaml"
    file.write_text(rule, encoding="utf-8")
    for week in range(2):
        after_a_cycle(platform, monday + timedelta(weeks=week))
    file.write_text("kind: [", encoding="utf-8")
    repaired(platform, monday + timedelta(weeks=1, days=1))
    broken = cycle.run_with([platform], as_of=monday + timedelta(weeks=2))
    assert broken.errors
    assert broken.rules_removed == []
    restate_points.restate_all(as_of=monday + timedelta(weeks=2), published=broken.published)
    file.write_text(rule, encoding="utf-8")
    after_a_cycle(platform, monday + timedelta(weeks=3))
    assert set(restated()) == {75, 76, 77, 78}
    assert LedgerEntry.objects.filter(type="points.restated").count() == 1


def test_without_late_data_nothing_is_counted_again(
    platform: MemoryPlatform, monday: datetime, counted: list[Any]
) -> None:
    for week in range(4):
        assert after_a_cycle(platform, monday + timedelta(weeks=week)) == []
    assert restated() == {}
    assert counted == []


def test_a_repaired_week_is_shown_beside_in_every_window_that_holds_it(
    platform: MemoryPlatform, monday: datetime, counted: list[Any]
) -> None:
    after_a_cycle(platform, monday)
    published = dict(Point.objects.values_list("id", "value"))
    repaired(platform, monday + timedelta(days=3))
    lines = after_a_cycle(platform, monday + timedelta(weeks=1))
    # One week more: some ran out on a Monday, which may have been a Sunday there.
    assert counted == [("sla_breach_rate", REPAIRED - 4, REPAIRED + 2)]
    assert set(restated()) == {REPAIRED, REPAIRED + 1, REPAIRED + 2}  # 77 was the last week of which a point was there
    assert all(later < value for value, later in restated().values() if value and later is not None)
    assert restated("Quiet") == {}
    assert {point.pk: point.value for point in Point.objects.filter(pk__in=published)} == published
    week = weeks.label(FIRST + REPAIRED)
    assert any(f"sla [country=CH,customer=Acme,service=Mail] {week}: " in line and " → " in line for line in lines)
    assert LedgerEntry.objects.filter(type="points.restated", subject="sla").count() == 1
    assert verifying.verify().is_ok


def test_what_is_said_once_is_not_said_again_and_may_be_taken_back(platform: MemoryPlatform, monday: datetime) -> None:
    after_a_cycle(platform, monday)
    before = platform._tables
    repaired(platform, monday + timedelta(days=3))
    assert after_a_cycle(platform, monday + timedelta(weeks=1))
    assert after_a_cycle(platform, monday + timedelta(weeks=2)) == []
    assert len(restated()) == 3
    rows = before[RecordKind.SLA].to_pylist()
    for row in rows:
        if row["ticket_id"].startswith(f"Mail-{REPAIRED}-"):
            row["updated_at"] = monday + timedelta(days=16)
    platform._tables = {**before, RecordKind.SLA: pa.Table.from_pylist(rows, schema=SCHEMAS[RecordKind.SLA])}
    assert after_a_cycle(platform, monday + timedelta(weeks=3))
    assert set(restated()) == {REPAIRED + 3}  # published in between


def test_an_edit_of_what_is_counted_leaves_the_points_of_before_alone(
    home: Path, platform: MemoryPlatform, monday: datetime
) -> None:
    after_a_cycle(platform, monday)
    (home / "rules" / "sla.yaml").write_text(RULE.replace("window: 4w", "window: 2w"), encoding="utf-8")
    after_a_cycle(platform, monday + timedelta(weeks=1))
    repaired(platform, monday + timedelta(days=10))
    after_a_cycle(platform, monday + timedelta(weeks=2))
    assert restated() == {}  # week 75 ends no window of the new series that was published


def test_a_cycle_left_out_overlooks_nothing(platform: MemoryPlatform, monday: datetime) -> None:
    after_a_cycle(platform, monday)
    repaired(platform, monday + timedelta(days=3))
    cycle.run_with([platform], as_of=monday + timedelta(weeks=1))  # this one broke off before points were restated
    assert after_a_cycle(platform, monday + timedelta(weeks=2))
    assert len(restated()) == 3


def test_what_a_cycle_published_that_broke_off_is_restated_too(platform: MemoryPlatform, monday: datetime) -> None:
    after_a_cycle(platform, monday)
    cycle.run_with([platform], as_of=monday + timedelta(weeks=1))  # published week 78, and restated nothing
    repaired(platform, monday + timedelta(days=10))
    assert after_a_cycle(platform, monday + timedelta(weeks=2))
    assert set(restated()) == {REPAIRED, REPAIRED + 1, REPAIRED + 2, REPAIRED + 3}


def test_late_data_of_a_second_cycle_in_a_week_reaches_what_the_first_published_before_it_broke_off(
    platform: MemoryPlatform, monday: datetime
) -> None:
    after_a_cycle(platform, monday)
    second = monday + timedelta(weeks=1)
    cycle.run_with([platform], as_of=second)  # published week 78, and restated nothing
    repaired(platform, second + timedelta(hours=1))
    assert after_a_cycle(platform, second + timedelta(hours=2))
    assert set(restated()) == {REPAIRED, REPAIRED + 1, REPAIRED + 2, REPAIRED + 3}


def test_so_it_does_when_the_second_cycle_breaks_off_as_well_or_is_for_the_same_moment(
    platform: MemoryPlatform, monday: datetime
) -> None:
    after_a_cycle(platform, monday)
    second = monday + timedelta(weeks=1)
    cycle.run_with([platform], as_of=second)
    repaired(platform, second)
    cycle.run_with([platform], as_of=second)
    assert after_a_cycle(platform, second)
    assert set(restated()) == {REPAIRED, REPAIRED + 1, REPAIRED + 2, REPAIRED + 3}


def test_late_data_reaches_what_the_very_first_cycle_published_before_it_broke_off(
    platform: MemoryPlatform, monday: datetime
) -> None:
    cycle.run_with([platform], as_of=monday)
    repaired(platform, monday + timedelta(hours=1))
    assert after_a_cycle(platform, monday + timedelta(hours=2))
    assert set(restated()) == {REPAIRED, REPAIRED + 1, REPAIRED + 2}
    entry = json.loads(bytes(LedgerEntry.objects.filter(type="points.restated").latest("index").data))
    assert entry["payload"]["causes"] == ["read for the first time"]


@pytest.mark.parametrize("earlier", [timedelta(0), timedelta(hours=5)])
def test_what_is_loaded_for_a_moment_that_was_restated_already_is_not_overlooked(
    platform: MemoryPlatform, monday: datetime, earlier: timedelta
) -> None:
    after_a_cycle(platform, monday)
    pulled_late(platform, monday - earlier)
    assert after_a_cycle(platform, monday + timedelta(weeks=1))
    assert set(restated()) == {REPAIRED, REPAIRED + 1, REPAIRED + 2}


def test_what_another_process_loads_before_points_are_restated_reaches_what_was_just_published(
    platform: MemoryPlatform, monday: datetime
) -> None:
    after_a_cycle(platform, monday)
    second = monday + timedelta(weeks=1)
    summary = cycle.run_with([platform], as_of=second)
    pulled_late(platform, second - timedelta(minutes=1))
    cycle.catch_up(as_of=second, published=summary.published)
    assert set(restated()) == {REPAIRED, REPAIRED + 1, REPAIRED + 2, REPAIRED + 3}


def test_of_every_metric_it_is_known_what_moves_its_points(tmp_path: Path) -> None:
    reads = {one for metric in CATALOGUE.values() for one in restate_points.reads_for_points(metric)}
    opened: dict[str, Any] = {"opened_at": at("2026-03-02"), "state": "in_progress"}
    with a_warehouse(tmp_path) as warehouse:
        load(warehouse, a_ticket(**opened), a_clock(), a_survey(), a_contact(), seen_at=at("2026-03-06"))
        since = at("2026-03-07")
        quiet = restate_points.touched_weeks(warehouse, reads, "snow", since=since)
        moved: dict[str, Any] = {"customer": "Globex"}
        done: dict[str, Any] = {"resolved_at": at("2026-03-09"), "state": "resolved"}
        load(warehouse, a_ticket(**opened | moved | done), a_contact(at=at("2026-03-10")), seen_at=at("2026-03-12"))
        late = restate_points.touched_weeks(warehouse, reads, "snow", since=since)
        slow = {one: slowly(warehouse, one, since.isoformat()) for one in reads}
    assert all(found == {} for found in quiet.values())
    assert all(f"{one.kind} customer" in found for one, found in late.items() if one.table in ("slas", "surveys"))
    assert {one: set().union(*found.values()) for one, found in late.items()} == slow


def slowly(warehouse: Any, reads: restate.Reads, since: str) -> set[int]:
    """The weeks that records count in, now or before, to which something happened; asked one thing after the other."""
    table, day, key = reads.table, reads.day, "t.id = c.key"
    if reads.kind == "sla":
        key = "starts_with(c.key, t.ticket_id || '/')"
    happened = f"SELECT t.{day} AS day FROM change_log c, {table} t WHERE c.seen_at > '{since}'"
    asked = [
        f"SELECT {day} AS day FROM {table} t WHERE first_seen_at > '{since}' AND {reads.only}",
        f"{happened} AND c.kind = '{reads.kind}' AND {key} AND {reads.loud} AND {reads.only}",
    ]
    if table in ("slas", "surveys"):
        fields = ", ".join(map(repr, LENDING))
        asked.append(f"{happened} AND c.kind = 'ticket' AND t.ticket_id = c.key AND c.field IN ({fields})")
    for instant in reads.instants:
        old = "epoch_us(TRY_CAST(c.old AS TIMESTAMPTZ)) // 86400000000"
        asked.append(
            f"SELECT {old} AS day FROM change_log c WHERE c.seen_at > '{since}' AND c.kind = '{reads.kind}' "
            f"AND c.field = '{instant}'"
        )
    days = {one for sql in asked for one in warehouse.arrow(sql)["day"].to_pylist()}
    return {weeks.week_of_day(day) for day in days - {None}}


def test_what_a_rule_neither_groups_nor_filters_by_moves_nothing(
    platform: MemoryPlatform, monday: datetime, counted: list[Any]
) -> None:
    after_a_cycle(platform, monday)
    rows = platform._tables[RecordKind.TICKET].to_pylist()
    for row in rows:
        if row["id"].startswith(f"Mail-{REPAIRED}-"):
            row |= {"assignment_group": "others", "updated_at": monday + timedelta(days=3)}
    moved = pa.Table.from_pylist(rows, schema=SCHEMAS[RecordKind.TICKET])
    platform._tables = {**platform._tables, RecordKind.TICKET: moved}
    assert after_a_cycle(platform, monday + timedelta(weeks=1)) == []
    assert counted == []


def test_the_first_week_is_a_monday() -> None:
    assert weeks.week_of_day(weeks.day_of(date(2026, 3, 1))) == weeks.week_of(date(2026, 3, 1))


def test_people_go_on_while_values_are_counted_again(
    platform: MemoryPlatform, monday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite a transaction that is open shuts out whoever wants to write."""
    cells, open_ones = Warehouse.cells, []

    def counting(self: Warehouse, *arguments: Any, **window: Any) -> Any:
        open_ones.append(len(connection.savepoint_ids))  # within the test's own
        return cells(self, *arguments, **window)

    after_a_cycle(platform, monday)
    pulled_late(platform, monday + timedelta(days=2))
    monkeypatch.setattr(restate_points.Warehouse, "cells", counting)
    assert restate_points.restate_all(as_of=monday + timedelta(days=2)) != []
    assert set(open_ones) == {0}
