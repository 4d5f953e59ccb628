"""Load mode: many incidents from bytes encoded once, through the same keyset query."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from connectors.sandbox.testing import running_sandbox

FIELDS = "sys_id,sys_updated_on,number,state,company,opened_at,resolved_at,short_description,priority"
ORDER = "^ORDERBYsys_updated_on^ORDERBYsys_id"


def pages(url: str, limit: int, **more: Any) -> Any:
    params = {
        "sysparm_fields": FIELDS,
        "sysparm_limit": str(limit),
        "sysparm_exclude_reference_link": "true",
        "sysparm_no_count": "true",
        **more,
    }
    query = f"sys_updated_on>=2000-01-01 00:00:00{ORDER}"
    with requests.Session() as session:
        session.auth = ("regelkreis", "sandbox")
        while True:
            answer = session.get(f"{url}/api/now/table/incident", params=params | {"sysparm_query": query}, timeout=60)
            rows = answer.json()["result"]
            if not rows:
                return
            yield rows
            at, last = rows[-1]["sys_updated_on"], rows[-1]["sys_id"]
            query = f"sys_updated_on>{at}^NQsys_updated_on={at}^sys_id>{last}{ORDER}"


@pytest.mark.parametrize("limit", [1000, 997])
def test_every_record_comes_once_in_order(limit: int) -> None:
    with running_sandbox(platforms=("servicenow",), load_records=10_000) as sandbox:
        rows = [row for page in pages(sandbox.servicenow_url, limit) for row in page]

        assert len({row["sys_id"] for row in rows}) == len(rows) == 10_000
        keys = [(row["sys_updated_on"], row["sys_id"]) for row in rows]
        assert keys == sorted(keys)
        assert len({at for at, _ in keys}) < 5_000, "many records share a second"
        assert sandbox.stats("servicenow")["records"]["incident"] == 10_000


def test_other_tables_and_counts_still_answer() -> None:
    with running_sandbox(platforms=("servicenow",), load_records=1_000) as sandbox:
        with requests.Session() as session:
            session.auth = ("regelkreis", "sandbox")
            stats = session.get(
                f"{sandbox.servicenow_url}/api/now/stats/incident", params={"sysparm_count": "true"}, timeout=30
            )
            offset = session.get(
                f"{sandbox.servicenow_url}/api/now/table/incident",
                params={"sysparm_offset": "990", "sysparm_limit": "100", "sysparm_fields": "number"},
                timeout=30,
            )
            companies = session.get(f"{sandbox.servicenow_url}/api/now/table/core_company", timeout=30)

        assert stats.json()["result"]["stats"]["count"] == "1000"
        assert [row["number"] for row in offset.json()["result"]][-1] == "INC0000999"
        assert len(offset.json()["result"]) == 10
        assert companies.status_code == 200


def test_a_warm_page_is_copied_not_built() -> None:
    with running_sandbox(platforms=("servicenow",), load_records=50_000) as sandbox:
        for _ in pages(sandbox.servicenow_url, 5_000):
            pass
        before = sandbox.stats("servicenow")["cpu_s"]
        started = time.perf_counter()
        rows = sum(len(page) for page in pages(sandbox.servicenow_url, 5_000))

        assert rows == 50_000
        assert sandbox.stats("servicenow")["cpu_s"] - before < 0.5
        assert time.perf_counter() - started < 20
