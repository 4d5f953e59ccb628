"""The Table API as a reader meets it, over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from connectors.sandbox.testing import RunningSandbox

KEYSET = "^ORDERBYsys_updated_on^ORDERBYsys_id"


def test_all_raw_values_are_strings_and_null_is_empty(api: Any) -> None:
    record = api.list("incident", "active=true", limit=1, exclude_reference_link=True)[0]

    assert all(isinstance(value, str) for value in record.values())
    assert record["closed_at"] == ""
    assert record["active"] == "true"


def test_references_are_links_unless_told_otherwise(api: Any) -> None:
    linked = api.list("incident", limit=1)[0]["company"]
    plain = api.list("incident", limit=1, exclude_reference_link=True)[0]["company"]

    assert linked["value"] == plain
    assert linked["link"] == f"{api.url}/api/now/table/core_company/{plain}"
    assert api.read("core_company", plain)["customer"] == "true"


def test_display_values_show_labels_names_zones_and_words(api: Any, small: RunningSandbox) -> None:
    raw = api.list("task_sla", "stage=completed", limit=1, exclude_reference_link=True)[0]
    query = f"sys_id={raw['sys_id']}"
    both = api.list("task_sla", query, display_value="all")[0]
    there = api.as_user("honolulu").list("task_sla", query, display_value="true", exclude_reference_link=True)[0]

    assert both["stage"] == {"display_value": "Completed", "value": "completed"}
    assert both["task"]["display_value"].startswith("INC")
    assert both["task"]["link"].endswith(f"/api/now/table/task/{raw['task']}")
    assert re.fullmatch(r"1970-01-\d\d \d\d:\d\d:\d\d", raw["business_duration"])
    assert re.search(r"Hour|Minute|Second|Day", both["business_duration"]["display_value"])
    assert there["start_time"] != raw["start_time"]
    assert api.as_user("honolulu").list("task_sla", query)[0]["start_time"] == raw["start_time"]


def test_fields_may_be_dot_walked_and_unknown_ones_are_left_out(api: Any) -> None:
    fields = "number,company.name,location.country,business_service.name,nosuch,company.nosuch"
    record = api.list("incident", "", limit=1, fields=fields)[0]

    assert set(record) == {"number", "company.name", "location.country", "business_service.name"}
    assert len(record["location.country"]) == 2


def test_pages_tell_total_and_neighbours(api: Any) -> None:
    response = api.page("incident", "priority=2", limit=5, offset=5)

    total = int(response.headers["X-Total-Count"])
    links = dict(re.findall(r'<[^>]*sysparm_offset=(\d+)[^>]*>;rel="(\w+)"', response.headers["Link"]))
    assert total == api.count("incident", "priority=2") > 10
    assert {name: int(offset) for offset, name in links.items()} == {
        "first": 0,
        "next": 10,
        "last": (total - 1) // 5 * 5,
    } or links["0"] in ("first", "prev")
    assert 'rel="prev"' in response.headers["Link"]


def test_counts_and_links_can_be_spared(api: Any) -> None:
    response = api.page("incident", "", limit=5, no_count=True, suppress_pagination_header=True)

    assert "X-Total-Count" not in response.headers
    assert "Link" not in response.headers


@pytest.mark.parametrize("limit", [7, 100, 1000])
def test_keyset_pages_give_every_record_once(api: Any, limit: int) -> None:
    seen: list[str] = []
    query = (
        f"sys_updated_on>=2000-01-01 00:00:00{KEYSET}" if limit > 7 else f"sys_updated_on>=2024-07-20 00:00:00{KEYSET}"
    )
    expected = api.count("task_sla", query)
    while page := api.list("task_sla", query, limit=limit, fields="sys_id,sys_updated_on", no_count=True):
        seen += [record["sys_id"] for record in page]
        at, last = page[-1]["sys_updated_on"], page[-1]["sys_id"]
        query = f"sys_updated_on>{at}^NQsys_updated_on={at}^sys_id>{last}{KEYSET}"

    assert len(seen) == len(set(seen)) == expected


def test_an_invalid_field_is_ignored_and_the_whole_table_comes(api: Any) -> None:
    assert api.count("incident", "nosuch_field=1") == api.count("incident")
    assert api.count("incident", "priority=1^nosuch_field=1") == api.count("incident", "priority=1")


def test_an_invalid_query_returns_nothing_where_the_property_says_so(
    serve: Callable[..., Any], a_world: Any, a_ticket: Any
) -> None:
    _, api = serve(a_world(a_ticket()), invalid_query_returns_no_rows=True)

    assert api.count("incident") == 1
    assert api.list("incident", "nosuch_field=1") == []


def test_operators_agree_with_each_other(api: Any) -> None:
    every = api.count("incident")

    assert api.count("incident", "priority=1") + api.count("incident", "priority!=1") == every
    assert api.count("incident", "priorityIN1,2") == api.count("incident", "priority=1^ORpriority=2")
    assert api.count("incident", "priorityIN1,2") == api.count("incident", "priority<=2")
    assert api.count("incident", "priority=1^NQpriority=2") == api.count("incident", "priority<=2")
    assert api.count("incident", "closed_atISEMPTY") + api.count("incident", "closed_atISNOTEMPTY") == every
    assert (
        api.count("incident", "short_descriptionLIKENETWORK")
        == api.count("incident", "short_descriptionLIKEnetwork")
        > 0
    )
    assert api.count("incident", "priorityBETWEEN1@2") == api.count("incident", "priority<3")


def test_dot_walks_and_dates_select(api: Any, small: RunningSandbox) -> None:
    by_country = sum(api.count("incident", f"location.country={c}") for c in ("DE", "CH", "GB", "US", "JP"))
    cut = "2024-04-01 00:00:00"

    assert by_country == api.count("incident")
    before, after = api.count("incident", f"opened_at<{cut}"), api.count("incident", f"opened_at>={cut}")
    assert before + after == api.count("incident")
    assert api.count("incident", f"opened_at>=javascript:gs.dateGenerate('{cut[:10]}','00:00:00')") == after


def test_a_script_date_means_the_users_zone(api: Any) -> None:
    query = "opened_at<javascript:gs.dateGenerate('2024-04-01','00:00:00')"

    in_utc = api.count("incident", query)
    assert in_utc == api.count("incident", "opened_at<2024-04-01 00:00:00")
    assert api.as_user("honolulu").count("incident", query) == api.count("incident", "opened_at<2024-04-01 10:00:00")


def test_sorting_by_other_fields(api: Any) -> None:
    numbers = [record["number"] for record in api.list("incident", "ORDERBYDESCnumber", limit=5, fields="number")]
    priorities = [int(record["priority"]) for record in api.list("incident", "ORDERBYpriority", fields="priority")]

    assert numbers == sorted(numbers, reverse=True)
    assert priorities == sorted(priorities)


def test_task_holds_all_its_children(api: Any) -> None:
    children = ("incident", "sc_req_item", "sc_request", "problem", "change_request")

    assert api.count("task") == sum(api.count(table) for table in children)
    assert {r["sys_class_name"] for r in api.list("task", "sys_class_name=problem", limit=3)} == {"problem"}


def test_statistics_group(api: Any) -> None:
    params = {"sysparm_count": "true", "sysparm_group_by": "priority", "sysparm_avg_fields": "reassignment_count"}
    groups = api.send("GET", "/api/now/stats/incident", params=params).json()["result"]

    counts = {group["groupby_fields"][0]["value"]: int(group["stats"]["count"]) for group in groups}
    assert sum(counts.values()) == api.count("incident")
    assert counts["1"] == api.count("incident", "priority=1")
    assert 0 <= float(groups[0]["stats"]["avg"]["reassignment_count"]) < 10


def test_groups_are_shown_by_what_they_come_to(api: Any) -> None:
    def shown(having: str) -> dict[str, int]:
        params = {"sysparm_count": "true", "sysparm_group_by": "priority", "sysparm_having": having}
        groups = api.send("GET", "/api/now/stats/incident", params=params).json()["result"]
        return {group["groupby_fields"][0]["value"]: int(group["stats"]["count"]) for group in groups}

    every = shown("")
    some = sorted(every.values())[1]
    many = {priority: count for priority, count in every.items() if count > some}
    assert 0 < len(many) < len(every)
    assert shown(f"count^priority^>^{some}") == many
    assert shown(f"count^priority^>^{some},avg^priority^>^3") == {one: n for one, n in many.items() if int(one) > 3}
    assert shown("count^resolved_at^=^0") == {}
    assert shown("nonsense") == every


def test_names_and_values_filter_like_a_query(api: Any) -> None:
    def listed(**pairs: str) -> list[str]:
        params = {"sysparm_fields": "number", "sysparm_limit": "500", **pairs}
        return [row["number"] for row in api.send("GET", "/api/now/table/incident", params=params).json()["result"]]

    company = api.list("core_company", "customer=true", limit=1)[0]
    closed, theirs = f"company={company['sys_id']}^stateIN7", f"company={company['sys_id']}^active=true"
    by_query = {query: [row["number"] for row in api.list("incident", query, fields="number", limit=500)]
                for query in (closed, theirs)}  # fmt: skip
    assert all(by_query.values())
    assert listed(company=company["sys_id"], state="7") == by_query[closed]
    assert listed(company=company["name"], state="closed") == by_query[closed]
    assert listed(sysparm_query=f"company={company['sys_id']}", active="true") == by_query[theirs]
    assert listed(**{"company.name": company["name"], "sysparm_query": "active=true"}) == by_query[theirs]
    assert listed(sysparm_query=theirs, compani="x^y") == by_query[theirs]  # no field: ignored, as in a query
    params = {"sysparm_count": "true", "company": company["name"], "state": "Closed"}
    told = api.send("GET", "/api/now/stats/incident", params=params).json()["result"]["stats"]
    assert told == {"count": str(api.count("incident", closed))}


def test_the_newest_of_a_group_without_values_is_nothing(api: Any) -> None:
    params = {"sysparm_query": "stateIN1,2,3,7", "sysparm_group_by": "state", "sysparm_max_fields": "resolved_at"}
    groups = api.send("GET", "/api/now/stats/incident", params=params).json()["result"]
    newest = {group["groupby_fields"][0]["value"]: group["stats"]["max"]["resolved_at"] for group in groups}
    assert "" in newest.values(), newest
    assert newest["7"] > "2023"


def test_the_dictionary_knows_columns_by_the_table_that_defines_them(api: Any) -> None:
    def columns(table: str) -> set[str]:
        return {r["element"] for r in api.list("sys_dictionary", f"name={table}", fields="element", limit=500)}

    assert {"number", "priority", "company"} <= columns("task")
    assert {"caller_id", "resolved_at"} <= columns("incident")
    assert "company" not in columns("incident")
    company = api.list("sys_dictionary", "name=task^element=company", fields="reference,internal_type")
    assert company[0]["reference"] == "core_company"
    assert company[0]["internal_type"]["value"] == "reference"
    parent = api.list("sys_db_object", "name=incident", fields="super_class.name")[0]
    assert parent == {"super_class.name": "task"}


def test_choices_give_labels(api: Any) -> None:
    rows = api.list("sys_choice", "name=sn_cim_register^element=state^inactive=false^ORDERBYsequence")

    assert [row["label"] for row in rows][:3] == ["New", "Accepted", "Assess"]


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/api/now/table/nosuch", 400, "Invalid table nosuch"),
        ("/api/now/table/incident/0000", 404, "No Record found"),
        ("/api/now/nosuch", 404, "Requested URI does not represent any resource"),
    ],
)
def test_errors_have_the_platforms_form(api: Any, path: str, status: int, message: str) -> None:
    response = api.send("GET", path)

    assert response.status_code == status
    assert response.json()["error"]["message"] == message
    assert response.json()["status"] == "failure"


def test_version_two_of_the_path_is_the_same(api: Any) -> None:
    old = api.send("GET", "/api/now/table/incident", params={"sysparm_limit": "2"}).json()
    new = api.send("GET", "/api/now/v2/table/incident", params={"sysparm_limit": "2"}).json()

    assert [r["sys_id"] for r in old["result"]] == [r["sys_id"] for r in new["result"]]
