"""A weekly cycle after ten thousand changed tickets, with what the cycle before it kept; and the same counted in full.

8 000 tickets are new with their clocks, 1 000 that were open are resolved, 1 000 of the last three weeks get another
priority or are reopened. Loading them is no part of the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bench.rules_asked import hundred
from bench.rules_evaluating import judged, queries_of, rules
from bench.rules_world import AS_OF, LAST_WEEK

NEW, RESOLVED, EDITED = 8_000, 1_000, 1_000
KEPT, SHARED = {"kept_from": 0}, {"shared_from": 0}
TURNS, EVERY = 10, 3  # of which every third counts in full, too
NOW = AS_OF + timedelta(weeks=1)
DONE = f"TIMESTAMPTZ '{(AS_OF + timedelta(days=2)).isoformat()}'"
LATER = ("opened_at", "created_at", "resolved_at", "closed_at", "updated_at", "start_at", "end_at", "breach_at")
NEWEST = f"SELECT id FROM tickets WHERE opened_day >= {LAST_WEEK * 7 - 3} ORDER BY hash(id) LIMIT {NEW}"
OPEN = f"SELECT id FROM tickets WHERE state = 'in_progress' ORDER BY hash(id) LIMIT {RESOLVED}"
RECENT = (
    f"SELECT id FROM tickets WHERE opened_day >= {(LAST_WEEK - 2) * 7 - 3} AND state = 'closed' "
    f"ORDER BY hash(id) LIMIT {EDITED}"
)


def change(warehouse: Any) -> tuple[int, float]:
    """Load the changed tickets; how many they were, and the seconds it took."""
    from improvement.records import SCHEMAS, RecordKind
    from workflows.warehouse import Zones

    loads = []  # all chosen before any is loaded: the clocks of the tickets that change, not of others
    for kind, table, key in ((RecordKind.TICKET, "tickets", "id"), (RecordKind.SLA, "slas", "ticket_id")):
        names = SCHEMAS[kind].names
        ids = {"id": "'n' || id", "ticket_id": "'n' || ticket_id"}
        shifted = {name: f"{name} + INTERVAL 7 DAY" for name in LATER}
        done = {"state": "'closed'", "resolved_at": DONE, "closed_at": DONE, "updated_at": DONE}
        ended = {"stage": "'completed'", "end_at": f"coalesce(end_at, {DONE})", "updated_at": DONE}
        edits = {"priority": "1 + priority % 5", "reopen_count": "reopen_count + 1", "updated_at": DONE}
        batches = [(NEWEST, ids | shifted), (OPEN, done if kind is RecordKind.TICKET else ended)]
        if kind is RecordKind.TICKET:
            batches.append((RECENT, edits))
        parts = [
            f"SELECT {', '.join(f'{made.get(name, name)} AS {name}' for name in names)} FROM {table} "
            f"WHERE {key} IN ({chosen})"
            for chosen, made in batches
        ]
        loads.append((kind, warehouse.arrow(" UNION ALL ".join(f"({part})" for part in parts))))
    begin, changed = time.perf_counter(), 0
    for kind, batch in loads:
        report = warehouse.load(kind, batch, seen_at=NOW, zones=Zones())
        changed += (report.new + report.changed) if kind is RecordKind.TICKET else 0
    return changed, time.perf_counter() - begin


def measure(warehouse: Any) -> dict[str, Any]:
    """Keep what a cycle counted for the week before, change tickets, and time the next cycle."""
    some = rules(hundred())
    found = queries_of(some)
    _cycle(warehouse, _due(found, LAST_WEEK), LAST_WEEK, KEPT, as_of=AS_OF)
    raw = warehouse._raw
    changed, loading = change(warehouse)
    raw.execute("CREATE OR REPLACE TEMP TABLE kept_before AS FROM kept_counts")  # a cycle changes nothing else
    week = LAST_WEEK + 1
    due = _due(found, week)
    times: dict[str, list[float]] = {"kept": [], "full": []}
    found_by: dict[str, list[Any]] = {}
    busy: dict[str, list[float]] = {"kept": [], "full": []}  # seconds of all processors
    for turn in range(TURNS):
        raw.execute("DELETE FROM kept_counts")
        raw.execute("INSERT INTO kept_counts FROM temp.kept_before")
        for name in times if turn % EVERY == 0 else ("kept",):
            begin, worked = time.perf_counter(), time.process_time()
            found_by[name] = _cycle(warehouse, due, week, KEPT if name == "kept" else SHARED, as_of=NOW)
            if turn:  # the first warms up
                times[name].append(time.perf_counter() - begin)
                busy[name].append(time.process_time() - worked)
    different = sum(
        not one.table().equals(other.table()) for one, other in zip(found_by["kept"], found_by["full"], strict=True)
    )
    return {
        "changed_tickets": changed,
        "loading_s": round(loading, 2),
        "cycle_s": round(min(times["kept"]), 3),
        "same_in_full_s": round(min(times["full"]), 3),
        "cycle_cpu_s": round(min(busy["kept"]), 3),
        "same_in_full_cpu_s": round(min(busy["full"]), 3),
        "different_queries": different,
    }


def _due(found: list[tuple[Any, Any]], week: int) -> list[tuple[Any, Any]]:
    """What a cycle asks for one week's values."""
    return [(query, type(one)(one.query, week - query.weeks_needed + 1, week)) for query, one in found]


def _cycle(
    warehouse: Any, due: list[tuple[Any, Any]], week: int, how: dict[str, float], *, as_of: datetime
) -> list[Any]:
    """Judge what is counted as it comes in, as a cycle does; what was counted."""
    ahead, taken = warehouse.cells_ahead([one for _, one in due], as_of=as_of, **how), []

    def as_it_comes() -> Iterator[Any]:
        for cells in ahead:
            taken.append(cells)
            yield cells

    try:
        judged(due, as_it_comes(), range(week, week + 1))
    finally:
        ahead.close()
    return taken
