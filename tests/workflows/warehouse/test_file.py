"""The file: one process at a time, nothing half-written after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from improvement.errors import RegelkreisError
from improvement.records import RecordKind
from tests.improvement.metrics.build import CONNECTION, a_ticket, a_warehouse
from workflows.warehouse import Warehouse

LOADER = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from bench.canonical import ZONES, batches
    from workflows.warehouse import Warehouse, Zones

    with Warehouse.open(Path(sys.argv[1])) as warehouse:
        for number, (kind, batch) in enumerate(batches(60_000, seed=int(sys.argv[2]), connection="snow")):
            print("loading", flush=True)
            report = warehouse.load(kind, batch, seen_at=datetime(2027, 1, 1, tzinfo=UTC), zones=Zones(ZONES))
            print("loaded", kind.value, report.new, flush=True)
"""
ROOT = Path(__file__).parents[3]


def a_loader(file: Path, seed: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", textwrap.dedent(LOADER), str(file), str(seed)]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("delay_s", [0.02, 0.1, 0.3])
def test_a_killed_load_leaves_whole_batches_only(tmp_path: Path, delay_s: float) -> None:
    file = tmp_path / "warehouse.duckdb"
    process = a_loader(file, 1)
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    first = [next(lines) for _ in range(3)]  # loading, loaded, loading
    assert first[1] == "loaded ticket 50000\n"
    time.sleep(delay_s)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    told = {"ticket": 50_000, "sla": 0, "survey": 0, "contact": 0}
    for line in lines:
        if line.startswith("loaded"):
            told[line.split()[1]] += int(line.split()[2])
    with Warehouse.open(file, wait_s=5) as warehouse:  # the lease fell with its holder
        standing = {kind.value: warehouse.count(kind, CONNECTION) for kind in RecordKind}
        broken = "SELECT count(*) AS n FROM (SELECT id FROM tickets GROUP BY id HAVING count(*) > 1)"
        assert warehouse.arrow(broken)["n"].to_pylist() == [0]
    assert standing["ticket"] in {told["ticket"], 60_000}
    assert standing["sla"] in {told["sla"], told["sla"] + 50_000, told["sla"] + 10_000}


def test_a_second_opener_waits_and_says_whose_turn_it_is(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path / "warehouse.duckdb"), "1.5"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    with (
        pytest.raises(RegelkreisError, match=rf"in use by another process \(process {holder.pid}\).*try again"),
        Warehouse.open(tmp_path / "warehouse.duckdb", wait_s=0.2),
    ):
        pass
    with Warehouse.open(tmp_path / "warehouse.duckdb", wait_s=20) as warehouse:
        assert warehouse.count(RecordKind.TICKET, CONNECTION) == 0
    holder.wait()


HOLDER = """
    import sys, time
    from pathlib import Path
    from workflows.warehouse import Warehouse

    with Warehouse.open(Path(sys.argv[1])):
        print("open", flush=True)
        time.sleep(float(sys.argv[2]))
"""


def test_what_was_loaded_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    with a_warehouse(tmp_path, a_ticket()):
        pass
    with a_warehouse(tmp_path) as warehouse:
        assert warehouse.count(RecordKind.TICKET, CONNECTION) == 1


def test_pytz_is_never_asked_because_its_zones_are_old(tmp_path: Path) -> None:
    code = """
        import sys
        sys.modules["pytz"] = None  # from here on an import of it fails
        from pathlib import Path
        from tests.improvement.metrics.build import CONNECTION, LATER, a_query, a_ticket, a_warehouse, at, load
        import pyarrow as pa
        from improvement.records import RecordKind

        with a_warehouse(Path(sys.argv[1]), a_ticket(), a_ticket("t2")) as warehouse:
            load(warehouse, a_ticket(priority=1))
            warehouse.tombstones.bury(RecordKind.TICKET, CONNECTION, ["t2"], seen_at=LATER)
            assert warehouse.changes(CONNECTION, since=at("2026-01-01")).num_rows == 2
            weeks = {"as_of": LATER, "first_week": 2900, "last_week": 2940}
            assert warehouse.cells(a_query("incident_count"), **weeks).num_rows > 0
            warehouse.pinned(a_query("incident_count"), scope={"customer": "Acme"}, **weeks)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], cwd=ROOT, check=True)
