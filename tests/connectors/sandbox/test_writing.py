"""Writes: what is kept, dropped, cut, appended, and noted elsewhere."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def register(api: Any) -> dict[str, Any]:
    """An improvement initiative of the integration user."""
    return api.as_user("regelkreis").create(
        "sn_cim_register", short_description="Fewer breaches", correlation_id="rk-ACT-1", base_value="0.24"
    )


def test_a_created_record_is_numbered_and_found_by_correlation(api: Any, register: dict[str, Any]) -> None:
    assert register["number"].startswith("CIM000")
    assert register["sys_created_by"] == "regelkreis"
    found = api.list("sn_cim_register", "correlation_id=rk-ACT-1", fields="sys_id")
    assert {"sys_id": register["sys_id"]} in found


def test_unknown_and_read_only_fields_are_dropped_without_a_word(api: Any, register: dict[str, Any]) -> None:
    changed = api.as_user("regelkreis").change(
        "sn_cim_register", register["sys_id"], nosuch="x", number="CIM9", percent_complete="50", sys_created_by="me"
    )

    assert "nosuch" not in changed
    assert changed["number"] == register["number"]
    assert changed["percent_complete"] == "0"
    assert changed["sys_created_by"] == "regelkreis"


def test_text_is_cut_to_the_length_of_its_column(api: Any, register: dict[str, Any]) -> None:
    changed = api.change("sn_cim_register", register["sys_id"], short_description="é" * 10_000)

    assert changed["short_description"] == "é" * 160


def test_choices_must_be_stored_values(api: Any, register: dict[str, Any]) -> None:
    regelkreis = api.as_user("regelkreis")

    by_label = regelkreis.change("sn_cim_register", register["sys_id"], success_measurement_method="Survey")
    assert by_label["success_measurement_method"] == "manual"
    by_value = regelkreis.change("sn_cim_register", register["sys_id"], success_measurement_method="survey")
    assert by_value["success_measurement_method"] == "survey"


def test_labels_and_names_are_taken_where_the_caller_says_so(api: Any, register: dict[str, Any]) -> None:
    response = api.send(
        "PATCH",
        f"/api/now/table/sn_cim_register/{register['sys_id']}",
        params={"sysparm_input_display_value": "true", "sysparm_exclude_reference_link": "true"},
        json={"priority": "2 - High", "assigned_to": "System Administrator"},
    )

    assert response.json()["result"]["priority"] == "2"
    assert api.read("sys_user", response.json()["result"]["assigned_to"])["user_name"] == "admin"


def test_percentage_and_target_compute_each_other(api: Any, register: dict[str, Any]) -> None:
    changed = api.change("sn_cim_register", register["sys_id"], base_value="0.2", target_value="0.1")

    assert changed["percentage_improvement"] == "-50"


def test_work_notes_append_to_the_journal(api: Any, register: dict[str, Any]) -> None:
    regelkreis = api.as_user("regelkreis")
    regelkreis.change("sn_cim_register", register["sys_id"], work_notes="first")
    changed = regelkreis.change("sn_cim_register", register["sys_id"], work_notes="second")

    assert changed["work_notes"] == ""
    entries = api.list("sys_journal_field", f"element_id={register['sys_id']}^element=work_notes")
    assert sorted(entry["value"] for entry in entries) == ["first", "second"]
    shown = api.read("sn_cim_register", register["sys_id"], display_value="true")["work_notes"]
    assert shown.index("second") < shown.index("first")
    assert "Regelkreis (Work notes)" in shown


def test_changes_are_audited_with_their_user(api: Any, register: dict[str, Any]) -> None:
    api.change("sn_cim_register", register["sys_id"], due_date="2024-09-01 00:00:00")

    audit = api.list("sys_audit", f"documentkey={register['sys_id']}^fieldname=due_date")
    assert [(row["oldvalue"], row["newvalue"], row["user"]) for row in audit] == [("", "2024-09-01 00:00:00", "admin")]


def test_deletions_leave_a_trace(api: Any) -> None:
    record = api.create("problem", short_description="short-lived")

    assert api.send("DELETE", f"/api/now/table/problem/{record['sys_id']}").status_code == 204
    assert api.send("GET", f"/api/now/table/problem/{record['sys_id']}").status_code == 404
    trace = api.list("sys_audit_delete", f"documentkey={record['sys_id']}")
    assert trace[0]["tablename"] == "problem"


def test_put_changes_like_patch(api: Any, register: dict[str, Any]) -> None:
    response = api.send("PUT", f"/api/now/table/sn_cim_register/{register['sys_id']}", json={"description": "x"})

    assert response.json()["result"]["description"] == "x"
    assert response.json()["result"]["short_description"] == "Fewer breaches"


def test_bodies_must_be_json_objects(api: Any) -> None:
    path = "/api/now/table/problem"

    assert api.send("POST", path, data="<xml/>", headers={"Content-Type": "text/xml"}).status_code == 415
    assert api.send("POST", path, data="{", headers={"Content-Type": "application/json"}).status_code == 400
    assert api.send("POST", path, data="[]", headers={"Content-Type": "application/json"}).status_code == 400


@pytest.mark.parametrize("title", ["🚒 brennt", "‏עברית‎", "<b>x</b>&amp;", "=HYPERLINK(1)", 'quote " \\ \n tab\t'])
def test_any_title_comes_back_as_sent(api: Any, title: str) -> None:
    record = api.create("problem", short_description=title)

    assert api.read("problem", record["sys_id"])["short_description"] == title
    assert record["sys_id"] in {r["sys_id"] for r in api.list("problem", f"short_description={title}")}


def test_files_are_attached_raw_and_multipart_and_come_back(api: Any, register: dict[str, Any]) -> None:
    regelkreis = api.as_user("regelkreis")
    target = {"table_name": "sn_cim_register", "table_sys_id": register["sys_id"]}

    raw = regelkreis.send(
        "POST",
        "/api/now/attachment/file",
        params={**target, "file_name": "review.json"},
        data=b'{"a":1}',
        headers={"Content-Type": "application/json"},
    )
    form = regelkreis.send(
        "POST",
        "/api/now/attachment/upload",
        data=target,
        files={"uploadFile": ("chart.svg", b"<svg/>", "image/svg+xml")},
    )

    assert (raw.status_code, form.status_code) == (201, 201)
    query = {"sysparm_query": f"table_sys_id={register['sys_id']}^ORDERBYfile_name"}
    listed = regelkreis.send("GET", "/api/now/attachment", params=query).json()["result"]
    assert [(a["file_name"], a["content_type"], a["size_bytes"]) for a in listed] == [
        ("chart.svg", "image/svg+xml", "6"),
        ("review.json", "application/json", "7"),
    ]
    content = regelkreis.send("GET", f"/api/now/attachment/{listed[1]['sys_id']}/file")
    assert content.content == b'{"a":1}'
    assert regelkreis.send("DELETE", f"/api/now/attachment/{listed[0]['sys_id']}").status_code == 204


def test_times_entered_as_they_are_shown_are_in_the_users_zone(api: Any, register: dict[str, Any]) -> None:
    """The vendor's page *Table API*, on ``sysparm_input_display_value``: adjusted for the current user's timezone."""
    response = api.as_user("auckland").send(
        "PATCH",
        f"/api/now/table/sn_cim_register/{register['sys_id']}",
        params={"sysparm_input_display_value": "true", "sysparm_display_value": "all"},
        json={"due_date": "2024-09-01 09:00:00"},
    )

    due = response.json()["result"]["due_date"]
    assert (due["value"], due["display_value"]) == ("2024-08-31 21:00:00", "2024-09-01 09:00:00")


def test_the_answer_to_a_write_is_left_out_where_the_caller_wants_none(api: Any) -> None:
    path, headers = "/api/now/table/sn_cim_register", {"X-no-response-body": "true"}
    made = api.send("POST", path, headers=headers, json={"short_description": "Quiet"})

    assert (made.status_code, made.content) == (201, b"")
    changed = api.send("PATCH", made.headers["Location"].removeprefix(api.url), headers=headers, json={"priority": "2"})
    assert (changed.status_code, changed.content) == (200, b"")
    assert api.send("GET", path, headers=headers).json()["result"]
