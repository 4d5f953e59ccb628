"""Every breached clock of a quarter has one disposition, and they sum to what the platform counts."""

from __future__ import annotations

import csv
import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from typer.testing import CliRunner, Result

from connectors.base import BreachCount
from improvement.dispositions import Disposition
from improvement.periods import Period, period
from improvement.records import RecordKind
from tests.workflows.platform import MemoryPlatform
from workflows import cycle
from workflows.cli.main import build
from workflows.clocks import dispositions as found
from workflows.clocks import quarters
from workflows.models import Connection, KeptFigures
from workflows.warehouse import Warehouse

pytestmark = pytest.mark.django_db
QUARTER = "2025Q2"


@pytest.fixture
def year(home: Path, monday: datetime) -> datetime:
    """Two cycles over a platform whose Mail went bad in week 70 and fired; Quiet kept its target, Rare is seldom."""
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = MemoryPlatform(scopes={"Mail": {0: 0.05, 70: 0.4}, "Quiet": {0: 0.05}})
    rare = MemoryPlatform(scopes={"Rare": {0: 0.5}}, per_week=2)
    for kind in (RecordKind.TICKET, RecordKind.SLA):
        platform._tables = {**platform._tables, kind: pa.concat_tables([platform._tables[kind], rare._tables[kind]])}
    for week in range(2):
        assert cycle.run_with([platform], as_of=monday + timedelta(weeks=week)).errors == []
    return monday + timedelta(weeks=1)


def ran(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["dispositions", *map(str, arguments)])


def counted_by(home: Path, wanted: Period) -> int:
    """Breached clocks of the period, as the platform would count them."""
    with Warehouse.open(home / "warehouse.duckdb") as warehouse:
        return warehouse.tombstones.breached("snow", "rows", since=wanted.since, until=wanted.until)


def test_a_fired_finding_covers_its_scope_and_the_rest_is_below_or_too_few(year: datetime, home: Path) -> None:
    wanted = period(QUARTER)
    report = found.report(wanted, as_of=year, ask=lambda *_: BreachCount(count=counted_by(home, wanted), of="rows"))
    (part,) = report.parts
    assert report.adds_up
    assert sum(part.counts.values()) == part.population.rows == part.platform > 100
    by_service = Counter((one.clock.dimensions["service"], one.disposition) for one in part.disposed)
    assert by_service["Mail", Disposition.COVERED] > 50
    assert by_service["Rare", Disposition.TOO_FEW_SAMPLES] > 5
    assert by_service["Quiet", Disposition.BELOW_THRESHOLD] > 5
    assert all(kind is not Disposition.COVERED for service, kind in by_service if service != "Mail")
    assert "ACT-1" in next(iter(part.details(Disposition.COVERED)))


def test_before_it_fired_nothing_was_covered(year: datetime) -> None:
    report = found.report(period(QUARTER), as_of=year - timedelta(weeks=30))
    assert report.parts[0].counts[Disposition.COVERED] == 0
    early = found.report(period("2024Q2"), as_of=year)
    assert early.parts[0].counts[Disposition.COVERED] == 0
    assert early.parts[0].counts[Disposition.NO_RULE] > 0  # its weeks are before anything was published


def test_a_platform_that_counts_more_is_a_gap_and_exit_1(
    year: datetime, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = period(QUARTER)
    here = counted_by(home, wanted)
    answers = iter([here + 2, here])
    ask = lambda *_: BreachCount(count=next(answers), of="rows")  # noqa: E731
    monkeypatch.setattr(found, "platform_count", lambda _: ask)
    result = ran("--period", QUARTER, "--as-of", year.isoformat(), "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["adds_up"]) == (1, False)
    assert f"the platform counts {here + 2} breached clocks, {here} are here" in told["connections"][0]["gaps"][0]
    agreed = ran("--period", QUARTER, "--as-of", year.isoformat())
    assert agreed.exit_code == 0, agreed.output
    assert f"The platform counts {here} breached clocks, as many as are here." in agreed.stdout


def test_a_platform_that_cannot_be_asked_is_a_gap_unless_nobody_asked(year: datetime) -> None:
    asked = ran("--period", QUARTER, "--as-of", year.isoformat())
    assert asked.exit_code == 1
    assert "GAP: the platform could not be asked: The connection “snow” is no longer configured." in asked.stdout
    assert ran("--period", QUARTER, "--as-of", year.isoformat(), "--offline").exit_code == 0


def test_the_file_has_every_clock_once(year: datetime, tmp_path: Path) -> None:
    path = tmp_path / "clocks.csv"
    result = ran("--period", QUARTER, "--as-of", year.isoformat(), "--offline", "--json", "--csv", path)
    told = json.loads(result.stdout)["connections"][0]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["id"] for row in rows}) == len(rows) == told["population"] == told["sum"]
    tallied = Counter(row["disposition"] for row in rows)
    assert tallied == {kind: number for kind, number in told["dispositions"].items() if number}
    for row in rows:
        parts = ("customer_wait_s", "supplier_s", "own_s", "unattributed_s")
        assert sum(int(row[part]) for part in parts) == int(row["overrun_s"]) == 20 * 3600


def test_breached_clocks_that_belong_to_no_period_are_told_beside_every_one(home: Path, monday: datetime) -> None:
    Connection.objects.create(name="snow", platform="servicenow", may_write=True, integration_account="regelkreis")
    platform = MemoryPlatform(scopes={"Mail": {0: 0.4}})
    slas = platform._tables[RecordKind.SLA]
    breached = pc.and_(slas["is_breached"], pc.greater_equal(slas["start_at"], period(QUARTER).since))
    lost = slas.filter(breached).slice(0, 6)
    position = slas.schema.get_field_index("start_at")
    undated = lost.set_column(position, slas.schema.field(position), pa.nulls(len(lost), slas["start_at"].type))
    kept = slas.filter(pc.invert(pc.is_in(slas["id"], lost["id"])))
    platform._tables = {**platform._tables, RecordKind.SLA: pa.concat_tables([kept, undated])}
    assert cycle.run_with([platform], as_of=monday).errors == []
    ids = sorted(lost["id"].to_pylist())
    for asked in (QUARTER, "2025Q1"):
        told = json.loads(ran("--period", asked, "--offline", "--json").stdout)["connections"][0]
        assert told["undated"] == ids
        assert told["sum"] == told["population"]
    shown = ran("--period", QUARTER, "--offline").stdout
    assert f"Besides, 6 breached clocks belong to no period, without a start: {', '.join(ids[:5])} and 1 more." in shown
    quarters.keep((QUARTER,), as_of=monday)
    (part,) = KeptFigures.objects.get(pk=f"account/{QUARTER}").document["connections"]
    assert part["undated"] == {"clocks": 6, "first": ids[:5]}
