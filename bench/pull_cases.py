"""The things a pull is measured beside, each in a process of its own.

``python -m bench.pull_cases CASE URL COUNT FOLDER`` prints ``{"records": …, "seconds": …, "peak_mb": …}``. The clock
starts after the first request, so that neither imports nor the server's first rendering count.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import requests

from connectors.base import Connector
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.servicenow.defaults import DEFAULT
from improvement.records import RecordKind

UNTIL = datetime(2035, 1, 1, tzinfo=UTC)
BATCH = 50_000
SN_FIELDS = (
    "sys_id",
    "sys_updated_on",
    "number",
    "short_description",
    "state",
    "priority",
    "company",
    "location",
    "business_service",
    "vendor",
    "category",
    "assignment_group",
    "opened_at",
    "resolved_at",
    "closed_at",
    "sys_created_on",
    "reopen_count",
    "reassignment_count",
    "major_incident_state",
)
JIRA_FIELDS = (
    "summary",
    "issuetype",
    "status",
    "priority",
    "created",
    "updated",
    "resolutiondate",
    "customfield_10010",
    "customfield_10011",
    "customfield_10012",
    "customfield_10013",
    "customfield_10014",
    "customfield_10015",
    "customfield_10030",
    "customfield_10031",
    "customfield_10040",
    "customfield_10041",
)
JIRA_TYPES = '(Incident, "Service Request", Problem, Change)'
JIRA_JQL = f"project = OPS AND issuetype in {JIRA_TYPES} ORDER BY updated ASC"
JIRA_USER = ("admin@example.com", "sandbox")
SN_USER = ("admin", "sandbox")


# --- ours -----------------------------------------------------------------------------------------------------


def ours(connection: Connector, kinds: list[RecordKind], folder: Path) -> Callable[[], int]:
    """Our connector into the warehouse, end to end; answers the number of tickets."""
    from workflows.warehouse import Warehouse, Zones

    connection.describe()

    def run() -> int:
        tickets = 0
        with Warehouse.open(folder / "ours.duckdb") as warehouse:
            for kind in kinds:
                for page in connection.pull(kind, None, until=UNTIL):
                    warehouse.load(kind, page.batch, seen_at=UNTIL, zones=Zones())
                    tickets += page.batch.num_rows if kind is RecordKind.TICKET else 0
        return tickets

    return run


def servicenow_ours(url: str, count: int, folder: Path) -> Callable[[], int]:
    """Our ServiceNow connector on one table."""
    others = {name: {"is_enabled": False} for name in DEFAULT.sources if name != "incident"}
    user, password = SN_USER
    config = {"name": "sn", "platform": "servicenow", "url": url, "user": user, "password": password, "mapping": others}
    opened = connector(ConnectionConfig.model_validate(config))
    next(iter(opened.pull(RecordKind.TICKET, None, until=datetime(2024, 1, 1, 0, 1, tzinfo=UTC))))  # renders the pages
    return ours(opened, [RecordKind.TICKET], folder)


def jira_ours(url: str, count: int, folder: Path) -> Callable[[], int]:
    """Our Jira connector: tickets with their SLA clocks and surveys."""
    user, token = JIRA_USER
    config = ConnectionConfig.model_validate(
        {"name": "j", "platform": "jira", "url": url, "user": user, "token": token}
    )
    return ours(connector(config), [RecordKind.TICKET, RecordKind.SLA, RecordKind.SURVEY], folder)


# --- the same by hand -----------------------------------------------------------------------------------------


def servicenow_by_hand(url: str, count: int, folder: Path) -> Callable[[], int]:
    """Keyset pages, typed decode, Arrow, DuckDB; no mapping, no types, no upsert."""
    row = msgspec.defstruct("Row", [(name, str, "") for name in SN_FIELDS], gc=False)
    decoder = msgspec.json.Decoder(msgspec.defstruct("Body", [("result", list[row])]))  # type: ignore[valid-type]
    pages = _servicenow_pages(url)
    decoder.decode(next(pages))
    return _by_hand(
        lambda: (decoder.decode(body).result for body in _servicenow_pages(url)),
        lambda rows: {"tickets": _texts(rows, SN_FIELDS)},
        folder,
    )


def _texts(rows: list[Any], names: tuple[str, ...]) -> pa.Table:
    return pa.table({name: pa.array([getattr(row, name) for row in rows], pa.string()) for name in names})


def jira_by_hand(url: str, count: int, folder: Path) -> Callable[[], int]:
    """Token pages, typed decode, Arrow, DuckDB: tickets, clocks and reopenings, no types, no upsert."""
    decoder = msgspec.json.Decoder(_Issues)
    next(_jira_pages(url))
    return _by_hand(lambda: (decoder.decode(body).issues for body in _jira_pages(url)), _jira_tables, folder)


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


# --- bare transfer, and the client libraries ------------------------------------------------------------------


def servicenow_transfer(url: str, count: int, folder: Path) -> Callable[[], int]:
    """The bytes alone, undecoded but for the last key: what the server can do."""
    next(_servicenow_pages(url))
    return lambda: sum(body.count(b'"sys_id"') for body in _servicenow_pages(url))


def jira_transfer(url: str, count: int, folder: Path) -> Callable[[], int]:
    """The bytes alone: what the server can do."""
    next(_jira_pages(url))
    return lambda: sum(min(100, count) for _ in _jira_pages(url))


def pysnow_stream(url: str, count: int, folder: Path) -> Callable[[], int]:
    """pysnow's own reader, ``stream=True``, one request, rows as dicts."""
    import pysnow

    host = url.partition("://")[2]
    client = pysnow.Client(host=host, user=SN_USER[0], password=SN_USER[1], use_ssl=False)
    client.session.trust_env = False
    incidents = client.resource(api_path="/table/incident")
    incidents.parameters.exclude_reference_link = True
    next(incidents.get(query={}, limit=1, fields=list(SN_FIELDS), stream=True).all())
    return lambda: sum(1 for _ in incidents.get(query={}, limit=count, fields=list(SN_FIELDS), stream=True).all())


def jira_issues(url: str, count: int, folder: Path) -> Callable[[], int]:
    """jira's own reader: one ``Issue`` object a ticket."""
    from jira import JIRA

    client = JIRA(server=url, basic_auth=JIRA_USER, max_retries=0)
    wanted = ",".join(JIRA_FIELDS)
    client.enhanced_search_issues(JIRA_JQL, maxResults=1, fields=wanted, expand="changelog")
    return lambda: len(client.enhanced_search_issues(JIRA_JQL, maxResults=count, fields=wanted, expand="changelog"))


def _servicenow_pages(url: str) -> Iterator[bytes]:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = SN_USER
        condition = "sys_updated_on>=1970-01-01 00:00:00"
        while True:
            params = {
                "sysparm_query": f"{condition}^ORDERBYsys_updated_on^ORDERBYsys_id",
                "sysparm_fields": ",".join(SN_FIELDS),
                "sysparm_limit": "5000",
                "sysparm_exclude_reference_link": "true",
                "sysparm_no_count": "true",
            }
            body = session.get(f"{url}/api/now/table/incident", params=params, timeout=90).content
            if len(body) < 20:
                return
            yield body
            last = msgspec.json.decode(body[body.rindex(b"{") : -2])
            at = last["sys_updated_on"]
            condition = f"sys_updated_on>{at}^NQsys_updated_on={at}^sys_id>{last['sys_id']}"


def _jira_pages(url: str) -> Iterator[bytes]:
    with requests.Session() as session:
        session.trust_env = False
        session.auth = JIRA_USER
        body: dict[str, Any] = {"jql": JIRA_JQL, "fields": list(JIRA_FIELDS), "maxResults": 100, "expand": "changelog"}
        while True:
            content = session.post(f"{url}/rest/api/3/search/jql", json=body, timeout=90).content
            yield content
            tail = content[content.rindex(b"],") + 2 :]
            token = msgspec.json.decode(b"{" + tail).get("nextPageToken")
            if token is None:
                return
            body["nextPageToken"] = token


CASES: dict[str, Callable[[str, int, Path], Callable[[], int]]] = {
    "servicenow.ours": servicenow_ours,
    "servicenow.by_hand": servicenow_by_hand,
    "servicenow.transfer": servicenow_transfer,
    "servicenow.pysnow_stream": pysnow_stream,
    "jira.ours": jira_ours,
    "jira.by_hand": jira_by_hand,
    "jira.transfer": jira_transfer,
    "jira.issue_objects": jira_issues,
}


def main(name: str, url: str, count: int, folder: Path) -> dict[str, float]:
    """Run one case and measure it."""
    run = CASES[name](url, count, folder)
    begin, busy = time.perf_counter(), time.process_time()
    records = run()
    return {
        "records": records,
        "seconds": round(time.perf_counter() - begin, 3),
        "cpu_seconds": round(time.process_time() - busy, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))) + "\n")
