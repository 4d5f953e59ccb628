"""The same pull as one would write it by hand: decode → Arrow → DuckDB, without mapping, types, keys or upsert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from bench.pages import SN_FIELDS, jira_pages, servicenow_pages

BATCH = 50_000


def servicenow_by_hand(url: str, count: int, folder: Path) -> Callable[[], int]:
    """Keyset pages, typed decode, Arrow, DuckDB; no mapping, no types, no upsert."""
    row = msgspec.defstruct("Row", [(name, str, "") for name in SN_FIELDS], gc=False)
    decoder = msgspec.json.Decoder(msgspec.defstruct("Body", [("result", list[row])]))  # type: ignore[valid-type]
    pages = servicenow_pages(url)
    decoder.decode(next(pages))
    return _by_hand(
        lambda: (decoder.decode(body).result for body in servicenow_pages(url)),
        lambda rows: {"tickets": _texts(rows, SN_FIELDS)},
        folder,
    )


def _texts(rows: list[Any], names: tuple[str, ...]) -> pa.Table:
    return pa.table({name: pa.array([getattr(row, name) for row in rows], pa.string()) for name in names})


def jira_by_hand(url: str, count: int, folder: Path) -> Callable[[], int]:
    """Token pages, typed decode, Arrow, DuckDB: tickets, clocks and reopenings, no types, no upsert."""
    decoder = msgspec.json.Decoder(_Issues)
    next(jira_pages(url))
    return _by_hand(lambda: (decoder.decode(body).issues for body in jira_pages(url)), _jira_tables, folder)


class _Value(msgspec.Struct, gc=False):
    name: str | None = None
    value: str | None = None


class _At(msgspec.Struct, gc=False):
    epochMillis: int  # noqa: N815 - Jira's name


class _Span(msgspec.Struct, gc=False):
    millis: int


class _Cycle(msgspec.Struct, gc=False, rename="camel"):
    start_time: _At | None = None
    stop_time: _At | None = None
    breach_time: _At | None = None
    breached: bool = False
    goal_duration: _Span | None = None
    elapsed_time: _Span | None = None


class _Clock(msgspec.Struct, gc=False, rename="camel"):
    name: str = ""
    completed_cycles: list[_Cycle] = []
    ongoing_cycle: _Cycle | None = None


class _Rating(msgspec.Struct, gc=False):
    rating: float | None = None


class _Fields(msgspec.Struct, gc=False):
    summary: str | None = None
    issuetype: _Value | None = None
    status: _Value | None = None
    priority: _Value | None = None
    created: str | None = None
    updated: str | None = None
    resolutiondate: str | None = None
    customfield_10010: _Value | None = None
    customfield_10011: _Value | None = None
    customfield_10012: _Value | None = None
    customfield_10013: _Value | None = None
    customfield_10014: _Value | None = None
    customfield_10015: _Value | None = None
    customfield_10030: _Clock | None = None
    customfield_10031: _Clock | None = None
    customfield_10040: _Rating | None = None
    customfield_10041: str | None = None


class _Change(msgspec.Struct, gc=False, rename="camel"):
    field: str = ""
    from_string: str | None = None
    to_string: str | None = None


class _Entry(msgspec.Struct, gc=False):
    created: str
    items: list[_Change] = []


class _History(msgspec.Struct, gc=False):
    histories: list[_Entry] = []


class _Issue(msgspec.Struct, gc=False):
    id: str
    key: str
    fields: _Fields
    changelog: _History | None = None


class _Issues(msgspec.Struct):
    issues: list[_Issue]


TEXTS = ("summary", "created", "updated", "resolutiondate", "customfield_10041")
NAMED = ("issuetype", "status", "priority", *(f"customfield_1001{digit}" for digit in range(6)))
CLOCKS = ("customfield_10030", "customfield_10031")


def _jira_tables(rows: list[_Issue]) -> dict[str, pa.Table]:
    columns: dict[str, Any] = {"id": [row.id for row in rows], "key": [row.key for row in rows]}
    columns |= {name: [getattr(row.fields, name) for row in rows] for name in TEXTS}
    for name in NAMED:
        values = [getattr(row.fields, name) for row in rows]
        columns[name] = [None if value is None else value.value or value.name for value in values]
    columns["rating"] = [row.fields.customfield_10040.rating if row.fields.customfield_10040 else None for row in rows]
    columns["reopened"] = [_reopened(row) for row in rows]
    clocks = [
        (row.id, clock.name, _ms(cycle.start_time), _ms(cycle.stop_time), _ms(cycle.breach_time), cycle.breached)
        for row in rows
        for name in CLOCKS
        if (clock := getattr(row.fields, name)) is not None
        for cycle in (*clock.completed_cycles, *([clock.ongoing_cycle] if clock.ongoing_cycle else []))
    ]
    names = ("ticket", "name", "start", "stop", "breach", "breached")
    return {"tickets": pa.table(columns), "slas": pa.table(dict(zip(names, zip(*clocks, strict=True), strict=True)))}


def _ms(at: _At | None) -> int | None:
    return at.epochMillis if at is not None else None


def _reopened(row: _Issue) -> int:
    histories = row.changelog.histories if row.changelog else []
    return sum(
        item.field == "status" and item.from_string in ("Resolved", "Done", "Closed")
        for entry in histories
        for item in entry.items
    )


def _by_hand(
    pages: Callable[[], Iterator[list[Any]]], tables: Callable[[list[Any]], dict[str, pa.Table]], folder: Path
) -> Callable[[], int]:
    pa.array([""])  # the first one imports pandas

    def run() -> int:
        database = duckdb.connect(folder / "by_hand.duckdb")
        waiting: list[Any] = []
        total = 0
        for rows in pages():
            waiting += rows
            total += len(rows)
            if len(waiting) >= BATCH:
                _insert(database, tables(waiting))
                waiting = []
        if waiting:
            _insert(database, tables(waiting))
        database.close()
        return total

    return run


def _insert(database: duckdb.DuckDBPyConnection, tables: dict[str, pa.Table]) -> None:
    for name, batch in tables.items():
        database.register("batch", batch)
        database.execute(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT * FROM batch LIMIT 0")
        database.execute(f"INSERT INTO {name} SELECT * FROM batch")
        database.unregister("batch")
