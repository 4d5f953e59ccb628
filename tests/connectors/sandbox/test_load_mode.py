"""Load mode: many records from bytes encoded once, through the same queries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from connectors.base import Cursor
from connectors.config import ConnectionConfig
from connectors.registry import connector
from connectors.sandbox.testing import running_sandbox
from improvement.records import RecordKind

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


# --- Jira -----------------------------------------------------------------------------------------------------------

JQL = 'project = OPS AND issuetype in (Incident, "Service Request")'
ORDER_OF_JIRA = " ORDER BY updated ASC, key ASC"
JIRA_FIELDS = ["summary", "updated", "status"]


def by_token(url: str, jql: str, **more: Any) -> Iterator[list[Any]]:
    body = {"jql": jql + ORDER_OF_JIRA, "fields": JIRA_FIELDS, "maxResults": 100, **more}
    with requests.Session() as session:
        session.auth = ("admin@example.com", "sandbox")
        while True:
            page = session.post(f"{url}/rest/api/3/search/jql", json=body, timeout=60).json()
            yield page["issues"]
            if page["isLast"]:
                return
            body["nextPageToken"] = page["nextPageToken"]


def test_every_issue_comes_once_in_the_order_of_updates() -> None:
    with running_sandbox(platforms=("jira_cloud",), load_records=1_234) as sandbox:
        url = sandbox.jira_cloud_url
        issues = [issue for page in by_token(url, JQL, expand="changelog") for issue in page]
        ids = [issue for page in by_token(url, JQL, fields=["id"], maxResults=1_000) for issue in page]
        second = next(by_token(url, JQL))[1]
        one = requests.get(
            f"{url}/rest/api/3/issue/{second['key']}", auth=("admin@example.com", "sandbox"), timeout=30
        ).json()

    assert [issue["id"] for issue in issues] == [str(1_000_000 + number) for number in range(1_234)]
    assert [issue["key"] for issue in issues] == [f"OPS-{number}" for number in range(1, 1_235)]
    assert [issue["id"] for issue in ids] == [issue["id"] for issue in issues]
    updates = [issue["fields"]["updated"] for issue in issues]
    assert updates == sorted(updates)
    assert updates[0] == "2024-01-01T00:00:00.000+0000"
    assert all(issue["changelog"]["total"] == len(issue["changelog"]["histories"]) for issue in issues)
    assert sum(len(issue["changelog"]["histories"]) for issue in issues) > len(issues)
    assert all(f"/issue/{issue['id']}" in issue["self"] for issue in issues)
    assert one["fields"].keys() >= set(JIRA_FIELDS), "what is no search is answered by the small site"


def test_bounds_of_update_time_narrow_a_search_and_its_count() -> None:
    bounds = ' AND updated >= "2024-01-01 00:10" AND updated < "2024-01-01 00:30"'
    with running_sandbox(platforms=("jira_cloud",), load_records=1_000) as sandbox:
        url = sandbox.jira_cloud_url
        found = [issue for page in by_token(url, JQL + bounds) for issue in page]
        counted = {
            jql: requests.post(
                f"{url}/rest/api/3/search/approximate-count",
                json={"jql": jql},
                auth=("admin@example.com", "sandbox"),
                timeout=30,
            ).json()["count"]
            for jql in (
                *(JQL, JQL + bounds, JQL + ' AND created < "2035-01-01"', f'{JQL} AND text ~ "printer"'),
                f"{JQL} AND updated is EMPTY",
            )
        }
        newest = requests.post(
            f"{url}/rest/api/3/search/jql",
            json={"jql": f"{JQL} ORDER BY updated DESC", "fields": ["updated"]},
            auth=("admin@example.com", "sandbox"),
            timeout=30,
        ).json()["issues"]

    updates = [issue["fields"]["updated"] for issue in found]
    assert (updates[0], updates[-1]) == ("2024-01-01T00:10:02.000+0000", "2024-01-01T00:29:59.000+0000")
    assert list(counted.values())[:3] == [1_000, len(found), 1_000]
    assert counted[f"{JQL} AND updated is EMPTY"] == 0
    assert newest[0]["fields"]["updated"] > newest[-1]["fields"]["updated"], "another order is that of the small site"
    assert 0 < counted[f'{JQL} AND text ~ "printer"'] < 1_000, "other conditions are those of the small site"


def test_a_token_belongs_to_its_query() -> None:
    with running_sandbox(platforms=("jira_cloud",), load_records=1_000) as sandbox:
        url = f"{sandbox.jira_cloud_url}/rest/api/3/search/jql"
        login = ("admin@example.com", "sandbox")
        asked = {"jql": JQL + ORDER_OF_JIRA, "fields": JIRA_FIELDS}
        token = requests.post(url, json=asked, auth=login, timeout=30).json()["nextPageToken"]
        other = asked | {"jql": JQL + ' AND updated >= "2024-01-01"' + ORDER_OF_JIRA, "nextPageToken": token}
        refused = [
            requests.post(url, json=body, auth=login, timeout=30).status_code
            for body in (other, asked | {"nextPageToken": "x"})
        ]

    assert refused == [400, 400]


@pytest.mark.parametrize(("flavour", "login"), [("jira_cloud", "admin@example.com"), ("jira_dc", "admin")])
def test_our_own_connector_reads_them_all(flavour: Any, login: str) -> None:
    with running_sandbox(platforms=(flavour,), load_records=2_500) as sandbox:
        config = {
            "name": "load",
            "platform": "jira",
            "url": sandbox.urls[flavour],
            "user": login,
            "password": "sandbox",
        }
        jira = connector(ConnectionConfig.model_validate(config))
        jira.describe()
        pages = list(jira.pull(RecordKind.TICKET, None, until=datetime(2035, 1, 1, tzinfo=UTC)))
        since = Cursor(updated_at=datetime(2024, 1, 1, 3, tzinfo=UTC))
        later = list(jira.pull(RecordKind.TICKET, since, until=datetime(2035, 1, 1, tzinfo=UTC)))
        jira.close()

    ids = [id for page in pages for id in page.batch["id"].to_pylist()]
    assert sorted(ids) == [str(1_000_000 + number) for number in range(2_500)]
    assert not any(page.rejected for page in pages)
    updates = [at for page in later for at in page.batch["updated_at"].to_pylist()]
    assert min(updates) >= datetime(2024, 1, 1, 2, 50, tzinfo=UTC)
    assert max(updates) == datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=7 * 2_499)
