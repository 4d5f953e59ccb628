"""PySNC, ServiceNow's own client, makes its ordinary calls."""

from __future__ import annotations

import inspect
import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import requests
from pysnc import GlideRecord, ServiceNowClient
from pysnc.exceptions import RoleException

from connectors.sandbox.testing import RunningSandbox


def signed_in(sandbox: RunningSandbox, user: str) -> Any:
    """This client refuses http, but only in small letters."""
    return ServiceNowClient(sandbox.servicenow_url.replace("http", "HTTP", 1), (user, "sandbox"))


@pytest.fixture
def client(small: RunningSandbox) -> Any:
    return signed_in(small, "admin")


def test_querying_and_paging(client: Any, api: Any) -> None:
    record = client.GlideRecord("incident", batch_size=50)
    record.fields = ["number", "priority", "opened_at"]
    record.add_query("priority", "3")
    record.order_by("number")
    record.query()
    numbers = [str(one.number) for one in record]
    assert len(numbers) == record.get_row_count() == api.count("incident", "priority=3")
    assert numbers == sorted(numbers)


def test_conditions_are_joined_and_limited(client: Any, api: Any) -> None:
    record = client.GlideRecord("incident")
    either = record.add_query("priority", "1")
    either.add_or_condition("priority", "2")
    record.add_not_null_query("resolved_at")
    record.limit = 5
    record.query()
    shown = [str(one.priority) for one in record]
    assert len(shown) == min(5, api.count("incident", "priority=1^ORpriority=2^resolved_atISNOTEMPTY"))
    assert set(shown) <= {"1", "2"}


def found(record: Any) -> list[str]:
    record.fields = ["number"]
    record.order_by("number")
    record.query()
    return sorted(str(one.number) for one in record)


def rows_of(api: Any, table: str, query: str) -> list[dict[str, str]]:
    """Every row, raw."""
    found: list[dict[str, str]] = api.list(table, query, exclude_reference_link=True, limit=10_000)
    return found


def breaches(api: Any) -> Counter[str]:
    """How many breached clocks each incident has, counted by hand."""
    return Counter(row["task"] for row in rows_of(api, "task_sla", "has_breached=true^task.sys_class_name=incident"))


def test_a_join_finds_what_another_table_names(client: Any, api: Any) -> None:
    record = client.GlideRecord("incident")
    record.add_query("priority", "2")
    record.add_join_query("task_sla", join_table_field="task").add_query("has_breached", "true")
    by_hand = {row["number"] for row in rows_of(api, "incident", "priority=2") if row["sys_id"] in breaches(api)}
    assert by_hand
    assert found(record) == sorted(by_hand)


COUNTS: dict[str, Callable[[int], bool]] = {">=1": lambda n: n >= 1, "=0": lambda n: n == 0, ">1": lambda n: n > 1}


@pytest.mark.parametrize("how_many", COUNTS)
def test_a_related_list_is_counted(client: Any, api: Any, how_many: str) -> None:
    record = client.GlideRecord("incident")
    record.add_query("priority", "1")
    record.add_rl_query("task_sla", "task", how_many).add_query("has_breached", "true")
    counted = breaches(api)
    by_hand = sorted(
        row["number"] for row in rows_of(api, "incident", "priority=1") if COUNTS[how_many](counted[row["sys_id"]])
    )
    assert found(record) == by_hand


def test_a_related_list_may_walk_on(client: Any, api: Any) -> None:
    record = client.GlideRecord("core_company")
    record.fields = ["name"]
    record.add_rl_query("incident", "company", ">=1", True).add_not_null_query("company.name")
    record.query()
    assert record.get_row_count() == len({row["company"] for row in rows_of(api, "incident", "") if row["company"]})


@pytest.mark.parametrize(("table", "column"), [("no_such_table", "task"), ("task_sla", "no_such_column")])
def test_a_related_table_that_is_none_is_ignored_like_any_invalid_condition(
    client: Any, api: Any, table: str, column: str
) -> None:
    record = client.GlideRecord("problem")
    record.add_rl_query(table, column, ">=1")
    assert len(found(record)) == api.count("problem", "")


def test_reading_one_and_walking_its_references(client: Any) -> None:
    some = client.GlideRecord("incident")
    some.fields = ["sys_id", "number", "company.name", "state"]
    some.limit = 1
    some.query()
    assert some.next()
    one = client.GlideRecord("incident")
    one.fields = ["number", "state", "company", "company.name"]
    assert one.get(str(some.sys_id))
    assert one.number == some.number
    assert one.company.name == some.get_value("company.name")
    assert one.get_display_value("state") != one.get_value("state")
    assert not client.GlideRecord("incident").get("0" * 32)


def test_inserting_updating_and_deleting(client: Any) -> None:
    record = client.GlideRecord("problem")
    record.initialize()
    record.short_description = "by PySNC"
    record.correlation_id = "pysnc-1"
    sys_id = record.insert()
    assert sys_id
    record.short_description = "changed"
    record.update()
    again = client.GlideRecord("problem")
    again.add_query("correlation_id", "pysnc-1")
    again.query()
    assert again.next()
    assert (str(again.sys_id), str(again.short_description)) == (str(sys_id), "changed")
    assert again.delete()
    assert not client.GlideRecord("problem").get(str(sys_id))


def test_changing_and_deleting_several_in_a_batch(client: Any) -> None:
    for number in range(3):
        record = client.GlideRecord("problem")
        record.initialize()
        record.correlation_id = "pysnc-many"
        record.short_description = f"No. {number}"
        record.insert()
    many = client.GlideRecord("problem")
    many.add_query("correlation_id", "pysnc-many")
    many.query()
    while many.next():
        many.short_description = "all"
    assert many.update_multiple()
    read = client.GlideRecord("problem")
    read.add_query("correlation_id", "pysnc-many")
    read.query()
    assert [str(one.short_description) for one in read] == ["all"] * 3
    assert read.delete_multiple()


def test_attachments(client: Any) -> None:
    record = client.GlideRecord("problem")
    record.initialize()
    record.short_description = "with a file"
    record.insert()
    record.add_attachment("a.txt", io.BytesIO(b"abc"), content_type="text/plain")
    (attached,) = list(record.get_attachments())
    assert attached.file_name == "a.txt"
    assert attached.read() == b"abc"
    attached.delete()
    assert list(record.get_attachments()) == []
    record.delete()


def test_a_right_that_is_missing(small: RunningSandbox) -> None:
    reader = signed_in(small, "reader")
    forbidden = reader.GlideRecord("problem")
    forbidden.initialize()
    forbidden.short_description = "no"
    with pytest.raises(RoleException):
        forbidden.insert()


def arguments_of(method: Any, known: dict[str, Any]) -> dict[str, Any]:
    """What a method demands, by name."""
    parameters = list(inspect.signature(method).parameters.values())[1:]
    return {
        one.name: known[one.name] for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD
    }


@pytest.mark.parametrize(
    "name", [name for name, _ in inspect.getmembers(GlideRecord, inspect.isfunction) if name[0] != "_"]
)
def test_every_method_of_its_records_is_answered(client: Any, name: str) -> None:
    unanswered: list[str] = []

    def heard(response: requests.Response, *_: Any, **__: Any) -> None:
        if response.status_code in (404, 405) or response.status_code >= 500:
            unanswered.append(f"{response.request.method} {response.request.path_url} → {response.status_code}")

    record = client.GlideRecord("problem")
    record.initialize()
    record.short_description = "by every method"
    sys_id = str(record.insert())
    known = {
        "name": sys_id if name == "get" else "short_description",
        "field": "assigned_to" if "link" in name else "short_description",
        "value": "a" * 32 if "guid" in name else "by every method",
        "column": "number",
        "encoded_query": "priority=1",
        "join_table": "sys_user",
        "related_table": "task_sla",
        "related_field": "task",
        "operator_condition": ">0",
        "file_name": "a.txt",
        "file": io.BytesIO(b"a"),
    }
    client.session.hooks["response"].append(heard)
    many = client.GlideRecord("problem")
    if not name.startswith(("add_", "order_")):
        many.add_query("sys_id", sys_id)
        many.query()
        many.next()
    elif name == "add_attachment":
        many.get(sys_id)
    getattr(many, name)(**arguments_of(getattr(GlideRecord, name), known))
    many.query()
    assert unanswered == []
