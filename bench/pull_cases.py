"""The things a pull is measured beside, each in a process of its own.

``python -m bench.pull_cases CASE URL COUNT FOLDER`` prints records, seconds, CPU seconds and peak memory as JSON. The
clock starts after the first request, so that neither imports nor the server's first rendering count.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import requests

from bench.by_hand import jira_by_hand, servicenow_by_hand
from bench.pages import JIRA_FIELDS, JIRA_JQL, JIRA_USER, SN_FIELDS, SN_USER, jira_pages, servicenow_pages
from connectors.sandbox.jira.load import APART_S, FIRST_S

UNTIL = datetime(2035, 1, 1, tzinfo=UTC)


# --- ours -----------------------------------------------------------------------------------------------------


def servicenow_ours(url: str, count: int, folder: Path) -> Callable[[], int]:
    """Our ServiceNow connector on one table."""
    from connectors.servicenow.defaults import DEFAULT
    from improvement.records import RecordKind

    others = {name: {"is_enabled": False} for name in DEFAULT.sources if name != "incident"}
    run, opened = _ours("servicenow", url, SN_USER, folder, mapping=others)
    next(iter(opened.pull(RecordKind.TICKET, None, until=datetime(2024, 1, 1, 0, 1, tzinfo=UTC))))  # renders the pages
    return run


def jira_ours(url: str, count: int, folder: Path) -> Callable[[], int]:
    """Our Jira connector: tickets with their SLA clocks and surveys."""
    contacts = {"contact": {"is_enabled": False}}
    run, _ = _ours("jira", url, JIRA_USER, folder, mapping=contacts)
    return run


def _ours(
    platform: str, url: str, login: tuple[str, str], folder: Path, *, mapping: dict[str, Any]
) -> tuple[Callable[[], int], Any]:
    """The pull step of a cycle, end to end: records and change log in the warehouse, cursor and ledger in the state."""
    make_state(folder / "home")
    from connectors.config import ConnectionConfig
    from connectors.registry import connector
    from improvement.records import RecordKind
    from workflows.models import Connection
    from workflows.steps.pull import Loading, Reading, pull
    from workflows.warehouse import Warehouse

    config = {"name": "bench", "platform": platform, "url": url, "user": login[0], "password": login[1]}
    opened = connector(ConnectionConfig.model_validate({**config, "mapping": mapping}))
    Connection.objects.create(name="bench", platform=platform)
    opened.describe()
    pa.array([""])  # the first one imports pandas
    file = folder / "ours.duckdb"
    with Warehouse.open(file):  # as `init` and a first cycle leave it
        pass

    def run() -> int:
        with (
            Warehouse.open(file) as warehouse,
            closing(
                Loading([Reading(opened, warehouse, as_of=UNTIL)], warehouse, as_of=UNTIL)
            ) as loading,  # as a cycle does it
        ):
            result = pull(opened, warehouse, as_of=UNTIL, loading=loading)
        assert not result.errors, result.errors
        tickets = result.of(RecordKind.TICKET)
        return tickets.read if tickets is not None else 0

    return run, opened


def make_state(home: Path) -> None:
    """An installation with an empty state in this folder, for this process."""
    home.mkdir()
    os.environ |= {"REGELKREIS_HOME": str(home), "DJANGO_SETTINGS_MODULE": "config.django_settings"}
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


# --- bare transfer, and the client libraries ------------------------------------------------------------------


def servicenow_transfer(url: str, count: int, folder: Path) -> Callable[[], int]:
    """The bytes alone, undecoded but for the last key: what the server can do."""
    next(servicenow_pages(url))
    return lambda: sum(body.count(b'"sys_id"') for body in servicenow_pages(url))


def jira_transfer(url: str, count: int, folder: Path) -> Callable[[], int]:
    """The bytes alone: what the server can do."""
    next(jira_pages(url))
    return lambda: sum(min(100, count) for _ in jira_pages(url))


def pysnow_stream(url: str, count: int, folder: Path) -> Callable[[], int]:
    """pysnow's own reader, ``stream=True``, one request, rows as dicts."""
    return _pysnow(url, count, is_stream=True)


def pysnow_buffered(url: str, count: int, folder: Path) -> Callable[[], int]:
    """pysnow's own reader without ``stream``: the answer in one piece, rows as dicts."""
    return _pysnow(url, count, is_stream=False)


def _pysnow(url: str, count: int, *, is_stream: bool) -> Callable[[], int]:
    import pysnow

    host = url.partition("://")[2]
    client = pysnow.Client(host=host, user=SN_USER[0], password=SN_USER[1], use_ssl=False)
    client.session.trust_env = False
    incidents = client.resource(api_path="/table/incident")
    incidents.parameters.exclude_reference_link = True

    def read(limit: int) -> int:
        return sum(1 for _ in incidents.get(query={}, limit=limit, fields=list(SN_FIELDS), stream=is_stream).all())

    read(1)
    return lambda: read(count)


def pysnc(url: str, count: int, folder: Path) -> Callable[[], int]:
    """PySNC, ServiceNow's own client: a ``GlideRecord`` walked to its end, every field read."""
    from pysnc import ServiceNowClient

    session = requests.Session()
    session.trust_env = False
    session.auth = SN_USER
    session.mount("https://", _Plain())
    client = ServiceNowClient(url.replace("http://", "https://", 1), session, auto_retry=False)

    def read(limit: int) -> int:
        record = client.GlideRecord("incident", batch_size=5_000)
        record.fields = list(SN_FIELDS)
        record.display_value = False
        record.limit = limit
        record.query()
        return sum(1 for row in record if row.get_value("sys_id"))

    read(1)
    return lambda: read(count)


class _Plain(requests.adapters.HTTPAdapter):
    """PySNC takes https addresses only; the pages are served without TLS."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **options)


def jira_issues(url: str, count: int, folder: Path) -> Callable[[], int]:
    """jira's own reader: one ``Issue`` object a ticket."""
    from jira import JIRA

    client = JIRA(server=url, basic_auth=JIRA_USER, max_retries=0)
    wanted = ",".join(JIRA_FIELDS)
    end = datetime.fromtimestamp(FIRST_S + APART_S * count, UTC)  # the library reads all there is, or one page
    bounded = JIRA_JQL.replace(" ORDER", f' AND updated < "{end:%Y-%m-%d %H:%M}" ORDER')
    client.enhanced_search_issues(JIRA_JQL, maxResults=1, fields=wanted, expand="changelog")
    return lambda: len(client.enhanced_search_issues(bounded, maxResults=False, fields=wanted, expand="changelog"))


CASES: dict[str, Callable[[str, int, Path], Callable[[], int]]] = {
    "servicenow.ours": servicenow_ours,
    "servicenow.by_hand": servicenow_by_hand,
    "servicenow.transfer": servicenow_transfer,
    "servicenow.pysnow_stream": pysnow_stream,
    "servicenow.pysnow_buffered": pysnow_buffered,
    "servicenow.pysnc": pysnc,
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
