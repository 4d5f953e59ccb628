"""Loading: upserts by natural key, the change log, tombstones, digests."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bench.canonical import ZONES as BENCH_ZONES
from bench.canonical import batches
from improvement.errors import RegelkreisError, SettingsError
from improvement.records import RecordKind
from tests.improvement.metrics.build import (
    CONNECTION,
    LATER,
    ZONES,
    a_clock,
    a_contact,
    a_survey,
    a_ticket,
    a_warehouse,
    arrow,
    at,
    load,
)
from workflows.warehouse import LoadReport, Warehouse, Zones
from workflows.warehouse.schema import forget_mark


def counts(report: LoadReport) -> tuple[int, int, int, int]:
    return report.read, report.new, report.changed, report.unchanged


def everything(warehouse: Warehouse) -> dict[str, list[dict[str, Any]]]:
    names = ("tickets", "slas", "surveys", "contacts", "outages", "change_log")
    return {name: sorted(warehouse.arrow(f"SELECT * FROM {name}").to_pylist(), key=repr) for name in names}


def test_loading_the_same_records_twice_changes_nothing(tmp_path: Path) -> None:
    with a_warehouse(tmp_path) as warehouse:
        zones = Zones(BENCH_ZONES)
        first = [warehouse.load(kind, batch, seen_at=LATER, zones=zones) for kind, batch in batches(3000)]
        before = everything(warehouse)
        later = LATER + timedelta(days=1)
        again = [warehouse.load(kind, batch, seen_at=later, zones=zones) for kind, batch in batches(3000)]
        assert everything(warehouse) == before
    assert sum(report.new for report in first) == sum(report.read for report in first) > 9000
    assert [(report.new, report.changed, report.unchanged) for report in again] == [(0, 0, one.read) for one in first]
    assert [report.digest_sha256 for report in again] == [report.digest_sha256 for report in first]


def test_of_a_record_that_comes_twice_in_a_batch_the_latest_stands(tmp_path: Path) -> None:
    old, new = a_ticket(title="old", updated_at=at("2026-03-03")), a_ticket(title="new", updated_at=at("2026-03-04"))
    with a_warehouse(tmp_path) as warehouse:
        assert counts(load(warehouse, new, old)) == (2, 1, 0, 1)
        assert warehouse.arrow("SELECT title FROM live_tickets")["title"].to_pylist() == ["new"]


def test_new_changed_and_unchanged_are_told_apart(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket("t1"), a_ticket("t2")) as warehouse:
        report = load(warehouse, a_ticket("t1"), a_ticket("t2", priority=1), a_ticket("t3"))
        assert counts(report) == (3, 1, 1, 1)
        assert warehouse.count(RecordKind.TICKET, CONNECTION) == 3


def test_what_several_connections_deliver_is_one_load_and_each_is_told_its_own(tmp_path: Path) -> None:
    mine, theirs = a_ticket("t1", state="resolved"), a_ticket("t1", connection="other")
    both = [
        a_ticket("t1", state="resolved", priority=1),  # counted as done before, and now of another priority
        a_ticket("t2"),
        a_ticket("t2"),
        a_ticket("t1", connection="other"),
        a_ticket("t3", connection="other", priority=1),
    ]
    with a_warehouse(tmp_path / "together", mine, theirs) as warehouse:
        zones = ZONES
        together = warehouse.load_together(
            RecordKind.TICKET, arrow(RecordKind.TICKET, both), seen_at=LATER, zones=zones
        )
        stand = everything(warehouse)
    assert counts(together[CONNECTION]) == (3, 1, 1, 1)  # one of them twice
    assert counts(together["other"]) == (2, 1, 0, 1)
    assert (together[CONNECTION].restated, together["other"].restated) == (1, 0)
    with a_warehouse(tmp_path / "apart", mine, theirs) as warehouse:
        for name in (CONNECTION, "other"):
            batch = arrow(RecordKind.TICKET, [one for one in both if one.connection == name])
            assert warehouse.load(RecordKind.TICKET, batch, seen_at=LATER, zones=zones) == together[name]
        assert everything(warehouse) == stand


def test_a_newer_update_time_alone_is_no_change(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket()) as warehouse:
        assert counts(load(warehouse, a_ticket(updated_at=LATER))) == (1, 0, 0, 1)


def test_the_change_log_keeps_old_and_new_of_what_a_metric_reads(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_survey()) as warehouse:
        assert warehouse.changes(CONNECTION, since=at("2020-01-01")).num_rows == 0  # a new record is no change
        seen = at("2026-04-01")
        load(warehouse, a_ticket(priority=1, title="Other", resolved_at=at("2026-03-05T10:00")), seen_at=seen)
        found = warehouse.changes(CONNECTION, since=seen).to_pylist()
    assert [(row["kind"], row["key"], row["field"], row["old"], row["new"]) for row in found] == [
        ("ticket", "t1", "priority", "3", "1"),
        ("ticket", "t1", "resolved_at", None, "2026-03-05T10:00:00Z"),
    ]
    assert {row["seen_at"] for row in found} == {seen}


def test_what_vanished_becomes_a_tombstone_and_may_come_back(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket("t1"), a_ticket("t2"), a_ticket("t3", connection="other")) as warehouse:
        gone = warehouse.tombstones.bury(RecordKind.TICKET, CONNECTION, ["t1", "t3"], seen_at=at("2026-04-01"))
        assert gone == 1
        assert warehouse.tombstones.bury(RecordKind.TICKET, CONNECTION, ["t1"], seen_at=LATER) == 0
        assert sorted(warehouse.arrow("SELECT id FROM live_tickets")["id"].to_pylist()) == ["t2", "t3"]
        assert warehouse.arrow("SELECT title FROM tickets WHERE id = 't1'")["title"].to_pylist() == ["Mail is slow"]
        assert counts(load(warehouse, a_ticket("t1"), seen_at=at("2026-04-08"))) == (1, 0, 1, 0)
        assert warehouse.count(RecordKind.TICKET, CONNECTION) == 2
        changes = warehouse.changes(CONNECTION, since=at("2026-01-01")).to_pylist()
    assert [(row["field"], row["old"], row["new"]) for row in changes] == [
        ("vanished_at", None, "2026-04-01T00:00:00Z"),
        ("vanished_at", "2026-04-01T00:00:00Z", None),
    ]


def test_the_digest_does_not_depend_on_the_order_of_the_rows(tmp_path: Path) -> None:
    records = [a_ticket(f"t{number}") for number in range(50)]
    mixed = random.Random(3).sample(records, len(records))
    digests = []
    for index, batch in enumerate((records, mixed, records[:-1])):
        with a_warehouse(tmp_path / str(index)) as warehouse:
            digests.append(load(warehouse, *batch).digest_sha256)
    assert digests[0] == digests[1] != digests[2]


def test_an_empty_batch_is_fine(tmp_path: Path) -> None:
    with a_warehouse(tmp_path) as warehouse:
        report = warehouse.load(RecordKind.TICKET, arrow(RecordKind.TICKET, []), seen_at=LATER, zones=Zones())
    assert counts(report) == (0, 0, 0, 0)


def test_odd_records_are_kept(tmp_path: Path) -> None:
    odd = [
        a_ticket("long", title="x" * 10_000),
        a_ticket("emoji", title="🔥 ünïcode \u202eright to left"),
        a_ticket("html", title="<script>alert(1)</script>", customer="=HYPERLINK('x')"),
        a_ticket("early", opened_at=at("2026-03-02"), resolved_at=at("2026-03-01"), state="closed"),
        a_ticket("future", opened_at=at("2999-01-01")),
        a_ticket("ancient", opened_at=at("1701-01-01")),
        a_ticket("timeless", opened_at=None),
    ]
    with a_warehouse(tmp_path, *odd) as warehouse:
        found = {row["id"]: row for row in warehouse.arrow("SELECT * FROM live_tickets").to_pylist()}
    assert len(found) == len(odd)
    assert {one.id: one.title for one in odd} == {key: row["title"] for key, row in found.items()}
    assert found["early"]["open_s"] == 0


def test_a_failing_load_leaves_everything_as_it_was(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket()) as warehouse:
        before = everything(warehouse)
        broken = arrow(RecordKind.TICKET, [a_ticket("t2")]).drop_columns(["state"])
        with pytest.raises(KeyError):
            warehouse.load(RecordKind.TICKET, broken, seen_at=LATER, zones=Zones({"CH": "Europe/Zurich"}))
        with pytest.raises(SettingsError, match="time zone"):
            load(warehouse, a_ticket("t2"), zones=Zones({"CH": "Middle/Earth"}))
        assert everything(warehouse) == before
        assert counts(load(warehouse, a_ticket("t2"))) == (1, 1, 0, 0)


def test_local_days_follow_the_ticket_that_came_later_or_moved(tmp_path: Path) -> None:
    late = at("2026-03-02T09:30")  # still Sunday in Honolulu
    clock, survey = a_clock(end_at=late), a_survey(answered_at=late, customer=None)
    monday = 20_514
    with a_warehouse(tmp_path, clock, survey) as warehouse:
        days = "SELECT decided_day AS day FROM slas UNION ALL SELECT answered_day FROM surveys"
        assert warehouse.arrow(days)["day"].to_pylist() == [monday] * 2  # no ticket yet: the default zone
        load(warehouse, a_ticket(country="US"))
        assert warehouse.arrow(days)["day"].to_pylist() == [monday - 1] * 2
        load(warehouse, a_ticket(country="CH"))
        assert warehouse.arrow(days)["day"].to_pylist() == [monday] * 2


def test_clocks_and_surveys_count_where_their_ticket_is_now(tmp_path: Path) -> None:
    where = " UNION ALL ".join(
        f"SELECT customer, supplier, priority FROM {view}" for view in ("live_slas", "live_surveys")
    )
    with a_warehouse(tmp_path, a_clock(), a_survey(customer=None)) as warehouse:
        assert warehouse.arrow(where).to_pylist() == [{"customer": None, "supplier": None, "priority": None}] * 2
        load(warehouse, a_ticket(customer="Alpha", supplier="Kabel", priority=2))
        assert warehouse.arrow(where).to_pylist() == [{"customer": "Alpha", "supplier": "Kabel", "priority": 2}] * 2
        load(warehouse, a_ticket(customer="Beta", supplier="Kabel", priority=1))
        assert warehouse.arrow(where).to_pylist() == [{"customer": "Beta", "supplier": "Kabel", "priority": 1}] * 2


def test_the_clocks_of_a_ticket_that_is_gone_count_no_more_until_it_is_back(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(), a_ticket("t2"), a_clock(), a_clock("c2", ticket_id="t2")) as warehouse:
        warehouse.tombstones.bury(RecordKind.TICKET, CONNECTION, ["t1"], seen_at=LATER)
        assert warehouse.arrow("SELECT id FROM live_slas")["id"].to_pylist() == ["c2"]
        load(warehouse, a_ticket())
        assert sorted(warehouse.arrow("SELECT id FROM live_slas")["id"].to_pylist()) == ["c2", "k1"]


def test_a_country_that_gets_another_zone_gets_other_days(tmp_path: Path) -> None:
    late = at("2026-03-02T09:30")
    records = [a_ticket(opened_at=late), a_clock(end_at=late), a_contact(at=late)]
    sql = "SELECT opened_day FROM tickets UNION ALL SELECT end_day FROM slas UNION ALL SELECT at_day FROM contacts"
    with a_warehouse(tmp_path, *records) as warehouse:
        assert set(warehouse.arrow(sql)["opened_day"].to_pylist()) == {20_514}
        load(warehouse, a_ticket("t2"), zones=Zones({"CH": "Pacific/Honolulu"}))
        assert warehouse.arrow("SELECT opened_day FROM tickets WHERE id = 't1'")["opened_day"].to_pylist() == [20_513]
        assert warehouse.arrow("SELECT end_day FROM slas")["end_day"].to_pylist() == [20_513]
        assert warehouse.arrow("SELECT at_day FROM contacts")["at_day"].to_pylist() == [20_513]


def test_a_file_of_an_older_version_gets_what_it_lacks(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(state="closed", resolved_at=at("2026-03-05"))) as warehouse:
        for statement in (
            "DROP VIEW live_tickets", "ALTER TABLE tickets DROP COLUMN open_s", "UPDATE meta SET fingerprint = 'old'"
        ):  # fmt: skip
            warehouse._raw.execute(statement)
    with a_warehouse(tmp_path) as warehouse:
        assert warehouse.arrow("SELECT open_s FROM live_tickets")["open_s"].to_pylist() == [3 * 86_400]


def test_clocks_of_an_older_version_learn_what_their_ticket_lends(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(customer="Acme"), a_clock()) as warehouse:
        for statement in (
            "DROP VIEW live_slas", "ALTER TABLE slas DROP COLUMN ticket_customer",
            "ALTER TABLE slas DROP COLUMN is_ticket_gone", "UPDATE meta SET fingerprint = 'old'"
        ):  # fmt: skip
            warehouse._raw.execute(statement)
    with a_warehouse(tmp_path) as warehouse:
        assert warehouse.arrow("SELECT customer FROM live_slas")["customer"].to_pylist() == ["Acme"]


def test_a_derivation_that_broke_off_begins_again(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket(customer="Acme"), a_clock()) as warehouse:
        warehouse._raw.execute("UPDATE slas SET ticket_customer = NULL")
        forget_mark(warehouse._raw)  # as it stands in the file until every piece is derived
    with a_warehouse(tmp_path) as warehouse:
        assert warehouse.arrow("SELECT customer FROM live_slas")["customer"].to_pylist() == ["Acme"]


def test_a_file_that_is_no_warehouse_says_so(tmp_path: Path) -> None:
    (tmp_path / "warehouse.duckdb").write_text("not a database at all, " * 1000)
    with pytest.raises(RegelkreisError, match="cannot be opened"), a_warehouse(tmp_path):
        pass


def test_nul_characters_go_and_everything_else_of_a_text_stays(tmp_path: Path) -> None:
    """PostgreSQL keeps no NUL: as a customer's name it would stop the cycles of all connections."""
    text = "\U0001f4a5 \u202eשלום\u2028\x1f"
    odd = a_ticket("odd", customer=f"\0{text}\0", title="\0")
    with a_warehouse(tmp_path, a_ticket("plain", customer="Acme"), odd) as warehouse:
        found = warehouse.arrow("SELECT id, customer, title FROM tickets ORDER BY id").to_pylist()
        assert [(row["id"], row["customer"]) for row in found] == [("odd", text), ("plain", "Acme")]
        assert found[0]["title"] == ""
