"""Pull through a trap into a warehouse, and compare it with the platform, record by record and field by field."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from bench.faults import holdings
from bench.faults.places import CONNECTION, connected, first_now, serving
from bench.faults.traps import PullTrap
from connectors.along import BringsAlong
from connectors.base import Cursor, Page, ReadsByIds
from connectors.sandbox.plugin import Flavour
from connectors.sandbox.testing import RunningSandbox
from improvement.errors import RegelkreisError
from improvement.records import SCHEMAS, RecordKind
from workflows.steps.departures import Departures, Looked, load_page
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


@dataclass
class Progress:
    """What the state keeps between two pulls: how far each kind was read, and what was looked at when."""

    cursors: dict[RecordKind, Cursor] = field(default_factory=dict)
    looked: dict[RecordKind, Looked] = field(
        default_factory=lambda: {kind: Looked(is_whole=True) for kind in RecordKind}
    )


def quieten() -> None:
    """Show no line of the log that a trap causes."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def pull_cell(trap: PullTrap, flavour: Flavour) -> str:
    """ "" where the warehouse equals the platform; else what is wrong."""
    with tempfile.TemporaryDirectory() as folder, serving(flavour, trap.until, **trap.served) as running:
        try:
            with Warehouse.open(Path(folder) / "trapped.duckdb") as warehouse:
                now = first_now(flavour, trap.until)
                running.set_options(flavour, **trap.options)
                _pulled_to_the_end(running, flavour, trap, warehouse, now)
                _compare(running, flavour, trap, warehouse, Path(folder))
        except (Lost, RegelkreisError) as wrong:
            return " ".join(str(wrong).split())[:200]
    return ""


def _pulled_to_the_end(
    running: RunningSandbox, flavour: Flavour, trap: PullTrap, warehouse: Warehouse, now: datetime
) -> None:
    progress = Progress()
    if trap.events:
        _pull(running, flavour, trap, warehouse, progress, now)
        now += timedelta(hours=30)
        running.set_clock(now)
        for event in trap.events:
            if event:
                running.happen(flavour, **event)
        if trap.later:
            running.set_options(flavour, **trap.later)
    running.set_faults(flavour, *trap.rules)
    told = ""
    for _ in range(ATTEMPTS):
        try:
            _pull(running, flavour, trap, warehouse, progress, now)
            break
        except RegelkreisError as error:
            told = error.what
            if not trap.may_stop:
                raise
            running.set_faults(flavour)
            if trap.mended:
                running.set_options(flavour, **trap.mended)
    else:
        raise Lost(f"stopped every time: {told}")
    running.set_faults(flavour)
    now += timedelta(minutes=10)  # what changed while paging is read by the next pull
    running.set_clock(now)
    _pull(running, flavour, trap, warehouse, progress, now)
    if trap.leaves_no_trace:
        now += timedelta(days=7)
        running.set_clock(now)
        if trap.while_listing:
            _look_while_trapped(running, flavour, trap, warehouse, progress, now)
            now += timedelta(days=7)
            running.set_clock(now)
        _pull(running, flavour, trap, warehouse, progress, now)


def _look_while_trapped(
    running: RunningSandbox, flavour: Flavour, trap: PullTrap, warehouse: Warehouse, progress: Progress, now: datetime
) -> None:
    """A weekly look with the trap: it may stop, and it may find nothing, but nothing else may be taken for gone."""
    known = holdings.of_warehouse(warehouse)
    running.set_faults(flavour, *trap.while_listing)
    with suppress(RegelkreisError):  # told, and asked again by the next pull
        _pull(running, flavour, trap, warehouse, progress, now)
    running.set_faults(flavour)
    there = holdings.of_platform(running, flavour)
    for kind, found in holdings.of_warehouse(warehouse).items():
        before, now_there = ({fact[0] for fact in facts[kind]} for facts in (known, there))
        if lost := before & now_there - {fact[0] for fact in found}:
            raise Lost(f"{len(lost)} {kind.value}s that are there were taken for gone")


def _pull(
    running: RunningSandbox,
    flavour: Flavour,
    trap: PullTrap,
    warehouse: Warehouse,
    progress: Progress,
    now: datetime,
) -> None:
    """What the step of the same name does: every kind from its cursor on, then what is gone or rewritten."""
    with connected(running, flavour, trap.user, within=trap.within, signs_in=trap.signs_in) as connector:
        begun = {kind: progress.cursors.get(kind) for kind in connector.kinds()}
        for number, kind in enumerate(begun):
            if isinstance(connector, BringsAlong):
                pages = connector.pull_with_others(kind, dict(list(begun.items())[number:]), until=now)
            else:
                pages = connector.pull(kind, begun[kind], until=now)
            _load(pages, warehouse, progress, now)
        departures = Departures(connector, warehouse, now, is_forced=trap.is_reconciled)
        for kind in connector.kinds():
            _look(departures, kind, progress, now, is_new=begun[kind] is None)


def _load(pages: Iterable[Page], warehouse: Warehouse, progress: Progress | None, now: datetime) -> None:
    """Load pages and what came along with them; the cursors move on page by page, as they are kept."""
    for page in pages:
        if page.rejected:
            raise Lost(f"{len(page.rejected)} rejected: {page.rejected[0].reason}")
        load_page(warehouse, page, CONNECTION, seen_at=now, zones=ZONES)
        if progress is not None:
            progress.cursors[page.kind] = page.cursor
        _load(page.along, warehouse, progress, now)


def _look(departures: Departures, kind: RecordKind, progress: Progress, now: datetime, *, is_new: bool) -> None:
    def read_again(since: datetime) -> None:
        pages = departures.connector.pull(kind, Cursor(updated_at=since), until=now)
        _load(pages, departures.warehouse, None, now)

    def read_by_ids(ids: Sequence[str]) -> int:
        connector = departures.connector
        assert isinstance(connector, ReadsByIds)
        for one in (*(connector.inside_tickets() if kind is RecordKind.TICKET else ()), kind):
            _load(connector.read_by_ids(one, ids, until=now), departures.warehouse, None, now)
        return 0

    looked = progress.looked[kind]
    departures.look(kind, looked, is_new=is_new, read_again=read_again, read_by_ids=read_by_ids)


def _compare(running: RunningSandbox, flavour: Flavour, trap: PullTrap, warehouse: Warehouse, folder: Path) -> None:
    user = trap.user if trap.hides else "admin"
    platform = holdings.of_platform(running, flavour, user=user, within=trap.within)
    found = holdings.of_warehouse(warehouse)
    for kind, expected in platform.items():
        differ_by("platform", kind.value, expected, found[kind])
    with Warehouse.open(folder / "clean.duckdb") as clean:
        now = running.clock() + timedelta(days=2)
        running.set_clock(now)
        _pull(running, flavour, trap, clean, Progress(), now)
        _pull(running, flavour, trap, warehouse, Progress(), now)
        for kind in RecordKind:
            differ_by("clean pull", kind.value, _rows(clean, kind), _rows(warehouse, kind))


def _rows(warehouse: Warehouse, kind: RecordKind) -> Counter[tuple[Any, ...]]:
    names = [name for name in SCHEMAS[kind].names if name not in UNCOMPARED[kind]]
    columns = ", ".join(f'"{name}"' for name in names)
    found = warehouse.arrow(f"SELECT {columns} FROM {TABLE_OF[kind]} WHERE vanished_at IS NULL").to_pylist()
    return Counter(tuple(row.values()) for row in found)


def differ_by(than: str, kind: str, expected: Counter[tuple[Any, ...]], found: Counter[tuple[Any, ...]]) -> None:
    """Raise :class:`Lost` where two differ."""
    missing, surplus = expected - found, found - expected
    if missing or surplus:
        example = next(iter(missing or surplus))
        other = next((one for one in (surplus if missing else missing) if one[0] == example[0]), None)
        shown = example if other is None else [pair for pair in zip(example, other, strict=True) if pair[0] != pair[1]]
        raise Lost(
            f"{kind} against {than}: {missing.total()} missing, {surplus.total()} too many of {expected.total()}; "
            f"{'missing' if missing else 'too many'}: {example[0]} {tuple(map(str, shown))}"
        )
