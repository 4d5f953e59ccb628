"""Whose minutes: of the breached clocks of a period, party by party, and they add up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner, Result

from config.settings import load as load_settings
from connectors.waiting import Wait
from improvement import weeks
from improvement.dispositions import Disposition
from improvement.errors import ConnectionFailed, InputError, PermissionMissing
from improvement.minutes import Party
from improvement.periods import period
from improvement.records import SCHEMAS, RecordKind
from tests.workflows.build import a_connection, a_person, an_action
from workflows import access
from workflows.cli.main import build
from workflows.clocks import attribution, dispositions, minutes
from workflows.evidence import ledger
from workflows.models import LedgerEntry, Role
from workflows.steps.reading import zones
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 4, 6, 12, tzinfo=UTC)
BEGAN = datetime(2026, 2, 2, 8, tzinfo=UTC)
HOUR = 3600


def a_ticket(id: str, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = dict.fromkeys(SCHEMAS[RecordKind.TICKET].names)
    fields |= {
        "connection": "snow", "id": id, "number": id.upper(), "kind": "incident", "state": "closed", "priority": 2,
        "is_major": False, "customer": "Acme", "country": "CH", "service": "Mail", "opened_at": BEGAN,
        "resolved_at": BEGAN + timedelta(hours=20), "created_at": BEGAN, "updated_at": BEGAN, "reopen_count": 0,
        "reassignment_count": 0,
    }  # fmt: skip
    return fields | changes


def a_clock(ticket: str, elapsed_h: float | None, goal_h: float, **changes: Any) -> dict[str, Any]:
    agreement = changes.get("agreement", "sla")
    fields: dict[str, Any] = {
        "connection": "snow", "id": f"{ticket}-{agreement}-{changes.get('sla_id', '')}", "ticket_id": ticket,
        "sla_id": f"{agreement}-resolution", "sla_name": f"{agreement} resolution", "target": "resolution",
        "agreement": agreement, "supplier": None, "stage": "completed",
        "is_breached": elapsed_h is None or elapsed_h > goal_h, "start_at": BEGAN,
        "end_at": BEGAN + timedelta(hours=20), "breach_at": BEGAN + timedelta(hours=goal_h),
        "goal_s": int(goal_h * HOUR),
        "elapsed_s": None if elapsed_h is None else int(elapsed_h * HOUR), "updated_at": BEGAN,
    }  # fmt: skip
    return fields | changes


def loaded(home: Path, tickets: list[dict[str, Any]], clocks: list[dict[str, Any]], *, at: datetime = NOW) -> None:
    a_connection()
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        for kind, rows in ((RecordKind.TICKET, tickets), (RecordKind.SLA, clocks)):
            table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind])
            warehouse.load(kind, table, seen_at=at, zones=zones())


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["minutes", *map(str, arguments)])


def told(*arguments: object) -> dict[str, Any]:
    result = ran("show", "--period", "2026Q1", "--as-of", NOW.isoformat(), "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture
def late(home: Path) -> Path:
    """One incident ten hours late, of which a supplier took four and an internal group one; another without either."""
    loaded(
        home,
        [a_ticket("i1", supplier="Nordlicht"), a_ticket("i2", service="Chat")],
        [
            a_clock("i1", 18, 8),
            a_clock("i1", 10, 6, agreement="uc"),
            a_clock("i1", 5, 4, agreement="ola"),
            a_clock("i1", 9, 1, agreement="uc", sla_id="uc-response", target="response", supplier="Kabelwerk"),
            a_clock("i2", 11, 8),
        ],
    )
    return home


def test_an_overrun_is_shared_out_and_adds_up(late: Path) -> None:
    snow = told()["connections"]["snow"]
    assert snow["overrun_s"] == 13 * HOUR
    assert snow["suppliers"] == {"Nordlicht": 4 * HOUR}  # a late answer is not counted beside a late resolution
    assert (snow["own_s"], snow["customer_wait_s"], snow["unattributed_s"]) == (HOUR, 0, 8 * HOUR)
    assert sum(snow[f"{party}_s"] for party in ("customer_wait", "supplier", "own", "unattributed")) == 13 * HOUR


def test_of_one_ticket_every_clock_is_shown(late: Path) -> None:
    clocks = {(one["agreement"], one["target"]): one for one in told("--ticket", "I1")["clocks"]}
    assert clocks["sla", "resolution"]["shares"] == [
        {"party": "supplier", "who": "Nordlicht", "seconds": 4 * HOUR},
        {"party": "own", "who": None, "seconds": HOUR},
        {"party": "unattributed", "who": None, "seconds": 5 * HOUR},
    ]
    assert clocks["uc", "response"]["shares"] == [{"party": "supplier", "who": "Kabelwerk", "seconds": 8 * HOUR}]
    assert clocks["ola", "resolution"]["shares"] == [{"party": "own", "who": None, "seconds": HOUR}]
    lines = ran("show", "--period", "2026Q1", "--ticket", "I1", "--as-of", NOW.isoformat()).stdout.splitlines()
    assert any(line.split() == ["supplier", "Nordlicht", "4:00", "h"] for line in lines)
    missing = ran("show", "--period", "2026Q1", "--ticket", "I9", "--as-of", NOW.isoformat()).exception
    assert isinstance(missing, InputError)


def test_by_a_dimension_the_longest_comes_first(late: Path) -> None:
    groups = told("--by", "service")["groups"]
    assert [(one["service"], one["overrun_s"]) for one in groups] == [("Mail", 10 * HOUR), ("Chat", 3 * HOUR)]
    assert isinstance(ran("show", "--period", "2026Q1", "--by", "assignee").exception, InputError)


def test_of_a_suppliers_action_the_parties_add_up_over_the_weeks_it_was_opened_on(late: Path) -> None:
    first = weeks.week_of(BEGAN.date())
    trigger = {"from_week": first - 3, "to_week": first}
    action = an_action(None, scope={"supplier": "Nordlicht", "country": "CH"}, trigger=trigger)
    shown = json.loads(ran("show", "--action", action.code, "--offline", "--as-of", NOW.isoformat(), "--json").stdout)
    assert (shown["from"], shown["to"]) == ("2026-01-12", "2026-02-08")
    snow = shown["connections"]["snow"]
    assert (snow["clocks"], snow["overrun_s"], snow["suppliers"]) == (1, 10 * HOUR, {"Nordlicht": 4 * HOUR})
    assert told("--scope", "supplier=(none)")["connections"]["snow"]["overrun_s"] == 3 * HOUR
    for arguments in (["--action", action.code, "--scope", "country=CH"], [], ["--action", "ACT-99"]):
        assert isinstance(ran("show", *arguments, "--as-of", NOW.isoformat()).exception, InputError), arguments
    assert isinstance(ran("show", "--period", "2026Q1", "--scope", "caller=Carl").exception, InputError)


def test_the_goal_is_the_one_that_was_first_pulled(late: Path) -> None:
    repaired = a_clock("i2", 11, 8, goal_s=2 * HOUR)
    loaded(late, [], [repaired], at=NOW + timedelta(hours=1))
    assert told("--by", "service")["groups"][1]["overrun_s"] == 3 * HOUR


def test_a_clock_without_a_time_is_told_and_not_counted_as_none(home: Path) -> None:
    loaded(home, [a_ticket("i1")], [a_clock("i1", None, 8)])
    snow = told()["connections"]["snow"]
    assert (snow["clocks"], snow["clocks_without_a_time"], snow["overrun_s"]) == (1, 1, 0)
    shown = ran("show", "--period", "2026Q1", "--as-of", NOW.isoformat()).stdout
    assert "1 clock is not in it" in shown


def test_another_order_is_a_version_in_the_ledger_and_never_for_the_past(late: Path) -> None:
    changed = ran("order", "own,supplier,customer_wait", "--as-of", NOW.isoformat(), "--json")
    assert [one["version"] for one in json.loads(changed.stdout)] == [0, 1]
    entry = json.loads(bytes(LedgerEntry.objects.get(type="minutes.ordered").data))
    assert entry["payload"] == {"version": 1, "order": ["own", "supplier", "customer_wait"]}
    assert told()["order_version"] == 1
    assert attribution.order_in_force(NOW - timedelta(seconds=1)).version == 0
    for refused in (
        ran("order", "own,supplier,customer_wait", "--as-of", NOW.isoformat()),
        ran("order", "supplier,own,customer_wait", "--as-of", (NOW - timedelta(days=1)).isoformat()),
        ran("order", "supplier,own", "--as-of", NOW.isoformat()),
    ):
        assert isinstance(refused.exception, InputError)
    assert LedgerEntry.objects.filter(type="minutes.ordered").count() == 1


def test_waiting_on_the_clock_is_the_customers_once_somebody_said_what_it_is_called(home: Path) -> None:
    loaded(home, [a_ticket("i1")], [a_clock("i1", 20, 8)])  # it ran for all of its twenty hours
    held = Wait(begin=BEGAN + timedelta(hours=2), end=BEGAN + timedelta(hours=9), why="Waiting for customer")

    def shares(at: datetime) -> dict[Party, int]:
        tell = lambda name, ids: dict.fromkeys(ids, (held,))  # noqa: E731
        return minutes.report(period("2026Q1"), as_of=at, tell=tell).totals["snow"].by_party

    assert shares(NOW)[Party.UNATTRIBUTED] == 12 * HOUR  # nobody can tell for whom it waited
    said = ran("waiting", "snow", " waiting for CUSTOMER", "--as-of", NOW.isoformat(), "--json")
    assert json.loads(said.stdout)[0]["version"] == 1
    assert (shares(NOW)[Party.CUSTOMER_WAIT], shares(NOW)[Party.OWN]) == (7 * HOUR, 5 * HOUR)
    assert shares(NOW - timedelta(seconds=1))[Party.UNATTRIBUTED] == 12 * HOUR
    later = NOW + timedelta(days=1)
    assert ran("waiting", "snow", "--none", "--as-of", later.isoformat()).exit_code == 0
    assert shares(later)[Party.OWN] == 12 * HOUR
    assert [json.loads(bytes(entry.data))["payload"]["names"] for entry in
            LedgerEntry.objects.filter(type="minutes.waiting")] == [[" waiting for CUSTOMER"], []]  # fmt: skip
    assert isinstance(ran("waiting", "snow", "Pending", "--as-of", NOW.isoformat()).exception, InputError)


def test_on_hold_without_a_reason_is_nobodys_whatever_waiting_for_the_customer_is_called(home: Path) -> None:
    loaded(home, [a_ticket("i1")], [a_clock("i1", 20, 8)])
    held = Wait(begin=BEGAN + timedelta(hours=2), end=BEGAN + timedelta(hours=9), why=" ")
    attribution.name_customer_waits(access.local_admin(), "snow", ["Awaiting Caller"], at=NOW)
    tell = lambda name, ids: dict.fromkeys(ids, (held,))  # noqa: E731
    shares = minutes.report(period("2026Q1"), as_of=NOW, tell=tell).totals["snow"].by_party
    assert (shares[Party.OWN], shares[Party.UNATTRIBUTED]) == (0, 12 * HOUR)


def the_platform_tells(monkeypatch: pytest.MonkeyPatch, *why: str) -> None:
    """*snow* is configured, and every ticket waited under each of these names."""
    held = tuple(Wait(begin=BEGAN, end=BEGAN + timedelta(hours=1), why=name) for name in why)
    monkeypatch.setattr(dispositions, "waits_told", lambda connect: lambda name, ids: dict.fromkeys(ids, held))


@pytest.fixture
def configured(home: Path, settings: Any) -> Path:
    (home / "regelkreis.toml").write_text(
        '[connections.snow]\nplatform = "servicenow"\nurl = "http://127.0.0.1:9"\nuser = "u"\npassword = "p"\n'
    )
    settings.REGELKREIS = load_settings()
    loaded(home, [a_ticket("i1")], [a_clock("i1", 20, 8)])
    return home


def test_a_misspelt_name_is_refused_and_an_unseen_one_is_remarked(
    configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    the_platform_tells(monkeypatch, "Waiting for customer", "Awaiting vendor")
    refused = ran("waiting", "snow", "waitng for Customer").exception
    assert isinstance(refused, InputError)
    assert refused.mend.startswith("Did you mean “Waiting for customer”?")
    assert not LedgerEntry.objects.filter(type="minutes.waiting").exists()
    remarked = ran("waiting", "snow", "Parked")
    assert "No ticket waited under “Parked” lately; they did under “Awaiting vendor”" in remarked.stderr
    assert ran("waiting", "snow", "waitng for Customer", "--offline").exit_code == 0
    known = ran("waiting", "snow", " waiting for CUSTOMER")
    assert (known.exit_code, known.stderr) == (0, "")
    assert len(LedgerEntry.objects.filter(type="minutes.waiting")) == 3


def test_names_are_taken_with_a_remark_where_the_platform_cannot_be_asked(
    configured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(connect: Any) -> Any:
        raise ConnectionFailed("Nobody answers.")

    monkeypatch.setattr(dispositions, "waits_told", lambda connect: lambda name, ids: silent(connect))
    said = ran("waiting", "snow", "Pending")
    assert (said.exit_code, "were not compared with the tickets: Nobody answers." in said.stderr) == (0, True)


def test_a_clock_that_mostly_waited_for_the_customer_has_that_disposition(home: Path) -> None:
    loaded(home, [a_ticket("i1")], [a_clock("i1", 20, 8)])
    held = Wait(begin=BEGAN, end=BEGAN + timedelta(hours=7), why="Pending")
    attribution.name_customer_waits(access.local_admin(), "snow", ["Pending"], at=NOW)
    report = dispositions.report(period("2026Q1"), as_of=NOW, tell=lambda name, ids: {"i1": (held,)})
    assert report.parts[0].counts[Disposition.CUSTOMER_WAIT] == 1


def test_a_platform_that_cannot_be_asked_leaves_it_open_and_says_why(late: Path) -> None:
    def tell(name: str, ids: Any) -> None:
        raise ConnectionFailed("Nobody answers.", mend="Try again.")

    total = minutes.report(period("2026Q1"), as_of=NOW, tell=tell).totals["snow"]
    assert total.untold == "the platform could not be asked: Nobody answers. Try again."
    assert total.by_party[Party.UNATTRIBUTED] == 8 * HOUR


def test_only_an_administrator_changes_the_order(home: Path) -> None:
    owner = a_person("olga", Role.SERVICE_OWNER, at=NOW)
    with pytest.raises(PermissionMissing):
        attribution.change_order(owner, "supplier,own,customer_wait", at=NOW)
    with pytest.raises(PermissionMissing):
        attribution.name_customer_waits(owner, "snow", ["Pending"], at=NOW)
    assert not LedgerEntry.objects.filter(type__startswith="minutes.").exists()


def test_a_wrong_year_does_not_lock_the_order_nor_what_is_called_waiting(late: Path) -> None:
    for refused in (
        ran("order", "own,supplier,customer_wait", "--as-of", "2099-01-01"),
        ran("waiting", "snow", "Pending", "--as-of", "2099-01-01"),
    ):
        assert isinstance(refused.exception, InputError)
        assert (refused.exception.exit_code, str(refused.exception.where)) == (2, "--as-of")
        assert "2099-01-01 00:00Z is later than now" in refused.exception.what
    assert not LedgerEntry.objects.filter(type__startswith="minutes.").exists()
    assert ran("order", "own,supplier,customer_wait").exit_code == 0
    assert ran("waiting", "snow", "Pending").exit_code == 0


def test_what_was_dated_ahead_before_that_was_refused_can_be_replaced(late: Path) -> None:
    ahead = datetime(2099, 1, 1, tzinfo=UTC)
    order = {"version": 1, "order": ["own", "supplier", "customer_wait"]}
    ledger.append("minutes.ordered", subject="minutes", actor="ada", at=ahead, payload=order)
    names = {"version": 1, "names": ["Pending"]}
    ledger.append("minutes.waiting", subject="snow", actor="ada", at=ahead, payload=names)
    admin = access.local_admin()
    assert attribution.change_order(admin, "supplier,own,customer_wait", at=NOW).version == 2
    assert attribution.name_customer_waits(admin, "snow", ["On hold"], at=NOW).version == 2
    for moment in (NOW, ahead):  # the newest one is in force, also when the year of the other has come
        assert attribution.order_in_force(moment).version == 2
        waits = attribution.customer_waits_in_force("snow", moment)
        assert waits is not None
        assert waits.names == ("On hold",)
    with pytest.raises(InputError, match="never changed for the past"):
        attribution.change_order(admin, "own,supplier,customer_wait", at=NOW - timedelta(seconds=1))


def test_the_same_order_as_one_dated_ahead_comes_into_force_now(late: Path) -> None:
    order = {"version": 1, "order": ["own", "supplier", "customer_wait"]}
    ledger.append("minutes.ordered", subject="minutes", actor="ada", at=datetime(2099, 1, 1, tzinfo=UTC), payload=order)
    attribution.change_order(access.local_admin(), "own,supplier,customer_wait", at=NOW)
    assert attribution.order_in_force(NOW).version == 2


@pytest.mark.parametrize(
    ("name", "what"),
    [("", "is empty"), (" ", "is empty"), ("x" * 101, "has 101 characters"), ("Pend\x1b[2Jing", "control character")],
)
def test_a_name_that_no_platform_would_give_is_refused(late: Path, name: str, what: str) -> None:
    refused = ran("waiting", "snow", "Pending", name).exception
    assert isinstance(refused, InputError)
    assert what in refused.what
    assert not LedgerEntry.objects.filter(type="minutes.waiting").exists()
    assert ran("waiting", "snow", "x" * 100, "Auf Rückmeldung wartend").exit_code == 0


def test_without_any_connection_it_is_said_what_brings_one(home: Path) -> None:
    refused = ran("waiting", "nope", "Pending").exception
    assert str(refused) == "There is no connection “nope”. Run `regelkreis pull` first: it reads them in."


def test_hours_are_read_as_on_a_clock() -> None:
    assert [minutes.hours(seconds) for seconds in (0, 59, 3600, 3 * HOUR + 300)] == [
        "0:00 h",
        "0:01 h",
        "1:00 h",
        "3:05 h",
    ]


CALENDAR = """
[metrics]
business = ["overrun"]
[calendars.CH]
hours = { mon-fri = "08:00-18:00" }
"""


def test_a_time_that_the_platform_does_not_say_is_that_of_the_calendar_where_that_is_chosen(
    home: Path, settings: Any
) -> None:
    """Clocks of twenty hours from Monday 09:00 to Tuesday 05:00 in Zurich: nine of them are business hours."""
    from config.settings import load

    told_by_platform, at_work, abroad = ("t1", 6.0, {}), ("t2", None, {}), ("t3", None, {"country": "US"})
    tickets = [a_ticket(ticket, **fields) for ticket, _, fields in (told_by_platform, at_work, abroad)]
    supplier = a_clock("t2", None, 5, agreement="uc", supplier="North", is_breached=True)
    loaded(home, tickets, [*(a_clock(ticket, elapsed, 4) for ticket, elapsed, _ in (told_by_platform, at_work, abroad)),
                           supplier])  # fmt: skip
    (before,) = told("--offline")["connections"].values()
    assert (before["overrun_s"], before["clocks_without_a_time"]) == (2 * HOUR, 2)
    (home / "regelkreis.toml").write_text(CALENDAR, encoding="utf-8")
    settings.REGELKREIS = load()
    (now,) = told("--offline")["connections"].values()
    assert (now["overrun_s"], now["clocks_without_a_time"]) == (2 * HOUR + 5 * HOUR, 1)  # there is none for the US
    assert now["suppliers"] == {"North": 4 * HOUR}
    assert sum(now[f"{party.value}_s"] for party in Party) == now["overrun_s"]
