"""Every address of ServiceNow and of the sandbox's own controls: odd requests break nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice, product
from typing import Any
from urllib.parse import quote

import pytest
import requests

from connectors.sandbox.testing import running_sandbox

TABLES = ("incident", "task_sla", "sn_cim_register", "sys_attachment", "asmt_metric", "nothing")
EVERY = 7  # request is sent, so that each address has its share of odd values; 1 sends all
LONG = "9" * 5_000
TEXTS = (
    *(
        "",
        "x",
        "-1",
        "0",
        "1e400",
        "nan",
        "9" * 18,
        "9" * 25,
        LONG,
        "²",
        "٣",
        "\x00",
        "a\r\nb",
        "\u202e𐍈é",
        "%",
        "^",
        "[]",
    ),
    *("2024-13-45", "2024-02-30 25:61:61", "0001-01-01 00:00:00", "9999-12-31 23:59:59", "dayofweek@ago@7", "@"),
    *(f"{unit}@{way}@{count}" for unit, way, count in (("year", "ahead", "99999999"), ("minute", "ago", LONG[:4_400]))),
    *(f"javascript:gs.dateGenerate('{day}','end')" for day in ("2024-13-45", "9999-12-31", "0001-01-01")),
    *(f"javascript:gs.{unit}Ago({count})" for unit in ("days", "monthsEnd") for count in ("99999999999", LONG, "²")),
    *("javascript:gs.monthsAgoEnd(99999)", "javascript:evil()"),
)
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 0.5, 1e308, 10**30, *TEXTS, [], {}, [None], [1], ["x"], [{}], [[]]),
    *({"value": None}, {"value": []}, {"display_value": {}}, {"a": 1}),
)
RAW = (b"", b"{", b"null", b"1", b"\xff\xfe", b"[" * 5_000, b'{"a":' * 5_000)
FIELDS = ("sys_updated_on", "sys_id", "number", "priority", "active", "caller_id.name", "nothing", "a.b.c.d")
OPERATORS = ("=", "!=", ">", "<=", "IN", "LIKE", "BETWEEN", "ON", "RELATIVEGE", "SAMEAS", "INSTANCEOF", "ISEMPTY")
RELATED = (
    f"RLQUERYtask_sla.task,>={LONG[:4_400]}^ENDRLQUERY",
    "RLQUERY",
    "JOINa.b=c.d!",
    "JOINincident.x=problem.number!",
)
ITEM = {"id": "1", "method": "GET", "url": "/api/now/table/sys_user?sysparm_limit=1"}
PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nabc\r\n'
MULTIPART = (
    b"",
    b"x",
    PART,
    PART + b"--x--\r\n",
    b"--x--",
    b"--x\r\nbad header\r\n\r\na\r\n--x--",
    b"--x\r\n\r\n\xff\r\n--x--",
)
CONTROLS = ("clock", "faults", "options", "events")
OPTIONS = ("cim", "hidden_rows", "denied", "rules", "max_rows", "renamed_choices", "metric_fields", "stale_clocks")
_PAGE = {"sysparm_limit": "2", "sysparm_display_value": "all"}
_COLUMNS = ("short_description", "state", "min", "max", "work_notes", "assigned_to", "opened_at", "due_date", "active")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_sandbox(platforms=("servicenow",)) as sandbox:
        yield sandbox.servicenow_url


def test_odd_requests_break_nothing(url: str) -> None:
    broken = []
    with requests.Session() as session:
        session.trust_env = False
        session.auth = ("admin", "sandbox")
        for method, path, options in islice(odd_requests(), 0, None, EVERY):
            answer = session.request(method, url + path, timeout=30, **options)
            if answer.status_code >= 500:
                broken.append((method, path[:80], str(options)[:120], answer.status_code))
    assert broken == []


def odd_requests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, address and what is sent: queries, pages, bodies, files, batches, names within addresses, controls."""
    for (operator, value), field, table in zip(product(OPERATORS, TEXTS), cycle(FIELDS), cycle(TABLES), strict=False):
        yield "GET", f"/api/now/table/{table}", {"params": {"sysparm_query": field + operator + value, **_PAGE}}
    for table, query in product(TABLES, RELATED):
        yield "GET", f"/api/now/stats/{table}", {"params": {"sysparm_query": query, "sysparm_count": "true"}}
    for table, name, value in product(TABLES, ("limit", "offset", "fields", "display_value", "no_count"), TEXTS):
        yield "GET", f"/api/now/table/{table}", {"params": {"sysparm_limit": "1", f"sysparm_{name}": value}}
        yield "GET", "/api/now/attachment", {"params": {f"sysparm_{name}": value}}
    for table, value in product(TABLES, TEXTS):
        asked = {f"sysparm_{name}": value for name in ("group_by", "avg_fields", "min_fields", "query")}
        yield "GET", f"/api/now/stats/{table}", {"params": asked}
    for table, odd in product(TABLES, ODD):
        for body in (dict.fromkeys((*_COLUMNS, *FIELDS), odd), odd):
            yield "POST", f"/api/now/table/{table}", {"json": body, "params": {"sysparm_input_display_value": "true"}}
    for path, raw in product(("/api/now/table/incident", "/api/now/v1/batch", "/sandbox/events"), RAW):
        yield "POST", path, {"data": raw, "headers": {"Content-Type": "application/json"}}
    for path, value in product(("table/{}", "table/incident/{}", "stats/{}", "attachment/{}/file", "{}"), TEXTS):
        for method in ("GET", "POST", "PATCH", "DELETE"):
            yield method, "/api/now/" + path.format(quote(value, safe="")), {"json": {}}
    for raw, kind in product(MULTIPART, ("form-data; boundary=x", "mixed; boundary=x", "form-data; boundary=")):
        yield "POST", "/api/now/attachment/upload", {"data": raw, "headers": {"Content-Type": f"multipart/{kind}"}}
    for name, odd in product((*ITEM, "body", "headers"), (*ODD, [7], [{"name": "a"}], [{"name": "a\n", "value": "b"}])):
        yield "POST", "/api/now/v1/batch", {"json": {"rest_requests": [{**ITEM, name: odd}]}}
    for control, odd in product(CONTROLS, ODD):
        yield "POST", f"/sandbox/{control}", {"json": odd}
    for (control, name), odd in product((("events", "kind"), *(("options", name) for name in OPTIONS)), ODD):
        yield "POST", f"/sandbox/{control}", {"json": {name: odd}}
