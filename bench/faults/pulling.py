"""Pull through a trap into a warehouse, and compare it with the platform, record by record and field by field."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.faults.places import Facts, connected, facts, first_now, serving
from bench.faults.traps import PullTrap
from connectors.base import Connector, Cursor
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.errors import RegelkreisError
from improvement.records import SCHEMAS, RecordKind
from workflows.warehouse import Warehouse
from workflows.warehouse.loading import Zones
from workflows.warehouse.schema import TABLE_OF

ATTEMPTS = 6
ZONES = Zones()
# Not compared: when the platform touched a record whose facts stayed, and the id of a clock, which a repair changes.
UNCOMPARED = {kind: frozenset({"updated_at"}) for kind in RecordKind} | {
    RecordKind.SLA: frozenset({"id", "updated_at"})
}


class Lost(Exception):
    """What the warehouse has and the platform has not, or the reverse."""


def pull_cell(trap: PullTrap, flavour: Flavour) -> str:
    """ "" where the warehouse equals the platform; else what is wrong."""
    with tempfile.TemporaryDirectory() as folder, serving(flavour) as running:
        try:
            with Warehouse.open(Path(folder) / "trapped.duckdb") as warehouse:
                now = first_now(flavour)
                running.set_options(flavour, **trap.options)
                _pulled_to_the_end(running, flavour, trap, warehouse, now)
                _compare(running, flavour, trap, warehouse, Path(folder))
        except (Lost, RegelkreisError) as wrong:
            return " ".join(str(wrong).split())[:200]
    return ""


def _pulled_to_the_end(
    running: RunningSandbox, flavour: Flavour, trap: PullTrap, warehouse: Warehouse, now: datetime
) -> None:
    cursors: dict[RecordKind, Cursor] = {}
    if trap.events:
        _pull(running, flavour, trap, warehouse, cursors, now)
        now += timedelta(hours=30)
        running.set_clock(now)
        for event in trap.events:
            if event:
                running.happen(flavour, **event)
    running.set_faults(flavour, *trap.rules)
    told = ""
    for _ in range(ATTEMPTS):
        try:
            _pull(running, flavour, trap, warehouse, cursors, now)
            break
        except RegelkreisError as error:
            told = error.what
            if not trap.may_stop:
                raise
            running.set_faults(flavour)
            if trap.options:
                running.set_options(flavour, duplicate_fields=[])
    else:
        raise Lost(f"stopped every time: {told}")
    running.set_faults(flavour)
    now += timedelta(minutes=10)  # what changed while paging is read by the next pull
    running.set_clock(now)
    _pull(running, flavour, trap, warehouse, cursors, now)


def _pull(
    running: RunningSandbox,
    flavour: Flavour,
    trap: PullTrap,
    warehouse: Warehouse,
    cursors: dict[RecordKind, Cursor],
    now: datetime,
) -> None:
    """Every kind, from its cursor on; the cursors move on page by page, as they are kept."""
    with connected(running, flavour, trap.user) as connector:
        for kind in connector.kinds():
            _pull_kind(connector, kind, warehouse, cursors, now)


def _pull_kind(
    connector: Connector, kind: RecordKind, warehouse: Warehouse, cursors: dict[RecordKind, Cursor], now: datetime
) -> None:
    for page in connector.pull(kind, cursors.get(kind), until=now):
        if page.rejected:
            raise Lost(f"{len(page.rejected)} rejected: {page.rejected[0].reason}")
        warehouse.load(kind, page.batch, seen_at=now, zones=ZONES)
        cursors[kind] = page.cursor


def _compare(running: RunningSandbox, flavour: Flavour, trap: PullTrap, warehouse: Warehouse, folder: Path) -> None:
    platform = facts(running, flavour, user=trap.user if trap.hides else "admin")
    _differ("platform", platform, _facts_of(warehouse))
    with Warehouse.open(folder / "clean.duckdb") as clean:
        now = first_now(flavour) + timedelta(days=3)
        running.set_clock(now)
        _pull(running, flavour, trap, clean, {}, now)
        _pull(running, flavour, trap, warehouse, {}, now)
        for kind in RecordKind:
            _differ_by("clean pull", kind.value, _rows(clean, kind), _rows(warehouse, kind))


def _facts_of(warehouse: Warehouse) -> Facts:
    tickets = warehouse.arrow("SELECT id, number, title, priority, opened_at FROM live_tickets").to_pylist()
    clocks = warehouse.arrow(
        "SELECT ticket_id, start_at, is_breached, stage = 'cancelled' AS is_cancelled "
        "FROM slas WHERE vanished_at IS NULL"
    ).to_pylist()
    return {
        "ticket": Counter(tuple(row.values()) for row in tickets),
        "sla": Counter(tuple(r.values()) for r in clocks),
    }


def _rows(warehouse: Warehouse, kind: RecordKind) -> Counter[tuple[Any, ...]]:
    names = [name for name in SCHEMAS[kind].names if name not in UNCOMPARED[kind]]
    columns = ", ".join(f'"{name}"' for name in names)
    found = warehouse.arrow(f"SELECT {columns} FROM {TABLE_OF[kind]} WHERE vanished_at IS NULL").to_pylist()
    return Counter(tuple(row.values()) for row in found)


def _differ(than: str, expected: Facts, found: Facts) -> None:
    for kind in expected:
        _differ_by(than, kind, expected[kind], found[kind])


def _differ_by(than: str, kind: str, expected: Counter[tuple[Any, ...]], found: Counter[tuple[Any, ...]]) -> None:
    missing, surplus = expected - found, found - expected
    if missing or surplus:
        example = next(iter(missing or surplus))
        raise Lost(
            f"{kind} against {than}: {missing.total()} missing, {surplus.total()} too many of {expected.total()}; "
            f"{'missing' if missing else 'too many'}: {tuple(str(part) for part in example)[:5]}"
        )
