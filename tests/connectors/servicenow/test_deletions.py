"""What is gone from an instance: its log, its keys, single questions; and what may only look as if it were gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.answers import TooHeavy
from connectors.base import Cursor
from connectors.sandbox.generator import generate
from connectors.sandbox.testing import RunningSandbox, running_sandbox
from connectors.sandbox.world import World
from improvement.errors import ConnectionFailed, PermissionMissing
from improvement.records import RecordKind
from tests.connectors.servicenow.conftest import END, Connect, Person, a_ticket, a_world, pulled

TICKET, SLA = RecordKind.TICKET, RecordKind.SLA
Serve = Callable[..., RunningSandbox]
LONG_AGO = END - timedelta(weeks=4)


def small() -> World:
    world = generate("servicenow", size="small")
    world.tickets = world.tickets[:300]
    return world


@pytest.fixture(scope="module")
def served() -> Iterator[RunningSandbox]:
    with running_sandbox(platforms=("servicenow",), worlds={"servicenow": small()}) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "served" in request.fixturenames:
        request.getfixturevalue("served").set_faults("servicenow")


def three(serve: Serve, **options: Any) -> RunningSandbox:
    return serve(a_world(a_ticket(1), a_ticket(2), a_ticket(3)), **options)


def test_the_log_names_what_was_deleted_in_its_span_and_of_its_kind(serve: Serve, connect: Connect) -> None:
    running = three(serve)
    connector = connect(running)
    ids = sorted(pulled(connector, TICKET).ids)
    person = Person(running.servicenow_url, "admin")
    later = END + timedelta(days=1)
    running.set_clock(later)
    person.send_away("incident", ids[0])
    log = connector.deleted(TICKET, since=END, until=later)
    assert log is not None
    assert (log.ids, log.problem) == ((ids[0],), "")
    again = connector.deleted(SLA, since=END, until=later)
    assert again is not None
    assert again.ids == ()
    before = connector.deleted(TICKET, since=LONG_AGO, until=END)
    assert before is not None
    assert before.ids == ()


def test_one_reading_of_the_log_serves_all_kinds(serve: Serve, connect: Connect) -> None:
    connector = connect(three(serve))
    connector.deleted(TICKET, since=LONG_AGO, until=END)
    before = connector.traffic()
    for kind in connector.kinds():
        connector.deleted(kind, since=LONG_AGO, until=END)
    assert connector.traffic() == before


def test_the_log_of_a_table_that_others_extend_names_their_records_too(serve: Serve, connect: Connect) -> None:
    running = three(serve)
    zero = {"constant": 0}
    fields: dict[str, Any] = {"number": "number", "opened_at": "opened_at", "kind": {"constant": "incident"}}
    fields |= {"state": {"constant": "new"}, "is_major": zero, "reopen_count": zero, "reassignment_count": zero}
    tasks = {"kind": "ticket", "source": "task", "filter": "sys_class_name=incident", "fields": fields}
    others = {name: {"is_enabled": False} for name in ("incident", "request", "problem", "change")}
    connector = connect(running, mapping={"tasks": tasks, **others})
    gone = pulled(connector, TICKET).ids[0]
    running.set_clock(END + timedelta(days=1))
    Person(running.servicenow_url, "admin").send_away("incident", gone)
    log = connector.deleted(TICKET, since=END, until=END + timedelta(days=1))
    assert log is not None
    assert log.ids == (gone,)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"denied": {"regelkreis": ("sys_audit_delete",)}}, "sys_audit_delete"),
        ({"hidden_rows": {"regelkreis": {"sys_audit_delete": "tablename=incident"}}}, "hidden from us"),
    ],
)
def test_a_log_that_tells_us_nothing_says_so(options: Any, said: str, serve: Serve, connect: Connect) -> None:
    running = three(serve, **options)
    connector = connect(running)
    gone = pulled(connector, TICKET).ids[0]
    running.set_clock(END + timedelta(days=1))
    Person(running.servicenow_url, "admin").send_away("incident", gone)
    log = connector.deleted(TICKET, since=END, until=END + timedelta(days=1))
    assert log is not None
    assert log.ids == ()
    assert said in log.problem
    assert "sys_audit_delete" in log.mend


def test_doctor_tells_what_is_lost_without_the_log(serve: Serve, connect: Connect) -> None:
    connector = connect(three(serve, denied={"regelkreis": ("sys_audit_delete",)}))
    (found,) = [finding for finding in connector.describe().findings if "sys_audit_delete" in finding.check]
    assert not found.is_ok
    assert "within a week" in found.detail
    assert found.mend


@pytest.mark.parametrize("kind", [TICKET, SLA, RecordKind.SURVEY])
def test_keys_are_those_of_all_records_whatever_happens_on_the_way(
    kind: RecordKind, served: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.servicenow.deletions.KEYS_PER_PAGE", 40)
    connector = connect(served)
    expected = sorted(pulled(connector, kind, until=served.clock()).ids)
    keys_of = {"path": "/table/", "query": "ORDERBYsys_id"}
    served.set_faults(
        "servicenow",
        {"kind": "cut_body", **keys_of, "after": 1, "times": 2},
        {"kind": "duplicate_page", **keys_of, "after": 3},
        {"kind": "error_in_200", **keys_of, "after": 4},
        {"kind": "reset_after", **keys_of, "after": 5},
    )
    keys = connector.keys(kind)
    assert keys is not None
    assert sorted(keys.ids.to_pylist()) == expected
    assert keys.counted == len(expected)


def test_a_list_that_cannot_be_read_to_its_end_is_an_error_and_no_shorter_list(
    served: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.servicenow.deletions.KEYS_PER_PAGE", 40)
    connector = connect(served, max_attempts=2)
    connector.kinds()
    connector.count(TICKET, until=served.clock())
    rule = {"kind": "error_in_200", "path": "/table/", "query": "ORDERBYsys_id", "after": 2, "times": None}
    served.set_faults("servicenow", rule)
    with pytest.raises(ConnectionFailed, match="cannot be read"):
        connector.keys(TICKET)


def test_rows_hidden_behind_pages_are_missing_from_the_list_and_counted(
    served: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.servicenow.deletions.KEYS_PER_PAGE", 7)
    everybody, reader = connect(served).keys(TICKET), connect(served, user="reader").keys(TICKET)
    assert everybody is not None
    assert reader is not None
    hidden = sorted(set(everybody.ids.to_pylist()) - set(reader.ids.to_pylist()))
    assert 0 < len(hidden) < 100  # priority 1
    assert reader.counted == len(everybody.ids) == len(reader.ids) + len(hidden)
    assert connect(served, user="reader").gone(TICKET, hidden) == []  # hidden is not gone


def test_each_record_is_asked_for_in_few_requests(served: RunningSandbox, connect: Connect) -> None:
    connector = connect(served)
    there = pulled(connector, TICKET, until=served.clock()).ids
    never = [f"{number:032x}" for number in range(250)]
    before = connector.traffic()[0]
    assert connector.gone(TICKET, never) == never
    assert connector.traffic()[0] - before == 3 * 4 + 3  # hundred by hundred, four tables; and in the one above
    mixed = [*there[:60], *never[:3], *there[60:90]]
    assert connector.gone(TICKET, mixed) == never[:3]


def test_what_no_longer_fits_the_filter_is_gone(serve: Serve, connect: Connect) -> None:
    running = three(serve)
    ids = pulled(connect(running), TICKET).ids
    narrowed = connect(running, mapping={"incident": {"filter": f"sys_id!={ids[0]}^NQsys_id=0"}})
    gone = narrowed.gone(TICKET, [*ids, "0" * 32])
    assert (gone, gone.outside) == ([ids[0], "0" * 32], (ids[0],))  # the other never was
    keys = narrowed.keys(TICKET)
    assert keys is not None
    assert sorted(keys.ids.to_pylist()) == sorted(ids[1:])


def test_what_is_of_a_source_that_was_switched_off_is_there_and_outside(serve: Serve, connect: Connect) -> None:
    running = three(serve)
    ids = pulled(connect(running), TICKET).ids
    without = connect(running, mapping={"incident": {"is_enabled": False}})
    gone = without.gone(TICKET, [*ids, "0" * 32])
    assert (sorted(gone), sorted(gone.outside)) == (sorted([*ids, "0" * 32]), sorted(ids))
    running.set_options("servicenow", denied={"regelkreis": ("task",)})
    assert without.gone(TICKET, ids).outside == ()  # nobody can tell


def test_rows_are_read_by_their_sys_ids_within_the_filter(
    served: RunningSandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.servicenow.pull.IDS_PER_QUERY", 20)
    now = served.clock()
    connector = connect(served, page_size=15)
    for kind in (TICKET, SLA, RecordKind.SURVEY):
        whole = pulled(connector, kind, until=now).table.to_pylist()
        asked = [row["id"] for row in whole][:70]
        pages = list(connector.read_by_ids(kind, [*asked, "0" * 32], until=now))
        found = {row["id"]: row for page in pages for row in page.batch.to_pylist()}
        assert found == {row["id"]: row for row in whole[:70]}
    incidents = pulled(connector, TICKET, until=now).table.to_pylist()
    narrowed = connect(served, mapping={"incident": {"filter": "priority=3^NQpriority=4"}})
    wanted = sorted(row["id"] for row in incidents if row["kind"] == "incident" and row["priority"] in (3, 4))
    asked = [row["id"] for row in incidents if row["kind"] == "incident"]
    shown = [id for page in narrowed.read_by_ids(TICKET, asked, until=now) for id in page.batch["id"].to_pylist()]
    assert sorted(shown) == wanted


def test_rows_read_by_their_sys_ids_are_not_newer_than_the_pull(serve: Serve, connect: Connect) -> None:
    running = three(serve)
    connector = connect(running)
    ids = pulled(connector, TICKET).ids
    running.set_clock(END + timedelta(days=1))
    running.happen("servicenow", "mass_update", table="incident", count=1)
    found = [id for page in connector.read_by_ids(TICKET, ids, until=END) for id in page.batch["id"].to_pylist()]
    assert len(found) == len(ids) - 1


def test_without_the_right_to_count_nothing_is_said_to_be_gone(serve: Serve, connect: Connect) -> None:
    running = three(serve)
    connector = connect(running)
    ids = pulled(connector, TICKET).ids
    running.set_faults("servicenow", {"kind": "refuse", "status": 403, "path": "/stats/", "times": None})
    with pytest.raises(PermissionMissing):
        connector.gone(TICKET, ids)
    with pytest.raises(PermissionMissing):
        connector.keys(TICKET)


@pytest.mark.parametrize("fault", ["cut_body", "error_in_200"])
def test_a_count_that_is_not_whole_is_asked_for_again_and_never_believed(
    fault: str, serve: Serve, connect: Connect
) -> None:
    running = three(serve)
    connector = connect(running)
    ids = pulled(connector, TICKET).ids
    trap: dict[str, Any] = {"kind": fault, "path": "/stats/"}
    running.set_faults("servicenow", trap | {"times": 2})
    assert connector.count(TICKET, until=END) == len(ids)
    running.set_faults("servicenow", trap | {"times": None})
    with pytest.raises(TooHeavy):
        connector.gone(TICKET, ids[:1])


def test_breaches_cannot_be_counted_where_they_are_read_from_other_columns(serve: Serve, connect: Connect) -> None:
    running = three(serve)
    span = {"since": LONG_AGO, "until": END}
    usual = connect(running).breaches(**span)
    assert usual is not None
    assert (usual.count, usual.of) == (3, "rows")
    assert connect(running, mapping={"sla": {"fields": {"start_at": "sys_created_on"}}}).breaches(**span) is None


def test_a_cursor_made_by_hand_reads_from_its_instant_on(served: RunningSandbox, connect: Connect) -> None:
    now = served.clock()
    connector = connect(served, overlap_s=0)
    everything = pulled(connector, TICKET, until=now)
    updated: dict[str, datetime] = dict(zip(everything.ids, everything.table["updated_at"].to_pylist(), strict=True))
    middle = sorted(updated.values())[len(updated) // 2]
    since = pulled(connector, TICKET, Cursor(updated_at=middle), until=now)
    assert sorted(since.ids) == sorted(id for id, at in updated.items() if at >= middle)
    assert (
        pulled(connector, TICKET, since.cursor, until=now).ids
        == pulled(connector, TICKET, everything.cursor, until=now).ids
    )
